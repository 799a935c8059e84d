-- Who is no person on a day, and why: part of other jobs, after their WITH. An operator's last word outlasts the rules; a rule's mark
-- counts where it meets the day. All marks of a user are in one partition: their offsets are their order. Marks are few, and looked for
-- in the whole table, whose column `mark` is empty nearly everywhere.
marks AS (
  SELECT e.user_key AS user_key, e.offset AS at, e.mark AS mark, e.mark_from AS mark_from, e.mark_until AS mark_until
  FROM events e
  WHERE e.mark IS NOT NULL
),
last_words AS (
  SELECT m.user_key AS user_key, max(m.at) AS at
  FROM marks m
  WHERE m.mark IN ('by_hand', 'unmarked', 'rules')
  GROUP BY m.user_key
),
last_rules AS (
  SELECT m.user_key AS user_key, max(m.at) AS at
  FROM marks m
  WHERE m.mark NOT IN ('by_hand', 'unmarked', 'rules')
    AND m.mark_from < TIMESTAMP '{{day_after}} 00:00:00'
    AND m.mark_until > TIMESTAMP '{{day}} 00:00:00'
  GROUP BY m.user_key
),
words AS (
  SELECT m.user_key AS user_key, m.mark AS word
  FROM marks m
  JOIN last_words l ON m.user_key = l.user_key AND m.at = l.at
  WHERE m.mark <> 'rules'
),
marked_users AS (
  SELECT w.user_key AS user_key, w.word AS reason
  FROM words w
  UNION ALL
  SELECT m.user_key AS user_key, m.mark AS reason
  FROM marks m
  JOIN last_rules r ON m.user_key = r.user_key AND m.at = r.at
  LEFT JOIN words w ON m.user_key = w.user_key
  WHERE w.user_key IS NULL
)
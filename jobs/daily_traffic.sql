-- Which share of a day's events is marked traffic, by reason ("none": it is not): each action once, as daily_metrics counts it.
WITH {{marked_users}},
day_events AS (
  SELECT
    e.user_key AS user_key, e.dedupe_print AS print, e.offset AS at,
    COALESCE(k.reason, CASE WHEN e.agent IS NULL THEN 'unmarked' ELSE 'agent' END) AS reason
  FROM events e
  LEFT JOIN marked_users k ON e.user_key = k.user_key
  WHERE e.date >= DATE '{{day_before}}'
    AND e.event_time >= TIMESTAMP '{{day}} 00:00:00'
    AND e.event_time < TIMESTAMP '{{day_after}} 00:00:00'
    AND e.type IS NOT NULL
    AND e.merge IS NULL
),
repeated AS (
  SELECT d.print AS print, min(d.at) AS first_at
  FROM day_events d
  WHERE d.print IS NOT NULL
  GROUP BY d.print
  HAVING count(*) > 1
),
once AS (
  SELECT d.user_key AS user_key, CASE WHEN d.reason = 'unmarked' THEN 'none' ELSE d.reason END AS reason
  FROM day_events d
  LEFT JOIN repeated r ON d.print = r.print
  WHERE r.print IS NULL OR d.at = r.first_at
),
counted AS (
  SELECT o.reason AS reason, count(*) AS events, count(DISTINCT o.user_key) AS users
  FROM once o
  GROUP BY o.reason
),
total AS (
  SELECT sum(c.events) AS events
  FROM counted c
)
SELECT
  DATE '{{day}}' AS day,
  c.reason AS reason,
  c.events AS events,
  c.users AS users,
  CAST(c.events AS DOUBLE) / CAST(t.events AS DOUBLE) AS share
FROM counted c
CROSS JOIN total t
ORDER BY c.reason

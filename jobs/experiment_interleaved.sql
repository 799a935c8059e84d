-- What users chose on the pages that an interleaved experiment drafted, as sufficient statistics: of each metric and arm, beside the
-- control, what either's items earned a page, as a mean of each person's mean. An event counts for the team that placed its item on the
-- page that it names (request_id); what no arm alone placed counts for nobody. docs/guides/experiment-results.md says what counts.
WITH {{marked_users}},
{{people}},
drafted AS (
  SELECT s.request_id AS page, s.user_key AS id, {{explode}}(s.drafted) AS one
  FROM served s
  WHERE s.interleaved_by = {{experiment}}
    AND s.date >= DATE '{{served_date}}'
    AND s.time >= TIMESTAMP '{{begin}}'
    AND s.time < TIMESTAMP '{{end}}'
    AND s.user_key IS NOT NULL
    AND s.request_id IS NOT NULL
),
-- Arms are counted from 0, -1 is none that the experiment has.
known AS (
  SELECT
    d.page AS page, COALESCE(p.person, d.id) AS person, d.one.item AS item, {{arm_index}} AS arm,
    CASE WHEN k.reason <> 'unmarked' OR l.reason <> 'unmarked' THEN 1 ELSE 0 END AS marked,
    CASE WHEN k.reason = 'unmarked' OR l.reason = 'unmarked' THEN 1 ELSE 0 END AS unmarked
  FROM drafted d
  LEFT JOIN people p ON d.id = p.id
  LEFT JOIN marked_users k ON k.user_key = d.id
  LEFT JOIN marked_users l ON l.user_key = p.person
),
persons AS (
  SELECT k.person AS person, max(k.marked) AS marked, max(k.unmarked) AS unmarked, count(DISTINCT k.page) AS pages
  FROM known k
  GROUP BY k.person
),
placed AS (
  SELECT k.page AS page, k.person AS person, k.item AS item, k.arm AS arm, p.unmarked AS unmarked
  FROM known k
  JOIN persons p ON k.person = p.person
  WHERE p.marked = 0
),
-- The first record of a print is the one that counts: the others are tries of a client to send it again.
repeated_prints AS (
  SELECT e.dedupe_print AS print, min(e.offset) AS first_at
  FROM events e
  WHERE e.date >= DATE '{{served_date}}'
    AND e.event_time < TIMESTAMP '{{end}}'{{of_types}}
    AND e.request_id IS NOT NULL
    AND e.dedupe_print IS NOT NULL
    AND e.merge IS NULL
  GROUP BY e.dedupe_print
  HAVING count(*) > 1
),
told AS (
  SELECT w.page AS page, w.arm AS arm{{event_columns}}
  FROM events e
  LEFT JOIN repeated_prints r ON e.dedupe_print = r.print
  JOIN placed w ON e.request_id = w.page AND e.item = w.item
  LEFT JOIN people p ON e.user_key = p.id
  WHERE e.date >= DATE '{{served_date}}'
    AND e.event_time < TIMESTAMP '{{end}}'{{of_types}}
    AND e.type IS NOT NULL
    AND e.merge IS NULL
    AND e.becomes_key IS NULL
    AND (e.agent IS NULL OR w.unmarked = 1)
    AND COALESCE(p.person, e.user_key) = w.person
    AND (r.print IS NULL OR e.offset = r.first_at)
),
raw_earned AS (
  SELECT t.page AS page, t.arm AS arm{{earned_columns}}
  FROM told t
  GROUP BY t.page, t.arm
),
caps AS (
  SELECT count(*) AS rows_seen{{cap_columns}}
  FROM raw_earned v
),
earned AS (
  SELECT v.page AS page, v.arm AS arm{{cut_columns}}
  FROM raw_earned v
  CROSS JOIN caps k
),
earned_by_arm AS (
  SELECT v.page AS page{{earned_by_arm_columns}}
  FROM earned v
  GROUP BY v.page
),
pages AS (
  SELECT w.page AS page, min(w.person) AS person{{item_columns}}
  FROM placed w
  GROUP BY w.page
),
person_values AS (
  SELECT g.person AS person, count(*) AS pages{{person_columns}}
  FROM pages g
  LEFT JOIN earned_by_arm v ON g.page = v.page
  GROUP BY g.person
)
SELECT
  'marked' AS section, 0 AS metric, 0 AS arm, count(*) AS persons, COALESCE(CAST(sum(p.pages) AS BIGINT), 0) AS pages, 0e0 AS control,
  0e0 AS treatment, 0e0 AS control_variance, 0e0 AS treatment_variance, 0e0 AS covariance, 0 AS persons_for, 0 AS persons_against
FROM persons p
WHERE p.marked = 1{{more_sections}}

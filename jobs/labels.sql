-- What came of what was shown on a day: for each item of each answer whether it was seen, and what was done with it within
-- a day of the answer, each action once, as daily_metrics counts it. Served is not seen: of an item that nothing was said of
-- there is no label, which is null and not 0. (`rows build` has labels by the config's own objectives, and closed windows.)
-- Nobody who was no person on that day is in it.
WITH {{marked_users}},
marked_names AS (
  SELECT DISTINCT e.user AS user_id
  FROM events e
  JOIN marked_users k ON e.user_key = k.user_key
  WHERE e.mark IS NOT NULL
    AND k.reason <> 'unmarked'
),
answers AS (
  SELECT
    s.request_id AS request_id, s.user AS user_id, s.surface AS surface, s.time AS answered, s.explored AS explored,
    {{explode}}(s.items) AS shown
  FROM served s
  LEFT JOIN marked_names k ON s.user = k.user_id
  WHERE k.user_id IS NULL
    AND s.date >= DATE '{{day_before}}'
    AND s.time >= TIMESTAMP '{{day}} 00:00:00'
    AND s.time < TIMESTAMP '{{day_after}} 00:00:00'
    AND s.request_id IS NOT NULL
),
told AS (
  SELECT
    e.dedupe_print AS print, e.offset AS at, e.type AS type, e.item AS item, e.request_id AS request_id, e.event_time AS event_time
  FROM events e
  WHERE e.date >= DATE '{{day_before}}'
    AND e.event_time >= TIMESTAMP '{{day}} 00:00:00'
    AND e.event_time < TIMESTAMP '{{day_after}} 00:00:00' + INTERVAL 1 DAY
    AND e.request_id IS NOT NULL
    AND e.item IS NOT NULL
    AND e.merge IS NULL
    AND e.agent IS NULL
),
repeated AS (
  SELECT t.print AS print, min(t.at) AS first_at
  FROM told t
  WHERE t.print IS NOT NULL
  GROUP BY t.print
  HAVING count(*) > 1
),
once AS (
  SELECT t.type AS type, t.item AS item, t.request_id AS request_id, t.event_time AS event_time
  FROM told t
  LEFT JOIN repeated r ON t.print = r.print
  WHERE r.print IS NULL OR t.at = r.first_at
)
SELECT
  DATE '{{day}}' AS day,
  a.request_id AS request_id,
  a.user_id AS user_id,
  a.surface AS surface,
  a.shown.item AS item,
  a.shown.position AS position,
  a.explored AS explored,
  a.shown.propensity AS propensity,
  count(o.type) > 0 AS seen,
  CASE WHEN count(o.type) > 0 THEN max(CASE WHEN o.type IN ('click', 'closeup') THEN 1 ELSE 0 END) END AS clicked,
  CASE WHEN count(o.type) > 0 THEN max(CASE WHEN o.type = 'save' THEN 1 ELSE 0 END) END AS saved,
  CASE WHEN count(o.type) > 0 THEN max(CASE WHEN o.type = 'purchase' THEN 1 ELSE 0 END) END AS purchased,
  CASE WHEN count(o.type) > 0 THEN max(CASE WHEN o.type = 'hide' THEN 1 ELSE 0 END) END AS hidden
FROM answers a
LEFT JOIN once o
  ON o.request_id = a.request_id
  AND o.item = a.shown.item
  AND o.event_time >= a.answered
  AND o.event_time < a.answered + INTERVAL 1 DAY
GROUP BY a.request_id, a.user_id, a.surface, a.shown.item, a.shown.position, a.explored, a.shown.propensity
ORDER BY request_id, position

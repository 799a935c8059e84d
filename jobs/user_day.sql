-- What each user did on a day: each action once, as daily_metrics counts it, and of the same users.
WITH {{marked_users}},
day_events AS (
  SELECT
    e.user AS user_id, e.dedupe_print AS print, e.offset AS at, e.type AS type, e.item AS item, e.event_time AS event_time
  FROM events e
  LEFT JOIN marked_users k ON e.user_key = k.user_key
  WHERE e.date >= DATE '{{day_before}}'
    AND e.event_time >= TIMESTAMP '{{day}} 00:00:00'
    AND e.event_time < TIMESTAMP '{{day_after}} 00:00:00'
    AND e.type IS NOT NULL
    AND e.merge IS NULL
    AND COALESCE(k.reason, CASE WHEN e.agent IS NULL THEN 'unmarked' ELSE 'agent' END) = 'unmarked'
),
repeated AS (
  SELECT d.print AS print, min(d.at) AS first_at
  FROM day_events d
  WHERE d.print IS NOT NULL
  GROUP BY d.print
  HAVING count(*) > 1
),
once AS (
  SELECT d.user_id AS user_id, d.type AS type, d.item AS item, d.event_time AS event_time
  FROM day_events d
  LEFT JOIN repeated r ON d.print = r.print
  WHERE r.print IS NULL OR d.at = r.first_at
)
SELECT
  DATE '{{day}}' AS day,
  o.user_id AS user_id,
  count(*) AS events,
  count(DISTINCT o.item) AS items,
  CAST(sum(CASE WHEN o.type = 'impression' THEN 1 ELSE 0 END) AS BIGINT) AS impressions,
  CAST(sum(CASE WHEN o.type IN ('click', 'closeup') THEN 1 ELSE 0 END) AS BIGINT) AS clicks,
  CAST(sum(CASE WHEN o.type = 'save' THEN 1 ELSE 0 END) AS BIGINT) AS saves,
  CAST(sum(CASE WHEN o.type = 'purchase' THEN 1 ELSE 0 END) AS BIGINT) AS purchases,
  min(o.event_time) AS first_time,
  max(o.event_time) AS last_time
FROM once o
WHERE o.user_id IS NOT NULL
GROUP BY o.user_id
ORDER BY o.user_id

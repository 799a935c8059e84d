-- What happened on a day, by type of event: each action once, on the day on which it happened, whenever it arrived.
-- A client's retry has the client id of its first try, so the first record of a user and client id is the one that counts;
-- an event without a client id is nobody's retry. All events of a user are in one partition: their offsets are their order.
WITH day_events AS (
  SELECT e.user AS user_id, e.client_id AS client_id, e.offset AS at, e.type AS type, e.item AS item, e.late AS late
  FROM events e
  WHERE e.date >= DATE '{{day_before}}'
    AND e.event_time >= TIMESTAMP '{{day}} 00:00:00'
    AND e.event_time < TIMESTAMP '{{day_after}} 00:00:00'
    AND e.type IS NOT NULL
    AND e.merge IS NULL
),
once AS (
  SELECT d.user_id AS user_id, min_by(d.type, d.at) AS type, min_by(d.item, d.at) AS item, min_by(d.late, d.at) AS late
  FROM day_events d
  WHERE d.client_id IS NOT NULL
  GROUP BY d.user_id, d.client_id
  UNION ALL
  SELECT d.user_id, d.type, d.item, d.late
  FROM day_events d
  WHERE d.client_id IS NULL
)
SELECT
  DATE '{{day}}' AS day,
  o.type AS type,
  count(*) AS events,
  count(DISTINCT o.user_id) AS users,
  count(DISTINCT o.item) AS items,
  CAST(sum(CASE WHEN o.late THEN 1 ELSE 0 END) AS BIGINT) AS late_events
FROM once o
GROUP BY o.type
ORDER BY o.type

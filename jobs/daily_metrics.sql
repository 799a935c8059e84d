-- What happened on a day, by type of event: each action once, on the day on which it happened, whenever it arrived.
-- A client's retry has the client id of its first try, and with it the same print of user and client id, so the first record
-- of a print is the one that counts; an event without a client id is nobody's retry. All events of a user are in one
-- partition: their offsets are their order. Users who were no persons on that day are left out, as are events whose program says
-- that it is none. Keys and prints are numbers, so that a day of many millions fits in memory.
WITH {{marked_users}},
day_events AS (
  SELECT
    e.user_key AS user_key, e.dedupe_print AS print, e.offset AS at, e.type AS type, e.item_key AS item_key, e.late AS late
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
  SELECT d.user_key AS user_key, d.type AS type, d.item_key AS item_key, d.late AS late
  FROM day_events d
  LEFT JOIN repeated r ON d.print = r.print
  WHERE r.print IS NULL OR d.at = r.first_at
)
SELECT
  DATE '{{day}}' AS day,
  o.type AS type,
  count(*) AS events,
  count(DISTINCT o.user_key) AS users,
  count(DISTINCT o.item_key) AS items,
  CAST(sum(CASE WHEN o.late THEN 1 ELSE 0 END) AS BIGINT) AS late_events
FROM once o
GROUP BY o.type
ORDER BY o.type

-- Which person an id stands for: all ids that became one user. Part of experiment_statistics and experiment_interleaved; an id that became
-- nobody is not in `people`.
said AS (
  SELECT e.user_key AS id, e.becomes_key AS becomes, e.offset AS at, e.append_time AS said_at
  FROM events e
  WHERE e.becomes_key IS NOT NULL
    AND e.user_key IS NOT NULL
    AND e.merge IS NULL
),
last_said AS (
  SELECT s.id AS id, max(s.at) AS at
  FROM said s
  GROUP BY s.id
),
became AS (
  SELECT s.id AS id, s.becomes AS becomes, s.said_at AS said_at
  FROM said s
  JOIN last_said l ON s.id = l.id AND s.at = l.at
  WHERE s.id <> s.becomes
),
-- Of two ids that became each other, the one that did so first takes the other one in, as in the state.
links AS (
  SELECT b.id AS id, b.becomes AS becomes
  FROM became b
  LEFT JOIN became c ON c.id = b.becomes AND c.becomes = b.id AND c.said_at > b.said_at
  WHERE c.id IS NULL
),
people AS (
  SELECT a.id AS id, COALESCE(d.becomes, c.becomes, b.becomes, a.becomes) AS person
  FROM links a
  LEFT JOIN links b ON a.becomes = b.id
  LEFT JOIN links c ON b.becomes = c.id
  LEFT JOIN links d ON c.becomes = d.id
)

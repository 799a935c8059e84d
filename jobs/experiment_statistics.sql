-- What an experiment's arms did, as sufficient statistics (counts, means, variances, covariances), in one answer whose rows are told apart
-- by `section`. A unit is a person: all ids that became one user. docs/guides/experiment-results.md says what counts; experiment/metrics
-- fills in the columns of the metrics that are asked for: values of an event, of a person's day, and of a person.
WITH {{marked_users}},
{{people}},
-- Arms are counted from 0, -1 is none that the experiment has.
shown AS (
  SELECT
    x.user_key AS id, {{arm_index}} AS arm, x.phase AS phase, x.time AS at,
    CASE WHEN x.forced THEN 1 ELSE 0 END AS forced{{shown_columns}}
  FROM {{exposures}} x
  WHERE x.experiment = {{experiment}}
    AND x.date >= DATE '{{exposure_date}}'
    AND x.time >= TIMESTAMP '{{begin}}'
    AND x.time < TIMESTAMP '{{end}}'
    AND x.user_key IS NOT NULL
),
ids AS (
  SELECT
    s.id AS id, min(s.arm) AS arm, max(s.arm) AS arm_last, min(s.phase) AS phase, min(s.at) AS at, max(s.at) AS at_last,
    count(*) AS exposures, max(s.forced) AS forced{{id_columns}}
  FROM shown s
  GROUP BY s.id
),
persons AS (
  SELECT
    COALESCE(p.person, i.id) AS person,
    min_by(i.arm, i.at) AS arm,
    min(i.phase) AS phase,
    min(i.at) AS at,
    max(CASE WHEN i.arm <> i.arm_last THEN 1 ELSE 0 END) AS two_arms,
    max(CASE WHEN i.arm < 0 THEN 1 ELSE 0 END) AS no_arm,
    CASE WHEN min(i.arm) <> max(i.arm) THEN 1 ELSE 0 END AS merged_arms,
    max(i.forced) AS forced,
    max(CASE WHEN k.reason <> 'unmarked' OR l.reason <> 'unmarked' THEN 1 ELSE 0 END) AS marked,
    max(CASE WHEN k.reason = 'unmarked' OR l.reason = 'unmarked' THEN 1 ELSE 0 END) AS unmarked,
    sum(i.exposures) AS exposures,
    sum(GREATEST(i.exposures - 1 - {{days_shown}}, 0)) AS repeated{{person_columns}}
  FROM ids i
  LEFT JOIN people p ON i.id = p.id
  LEFT JOIN marked_users k ON k.user_key = i.id
  LEFT JOIN marked_users l ON l.user_key = p.person
  GROUP BY COALESCE(p.person, i.id)
),
counted AS (
  SELECT
    p.person AS person, p.arm AS arm, p.phase AS phase, p.at AS at, p.unmarked AS unmarked, p.exposures AS exposures, p.repeated AS repeated,
    p.at - INTERVAL {{covariate_days}} DAY AS covariate_at{{counted_columns}}
  FROM persons p
  WHERE p.two_arms = 0 AND p.no_arm = 0 AND p.forced = 0 AND p.marked = 0
),
members AS (
  SELECT c.person AS id, c.person AS person, c.arm AS arm, c.at AS at, c.covariate_at AS covariate_at, c.unmarked AS unmarked{{member_columns}}
  FROM counted c
  UNION ALL
  SELECT p.id AS id, c.person AS person, c.arm AS arm, c.at AS at, c.covariate_at AS covariate_at, c.unmarked AS unmarked{{member_columns}}
  FROM people p
  JOIN counted c ON p.person = c.person
  LEFT JOIN marked_users k ON k.user_key = p.id
  WHERE k.reason IS NULL OR k.reason = 'unmarked'
),
-- The first record of a print is the one that counts: the others are tries of a client to send it again.
repeated_prints AS (
  SELECT e.dedupe_print AS print, min(e.offset) AS first_at
  FROM events e
  WHERE e.date >= DATE '{{event_date}}'
    AND e.event_time >= TIMESTAMP '{{event_begin}}'
    AND e.event_time < TIMESTAMP '{{end}}'{{of_types}}
    AND e.dedupe_print IS NOT NULL
    AND e.merge IS NULL
  GROUP BY e.dedupe_print
  HAVING count(*) > 1
),
-- What an event counts for each metric, and when: 1 after the first exposure, 0 before it. What says that it happened before, but came in
-- after, is neither (2): the clock that it was read from is wrong, or it waited offline, and the arm may have caused it.
told AS (
  SELECT
    m.person AS person,
    CASE WHEN e.event_time >= m.at THEN 1{{neither}} ELSE 0 END AS period{{event_columns}}
  {{member_events}}),
sums AS (
  SELECT t.person AS person, sum(CASE WHEN t.period = 2 THEN 1 ELSE 0 END) AS skewed, count(*) AS events{{sum_columns}}
  FROM told t
  GROUP BY t.person
),
raw_values AS (
  SELECT
    c.person AS person, c.arm AS arm, c.phase AS phase, c.at AS at, c.exposures AS exposures, c.repeated AS repeated,
    COALESCE(s.skewed, 0) AS skewed, COALESCE(s.events, 0) AS events{{value_columns}}
  FROM counted c
  LEFT JOIN sums s ON c.person = s.person
),
caps AS (
  SELECT count(*) AS units{{cap_columns}}
  FROM raw_values v
),
person_values AS (
  SELECT
    v.person AS person, v.arm AS arm, v.phase AS phase, v.at AS at, v.exposures AS exposures, v.repeated AS repeated, v.skewed AS skewed,
    v.events AS events{{cut_columns}}
  FROM raw_values v
  CROSS JOIN caps k
){{more_tables}}
SELECT
  'arms' AS section, v.arm AS arm, v.phase AS phase, CAST(NULL AS STRING) AS slot, count(*) AS units,
  CAST(sum(v.exposures) AS BIGINT) AS exposures, CAST(sum(v.repeated) AS BIGINT) AS repeated, CAST(sum(v.events) AS BIGINT) AS events,
  CAST(sum(v.skewed) AS BIGINT) AS skewed{{arm_moments}}
FROM person_values v
GROUP BY v.arm, v.phase
UNION ALL
SELECT
  'entered', v.arm, 0, CAST({{entered_day}} AS STRING), count(*), 0, 0, 0, 0{{no_moments}}
FROM counted v
GROUP BY v.arm, {{entered_day}}
UNION ALL
SELECT
  'left_out', 0, 0, o.reason, count(*), 0, 0, 0, 0{{no_moments}}
FROM (
  SELECT CASE WHEN p.marked = 1 THEN 'marked' WHEN p.forced = 1 THEN 'forced' WHEN p.two_arms = 1 THEN 'two_arms' WHEN p.no_arm = 1 THEN 'no_arm' ELSE 'merged_arms' END AS reason
  FROM persons p
  WHERE p.marked = 1 OR p.forced = 1 OR p.two_arms = 1 OR p.no_arm = 1 OR p.merged_arms = 1
  UNION ALL
  SELECT 'no_user' AS reason
  FROM (
    SELECT DISTINCT x.unit_id AS unit_id
    FROM {{exposures}} x
    WHERE x.experiment = {{experiment}}
      AND x.date >= DATE '{{exposure_date}}'
      AND x.time >= TIMESTAMP '{{begin}}'
      AND x.time < TIMESTAMP '{{end}}'
      AND x.user_key IS NULL
  ) n
) o
GROUP BY o.reason{{more_sections}}

-- The events that count for who was exposed, each action once: part of experiment_statistics, in the place of a FROM. Few prints
-- are repeated: they come first, so that no engine gathers the events to look the prints up in them.
  FROM events e
  LEFT JOIN repeated_prints r ON e.dedupe_print = r.print
  JOIN members m ON e.user_key = m.id
  WHERE e.date >= DATE '{{event_date}}'
    AND e.event_time >= TIMESTAMP '{{event_begin}}'
    AND e.event_time < TIMESTAMP '{{end}}'{{of_types}}
    AND e.event_time >= m.covariate_at
    AND e.type IS NOT NULL
    AND e.merge IS NULL
    AND e.becomes_key IS NULL
    AND (e.agent IS NULL OR m.unmarked = 1)
    AND (r.print IS NULL OR e.offset = r.first_at)

-- The trend once more: creations and completions as one list of events, joined to
-- the days by the range of their times.
SELECT d.day,
       COUNT(*) FILTER (WHERE e.kind = 'created')   AS orders_created,
       COUNT(*) FILTER (WHERE e.kind = 'completed') AS orders_completed
FROM (
  SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date - back AS day
  FROM (VALUES (0), (1), (2), (3), (4), (5), (6)) AS v (back)
) d
LEFT JOIN (
  SELECT 'created' AS kind, created_at AS happened_at FROM manufacturing_orders
  UNION ALL
  SELECT 'completed', completed_at FROM manufacturing_orders WHERE state = 'done'
) e
  ON e.happened_at >= d.day::timestamp AT TIME ZONE 'Asia/Jakarta'
 AND e.happened_at < (d.day + 1)::timestamp AT TIME ZONE 'Asia/Jakarta'
GROUP BY d.day

-- The cards once more: every row of the three tables becomes one line that says
-- what it counts for, and the lines are counted.
SELECT 1 AS id,
       COUNT(*) FILTER (WHERE is_order)     AS total_orders,
       COUNT(*) FILTER (WHERE is_completed) AS completed_today,
       COUNT(*) FILTER (WHERE is_pending)   AS pending_qc,
       COUNT(*) FILTER (WHERE is_critical)  AS critical_alerts
FROM (
  SELECT TRUE AS is_order,
         state = 'done'
           AND date_trunc('day', completed_at AT TIME ZONE 'Asia/Jakarta')
             = date_trunc('day', now() AT TIME ZONE 'Asia/Jakarta') AS is_completed,
         FALSE AS is_pending,
         FALSE AS is_critical
  FROM manufacturing_orders
  UNION ALL
  SELECT FALSE,
         FALSE,
         q.result IS NULL AND NOT EXISTS (
           SELECT 1 FROM manufacturing_orders m WHERE m.id = q.mo_id AND m.state = 'cancelled'),
         q.result = 'fail' AND q.severity = 'critical' AND q.disposition IS NULL
  FROM quality_inspections q
  UNION ALL
  SELECT FALSE, FALSE, FALSE, priority = 'critical' AND status NOT IN ('resolved', 'closed')
  FROM tickets
) lines

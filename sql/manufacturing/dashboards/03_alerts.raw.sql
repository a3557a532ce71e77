-- The ten latest unresolved alerts of the last 24 hours.
SELECT a.alert_type, a.alert_id, a.severity, a.title, a.department_name, a.mo_number, a.raised_at
FROM (
  SELECT 'ticket' AS alert_type,
         t.id     AS alert_id,
         t.priority AS severity,
         t.title,
         COALESCE(d.name, '')      AS department_name,
         COALESCE(m.mo_number, '') AS mo_number,
         t.created_at AS raised_at
  FROM tickets t
  LEFT JOIN departments d ON d.id = t.department_id
  LEFT JOIN manufacturing_orders m ON m.id = t.mo_id
  WHERE t.priority IN ('high', 'critical')
    AND t.status IN ('open', 'in_progress')
  UNION ALL
  SELECT 'inspection',
         q.id,
         q.severity,
         'Inspection failed: ' || q.inspection_type,
         COALESCE(d.name, ''),
         m.mo_number,
         q.inspected_at
  FROM quality_inspections q
  JOIN manufacturing_orders m ON m.id = q.mo_id
  LEFT JOIN work_orders w ON w.id = q.work_order_id
  LEFT JOIN departments d ON d.id = w.department_id
  WHERE q.result = 'fail'
    AND q.severity IN ('major', 'critical')
    AND q.disposition IS NULL
) a
WHERE now() - a.raised_at < INTERVAL '24 hours'
  AND a.raised_at <= now()
ORDER BY a.raised_at DESC, a.alert_type, a.alert_id
LIMIT 10

-- The alerts once more: the rank of an alert is one more than the number of
-- alerts that come before it.
WITH alerts AS (
  SELECT 'inspection' AS alert_type, q.id AS alert_id, q.severity,
         concat('Inspection failed: ', q.inspection_type) AS title,
         (SELECT w.department_id FROM work_orders w WHERE w.id = q.work_order_id) AS department_id,
         q.mo_id,
         q.inspected_at AS raised_at
  FROM quality_inspections q
  WHERE q.result = 'fail' AND q.severity <> 'minor' AND q.disposition IS NULL
    AND extract(epoch FROM now()) - extract(epoch FROM q.inspected_at) BETWEEN 0 AND 86399.999999
  UNION ALL
  SELECT 'ticket', t.id, t.priority, t.title, t.department_id, t.mo_id, t.created_at
  FROM tickets t
  WHERE t.priority NOT IN ('low', 'medium') AND t.status NOT IN ('resolved', 'closed')
    AND extract(epoch FROM now()) - extract(epoch FROM t.created_at) BETWEEN 0 AND 86399.999999
)
SELECT 1 + b.before AS alert_rank,
       a.alert_type,
       a.alert_id,
       a.severity,
       a.title,
       COALESCE((SELECT d.name FROM departments d WHERE d.id = a.department_id), '')            AS department_name,
       COALESCE((SELECT m.mo_number FROM manufacturing_orders m WHERE m.id = a.mo_id), '') AS mo_number,
       a.raised_at
FROM alerts a
CROSS JOIN LATERAL (
  SELECT COUNT(*) AS before
  FROM alerts o
  WHERE o.raised_at > a.raised_at
     OR (o.raised_at = a.raised_at AND (o.alert_type, o.alert_id) < (a.alert_type, a.alert_id))
) b
WHERE b.before < 10

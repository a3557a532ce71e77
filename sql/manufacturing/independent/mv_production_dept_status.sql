-- Department progress once more, by one subquery per figure.
SELECT d.id   AS department_id,
       d.code AS department_code,
       d.name AS department_name,
       d.sequence,
       (SELECT COUNT(*) FROM work_orders w
        WHERE w.department_id = d.id
          AND w.mo_id IN (SELECT id FROM manufacturing_orders WHERE state IN ('confirmed', 'in_progress'))) AS work_orders,
       (SELECT COUNT(*) FROM work_orders w
        WHERE w.department_id = d.id AND w.status = 'waiting'
          AND w.mo_id IN (SELECT id FROM manufacturing_orders WHERE state IN ('confirmed', 'in_progress'))) AS waiting,
       (SELECT COUNT(*) FROM work_orders w
        WHERE w.department_id = d.id AND w.status = 'in_progress'
          AND w.mo_id IN (SELECT id FROM manufacturing_orders WHERE state IN ('confirmed', 'in_progress'))) AS in_progress,
       (SELECT COUNT(*) FROM work_orders w
        WHERE w.department_id = d.id AND w.status = 'done'
          AND w.mo_id IN (SELECT id FROM manufacturing_orders WHERE state IN ('confirmed', 'in_progress'))) AS done,
       s.target_qty,
       s.output_qty,
       s.reject_qty,
       CASE WHEN s.target_qty = 0 THEN 0.0
            ELSE ROUND(s.achieved_qty * 100.0 / s.target_qty, 1) END AS progress_percent
FROM departments d
CROSS JOIN LATERAL (
  SELECT COALESCE(SUM(w.target_qty), 0)              AS target_qty,
         COALESCE(SUM(w.output_qty), 0)              AS output_qty,
         COALESCE(SUM(COALESCE(w.reject_qty, 0)), 0) AS reject_qty,
         COALESCE(SUM(CASE WHEN w.output_qty > w.target_qty THEN w.target_qty ELSE w.output_qty END), 0) AS achieved_qty
  FROM work_orders w, manufacturing_orders m
  WHERE w.department_id = d.id
    AND m.id = w.mo_id
    AND m.state NOT IN ('draft', 'done', 'cancelled')
) s
WHERE d.is_production

-- Progress of the production departments on the open orders.
SELECT d.code AS department_code,
       d.name AS department_name,
       COUNT(o.id)                                              AS work_orders,
       SUM(CASE WHEN o.status = 'waiting' THEN 1 ELSE 0 END)     AS waiting,
       SUM(CASE WHEN o.status = 'in_progress' THEN 1 ELSE 0 END) AS in_progress,
       SUM(CASE WHEN o.status = 'done' THEN 1 ELSE 0 END)        AS done,
       COALESCE(SUM(o.target_qty), 0)                           AS target_qty,
       COALESCE(SUM(o.output_qty), 0)                           AS output_qty,
       COALESCE(SUM(o.reject_qty), 0)                           AS reject_qty,
       CASE WHEN COALESCE(SUM(o.target_qty), 0) = 0 THEN 0.0
            ELSE ROUND(100.0 * SUM(LEAST(o.output_qty, o.target_qty)) / SUM(o.target_qty), 1) END AS progress_percent
FROM departments d
LEFT JOIN (
  SELECT w.id, w.department_id, w.status, w.target_qty, w.output_qty, w.reject_qty
  FROM work_orders w
  JOIN manufacturing_orders m ON m.id = w.mo_id
  WHERE m.state IN ('confirmed', 'in_progress')
) o ON o.department_id = d.id
WHERE d.is_production
GROUP BY d.id, d.code, d.name, d.sequence
ORDER BY d.sequence, d.id

-- Progress of the production departments on the open orders.
SELECT department_code, department_name, work_orders, waiting, in_progress, done,
       target_qty, output_qty, reject_qty, progress_percent
FROM mv_production_dept_status
ORDER BY sequence, department_id

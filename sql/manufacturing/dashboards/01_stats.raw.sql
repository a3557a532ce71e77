-- The four cards at the top of the dashboard.
SELECT (SELECT COUNT(*) FROM manufacturing_orders) AS total_orders,
       (SELECT COUNT(*)
        FROM manufacturing_orders
        WHERE state = 'done'
          AND (completed_at AT TIME ZONE 'Asia/Jakarta')::date = (now() AT TIME ZONE 'Asia/Jakarta')::date) AS completed_today,
       (SELECT COUNT(*)
        FROM quality_inspections q
        JOIN manufacturing_orders m ON m.id = q.mo_id
        WHERE q.result IS NULL
          AND m.state <> 'cancelled') AS pending_qc,
       (SELECT COUNT(*)
        FROM tickets
        WHERE priority = 'critical'
          AND status IN ('open', 'in_progress'))
       + (SELECT COUNT(*)
          FROM quality_inspections
          WHERE result = 'fail'
            AND severity = 'critical'
            AND disposition IS NULL) AS critical_alerts

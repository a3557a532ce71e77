-- The four materialized views of the manufacturing dashboard, for PostgreSQL.
--
-- They are created empty: `dashagg refresh` fills them. Each has a unique index
-- on its key, so that it can be refreshed while it is read.
-- Days are days in Asia/Jakarta, whatever the time zone of the session.
-- A ticket is unresolved while it is open or in progress. A failed inspection is
-- unresolved until its disposition is set.

-- The cards: one row.
--   total_orders     all orders, the cancelled ones too
--   completed_today  done, with a completion time of today
--   pending_qc       inspections without a result, not those of cancelled orders
--   critical_alerts  unresolved critical tickets and failed critical inspections
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_dashboard_stats AS
SELECT 1 AS id,
       o.total_orders,
       o.completed_today,
       q.pending_qc,
       q.critical_failures + t.critical_tickets AS critical_alerts,
       now() AS refreshed_at
FROM (
  SELECT COUNT(*) AS total_orders,
         COUNT(*) FILTER (
           WHERE m.state = 'done'
             AND m.completed_at >= d.today::timestamp AT TIME ZONE 'Asia/Jakarta'
             AND m.completed_at < (d.today + 1)::timestamp AT TIME ZONE 'Asia/Jakarta'
         ) AS completed_today
  FROM (SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date AS today) d
  CROSS JOIN manufacturing_orders m
) o
CROSS JOIN (
  SELECT COUNT(*) FILTER (WHERE i.result IS NULL AND m.state <> 'cancelled') AS pending_qc,
         COUNT(*) FILTER (WHERE i.result = 'fail') AS critical_failures
  FROM quality_inspections i
  JOIN manufacturing_orders m ON m.id = i.mo_id
  WHERE i.result IS NULL
     OR (i.result = 'fail' AND i.severity = 'critical' AND i.disposition IS NULL)
) q
CROSS JOIN (
  SELECT COUNT(*) AS critical_tickets
  FROM tickets
  WHERE priority = 'critical'
    AND status IN ('open', 'in_progress')
) t
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_dashboard_stats_key
  ON mv_dashboard_stats (id);

-- Progress of the production departments on the open orders: one row per
-- department, also for one without work.
-- Pieces made beyond the target of a work order are not progress: they must not
-- hide that another work order is behind.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_production_dept_status AS
SELECT d.id   AS department_id,
       d.code AS department_code,
       d.name AS department_name,
       d.sequence,
       COALESCE(w.work_orders, 0)         AS work_orders,
       COALESCE(w.waiting, 0)             AS waiting,
       COALESCE(w.in_progress, 0)         AS in_progress,
       COALESCE(w.done, 0)                AS done,
       COALESCE(w.target_qty, 0)          AS target_qty,
       COALESCE(w.output_qty, 0)          AS output_qty,
       COALESCE(w.reject_qty, 0)          AS reject_qty,
       COALESCE(ROUND(100.0 * w.achieved_qty / NULLIF(w.target_qty, 0), 1), 0.0) AS progress_percent,
       now() AS refreshed_at
FROM departments d
LEFT JOIN (
  SELECT x.department_id,
         COUNT(*)                                        AS work_orders,
         COUNT(*) FILTER (WHERE x.status = 'waiting')     AS waiting,
         COUNT(*) FILTER (WHERE x.status = 'in_progress') AS in_progress,
         COUNT(*) FILTER (WHERE x.status = 'done')        AS done,
         SUM(x.target_qty)                               AS target_qty,
         SUM(x.output_qty)                               AS output_qty,
         SUM(x.reject_qty)                               AS reject_qty,
         SUM(LEAST(x.output_qty, x.target_qty))          AS achieved_qty
  FROM work_orders x
  JOIN manufacturing_orders m ON m.id = x.mo_id
  WHERE m.state IN ('confirmed', 'in_progress')
  GROUP BY x.department_id
) w ON w.department_id = d.id
WHERE d.is_production
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_production_dept_status_key
  ON mv_production_dept_status (department_id);

-- The ten latest unresolved alerts of the last 24 hours: tickets of priority
-- high and critical, failed inspections of severity major and critical.
-- Equal times are ordered by kind and id, so that the ten are always the same.
-- Names are joined after the ten are chosen.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_recent_alerts AS
SELECT ROW_NUMBER() OVER (ORDER BY a.raised_at DESC, a.alert_type, a.alert_id) AS alert_rank,
       a.alert_type,
       a.alert_id,
       a.severity,
       a.title,
       COALESCE(d.name, '')      AS department_name,
       COALESCE(m.mo_number, '') AS mo_number,
       a.raised_at,
       now() AS refreshed_at
FROM (
  SELECT u.alert_type, u.alert_id, u.severity, u.title, u.department_id, u.mo_id, u.raised_at
  FROM (
    SELECT 'ticket'::text AS alert_type,
           t.id           AS alert_id,
           t.priority     AS severity,
           t.title,
           t.department_id,
           t.mo_id,
           t.created_at   AS raised_at
    FROM tickets t
    WHERE t.priority IN ('high', 'critical')
      AND t.status IN ('open', 'in_progress')
      AND t.created_at > now() - INTERVAL '24 hours'
      AND t.created_at <= now()
    UNION ALL
    SELECT 'inspection'::text,
           i.id,
           i.severity,
           'Inspection failed: ' || i.inspection_type,
           x.department_id,
           i.mo_id,
           i.inspected_at
    FROM quality_inspections i
    LEFT JOIN work_orders x ON x.id = i.work_order_id
    WHERE i.result = 'fail'
      AND i.severity IN ('major', 'critical')
      AND i.disposition IS NULL
      AND i.inspected_at > now() - INTERVAL '24 hours'
      AND i.inspected_at <= now()
  ) u
  ORDER BY u.raised_at DESC, u.alert_type, u.alert_id
  LIMIT 10
) a
LEFT JOIN departments d ON d.id = a.department_id
LEFT JOIN manufacturing_orders m ON m.id = a.mo_id
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_recent_alerts_key
  ON mv_recent_alerts (alert_rank);

-- Orders created and completed on each of the last seven days, today included.
-- A day without orders is a row with zeros.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_mo_trends_7days AS
SELECT d.day,
       COALESCE(c.orders, 0) AS orders_created,
       COALESCE(f.orders, 0) AS orders_completed,
       now() AS refreshed_at
FROM (
  SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date - n AS day
  FROM generate_series(0, 6) AS n
) d
LEFT JOIN (
  SELECT (created_at AT TIME ZONE 'Asia/Jakarta')::date AS day,
         COUNT(*) AS orders
  FROM manufacturing_orders
  WHERE created_at >= ((now() AT TIME ZONE 'Asia/Jakarta')::date - 6)::timestamp AT TIME ZONE 'Asia/Jakarta'
  GROUP BY 1
) c ON c.day = d.day
LEFT JOIN (
  SELECT (completed_at AT TIME ZONE 'Asia/Jakarta')::date AS day,
         COUNT(*) AS orders
  FROM manufacturing_orders
  WHERE state = 'done'
    AND completed_at >= ((now() AT TIME ZONE 'Asia/Jakarta')::date - 6)::timestamp AT TIME ZONE 'Asia/Jakarta'
  GROUP BY 1
) f ON f.day = d.day
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_mo_trends_7days_key
  ON mv_mo_trends_7days (day);

-- The ten latest unresolved alerts of the last 24 hours.
SELECT alert_type, alert_id, severity, title, department_name, mo_number, raised_at
FROM mv_recent_alerts
ORDER BY alert_rank

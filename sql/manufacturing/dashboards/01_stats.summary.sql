-- The four cards at the top of the dashboard.
SELECT total_orders, completed_today, pending_qc, critical_alerts
FROM mv_dashboard_stats

-- Orders of every organisation over the last 365 whole days. One without orders
-- is there too. The average comes from sum and count, not from the daily averages.
SELECT g.id AS organization_id,
       g.name,
       COALESCE(SUM(m.orders_count), 0) AS orders_count,
       COALESCE(SUM(m.revenue), 0)      AS revenue,
       ROUND(SUM(m.revenue) / NULLIF(SUM(m.priced_orders_count), 0), 2) AS average_order_value
FROM organizations g
LEFT JOIN mv_daily_metrics m
  ON m.organization_id = g.id
 AND m.metric_date >= (now() AT TIME ZONE 'Australia/Sydney')::date - 365
 AND m.metric_date < (now() AT TIME ZONE 'Australia/Sydney')::date
WHERE g.deleted_at IS NULL
GROUP BY g.id, g.name
ORDER BY organization_id

-- One organisation, the last 90 days and today, by day. The days that are over
-- come from the view, today from orders.
SELECT metric_date, orders_count, revenue, customer_count, average_order_value
FROM mv_daily_metrics
WHERE organization_id = '00000000-0000-4000-8000-000000000001'
  AND metric_date >= (now() AT TIME ZONE 'Australia/Sydney')::date - 90
  AND metric_date < (now() AT TIME ZONE 'Australia/Sydney')::date
UNION ALL
SELECT (created_at AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       COUNT(*)                    AS orders_count,
       COALESCE(SUM(total), 0)     AS revenue,
       COUNT(DISTINCT customer_id) AS customer_count,
       ROUND(AVG(total), 2)        AS average_order_value
FROM orders
WHERE organization_id = '00000000-0000-4000-8000-000000000001'
  AND deleted_at IS NULL
  AND created_at >= date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') AT TIME ZONE 'Australia/Sydney'
GROUP BY (created_at AT TIME ZONE 'Australia/Sydney')::date
ORDER BY metric_date

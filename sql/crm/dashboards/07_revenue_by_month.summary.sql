-- Orders and revenue of all organisations over the last 365 days, by month. From
-- the table. The view would answer in the same words.
SELECT date_trunc('month', metric_date::timestamp)::date AS month,
       SUM(orders_count) AS orders_count,
       SUM(revenue)      AS revenue,
       ROUND(SUM(revenue) / NULLIF(SUM(priced_orders_count), 0), 2) AS average_order_value
FROM daily_metrics_table
WHERE metric_date >= (now() AT TIME ZONE 'Australia/Sydney')::date - 365
GROUP BY 1
ORDER BY month

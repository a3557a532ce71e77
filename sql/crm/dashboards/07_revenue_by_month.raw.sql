-- Orders and revenue of all organisations over the last 365 days, by month.
SELECT date_trunc('month', created_at AT TIME ZONE 'Australia/Sydney')::date AS month,
       COUNT(*)                AS orders_count,
       COALESCE(SUM(total), 0) AS revenue,
       ROUND(AVG(total), 2)    AS average_order_value
FROM orders
WHERE deleted_at IS NULL
  AND created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '365 days')
                    AT TIME ZONE 'Australia/Sydney'
GROUP BY 1
ORDER BY month

-- Days first, then each number by its own way: sums by CASE, customers by
-- counting distinct pairs, the average by dividing.
WITH days AS (
  SELECT organization_id,
         CAST(timezone('Australia/Sydney', created_at) AS date) AS metric_date,
         customer_id,
         total
  FROM orders
  WHERE deleted_at IS NULL
), recent AS (
  SELECT *
  FROM days
  WHERE metric_date >= CAST(CAST(timezone('Australia/Sydney', now()) AS date) - INTERVAL '24 months' AS date)
), sums AS (
  SELECT organization_id, metric_date,
         SUM(1)                                           AS orders_count,
         SUM(CASE WHEN total IS NULL THEN 0 ELSE 1 END)   AS priced_orders_count,
         SUM(CASE WHEN total IS NULL THEN 0 ELSE total END) AS revenue
  FROM recent
  GROUP BY organization_id, metric_date
), customers_of_the_day AS (
  SELECT organization_id, metric_date, COUNT(*) AS customer_count
  FROM (
    SELECT DISTINCT organization_id, metric_date, customer_id
    FROM recent
    WHERE customer_id IS NOT NULL
  ) pairs
  GROUP BY organization_id, metric_date
)
SELECT organization_id,
       metric_date,
       sums.orders_count,
       sums.priced_orders_count,
       sums.revenue,
       CASE WHEN c.customer_count IS NULL THEN 0 ELSE c.customer_count END AS customer_count,
       CASE WHEN sums.priced_orders_count > 0
            THEN ROUND(sums.revenue / sums.priced_orders_count, 2) END AS average_order_value
FROM sums
LEFT JOIN customers_of_the_day c USING (organization_id, metric_date)

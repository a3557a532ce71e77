-- All days, also those that `keep` has taken out of the table: compare from the
-- table's first day on.
-- An order's day is found among the local midnights, as the last one before it.
SELECT midnights.first_day + bucket - 1                            AS metric_date,
       organization_id,
       SUM(orders)                                                 AS orders_count,
       SUM(priced)                                                 AS priced_orders_count,
       SUM(amount)                                                 AS revenue,
       COUNT(*) FILTER (WHERE customer_id IS NOT NULL)             AS customer_count,
       CASE WHEN SUM(priced) > 0 THEN ROUND(SUM(amount) / SUM(priced), 2) END AS average_order_value
FROM (
  SELECT MIN(midnight)::date AS first_day,
         ARRAY_AGG(timezone('Australia/Sydney', midnight) ORDER BY midnight) AS starts
  FROM (
    SELECT generate_series(
             date_trunc('day', timezone('Australia/Sydney', MIN(created_at))),
             date_trunc('day', timezone('Australia/Sydney', MAX(created_at))),
             INTERVAL '1 day') AS midnight
    FROM orders
  ) m
) midnights
CROSS JOIN LATERAL (
  SELECT WIDTH_BUCKET(created_at, midnights.starts)  AS bucket,
         organization_id,
         customer_id,
         COUNT(*)                                    AS orders,
         SUM(CASE WHEN total IS NULL THEN 0 ELSE 1 END) AS priced,
         SUM(COALESCE(total, 0))                     AS amount
  FROM orders
  WHERE deleted_at IS NULL
  GROUP BY 1, 2, 3
) by_customer
GROUP BY 1, 2

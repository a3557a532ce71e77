-- One row per local day in Sydney and organisation that has orders on it.
-- The same numbers as mv_daily_metrics, without its two-year limit: `keep` in
-- summaries.toml takes the old days out.
-- metric_date is the partition. Its expression is the one in summaries.toml and
-- in idx_orders_local_day, so that a few days are read by an index range.
SELECT (created_at AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       organization_id,
       COUNT(*)                    AS orders_count,
       COUNT(total)                AS priced_orders_count,
       COALESCE(SUM(total), 0)     AS revenue,
       COUNT(DISTINCT customer_id) AS customer_count,
       ROUND(AVG(total), 2)        AS average_order_value
FROM orders
WHERE deleted_at IS NULL
GROUP BY (created_at AT TIME ZONE 'Australia/Sydney')::date, organization_id

-- One row per month, metric and category. Category 0 is unassigned.
-- Read from the ASIN tier, because the brand tier has no category.
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id

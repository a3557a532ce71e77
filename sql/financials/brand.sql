-- One row per month, metric, marketplace and brand, and one row with
-- marketplace 'ALL' that totals the marketplaces. Brand 0 is unassigned.
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id

-- One row per month, metric, marketplace and ASIN.
-- financials is grouped before products is joined, in the column order of
-- idx_financials_cover, so that the groups can be read off that index.
-- An ASIN without a product gets brand 0 and category 0: unassigned.
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin

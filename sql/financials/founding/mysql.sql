-- The founding refresh, for MySQL and MariaDB: empty the three tables and fill them again.
-- Kept as the baseline of the benchmark. Readers see empty tables while it runs
-- (or wait for it, where it runs in one transaction).

TRUNCATE TABLE financials_summary_monthly_asin_marketplace;
TRUNCATE TABLE financials_summary_monthly_brand;
TRUNCATE TABLE financials_summary_monthly_category;

INSERT INTO financials_summary_monthly_asin_marketplace
  (asin, marketplace, month, metric, brand_id, category_id, amount, row_count)
SELECT f.asin, f.marketplace, f.month, f.metric,
       COALESCE(p.brand_id, 0), COALESCE(p.category_id, 0),
       SUM(f.amount), COUNT(*)
FROM financials f
LEFT JOIN products p ON p.asin = f.asin
GROUP BY f.asin, f.marketplace, f.month, f.metric,
         COALESCE(p.brand_id, 0), COALESCE(p.category_id, 0);

INSERT INTO financials_summary_monthly_brand
  (brand_id, marketplace, month, metric, amount, row_count)
SELECT brand_id, marketplace, month, metric, SUM(amount), SUM(row_count)
FROM financials_summary_monthly_asin_marketplace
GROUP BY brand_id, marketplace, month, metric;

INSERT INTO financials_summary_monthly_brand
  (brand_id, marketplace, month, metric, amount, row_count)
SELECT brand_id, 'ALL', month, metric, SUM(amount), SUM(row_count)
FROM financials_summary_monthly_asin_marketplace
GROUP BY brand_id, month, metric;

INSERT INTO financials_summary_monthly_category
  (category_id, month, metric, amount, row_count)
SELECT category_id, month, metric, SUM(amount), SUM(row_count)
FROM financials_summary_monthly_asin_marketplace
GROUP BY category_id, month, metric;

-- Brand totals in one marketplace, January to June 2025, by metric.
SELECT s.brand_id,
       COALESCE(b.name, '(unassigned)') AS brand,
       s.metric,
       s.amount,
       s.row_count
FROM (
  SELECT brand_id, metric, SUM(amount) AS amount, SUM(row_count) AS row_count
  FROM financials_summary_monthly_brand
  WHERE month BETWEEN '2025-01-01' AND '2025-06-01'
    AND marketplace = 'US'
  GROUP BY brand_id, metric
) s
LEFT JOIN brands b ON b.id = s.brand_id
ORDER BY brand_id, metric

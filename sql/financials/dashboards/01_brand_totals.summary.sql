-- Brand totals in one marketplace, January to June 2025, by metric.
SELECT s.brand_id,
       COALESCE(b.name, '(unassigned)') AS brand,
       s.metric,
       SUM(s.amount)    AS amount,
       SUM(s.row_count) AS row_count
FROM financials_summary_monthly_brand s
LEFT JOIN brands b ON b.id = s.brand_id
WHERE s.month BETWEEN '2025-01-01' AND '2025-06-01'
  AND s.marketplace = 'US'
GROUP BY s.brand_id, COALESCE(b.name, '(unassigned)'), s.metric
ORDER BY brand_id, metric

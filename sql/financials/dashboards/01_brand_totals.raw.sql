-- Brand totals in one marketplace, January to June 2025, by metric.
SELECT COALESCE(p.brand_id, 0)          AS brand_id,
       COALESCE(b.name, '(unassigned)') AS brand,
       f.metric,
       SUM(f.amount) AS amount,
       COUNT(*)      AS row_count
FROM financials f
LEFT JOIN products p ON p.asin = f.asin
LEFT JOIN brands b ON b.id = p.brand_id
WHERE f.month BETWEEN '2025-01-01' AND '2025-06-01'
  AND f.marketplace = 'US'
GROUP BY COALESCE(p.brand_id, 0), COALESCE(b.name, '(unassigned)'), f.metric
ORDER BY brand_id, metric

-- Category totals over the year 2025, by metric.
SELECT COALESCE(p.category_id, 0)       AS category_id,
       COALESCE(c.name, '(unassigned)') AS category,
       f.metric,
       SUM(f.amount) AS amount,
       COUNT(*)      AS row_count
FROM financials f
LEFT JOIN products p ON p.asin = f.asin
LEFT JOIN categories c ON c.id = p.category_id
WHERE f.month BETWEEN '2025-01-01' AND '2025-12-01'
GROUP BY COALESCE(p.category_id, 0), COALESCE(c.name, '(unassigned)'), f.metric
ORDER BY category_id, metric

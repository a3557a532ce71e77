-- Category totals over the year 2025, by metric.
SELECT s.category_id,
       COALESCE(c.name, '(unassigned)') AS category,
       s.metric,
       SUM(s.amount)    AS amount,
       SUM(s.row_count) AS row_count
FROM financials_summary_monthly_category s
LEFT JOIN categories c ON c.id = s.category_id
WHERE s.month BETWEEN '2025-01-01' AND '2025-12-01'
GROUP BY s.category_id, COALESCE(c.name, '(unassigned)'), s.metric
ORDER BY category_id, metric

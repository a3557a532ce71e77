-- Category totals over the year 2025, by metric.
SELECT s.category_id,
       COALESCE(c.name, '(unassigned)') AS category,
       s.metric,
       s.amount,
       s.row_count
FROM (
  SELECT category_id, metric, SUM(amount) AS amount, SUM(row_count) AS row_count
  FROM financials_summary_monthly_category
  WHERE month BETWEEN '2025-01-01' AND '2025-12-01'
  GROUP BY category_id, metric
) s
LEFT JOIN categories c ON c.id = s.category_id
ORDER BY category_id, metric

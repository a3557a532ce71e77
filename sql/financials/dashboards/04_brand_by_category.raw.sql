-- Drill-down: profit by brand and category together, January to June 2025, all marketplaces.
-- Costs are negative amounts, so profit is the plain sum.
SELECT COALESCE(p.brand_id, 0)          AS brand_id,
       COALESCE(b.name, '(unassigned)') AS brand,
       COALESCE(p.category_id, 0)       AS category_id,
       COALESCE(c.name, '(unassigned)') AS category,
       SUM(CASE WHEN f.metric = 'sales' THEN f.amount ELSE 0 END)  AS revenue,
       SUM(CASE WHEN f.metric <> 'sales' THEN f.amount ELSE 0 END) AS costs,
       SUM(f.amount)                                               AS profit
FROM financials f
LEFT JOIN products p ON p.asin = f.asin
LEFT JOIN brands b ON b.id = p.brand_id
LEFT JOIN categories c ON c.id = p.category_id
WHERE f.month BETWEEN '2025-01-01' AND '2025-06-01'
GROUP BY COALESCE(p.brand_id, 0), COALESCE(b.name, '(unassigned)'),
         COALESCE(p.category_id, 0), COALESCE(c.name, '(unassigned)')
ORDER BY brand_id, category_id

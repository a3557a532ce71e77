-- Profitability of each brand and of each category, January to June 2025, all marketplaces.
-- Costs are negative amounts, so profit is the plain sum.
SELECT 'brand'                          AS level,
       COALESCE(p.brand_id, 0)          AS id,
       COALESCE(b.name, '(unassigned)') AS name,
       SUM(CASE WHEN f.metric = 'sales' THEN f.amount ELSE 0 END)  AS revenue,
       SUM(CASE WHEN f.metric <> 'sales' THEN f.amount ELSE 0 END) AS costs,
       SUM(f.amount)                                               AS profit
FROM financials f
LEFT JOIN products p ON p.asin = f.asin
LEFT JOIN brands b ON b.id = p.brand_id
WHERE f.month BETWEEN '2025-01-01' AND '2025-06-01'
GROUP BY COALESCE(p.brand_id, 0), COALESCE(b.name, '(unassigned)')
UNION ALL
SELECT 'category'                       AS level,
       COALESCE(p.category_id, 0)       AS id,
       COALESCE(c.name, '(unassigned)') AS name,
       SUM(CASE WHEN f.metric = 'sales' THEN f.amount ELSE 0 END)  AS revenue,
       SUM(CASE WHEN f.metric <> 'sales' THEN f.amount ELSE 0 END) AS costs,
       SUM(f.amount)                                               AS profit
FROM financials f
LEFT JOIN products p ON p.asin = f.asin
LEFT JOIN categories c ON c.id = p.category_id
WHERE f.month BETWEEN '2025-01-01' AND '2025-06-01'
GROUP BY COALESCE(p.category_id, 0), COALESCE(c.name, '(unassigned)')
ORDER BY level, id

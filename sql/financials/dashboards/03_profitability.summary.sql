-- Profitability of each brand and of each category, January to June 2025, all marketplaces.
SELECT 'brand'                          AS level,
       s.brand_id                       AS id,
       COALESCE(b.name, '(unassigned)') AS name,
       s.revenue,
       s.costs,
       s.profit
FROM (
  SELECT brand_id,
         SUM(CASE WHEN metric = 'sales' THEN amount ELSE 0 END)  AS revenue,
         SUM(CASE WHEN metric <> 'sales' THEN amount ELSE 0 END) AS costs,
         SUM(amount)                                             AS profit
  FROM financials_summary_monthly_brand
  WHERE month BETWEEN '2025-01-01' AND '2025-06-01'
    AND marketplace = 'ALL'
  GROUP BY brand_id
) s
LEFT JOIN brands b ON b.id = s.brand_id
UNION ALL
SELECT 'category'                       AS level,
       s.category_id                    AS id,
       COALESCE(c.name, '(unassigned)') AS name,
       s.revenue,
       s.costs,
       s.profit
FROM (
  SELECT category_id,
         SUM(CASE WHEN metric = 'sales' THEN amount ELSE 0 END)  AS revenue,
         SUM(CASE WHEN metric <> 'sales' THEN amount ELSE 0 END) AS costs,
         SUM(amount)                                             AS profit
  FROM financials_summary_monthly_category
  WHERE month BETWEEN '2025-01-01' AND '2025-06-01'
  GROUP BY category_id
) s
LEFT JOIN categories c ON c.id = s.category_id
ORDER BY level, id

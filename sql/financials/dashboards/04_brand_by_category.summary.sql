-- Drill-down: profit by brand and category together, January to June 2025, all marketplaces.
-- From the ASIN tier, the only one that knows brand and category together, so it takes as long as its rows of six months.
SELECT s.brand_id,
       COALESCE(b.name, '(unassigned)') AS brand,
       s.category_id,
       COALESCE(c.name, '(unassigned)') AS category,
       s.revenue,
       s.costs,
       s.profit
FROM (
  SELECT brand_id,
         category_id,
         SUM(CASE WHEN metric = 'sales' THEN amount ELSE 0 END)  AS revenue,
         SUM(CASE WHEN metric <> 'sales' THEN amount ELSE 0 END) AS costs,
         SUM(amount)                                             AS profit
  FROM financials_summary_monthly_asin_marketplace
  WHERE month BETWEEN '2025-01-01' AND '2025-06-01'
  GROUP BY brand_id, category_id
) s
LEFT JOIN brands b ON b.id = s.brand_id
LEFT JOIN categories c ON c.id = s.category_id
ORDER BY brand_id, category_id

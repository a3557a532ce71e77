-- Consolidation by category of the approved budgets, by fiscal year.
SELECT fiscal_year,
       consolidation_category,
       SUM(amount)                  AS amount,
       SUM(line_count)              AS line_count,
       COUNT(DISTINCT account_code) AS accounts
FROM efir_budget.mv_budget_consolidation
WHERE status = 'approved'
GROUP BY fiscal_year, consolidation_category
ORDER BY fiscal_year, consolidation_category

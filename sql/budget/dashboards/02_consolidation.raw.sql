-- Consolidation by category of the approved budgets, by fiscal year.
SELECT v.fiscal_year,
       l.consolidation_category,
       SUM(COALESCE(l.amount, 0.00))  AS amount,
       COUNT(*)                       AS line_count,
       COUNT(DISTINCT l.account_code) AS accounts
FROM efir_budget.budget_versions v
JOIN (
  SELECT budget_version_id, account_code, 'revenue' AS consolidation_category, amount_sar AS amount
  FROM efir_budget.revenue_plans
  WHERE deleted_at IS NULL
  UNION ALL
  SELECT budget_version_id, account_code, 'personnel', total_cost_sar
  FROM efir_budget.personnel_cost_plans
  WHERE deleted_at IS NULL
  UNION ALL
  SELECT budget_version_id, COALESCE(account_code, '(none)'), 'operating', amount_sar
  FROM efir_budget.operating_cost_plans
  WHERE deleted_at IS NULL
  UNION ALL
  SELECT budget_version_id, account_code, 'capital', total_cost_sar
  FROM efir_budget.capex_plans
  WHERE deleted_at IS NULL
) l ON l.budget_version_id = v.id
WHERE v.status = 'approved'
  AND v.deleted_at IS NULL
GROUP BY v.fiscal_year, l.consolidation_category
ORDER BY v.fiscal_year, l.consolidation_category

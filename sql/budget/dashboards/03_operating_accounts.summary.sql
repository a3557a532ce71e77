-- Operating costs by account in the budget versions of the fiscal year 2026.
SELECT version_name, status, account_code, amount, line_count
FROM efir_budget.mv_budget_consolidation
WHERE fiscal_year = 2026
  AND consolidation_category = 'operating'
ORDER BY version_name, budget_version_id, account_code

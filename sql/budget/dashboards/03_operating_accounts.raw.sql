-- Operating costs by account in the budget versions of the fiscal year 2026.
SELECT v.name AS version_name,
       v.status,
       COALESCE(o.account_code, '(none)') AS account_code,
       SUM(o.amount_sar) AS amount,
       COUNT(*)          AS line_count
FROM efir_budget.operating_cost_plans o
JOIN efir_budget.budget_versions v ON v.id = o.budget_version_id
WHERE v.fiscal_year = 2026
  AND v.deleted_at IS NULL
  AND o.deleted_at IS NULL
GROUP BY v.id, v.name, v.status, COALESCE(o.account_code, '(none)')
ORDER BY v.name, v.id, COALESCE(o.account_code, '(none)')

-- Measures of all budget versions of the fiscal year 2026.
SELECT version_name, status, total_students, lycee_students, french_students, total_classes,
       teaching_hours, fte_required, fte_allocated, total_revenue, tuition_revenue,
       personnel_cost, operating_cost, capital_cost, budget_result, students_per_class,
       he_ratio, revenue_per_student, personnel_cost_per_student, budget_margin_percent
FROM efir_budget.mv_kpi_dashboard
WHERE fiscal_year = 2026
ORDER BY version_name, budget_version_id

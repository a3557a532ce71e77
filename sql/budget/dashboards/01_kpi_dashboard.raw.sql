-- Measures of all budget versions of the fiscal year 2026.
SELECT k.version_name,
       k.status,
       k.total_students,
       k.lycee_students,
       k.french_students,
       k.total_classes,
       k.teaching_hours,
       k.fte_required,
       k.fte_allocated,
       k.total_revenue,
       k.tuition_revenue,
       k.personnel_cost,
       k.operating_cost,
       k.capital_cost,
       k.total_revenue - k.personnel_cost - k.operating_cost AS budget_result,
       CASE WHEN k.total_classes = 0 THEN 0.00 ELSE ROUND(k.total_students::numeric / k.total_classes, 2) END AS students_per_class,
       CASE WHEN k.secondary_students = 0 THEN 0.00 ELSE ROUND(k.teaching_hours / k.secondary_students, 2) END AS he_ratio,
       CASE WHEN k.total_students = 0 THEN 0.00 ELSE ROUND(k.total_revenue / k.total_students, 2) END AS revenue_per_student,
       CASE WHEN k.total_students = 0 THEN 0.00 ELSE ROUND(k.personnel_cost / k.total_students, 2) END AS personnel_cost_per_student,
       CASE WHEN k.total_revenue = 0 THEN 0.00
            ELSE ROUND(100 * (k.total_revenue - k.personnel_cost - k.operating_cost) / k.total_revenue, 2) END AS budget_margin_percent
FROM (
  SELECT v.id,
         v.name AS version_name,
         v.status,
         (SELECT COALESCE(SUM(e.student_count), 0)
          FROM efir_budget.enrollment_plans e
          WHERE e.budget_version_id = v.id AND e.deleted_at IS NULL) AS total_students,
         (SELECT COALESCE(SUM(e.student_count), 0)
          FROM efir_budget.enrollment_plans e
          JOIN efir_budget.academic_levels l ON l.id = e.level_id
          WHERE e.budget_version_id = v.id AND e.deleted_at IS NULL AND l.cycle = 'lycee') AS lycee_students,
         (SELECT COALESCE(SUM(e.student_count), 0)
          FROM efir_budget.enrollment_plans e
          JOIN efir_budget.academic_levels l ON l.id = e.level_id
          WHERE e.budget_version_id = v.id AND e.deleted_at IS NULL AND l.cycle IN ('college', 'lycee')) AS secondary_students,
         (SELECT COALESCE(SUM(e.student_count), 0)
          FROM efir_budget.enrollment_plans e
          WHERE e.budget_version_id = v.id AND e.deleted_at IS NULL AND e.nationality = 'french') AS french_students,
         (SELECT COALESCE(SUM(c.class_count), 0)
          FROM efir_budget.class_structures c
          WHERE c.budget_version_id = v.id AND c.deleted_at IS NULL) AS total_classes,
         (SELECT COALESCE(SUM(h.total_hours), 0.00)
          FROM efir_budget.dhg_subject_hours h
          WHERE h.budget_version_id = v.id AND h.deleted_at IS NULL) AS teaching_hours,
         (SELECT COALESCE(SUM(r.fte_required), 0.00)
          FROM efir_budget.dhg_teacher_requirements r
          WHERE r.budget_version_id = v.id AND r.deleted_at IS NULL) AS fte_required,
         (SELECT COALESCE(SUM(a.fte_count), 0.00)
          FROM efir_budget.teacher_allocations a
          WHERE a.budget_version_id = v.id AND a.deleted_at IS NULL) AS fte_allocated,
         (SELECT COALESCE(SUM(i.amount_sar), 0.00)
          FROM efir_budget.revenue_plans i
          WHERE i.budget_version_id = v.id AND i.deleted_at IS NULL) AS total_revenue,
         (SELECT COALESCE(SUM(i.amount_sar), 0.00)
          FROM efir_budget.revenue_plans i
          WHERE i.budget_version_id = v.id AND i.deleted_at IS NULL AND i.revenue_type = 'tuition') AS tuition_revenue,
         (SELECT COALESCE(SUM(p.total_cost_sar), 0.00)
          FROM efir_budget.personnel_cost_plans p
          WHERE p.budget_version_id = v.id AND p.deleted_at IS NULL) AS personnel_cost,
         (SELECT COALESCE(SUM(o.amount_sar), 0.00)
          FROM efir_budget.operating_cost_plans o
          WHERE o.budget_version_id = v.id AND o.deleted_at IS NULL) AS operating_cost,
         (SELECT COALESCE(SUM(x.total_cost_sar), 0.00)
          FROM efir_budget.capex_plans x
          WHERE x.budget_version_id = v.id AND x.deleted_at IS NULL) AS capital_cost
  FROM efir_budget.budget_versions v
  WHERE v.fiscal_year = 2026
    AND v.deleted_at IS NULL
) k
ORDER BY k.version_name, k.id

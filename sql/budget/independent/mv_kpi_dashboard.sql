-- The measures once more: every row of every table becomes a line with the names
-- of what it is (measure, tag, second tag) and its value; one pass sums them.
-- A ratio is the quotient where the denominator is not zero, else 0.
SELECT m.id AS budget_version_id,
       m.name AS version_name,
       m.fiscal_year,
       m.academic_year,
       m.status,
       m.students AS total_students, m.maternelle AS maternelle_students, m.elementaire AS elementaire_students,
       m.college AS college_students, m.lycee AS lycee_students,
       m.french AS french_students, m.saudi AS saudi_students, m.other AS other_students,
       m.classes AS total_classes, m.classes_primary AS primary_classes,
       m.classes_secondary AS secondary_classes, m.atsem AS atsem_count,
       m.hours AS teaching_hours, m.hours_college AS college_hours, m.hours_lycee AS lycee_hours,
       m.required AS fte_required, m.overtime AS overtime_hours,
       m.allocated AS fte_allocated, m.detached AS fte_aefe_detached, m.funded AS fte_aefe_funded, m.local AS fte_local,
       m.allocated - m.required AS fte_balance,
       m.revenue AS total_revenue, m.tuition AS tuition_revenue, m.fee AS fee_revenue,
       m.revenue - m.tuition - m.fee AS other_revenue,
       m.personnel AS personnel_cost, m.operating AS operating_cost, m.cost AS total_cost,
       m.capital AS capital_cost,
       m.revenue - m.cost AS budget_result,
       CASE m.classes WHEN 0 THEN 0 ELSE ROUND(m.students / m.classes, 2) END AS students_per_class,
       CASE m.allocated WHEN 0 THEN 0 ELSE ROUND(m.students / m.allocated, 2) END AS students_per_teacher,
       CASE m.college + m.lycee WHEN 0 THEN 0 ELSE ROUND(m.hours / (m.college + m.lycee), 2) END AS he_ratio,
       CASE m.students WHEN 0 THEN 0 ELSE ROUND(m.revenue / m.students, 2) END AS revenue_per_student,
       CASE m.students WHEN 0 THEN 0 ELSE ROUND(m.cost / m.students, 2) END AS cost_per_student,
       CASE m.students WHEN 0 THEN 0 ELSE ROUND(m.personnel / m.students, 2) END AS personnel_cost_per_student,
       CASE m.students WHEN 0 THEN 0 ELSE ROUND(m.operating / m.students, 2) END AS operating_cost_per_student,
       CASE m.cost WHEN 0 THEN 0 ELSE ROUND(m.personnel * 100 / m.cost, 2) END AS personnel_share_percent,
       CASE m.revenue WHEN 0 THEN 0 ELSE ROUND((m.revenue - m.cost) * 100 / m.revenue, 2) END AS budget_margin_percent
FROM (
  SELECT v.id, v.name, v.fiscal_year, v.academic_year, v.status,
         SUM(CASE WHEN f.measure = 'students' THEN f.value ELSE 0 END)                          AS students,
         SUM(CASE WHEN f.measure = 'students' AND f.tag = 'maternelle' THEN f.value ELSE 0 END)  AS maternelle,
         SUM(CASE WHEN f.measure = 'students' AND f.tag = 'elementaire' THEN f.value ELSE 0 END) AS elementaire,
         SUM(CASE WHEN f.measure = 'students' AND f.tag = 'college' THEN f.value ELSE 0 END)     AS college,
         SUM(CASE WHEN f.measure = 'students' AND f.tag = 'lycee' THEN f.value ELSE 0 END)       AS lycee,
         SUM(CASE WHEN f.measure = 'students' AND f.tag2 = 'french' THEN f.value ELSE 0 END)     AS french,
         SUM(CASE WHEN f.measure = 'students' AND f.tag2 = 'saudi' THEN f.value ELSE 0 END)      AS saudi,
         SUM(CASE WHEN f.measure = 'students' AND f.tag2 = 'other' THEN f.value ELSE 0 END)      AS other,
         SUM(CASE WHEN f.measure = 'classes' THEN f.value ELSE 0 END)                           AS classes,
         SUM(CASE WHEN f.measure = 'classes' AND f.tag IN ('maternelle', 'elementaire') THEN f.value ELSE 0 END) AS classes_primary,
         SUM(CASE WHEN f.measure = 'classes' AND f.tag NOT IN ('maternelle', 'elementaire') THEN f.value ELSE 0 END) AS classes_secondary,
         SUM(CASE WHEN f.measure = 'atsem' THEN f.value ELSE 0 END)                             AS atsem,
         SUM(CASE WHEN f.measure = 'hours' THEN f.value ELSE 0 END)                             AS hours,
         SUM(CASE WHEN f.measure = 'hours' AND f.tag = 'college' THEN f.value ELSE 0 END)        AS hours_college,
         SUM(CASE WHEN f.measure = 'hours' AND f.tag = 'lycee' THEN f.value ELSE 0 END)          AS hours_lycee,
         SUM(CASE WHEN f.measure = 'required' THEN f.value ELSE 0 END)                          AS required,
         SUM(CASE WHEN f.measure = 'overtime' THEN f.value ELSE 0 END)                          AS overtime,
         SUM(CASE WHEN f.measure = 'allocated' THEN f.value ELSE 0 END)                         AS allocated,
         SUM(CASE WHEN f.measure = 'allocated' AND f.tag = 'aefe_detached' THEN f.value ELSE 0 END) AS detached,
         SUM(CASE WHEN f.measure = 'allocated' AND f.tag = 'aefe_funded' THEN f.value ELSE 0 END)   AS funded,
         SUM(CASE WHEN f.measure = 'allocated' AND f.tag = 'local' THEN f.value ELSE 0 END)         AS local,
         SUM(CASE WHEN f.measure = 'revenue' THEN f.value ELSE 0 END)                           AS revenue,
         SUM(CASE WHEN f.measure = 'revenue' AND f.tag = 'tuition' THEN f.value ELSE 0 END)      AS tuition,
         SUM(CASE WHEN f.measure = 'revenue' AND f.tag = 'fee' THEN f.value ELSE 0 END)          AS fee,
         SUM(CASE WHEN f.measure = 'personnel' THEN f.value ELSE 0 END)                         AS personnel,
         SUM(CASE WHEN f.measure = 'operating' THEN f.value ELSE 0 END)                         AS operating,
         SUM(CASE WHEN f.measure IN ('personnel', 'operating') THEN f.value ELSE 0 END)         AS cost,
         SUM(CASE WHEN f.measure = 'capital' THEN f.value ELSE 0 END)                           AS capital
  FROM efir_budget.budget_versions v
  LEFT JOIN (
    SELECT e.budget_version_id, 'students' AS measure, l.cycle AS tag, e.nationality AS tag2,
           e.student_count::numeric AS value, e.deleted_at
    FROM efir_budget.enrollment_plans e, efir_budget.academic_levels l
    WHERE l.id = e.level_id
    UNION ALL
    SELECT c.budget_version_id, 'classes', l.cycle, NULL, c.class_count, c.deleted_at
    FROM efir_budget.class_structures c, efir_budget.academic_levels l
    WHERE l.id = c.level_id
    UNION ALL
    SELECT budget_version_id, 'atsem', NULL, NULL, atsem_count, deleted_at FROM efir_budget.class_structures
    UNION ALL
    SELECT h.budget_version_id, 'hours', l.cycle, NULL, h.total_hours, h.deleted_at
    FROM efir_budget.dhg_subject_hours h, efir_budget.academic_levels l
    WHERE l.id = h.level_id
    UNION ALL
    SELECT budget_version_id, 'required', NULL, NULL, fte_required, deleted_at FROM efir_budget.dhg_teacher_requirements
    UNION ALL
    SELECT budget_version_id, 'overtime', NULL, NULL, overtime_hours, deleted_at FROM efir_budget.dhg_teacher_requirements
    UNION ALL
    SELECT budget_version_id, 'allocated', teacher_category, NULL, fte_count, deleted_at FROM efir_budget.teacher_allocations
    UNION ALL
    SELECT budget_version_id, 'revenue', revenue_type, NULL, amount_sar, deleted_at FROM efir_budget.revenue_plans
    UNION ALL
    SELECT budget_version_id, 'personnel', NULL, NULL, total_cost_sar, deleted_at FROM efir_budget.personnel_cost_plans
    UNION ALL
    SELECT budget_version_id, 'operating', NULL, NULL, amount_sar, deleted_at FROM efir_budget.operating_cost_plans
    UNION ALL
    SELECT budget_version_id, 'capital', NULL, NULL, total_cost_sar, deleted_at FROM efir_budget.capex_plans
  ) f ON f.budget_version_id = v.id AND f.deleted_at IS NULL AND f.value IS NOT NULL
  WHERE v.deleted_at IS NULL
  GROUP BY v.id, v.name, v.fiscal_year, v.academic_year, v.status
) m

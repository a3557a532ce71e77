-- The two materialized views of the budget dashboard, for PostgreSQL.
--
-- They are created empty: `dashagg refresh` fills them. Each has a unique index
-- on its key, so that it can be refreshed while it is read.
-- The schema efir_budget exists already: the source tables are in it.
-- Every table but academic_levels has deleted_at: rows with a value there are
-- left out, and versions with a value there have no row in the views.
-- Each table is summed per version before it is joined: a version matches at most
-- one row of each subquery, so no sum is multiplied.

-- All measures of a budget version: one row per version, also for an empty one.
-- Money is in riyals. Hours are weekly; teaching hours exist for the secondary
-- school only (college and lycee), so he_ratio divides by its students.
-- A ratio whose denominator is zero is 0: read it together with the denominator.
CREATE MATERIALIZED VIEW IF NOT EXISTS efir_budget.mv_kpi_dashboard AS
SELECT k.budget_version_id,
       k.version_name,
       k.fiscal_year,
       k.academic_year,
       k.status,
       -- enrolment
       k.total_students,
       k.maternelle_students,
       k.elementaire_students,
       k.college_students,
       k.lycee_students,
       k.french_students,
       k.saudi_students,
       k.other_students,
       -- classes
       k.total_classes,
       k.primary_classes,
       k.secondary_classes,
       k.atsem_count,
       -- weekly teaching hours
       k.teaching_hours,
       k.college_hours,
       k.lycee_hours,
       -- staff, in full-time equivalents
       k.fte_required,
       k.overtime_hours,
       k.fte_allocated,
       k.fte_aefe_detached,
       k.fte_aefe_funded,
       k.fte_local,
       k.fte_allocated - k.fte_required AS fte_balance,
       -- money
       k.total_revenue,
       k.tuition_revenue,
       k.fee_revenue,
       k.other_revenue,
       k.personnel_cost,
       k.operating_cost,
       k.personnel_cost + k.operating_cost                   AS total_cost,
       k.capital_cost,
       k.total_revenue - k.personnel_cost - k.operating_cost AS budget_result,
       -- ratios
       COALESCE(ROUND(k.total_students::numeric / NULLIF(k.total_classes, 0), 2), 0.00)  AS students_per_class,
       COALESCE(ROUND(k.total_students / NULLIF(k.fte_allocated, 0), 2), 0.00)           AS students_per_teacher,
       COALESCE(ROUND(k.teaching_hours / NULLIF(k.college_students + k.lycee_students, 0), 2), 0.00) AS he_ratio,
       COALESCE(ROUND(k.total_revenue / NULLIF(k.total_students, 0), 2), 0.00)           AS revenue_per_student,
       COALESCE(ROUND((k.personnel_cost + k.operating_cost) / NULLIF(k.total_students, 0), 2), 0.00) AS cost_per_student,
       COALESCE(ROUND(k.personnel_cost / NULLIF(k.total_students, 0), 2), 0.00)          AS personnel_cost_per_student,
       COALESCE(ROUND(k.operating_cost / NULLIF(k.total_students, 0), 2), 0.00)          AS operating_cost_per_student,
       COALESCE(ROUND(100 * k.personnel_cost / NULLIF(k.personnel_cost + k.operating_cost, 0), 2), 0.00) AS personnel_share_percent,
       COALESCE(ROUND(100 * (k.total_revenue - k.personnel_cost - k.operating_cost)
                      / NULLIF(k.total_revenue, 0), 2), 0.00)                            AS budget_margin_percent
FROM (
  SELECT v.id   AS budget_version_id,
         v.name AS version_name,
         v.fiscal_year,
         v.academic_year,
         v.status,
         COALESCE(e.total_students, 0)       AS total_students,
         COALESCE(e.maternelle_students, 0)  AS maternelle_students,
         COALESCE(e.elementaire_students, 0) AS elementaire_students,
         COALESCE(e.college_students, 0)     AS college_students,
         COALESCE(e.lycee_students, 0)       AS lycee_students,
         COALESCE(e.french_students, 0)      AS french_students,
         COALESCE(e.saudi_students, 0)       AS saudi_students,
         COALESCE(e.other_students, 0)       AS other_students,
         COALESCE(c.total_classes, 0)        AS total_classes,
         COALESCE(c.primary_classes, 0)      AS primary_classes,
         COALESCE(c.secondary_classes, 0)    AS secondary_classes,
         COALESCE(c.atsem_count, 0)          AS atsem_count,
         COALESCE(h.teaching_hours, 0.00)    AS teaching_hours,
         COALESCE(h.college_hours, 0.00)     AS college_hours,
         COALESCE(h.lycee_hours, 0.00)       AS lycee_hours,
         COALESCE(r.fte_required, 0.00)      AS fte_required,
         COALESCE(r.overtime_hours, 0.00)    AS overtime_hours,
         COALESCE(a.fte_allocated, 0.00)     AS fte_allocated,
         COALESCE(a.fte_aefe_detached, 0.00) AS fte_aefe_detached,
         COALESCE(a.fte_aefe_funded, 0.00)   AS fte_aefe_funded,
         COALESCE(a.fte_local, 0.00)         AS fte_local,
         COALESCE(i.total_revenue, 0.00)     AS total_revenue,
         COALESCE(i.tuition_revenue, 0.00)   AS tuition_revenue,
         COALESCE(i.fee_revenue, 0.00)       AS fee_revenue,
         COALESCE(i.other_revenue, 0.00)     AS other_revenue,
         COALESCE(p.personnel_cost, 0.00)    AS personnel_cost,
         COALESCE(o.operating_cost, 0.00)    AS operating_cost,
         COALESCE(x.capital_cost, 0.00)      AS capital_cost
  FROM efir_budget.budget_versions v
  LEFT JOIN (
    SELECT n.budget_version_id,
           SUM(n.student_count)                                         AS total_students,
           SUM(n.student_count) FILTER (WHERE l.cycle = 'maternelle')   AS maternelle_students,
           SUM(n.student_count) FILTER (WHERE l.cycle = 'elementaire')  AS elementaire_students,
           SUM(n.student_count) FILTER (WHERE l.cycle = 'college')      AS college_students,
           SUM(n.student_count) FILTER (WHERE l.cycle = 'lycee')        AS lycee_students,
           SUM(n.student_count) FILTER (WHERE n.nationality = 'french') AS french_students,
           SUM(n.student_count) FILTER (WHERE n.nationality = 'saudi')  AS saudi_students,
           SUM(n.student_count) FILTER (WHERE n.nationality = 'other')  AS other_students
    FROM efir_budget.enrollment_plans n
    JOIN efir_budget.academic_levels l ON l.id = n.level_id
    WHERE n.deleted_at IS NULL
    GROUP BY n.budget_version_id
  ) e ON e.budget_version_id = v.id
  LEFT JOIN (
    SELECT s.budget_version_id,
           SUM(s.class_count)                                                       AS total_classes,
           SUM(s.class_count) FILTER (WHERE l.cycle IN ('maternelle', 'elementaire')) AS primary_classes,
           SUM(s.class_count) FILTER (WHERE l.cycle IN ('college', 'lycee'))          AS secondary_classes,
           SUM(s.atsem_count)                                                       AS atsem_count
    FROM efir_budget.class_structures s
    JOIN efir_budget.academic_levels l ON l.id = s.level_id
    WHERE s.deleted_at IS NULL
    GROUP BY s.budget_version_id
  ) c ON c.budget_version_id = v.id
  LEFT JOIN (
    SELECT s.budget_version_id,
           SUM(s.total_hours)                                      AS teaching_hours,
           SUM(s.total_hours) FILTER (WHERE l.cycle = 'college')   AS college_hours,
           SUM(s.total_hours) FILTER (WHERE l.cycle = 'lycee')     AS lycee_hours
    FROM efir_budget.dhg_subject_hours s
    JOIN efir_budget.academic_levels l ON l.id = s.level_id
    WHERE s.deleted_at IS NULL
    GROUP BY s.budget_version_id
  ) h ON h.budget_version_id = v.id
  LEFT JOIN (
    SELECT budget_version_id,
           SUM(fte_required)   AS fte_required,
           SUM(overtime_hours) AS overtime_hours
    FROM efir_budget.dhg_teacher_requirements
    WHERE deleted_at IS NULL
    GROUP BY budget_version_id
  ) r ON r.budget_version_id = v.id
  LEFT JOIN (
    SELECT budget_version_id,
           SUM(fte_count)                                                      AS fte_allocated,
           SUM(fte_count) FILTER (WHERE teacher_category = 'aefe_detached')    AS fte_aefe_detached,
           SUM(fte_count) FILTER (WHERE teacher_category = 'aefe_funded')      AS fte_aefe_funded,
           SUM(fte_count) FILTER (WHERE teacher_category = 'local')            AS fte_local
    FROM efir_budget.teacher_allocations
    WHERE deleted_at IS NULL
    GROUP BY budget_version_id
  ) a ON a.budget_version_id = v.id
  LEFT JOIN (
    SELECT budget_version_id,
           SUM(amount_sar)                                                       AS total_revenue,
           SUM(amount_sar) FILTER (WHERE revenue_type = 'tuition')               AS tuition_revenue,
           SUM(amount_sar) FILTER (WHERE revenue_type = 'fee')                   AS fee_revenue,
           SUM(amount_sar) FILTER (WHERE revenue_type NOT IN ('tuition', 'fee')) AS other_revenue
    FROM efir_budget.revenue_plans
    WHERE deleted_at IS NULL
    GROUP BY budget_version_id
  ) i ON i.budget_version_id = v.id
  LEFT JOIN (
    SELECT budget_version_id, SUM(total_cost_sar) AS personnel_cost
    FROM efir_budget.personnel_cost_plans
    WHERE deleted_at IS NULL
    GROUP BY budget_version_id
  ) p ON p.budget_version_id = v.id
  LEFT JOIN (
    SELECT budget_version_id, SUM(amount_sar) AS operating_cost
    FROM efir_budget.operating_cost_plans
    WHERE deleted_at IS NULL
    GROUP BY budget_version_id
  ) o ON o.budget_version_id = v.id
  LEFT JOIN (
    SELECT budget_version_id, SUM(total_cost_sar) AS capital_cost
    FROM efir_budget.capex_plans
    WHERE deleted_at IS NULL
    GROUP BY budget_version_id
  ) x ON x.budget_version_id = v.id
  WHERE v.deleted_at IS NULL
) k
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_kpi_dashboard_key
  ON efir_budget.mv_kpi_dashboard (budget_version_id);

CREATE INDEX IF NOT EXISTS mv_kpi_dashboard_year_status
  ON efir_budget.mv_kpi_dashboard (fiscal_year, status);

-- Money by account: one row per version, account and category. The same account
-- may occur in two categories, so the category is part of the key.
-- A line without an account goes to '(none)', a code that no real account has.
-- amount is positive for revenue and for costs. A line without an amount counts
-- in line_count only.
CREATE MATERIALIZED VIEW IF NOT EXISTS efir_budget.mv_budget_consolidation AS
SELECT v.id AS budget_version_id,
       b.account_code,
       b.consolidation_category,
       v.name AS version_name,
       v.fiscal_year,
       v.academic_year,
       v.status,
       COALESCE(b.amount, 0.00) AS amount,
       b.line_count
FROM (
  SELECT budget_version_id,
         COALESCE(account_code, '(none)') AS account_code,
         'revenue'::text AS consolidation_category,
         SUM(amount_sar) AS amount,
         COUNT(*)        AS line_count
  FROM efir_budget.revenue_plans
  WHERE deleted_at IS NULL
  GROUP BY budget_version_id, COALESCE(account_code, '(none)')
  UNION ALL
  SELECT budget_version_id, COALESCE(account_code, '(none)'), 'personnel'::text, SUM(total_cost_sar), COUNT(*)
  FROM efir_budget.personnel_cost_plans
  WHERE deleted_at IS NULL
  GROUP BY budget_version_id, COALESCE(account_code, '(none)')
  UNION ALL
  SELECT budget_version_id, COALESCE(account_code, '(none)'), 'operating'::text, SUM(amount_sar), COUNT(*)
  FROM efir_budget.operating_cost_plans
  WHERE deleted_at IS NULL
  GROUP BY budget_version_id, COALESCE(account_code, '(none)')
  UNION ALL
  SELECT budget_version_id, COALESCE(account_code, '(none)'), 'capital'::text, SUM(total_cost_sar), COUNT(*)
  FROM efir_budget.capex_plans
  WHERE deleted_at IS NULL
  GROUP BY budget_version_id, COALESCE(account_code, '(none)')
) b
JOIN efir_budget.budget_versions v ON v.id = b.budget_version_id
WHERE v.deleted_at IS NULL
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_budget_consolidation_key
  ON efir_budget.mv_budget_consolidation (budget_version_id, account_code, consolidation_category);

CREATE INDEX IF NOT EXISTS mv_budget_consolidation_category
  ON efir_budget.mv_budget_consolidation (consolidation_category);

CREATE INDEX IF NOT EXISTS mv_budget_consolidation_year_status
  ON efir_budget.mv_budget_consolidation (fiscal_year, status);

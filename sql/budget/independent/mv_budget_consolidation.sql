-- The consolidation once more: all lines in one list, summed per version and
-- account with one column per category, then the columns turned into rows.
SELECT v.id AS budget_version_id,
       s.account_code,
       t.consolidation_category,
       v.name AS version_name,
       v.fiscal_year,
       v.academic_year,
       v.status,
       t.amount,
       t.line_count
FROM efir_budget.budget_versions v,
  LATERAL (
    SELECT CASE WHEN l.account_code IS NULL THEN '(none)' ELSE l.account_code END AS account_code,
           SUM(CASE l.kind WHEN 1 THEN l.money ELSE 0 END) AS revenue,
           SUM(CASE l.kind WHEN 2 THEN l.money ELSE 0 END) AS personnel,
           SUM(CASE l.kind WHEN 3 THEN l.money ELSE 0 END) AS operating,
           SUM(CASE l.kind WHEN 4 THEN l.money ELSE 0 END) AS capital,
           COUNT(*) FILTER (WHERE l.kind = 1) AS revenue_lines,
           COUNT(*) FILTER (WHERE l.kind = 2) AS personnel_lines,
           COUNT(*) FILTER (WHERE l.kind = 3) AS operating_lines,
           COUNT(*) FILTER (WHERE l.kind = 4) AS capital_lines
    FROM (
      SELECT 1 AS kind, r.account_code, r.amount_sar AS money
      FROM efir_budget.revenue_plans r
      WHERE r.budget_version_id = v.id AND r.deleted_at IS NULL
      UNION ALL
      SELECT 2, p.account_code, COALESCE(p.total_cost_sar, 0)
      FROM efir_budget.personnel_cost_plans p
      WHERE p.budget_version_id = v.id AND p.deleted_at IS NULL
      UNION ALL
      SELECT 3, o.account_code, o.amount_sar
      FROM efir_budget.operating_cost_plans o
      WHERE o.budget_version_id = v.id AND o.deleted_at IS NULL
      UNION ALL
      SELECT 4, x.account_code, x.total_cost_sar
      FROM efir_budget.capex_plans x
      WHERE x.budget_version_id = v.id AND x.deleted_at IS NULL
    ) l
    GROUP BY CASE WHEN l.account_code IS NULL THEN '(none)' ELSE l.account_code END
  ) s,
  LATERAL (
    VALUES ('revenue',   s.revenue,   s.revenue_lines),
           ('personnel', s.personnel, s.personnel_lines),
           ('operating', s.operating, s.operating_lines),
           ('capital',   s.capital,   s.capital_lines)
  ) AS t (consolidation_category, amount, line_count)
WHERE v.deleted_at IS NULL
  AND t.line_count > 0

-- Joined first, grouped after: a school without staff is one row of NULLs.
SELECT s.id AS school_id,
       COUNT(p.id)                                                                             AS staff_count,
       SUM(CASE WHEN p.status = 'active' THEN 1 ELSE 0 END)                                    AS active_count,
       SUM(CASE WHEN p.status = 'active' AND p.role = 'teacher' THEN 1 ELSE 0 END)             AS teachers_count,
       SUM(CASE WHEN p.status = 'on_leave' THEN 1 ELSE 0 END)                                  AS on_leave_count,
       SUM(CASE WHEN p.status <> 'left' AND p.monthly_salary IS NOT NULL THEN 1 ELSE 0 END)    AS salaried_count,
       SUM(CASE WHEN p.status <> 'left' THEN COALESCE(p.monthly_salary, 0) ELSE 0 END)         AS salaries_total
FROM schools s
LEFT JOIN staff p ON p.school_id = s.id AND p.deleted_at IS NULL
WHERE s.deleted_at IS NULL
GROUP BY s.id

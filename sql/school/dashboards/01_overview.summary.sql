-- Every school on one line: students, staff, money.
SELECT s.id AS school_id,
       s.name,
       t.active_count AS students,
       p.active_count AS staff,
       COALESCE(f.billed, 0) AS billed,
       COALESCE(f.paid, 0)   AS paid
FROM schools s
JOIN mv_school_students t ON t.school_id = s.id
JOIN mv_school_staff p ON p.school_id = s.id
LEFT JOIN (
  SELECT school_id, SUM(billed) AS billed, SUM(paid) AS paid
  FROM mv_school_fees
  GROUP BY school_id
) f ON f.school_id = s.id
WHERE s.deleted_at IS NULL
ORDER BY school_id

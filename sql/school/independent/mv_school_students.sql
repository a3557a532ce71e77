-- A subquery per number and school.
SELECT s.id AS school_id,
       (SELECT COUNT(*) FROM students t WHERE t.school_id = s.id AND t.deleted_at IS NULL) AS students_count,
       (SELECT COUNT(*) FROM students t
        WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'active') AS active_count,
       (SELECT COUNT(*) FROM students t
        WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'graduated') AS graduated_count,
       (SELECT COUNT(*) FROM students t
        WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'withdrawn') AS withdrawn_count,
       (SELECT COUNT(*) - COUNT(t.class_id) FROM students t
        WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'active') AS active_without_class_count,
       (SELECT COUNT(*) FROM (
          SELECT DISTINCT t.class_id FROM students t
          WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'active' AND t.class_id IS NOT NULL
        ) classes) AS classes_count,
       (SELECT COALESCE(SUM(t.scholarship), 0) FROM students t
        WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'active') AS scholarships_total
FROM schools s
WHERE s.deleted_at IS NULL

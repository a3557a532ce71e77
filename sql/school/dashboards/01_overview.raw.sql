-- Every school on one line: students, staff, money.
SELECT s.id AS school_id,
       s.name,
       (SELECT COUNT(*) FROM students t
        WHERE t.school_id = s.id AND t.deleted_at IS NULL AND t.status = 'active') AS students,
       (SELECT COUNT(*) FROM staff p
        WHERE p.school_id = s.id AND p.deleted_at IS NULL AND p.status = 'active') AS staff,
       (SELECT COALESCE(SUM(i.amount - COALESCE(i.discount, 0)), 0) FROM fee_invoices i
        WHERE i.school_id = s.id AND i.deleted_at IS NULL AND i.status = 'issued') AS billed,
       (SELECT COALESCE(SUM(p.amount), 0) FROM fee_payments p
        WHERE p.school_id = s.id AND p.deleted_at IS NULL AND p.status = 'completed') AS paid
FROM schools s
WHERE s.deleted_at IS NULL
ORDER BY school_id

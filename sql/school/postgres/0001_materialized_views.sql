-- The four materialized views of the school set: counts and sums by school.
--
-- Soft-deleted rows are left out. A sum over nothing is 0. The unique indexes
-- are what REFRESH ... CONCURRENTLY needs. They hold the key columns, and none
-- of these is ever NULL.

-- Students, one row for every school, also for one that has none yet.
-- classes_count counts classes with at least one active student.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_school_students AS
SELECT s.id AS school_id,
       COALESCE(t.students_count, 0)             AS students_count,
       COALESCE(t.active_count, 0)               AS active_count,
       COALESCE(t.graduated_count, 0)            AS graduated_count,
       COALESCE(t.withdrawn_count, 0)            AS withdrawn_count,
       COALESCE(t.active_without_class_count, 0) AS active_without_class_count,
       COALESCE(t.classes_count, 0)              AS classes_count,
       COALESCE(t.scholarships_total, 0)         AS scholarships_total
FROM schools s
LEFT JOIN (
  SELECT school_id,
         COUNT(*)                                                                  AS students_count,
         COUNT(*) FILTER (WHERE status = 'active')                                 AS active_count,
         COUNT(*) FILTER (WHERE status = 'graduated')                              AS graduated_count,
         COUNT(*) FILTER (WHERE status = 'withdrawn')                              AS withdrawn_count,
         COUNT(*) FILTER (WHERE status = 'active' AND class_id IS NULL)            AS active_without_class_count,
         COUNT(DISTINCT class_id) FILTER (WHERE status = 'active')                 AS classes_count,
         SUM(scholarship) FILTER (WHERE status = 'active')                         AS scholarships_total
  FROM students
  WHERE deleted_at IS NULL
  GROUP BY school_id
) t ON t.school_id = s.id
WHERE s.deleted_at IS NULL
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_school_students_pk
  ON mv_school_students (school_id);

-- Staff, one row for every school, also for one that has none yet.
-- A volunteer has no salary. For the average salary divide salaries_total by
-- salaried_count.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_school_staff AS
SELECT s.id AS school_id,
       COALESCE(t.staff_count, 0)    AS staff_count,
       COALESCE(t.active_count, 0)   AS active_count,
       COALESCE(t.teachers_count, 0) AS teachers_count,
       COALESCE(t.on_leave_count, 0) AS on_leave_count,
       COALESCE(t.salaried_count, 0) AS salaried_count,
       COALESCE(t.salaries_total, 0) AS salaries_total
FROM schools s
LEFT JOIN (
  SELECT school_id,
         COUNT(*)                                                              AS staff_count,
         COUNT(*) FILTER (WHERE status = 'active')                             AS active_count,
         COUNT(*) FILTER (WHERE status = 'active' AND role = 'teacher')        AS teachers_count,
         COUNT(*) FILTER (WHERE status = 'on_leave')                           AS on_leave_count,
         COUNT(monthly_salary) FILTER (WHERE status IN ('active', 'on_leave')) AS salaried_count,
         SUM(monthly_salary) FILTER (WHERE status IN ('active', 'on_leave'))   AS salaries_total
  FROM staff
  WHERE deleted_at IS NULL
  GROUP BY school_id
) t ON t.school_id = s.id
WHERE s.deleted_at IS NULL
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_school_staff_pk
  ON mv_school_staff (school_id);

-- Attendance by school and day. attendance_date is a plain date, the school's
-- own: no time zone is involved.
-- A row without a status is a student whose roll was not called yet. For the
-- rate over several days divide the sums of present_count + late_count by the
-- sum of marked_count.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_school_attendance_daily AS
SELECT school_id,
       attendance_date,
       COUNT(*)                                   AS listed_count,
       COUNT(status)                              AS marked_count,
       COUNT(*) FILTER (WHERE status = 'present') AS present_count,
       COUNT(*) FILTER (WHERE status = 'late')    AS late_count,
       COUNT(*) FILTER (WHERE status = 'absent')  AS absent_count,
       COUNT(*) FILTER (WHERE status = 'excused') AS excused_count,
       COALESCE(SUM(minutes_late), 0)             AS minutes_late
FROM attendance
WHERE deleted_at IS NULL
GROUP BY school_id, attendance_date
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_school_attendance_daily_pk
  ON mv_school_attendance_daily (school_id, attendance_date);

-- all schools on some days
CREATE INDEX IF NOT EXISTS mv_school_attendance_daily_date
  ON mv_school_attendance_daily (attendance_date);

-- Fees billed and paid, by school and term.
-- Billed: issued invoices less their discounts. Drafts and void ones are none.
-- Paid: completed payments, in the term of their invoice. A refund is a negative
-- payment. No payment vanishes: without an invoice, or with a deleted one, it
-- counts in the term '(none)', like an invoice that belongs to no term.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_school_fees AS
SELECT school_id,
       term,
       SUM(invoices_count)::bigint AS invoices_count,
       SUM(billed)                 AS billed,
       SUM(payments_count)::bigint AS payments_count,
       SUM(paid)                   AS paid,
       SUM(billed) - SUM(paid)     AS outstanding
FROM (
  SELECT school_id,
         COALESCE(term, '(none)')            AS term,
         COUNT(*)                            AS invoices_count,
         SUM(amount - COALESCE(discount, 0)) AS billed,
         0                                   AS payments_count,
         0                                   AS paid
  FROM fee_invoices
  WHERE deleted_at IS NULL AND status = 'issued'
  GROUP BY school_id, COALESCE(term, '(none)')
  UNION ALL
  SELECT p.school_id,
         COALESCE(i.term, '(none)'),
         0,
         0,
         COUNT(*),
         SUM(p.amount)
  FROM fee_payments p
  LEFT JOIN fee_invoices i ON i.id = p.invoice_id AND i.deleted_at IS NULL
  WHERE p.deleted_at IS NULL AND p.status = 'completed'
  GROUP BY p.school_id, COALESCE(i.term, '(none)')
) f
GROUP BY school_id, term
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_school_fees_pk
  ON mv_school_fees (school_id, term);

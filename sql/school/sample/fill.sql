-- Sample rows of the schools. {rows}: number of attendance rows, other tables in
-- proportion. The same rows for the same {rows}, but days count back from today.
--
-- Row i is hashed with integers only. Every product stays below 2^63: each
-- value is below 2147483647, the prime modulus. Squaring makes the hash
-- irregular, the multipliers make almost independent numbers of it.
-- Schools 1 to 6 + {rows} / 50000 have students and staff. The last but one has
-- staff and no students, the last one has nothing. School 4 is soft-deleted.

INSERT INTO schools (id, name, time_zone, created_at, deleted_at)
SELECT n,
       'School ' || n,
       CASE n % 3 WHEN 0 THEN 'Asia/Kolkata' WHEN 1 THEN 'Africa/Nairobi' ELSE 'America/Lima' END,
       now() - INTERVAL '40000 hours',
       CASE WHEN n = 4 THEN now() - INTERVAL '700 hours' END
FROM generate_series(1, 8 + {rows} / 50000) AS n;

-- Student i is in school i % schools + 1, so that attendance and invoices need
-- no join. A hundredth as many students as attendance rows.
INSERT INTO students (id, school_id, class_id, name, status, scholarship, enrolled_on, updated_at, deleted_at)
SELECT i,
       i % (6 + {rows} / 50000) + 1,
       CASE WHEN h2 % 23 <> 0 THEN (i % (6 + {rows} / 50000) + 1) * 100 + h2 % 12 END,
       'Student ' || i,
       CASE h3 % 13 WHEN 0 THEN 'withdrawn' WHEN 1 THEN 'graduated' ELSE 'active' END,
       CASE WHEN h3 % 11 = 0 THEN (h2 % 200000 + 1) * 0.01 END,
       (now() AT TIME ZONE 'UTC')::date - (200 + h2 % 1500)::integer,
       now() - (h3 % 5000) * INTERVAL '1 hour',
       CASE WHEN h2 % 41 = 0 THEN now() - (h3 % 3000) * INTERVAL '1 hour' END
FROM (
  SELECT i, h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT i, (i * 1103515245 + 12345) % 2147483647 AS x
      FROM generate_series(1::bigint, {rows} / 100 + 20) AS i
    ) numbered
  ) squared
) h;

-- Staff: a thousandth as many as attendance rows, and some in the school that
-- has no students. Volunteers have no salary.
INSERT INTO staff (id, school_id, name, role, status, monthly_salary, updated_at, deleted_at)
SELECT i,
       i % (7 + {rows} / 50000) + 1,
       'Person ' || i,
       CASE h2 % 5 WHEN 0 THEN 'administration' WHEN 1 THEN 'caretaker' ELSE 'teacher' END,
       CASE h3 % 11 WHEN 0 THEN 'left' WHEN 1 THEN 'on_leave' ELSE 'active' END,
       CASE WHEN h3 % 7 <> 0 THEN (150000 + h2 % 500000) * 0.01 END,
       now() - (h3 % 5000) * INTERVAL '1 hour',
       CASE WHEN h2 % 19 = 0 THEN now() - (h3 % 3000) * INTERVAL '1 hour' END
FROM (
  SELECT i, h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT i, (i * 1103515245 + 777771) % 2147483647 AS x
      FROM generate_series(1::bigint, {rows} / 1000 + 60) AS i
    ) numbered
  ) squared
) h;

-- Attendance: every student on some 100 school days, Monday to Friday, up to the
-- end of last week.
INSERT INTO attendance (id, school_id, student_id, attendance_date, status, minutes_late, recorded_at, deleted_at)
SELECT i,
       student % (6 + {rows} / 50000) + 1,
       student,
       day,
       CASE h2 % 31 WHEN 0 THEN 'absent' WHEN 1 THEN 'absent' WHEN 2 THEN 'excused' WHEN 3 THEN 'late' WHEN 4 THEN 'late'
                    WHEN 5 THEN NULL ELSE 'present' END,
       CASE WHEN h2 % 31 = 3 THEN 1 + h3 % 40 END,
       day::timestamp AT TIME ZONE 'UTC' + (h3 % 400) * INTERVAL '1 minute',
       CASE WHEN h3 % 53 = 0 THEN day::timestamp AT TIME ZONE 'UTC' + INTERVAL '20 hours' END
FROM (
  SELECT i, h2, h3,
         (i - 1) % ({rows} / 100 + 20) + 1 AS student,
         date_trunc('week', now() AT TIME ZONE 'UTC')::date
           - 7 * (1 + nth / 5)::integer + (nth % 5)::integer AS day
  FROM (
    SELECT i,
           (i - 1) / ({rows} / 100 + 20) AS nth,
           h1 * 48271 % 2147483647 AS h2,
           h1 * 69621 % 2147483647 AS h3
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 424243) % 2147483647 AS x
        FROM generate_series(1::bigint, {rows}) AS i
      ) numbered
    ) squared
  ) h
) a;

-- Today's list of school 1: nobody is marked yet.
INSERT INTO attendance (id, school_id, student_id, attendance_date)
SELECT {rows} + id, school_id, id, (now() AT TIME ZONE 'Africa/Nairobi')::date
FROM students
WHERE school_id = 1 AND status = 'active' AND deleted_at IS NULL;

-- A twenty-fifth as many invoices, one per student and term.
INSERT INTO fee_invoices (id, school_id, student_id, term, status, amount, discount, due_on, created_at, deleted_at)
SELECT i,
       student % (6 + {rows} / 50000) + 1,
       student,
       CASE WHEN h2 % 17 <> 0 THEN to_char(due_on::timestamp, 'YYYY-"T"Q') END,
       CASE h3 % 19 WHEN 0 THEN 'draft' WHEN 1 THEN 'void' ELSE 'issued' END,
       (20000 + h2 % 80000) * 0.01,
       CASE WHEN h3 % 9 = 0 THEN (h3 % 10000) * 0.01 END,
       due_on,
       due_on::timestamp AT TIME ZONE 'UTC' - INTERVAL '700 hours',
       CASE WHEN h2 % 43 = 0 THEN due_on::timestamp AT TIME ZONE 'UTC' - INTERVAL '100 hours' END
FROM (
  SELECT i, h2, h3,
         (i - 1) % ({rows} / 100 + 20) + 1 AS student,
         (date_trunc('quarter', now() AT TIME ZONE 'UTC')
           - ((i - 1) / ({rows} / 100 + 20)) * INTERVAL '3 months' + INTERVAL '30 days')::date AS due_on
  FROM (
    SELECT i, h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 909091) % 2147483647 AS x
        FROM generate_series(1::bigint, {rows} / 25) AS i
      ) numbered
    ) squared
  ) h
) f;

-- Payments. First instalment i belongs to invoice i, whatever became of that.
-- Every third invoice has a second one. Some are pending, failed or deleted.
INSERT INTO fee_payments (id, school_id, invoice_id, status, amount, paid_at, deleted_at)
SELECT p.n * ({rows} / 25) + i.id,
       i.school_id,
       i.id,
       CASE (i.id + p.n) % 13 WHEN 0 THEN 'pending' WHEN 1 THEN 'failed' ELSE 'completed' END,
       CASE WHEN i.id % 3 = 0 THEN ROUND(i.amount * 0.4, 2) + p.n * 0.01 ELSE i.amount - COALESCE(i.discount, 0) END,
       i.created_at + (i.id % 900) * INTERVAL '1 hour',
       CASE WHEN (i.id + p.n) % 47 = 0 THEN i.created_at + INTERVAL '950 hours' END
FROM fee_invoices i
JOIN (VALUES (0), (1)) AS p (n) ON p.n = 0 OR i.id % 3 = 0
WHERE i.id % 7 <> 0;

-- Refunds: negative. And money paid in advance: without an invoice.
INSERT INTO fee_payments (id, school_id, invoice_id, status, amount, paid_at)
SELECT 2 * ({rows} / 25) + id, school_id, id, 'completed', -25.50, created_at + INTERVAL '1000 hours'
FROM fee_invoices
WHERE id % 29 = 1;

INSERT INTO fee_payments (id, school_id, invoice_id, status, amount, paid_at)
SELECT 3 * ({rows} / 25) + id, school_id, NULL, 'completed', 100 + id * 0.01, created_at
FROM fee_invoices
WHERE id % 31 = 1;

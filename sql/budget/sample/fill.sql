-- Sample rows of the budget planning, for PostgreSQL. {rows}: lines of the four
-- tables of money together. There are 12 versions, and one more for every 2,500
-- lines; each has about 200 rows of planning.
--
-- Row i is hashed with integers only; no product reaches 2^63, because each value
-- is below 2147483647, the prime modulus. Ids are made of md5, so that the same
-- rows come every time.
--
-- Versions that test something: of 12 one is deleted (its rows are live) and one
-- has no revenue; of 7 one has no enrolment, and of two such one has deleted
-- enrolment only; the last version has no rows at all.

INSERT INTO efir_budget.budget_versions (id, name, fiscal_year, academic_year, status, notes, created_at, updated_at, deleted_at)
SELECT md5('version ' || i)::uuid,
       'Budget ' || (2022 + i % 5) || ' v' || (i / 5 + 1),
       2022 + i % 5,
       (2021 + i % 5) || '-' || (2022 + i % 5),
       CASE i / 5 % 4 WHEN 0 THEN 'approved' WHEN 1 THEN 'working' WHEN 2 THEN 'submitted' ELSE 'superseded' END,
       CASE WHEN i % 3 = 0 THEN 'Prepared with the finance committee' END,
       now() - (i % 400 + 30) * INTERVAL '1 day',
       now() - (i % 29) * INTERVAL '1 day',
       CASE WHEN i % 12 = 9 THEN now() - (i % 20) * INTERVAL '1 day' END
FROM generate_series(1, 12 + {rows} / 2500) AS i;

INSERT INTO efir_budget.academic_levels (id, code, cycle, sort_order) VALUES
  (1, 'PS', 'maternelle', 1), (2, 'MS', 'maternelle', 2), (3, 'GS', 'maternelle', 3),
  (4, 'CP', 'elementaire', 4), (5, 'CE1', 'elementaire', 5), (6, 'CE2', 'elementaire', 6),
  (7, 'CM1', 'elementaire', 7), (8, 'CM2', 'elementaire', 8),
  (9, '6e', 'college', 9), (10, '5e', 'college', 10), (11, '4e', 'college', 11), (12, '3e', 'college', 12),
  (13, '2nde', 'lycee', 13), (14, '1re', 'lycee', 14), (15, 'Tle', 'lycee', 15);

-- copy 0 is the live row, copy 1 a deleted one that it replaced.
INSERT INTO efir_budget.enrollment_plans (id, budget_version_id, level_id, nationality, student_count, notes, updated_at, deleted_at)
SELECT md5('enrollment ' || i || ' ' || l || ' ' || n || ' ' || c)::uuid,
       md5('version ' || i)::uuid,
       l,
       CASE n WHEN 0 THEN 'french' WHEN 1 THEN 'saudi' ELSE 'other' END,
       CASE n WHEN 0 THEN 30 ELSE 8 END + (i * 7919 + l * 104729 + n * 1299709 + c * 31) % 25,
       CASE WHEN (i + l) % 9 = 0 THEN 'Waiting list open' END,
       now() - (i + l) % 60 * INTERVAL '1 day',
       CASE WHEN c = 1 OR i % 14 = 0 THEN now() - (i + l) % 60 * INTERVAL '1 day' END
FROM generate_series(1, 11 + {rows} / 2500) AS i
CROSS JOIN generate_series(1, 15) AS l
CROSS JOIN generate_series(0, 2) AS n
CROSS JOIN generate_series(0, 1) AS c
WHERE (i % 7 <> 0 OR i % 14 = 0)
  AND (c = 0 OR (i + l * 3 + n) % 11 = 0);

INSERT INTO efir_budget.class_structures (id, budget_version_id, level_id, class_count, atsem_count, updated_at, deleted_at)
SELECT md5('classes ' || i || ' ' || l || ' ' || c)::uuid,
       md5('version ' || i)::uuid,
       l,
       2 + (i * 7919 + l * 104729 + c) % 4,
       CASE WHEN l <= 3 THEN 2 + (i + l) % 4 END,
       now() - (i + l) % 60 * INTERVAL '1 day',
       CASE WHEN c = 1 THEN now() - (i + l) % 60 * INTERVAL '1 day' END
FROM generate_series(1, 11 + {rows} / 2500) AS i
CROSS JOIN generate_series(1, 15) AS l
CROSS JOIN generate_series(0, 1) AS c
WHERE i % 7 <> 0
  AND (c = 0 OR (i + l) % 11 = 0);

INSERT INTO efir_budget.dhg_subject_hours (id, budget_version_id, level_id, subject_code, hours_per_class, class_count, total_hours, updated_at, deleted_at)
SELECT md5('hours ' || i || ' ' || l || ' ' || s || ' ' || c)::uuid,
       md5('version ' || i)::uuid,
       l,
       'SUBJECT_' || s,
       0.50 * (2 + (l + s) % 9),
       2 + (i + l) % 4,
       CASE WHEN (i + l * 5 + s) % 53 = 0 THEN NULL ELSE 0.50 * (2 + (l + s) % 9) * (2 + (i + l) % 4) END,
       now() - (i + s) % 60 * INTERVAL '1 day',
       CASE WHEN c = 1 THEN now() - (i + s) % 60 * INTERVAL '1 day' END
FROM generate_series(1, 11 + {rows} / 2500) AS i
CROSS JOIN generate_series(9, 15) AS l
CROSS JOIN generate_series(1, 12) AS s
CROSS JOIN generate_series(0, 1) AS c
WHERE i % 7 <> 0
  AND (c = 0 OR (i + l + s) % 23 = 0);

INSERT INTO efir_budget.dhg_teacher_requirements (id, budget_version_id, subject_code, fte_required, overtime_hours, updated_at, deleted_at)
SELECT md5('requirement ' || i || ' ' || s || ' ' || c)::uuid,
       md5('version ' || i)::uuid,
       'SUBJECT_' || s,
       1.25 + (i * 31 + s * 17 + c) % 300 * 0.01,
       CASE WHEN (i + s) % 4 = 0 THEN NULL ELSE (i + s) % 7 * 0.50 END,
       now() - (i + s) % 60 * INTERVAL '1 day',
       CASE WHEN c = 1 THEN now() - (i + s) % 60 * INTERVAL '1 day' END
FROM generate_series(1, 11 + {rows} / 2500) AS i
CROSS JOIN generate_series(1, 12) AS s
CROSS JOIN generate_series(0, 1) AS c
WHERE i % 7 <> 0
  AND (c = 0 OR (i + s) % 13 = 0);

INSERT INTO efir_budget.teacher_allocations (id, budget_version_id, subject_code, teacher_category, fte_count, updated_at, deleted_at)
SELECT md5('allocation ' || i || ' ' || s || ' ' || n || ' ' || c)::uuid,
       md5('version ' || i)::uuid,
       'SUBJECT_' || s,
       CASE n WHEN 0 THEN 'aefe_detached' WHEN 1 THEN 'aefe_funded' ELSE 'local' END,
       0.25 * ((i * 31 + s * 17 + n * 5 + c) % 9),
       now() - (i + s) % 60 * INTERVAL '1 day',
       CASE WHEN c = 1 THEN now() - (i + s) % 60 * INTERVAL '1 day' END
FROM generate_series(1, 11 + {rows} / 2500) AS i
CROSS JOIN generate_series(1, 12) AS s
CROSS JOIN generate_series(0, 2) AS n
CROSS JOIN generate_series(0, 1) AS c
WHERE i % 7 <> 0
  AND (c = 0 OR (i + s + n) % 17 = 0);

-- Money: 25 of 100 lines are revenue, 35 personnel, 32 operating, 8 capital. One in
-- 20 is deleted, a few correct another line and are negative.
INSERT INTO efir_budget.revenue_plans (id, budget_version_id, account_code, revenue_type, period, amount_sar, notes, updated_at, deleted_at)
SELECT md5('revenue ' || h.i)::uuid,
       md5('version ' || h.version)::uuid,
       CASE h.h2 % 8 WHEN 0 THEN '70110' WHEN 1 THEN '70120' WHEN 2 THEN '70130' WHEN 3 THEN '70140'
                     WHEN 4 THEN '70200' WHEN 5 THEN '70210' WHEN 6 THEN '74000' ELSE '75800' END,
       CASE WHEN h.h2 % 8 < 4 THEN 'tuition' WHEN h.h2 % 8 < 6 THEN 'fee' ELSE 'other' END,
       h.h3 % 12 + 1,
       CASE WHEN h.h3 % 97 = 0 THEN -0.01 ELSE 0.01 END * (h.h3 % 20000000 + 1),
       CASE WHEN h.h2 % 30 = 0 THEN 'Rate increase included' END,
       now() - h.h2 % 90 * INTERVAL '1 day',
       CASE WHEN h.h3 % 20 = 0 THEN now() - h.h2 % 90 * INTERVAL '1 day' END
FROM (
  SELECT i, h1 % (11 + {rows} / 2500) + 1 AS version,
         h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT i, (i * 1103515245 + 12345) % 2147483647 AS x
      FROM generate_series(1::bigint, {rows} * 25 / 100) AS i
    ) numbered
  ) squared
) h
WHERE h.version % 12 <> 3;

INSERT INTO efir_budget.personnel_cost_plans (id, budget_version_id, account_code, period, fte_count, total_cost_sar, updated_at, deleted_at)
SELECT md5('personnel ' || h.i)::uuid,
       md5('version ' || h.version)::uuid,
       CASE h.h2 % 6 WHEN 0 THEN '64110' WHEN 1 THEN '64120' WHEN 2 THEN '64130'
                     WHEN 3 THEN '64500' WHEN 4 THEN '64700' ELSE '62100' END,
       h.h3 % 12 + 1,
       CASE WHEN h.h2 % 6 < 3 THEN 0.25 * (h.h3 % 16 + 1) END,
       CASE WHEN h.h3 % 67 = 0 THEN NULL ELSE 0.01 * (h.h3 % 8000000 + 1) END,
       now() - h.h2 % 90 * INTERVAL '1 day',
       CASE WHEN h.h3 % 20 = 0 THEN now() - h.h2 % 90 * INTERVAL '1 day' END
FROM (
  SELECT i, h1 % (11 + {rows} / 2500) + 1 AS version,
         h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT i, (i * 1103515245 + 54321) % 2147483647 AS x
      FROM generate_series(1::bigint, {rows} * 35 / 100) AS i
    ) numbered
  ) squared
) h;

-- 62100 is an account of personnel, 61500 one of capital too.
INSERT INTO efir_budget.operating_cost_plans (id, budget_version_id, account_code, cost_category, period, amount_sar, updated_at, deleted_at)
SELECT md5('operating ' || h.i)::uuid,
       md5('version ' || h.version)::uuid,
       CASE WHEN h.h3 % 41 = 0 THEN NULL
            ELSE CASE h.h2 % 7 WHEN 0 THEN '60600' WHEN 1 THEN '61300' WHEN 2 THEN '61500' WHEN 3 THEN '62100'
                               WHEN 4 THEN '62500' WHEN 5 THEN '62600' ELSE '62800' END END,
       CASE h.h2 % 7 WHEN 0 THEN 'supplies' WHEN 1 THEN 'rent' WHEN 2 THEN 'maintenance' ELSE 'services' END,
       h.h3 % 12 + 1,
       CASE WHEN h.h3 % 89 = 0 THEN -0.01 ELSE 0.01 END * (h.h3 % 3000000 + 1),
       now() - h.h2 % 90 * INTERVAL '1 day',
       CASE WHEN h.h3 % 20 = 0 THEN now() - h.h2 % 90 * INTERVAL '1 day' END
FROM (
  SELECT i, h1 % (11 + {rows} / 2500) + 1 AS version,
         h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT i, (i * 1103515245 + 99991) % 2147483647 AS x
      FROM generate_series(1::bigint, {rows} * 32 / 100) AS i
    ) numbered
  ) squared
) h;

INSERT INTO efir_budget.capex_plans (id, budget_version_id, account_code, description, quantity, unit_cost_sar, total_cost_sar, acquired_on, updated_at, deleted_at)
SELECT md5('capex ' || h.i)::uuid,
       md5('version ' || h.version)::uuid,
       CASE h.h2 % 4 WHEN 0 THEN '20500' WHEN 1 THEN '21500' WHEN 2 THEN '21800' ELSE '61500' END,
       CASE h.h2 % 4 WHEN 0 THEN 'Software' WHEN 1 THEN 'Laboratory' WHEN 2 THEN 'Computers' ELSE 'Building repair' END,
       (h.h3 % 20 + 1)::integer,
       0.01 * (h.h2 % 900000 + 1),
       0.01 * (h.h2 % 900000 + 1) * (h.h3 % 20 + 1),
       CASE WHEN h.h2 % 3 > 0 THEN (now() AT TIME ZONE 'Asia/Riyadh')::date + (h.h3 % 300)::integer END,
       now() - h.h2 % 90 * INTERVAL '1 day',
       CASE WHEN h.h3 % 20 = 0 THEN now() - h.h2 % 90 * INTERVAL '1 day' END
FROM (
  SELECT i, h1 % (11 + {rows} / 2500) + 1 AS version,
         h1 * 48271 % 2147483647 AS h2, h1 * 69621 % 2147483647 AS h3
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT i, (i * 1103515245 + 777) % 2147483647 AS x
      FROM generate_series(1::bigint, {rows} * 8 / 100) AS i
    ) numbered
  ) squared
) h;

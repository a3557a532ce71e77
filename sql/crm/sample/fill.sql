-- Sample rows of the CRM. {rows}: number of orders, other tables in proportion.
-- The same rows for the same {rows}, but times count back from now.
--
-- Row i is hashed with integers only. Every product stays below 2^63: each
-- value is below 2147483647, the prime modulus. Squaring makes the hash
-- irregular, the multipliers make four almost independent numbers of it.
-- Organisations 1 to 10 + {rows} / 10000 have customers and orders. The last but
-- one has no orders, the last one has nothing. Organisation 4 is soft-deleted.

INSERT INTO organizations (id, name, created_at, deleted_at)
SELECT ('00000000-0000-4000-8000-' || LPAD(n::text, 12, '0'))::uuid,
       'Organisation ' || n,
       now() - INTERVAL '30000 hours',
       CASE WHEN n = 4 THEN now() - INTERVAL '500 hours' END
FROM generate_series(1, 12 + {rows} / 10000) AS n;

-- Customer c belongs to organisation (c - 1) % organisations + 1.
INSERT INTO customers (id, organization_id, name, created_at, deleted_at)
SELECT c,
       ('00000000-0000-4000-8000-' || LPAD(((c - 1) % (10 + {rows} / 10000) + 1)::text, 12, '0'))::uuid,
       'Customer ' || c,
       now() - INTERVAL '25000 hours',
       CASE WHEN c % 31 = 0 THEN now() - INTERVAL '300 hours' END
FROM generate_series(1, (10 + {rows} / 10000) * (20 + {rows} / 400)) AS c;

-- Over 900 days, so that some lie before the two years. Some have no total or no
-- customer, some are deleted. Of one day, 100 days ago, all are.
INSERT INTO orders (id, organization_id, customer_id, order_number, status, total, created_at, updated_at, deleted_at)
SELECT i,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       CASE WHEN h4 % 29 <> 0 THEN org + (10 + {rows} / 10000) * (h3 % (20 + {rows} / 400)) END,
       'SO-' || i,
       status,
       CASE WHEN status <> 'draft' OR h3 % 3 <> 0 THEN (h4 / 11 % 250000 + 1) * 0.01 END,
       created_at,
       LEAST(created_at + (h3 % 72) * INTERVAL '1 hour', now()),
       CASE WHEN h3 % 37 = 0
              OR (created_at AT TIME ZONE 'Australia/Sydney')::date = (now() AT TIME ZONE 'Australia/Sydney')::date - 100
            THEN LEAST(created_at + (h4 % 500) * INTERVAL '1 hour', now()) END
FROM (
  SELECT i, h3, h4,
         h1 % (10 + {rows} / 10000) + 1 AS org,
         now() - (h2 % 77760000) * INTERVAL '1 second' AS created_at,
         CASE h4 % 11 WHEN 0 THEN 'draft' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'confirmed' WHEN 3 THEN 'confirmed'
                      ELSE 'delivered' END AS status
  FROM (
    SELECT i, h1,
           h1 * 48271 % 2147483647 AS h2,
           h1 * 69621 % 2147483647 AS h3,
           h1 * 39373 % 2147483647 AS h4
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 12345) % 2147483647 AS x
        FROM generate_series(1::bigint, {rows}) AS i
      ) numbered
    ) squared
  ) hashed
) o;

-- A fourth as many opportunities as orders. A value or a probability may be
-- missing. Values have cents, so a weighted value has four decimals.
INSERT INTO opportunities (id, organization_id, customer_id, title, stage, value, probability, created_at, updated_at,
                           closed_at, deleted_at)
SELECT i,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       CASE WHEN org <= 10 + {rows} / 10000 AND h4 % 17 <> 0
            THEN org + (10 + {rows} / 10000) * (h3 % (20 + {rows} / 400)) END,
       'Opportunity ' || i,
       stage,
       CASE WHEN h3 % 23 <> 0 THEN (h4 / 7 % 5000000 + 1) * 0.01 END,
       CASE WHEN h3 % 19 <> 0
            THEN CASE stage WHEN 'lead' THEN 5 + h2 % 11 WHEN 'qualified' THEN 20 + h2 % 21 WHEN 'proposal' THEN 45 + h2 % 11
                            WHEN 'negotiation' THEN 70 + h2 % 21 WHEN 'won' THEN 100 ELSE 0 END END,
       created_at,
       LEAST(created_at + (h3 % 900) * INTERVAL '1 hour', now()),
       CASE WHEN stage IN ('won', 'lost') THEN LEAST(created_at + (h3 % 900) * INTERVAL '1 hour', now()) END,
       CASE WHEN h3 % 41 = 0 THEN LEAST(created_at + (h4 % 500) * INTERVAL '1 hour', now()) END
FROM (
  SELECT i, h2, h3, h4,
         h1 % (11 + {rows} / 10000) + 1 AS org,
         now() - (h2 % 77760000) * INTERVAL '1 second' AS created_at,
         CASE h4 % 7 WHEN 0 THEN 'lead' WHEN 1 THEN 'qualified' WHEN 2 THEN 'proposal' WHEN 3 THEN 'negotiation'
                     WHEN 4 THEN 'lost' ELSE 'won' END AS stage
  FROM (
    SELECT i, h1,
           h1 * 48271 % 2147483647 AS h2,
           h1 * 69621 % 2147483647 AS h3,
           h1 * 39373 % 2147483647 AS h4
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 777771) % 2147483647 AS x
        FROM generate_series(1::bigint, {rows} / 4) AS i
      ) numbered
    ) squared
  ) hashed
) o;

-- A fourth as many jobs, from 900 days ago to 60 days ahead. One in thirteen has
-- no date yet.
INSERT INTO jobs (id, organization_id, order_id, title, status, scheduled_date, estimated_hours, created_at, updated_at,
                  deleted_at)
SELECT i,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       CASE WHEN h4 % 5 <> 0 THEN h3 % {rows} + 1 END,
       'Job ' || i,
       CASE WHEN h4 % 13 = 0 THEN 'unscheduled'
            WHEN h4 % 13 = 1 THEN 'cancelled'
            WHEN scheduled_date > now() THEN 'scheduled'
            WHEN scheduled_date > now() - INTERVAL '96 hours' OR h3 % 43 = 0 THEN 'in_progress'
            ELSE 'completed' END,
       CASE WHEN h4 % 13 <> 0 THEN scheduled_date END,
       CASE WHEN h3 % 17 <> 0 THEN (h4 / 13 % 160 + 1) * 0.25 END,
       LEAST(scheduled_date, now()) - INTERVAL '200 hours',
       LEAST(scheduled_date, now()) - INTERVAL '100 hours',
       CASE WHEN h3 % 47 = 0 THEN LEAST(scheduled_date, now()) - INTERVAL '90 hours' END
FROM (
  SELECT i, h3, h4,
         h1 % (11 + {rows} / 10000) + 1 AS org,
         now() + INTERVAL '1440 hours' - (h2 % 82944000) * INTERVAL '1 second' AS scheduled_date
  FROM (
    SELECT i, h1,
           h1 * 48271 % 2147483647 AS h2,
           h1 * 69621 % 2147483647 AS h3,
           h1 * 39373 % 2147483647 AS h4
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 424243) % 2147483647 AS x
        FROM generate_series(1::bigint, {rows} / 4) AS i
      ) numbered
    ) squared
  ) hashed
) o;

-- A tenth as many warranty claims. One in nine has no type yet.
INSERT INTO warranty_claims (id, organization_id, order_id, type, status, created_at, updated_at, resolved_at, deleted_at)
SELECT i,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       CASE WHEN h4 % 8 <> 0 THEN h3 % {rows} + 1 END,
       CASE h4 % 9 WHEN 0 THEN NULL WHEN 1 THEN 'battery' WHEN 2 THEN 'inverter' WHEN 3 THEN 'installation'
                   ELSE 'product' END,
       status,
       created_at,
       closed,
       CASE WHEN status IN ('resolved', 'rejected') THEN closed END,
       CASE WHEN h3 % 31 = 0 THEN LEAST(closed + INTERVAL '5 hours', now()) END
FROM (
  SELECT i, org, h3, h4, created_at, status,
         LEAST(created_at + (h3 % 1500000) * INTERVAL '1 second', now()) AS closed
  FROM (
    SELECT i, h3, h4,
           h1 % (11 + {rows} / 10000) + 1 AS org,
           now() - (h2 % 77760000) * INTERVAL '1 second' AS created_at,
           CASE h4 % 10 WHEN 0 THEN 'open' WHEN 1 THEN 'open' WHEN 2 THEN 'in_review' WHEN 3 THEN 'rejected'
                        ELSE 'resolved' END AS status
    FROM (
      SELECT i, h1,
             h1 * 48271 % 2147483647 AS h2,
             h1 * 69621 % 2147483647 AS h3,
             h1 * 39373 % 2147483647 AS h4
      FROM (
        SELECT i, x * x % 2147483647 AS h1
        FROM (
          SELECT i, (i * 1103515245 + 909091) % 2147483647 AS x
          FROM generate_series(1::bigint, {rows} / 10) AS i
        ) numbered
      ) squared
    ) hashed
  ) c
) o;

-- The first moment and the last millisecond of today, yesterday, a day a month
-- ago, both days at the two-year limit, and every day on which the clocks change
-- (first Sunday of April and of October) with its neighbours.
-- On these also the hours around 02:00 to 03:00, which the local clock skips in
-- October and shows twice in April: counted in hours that really passed since
-- midnight. A moment still to come is left out.
INSERT INTO dashagg_demo_instants (n, instant, local_day)
SELECT ROW_NUMBER() OVER (ORDER BY instant), instant, local_day
FROM (
  SELECT local_day,
         local_day::timestamp AT TIME ZONE 'Australia/Sydney' AS instant
  FROM (
    SELECT (now() AT TIME ZONE 'Australia/Sydney')::date - back AS local_day
    FROM (VALUES (0), (1), (30)) AS days (back)
    UNION
    SELECT ((now() AT TIME ZONE 'Australia/Sydney')::date - INTERVAL '2 years')::date - back
    FROM (VALUES (0), (1)) AS days (back)
    UNION
    SELECT first_day + (7 - EXTRACT(DOW FROM first_day)::integer) % 7 + near
    FROM (
      SELECT make_date(EXTRACT(YEAR FROM now() AT TIME ZONE 'Australia/Sydney')::integer - back, month, 1) AS first_day
      FROM (VALUES (0), (1), (2)) AS years (back)
      CROSS JOIN (VALUES (4), (10)) AS months (month)
    ) f
    CROSS JOIN (VALUES (-1), (0), (1)) AS neighbours (near)
  ) d
  UNION
  SELECT local_day,
         (local_day + 1)::timestamp AT TIME ZONE 'Australia/Sydney' - INTERVAL '1 millisecond'
  FROM (
    SELECT (now() AT TIME ZONE 'Australia/Sydney')::date - back AS local_day
    FROM (VALUES (1), (2), (31)) AS days (back)
    UNION
    SELECT ((now() AT TIME ZONE 'Australia/Sydney')::date - INTERVAL '2 years')::date - back
    FROM (VALUES (0), (1)) AS days (back)
    UNION
    SELECT first_day + (7 - EXTRACT(DOW FROM first_day)::integer) % 7 + near
    FROM (
      SELECT make_date(EXTRACT(YEAR FROM now() AT TIME ZONE 'Australia/Sydney')::integer - back, month, 1) AS first_day
      FROM (VALUES (0), (1), (2)) AS years (back)
      CROSS JOIN (VALUES (4), (10)) AS months (month)
    ) f
    CROSS JOIN (VALUES (-1), (0), (1)) AS neighbours (near)
  ) d
  UNION
  SELECT local_day,
         local_day::timestamp AT TIME ZONE 'Australia/Sydney' + passed::interval
  FROM (
    SELECT first_day + (7 - EXTRACT(DOW FROM first_day)::integer) % 7 AS local_day
    FROM (
      SELECT make_date(EXTRACT(YEAR FROM now() AT TIME ZONE 'Australia/Sydney')::integer - back, month, 1) AS first_day
      FROM (VALUES (0), (1), (2)) AS years (back)
      CROSS JOIN (VALUES (4), (10)) AS months (month)
    ) f
  ) d
  CROSS JOIN (VALUES ('01:59:59.999'), ('02:00'), ('02:30'), ('03:00'), ('03:30')) AS times (passed)
) e
WHERE instant <= now();

-- Rows at these moments, in organisations 1 to 3. Their ids follow the others'.
INSERT INTO orders (id, organization_id, customer_id, order_number, status, total, created_at, updated_at, deleted_at)
SELECT {rows} + (n - 1) * 3 + org,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       org,
       'EDGE-' || n,
       'delivered',
       n + org * 0.01,
       instant,
       instant,
       NULL
FROM dashagg_demo_instants
CROSS JOIN generate_series(1, 3) AS org;

INSERT INTO opportunities (id, organization_id, customer_id, title, stage, value, probability, created_at, updated_at)
SELECT {rows} / 4 + (n - 1) * 3 + org,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       org,
       'EDGE-' || n,
       'proposal',
       n + org * 0.01,
       50 + org,
       instant,
       instant
FROM dashagg_demo_instants
CROSS JOIN generate_series(1, 3) AS org;

INSERT INTO jobs (id, organization_id, title, status, scheduled_date, estimated_hours, created_at, updated_at)
SELECT {rows} / 4 + (n - 1) * 3 + org,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       'EDGE-' || n,
       'completed',
       instant,
       org * 0.25,
       instant - INTERVAL '50 hours',
       instant
FROM dashagg_demo_instants
CROSS JOIN generate_series(1, 3) AS org;

INSERT INTO warranty_claims (id, organization_id, type, status, created_at, updated_at, resolved_at)
SELECT {rows} / 10 + (n - 1) * 3 + org,
       ('00000000-0000-4000-8000-' || LPAD(org::text, 12, '0'))::uuid,
       'product',
       'resolved',
       instant,
       instant + org * INTERVAL '10 minutes',
       instant + org * INTERVAL '10 minutes'
FROM dashagg_demo_instants
CROSS JOIN generate_series(1, 3) AS org;

-- Sample rows of the ERP, for PostgreSQL. {rows}: rows of all tables together,
-- roughly; of 100 rows 15 are orders, 60 work orders, 15 inspections, 10 tickets.
--
-- Row i is hashed with integers only; no product reaches 2^63, because each value
-- is below 2147483647, the prime modulus. Times count back from now(), over 180
-- days; some rows are moved into the last days, so that a small sample has some.

INSERT INTO departments (id, code, name, sequence, is_production) VALUES
  (1, 'CUT',  'Cutting',         10, TRUE),
  (2, 'SEW',  'Sewing',          20, TRUE),
  (3, 'FIN',  'Finishing',       30, TRUE),
  (4, 'PACK', 'Packing',         40, TRUE),
  (5, 'QC',   'Quality control', 50, FALSE),
  (6, 'WH',   'Warehouse',       60, FALSE);

-- An order takes half a day to 20 days. One in 25 is cancelled, one in 50 never
-- ends, one in 40 of the finished ones has no completion time.
INSERT INTO manufacturing_orders (id, mo_number, product_code, quantity, state, due_on, created_at, completed_at)
SELECT s.i,
       'MO-' || LPAD(s.i::text, 7, '0'),
       'TOY-' || (1000 + s.h1 % 240)::text,
       50 + s.h1 % 40 * 25,
       s.state,
       CASE WHEN s.state = 'draft' THEN NULL
            ELSE ((s.created_at + s.lead * INTERVAL '1 minute') AT TIME ZONE 'Asia/Jakarta')::date END,
       s.created_at,
       CASE WHEN s.state = 'done' AND s.i % 40 <> 7 THEN s.created_at + s.lead * INTERVAL '1 minute' END
FROM (
  SELECT h.i, h.h1, h.lead,
         now() - h.age * INTERVAL '1 minute' - h.h4 % 60 * INTERVAL '1 second' AS created_at,
         CASE WHEN h.h4 % 25 = 0      THEN 'cancelled'
              WHEN h.h4 % 50 = 1      THEN 'in_progress'
              WHEN h.age >= h.lead    THEN 'done'
              WHEN h.age > h.lead / 4 THEN 'in_progress'
              WHEN h.age > 600        THEN 'confirmed'
              ELSE 'draft' END AS state
  FROM (
    SELECT i, h1,
           CASE WHEN i % 12 = 0 THEN h1 * 48271 % 2147483647 % 10080
                ELSE h1 * 48271 % 2147483647 % 259200 END AS age,
           720 + h1 * 69621 % 2147483647 % 28800          AS lead,
           h1 * 39373 % 2147483647                        AS h4
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 12345) % 2147483647 AS x
        FROM generate_series(1::bigint, GREATEST({rows} * 15 / 100, 20)) AS i
      ) numbered
    ) squared
  ) h
) s;

-- Four for each order that is not a draft. The order in progress has passed 0 to
-- 3 departments and is in the next one; some departments make more than asked.
INSERT INTO work_orders (id, mo_id, department_id, status, target_qty, output_qty, reject_qty, started_at, finished_at)
SELECT (w.mo_id - 1) * 4 + w.department_id,
       w.mo_id,
       w.department_id,
       w.status,
       w.quantity,
       CASE w.status WHEN 'done'        THEN w.quantity + w.h2 % 9 - 3
                     WHEN 'in_progress' THEN w.quantity * (5 + w.h2 % 90) / 100
                     ELSE 0 END,
       CASE w.status WHEN 'waiting' THEN NULL ELSE w.h2 % 6 END,
       CASE w.status WHEN 'waiting' THEN NULL
            ELSE w.created_at + (now() - w.created_at) * (w.department_id - 1) / 8 END,
       CASE w.status WHEN 'done' THEN w.created_at + (now() - w.created_at) * w.department_id / 8 END
FROM (
  SELECT m.id AS mo_id, d.id AS department_id, m.quantity, m.created_at,
         CASE WHEN m.state = 'done'                                        THEN 'done'
              WHEN m.state = 'confirmed'                                   THEN 'waiting'
              WHEN d.id <= m.h1 % 4                                        THEN 'done'
              WHEN m.state = 'in_progress' AND d.id = m.h1 % 4 + 1         THEN 'in_progress'
              ELSE 'waiting' END AS status,
         (m.h1 * 48271 + d.id * 69621) % 2147483647 AS h2
  FROM (
    SELECT id, quantity, state, created_at, (id * 1103515245 + 777) % 2147483647 AS h1
    FROM manufacturing_orders
    WHERE state <> 'draft'
  ) m
  CROSS JOIN departments d
  WHERE d.is_production
) w;

-- Between the creation of the order and now. Times are whole minutes, so that
-- some alerts have the same time. One in three belongs to no work order.
INSERT INTO quality_inspections (id, mo_id, work_order_id, inspection_type, result, severity, disposition, created_at, inspected_at)
SELECT q.i,
       q.mo_id,
       CASE WHEN q.h3 % 3 = 0 THEN NULL ELSE w.id END,
       CASE q.h3 % 3 WHEN 0 THEN 'final' WHEN 1 THEN 'inline' ELSE 'metal detector' END,
       q.result,
       CASE WHEN q.result = 'fail' THEN
         CASE WHEN q.h2 % 10 < 6 THEN 'minor' WHEN q.h2 % 10 < 9 THEN 'major' ELSE 'critical' END
       END,
       CASE WHEN q.result = 'fail' AND (q.created_at < now() - INTERVAL '3 days' AND q.h3 % 40 > 0 OR q.h3 % 6 = 0) THEN
         CASE q.h2 % 3 WHEN 0 THEN 'rework' WHEN 1 THEN 'scrap' ELSE 'accepted' END
       END,
       q.created_at,
       CASE WHEN q.result IS NOT NULL THEN
         date_trunc('minute', q.created_at + LEAST((now() - q.created_at) * 0.9, q.h2 % 600 * INTERVAL '1 minute'))
       END
FROM (
  SELECT p.i, p.mo_id, p.h2, p.h3, p.created_at,
         CASE WHEN p.h2 % 150 = 0                                                   THEN NULL
              WHEN p.created_at > now() - INTERVAL '2 days' AND p.h3 % 5 < 2        THEN NULL
              WHEN p.h2 % 100 < 12                                                  THEN 'fail'
              ELSE 'pass' END AS result
  FROM (
    SELECT h.i, m.id AS mo_id, h.h2, h.h3,
           CASE WHEN h.i % 10 = 0 AND m.created_at < now() - INTERVAL '2 days'
                THEN date_trunc('minute', now() - h.h2 % 2880 * INTERVAL '1 minute')
                ELSE date_trunc('minute', m.created_at + (now() - m.created_at) * (h.h3 % 1000) / 1000) END AS created_at
    FROM (
      SELECT i, h1,
             h1 * 48271 % 2147483647 AS h2,
             h1 * 69621 % 2147483647 AS h3
      FROM (
        SELECT i, x * x % 2147483647 AS h1
        FROM (
          SELECT i, (i * 1103515245 + 54321) % 2147483647 AS x
          FROM generate_series(1::bigint, GREATEST({rows} * 15 / 100, 20)) AS i
        ) numbered
      ) squared
    ) h
    JOIN manufacturing_orders m ON m.id = h.h1 % GREATEST({rows} * 15 / 100, 20) + 1
  ) p
) q
LEFT JOIN work_orders w ON w.id = (q.mo_id - 1) * 4 + q.h2 % 4 + 1;

-- One in ten is of the last two days. Some belong to no order or no department.
INSERT INTO tickets (id, mo_id, department_id, title, priority, status, created_at, resolved_at)
SELECT t.i,
       t.mo_id,
       CASE WHEN t.h3 % 4 = 0 THEN NULL ELSE t.h3 % 6 + 1 END,
       CASE t.h2 % 5 WHEN 0 THEN 'Material is missing' WHEN 1 THEN 'Machine has stopped'
                     WHEN 2 THEN 'Quantity differs'    WHEN 3 THEN 'Label is wrong'
                     ELSE 'Order is late' END,
       t.priority,
       t.status,
       t.created_at,
       CASE WHEN t.status IN ('resolved', 'closed') THEN t.created_at + (now() - t.created_at) * (1 + t.h2 % 90) / 100 END
FROM (
  SELECT h.i, h.h2, h.h3,
         CASE WHEN h.h2 % 5 = 0 THEN NULL ELSE h.h1 % GREATEST({rows} * 15 / 100, 20) + 1 END AS mo_id,
         CASE WHEN h.h3 % 100 < 4  THEN 'critical' WHEN h.h3 % 100 < 20 THEN 'high'
              WHEN h.h3 % 100 < 60 THEN 'medium'   ELSE 'low' END AS priority,
         CASE WHEN h.age < 2880 AND h.h2 % 10 < 5 OR h.h2 % 33 = 0 THEN 'open'
              WHEN h.age < 2880 AND h.h2 % 10 < 7                  THEN 'in_progress'
              WHEN h.h2 % 2 = 0                                    THEN 'resolved'
              ELSE 'closed' END AS status,
         date_trunc('minute', now() - h.age * INTERVAL '1 minute') AS created_at
  FROM (
    SELECT i, h1,
           h1 * 48271 % 2147483647 AS h2,
           h1 * 69621 % 2147483647 AS h3,
           CASE WHEN i % 10 = 0 THEN h1 * 39373 % 2147483647 % 2880
                ELSE h1 * 39373 % 2147483647 % 259200 END AS age
    FROM (
      SELECT i, x * x % 2147483647 AS h1
      FROM (
        SELECT i, (i * 1103515245 + 99991) % 2147483647 AS x
        FROM generate_series(1::bigint, GREATEST({rows} * 10 / 100, 20)) AS i
      ) numbered
    ) squared
  ) h
) t;

-- Sample rows of financials, the same on every engine.
-- {lo} and {hi}: row numbers, from 0, {hi} exclusive; {alo} and {ahi}: {lo} and
-- {hi} - 1 divided by 10000; {asins}: number of ASINs; {seed}: 0 to 1000000.
--
-- Row i is hashed with integers only. Every product stays below 2^63: each
-- value is below 2147483647, the prime modulus. Squaring makes the hash
-- irregular; the multipliers make four almost independent numbers of it.
-- Sales bring 0.01 to 500.00, costs take 0.01 to 100.00.

INSERT INTO financials (id, asin, marketplace, month, metric, amount, updated_at)
SELECT h.i + 1,
       REPLACE('B0#', '#', CAST(10000000 + h.h1 % {asins} AS CHAR(8))),
       CASE h.h2 % 4 WHEN 0 THEN 'US' WHEN 1 THEN 'CA' WHEN 2 THEN 'UK' ELSE 'DE' END,
       m.month,
       CASE h.h2 % 5 WHEN 0 THEN 'sales' WHEN 1 THEN 'refunds' WHEN 2 THEN 'fees'
                     WHEN 3 THEN 'ads' ELSE 'cogs' END,
       CASE h.h2 % 5 WHEN 0 THEN h.h4 % 50000 + 1 ELSE -(h.h4 % 10000 + 1) END * m.cent,
       '2026-01-01 00:00:00'
FROM (
  SELECT i,
         h1,
         h1 * 48271 % 2147483647 AS h2,
         h1 * 69621 % 2147483647 AS h3,
         h1 * 39373 % 2147483647 AS h4
  FROM (
    SELECT i, x * x % 2147483647 AS h1
    FROM (
      SELECT a.n * 10000 + b.n AS i,
             ((a.n * 10000 + b.n + 1) * 1103515245 + {seed} * 5000000029) % 2147483647 AS x
      FROM dashagg_demo_numbers a
      CROSS JOIN dashagg_demo_numbers b
      WHERE a.n BETWEEN {alo} AND {ahi}
    ) numbered
    WHERE i >= {lo} AND i < {hi}
  ) squared
) h
JOIN dashagg_demo_months m ON m.n = h.h3 % 36;

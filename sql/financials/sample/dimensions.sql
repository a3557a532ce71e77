-- 50 brands, 10 categories and the products, the same on every engine.
-- {asins}: number of ASINs; {seed}: any integer from 0 to 1000000.
-- One ASIN in a hundred has no product: its money is "unassigned".
-- REPLACE with a CAST stands for concatenation, which is not portable.

INSERT INTO brands (id, name)
SELECT n, REPLACE('Brand #', '#', CAST(n AS CHAR(4)))
FROM dashagg_demo_numbers
WHERE n BETWEEN 1 AND 50;

INSERT INTO categories (id, name)
SELECT n, REPLACE('Category #', '#', CAST(n AS CHAR(4)))
FROM dashagg_demo_numbers
WHERE n BETWEEN 1 AND 10;

INSERT INTO products (asin, brand_id, category_id)
SELECT REPLACE('B0#', '#', CAST(10000000 + i AS CHAR(8))),
       (i + {seed}) % 50 + 1,
       (i * 7919 + {seed}) % 1009 % 10 + 1
FROM (
  SELECT a.n * 10000 + b.n AS i
  FROM dashagg_demo_numbers a
  CROSS JOIN dashagg_demo_numbers b
  WHERE a.n * 10000 < {asins}
) numbered
WHERE i < {asins}
  AND (i + {seed}) % 100 <> 17;

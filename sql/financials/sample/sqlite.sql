-- Source tables of the sample, for SQLite. They belong to the host application:
-- only `dashagg demo` and the tests create them.
-- financials has its primary key only: further indexes are added by `create`.
-- amount is in cents: SQLite has no exact decimal type.

CREATE TABLE financials (
  id          INTEGER PRIMARY KEY,
  asin        TEXT NOT NULL,
  marketplace TEXT NOT NULL,
  month       TEXT NOT NULL CHECK (month IS date(month, '+0 days')),
  metric      TEXT NOT NULL,
  amount      INTEGER NOT NULL,  -- cents
  updated_at  TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE products (
  asin        TEXT NOT NULL PRIMARY KEY,
  brand_id    INTEGER NOT NULL,
  category_id INTEGER NOT NULL
) STRICT;

CREATE TABLE brands (
  id   INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE TABLE categories (
  id   INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

-- Helpers of the fill: the numbers 0..9999, and the 36 months 2023-01..2025-12
-- with the value of one cent in the amount column.
CREATE TABLE dashagg_demo_numbers (
  n INTEGER NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE dashagg_demo_months (
  n     INTEGER NOT NULL PRIMARY KEY,
  month TEXT NOT NULL,
  cent  INTEGER NOT NULL
) STRICT;

INSERT INTO dashagg_demo_numbers (n) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);

INSERT INTO dashagg_demo_numbers (n)
SELECT a.n * 1000 + b.n * 100 + c.n * 10 + d.n
FROM dashagg_demo_numbers a
CROSS JOIN dashagg_demo_numbers b
CROSS JOIN dashagg_demo_numbers c
CROSS JOIN dashagg_demo_numbers d
WHERE a.n * 1000 + b.n * 100 + c.n * 10 + d.n > 9;

INSERT INTO dashagg_demo_months (n, month, cent) VALUES
  (0, '2023-01-01', 1), (1, '2023-02-01', 1), (2, '2023-03-01', 1),
  (3, '2023-04-01', 1), (4, '2023-05-01', 1), (5, '2023-06-01', 1),
  (6, '2023-07-01', 1), (7, '2023-08-01', 1), (8, '2023-09-01', 1),
  (9, '2023-10-01', 1), (10, '2023-11-01', 1), (11, '2023-12-01', 1),
  (12, '2024-01-01', 1), (13, '2024-02-01', 1), (14, '2024-03-01', 1),
  (15, '2024-04-01', 1), (16, '2024-05-01', 1), (17, '2024-06-01', 1),
  (18, '2024-07-01', 1), (19, '2024-08-01', 1), (20, '2024-09-01', 1),
  (21, '2024-10-01', 1), (22, '2024-11-01', 1), (23, '2024-12-01', 1),
  (24, '2025-01-01', 1), (25, '2025-02-01', 1), (26, '2025-03-01', 1),
  (27, '2025-04-01', 1), (28, '2025-05-01', 1), (29, '2025-06-01', 1),
  (30, '2025-07-01', 1), (31, '2025-08-01', 1), (32, '2025-09-01', 1),
  (33, '2025-10-01', 1), (34, '2025-11-01', 1), (35, '2025-12-01', 1);

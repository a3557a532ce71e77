-- Source tables of the sample, for MySQL and MariaDB. They belong to the host application:
-- only `dashagg demo` and the tests create them.
-- financials has its primary key only: further indexes are added by `create`.

CREATE TABLE financials (
  id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  asin        VARCHAR(32) NOT NULL,
  marketplace VARCHAR(32) NOT NULL,
  month       DATE NOT NULL,
  metric      VARCHAR(32) NOT NULL,
  amount      DECIMAL(12,2) NOT NULL,
  updated_at  DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE products (
  asin        VARCHAR(32) NOT NULL PRIMARY KEY,
  brand_id    BIGINT NOT NULL,
  category_id BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE brands (
  id   BIGINT NOT NULL PRIMARY KEY,
  name VARCHAR(64) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE categories (
  id   BIGINT NOT NULL PRIMARY KEY,
  name VARCHAR(64) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Helpers of the fill: the numbers 0..9999, and the 36 months 2023-01..2025-12
-- with the value of one cent in the amount column.
CREATE TABLE dashagg_demo_numbers (
  n BIGINT NOT NULL PRIMARY KEY
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE dashagg_demo_months (
  n     BIGINT NOT NULL PRIMARY KEY,
  month DATE NOT NULL,
  cent  DECIMAL(3,2) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO dashagg_demo_numbers (n) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);

INSERT INTO dashagg_demo_numbers (n)
SELECT a.n * 1000 + b.n * 100 + c.n * 10 + d.n
FROM dashagg_demo_numbers a
CROSS JOIN dashagg_demo_numbers b
CROSS JOIN dashagg_demo_numbers c
CROSS JOIN dashagg_demo_numbers d
WHERE a.n * 1000 + b.n * 100 + c.n * 10 + d.n > 9;

INSERT INTO dashagg_demo_months (n, month, cent) VALUES
  (0, '2023-01-01', 0.01), (1, '2023-02-01', 0.01), (2, '2023-03-01', 0.01),
  (3, '2023-04-01', 0.01), (4, '2023-05-01', 0.01), (5, '2023-06-01', 0.01),
  (6, '2023-07-01', 0.01), (7, '2023-08-01', 0.01), (8, '2023-09-01', 0.01),
  (9, '2023-10-01', 0.01), (10, '2023-11-01', 0.01), (11, '2023-12-01', 0.01),
  (12, '2024-01-01', 0.01), (13, '2024-02-01', 0.01), (14, '2024-03-01', 0.01),
  (15, '2024-04-01', 0.01), (16, '2024-05-01', 0.01), (17, '2024-06-01', 0.01),
  (18, '2024-07-01', 0.01), (19, '2024-08-01', 0.01), (20, '2024-09-01', 0.01),
  (21, '2024-10-01', 0.01), (22, '2024-11-01', 0.01), (23, '2024-12-01', 0.01),
  (24, '2025-01-01', 0.01), (25, '2025-02-01', 0.01), (26, '2025-03-01', 0.01),
  (27, '2025-04-01', 0.01), (28, '2025-05-01', 0.01), (29, '2025-06-01', 0.01),
  (30, '2025-07-01', 0.01), (31, '2025-08-01', 0.01), (32, '2025-09-01', 0.01),
  (33, '2025-10-01', 0.01), (34, '2025-11-01', 0.01), (35, '2025-12-01', 0.01);

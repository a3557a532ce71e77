-- What dashagg sends for the set financials on this engine, with `live = true` for the summary brand.
-- Made by tests/golden.rs. Left out: session settings, SELECTs from the server's catalog or for the names of columns, the
-- set's own scripts, and of the ledger all but what a refresh writes there.
-- <such> words stand for what differs from run to run.

-- ---- create ----

SELECT sqlite_version();

SELECT (julianday('now') - 2440587.5) * 86400.0;

SELECT (julianday('now') - 2440587.5) * 86400.0;

BEGIN IMMEDIATE;

DROP VIEW IF EXISTS "main"."financials_summary_monthly_brand_live";

COMMIT;

SELECT (julianday('now') - 2440587.5) * 86400.0;

SELECT MAX(rowid) FROM "financials";

CREATE INDEX "idx_financials_cover" ON "financials" ("month", "metric", "marketplace", "asin", "amount");

SELECT MAX(rowid) FROM "financials";

CREATE INDEX "idx_metric_month" ON "financials" ("metric", "month");

SELECT CASE WHEN v = 'A' THEN 'NOCASE' WHEN v = 'a ' THEN 'RTRIM' END
FROM (SELECT "month" AS v FROM "financials" WHERE 0 UNION ALL SELECT 'a');

SELECT CASE WHEN v = 'A' THEN 'NOCASE' WHEN v = 'a ' THEN 'RTRIM' END
FROM (SELECT "month" AS v FROM "main"."financials_summary_monthly_asin_marketplace" WHERE 0 UNION ALL SELECT 'a');

BEGIN DEFERRED;

SELECT "month", "metric", "marketplace", "asin" FROM "financials" LIMIT 200;

SELECT "month", "metric", "marketplace", "asin"
FROM "financials"
WHERE "month" IS NOT NULL
ORDER BY "month" DESC LIMIT 200;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1')) AND 1 = 1)
SELECT "asin", "marketplace", "month", "metric", "brand_id", "category_id", "amount", "row_count"
FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1')) AND 1 = 0)
SELECT "asin", "marketplace", "month", "metric", "brand_id", "category_id", "amount", "row_count"
FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1')) AND ("month" = '2025-01-01'
        AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1'))
SELECT "asin", "marketplace", "month", "metric", "brand_id", "category_id", "amount", "row_count"
FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1')) AND ("month" = '2025-01-01'
        AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))
SELECT "asin", "marketplace", "month", "metric", "brand_id", "category_id", "amount", "row_count"
FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q LIMIT 5001;

ROLLBACK;

BEGIN DEFERRED;

SELECT "month", "metric", "marketplace", "asin" FROM "financials" LIMIT 200;

SELECT "month", "metric", "marketplace", "asin"
FROM "financials"
WHERE "month" IS NOT NULL
ORDER BY "month" DESC LIMIT 200;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))),
    "financials_summary_monthly_asin_marketplace" AS (SELECT * FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q WHERE 1 = 1) SELECT "brand_id", "marketplace", "month", "metric", "amount", "row_count" FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))),
    "financials_summary_monthly_asin_marketplace" AS (SELECT * FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q WHERE 1 = 0) SELECT "brand_id", "marketplace", "month", "metric", "amount", "row_count" FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))),
    "financials_summary_monthly_asin_marketplace" AS (SELECT * FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE (q."month" = '2025-01-01' AND q."metric" = 'sales' AND q."brand_id" IN (1, '1')))
SELECT "brand_id", "marketplace", "month", "metric", "amount", "row_count"
FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) q LIMIT 5001;

ROLLBACK;

BEGIN DEFERRED;

SELECT "month", "metric", "marketplace", "asin" FROM "financials" LIMIT 200;

SELECT "month", "metric", "marketplace", "asin"
FROM "financials"
WHERE "month" IS NOT NULL
ORDER BY "month" DESC LIMIT 200;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))),
    "financials_summary_monthly_asin_marketplace" AS (SELECT * FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q WHERE 1 = 1) SELECT "category_id", "month", "metric", "amount", "row_count" FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))),
    "financials_summary_monthly_asin_marketplace" AS (SELECT * FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q WHERE 1 = 0) SELECT "category_id", "month", "metric", "amount", "row_count" FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q LIMIT 5001;

WITH "financials" AS (SELECT *
  FROM "main"."financials"
  WHERE (("month" = '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'DE' AND "asin" = 'A1') OR ("month" =
          '2025-01-01' AND "metric" = 'sales' AND "marketplace" = 'US' AND "asin" = 'A1'))),
    "financials_summary_monthly_asin_marketplace" AS (SELECT * FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE (q."month" = '2025-01-01' AND q."metric" = 'sales' AND q."category_id" IN (10, '10')))
SELECT "category_id", "month", "metric", "amount", "row_count"
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q LIMIT 5001;

ROLLBACK;

BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS "dashagg_log_<financials>" (dashagg_id INTEGER PRIMARY KEY AUTOINCREMENT, dashagg_grain TEXT
      NOT NULL, "month" TEXT, "metric" TEXT, "marketplace" TEXT, "asin" TEXT);

CREATE INDEX IF NOT EXISTS "dashagg_log_<financials>_known" ON "dashagg_log_<financials>" ("month", "metric",
      "marketplace", "asin");

CREATE INDEX IF NOT EXISTS "dashagg_log_<financials>_all" ON "dashagg_log_<financials>" (dashagg_grain)
WHERE dashagg_grain = 'a';

CREATE TABLE IF NOT EXISTS "dashagg_work_<financials>" (dashagg_id INTEGER PRIMARY KEY AUTOINCREMENT, dashagg_claim TEXT
      NOT NULL, dashagg_grain TEXT NOT NULL, "month" TEXT, "metric" TEXT, "marketplace" TEXT, "asin" TEXT);

DROP TRIGGER IF EXISTS "dashagg_<financials>_bi";

CREATE TRIGGER "dashagg_<financials>_bi" BEFORE INSERT ON "financials" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
  SELECT 'k', x."month", x."metric", x."marketplace", x."asin"
  FROM "financials" x
  WHERE x."id" = NEW."id" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 20000 AND NOT EXISTS (SELECT 1
    FROM "dashagg_log_<financials>" l
    WHERE l."month" IS x."month" AND l."metric" IS x."metric" AND l."marketplace" IS x."marketplace" AND l."asin" IS
        x."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month")
  SELECT 'p', x."month"
  FROM "financials" x
  WHERE x."id" = NEW."id" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) >= 20000 AND COALESCE((SELECT MAX(dashagg_id) FROM
          "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 40000 AND NOT
      EXISTS (SELECT 1 FROM "dashagg_log_<financials>" l WHERE l."month" IS x."month" AND l.dashagg_grain = 'p');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain)
  SELECT 'a'
  FROM "financials" x
  WHERE x."id" = NEW."id" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) >= 40000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<financials>" l WHERE l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<financials>_bu";

CREATE TRIGGER "dashagg_<financials>_bu" BEFORE UPDATE ON "financials" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
  SELECT 'k', x."month", x."metric", x."marketplace", x."asin"
  FROM "financials" x
  WHERE x."id" = NEW."id" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 20000 AND NOT EXISTS (SELECT 1
    FROM "dashagg_log_<financials>" l
    WHERE l."month" IS x."month" AND l."metric" IS x."metric" AND l."marketplace" IS x."marketplace" AND l."asin" IS
        x."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month")
  SELECT 'p', x."month"
  FROM "financials" x
  WHERE x."id" = NEW."id" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) >= 20000 AND COALESCE((SELECT MAX(dashagg_id) FROM
          "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 40000 AND NOT
      EXISTS (SELECT 1 FROM "dashagg_log_<financials>" l WHERE l."month" IS x."month" AND l.dashagg_grain = 'p');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain)
  SELECT 'a'
  FROM "financials" x
  WHERE x."id" = NEW."id" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) >= 40000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<financials>" l WHERE l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<financials>_ai";

CREATE TRIGGER "dashagg_<financials>_ai" AFTER INSERT ON "financials" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
  SELECT 'k', NEW."month", NEW."metric", NEW."marketplace", NEW."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) < 20000 AND NOT EXISTS (SELECT 1
    FROM "dashagg_log_<financials>" l
    WHERE l."month" IS NEW."month" AND l."metric" IS NEW."metric" AND l."marketplace" IS NEW."marketplace" AND l."asin"
        IS NEW."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month")
  SELECT 'p', NEW."month"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 20000 AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>")
        - (SELECT MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 40000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<financials>" l WHERE l."month" IS NEW."month" AND l.dashagg_grain = 'p');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 40000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<financials>" l WHERE
        l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<financials>_au";

CREATE TRIGGER "dashagg_<financials>_au" AFTER UPDATE ON "financials" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
  SELECT 'k', NEW."month", NEW."metric", NEW."marketplace", NEW."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) < 20000 AND NOT EXISTS (SELECT 1
    FROM "dashagg_log_<financials>" l
    WHERE l."month" IS NEW."month" AND l."metric" IS NEW."metric" AND l."marketplace" IS NEW."marketplace" AND l."asin"
        IS NEW."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month")
  SELECT 'p', NEW."month"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 20000 AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>")
        - (SELECT MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 40000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<financials>" l WHERE l."month" IS NEW."month" AND l.dashagg_grain = 'p');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 40000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<financials>" l WHERE
        l.dashagg_grain = 'a');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
  SELECT 'k', OLD."month", OLD."metric", OLD."marketplace", OLD."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) < 20000 AND NOT EXISTS (SELECT 1
    FROM "dashagg_log_<financials>" l
    WHERE l."month" IS OLD."month" AND l."metric" IS OLD."metric" AND l."marketplace" IS OLD."marketplace" AND l."asin"
        IS OLD."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month")
  SELECT 'p', OLD."month"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 20000 AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>")
        - (SELECT MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 40000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<financials>" l WHERE l."month" IS OLD."month" AND l.dashagg_grain = 'p');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 40000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<financials>" l WHERE
        l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<financials>_ad";

CREATE TRIGGER "dashagg_<financials>_ad" AFTER DELETE ON "financials" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
  SELECT 'k', OLD."month", OLD."metric", OLD."marketplace", OLD."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) < 20000 AND NOT EXISTS (SELECT 1
    FROM "dashagg_log_<financials>" l
    WHERE l."month" IS OLD."month" AND l."metric" IS OLD."metric" AND l."marketplace" IS OLD."marketplace" AND l."asin"
        IS OLD."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain, "month")
  SELECT 'p', OLD."month"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 20000 AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>")
        - (SELECT MIN(dashagg_id) FROM "dashagg_log_<financials>"), 0) < 40000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<financials>" l WHERE l."month" IS OLD."month" AND l.dashagg_grain = 'p');
  INSERT INTO "dashagg_log_<financials>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<financials>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<financials>"), 0) >= 40000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<financials>" l WHERE
        l.dashagg_grain = 'a');
END;

COMMIT;

BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS "dashagg_log_<products>" (dashagg_id INTEGER PRIMARY KEY AUTOINCREMENT, dashagg_grain TEXT
      NOT NULL, "asin" TEXT);

CREATE INDEX IF NOT EXISTS "dashagg_log_<products>_known" ON "dashagg_log_<products>" ("asin");

CREATE INDEX IF NOT EXISTS "dashagg_log_<products>_all" ON "dashagg_log_<products>" (dashagg_grain)
WHERE dashagg_grain = 'a';

CREATE TABLE IF NOT EXISTS "dashagg_work_<products>" (dashagg_id INTEGER PRIMARY KEY AUTOINCREMENT, dashagg_claim TEXT
      NOT NULL, dashagg_grain TEXT NOT NULL, "asin" TEXT);

DROP TRIGGER IF EXISTS "dashagg_<products>_bi";

CREATE TRIGGER "dashagg_<products>_bi" BEFORE INSERT ON "products" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<products>" (dashagg_grain, "asin")
  SELECT 'k', x."asin"
  FROM "products" x
  WHERE x."asin" = NEW."asin" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<products>"), 0) < 20000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<products>" l WHERE l."asin" IS x."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain)
  SELECT 'a'
  FROM "products" x
  WHERE x."asin" = NEW."asin" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<products>"), 0) >= 20000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<products>" l WHERE l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<products>_bu";

CREATE TRIGGER "dashagg_<products>_bu" BEFORE UPDATE ON "products" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<products>" (dashagg_grain, "asin")
  SELECT 'k', x."asin"
  FROM "products" x
  WHERE x."asin" = NEW."asin" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<products>"), 0) < 20000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<products>" l WHERE l."asin" IS x."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain)
  SELECT 'a'
  FROM "products" x
  WHERE x."asin" = NEW."asin" AND COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT
          MIN(dashagg_id) FROM "dashagg_log_<products>"), 0) >= 20000 AND NOT EXISTS (SELECT 1 FROM
        "dashagg_log_<products>" l WHERE l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<products>_ai";

CREATE TRIGGER "dashagg_<products>_ai" AFTER INSERT ON "products" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<products>" (dashagg_grain, "asin")
  SELECT 'k', NEW."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) < 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE l."asin"
        IS NEW."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) >= 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE
        l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<products>_au";

CREATE TRIGGER "dashagg_<products>_au" AFTER UPDATE ON "products" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<products>" (dashagg_grain, "asin")
  SELECT 'k', NEW."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) < 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE l."asin"
        IS NEW."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) >= 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE
        l.dashagg_grain = 'a');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain, "asin")
  SELECT 'k', OLD."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) < 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE l."asin"
        IS OLD."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) >= 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE
        l.dashagg_grain = 'a');
END;

DROP TRIGGER IF EXISTS "dashagg_<products>_ad";

CREATE TRIGGER "dashagg_<products>_ad" AFTER DELETE ON "products" FOR EACH ROW BEGIN
  /* dashagg_as_<hash> */
  INSERT INTO "dashagg_log_<products>" (dashagg_grain, "asin")
  SELECT 'k', OLD."asin"
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) < 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE l."asin"
        IS OLD."asin" AND l.dashagg_grain = 'k');
  INSERT INTO "dashagg_log_<products>" (dashagg_grain)
  SELECT 'a'
  WHERE COALESCE((SELECT MAX(dashagg_id) FROM "dashagg_log_<products>") - (SELECT MIN(dashagg_id) FROM
          "dashagg_log_<products>"), 0) >= 20000 AND NOT EXISTS (SELECT 1 FROM "dashagg_log_<products>" l WHERE
        l.dashagg_grain = 'a');
END;

COMMIT;

BEGIN IMMEDIATE;

DROP VIEW IF EXISTS "main"."financials_summary_monthly_brand_live";

CREATE VIEW "main"."financials_summary_monthly_brand_live" AS
SELECT t."brand_id", t."marketplace", t."month", t."metric", t."amount", t."row_count"
FROM "main"."financials_summary_monthly_brand" t
WHERE NOT (t."month" IN (SELECT "month"
    FROM "main"."financials_summary_monthly_brand"
    WHERE (NOT EXISTS (SELECT 1
        FROM "main"."dashagg_summary"
        WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum =
            '<hash>') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
          FROM "main"."dashagg_work_<financials>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
        WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "asin"
          FROM "main"."dashagg_work_<products>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n
        WHERE n.dashagg_grain = 'a'))
    UNION
    SELECT n."month"
    FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
      FROM "main"."dashagg_work_<financials>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
    WHERE n.dashagg_grain <> 'a' AND n."month" IS NOT NULL
    UNION
    SELECT "month"
    FROM "financials"
    WHERE (NOT EXISTS (SELECT 1
        FROM "main"."dashagg_summary"
        WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum =
            '<hash>') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
          FROM "main"."dashagg_work_<financials>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
        WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "asin"
          FROM "main"."dashagg_work_<products>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n
        WHERE n.dashagg_grain = 'a'))
    UNION
    SELECT o."month"
    FROM "main"."financials_summary_monthly_asin_marketplace" o
    JOIN (SELECT dashagg_grain, "asin"
      FROM "main"."dashagg_work_<products>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n ON o."asin" = n."asin"))
UNION ALL
SELECT l."brand_id" AS "brand_id", CASE WHEN typeof(l."marketplace") IN ('integer', 'real') THEN CAST(l."marketplace" AS
      TEXT) ELSE l."marketplace" END AS "marketplace", CASE WHEN typeof(l."month") IN ('integer', 'real') THEN
    CAST(l."month" AS TEXT) ELSE l."month" END AS "month", CASE WHEN typeof(l."metric") IN ('integer', 'real') THEN
    CAST(l."metric" AS TEXT) ELSE l."metric" END AS "metric", l."amount" AS "amount", l."row_count" AS "row_count"
FROM (WITH "financials_summary_monthly_asin_marketplace" AS (SELECT CASE WHEN typeof(q."asin") IN ('integer', 'real')
        THEN CAST(q."asin" AS TEXT) ELSE q."asin" END AS "asin", CASE WHEN typeof(q."marketplace") IN ('integer',
          'real') THEN CAST(q."marketplace" AS TEXT) ELSE q."marketplace" END AS "marketplace", CASE WHEN
        typeof(q."month") IN ('integer', 'real') THEN CAST(q."month" AS TEXT) ELSE q."month" END AS "month", CASE WHEN
        typeof(q."metric") IN ('integer', 'real') THEN CAST(q."metric" AS TEXT) ELSE q."metric" END AS "metric",
        q."brand_id" AS "brand_id", q."category_id" AS "category_id", q."amount" AS "amount", q."row_count" AS
        "row_count"
    FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE q."month" IN (SELECT "month"
FROM "main"."financials_summary_monthly_brand"
WHERE (NOT EXISTS (SELECT 1
    FROM "main"."dashagg_summary"
    WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>')
      OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
      FROM "main"."dashagg_work_<financials>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
    WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, "asin"
      FROM "main"."dashagg_work_<products>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n
    WHERE n.dashagg_grain = 'a'))
UNION
SELECT n."month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "main"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
WHERE n.dashagg_grain <> 'a' AND n."month" IS NOT NULL
UNION
SELECT "month"
FROM "financials"
WHERE (NOT EXISTS (SELECT 1
    FROM "main"."dashagg_summary"
    WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>')
      OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
      FROM "main"."dashagg_work_<financials>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
    WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, "asin"
      FROM "main"."dashagg_work_<products>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n
    WHERE n.dashagg_grain = 'a'))
UNION
SELECT o."month"
FROM "main"."financials_summary_monthly_asin_marketplace" o
JOIN (SELECT dashagg_grain, "asin"
  FROM "main"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n ON o."asin" = n."asin"))
SELECT *
FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) s) l
WHERE l."month" IN (SELECT "month"
FROM "main"."financials_summary_monthly_brand"
WHERE (NOT EXISTS (SELECT 1
  FROM "main"."dashagg_summary"
  WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>') OR
    EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
    FROM "main"."dashagg_work_<financials>"
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
  WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, "asin"
    FROM "main"."dashagg_work_<products>"
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n
  WHERE n.dashagg_grain = 'a'))
UNION
SELECT n."month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
FROM "main"."dashagg_work_<financials>"
WHERE 1 = 1
UNION ALL
SELECT *
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
WHERE n.dashagg_grain <> 'a' AND n."month" IS NOT NULL
UNION
SELECT "month"
FROM "financials"
WHERE (NOT EXISTS (SELECT 1
  FROM "main"."dashagg_summary"
  WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>') OR
    EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
    FROM "main"."dashagg_work_<financials>"
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) n
  WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, "asin"
    FROM "main"."dashagg_work_<products>"
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n
  WHERE n.dashagg_grain = 'a'))
UNION
SELECT o."month"
FROM "main"."financials_summary_monthly_asin_marketplace" o
JOIN (SELECT dashagg_grain, "asin"
FROM "main"."dashagg_work_<products>"
WHERE 1 = 1
UNION ALL
SELECT *
FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) n ON o."asin" = n."asin");

COMMIT;

SELECT MAX(rowid) FROM "financials";

-- ---- refresh, the first ----

SELECT sqlite_version();

SELECT (julianday('now') - 2440587.5) * 86400.0;

SELECT 1 FROM "main"."financials_summary_monthly_brand_live" WHERE 1 = 0;

BEGIN IMMEDIATE;

INSERT INTO "dashagg_work_<financials>" (dashagg_claim, dashagg_grain, "month", "metric", "marketplace", "asin")
SELECT '<hash>', dashagg_grain, "month", "metric", "marketplace", "asin"
FROM "dashagg_log_<financials>";

DELETE FROM "dashagg_log_<financials>";

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM "main"."dashagg_work_<financials>";

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM "main"."dashagg_work_<financials>" LIMIT 40001) n), CASE WHEN EXISTS (SELECT
      1 FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) THEN 1
    ELSE 0 END, (SELECT COUNT(*) FROM (SELECT 1 FROM "main"."dashagg_work_<financials>" WHERE dashagg_claim IN
        ('<hash>') LIMIT 5001) m);

BEGIN IMMEDIATE;

INSERT INTO "dashagg_work_<products>" (dashagg_claim, dashagg_grain, "asin")
SELECT '<hash>', dashagg_grain, "asin"
FROM "dashagg_log_<products>";

DELETE FROM "dashagg_log_<products>";

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM "main"."dashagg_work_<products>";

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM "main"."dashagg_work_<products>" LIMIT 40001) n), CASE WHEN EXISTS (SELECT 1
      FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) THEN 1 ELSE 0 END, (SELECT COUNT(*) FROM
      (SELECT 1 FROM "main"."dashagg_work_<products>" WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "financials" WHERE "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "financials" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "financials" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE
        "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE "month" > jump.v ORDER BY 1
        LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" IS NULL LIMIT 1) n;

CREATE TABLE "temp"."dashagg_delta_<hash>_0" ("dashagg_run" BIGINT NOT NULL, "dashagg_op" CHAR(1) NOT NULL, "asin" TEXT
      NOT NULL, "marketplace" TEXT NOT NULL, "month" TEXT NOT NULL, "metric" TEXT NOT NULL, "brand_id" INTEGER NULL,
      "category_id" INTEGER NULL, "amount" INTEGER NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_delta_<hash>_1" ("dashagg_run" BIGINT NOT NULL, "dashagg_op" CHAR(1) NOT NULL, "brand_id"
      INTEGER NOT NULL, "marketplace" TEXT NOT NULL, "month" TEXT NOT NULL, "metric" TEXT NOT NULL, "amount" INTEGER
      NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_delta_<hash>_2" ("dashagg_run" BIGINT NOT NULL, "dashagg_op" CHAR(1) NOT NULL,
      "category_id" INTEGER NOT NULL, "month" TEXT NOT NULL, "metric" TEXT NOT NULL, "amount" INTEGER NULL, "row_count"
      INTEGER NULL);

BEGIN DEFERRED;

CREATE TABLE "temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind" INTEGER NOT NULL, "asin" TEXT NULL, "marketplace" TEXT
      NULL, "month" TEXT NULL, "metric" TEXT NULL, "brand_id" INTEGER NULL, "category_id" INTEGER NULL, "amount" INTEGER
      NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind" INTEGER NOT NULL, "brand_id" INTEGER NULL, "marketplace"
      TEXT NULL, "month" TEXT NULL, "metric" TEXT NULL, "amount" INTEGER NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind" INTEGER NOT NULL, "category_id" INTEGER NULL, "month"
      TEXT NULL, "metric" TEXT NULL, "amount" INTEGER NULL, "row_count" INTEGER NULL);

INSERT INTO "temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind", "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count")
SELECT 0, q."asin", q."marketplace", q."month", q."metric", q."brand_id", q."category_id", q."amount", q."row_count"
FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE q."month" = '2025-01-01'
UNION ALL
SELECT 1, NULL, NULL, "month", NULL, NULL, NULL, SUM(amount), COUNT(*)
FROM "financials"
WHERE "month" = '2025-01-01'
GROUP BY "month";

CREATE UNIQUE INDEX "temp"."dashagg_stage_<hash>_0_0_key" ON "dashagg_stage_<hash>_0_0" ("dashagg_kind", "month",
      "metric", "marketplace", "asin");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "marketplace" IS NULL OR "asin" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END), SUM(CASE WHEN
      "dashagg_kind" = 1 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 1 THEN "row_count" END)
FROM "temp"."dashagg_stage_<hash>_0_0"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT *
FROM (
SELECT month, metric, marketplace, asin
FROM financials_summary_monthly_asin_marketplace
WHERE marketplace = 'ALL'
) c LIMIT 1;

INSERT INTO "temp"."dashagg_delta_<hash>_0" ("dashagg_run", "dashagg_op", "asin", "marketplace", "month", "metric",
      "brand_id", "category_id", "amount", "row_count")
SELECT <hash>, 'I', s."asin", s."marketplace", s."month", s."metric", s."brand_id", s."category_id", s."amount",
    s."row_count"
FROM "temp"."dashagg_stage_<hash>_0_0" s
WHERE s."dashagg_kind" = 0;

INSERT INTO "temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind", "brand_id", "marketplace", "month", "metric", "amount",
      "row_count") WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month",
      "metric", "brand_id", "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT 0, q."brand_id", q."marketplace", q."month", q."metric", q."amount", q."row_count"
FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) q WHERE q."month" = '2025-01-01';

CREATE UNIQUE INDEX "temp"."dashagg_stage_<hash>_0_1_key" ON "dashagg_stage_<hash>_0_1" ("dashagg_kind", "month",
      "marketplace", "metric", "brand_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "marketplace" IS NULL OR "metric" IS NULL OR "brand_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 AND (marketplace <> 'ALL') THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND
      (marketplace <> 'ALL') THEN "row_count" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN "row_count" END)
FROM "temp"."dashagg_stage_<hash>_0_1"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0), "financials_summary_monthly_brand" AS (SELECT "brand_id", "marketplace", "month", "metric",
      "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_1"
  WHERE "dashagg_kind" = 0)
SELECT *
FROM (
SELECT brand_id, month, metric
FROM financials_summary_monthly_brand
GROUP BY brand_id, month, metric
HAVING SUM(CASE WHEN marketplace = 'ALL' THEN 1 ELSE 0 END) <> 1
    OR SUM(CASE WHEN marketplace = 'ALL' THEN amount ELSE -amount END) <> 0
    OR SUM(CASE WHEN marketplace = 'ALL' THEN row_count ELSE -row_count END) <> 0
) c LIMIT 1;

INSERT INTO "temp"."dashagg_delta_<hash>_1" ("dashagg_run", "dashagg_op", "brand_id", "marketplace", "month", "metric",
      "amount", "row_count")
SELECT <hash>, 'I', s."brand_id", s."marketplace", s."month", s."metric", s."amount", s."row_count"
FROM "temp"."dashagg_stage_<hash>_0_1" s
WHERE s."dashagg_kind" = 0;

INSERT INTO "temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind", "category_id", "month", "metric", "amount", "row_count")
    WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT 0, q."category_id", q."month", q."metric", q."amount", q."row_count"
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q WHERE q."month" = '2025-01-01';

CREATE UNIQUE INDEX "temp"."dashagg_stage_<hash>_0_2_key" ON "dashagg_stage_<hash>_0_2" ("dashagg_kind", "month",
      "metric", "category_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "category_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END)
FROM "temp"."dashagg_stage_<hash>_0_2"
GROUP BY "month";

INSERT INTO "temp"."dashagg_delta_<hash>_2" ("dashagg_run", "dashagg_op", "category_id", "month", "metric", "amount",
      "row_count")
SELECT <hash>, 'I', s."category_id", s."month", s."metric", s."amount", s."row_count"
FROM "temp"."dashagg_stage_<hash>_0_2" s
WHERE s."dashagg_kind" = 0;

COMMIT;

SELECT 0 AS nr, "dashagg_op", COUNT(*)
FROM "temp"."dashagg_delta_<hash>_0" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 1 AS nr, "dashagg_op", COUNT(*)
FROM "temp"."dashagg_delta_<hash>_1" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 2 AS nr, "dashagg_op", COUNT(*)
FROM "temp"."dashagg_delta_<hash>_2" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op";

BEGIN IMMEDIATE;

UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = 'financials' AND generation = 0;

INSERT INTO "main"."financials_summary_monthly_asin_marketplace" ("asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count", "updated_at")
SELECT d."asin", d."marketplace", d."month", d."metric", d."brand_id", d."category_id", d."amount", d."row_count",
    strftime('%Y-%m-%d %H:%M:%f', 'now')
FROM "temp"."dashagg_delta_<hash>_0" d
WHERE d."dashagg_run" = <hash> AND d."dashagg_op" IN ('I');

INSERT INTO "main"."financials_summary_monthly_brand" ("brand_id", "marketplace", "month", "metric", "amount",
      "row_count", "updated_at")
SELECT d."brand_id", d."marketplace", d."month", d."metric", d."amount", d."row_count", strftime('%Y-%m-%d %H:%M:%f',
      'now')
FROM "temp"."dashagg_delta_<hash>_1" d
WHERE d."dashagg_run" = <hash> AND d."dashagg_op" IN ('I');

INSERT INTO "main"."financials_summary_monthly_category" ("category_id", "month", "metric", "amount", "row_count",
      "updated_at")
SELECT d."category_id", d."month", d."metric", d."amount", d."row_count", strftime('%Y-%m-%d %H:%M:%f', 'now')
FROM "temp"."dashagg_delta_<hash>_2" d
WHERE d."dashagg_run" = <hash> AND d."dashagg_op" IN ('I');

UPDATE dashagg_source SET witness = '<hash>', watermark = NULL WHERE set_name = 'financials' AND source = 'financials';

UPDATE dashagg_source SET witness = '<hash>', watermark = NULL WHERE set_name = 'financials' AND source = 'products';

UPDATE dashagg_summary SET table_name = CASE summary WHEN 'asin' THEN 'financials_summary_monthly_asin_marketplace' WHEN
    'brand' THEN 'financials_summary_monthly_brand' WHEN 'category' THEN 'financials_summary_monthly_category' ELSE
    table_name END, tier = CASE summary WHEN 'asin' THEN 1 WHEN 'brand' THEN 2 WHEN 'category' THEN 2 ELSE tier END,
    select_checksum = CASE summary WHEN 'asin' THEN '<hash>' WHEN 'brand' THEN '<hash>' WHEN 'category' THEN '<hash>'
    ELSE select_checksum END, row_count = CASE summary WHEN 'asin' THEN 2 WHEN 'brand' THEN 3 WHEN 'category' THEN 1
    ELSE row_count END, run_id = '<run>', mode = 'complete', seconds = <seconds>, inserted = CASE summary WHEN 'asin'
    THEN 2 WHEN 'brand' THEN 3 WHEN 'category' THEN 1 ELSE inserted END, updated = 0, deleted = 0, published_at =
    '<moment>', served_at = '<moment>', status = 'ok', error = NULL
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

INSERT INTO dashagg_run (run_id, set_name, mode, status, started_at, finished_at, seconds, partitions, inserted,
      updated, deleted, retries, error, host, pid)
VALUES ('<run>', 'financials', 'complete', 'ok', '<moment>', '<moment>', <seconds>, 1, 6, 0, 0, 0, NULL, '<host>',
      <number>);

DELETE FROM dashagg_run WHERE set_name = 'financials' AND run_id < '<moment>';

COMMIT;

UPDATE dashagg_summary SET bytes = CASE summary WHEN 'asin' THEN 16384 WHEN 'brand' THEN 8192 WHEN 'category' THEN 4096
    END
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

-- ---- refresh, one changed row ----

SELECT sqlite_version();

SELECT (julianday('now') - 2440587.5) * 86400.0;

BEGIN IMMEDIATE;

INSERT INTO "dashagg_work_<financials>" (dashagg_claim, dashagg_grain, "month", "metric", "marketplace", "asin")
SELECT '<hash>', dashagg_grain, "month", "metric", "marketplace", "asin"
FROM "dashagg_log_<financials>";

DELETE FROM "dashagg_log_<financials>";

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM "main"."dashagg_work_<financials>";

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM "main"."dashagg_work_<financials>" LIMIT 40001) n), CASE WHEN EXISTS (SELECT
      1 FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) THEN 1
    ELSE 0 END, (SELECT COUNT(*) FROM (SELECT 1 FROM "main"."dashagg_work_<financials>" WHERE dashagg_claim IN
        ('<hash>') LIMIT 5001) m);

SELECT DISTINCT "month", "metric", "marketplace", "asin"
FROM "main"."dashagg_work_<financials>" w
WHERE dashagg_claim IN ('<hash>') AND dashagg_grain = 'k' LIMIT 20001;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "financials" WHERE "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "financials" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "financials" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE
        "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE "month" > jump.v ORDER BY 1
        LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" IS NULL LIMIT 1) n;

CREATE TABLE "temp"."dashagg_delta_<hash>_0" ("dashagg_run" BIGINT NOT NULL, "dashagg_op" CHAR(1) NOT NULL, "asin" TEXT
      NOT NULL, "marketplace" TEXT NOT NULL, "month" TEXT NOT NULL, "metric" TEXT NOT NULL, "brand_id" INTEGER NULL,
      "category_id" INTEGER NULL, "amount" INTEGER NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_delta_<hash>_1" ("dashagg_run" BIGINT NOT NULL, "dashagg_op" CHAR(1) NOT NULL, "brand_id"
      INTEGER NOT NULL, "marketplace" TEXT NOT NULL, "month" TEXT NOT NULL, "metric" TEXT NOT NULL, "amount" INTEGER
      NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_delta_<hash>_2" ("dashagg_run" BIGINT NOT NULL, "dashagg_op" CHAR(1) NOT NULL,
      "category_id" INTEGER NOT NULL, "month" TEXT NOT NULL, "metric" TEXT NOT NULL, "amount" INTEGER NULL, "row_count"
      INTEGER NULL);

BEGIN DEFERRED;

CREATE TABLE "temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind" INTEGER NOT NULL, "asin" TEXT NULL, "marketplace" TEXT
      NULL, "month" TEXT NULL, "metric" TEXT NULL, "brand_id" INTEGER NULL, "category_id" INTEGER NULL, "amount" INTEGER
      NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind" INTEGER NOT NULL, "brand_id" INTEGER NULL, "marketplace"
      TEXT NULL, "month" TEXT NULL, "metric" TEXT NULL, "amount" INTEGER NULL, "row_count" INTEGER NULL);

CREATE TABLE "temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind" INTEGER NOT NULL, "category_id" INTEGER NULL, "month"
      TEXT NULL, "metric" TEXT NULL, "amount" INTEGER NULL, "row_count" INTEGER NULL);

INSERT INTO "temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind", "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count")
SELECT 0, q."asin", q."marketplace", q."month", q."metric", q."brand_id", q."category_id", q."amount", q."row_count"
FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE q."month" = '2025-01-01'
UNION ALL
SELECT 1, NULL, NULL, "month", NULL, NULL, NULL, SUM(amount), COUNT(*)
FROM "financials"
WHERE "month" = '2025-01-01'
GROUP BY "month";

CREATE UNIQUE INDEX "temp"."dashagg_stage_<hash>_0_0_key" ON "dashagg_stage_<hash>_0_0" ("dashagg_kind", "month",
      "metric", "marketplace", "asin");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "marketplace" IS NULL OR "asin" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END), SUM(CASE WHEN
      "dashagg_kind" = 1 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 1 THEN "row_count" END), (SELECT COUNT(*)
      FROM "main"."financials_summary_monthly_asin_marketplace" t WHERE t."month" = '2025-01-01')
FROM "temp"."dashagg_stage_<hash>_0_0"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT *
FROM (
SELECT month, metric, marketplace, asin
FROM financials_summary_monthly_asin_marketplace
WHERE marketplace = 'ALL'
) c LIMIT 1;

INSERT INTO "temp"."dashagg_delta_<hash>_0" ("dashagg_run", "dashagg_op", "asin", "marketplace", "month", "metric",
      "brand_id", "category_id", "amount", "row_count")
SELECT <hash>, CASE WHEN t."month" IS NULL THEN 'I' ELSE 'U' END, s."asin", s."marketplace", s."month", s."metric",
    s."brand_id", s."category_id", s."amount", s."row_count"
FROM "temp"."dashagg_stage_<hash>_0_0" s
LEFT JOIN "main"."financials_summary_monthly_asin_marketplace" t ON t."month" = s."month" AND t."metric" = s."metric"
    AND t."marketplace" = s."marketplace" AND t."asin" = s."asin" AND t."month" = '2025-01-01'
WHERE s."dashagg_kind" = 0 AND (t."month" IS NULL OR NOT ((s."asin") COLLATE BINARY IS (t."asin") COLLATE BINARY AND
        (s."marketplace") COLLATE BINARY IS (t."marketplace") COLLATE BINARY AND (s."month") COLLATE BINARY IS
        (t."month") COLLATE BINARY AND (s."metric") COLLATE BINARY IS (t."metric") COLLATE BINARY AND s."brand_id" IS
        t."brand_id" AND s."category_id" IS t."category_id" AND s."amount" IS t."amount" AND s."row_count" IS
        t."row_count"))
UNION ALL
SELECT <hash>, 'D', t."asin", t."marketplace", t."month", t."metric", NULL, NULL, NULL, NULL
FROM "main"."financials_summary_monthly_asin_marketplace" t
LEFT JOIN "temp"."dashagg_stage_<hash>_0_0" s ON s."dashagg_kind" = 0 AND s."month" = t."month" AND s."metric" =
    t."metric" AND s."marketplace" = t."marketplace" AND s."asin" = t."asin"
WHERE t."month" = '2025-01-01' AND s."dashagg_kind" IS NULL;

INSERT INTO "temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind", "brand_id", "marketplace", "month", "metric", "amount",
      "row_count") WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month",
      "metric", "brand_id", "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT 0, q."brand_id", q."marketplace", q."month", q."metric", q."amount", q."row_count"
FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) q WHERE q."month" = '2025-01-01';

CREATE UNIQUE INDEX "temp"."dashagg_stage_<hash>_0_1_key" ON "dashagg_stage_<hash>_0_1" ("dashagg_kind", "month",
      "marketplace", "metric", "brand_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "marketplace" IS NULL OR "metric" IS NULL OR "brand_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 AND (marketplace <> 'ALL') THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND
      (marketplace <> 'ALL') THEN "row_count" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN "row_count" END), (SELECT COUNT(*)
      FROM "main"."financials_summary_monthly_brand" t WHERE t."month" = '2025-01-01')
FROM "temp"."dashagg_stage_<hash>_0_1"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0), "financials_summary_monthly_brand" AS (SELECT "brand_id", "marketplace", "month", "metric",
      "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_1"
  WHERE "dashagg_kind" = 0)
SELECT *
FROM (
SELECT brand_id, month, metric
FROM financials_summary_monthly_brand
GROUP BY brand_id, month, metric
HAVING SUM(CASE WHEN marketplace = 'ALL' THEN 1 ELSE 0 END) <> 1
    OR SUM(CASE WHEN marketplace = 'ALL' THEN amount ELSE -amount END) <> 0
    OR SUM(CASE WHEN marketplace = 'ALL' THEN row_count ELSE -row_count END) <> 0
) c LIMIT 1;

INSERT INTO "temp"."dashagg_delta_<hash>_1" ("dashagg_run", "dashagg_op", "brand_id", "marketplace", "month", "metric",
      "amount", "row_count")
SELECT <hash>, CASE WHEN t."month" IS NULL THEN 'I' ELSE 'U' END, s."brand_id", s."marketplace", s."month", s."metric",
    s."amount", s."row_count"
FROM "temp"."dashagg_stage_<hash>_0_1" s
LEFT JOIN "main"."financials_summary_monthly_brand" t ON t."month" = s."month" AND t."marketplace" = s."marketplace" AND
    t."metric" = s."metric" AND t."brand_id" = s."brand_id" AND t."month" = '2025-01-01'
WHERE s."dashagg_kind" = 0 AND (t."month" IS NULL OR NOT (s."brand_id" IS t."brand_id" AND (s."marketplace") COLLATE
        BINARY IS (t."marketplace") COLLATE BINARY AND (s."month") COLLATE BINARY IS (t."month") COLLATE BINARY AND
        (s."metric") COLLATE BINARY IS (t."metric") COLLATE BINARY AND s."amount" IS t."amount" AND s."row_count" IS
        t."row_count"))
UNION ALL
SELECT <hash>, 'D', t."brand_id", t."marketplace", t."month", t."metric", NULL, NULL
FROM "main"."financials_summary_monthly_brand" t
LEFT JOIN "temp"."dashagg_stage_<hash>_0_1" s ON s."dashagg_kind" = 0 AND s."month" = t."month" AND s."marketplace" =
    t."marketplace" AND s."metric" = t."metric" AND s."brand_id" = t."brand_id"
WHERE t."month" = '2025-01-01' AND s."dashagg_kind" IS NULL;

INSERT INTO "temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind", "category_id", "month", "metric", "amount", "row_count")
    WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT 0, q."category_id", q."month", q."metric", q."amount", q."row_count"
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q WHERE q."month" = '2025-01-01';

CREATE UNIQUE INDEX "temp"."dashagg_stage_<hash>_0_2_key" ON "dashagg_stage_<hash>_0_2" ("dashagg_kind", "month",
      "metric", "category_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "category_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END), (SELECT COUNT(*) FROM
      "main"."financials_summary_monthly_category" t WHERE t."month" = '2025-01-01')
FROM "temp"."dashagg_stage_<hash>_0_2"
GROUP BY "month";

INSERT INTO "temp"."dashagg_delta_<hash>_2" ("dashagg_run", "dashagg_op", "category_id", "month", "metric", "amount",
      "row_count")
SELECT <hash>, CASE WHEN t."month" IS NULL THEN 'I' ELSE 'U' END, s."category_id", s."month", s."metric", s."amount",
    s."row_count"
FROM "temp"."dashagg_stage_<hash>_0_2" s
LEFT JOIN "main"."financials_summary_monthly_category" t ON t."month" = s."month" AND t."metric" = s."metric" AND
    t."category_id" = s."category_id" AND t."month" = '2025-01-01'
WHERE s."dashagg_kind" = 0 AND (t."month" IS NULL OR NOT (s."category_id" IS t."category_id" AND (s."month") COLLATE
        BINARY IS (t."month") COLLATE BINARY AND (s."metric") COLLATE BINARY IS (t."metric") COLLATE BINARY AND
        s."amount" IS t."amount" AND s."row_count" IS t."row_count"))
UNION ALL
SELECT <hash>, 'D', t."category_id", t."month", t."metric", NULL, NULL
FROM "main"."financials_summary_monthly_category" t
LEFT JOIN "temp"."dashagg_stage_<hash>_0_2" s ON s."dashagg_kind" = 0 AND s."month" = t."month" AND s."metric" =
    t."metric" AND s."category_id" = t."category_id"
WHERE t."month" = '2025-01-01' AND s."dashagg_kind" IS NULL;

COMMIT;

SELECT 0 AS nr, "dashagg_op", COUNT(*)
FROM "temp"."dashagg_delta_<hash>_0" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 1 AS nr, "dashagg_op", COUNT(*)
FROM "temp"."dashagg_delta_<hash>_1" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 2 AS nr, "dashagg_op", COUNT(*)
FROM "temp"."dashagg_delta_<hash>_2" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op";

BEGIN IMMEDIATE;

UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = 'financials' AND generation = 1;

UPDATE "main"."financials_summary_monthly_asin_marketplace" AS t SET "asin" = d."asin", "marketplace" = d."marketplace",
    "month" = d."month", "metric" = d."metric", "brand_id" = d."brand_id", "category_id" = d."category_id", "amount" =
    d."amount", "row_count" = d."row_count", "updated_at" = strftime('%Y-%m-%d %H:%M:%f', 'now')
FROM "temp"."dashagg_delta_<hash>_0" d
WHERE t."month" = d."month" AND t."metric" = d."metric" AND t."marketplace" = d."marketplace" AND t."asin" = d."asin"
    AND d."dashagg_run" = <hash> AND d."dashagg_op" IN ('U');

UPDATE "main"."financials_summary_monthly_brand" AS t SET "brand_id" = d."brand_id", "marketplace" = d."marketplace",
    "month" = d."month", "metric" = d."metric", "amount" = d."amount", "row_count" = d."row_count", "updated_at" =
    strftime('%Y-%m-%d %H:%M:%f', 'now')
FROM "temp"."dashagg_delta_<hash>_1" d
WHERE t."month" = d."month" AND t."marketplace" = d."marketplace" AND t."metric" = d."metric" AND t."brand_id" =
    d."brand_id" AND d."dashagg_run" = <hash> AND d."dashagg_op" IN ('U');

UPDATE "main"."financials_summary_monthly_category" AS t SET "category_id" = d."category_id", "month" = d."month",
    "metric" = d."metric", "amount" = d."amount", "row_count" = d."row_count", "updated_at" =
    strftime('%Y-%m-%d %H:%M:%f', 'now')
FROM "temp"."dashagg_delta_<hash>_2" d
WHERE t."month" = d."month" AND t."metric" = d."metric" AND t."category_id" = d."category_id" AND d."dashagg_run" =
    <hash> AND d."dashagg_op" IN ('U');

DELETE FROM "main"."dashagg_work_<financials>" WHERE dashagg_claim IN ('<hash>');

UPDATE dashagg_summary SET table_name = CASE summary WHEN 'asin' THEN 'financials_summary_monthly_asin_marketplace' WHEN
    'brand' THEN 'financials_summary_monthly_brand' WHEN 'category' THEN 'financials_summary_monthly_category' ELSE
    table_name END, tier = CASE summary WHEN 'asin' THEN 1 WHEN 'brand' THEN 2 WHEN 'category' THEN 2 ELSE tier END,
    select_checksum = CASE summary WHEN 'asin' THEN '<hash>' WHEN 'brand' THEN '<hash>' WHEN 'category' THEN '<hash>'
    ELSE select_checksum END, row_count = CASE summary WHEN 'asin' THEN 2 WHEN 'brand' THEN 3 WHEN 'category' THEN 1
    ELSE row_count END, run_id = '<run>', mode = 'incremental', seconds = <seconds>, inserted = 0, updated = CASE
    summary WHEN 'asin' THEN 1 WHEN 'brand' THEN 2 WHEN 'category' THEN 1 ELSE updated END, deleted = 0, published_at =
    '<moment>', served_at = '<moment>', status = 'ok', error = NULL
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

INSERT INTO dashagg_run (run_id, set_name, mode, status, started_at, finished_at, seconds, partitions, inserted,
      updated, deleted, retries, error, host, pid)
VALUES ('<run>', 'financials', 'incremental', 'ok', '<moment>', '<moment>', <seconds>, 1, 0, 4, 0, 0, NULL, '<host>',
      <number>);

DELETE FROM dashagg_run WHERE set_name = 'financials' AND run_id < '<moment>';

COMMIT;

UPDATE dashagg_summary SET bytes = CASE summary WHEN 'asin' THEN 16384 WHEN 'brand' THEN 8192 WHEN 'category' THEN 4096
    END
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

-- ---- verify ----

SELECT sqlite_version();

SELECT (julianday('now') - 2440587.5) * 86400.0;

SELECT MAX(rowid) FROM "financials";

BEGIN DEFERRED;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "financials" WHERE "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "financials" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "financials" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE
        "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE "month" > jump.v ORDER BY 1
        LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_asin_marketplace" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_brand" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "main"."financials_summary_monthly_category" WHERE "month" IS NULL LIMIT 1) n;

SELECT DISTINCT dashagg_grain, "month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "main"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) a LIMIT 20001;

SELECT DISTINCT dashagg_grain, "asin"
FROM (SELECT dashagg_grain, "asin"
  FROM "main"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) a LIMIT 20001;

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

SELECT "month", SUM(amount), COUNT(*) FROM "financials" WHERE "month" = '2025-01-01' GROUP BY "month";

SELECT u."asin", u."marketplace", u."month", u."metric", u."brand_id", u."category_id", u."amount", u."row_count",
    SUM(u."dashagg_side")
FROM (SELECT 1 AS "dashagg_side", (CASE WHEN typeof(q."asin") IN ('integer', 'real') THEN CAST(q."asin" AS TEXT) ELSE
        q."asin" END) COLLATE BINARY AS "asin", (CASE WHEN typeof(q."marketplace") IN ('integer', 'real') THEN
        CAST(q."marketplace" AS TEXT) ELSE q."marketplace" END) COLLATE BINARY AS "marketplace", (CASE WHEN
        typeof(q."month") IN ('integer', 'real') THEN CAST(q."month" AS TEXT) ELSE q."month" END) COLLATE BINARY AS
      "month", (CASE WHEN typeof(q."metric") IN ('integer', 'real') THEN CAST(q."metric" AS TEXT) ELSE q."metric" END)
      COLLATE BINARY AS "metric", q."brand_id" AS "brand_id", q."category_id" AS "category_id", q."amount" AS "amount",
      q."row_count" AS "row_count"
  FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE q."month" = '2025-01-01'
UNION ALL
SELECT -1 AS "dashagg_side", (t."asin") COLLATE BINARY AS "asin", (t."marketplace") COLLATE BINARY AS "marketplace",
  (t."month") COLLATE BINARY AS "month", (t."metric") COLLATE BINARY AS "metric", t."brand_id" AS "brand_id",
  t."category_id" AS "category_id", t."amount" AS "amount", t."row_count" AS "row_count"
FROM "main"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01') u
GROUP BY u."asin", u."marketplace", u."month", u."metric", u."brand_id", u."category_id", u."amount", u."row_count"
HAVING SUM(u."dashagg_side") <> 0
ORDER BY u."month", u."metric", u."marketplace", u."asin";

SELECT DISTINCT dashagg_grain, "month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "main"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) a LIMIT 20001;

SELECT DISTINCT dashagg_grain, "asin"
FROM (SELECT dashagg_grain, "asin"
  FROM "main"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) a LIMIT 20001;

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_brand" t
WHERE t."month" = '2025-01-01' AND (marketplace <> 'ALL')
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_brand" t
WHERE t."month" = '2025-01-01' AND (marketplace = 'ALL')
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT CASE WHEN typeof(q."asin") IN ('integer', 'real') THEN
      CAST(q."asin" AS TEXT) ELSE q."asin" END AS "asin", CASE WHEN typeof(q."marketplace") IN ('integer', 'real') THEN
      CAST(q."marketplace" AS TEXT) ELSE q."marketplace" END AS "marketplace", CASE WHEN typeof(q."month") IN
      ('integer', 'real') THEN CAST(q."month" AS TEXT) ELSE q."month" END AS "month", CASE WHEN typeof(q."metric") IN
      ('integer', 'real') THEN CAST(q."metric" AS TEXT) ELSE q."metric" END AS "metric", q."brand_id" AS "brand_id",
      q."category_id" AS "category_id", q."amount" AS "amount", q."row_count" AS "row_count"
  FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE q."month" = '2025-01-01')
SELECT u."brand_id", u."marketplace", u."month", u."metric", u."amount", u."row_count", SUM(u."dashagg_side")
FROM (SELECT 1 AS "dashagg_side", q."brand_id" AS "brand_id", (CASE WHEN typeof(q."marketplace") IN ('integer', 'real')
    THEN CAST(q."marketplace" AS TEXT) ELSE q."marketplace" END) COLLATE BINARY AS "marketplace", (CASE WHEN
    typeof(q."month") IN ('integer', 'real') THEN CAST(q."month" AS TEXT) ELSE q."month" END) COLLATE BINARY AS "month",
  (CASE WHEN typeof(q."metric") IN ('integer', 'real') THEN CAST(q."metric" AS TEXT) ELSE q."metric" END) COLLATE BINARY
  AS "metric", q."amount" AS "amount", q."row_count" AS "row_count"
FROM (
SELECT brand_id,
       marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, marketplace, brand_id
UNION ALL
SELECT brand_id,
       'ALL' AS marketplace,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, brand_id
) q
WHERE q."month" = '2025-01-01'
UNION ALL
SELECT -1 AS "dashagg_side", t."brand_id" AS "brand_id", (t."marketplace") COLLATE BINARY AS "marketplace", (t."month")
  COLLATE BINARY AS "month", (t."metric") COLLATE BINARY AS "metric", t."amount" AS "amount", t."row_count" AS
  "row_count"
FROM "main"."financials_summary_monthly_brand" t
WHERE t."month" = '2025-01-01') u
GROUP BY u."brand_id", u."marketplace", u."month", u."metric", u."amount", u."row_count"
HAVING SUM(u."dashagg_side") <> 0
ORDER BY u."month", u."marketplace", u."metric", u."brand_id";

SELECT DISTINCT dashagg_grain, "month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "main"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "dashagg_log_<financials>") n) a LIMIT 20001;

SELECT DISTINCT dashagg_grain, "asin"
FROM (SELECT dashagg_grain, "asin"
  FROM "main"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "dashagg_log_<products>") n) a LIMIT 20001;

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_category" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "main"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT CASE WHEN typeof(q."asin") IN ('integer', 'real') THEN
      CAST(q."asin" AS TEXT) ELSE q."asin" END AS "asin", CASE WHEN typeof(q."marketplace") IN ('integer', 'real') THEN
      CAST(q."marketplace" AS TEXT) ELSE q."marketplace" END AS "marketplace", CASE WHEN typeof(q."month") IN
      ('integer', 'real') THEN CAST(q."month" AS TEXT) ELSE q."month" END AS "month", CASE WHEN typeof(q."metric") IN
      ('integer', 'real') THEN CAST(q."metric" AS TEXT) ELSE q."metric" END AS "metric", q."brand_id" AS "brand_id",
      q."category_id" AS "category_id", q."amount" AS "amount", q."row_count" AS "row_count"
  FROM (
SELECT f.asin,
       f.marketplace,
       f.month,
       f.metric,
       COALESCE(p.brand_id, 0)    AS brand_id,
       COALESCE(p.category_id, 0) AS category_id,
       f.amount,
       f.row_count
FROM (
  SELECT asin, marketplace, month, metric,
         SUM(amount) AS amount,
         COUNT(*)    AS row_count
  FROM financials
  GROUP BY month, metric, marketplace, asin
) f
LEFT JOIN products p ON p.asin = f.asin
) q
WHERE q."month" = '2025-01-01')
SELECT u."category_id", u."month", u."metric", u."amount", u."row_count", SUM(u."dashagg_side")
FROM (SELECT 1 AS "dashagg_side", q."category_id" AS "category_id", (CASE WHEN typeof(q."month") IN ('integer', 'real')
    THEN CAST(q."month" AS TEXT) ELSE q."month" END) COLLATE BINARY AS "month", (CASE WHEN typeof(q."metric") IN
    ('integer', 'real') THEN CAST(q."metric" AS TEXT) ELSE q."metric" END) COLLATE BINARY AS "metric", q."amount" AS
  "amount", q."row_count" AS "row_count"
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q
WHERE q."month" = '2025-01-01'
UNION ALL
SELECT -1 AS "dashagg_side", t."category_id" AS "category_id", (t."month") COLLATE BINARY AS "month", (t."metric")
  COLLATE BINARY AS "metric", t."amount" AS "amount", t."row_count" AS "row_count"
FROM "main"."financials_summary_monthly_category" t
WHERE t."month" = '2025-01-01') u
GROUP BY u."category_id", u."month", u."metric", u."amount", u."row_count"
HAVING SUM(u."dashagg_side") <> 0
ORDER BY u."month", u."metric", u."category_id";

COMMIT;

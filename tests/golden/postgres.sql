-- What dashagg sends for the set financials on this engine, with `live = true` for the summary brand.
-- Made by tests/golden.rs. Left out: session settings, SELECTs from the server's catalog or for the names of columns, the
-- set's own scripts, and of the ledger all but what a refresh writes there.
-- <such> words stand for what differs from run to run.

-- ---- create ----

SELECT pg_catalog.current_setting('standard_conforming_strings');

SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_version'),
    pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_schema()::pg_catalog.text;

BEGIN ISOLATION LEVEL READ COMMITTED;

SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock(-2586488999676998806::pg_catalog.int8) THEN
    pg_catalog.pg_backend_pid()::pg_catalog.text || ' ' || (SELECT extract(epoch FROM backend_start)::pg_catalog.text
  FROM pg_catalog.pg_stat_activity
  WHERE pid = pg_catalog.pg_backend_pid()) END;

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

BEGIN ISOLATION LEVEL READ COMMITTED;

SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock(-4486649374180696253::pg_catalog.int8) THEN
    pg_catalog.pg_backend_pid()::pg_catalog.text || ' ' || (SELECT extract(epoch FROM backend_start)::pg_catalog.text
  FROM pg_catalog.pg_stat_activity
  WHERE pid = pg_catalog.pg_backend_pid()) END;

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

SELECT 1 FROM "financials" WHERE 1 = 0;

SELECT 1 FROM "products" WHERE 1 = 0;

BEGIN ISOLATION LEVEL READ COMMITTED;

DROP VIEW IF EXISTS "public"."financials_summary_monthly_brand_live";

DROP FUNCTION IF EXISTS "public"."dashagg_waiting_<hash>"();

COMMIT;

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

BEGIN ISOLATION LEVEL READ COMMITTED;

ALTER TABLE financials_summary_monthly_asin_marketplace SET (fillfactor = 50);

ALTER TABLE financials_summary_monthly_brand SET (fillfactor = 50);

ALTER TABLE financials_summary_monthly_category SET (fillfactor = 50);

COMMIT;

SELECT pg_catalog.current_setting('standard_conforming_strings');

SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_version'),
    pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_schema()::pg_catalog.text;

SELECT pg_catalog.pg_backend_pid();

SELECT pg_catalog.pg_backend_pid();

SELECT pg_catalog.pg_backend_pid();

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT pg_catalog.pg_backend_pid();

SELECT pg_catalog.pg_backend_pid();

ROLLBACK;

SELECT pg_catalog.pg_backend_pid();

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT pg_catalog.pg_backend_pid();

SELECT pg_catalog.pg_backend_pid();

ROLLBACK;

SELECT pg_catalog.pg_backend_pid();

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT pg_catalog.pg_backend_pid();

SELECT pg_catalog.pg_backend_pid();

ROLLBACK;

CREATE INDEX CONCURRENTLY "idx_financials_cover" ON "financials" ("month", "metric", "marketplace", "asin", "amount");

CREATE INDEX CONCURRENTLY "idx_metric_month" ON "financials" ("metric", "month");

SELECT DISTINCT CAST(NULL AS date);

SELECT DISTINCT CAST(NULL AS text);

SELECT DISTINCT CAST(NULL AS text);

SELECT DISTINCT CAST(NULL AS text);

SELECT DISTINCT CAST(NULL AS text);

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT "month", "metric", "marketplace", "asin" FROM "financials" LIMIT 200;

SELECT "month", "metric", "marketplace", "asin"
FROM "financials"
WHERE "month" IS NOT NULL
ORDER BY "month" DESC LIMIT 200;

WITH "financials" AS (SELECT *
  FROM "financials"
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
  FROM "financials"
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
  FROM "financials"
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
  FROM "financials"
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

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT "month", "metric", "marketplace", "asin" FROM "financials" LIMIT 200;

SELECT "month", "metric", "marketplace", "asin"
FROM "financials"
WHERE "month" IS NOT NULL
ORDER BY "month" DESC LIMIT 200;

WITH "financials" AS (SELECT *
  FROM "financials"
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
  FROM "financials"
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
  FROM "financials"
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
WHERE (q."month" = '2025-01-01' AND q."metric" = 'sales' AND q."brand_id" = 1))
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

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT "month", "metric", "marketplace", "asin" FROM "financials" LIMIT 200;

SELECT "month", "metric", "marketplace", "asin"
FROM "financials"
WHERE "month" IS NOT NULL
ORDER BY "month" DESC LIMIT 200;

WITH "financials" AS (SELECT *
  FROM "financials"
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
  FROM "financials"
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
  FROM "financials"
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
WHERE (q."month" = '2025-01-01' AND q."metric" = 'sales' AND q."category_id" = 10))
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

BEGIN ISOLATION LEVEL READ COMMITTED;

CREATE TABLE IF NOT EXISTS "public"."dashagg_log_<financials>" (dashagg_id uuid DEFAULT pg_catalog.gen_random_uuid()
      PRIMARY KEY, dashagg_grain char(1) NOT NULL, dashagg_open boolean DEFAULT true NOT NULL, "month" date, "metric"
      text, "marketplace" text, "asin" text);

CREATE INDEX IF NOT EXISTS "dashagg_log_<financials>_all" ON "public"."dashagg_log_<financials>" (dashagg_grain)
WHERE dashagg_grain = 'a';

CREATE TABLE IF NOT EXISTS "public"."dashagg_work_<financials>" (dashagg_id uuid DEFAULT pg_catalog.gen_random_uuid()
      PRIMARY KEY, dashagg_claim text NOT NULL, dashagg_grain char(1) NOT NULL, "month" date, "metric" text,
      "marketplace" text, "asin" text);

DO $dashagg3$BEGIN
EXECUTE pg_catalog.replace($dashagg2$CREATE OR REPLACE FUNCTION "public"."dashagg_<financials>_note"() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET
      standard_conforming_strings = 'on' AS $dashagg$<<dashagg_as_<hash>>>
  DECLARE waiting bigint := 0;
  alone boolean := current_setting('transaction_isolation') = 'serializable';
  BEGIN
    IF TG_RELID <> @dashagg_source@ AND NOT EXISTS (WITH RECURSIVE up(oid) AS (SELECT TG_RELID UNION SELECT i.inhparent
            FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid)
      SELECT 1
      FROM up
      WHERE up.oid = @dashagg_source@) THEN
      IF NOT alone AND EXISTS (SELECT 1 FROM "public"."dashagg_log_<financials>" WHERE dashagg_grain = 'a' AND
            dashagg_open) THEN
        BEGIN
          PERFORM 1
          FROM "public"."dashagg_log_<financials>"
          WHERE dashagg_grain = 'a' AND dashagg_open LIMIT 1 FOR KEY SHARE SKIP LOCKED;
          IF FOUND THEN
            RETURN NULL;
          END IF;
        EXCEPTION WHEN serialization_failure THEN
          NULL;
        END;
      END IF;
      INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain)
      VALUES ('a');
      RETURN NULL;
    END IF;
    IF pg_catalog.pg_relation_size('"public"."dashagg_log_<financials>"'::pg_catalog.regclass) > 480000 THEN
      IF NOT alone AND EXISTS (SELECT 1 FROM "public"."dashagg_log_<financials>" WHERE dashagg_grain = 'a' AND
            dashagg_open) THEN
        BEGIN
          PERFORM 1
          FROM "public"."dashagg_log_<financials>"
          WHERE dashagg_grain = 'a' AND dashagg_open LIMIT 1 FOR KEY SHARE SKIP LOCKED;
          IF FOUND THEN
            RETURN NULL;
          END IF;
        EXCEPTION WHEN serialization_failure THEN
          NULL;
        END;
      END IF;
      waiting := 20000 + 1;
      IF NOT alone AND extract(microseconds FROM clock_timestamp())::bigint % 80 = 0 THEN
        SELECT count(*) INTO waiting
        FROM (SELECT 1 FROM "public"."dashagg_log_<financials>" LIMIT 40000 + 1) x;
        IF waiting > 40000 THEN
          INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain)
          VALUES ('a');
          RETURN NULL;
        END IF;
      END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
      IF waiting <= 20000 AND (SELECT count(*) FROM (SELECT 1 FROM dashagg_new LIMIT 5001) x) < 5001 THEN
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
        SELECT DISTINCT 'k', r."month", r."metric", r."marketplace", r."asin"
        FROM dashagg_new r;
      ELSE
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month")
        SELECT DISTINCT 'p', r."month"
        FROM dashagg_new r;
      END IF;
    ELSIF TG_OP = 'DELETE' THEN
      IF waiting <= 20000 AND (SELECT count(*) FROM (SELECT 1 FROM dashagg_old LIMIT 5001) x) < 5001 THEN
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
        SELECT DISTINCT 'k', r."month", r."metric", r."marketplace", r."asin"
        FROM dashagg_old r;
      ELSE
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month")
        SELECT DISTINCT 'p', r."month"
        FROM dashagg_old r;
      END IF;
    ELSIF TG_OP = 'UPDATE' THEN
      IF waiting <= 20000 AND (SELECT count(*) FROM (SELECT 1 FROM dashagg_new LIMIT 5001) x) < 5001 THEN
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
        SELECT DISTINCT 'k', r."month", r."metric", r."marketplace", r."asin"
        FROM dashagg_new r;
      ELSE
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month")
        SELECT DISTINCT 'p', r."month"
        FROM dashagg_new r;
      END IF;
      IF waiting <= 20000 AND (SELECT count(*) FROM (SELECT 1 FROM dashagg_old LIMIT 5001) x) < 5001 THEN
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month", "metric", "marketplace", "asin")
        SELECT DISTINCT 'k', r."month", r."metric", r."marketplace", r."asin"
        FROM dashagg_old r;
      ELSE
        INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain, "month")
        SELECT DISTINCT 'p', r."month"
        FROM dashagg_old r;
      END IF;
    ELSE
      INSERT INTO "public"."dashagg_log_<financials>" (dashagg_grain)
      VALUES ('a');
    END IF;
    RETURN NULL;
  END$dashagg$$dashagg2$, '@dashagg_source@', pg_catalog.to_regclass('"financials"')::pg_catalog.oid::pg_catalog.text);
END$dashagg3$;

DO $dashagg$DECLARE rel pg_catalog.regclass;
old record;
BEGIN
  FOR old IN WITH RECURSIVE tree AS (SELECT pg_catalog.to_regclass('"financials"')::pg_catalog.oid AS oid
    UNION ALL
    SELECT i.inhrelid
    FROM pg_catalog.pg_inherits i
    JOIN tree ON i.inhparent = tree.oid)
  SELECT g.tgname, g.tgrelid::pg_catalog.regclass AS rel
  FROM pg_catalog.pg_trigger g
  WHERE g.tgfoid = '"public"."dashagg_<financials>_note"()'::pg_catalog.regprocedure::pg_catalog.oid AND g.tgrelid NOT
      IN (SELECT oid FROM tree WHERE oid IS NOT NULL) AND (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM
        pg_catalog.pg_class c WHERE c.oid = g.tgrelid) LOOP
    BEGIN
      EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', old.tgname, old.rel);
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END LOOP;
  FOR rel IN WITH RECURSIVE tree AS (SELECT pg_catalog.to_regclass('"financials"')::pg_catalog.oid AS oid
    UNION ALL
    SELECT i.inhrelid
    FROM pg_catalog.pg_inherits i
    JOIN tree ON i.inhparent = tree.oid)
  SELECT oid::pg_catalog.regclass
  FROM tree
  WHERE 4 > (SELECT pg_catalog.count(*)
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = tree.oid AND g.tgfoid =
        '"public"."dashagg_<financials>_note"()'::pg_catalog.regprocedure::pg_catalog.oid AND g.tgenabled = 'A') LOOP
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<financials>_ai" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<financials>_ai" AFTER INSERT ON %s REFERENCING NEW TABLE AS dashagg_new FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<financials>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<financials>_ai"', rel);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<financials>_au" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<financials>_au" AFTER UPDATE ON %s REFERENCING OLD TABLE AS dashagg_old NEW TABLE AS dashagg_new FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<financials>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<financials>_au"', rel);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<financials>_ad" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<financials>_ad" AFTER DELETE ON %s REFERENCING OLD TABLE AS dashagg_old FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<financials>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<financials>_ad"', rel);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<financials>_at" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<financials>_at" AFTER TRUNCATE ON %s  FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<financials>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<financials>_at"', rel);
  END LOOP;
END$dashagg$;

REVOKE ALL ON FUNCTION "public"."dashagg_<financials>_note"() FROM PUBLIC;

DO $dashagg$DECLARE me pg_catalog.name := CURRENT_USER;
owner pg_catalog.name;
BEGIN
  SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner
  FROM pg_catalog.pg_class c
  WHERE c.oid = pg_catalog.to_regclass('"financials"')::pg_catalog.oid;
  IF owner IS NOT NULL AND owner <> me THEN
    BEGIN
      EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO %I', '"public"', owner);
      EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO %I', '"public"."dashagg_log_<financials>"', owner);
      EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', '"public"."dashagg_<financials>_note"()', owner);
      EXECUTE pg_catalog.format('SET LOCAL ROLE %I', owner);
      EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, %I',
            '"public"."dashagg_log_<financials>"', me, owner);
      EXECUTE pg_catalog.format('SET LOCAL ROLE %I', me);
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;
    END;
  END IF;
END$dashagg$;

DO $dashagg$DECLARE at record;
BEGIN
  FOR at IN
  SELECT c.oid::pg_catalog.regclass AS rel, a.grantee
  FROM pg_catalog.pg_class c
  CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
  WHERE c.oid IN (SELECT pg_catalog.to_regclass(name)::pg_catalog.oid
    FROM pg_catalog.unnest(ARRAY['"public"."dashagg_log_<financials>"',
          '"public"."dashagg_work_<financials>"']::pg_catalog.text[]) name) AND a.grantee <> c.relowner AND a.grantee <>
      CURRENT_USER::pg_catalog.regrole::pg_catalog.oid AND CASE WHEN a.grantee = 0::pg_catalog.oid THEN true ELSE
      pg_catalog.has_table_privilege(a.grantee, pg_catalog.to_regclass('"financials"')::pg_catalog.oid,
        'INSERT, UPDATE, DELETE, TRUNCATE') END LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', at.rel, CASE WHEN at.grantee = 0::pg_catalog.oid THEN 'PUBLIC'
          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(at.grantee)::pg_catalog.text) END);
  END LOOP;
  FOR at IN
  SELECT a.grantee
  FROM pg_catalog.pg_proc p
  CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
  WHERE p.oid = '"public"."dashagg_<financials>_note"()'::pg_catalog.regprocedure::pg_catalog.oid AND a.grantee <>
      p.proowner LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', '"public"."dashagg_<financials>_note"()', CASE WHEN
          at.grantee = 0::pg_catalog.oid THEN 'PUBLIC' ELSE
          pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(at.grantee)::pg_catalog.text) END);
  END LOOP;
END$dashagg$;

COMMIT;

BEGIN ISOLATION LEVEL READ COMMITTED;

CREATE TABLE IF NOT EXISTS "public"."dashagg_log_<products>" (dashagg_id uuid DEFAULT pg_catalog.gen_random_uuid()
      PRIMARY KEY, dashagg_grain char(1) NOT NULL, dashagg_open boolean DEFAULT true NOT NULL, "asin" text);

CREATE INDEX IF NOT EXISTS "dashagg_log_<products>_all" ON "public"."dashagg_log_<products>" (dashagg_grain)
WHERE dashagg_grain = 'a';

CREATE TABLE IF NOT EXISTS "public"."dashagg_work_<products>" (dashagg_id uuid DEFAULT pg_catalog.gen_random_uuid()
      PRIMARY KEY, dashagg_claim text NOT NULL, dashagg_grain char(1) NOT NULL, "asin" text);

DO $dashagg3$BEGIN
EXECUTE pg_catalog.replace($dashagg2$CREATE OR REPLACE FUNCTION "public"."dashagg_<products>_note"() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET
      standard_conforming_strings = 'on' AS $dashagg$<<dashagg_as_<hash>>>
  DECLARE waiting bigint := 0;
  alone boolean := current_setting('transaction_isolation') = 'serializable';
  BEGIN
    IF TG_RELID <> @dashagg_source@ AND NOT EXISTS (WITH RECURSIVE up(oid) AS (SELECT TG_RELID UNION SELECT i.inhparent
            FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid)
      SELECT 1
      FROM up
      WHERE up.oid = @dashagg_source@) THEN
      IF NOT alone AND EXISTS (SELECT 1 FROM "public"."dashagg_log_<products>" WHERE dashagg_grain = 'a' AND
            dashagg_open) THEN
        BEGIN
          PERFORM 1
          FROM "public"."dashagg_log_<products>"
          WHERE dashagg_grain = 'a' AND dashagg_open LIMIT 1 FOR KEY SHARE SKIP LOCKED;
          IF FOUND THEN
            RETURN NULL;
          END IF;
        EXCEPTION WHEN serialization_failure THEN
          NULL;
        END;
      END IF;
      INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
      VALUES ('a');
      RETURN NULL;
    END IF;
    IF pg_catalog.pg_relation_size('"public"."dashagg_log_<products>"'::pg_catalog.regclass) > 480000 THEN
      IF NOT alone AND EXISTS (SELECT 1 FROM "public"."dashagg_log_<products>" WHERE dashagg_grain = 'a' AND
            dashagg_open) THEN
        BEGIN
          PERFORM 1
          FROM "public"."dashagg_log_<products>"
          WHERE dashagg_grain = 'a' AND dashagg_open LIMIT 1 FOR KEY SHARE SKIP LOCKED;
          IF FOUND THEN
            RETURN NULL;
          END IF;
        EXCEPTION WHEN serialization_failure THEN
          NULL;
        END;
      END IF;
      waiting := 20000 + 1;
      IF NOT alone AND extract(microseconds FROM clock_timestamp())::bigint % 80 = 0 THEN
        SELECT count(*) INTO waiting
        FROM (SELECT 1 FROM "public"."dashagg_log_<products>" LIMIT 20000 + 1) x;
        IF waiting > 20000 THEN
          INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
          VALUES ('a');
          RETURN NULL;
        END IF;
      END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
      IF (SELECT count(*) FROM (SELECT 1 FROM dashagg_new LIMIT 20000) x) < 20000 THEN
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain, "asin")
        SELECT DISTINCT 'k', r."asin"
        FROM dashagg_new r;
      ELSE
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
        VALUES ('a');
      END IF;
    ELSIF TG_OP = 'DELETE' THEN
      IF (SELECT count(*) FROM (SELECT 1 FROM dashagg_old LIMIT 20000) x) < 20000 THEN
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain, "asin")
        SELECT DISTINCT 'k', r."asin"
        FROM dashagg_old r;
      ELSE
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
        VALUES ('a');
      END IF;
    ELSIF TG_OP = 'UPDATE' THEN
      IF (SELECT count(*) FROM (SELECT 1 FROM dashagg_new LIMIT 20000) x) < 20000 THEN
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain, "asin")
        SELECT DISTINCT 'k', r."asin"
        FROM dashagg_new r;
      ELSE
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
        VALUES ('a');
      END IF;
      IF (SELECT count(*) FROM (SELECT 1 FROM dashagg_old LIMIT 20000) x) < 20000 THEN
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain, "asin")
        SELECT DISTINCT 'k', r."asin"
        FROM dashagg_old r;
      ELSE
        INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
        VALUES ('a');
      END IF;
    ELSE
      INSERT INTO "public"."dashagg_log_<products>" (dashagg_grain)
      VALUES ('a');
    END IF;
    RETURN NULL;
  END$dashagg$$dashagg2$, '@dashagg_source@', pg_catalog.to_regclass('"products"')::pg_catalog.oid::pg_catalog.text);
END$dashagg3$;

DO $dashagg$DECLARE rel pg_catalog.regclass;
old record;
BEGIN
  FOR old IN WITH RECURSIVE tree AS (SELECT pg_catalog.to_regclass('"products"')::pg_catalog.oid AS oid
    UNION ALL
    SELECT i.inhrelid
    FROM pg_catalog.pg_inherits i
    JOIN tree ON i.inhparent = tree.oid)
  SELECT g.tgname, g.tgrelid::pg_catalog.regclass AS rel
  FROM pg_catalog.pg_trigger g
  WHERE g.tgfoid = '"public"."dashagg_<products>_note"()'::pg_catalog.regprocedure::pg_catalog.oid AND g.tgrelid NOT IN
      (SELECT oid FROM tree WHERE oid IS NOT NULL) AND (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM
        pg_catalog.pg_class c WHERE c.oid = g.tgrelid) LOOP
    BEGIN
      EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', old.tgname, old.rel);
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END LOOP;
  FOR rel IN WITH RECURSIVE tree AS (SELECT pg_catalog.to_regclass('"products"')::pg_catalog.oid AS oid
    UNION ALL
    SELECT i.inhrelid
    FROM pg_catalog.pg_inherits i
    JOIN tree ON i.inhparent = tree.oid)
  SELECT oid::pg_catalog.regclass
  FROM tree
  WHERE 4 > (SELECT pg_catalog.count(*)
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = tree.oid AND g.tgfoid =
        '"public"."dashagg_<products>_note"()'::pg_catalog.regprocedure::pg_catalog.oid AND g.tgenabled = 'A') LOOP
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<products>_ai" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<products>_ai" AFTER INSERT ON %s REFERENCING NEW TABLE AS dashagg_new FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<products>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<products>_ai"', rel);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<products>_au" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<products>_au" AFTER UPDATE ON %s REFERENCING OLD TABLE AS dashagg_old NEW TABLE AS dashagg_new FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<products>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<products>_au"', rel);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<products>_ad" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<products>_ad" AFTER DELETE ON %s REFERENCING OLD TABLE AS dashagg_old FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<products>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<products>_ad"', rel);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS "dashagg_<products>_at" ON %s', rel);
    EXECUTE
        pg_catalog.format('CREATE TRIGGER "dashagg_<products>_at" AFTER TRUNCATE ON %s  FOR EACH STATEMENT EXECUTE FUNCTION "public"."dashagg_<products>_note"()',
          rel);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "dashagg_<products>_at"', rel);
  END LOOP;
END$dashagg$;

REVOKE ALL ON FUNCTION "public"."dashagg_<products>_note"() FROM PUBLIC;

DO $dashagg$DECLARE me pg_catalog.name := CURRENT_USER;
owner pg_catalog.name;
BEGIN
  SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner
  FROM pg_catalog.pg_class c
  WHERE c.oid = pg_catalog.to_regclass('"products"')::pg_catalog.oid;
  IF owner IS NOT NULL AND owner <> me THEN
    BEGIN
      EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO %I', '"public"', owner);
      EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO %I', '"public"."dashagg_log_<products>"', owner);
      EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', '"public"."dashagg_<products>_note"()', owner);
      EXECUTE pg_catalog.format('SET LOCAL ROLE %I', owner);
      EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, %I',
            '"public"."dashagg_log_<products>"', me, owner);
      EXECUTE pg_catalog.format('SET LOCAL ROLE %I', me);
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;
    END;
  END IF;
END$dashagg$;

DO $dashagg$DECLARE at record;
BEGIN
  FOR at IN
  SELECT c.oid::pg_catalog.regclass AS rel, a.grantee
  FROM pg_catalog.pg_class c
  CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
  WHERE c.oid IN (SELECT pg_catalog.to_regclass(name)::pg_catalog.oid
    FROM pg_catalog.unnest(ARRAY['"public"."dashagg_log_<products>"',
          '"public"."dashagg_work_<products>"']::pg_catalog.text[]) name) AND a.grantee <> c.relowner AND a.grantee <>
      CURRENT_USER::pg_catalog.regrole::pg_catalog.oid AND CASE WHEN a.grantee = 0::pg_catalog.oid THEN true ELSE
      pg_catalog.has_table_privilege(a.grantee, pg_catalog.to_regclass('"products"')::pg_catalog.oid,
        'INSERT, UPDATE, DELETE, TRUNCATE') END LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', at.rel, CASE WHEN at.grantee = 0::pg_catalog.oid THEN 'PUBLIC'
          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(at.grantee)::pg_catalog.text) END);
  END LOOP;
  FOR at IN
  SELECT a.grantee
  FROM pg_catalog.pg_proc p
  CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
  WHERE p.oid = '"public"."dashagg_<products>_note"()'::pg_catalog.regprocedure::pg_catalog.oid AND a.grantee <>
      p.proowner LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', '"public"."dashagg_<products>_note"()', CASE WHEN
          at.grantee = 0::pg_catalog.oid THEN 'PUBLIC' ELSE
          pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(at.grantee)::pg_catalog.text) END);
  END LOOP;
END$dashagg$;

COMMIT;

CREATE UNLOGGED TABLE IF NOT EXISTS "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run" BIGINT NOT NULL,
      "dashagg_op" CHAR(1) NOT NULL, "asin" text NOT NULL, "marketplace" text NOT NULL, "month" date NOT NULL, "metric"
      text NOT NULL, "brand_id" bigint NULL, "category_id" bigint NULL, "amount" numeric(20,2) NULL, "row_count" bigint
      NULL, "updated_at" timestamp with time zone NULL);

CREATE UNLOGGED TABLE IF NOT EXISTS "public"."dashagg_scratch_<hash>_<hash>_<hash>_k" ("dashagg_run" BIGINT NOT NULL,
      "dashagg_op" CHAR(1) NOT NULL, "asin" text NOT NULL, "marketplace" text NOT NULL, "month" date NOT NULL, "metric"
      text NOT NULL, "brand_id" bigint NULL, "category_id" bigint NULL, "amount" numeric(20,2) NULL, "row_count" bigint
      NULL, "updated_at" timestamp with time zone NULL, PRIMARY KEY ("dashagg_run", "month", "metric", "marketplace",
        "asin"));

CREATE UNLOGGED TABLE IF NOT EXISTS "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run" BIGINT NOT NULL,
      "dashagg_op" CHAR(1) NOT NULL, "brand_id" bigint NOT NULL, "marketplace" text NOT NULL, "month" date NOT NULL,
      "metric" text NOT NULL, "amount" numeric(20,2) NULL, "row_count" bigint NULL, "updated_at" timestamp with time
      zone NULL);

CREATE UNLOGGED TABLE IF NOT EXISTS "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run" BIGINT NOT NULL,
      "dashagg_op" CHAR(1) NOT NULL, "category_id" bigint NOT NULL, "month" date NOT NULL, "metric" text NOT NULL,
      "amount" numeric(20,2) NULL, "row_count" bigint NULL, "updated_at" timestamp with time zone NULL);

BEGIN ISOLATION LEVEL READ COMMITTED;

CREATE OR REPLACE FUNCTION "public"."dashagg_waiting_<hash>"() RETURNS TABLE ("month" date) LANGUAGE sql STABLE SECURITY
    DEFINER PARALLEL RESTRICTED ROWS 1 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off BEGIN
  ATOMIC
  SELECT DISTINCT CAST(w.c1 AS date)
  FROM (SELECT "month"
    FROM "public"."financials_summary_monthly_brand"
    WHERE (NOT EXISTS (SELECT 1
        FROM "public"."dashagg_summary"
        WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum =
            '<hash>') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
          FROM "public"."dashagg_work_<financials>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>")
              n) n
        WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "asin"
          FROM "public"."dashagg_work_<products>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) n
        WHERE n.dashagg_grain = 'a'))
    UNION
    SELECT n."month"
    FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
      FROM "public"."dashagg_work_<financials>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>") n)
        n
    WHERE n.dashagg_grain <> 'a' AND n."month" IS NOT NULL
    UNION
    SELECT "month"
    FROM "financials"
    WHERE (NOT EXISTS (SELECT 1
        FROM "public"."dashagg_summary"
        WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum =
            '<hash>') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
          FROM "public"."dashagg_work_<financials>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>")
              n) n
        WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, "asin"
          FROM "public"."dashagg_work_<products>"
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) n
        WHERE n.dashagg_grain = 'a'))
    UNION
    SELECT o."month"
    FROM "public"."financials_summary_monthly_asin_marketplace" o
    JOIN (SELECT dashagg_grain, "asin"
      FROM "public"."dashagg_work_<products>"
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) n ON o."asin" = n."asin") w (c1);
END;

REVOKE ALL ON FUNCTION "public"."dashagg_waiting_<hash>"() FROM PUBLIC;

DO $dashagg$
DECLARE reader record;
BEGIN
  FOR reader IN
  SELECT DISTINCT a.grantee
  FROM pg_catalog.pg_class c
  CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
  WHERE c.oid = pg_catalog.to_regclass('"public"."financials_summary_monthly_brand_live"')::pg_catalog.oid AND
      a.privilege_type = 'SELECT' LOOP
    EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', '"public"."dashagg_waiting_<hash>"()', CASE WHEN
          reader.grantee = 0::pg_catalog.oid THEN 'PUBLIC' ELSE
          pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(reader.grantee)::pg_catalog.text) END);
  END LOOP;
END $dashagg$;

CREATE OR REPLACE VIEW "public"."financials_summary_monthly_brand_live" AS
SELECT t."brand_id", t."marketplace", t."month", t."metric", t."amount", t."row_count"
FROM "public"."financials_summary_monthly_brand" t
WHERE NOT (t."month" = ANY (ARRAY(SELECT "month" FROM "public"."dashagg_waiting_<hash>"() w)))
UNION ALL
SELECT CAST(l."brand_id" AS bigint) AS "brand_id", CAST(l."marketplace" AS text) AS "marketplace", CAST(w."month" AS
      date) AS "month", CAST(l."metric" AS text) AS "metric", CAST(l."amount" AS numeric(20,2)) AS "amount",
    CAST(l."row_count" AS bigint) AS "row_count"
FROM "public"."dashagg_waiting_<hash>"() w
CROSS JOIN LATERAL (WITH "financials_summary_monthly_asin_marketplace" AS (SELECT CAST(q."asin" AS text) AS "asin",
        CAST(q."marketplace" AS text) AS "marketplace", CAST(q."month" AS date) AS "month", CAST(q."metric" AS text) AS
        "metric", CAST(q."brand_id" AS bigint) AS "brand_id", CAST(q."category_id" AS bigint) AS "category_id",
        CAST(q."amount" AS numeric(20,2)) AS "amount", CAST(q."row_count" AS bigint) AS "row_count"
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
) q WHERE q."month" = w."month") SELECT * FROM (
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
) s WHERE s."month" = w."month") l;

COMMIT;

-- ---- refresh, the first ----

SELECT pg_catalog.current_setting('standard_conforming_strings');

SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_version'),
    pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_schema()::pg_catalog.text;

BEGIN ISOLATION LEVEL READ COMMITTED;

SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock(-4486649374180696253::pg_catalog.int8) THEN
    pg_catalog.pg_backend_pid()::pg_catalog.text || ' ' || (SELECT extract(epoch FROM backend_start)::pg_catalog.text
  FROM pg_catalog.pg_stat_activity
  WHERE pid = pg_catalog.pg_backend_pid()) END;

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

SELECT 1 FROM "public"."financials_summary_monthly_brand_live" WHERE 1 = 0;

BEGIN ISOLATION LEVEL READ COMMITTED;

WITH gone AS (DELETE
  FROM "public"."dashagg_log_<financials>"
  WHERE dashagg_grain <> 'a' OR ctid = ANY (ARRAY(SELECT ctid FROM "public"."dashagg_log_<financials>" WHERE
          dashagg_grain = 'a' FOR UPDATE SKIP LOCKED))
  RETURNING dashagg_grain, "month", "metric", "marketplace", "asin")
INSERT INTO "public"."dashagg_work_<financials>" (dashagg_claim, dashagg_grain, "month", "metric", "marketplace",
      "asin")
SELECT '<hash>', dashagg_grain, "month", "metric", "marketplace", "asin"
FROM gone;

UPDATE "public"."dashagg_log_<financials>" SET dashagg_open = false WHERE dashagg_grain = 'a' AND dashagg_open;

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM "public"."dashagg_work_<financials>";

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM "public"."dashagg_work_<financials>" LIMIT 40001) n), CASE WHEN EXISTS
    (SELECT 1
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>") n) THEN
    1 ELSE 0 END, (SELECT COUNT(*)
  FROM (SELECT 1 FROM "public"."dashagg_work_<financials>" WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

BEGIN ISOLATION LEVEL READ COMMITTED;

WITH gone AS (DELETE
  FROM "public"."dashagg_log_<products>"
  WHERE dashagg_grain <> 'a' OR ctid = ANY (ARRAY(SELECT ctid FROM "public"."dashagg_log_<products>" WHERE dashagg_grain
          = 'a' FOR UPDATE SKIP LOCKED))
  RETURNING dashagg_grain, "asin")
INSERT INTO "public"."dashagg_work_<products>" (dashagg_claim, dashagg_grain, "asin")
SELECT '<hash>', dashagg_grain, "asin"
FROM gone;

UPDATE "public"."dashagg_log_<products>" SET dashagg_open = false WHERE dashagg_grain = 'a' AND dashagg_open;

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM "public"."dashagg_work_<products>";

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM "public"."dashagg_work_<products>" LIMIT 40001) n), CASE WHEN EXISTS (SELECT
      1 FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) THEN 1 ELSE 0 END, (SELECT
      COUNT(*) FROM (SELECT 1 FROM "public"."dashagg_work_<products>" WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

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

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE
        "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE "month" > jump.v ORDER BY 1
        LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" IS
        NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" IS NULL LIMIT 1) n;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>_k"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

BEGIN ISOLATION LEVEL REPEATABLE READ;

CREATE TEMPORARY TABLE "pg_temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind" INTEGER NOT NULL, "asin" text NULL,
      "marketplace" text NULL, "month" date NULL, "metric" text NULL, "brand_id" bigint NULL, "category_id" bigint NULL,
      "amount" numeric(20,2) NULL, "row_count" bigint NULL) ON COMMIT DROP;

CREATE TEMPORARY TABLE "pg_temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind" INTEGER NOT NULL, "brand_id" bigint NULL,
      "marketplace" text NULL, "month" date NULL, "metric" text NULL, "amount" numeric(20,2) NULL, "row_count" bigint
      NULL) ON COMMIT DROP;

CREATE TEMPORARY TABLE "pg_temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind" INTEGER NOT NULL, "category_id" bigint NULL,
      "month" date NULL, "metric" text NULL, "amount" numeric(20,2) NULL, "row_count" bigint NULL) ON COMMIT DROP;

INSERT INTO "pg_temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind", "asin", "marketplace", "month", "metric", "brand_id",
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

CREATE UNIQUE INDEX "dashagg_stage_<hash>_0_0_key" ON "pg_temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind", "month",
      "metric", "marketplace", "asin");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "marketplace" IS NULL OR "asin" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END), SUM(CASE WHEN
      "dashagg_kind" = 1 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 1 THEN "row_count" END)
FROM "pg_temp"."dashagg_stage_<hash>_0_0"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT *
FROM (
SELECT month, metric, marketplace, asin
FROM financials_summary_monthly_asin_marketplace
WHERE marketplace = 'ALL'
) c LIMIT 1;

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "asin", "marketplace",
      "month", "metric", "brand_id", "category_id", "amount", "row_count")
SELECT <hash>, 'I', s."asin", s."marketplace", s."month", s."metric", s."brand_id", s."category_id", s."amount",
    s."row_count"
FROM "pg_temp"."dashagg_stage_<hash>_0_0" s
WHERE s."dashagg_kind" = 0;

INSERT INTO "pg_temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind", "brand_id", "marketplace", "month", "metric",
      "amount", "row_count") WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace",
      "month", "metric", "brand_id", "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
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

CREATE UNIQUE INDEX "dashagg_stage_<hash>_0_1_key" ON "pg_temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind", "month",
      "marketplace", "metric", "brand_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "marketplace" IS NULL OR "metric" IS NULL OR "brand_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 AND (marketplace <> 'ALL') THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND
      (marketplace <> 'ALL') THEN "row_count" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN "row_count" END)
FROM "pg_temp"."dashagg_stage_<hash>_0_1"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0), "financials_summary_monthly_brand" AS (SELECT "brand_id", "marketplace", "month", "metric",
      "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_1"
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

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "brand_id", "marketplace",
      "month", "metric", "amount", "row_count")
SELECT <hash>, 'I', s."brand_id", s."marketplace", s."month", s."metric", s."amount", s."row_count"
FROM "pg_temp"."dashagg_stage_<hash>_0_1" s
WHERE s."dashagg_kind" = 0;

INSERT INTO "pg_temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind", "category_id", "month", "metric", "amount",
      "row_count") WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month",
      "metric", "brand_id", "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
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

CREATE UNIQUE INDEX "dashagg_stage_<hash>_0_2_key" ON "pg_temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind", "month",
      "metric", "category_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "category_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END)
FROM "pg_temp"."dashagg_stage_<hash>_0_2"
GROUP BY "month";

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "category_id", "month",
      "metric", "amount", "row_count")
SELECT <hash>, 'I', s."category_id", s."month", s."metric", s."amount", s."row_count"
FROM "pg_temp"."dashagg_stage_<hash>_0_2" s
WHERE s."dashagg_kind" = 0;

COMMIT;

SELECT 0 AS nr, "dashagg_op", COUNT(*)
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 1 AS nr, "dashagg_op", COUNT(*)
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 2 AS nr, "dashagg_op", COUNT(*)
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op";

BEGIN ISOLATION LEVEL READ COMMITTED;

UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = 'financials' AND generation = 0;

INSERT INTO "public"."financials_summary_monthly_asin_marketplace" ("asin", "marketplace", "month", "metric",
      "brand_id", "category_id", "amount", "row_count", "updated_at")
SELECT d."asin", d."marketplace", d."month", d."metric", d."brand_id", d."category_id", d."amount", d."row_count",
    CURRENT_TIMESTAMP
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash> AND d."dashagg_op" IN ('I');

INSERT INTO "public"."financials_summary_monthly_brand" ("brand_id", "marketplace", "month", "metric", "amount",
      "row_count", "updated_at")
SELECT d."brand_id", d."marketplace", d."month", d."metric", d."amount", d."row_count", CURRENT_TIMESTAMP
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash> AND d."dashagg_op" IN ('I');

INSERT INTO "public"."financials_summary_monthly_category" ("category_id", "month", "metric", "amount", "row_count",
      "updated_at")
SELECT d."category_id", d."month", d."metric", d."amount", d."row_count", CURRENT_TIMESTAMP
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
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

ANALYZE "public"."financials_summary_monthly_asin_marketplace";

ANALYZE "public"."financials_summary_monthly_brand";

ANALYZE "public"."financials_summary_monthly_category";

SELECT (SELECT
      pg_catalog.pg_total_relation_size(pg_catalog.to_regclass('"public"."financials_summary_monthly_asin_marketplace"')::pg_catalog.oid::pg_catalog.regclass)),
    (SELECT
      pg_catalog.pg_total_relation_size(pg_catalog.to_regclass('"public"."financials_summary_monthly_brand"')::pg_catalog.oid::pg_catalog.regclass)),
    (SELECT
      pg_catalog.pg_total_relation_size(pg_catalog.to_regclass('"public"."financials_summary_monthly_category"')::pg_catalog.oid::pg_catalog.regclass));

UPDATE dashagg_summary SET bytes = CASE summary WHEN 'asin' THEN 81920 WHEN 'brand' THEN 49152 WHEN 'category' THEN
    32768 END
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

DROP TABLE IF EXISTS "pg_temp"."dashagg_stage_<hash>_0_0";

DROP TABLE IF EXISTS "pg_temp"."dashagg_stage_<hash>_0_1";

DROP TABLE IF EXISTS "pg_temp"."dashagg_stage_<hash>_0_2";

DELETE FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" WHERE "dashagg_run" BETWEEN <hash> AND <hash>;

DELETE FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" WHERE "dashagg_run" BETWEEN <hash> AND <hash>;

DELETE FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" WHERE "dashagg_run" BETWEEN <hash> AND <hash>;

-- ---- refresh, one changed row ----

SELECT pg_catalog.current_setting('standard_conforming_strings');

SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_version'),
    pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_schema()::pg_catalog.text;

BEGIN ISOLATION LEVEL READ COMMITTED;

SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock(-4486649374180696253::pg_catalog.int8) THEN
    pg_catalog.pg_backend_pid()::pg_catalog.text || ' ' || (SELECT extract(epoch FROM backend_start)::pg_catalog.text
  FROM pg_catalog.pg_stat_activity
  WHERE pid = pg_catalog.pg_backend_pid()) END;

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

BEGIN ISOLATION LEVEL READ COMMITTED;

WITH gone AS (DELETE
  FROM "public"."dashagg_log_<financials>"
  WHERE dashagg_grain <> 'a' OR ctid = ANY (ARRAY(SELECT ctid FROM "public"."dashagg_log_<financials>" WHERE
          dashagg_grain = 'a' FOR UPDATE SKIP LOCKED))
  RETURNING dashagg_grain, "month", "metric", "marketplace", "asin")
INSERT INTO "public"."dashagg_work_<financials>" (dashagg_claim, dashagg_grain, "month", "metric", "marketplace",
      "asin")
SELECT '<hash>', dashagg_grain, "month", "metric", "marketplace", "asin"
FROM gone;

UPDATE "public"."dashagg_log_<financials>" SET dashagg_open = false WHERE dashagg_grain = 'a' AND dashagg_open;

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM "public"."dashagg_work_<financials>";

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM "public"."dashagg_work_<financials>" LIMIT 40001) n), CASE WHEN EXISTS
    (SELECT 1
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>") n) THEN
    1 ELSE 0 END, (SELECT COUNT(*)
  FROM (SELECT 1 FROM "public"."dashagg_work_<financials>" WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

SELECT DISTINCT "month", "metric", "marketplace", "asin"
FROM "public"."dashagg_work_<financials>" w
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

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE
        "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE "month" > jump.v ORDER BY 1
        LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" IS
        NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" IS NULL LIMIT 1) n;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>_k"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT "dashagg_run" - "dashagg_run" % 4096
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>"
WHERE "dashagg_run" NOT BETWEEN <hash> AND <hash>;

BEGIN ISOLATION LEVEL REPEATABLE READ;

CREATE TEMPORARY TABLE "pg_temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind" INTEGER NOT NULL, "asin" text NULL,
      "marketplace" text NULL, "month" date NULL, "metric" text NULL, "brand_id" bigint NULL, "category_id" bigint NULL,
      "amount" numeric(20,2) NULL, "row_count" bigint NULL) ON COMMIT DROP;

CREATE TEMPORARY TABLE "pg_temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind" INTEGER NOT NULL, "brand_id" bigint NULL,
      "marketplace" text NULL, "month" date NULL, "metric" text NULL, "amount" numeric(20,2) NULL, "row_count" bigint
      NULL) ON COMMIT DROP;

CREATE TEMPORARY TABLE "pg_temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind" INTEGER NOT NULL, "category_id" bigint NULL,
      "month" date NULL, "metric" text NULL, "amount" numeric(20,2) NULL, "row_count" bigint NULL) ON COMMIT DROP;

INSERT INTO "pg_temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind", "asin", "marketplace", "month", "metric", "brand_id",
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

CREATE UNIQUE INDEX "dashagg_stage_<hash>_0_0_key" ON "pg_temp"."dashagg_stage_<hash>_0_0" ("dashagg_kind", "month",
      "metric", "marketplace", "asin");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "marketplace" IS NULL OR "asin" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END), SUM(CASE WHEN
      "dashagg_kind" = 1 THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 1 THEN "row_count" END), (SELECT COUNT(*)
      FROM "public"."financials_summary_monthly_asin_marketplace" t WHERE t."month" = '2025-01-01')
FROM "pg_temp"."dashagg_stage_<hash>_0_0"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0)
SELECT *
FROM (
SELECT month, metric, marketplace, asin
FROM financials_summary_monthly_asin_marketplace
WHERE marketplace = 'ALL'
) c LIMIT 1;

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "asin", "marketplace",
      "month", "metric", "brand_id", "category_id", "amount", "row_count")
SELECT <hash>, CASE WHEN t."month" IS NULL THEN 'I' ELSE 'U' END, s."asin", s."marketplace", s."month", s."metric",
    s."brand_id", s."category_id", s."amount", s."row_count"
FROM "pg_temp"."dashagg_stage_<hash>_0_0" s
LEFT JOIN "public"."financials_summary_monthly_asin_marketplace" t ON t."month" = s."month" AND t."metric" = s."metric"
    AND t."marketplace" = s."marketplace" AND t."asin" = s."asin" AND t."month" = '2025-01-01'
WHERE s."dashagg_kind" = 0 AND (t."month" IS NULL OR NOT ((s."asin")::pg_catalog.text COLLATE pg_catalog."C" IS NOT
        DISTINCT FROM (t."asin")::pg_catalog.text COLLATE pg_catalog."C" AND (s."marketplace")::pg_catalog.text COLLATE
        pg_catalog."C" IS NOT DISTINCT FROM (t."marketplace")::pg_catalog.text COLLATE pg_catalog."C" AND s."month" IS
        NOT DISTINCT FROM t."month" AND (s."metric")::pg_catalog.text COLLATE pg_catalog."C" IS NOT DISTINCT FROM
        (t."metric")::pg_catalog.text COLLATE pg_catalog."C" AND s."brand_id" IS NOT DISTINCT FROM t."brand_id" AND
        s."category_id" IS NOT DISTINCT FROM t."category_id" AND s."amount" IS NOT DISTINCT FROM t."amount" AND
        s."row_count" IS NOT DISTINCT FROM t."row_count"));

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "month", "metric",
      "marketplace", "asin")
SELECT <hash>, 'D', t."month", t."metric", t."marketplace", t."asin"
FROM "public"."financials_summary_monthly_asin_marketplace" t
LEFT JOIN "pg_temp"."dashagg_stage_<hash>_0_0" s ON s."dashagg_kind" = 0 AND s."month" = t."month" AND s."metric" =
    t."metric" AND s."marketplace" = t."marketplace" AND s."asin" = t."asin"
WHERE t."month" = '2025-01-01' AND s."dashagg_kind" IS NULL;

INSERT INTO "pg_temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind", "brand_id", "marketplace", "month", "metric",
      "amount", "row_count") WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace",
      "month", "metric", "brand_id", "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
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

CREATE UNIQUE INDEX "dashagg_stage_<hash>_0_1_key" ON "pg_temp"."dashagg_stage_<hash>_0_1" ("dashagg_kind", "month",
      "marketplace", "metric", "brand_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "marketplace" IS NULL OR "metric" IS NULL OR "brand_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      "dashagg_kind" = 0 AND (marketplace <> 'ALL') THEN "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND
      (marketplace <> 'ALL') THEN "row_count" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 AND (marketplace = 'ALL') THEN "row_count" END), (SELECT COUNT(*)
      FROM "public"."financials_summary_monthly_brand" t WHERE t."month" = '2025-01-01')
FROM "pg_temp"."dashagg_stage_<hash>_0_1"
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month", "metric", "brand_id",
      "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
  WHERE "dashagg_kind" = 0), "financials_summary_monthly_brand" AS (SELECT "brand_id", "marketplace", "month", "metric",
      "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_1"
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

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "brand_id", "marketplace",
      "month", "metric", "amount", "row_count")
SELECT <hash>, CASE WHEN t."month" IS NULL THEN 'I' ELSE 'U' END, s."brand_id", s."marketplace", s."month", s."metric",
    s."amount", s."row_count"
FROM "pg_temp"."dashagg_stage_<hash>_0_1" s
LEFT JOIN "public"."financials_summary_monthly_brand" t ON t."month" = s."month" AND t."marketplace" = s."marketplace"
    AND t."metric" = s."metric" AND t."brand_id" = s."brand_id" AND t."month" = '2025-01-01'
WHERE s."dashagg_kind" = 0 AND (t."month" IS NULL OR NOT (s."brand_id" IS NOT DISTINCT FROM t."brand_id" AND
        (s."marketplace")::pg_catalog.text COLLATE pg_catalog."C" IS NOT DISTINCT FROM
        (t."marketplace")::pg_catalog.text COLLATE pg_catalog."C" AND s."month" IS NOT DISTINCT FROM t."month" AND
        (s."metric")::pg_catalog.text COLLATE pg_catalog."C" IS NOT DISTINCT FROM (t."metric")::pg_catalog.text COLLATE
        pg_catalog."C" AND s."amount" IS NOT DISTINCT FROM t."amount" AND s."row_count" IS NOT DISTINCT FROM
        t."row_count"));

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "month", "marketplace",
      "metric", "brand_id")
SELECT <hash>, 'D', t."month", t."marketplace", t."metric", t."brand_id"
FROM "public"."financials_summary_monthly_brand" t
LEFT JOIN "pg_temp"."dashagg_stage_<hash>_0_1" s ON s."dashagg_kind" = 0 AND s."month" = t."month" AND s."marketplace" =
    t."marketplace" AND s."metric" = t."metric" AND s."brand_id" = t."brand_id"
WHERE t."month" = '2025-01-01' AND s."dashagg_kind" IS NULL;

INSERT INTO "pg_temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind", "category_id", "month", "metric", "amount",
      "row_count") WITH "financials_summary_monthly_asin_marketplace" AS (SELECT "asin", "marketplace", "month",
      "metric", "brand_id", "category_id", "amount", "row_count"
  FROM "pg_temp"."dashagg_stage_<hash>_0_0"
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

CREATE UNIQUE INDEX "dashagg_stage_<hash>_0_2_key" ON "pg_temp"."dashagg_stage_<hash>_0_2" ("dashagg_kind", "month",
      "metric", "category_id");

SELECT "month", SUM(CASE WHEN "dashagg_kind" = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 AND ("month" IS
        NULL OR "metric" IS NULL OR "category_id" IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN "dashagg_kind" = 0 THEN
      "amount" END), SUM(CASE WHEN "dashagg_kind" = 0 THEN "row_count" END), (SELECT COUNT(*) FROM
      "public"."financials_summary_monthly_category" t WHERE t."month" = '2025-01-01')
FROM "pg_temp"."dashagg_stage_<hash>_0_2"
GROUP BY "month";

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "category_id", "month",
      "metric", "amount", "row_count")
SELECT <hash>, CASE WHEN t."month" IS NULL THEN 'I' ELSE 'U' END, s."category_id", s."month", s."metric", s."amount",
    s."row_count"
FROM "pg_temp"."dashagg_stage_<hash>_0_2" s
LEFT JOIN "public"."financials_summary_monthly_category" t ON t."month" = s."month" AND t."metric" = s."metric" AND
    t."category_id" = s."category_id" AND t."month" = '2025-01-01'
WHERE s."dashagg_kind" = 0 AND (t."month" IS NULL OR NOT (s."category_id" IS NOT DISTINCT FROM t."category_id" AND
        s."month" IS NOT DISTINCT FROM t."month" AND (s."metric")::pg_catalog.text COLLATE pg_catalog."C" IS NOT
        DISTINCT FROM (t."metric")::pg_catalog.text COLLATE pg_catalog."C" AND s."amount" IS NOT DISTINCT FROM
        t."amount" AND s."row_count" IS NOT DISTINCT FROM t."row_count"));

INSERT INTO "public"."dashagg_scratch_<hash>_<hash>_<hash>" ("dashagg_run", "dashagg_op", "month", "metric",
      "category_id")
SELECT <hash>, 'D', t."month", t."metric", t."category_id"
FROM "public"."financials_summary_monthly_category" t
LEFT JOIN "pg_temp"."dashagg_stage_<hash>_0_2" s ON s."dashagg_kind" = 0 AND s."month" = t."month" AND s."metric" =
    t."metric" AND s."category_id" = t."category_id"
WHERE t."month" = '2025-01-01' AND s."dashagg_kind" IS NULL;

COMMIT;

SELECT 0 AS nr, "dashagg_op", COUNT(*)
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 1 AS nr, "dashagg_op", COUNT(*)
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op"
UNION ALL
SELECT 2 AS nr, "dashagg_op", COUNT(*)
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE d."dashagg_run" = <hash>
GROUP BY "dashagg_op";

BEGIN ISOLATION LEVEL READ COMMITTED;

UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = 'financials' AND generation = 1;

UPDATE "public"."financials_summary_monthly_asin_marketplace" t SET "asin" = d."asin", "marketplace" = d."marketplace",
    "month" = d."month", "metric" = d."metric", "brand_id" = d."brand_id", "category_id" = d."category_id", "amount" =
    d."amount", "row_count" = d."row_count", "updated_at" = CURRENT_TIMESTAMP
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE t."month" = d."month" AND t."metric" = d."metric" AND t."marketplace" = d."marketplace" AND t."asin" = d."asin"
    AND d."dashagg_run" = <hash> AND d."dashagg_op" IN ('U');

UPDATE "public"."financials_summary_monthly_brand" t SET "brand_id" = d."brand_id", "marketplace" = d."marketplace",
    "month" = d."month", "metric" = d."metric", "amount" = d."amount", "row_count" = d."row_count", "updated_at" =
    CURRENT_TIMESTAMP
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE t."month" = d."month" AND t."marketplace" = d."marketplace" AND t."metric" = d."metric" AND t."brand_id" =
    d."brand_id" AND d."dashagg_run" = <hash> AND d."dashagg_op" IN ('U');

UPDATE "public"."financials_summary_monthly_category" t SET "category_id" = d."category_id", "month" = d."month",
    "metric" = d."metric", "amount" = d."amount", "row_count" = d."row_count", "updated_at" = CURRENT_TIMESTAMP
FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" d
WHERE t."month" = d."month" AND t."metric" = d."metric" AND t."category_id" = d."category_id" AND d."dashagg_run" =
    <hash> AND d."dashagg_op" IN ('U');

DELETE FROM "public"."dashagg_work_<financials>" WHERE dashagg_claim IN ('<hash>');

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

SELECT (SELECT
      pg_catalog.pg_total_relation_size(pg_catalog.to_regclass('"public"."financials_summary_monthly_asin_marketplace"')::pg_catalog.oid::pg_catalog.regclass)),
    (SELECT
      pg_catalog.pg_total_relation_size(pg_catalog.to_regclass('"public"."financials_summary_monthly_brand"')::pg_catalog.oid::pg_catalog.regclass)),
    (SELECT
      pg_catalog.pg_total_relation_size(pg_catalog.to_regclass('"public"."financials_summary_monthly_category"')::pg_catalog.oid::pg_catalog.regclass));

UPDATE dashagg_summary SET bytes = CASE summary WHEN 'asin' THEN 81920 WHEN 'brand' THEN 49152 WHEN 'category' THEN
    32768 END
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

DROP TABLE IF EXISTS "pg_temp"."dashagg_stage_<hash>_0_0";

DROP TABLE IF EXISTS "pg_temp"."dashagg_stage_<hash>_0_1";

DROP TABLE IF EXISTS "pg_temp"."dashagg_stage_<hash>_0_2";

DELETE FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" WHERE "dashagg_run" BETWEEN <hash> AND <hash>;

DELETE FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" WHERE "dashagg_run" BETWEEN <hash> AND <hash>;

DELETE FROM "public"."dashagg_scratch_<hash>_<hash>_<hash>" WHERE "dashagg_run" BETWEEN <hash> AND <hash>;

-- ---- verify ----

SELECT pg_catalog.current_setting('standard_conforming_strings');

SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_version'),
    pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_schema()::pg_catalog.text;

SELECT extract(epoch FROM pg_catalog.clock_timestamp());

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

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

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE
        "month" IS NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE "month" > jump.v ORDER BY 1
        LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_asin_marketplace" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" IS NOT
        NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_brand" WHERE "month" IS NULL LIMIT 1) n;

WITH RECURSIVE jump(v) AS (SELECT (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" IS
        NOT NULL ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" > jump.v ORDER BY 1 LIMIT 1)
  FROM jump
  WHERE jump.v IS NOT NULL)
SELECT v
FROM jump
WHERE v IS NOT NULL
UNION ALL
SELECT *
FROM (SELECT "month" FROM "public"."financials_summary_monthly_category" WHERE "month" IS NULL LIMIT 1) n;

SELECT DISTINCT dashagg_grain, "month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "public"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>") n) a
    LIMIT 20001;

SELECT DISTINCT dashagg_grain, "asin"
FROM (SELECT dashagg_grain, "asin"
  FROM "public"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) a LIMIT 20001;

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

SELECT "month", SUM(amount), COUNT(*) FROM "financials" WHERE "month" = '2025-01-01' GROUP BY "month";

SELECT u."asin", u."marketplace", u."month", u."metric", u."brand_id", u."category_id", u."amount", u."row_count",
    SUM(u."dashagg_side")
FROM (SELECT 1 AS "dashagg_side", (CAST(q."asin" AS text))::pg_catalog.text COLLATE pg_catalog."C" AS "asin",
      (CAST(q."marketplace" AS text))::pg_catalog.text COLLATE pg_catalog."C" AS "marketplace", CAST(q."month" AS date)
      AS "month", (CAST(q."metric" AS text))::pg_catalog.text COLLATE pg_catalog."C" AS "metric", CAST(q."brand_id" AS
        bigint) AS "brand_id", CAST(q."category_id" AS bigint) AS "category_id", CAST(q."amount" AS numeric(20,2)) AS
      "amount", CAST(q."row_count" AS bigint) AS "row_count"
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
SELECT -1 AS "dashagg_side", (t."asin")::pg_catalog.text COLLATE pg_catalog."C" AS "asin",
  (t."marketplace")::pg_catalog.text COLLATE pg_catalog."C" AS "marketplace", t."month" AS "month",
  (t."metric")::pg_catalog.text COLLATE pg_catalog."C" AS "metric", t."brand_id" AS "brand_id", t."category_id" AS
  "category_id", t."amount" AS "amount", t."row_count" AS "row_count"
FROM "public"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01') u
GROUP BY u."asin", u."marketplace", u."month", u."metric", u."brand_id", u."category_id", u."amount", u."row_count"
HAVING SUM(u."dashagg_side") <> 0
ORDER BY u."month", u."metric", u."marketplace", u."asin";

SELECT DISTINCT dashagg_grain, "month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "public"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>") n) a
    LIMIT 20001;

SELECT DISTINCT dashagg_grain, "asin"
FROM (SELECT dashagg_grain, "asin"
  FROM "public"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) a LIMIT 20001;

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_brand" t
WHERE t."month" = '2025-01-01' AND (marketplace <> 'ALL')
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_brand" t
WHERE t."month" = '2025-01-01' AND (marketplace = 'ALL')
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT CAST(q."asin" AS text) AS "asin", CAST(q."marketplace" AS
        text) AS "marketplace", CAST(q."month" AS date) AS "month", CAST(q."metric" AS text) AS "metric",
      CAST(q."brand_id" AS bigint) AS "brand_id", CAST(q."category_id" AS bigint) AS "category_id", CAST(q."amount" AS
        numeric(20,2)) AS "amount", CAST(q."row_count" AS bigint) AS "row_count"
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
FROM (SELECT 1 AS "dashagg_side", CAST(q."brand_id" AS bigint) AS "brand_id", (CAST(q."marketplace" AS
      text))::pg_catalog.text COLLATE pg_catalog."C" AS "marketplace", CAST(q."month" AS date) AS "month",
  (CAST(q."metric" AS text))::pg_catalog.text COLLATE pg_catalog."C" AS "metric", CAST(q."amount" AS numeric(20,2)) AS
  "amount", CAST(q."row_count" AS bigint) AS "row_count"
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
SELECT -1 AS "dashagg_side", t."brand_id" AS "brand_id", (t."marketplace")::pg_catalog.text COLLATE pg_catalog."C" AS
  "marketplace", t."month" AS "month", (t."metric")::pg_catalog.text COLLATE pg_catalog."C" AS "metric", t."amount" AS
  "amount", t."row_count" AS "row_count"
FROM "public"."financials_summary_monthly_brand" t
WHERE t."month" = '2025-01-01') u
GROUP BY u."brand_id", u."marketplace", u."month", u."metric", u."amount", u."row_count"
HAVING SUM(u."dashagg_side") <> 0
ORDER BY u."month", u."marketplace", u."metric", u."brand_id";

SELECT DISTINCT dashagg_grain, "month"
FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin"
  FROM "public"."dashagg_work_<financials>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "month", "metric", "marketplace", "asin" FROM "public"."dashagg_log_<financials>") n) a
    LIMIT 20001;

SELECT DISTINCT dashagg_grain, "asin"
FROM (SELECT dashagg_grain, "asin"
  FROM "public"."dashagg_work_<products>"
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, "asin" FROM "public"."dashagg_log_<products>") n) a LIMIT 20001;

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_category" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

SELECT "month", SUM("amount"), SUM("row_count")
FROM "public"."financials_summary_monthly_asin_marketplace" t
WHERE t."month" = '2025-01-01'
GROUP BY "month";

WITH "financials_summary_monthly_asin_marketplace" AS (SELECT CAST(q."asin" AS text) AS "asin", CAST(q."marketplace" AS
        text) AS "marketplace", CAST(q."month" AS date) AS "month", CAST(q."metric" AS text) AS "metric",
      CAST(q."brand_id" AS bigint) AS "brand_id", CAST(q."category_id" AS bigint) AS "category_id", CAST(q."amount" AS
        numeric(20,2)) AS "amount", CAST(q."row_count" AS bigint) AS "row_count"
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
FROM (SELECT 1 AS "dashagg_side", CAST(q."category_id" AS bigint) AS "category_id", CAST(q."month" AS date) AS "month",
  (CAST(q."metric" AS text))::pg_catalog.text COLLATE pg_catalog."C" AS "metric", CAST(q."amount" AS numeric(20,2)) AS
  "amount", CAST(q."row_count" AS bigint) AS "row_count"
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
SELECT -1 AS "dashagg_side", t."category_id" AS "category_id", t."month" AS "month", (t."metric")::pg_catalog.text
  COLLATE pg_catalog."C" AS "metric", t."amount" AS "amount", t."row_count" AS "row_count"
FROM "public"."financials_summary_monthly_category" t
WHERE t."month" = '2025-01-01') u
GROUP BY u."category_id", u."month", u."metric", u."amount", u."row_count"
HAVING SUM(u."dashagg_side") <> 0
ORDER BY u."month", u."metric", u."category_id";

COMMIT;

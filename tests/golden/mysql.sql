-- What dashagg sends for the set financials on this engine, with `live = true` for the summary brand.
-- Made by tests/golden.rs. Left out: session settings, SELECTs from the server's catalog or for the names of columns, the
-- set's own scripts, and of the ledger all but what a refresh writes there.
-- <such> words stand for what differs from run to run.

-- ---- create ----

SELECT CAST(IS_USED_LOCK('dashagg:<database>:dashagg''s own tables') AS CHAR);

SELECT CAST(GET_LOCK('dashagg:<database>:dashagg''s own tables', 0) AS CHAR), CAST(CONNECTION_ID() AS CHAR);

SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR);

SELECT CAST(IS_USED_LOCK('dashagg:<database>:financials') AS CHAR);

SELECT CAST(GET_LOCK('dashagg:<database>:financials', 0) AS CHAR), CAST(CONNECTION_ID() AS CHAR);

SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR);

START TRANSACTION;

DROP VIEW IF EXISTS `<database>`.`financials_summary_monthly_brand_live`;

COMMIT;

SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR);

ALTER TABLE `financials` ADD INDEX `idx_financials_cover` (`month`, `metric`, `marketplace`, `asin`, `amount`),
    ALGORITHM=INPLACE, LOCK=NONE;

ALTER TABLE `financials` ADD INDEX `idx_metric_month` (`metric`, `month`), ALGORITHM=INPLACE, LOCK=NONE;

START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT `month`, `metric`, `marketplace`, `asin` FROM `financials` LIMIT 200;

SELECT `month`, `metric`, `marketplace`, `asin`
FROM `financials`
WHERE `month` IS NOT NULL
ORDER BY `month` DESC LIMIT 200;

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1'))) AND 1 = 1)
SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`
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

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1'))) AND 1 = 0)
SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`
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

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1'))) AND (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >=
          'A1' AND `asin` <= 'A1')))
SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`
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

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1'))) AND (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >=
          'A1' AND `asin` <= 'A1')))
SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`
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

START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT `month`, `metric`, `marketplace`, `asin` FROM `financials` LIMIT 200;

SELECT `month`, `metric`, `marketplace`, `asin`
FROM `financials`
WHERE `month` IS NOT NULL
ORDER BY `month` DESC LIMIT 200;

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1')))), `financials_summary_monthly_asin_marketplace` AS (SELECT * FROM (
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
) q WHERE 1 = 1) SELECT `brand_id`, `marketplace`, `month`, `metric`, `amount`, `row_count` FROM (
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

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1')))), `financials_summary_monthly_asin_marketplace` AS (SELECT * FROM (
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
) q WHERE 1 = 0) SELECT `brand_id`, `marketplace`, `month`, `metric`, `amount`, `row_count` FROM (
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

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1')))), `financials_summary_monthly_asin_marketplace` AS (SELECT * FROM (
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
WHERE (q.`month` = '2025-01-01' AND q.`metric` = 'sales' AND (q.`brand_id` >= 1 AND q.`brand_id` <= 1)))
SELECT `brand_id`, `marketplace`, `month`, `metric`, `amount`, `row_count`
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

START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT `month`, `metric`, `marketplace`, `asin` FROM `financials` LIMIT 200;

SELECT `month`, `metric`, `marketplace`, `asin`
FROM `financials`
WHERE `month` IS NOT NULL
ORDER BY `month` DESC LIMIT 200;

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1')))), `financials_summary_monthly_asin_marketplace` AS (SELECT * FROM (
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
) q WHERE 1 = 1) SELECT `category_id`, `month`, `metric`, `amount`, `row_count` FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q LIMIT 5001;

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1')))), `financials_summary_monthly_asin_marketplace` AS (SELECT * FROM (
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
) q WHERE 1 = 0) SELECT `category_id`, `month`, `metric`, `amount`, `row_count` FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q LIMIT 5001;

WITH `financials` AS (SELECT *
  FROM `<database>`.`financials`
  WHERE ((`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'DE' AND (`asin` >= 'A1' AND `asin` <=
            'A1')) OR (`month` = '2025-01-01' AND `metric` = 'sales' AND `marketplace` = 'US' AND (`asin` >= 'A1' AND
            `asin` <= 'A1')))), `financials_summary_monthly_asin_marketplace` AS (SELECT * FROM (
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
WHERE (q.`month` = '2025-01-01' AND q.`metric` = 'sales' AND (q.`category_id` >= 10 AND q.`category_id` <= 10)))
SELECT `category_id`, `month`, `metric`, `amount`, `row_count`
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

CREATE TABLE IF NOT EXISTS `dashagg_log_<financials>` (dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      dashagg_grain CHAR(1) NOT NULL, `month` date NULL, `metric` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
      `marketplace` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `asin` TEXT CHARACTER SET utf8mb4 COLLATE
      utf8mb4_bin NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `dashagg_work_<financials>` (dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      dashagg_claim VARCHAR(32) NOT NULL, dashagg_note BIGINT NULL, dashagg_grain CHAR(1) NOT NULL, `month` date NULL,
      `metric` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `marketplace` TEXT CHARACTER SET utf8mb4 COLLATE
      utf8mb4_bin NULL, `asin` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, KEY (dashagg_claim, dashagg_grain))
    ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `dashagg_mark_<financials>` (`month` date NOT NULL, dashagg_conn BIGINT NOT NULL, PRIMARY KEY
      (`month`, dashagg_conn)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `dashagg_all_<financials>` (dashagg_slot INT NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

DROP TRIGGER IF EXISTS `dashagg_<financials>_ai`;

CREATE TRIGGER `dashagg_<financials>_ai` AFTER INSERT ON `financials` FOR EACH ROW BEGIN
  IF 'dashagg_as_<hash>' IS NULL THEN
    SET @dashagg_as = NULL;
  END IF;
  SET @dashagg_<financials>_n = IF(@dashagg_<financials>_t <=> UNIX_TIMESTAMP() DIV 60, @dashagg_<financials>_n, 0) + 1,
      @dashagg_<financials>_t = UNIX_TIMESTAMP() DIV 60;
  IF @dashagg_<financials>_n <= 5000 AND NOT (@dashagg_<financials>_o <=> @dashagg_<financials>_t) THEN
    INSERT INTO `dashagg_log_<financials>` (dashagg_grain, `month`, `metric`, `marketplace`, `asin`)
    VALUES ('k', NEW.`month`, NEW.`metric`, NEW.`marketplace`, NEW.`asin`);
    IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
      DELETE
      FROM `dashagg_log_<financials>`
      WHERE dashagg_id = LAST_INSERT_ID();
      SET @dashagg_<financials>_o = @dashagg_<financials>_t, @dashagg_<financials>_l = LAST_INSERT_ID() MOD 4294967296 >
          40000;
      IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
        INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
        VALUES (CONNECTION_ID() MOD 65536);
      ELSE
        IF NEW.`month` IS NULL THEN
          INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
          VALUES ('a');
        ELSE
          INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
          VALUES (NEW.`month`, CONNECTION_ID() MOD 65536);
        END IF;
      END IF;
    END IF;
  ELSE
    IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
      INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
      VALUES (CONNECTION_ID() MOD 65536);
    ELSE
      IF NEW.`month` IS NULL THEN
        INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
        VALUES ('a');
      ELSE
        INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
        VALUES (NEW.`month`, CONNECTION_ID() MOD 65536);
      END IF;
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS `dashagg_<financials>_au`;

CREATE TRIGGER `dashagg_<financials>_au` AFTER UPDATE ON `financials` FOR EACH ROW BEGIN
  IF 'dashagg_as_<hash>' IS NULL THEN
    SET @dashagg_as = NULL;
  END IF;
  SET @dashagg_<financials>_n = IF(@dashagg_<financials>_t <=> UNIX_TIMESTAMP() DIV 60, @dashagg_<financials>_n, 0) + 1,
      @dashagg_<financials>_t = UNIX_TIMESTAMP() DIV 60;
  IF @dashagg_<financials>_n <= 5000 AND NOT (@dashagg_<financials>_o <=> @dashagg_<financials>_t) THEN
    INSERT INTO `dashagg_log_<financials>` (dashagg_grain, `month`, `metric`, `marketplace`, `asin`)
    VALUES ('k', NEW.`month`, NEW.`metric`, NEW.`marketplace`, NEW.`asin`);
    IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
      DELETE
      FROM `dashagg_log_<financials>`
      WHERE dashagg_id = LAST_INSERT_ID();
      SET @dashagg_<financials>_o = @dashagg_<financials>_t, @dashagg_<financials>_l = LAST_INSERT_ID() MOD 4294967296 >
          40000;
      IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
        INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
        VALUES (CONNECTION_ID() MOD 65536);
      ELSE
        IF NEW.`month` IS NULL THEN
          INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
          VALUES ('a');
        ELSE
          INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
          VALUES (NEW.`month`, CONNECTION_ID() MOD 65536);
        END IF;
      END IF;
    END IF;
  ELSE
    IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
      INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
      VALUES (CONNECTION_ID() MOD 65536);
    ELSE
      IF NEW.`month` IS NULL THEN
        INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
        VALUES ('a');
      ELSE
        INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
        VALUES (NEW.`month`, CONNECTION_ID() MOD 65536);
      END IF;
    END IF;
  END IF;
  IF NOT (CAST(OLD.`month` AS BINARY) <=> CAST(NEW.`month` AS BINARY) AND CAST(OLD.`metric` AS BINARY) <=>
        CAST(NEW.`metric` AS BINARY) AND CAST(OLD.`marketplace` AS BINARY) <=> CAST(NEW.`marketplace` AS BINARY) AND
        CAST(OLD.`asin` AS BINARY) <=> CAST(NEW.`asin` AS BINARY)) THEN
    SET @dashagg_<financials>_n = IF(@dashagg_<financials>_t <=> UNIX_TIMESTAMP() DIV 60, @dashagg_<financials>_n, 0) +
        1, @dashagg_<financials>_t = UNIX_TIMESTAMP() DIV 60;
    IF @dashagg_<financials>_n <= 5000 AND NOT (@dashagg_<financials>_o <=> @dashagg_<financials>_t) THEN
      INSERT INTO `dashagg_log_<financials>` (dashagg_grain, `month`, `metric`, `marketplace`, `asin`)
      VALUES ('k', OLD.`month`, OLD.`metric`, OLD.`marketplace`, OLD.`asin`);
      IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
        DELETE
        FROM `dashagg_log_<financials>`
        WHERE dashagg_id = LAST_INSERT_ID();
        SET @dashagg_<financials>_o = @dashagg_<financials>_t, @dashagg_<financials>_l = LAST_INSERT_ID() MOD 4294967296
            > 40000;
        IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
          INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
          VALUES (CONNECTION_ID() MOD 65536);
        ELSE
          IF OLD.`month` IS NULL THEN
            INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
            VALUES ('a');
          ELSE
            INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
            VALUES (OLD.`month`, CONNECTION_ID() MOD 65536);
          END IF;
        END IF;
      END IF;
    ELSE
      IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
        INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
        VALUES (CONNECTION_ID() MOD 65536);
      ELSE
        IF OLD.`month` IS NULL THEN
          INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
          VALUES ('a');
        ELSE
          INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
          VALUES (OLD.`month`, CONNECTION_ID() MOD 65536);
        END IF;
      END IF;
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS `dashagg_<financials>_ad`;

CREATE TRIGGER `dashagg_<financials>_ad` AFTER DELETE ON `financials` FOR EACH ROW BEGIN
  IF 'dashagg_as_<hash>' IS NULL THEN
    SET @dashagg_as = NULL;
  END IF;
  SET @dashagg_<financials>_n = IF(@dashagg_<financials>_t <=> UNIX_TIMESTAMP() DIV 60, @dashagg_<financials>_n, 0) + 1,
      @dashagg_<financials>_t = UNIX_TIMESTAMP() DIV 60;
  IF @dashagg_<financials>_n <= 5000 AND NOT (@dashagg_<financials>_o <=> @dashagg_<financials>_t) THEN
    INSERT INTO `dashagg_log_<financials>` (dashagg_grain, `month`, `metric`, `marketplace`, `asin`)
    VALUES ('k', OLD.`month`, OLD.`metric`, OLD.`marketplace`, OLD.`asin`);
    IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
      DELETE
      FROM `dashagg_log_<financials>`
      WHERE dashagg_id = LAST_INSERT_ID();
      SET @dashagg_<financials>_o = @dashagg_<financials>_t, @dashagg_<financials>_l = LAST_INSERT_ID() MOD 4294967296 >
          40000;
      IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
        INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
        VALUES (CONNECTION_ID() MOD 65536);
      ELSE
        IF OLD.`month` IS NULL THEN
          INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
          VALUES ('a');
        ELSE
          INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
          VALUES (OLD.`month`, CONNECTION_ID() MOD 65536);
        END IF;
      END IF;
    END IF;
  ELSE
    IF @dashagg_<financials>_o <=> @dashagg_<financials>_t AND @dashagg_<financials>_l THEN
      INSERT IGNORE INTO `dashagg_all_<financials>` (dashagg_slot)
      VALUES (CONNECTION_ID() MOD 65536);
    ELSE
      IF OLD.`month` IS NULL THEN
        INSERT INTO `dashagg_log_<financials>` (dashagg_grain)
        VALUES ('a');
      ELSE
        INSERT IGNORE INTO `dashagg_mark_<financials>` (`month`, dashagg_conn)
        VALUES (OLD.`month`, CONNECTION_ID() MOD 65536);
      END IF;
    END IF;
  END IF;
END;

CREATE TABLE IF NOT EXISTS `dashagg_log_<products>` (dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      dashagg_grain CHAR(1) NOT NULL, `asin` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL) ENGINE=InnoDB DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `dashagg_work_<products>` (dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      dashagg_claim VARCHAR(32) NOT NULL, dashagg_note BIGINT NULL, dashagg_grain CHAR(1) NOT NULL, `asin` TEXT
      CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, KEY (dashagg_claim, dashagg_grain)) ENGINE=InnoDB DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `dashagg_all_<products>` (dashagg_slot INT NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

DROP TRIGGER IF EXISTS `dashagg_<products>_ai`;

CREATE TRIGGER `dashagg_<products>_ai` AFTER INSERT ON `products` FOR EACH ROW BEGIN
  IF 'dashagg_as_<hash>' IS NULL THEN
    SET @dashagg_as = NULL;
  END IF;
  INSERT INTO `dashagg_log_<products>` (dashagg_grain, `asin`)
  VALUES ('k', NEW.`asin`);
  IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
    DELETE
    FROM `dashagg_log_<products>`
    WHERE dashagg_id = LAST_INSERT_ID();
    INSERT IGNORE INTO `dashagg_all_<products>` (dashagg_slot)
    VALUES (CONNECTION_ID() MOD 65536);
  END IF;
END;

DROP TRIGGER IF EXISTS `dashagg_<products>_au`;

CREATE TRIGGER `dashagg_<products>_au` AFTER UPDATE ON `products` FOR EACH ROW BEGIN
  IF 'dashagg_as_<hash>' IS NULL THEN
    SET @dashagg_as = NULL;
  END IF;
  INSERT INTO `dashagg_log_<products>` (dashagg_grain, `asin`)
  VALUES ('k', NEW.`asin`);
  IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
    DELETE
    FROM `dashagg_log_<products>`
    WHERE dashagg_id = LAST_INSERT_ID();
    INSERT IGNORE INTO `dashagg_all_<products>` (dashagg_slot)
    VALUES (CONNECTION_ID() MOD 65536);
  END IF;
  IF NOT (CAST(OLD.`asin` AS BINARY) <=> CAST(NEW.`asin` AS BINARY)) THEN
    INSERT INTO `dashagg_log_<products>` (dashagg_grain, `asin`)
    VALUES ('k', OLD.`asin`);
    IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
      DELETE
      FROM `dashagg_log_<products>`
      WHERE dashagg_id = LAST_INSERT_ID();
      INSERT IGNORE INTO `dashagg_all_<products>` (dashagg_slot)
      VALUES (CONNECTION_ID() MOD 65536);
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS `dashagg_<products>_ad`;

CREATE TRIGGER `dashagg_<products>_ad` AFTER DELETE ON `products` FOR EACH ROW BEGIN
  IF 'dashagg_as_<hash>' IS NULL THEN
    SET @dashagg_as = NULL;
  END IF;
  INSERT INTO `dashagg_log_<products>` (dashagg_grain, `asin`)
  VALUES ('k', OLD.`asin`);
  IF LAST_INSERT_ID() MOD 4294967296 > 20000 THEN
    DELETE
    FROM `dashagg_log_<products>`
    WHERE dashagg_id = LAST_INSERT_ID();
    INSERT IGNORE INTO `dashagg_all_<products>` (dashagg_slot)
    VALUES (CONNECTION_ID() MOD 65536);
  END IF;
END;

CREATE TABLE IF NOT EXISTS `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run` BIGINT NOT NULL,
      `dashagg_op` CHAR(1) NOT NULL, `asin` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
      `marketplace` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `month` date NOT NULL, `metric`
      varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `brand_id` bigint(20) NULL, `category_id`
      bigint(20) NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20) NULL, `updated_at` datetime NULL, PRIMARY KEY
      (`dashagg_run`, `month`, `metric`, `marketplace`, `asin`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run` BIGINT NOT NULL,
      `dashagg_op` CHAR(1) NOT NULL, `brand_id` bigint(20) NOT NULL, `marketplace` varchar(32) CHARACTER SET utf8mb4
      COLLATE utf8mb4_bin NOT NULL, `month` date NOT NULL, `metric` varchar(32) CHARACTER SET utf8mb4 COLLATE
      utf8mb4_bin NOT NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20) NULL, `updated_at` datetime NULL,
      PRIMARY KEY (`dashagg_run`, `month`, `marketplace`, `metric`, `brand_id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run` BIGINT NOT NULL,
      `dashagg_op` CHAR(1) NOT NULL, `category_id` bigint(20) NOT NULL, `month` date NOT NULL, `metric` varchar(32)
      CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20) NULL,
      `updated_at` datetime NULL, PRIMARY KEY (`dashagg_run`, `month`, `metric`, `category_id`)) ENGINE=InnoDB DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE OR REPLACE VIEW `<database>`.`financials_summary_monthly_brand_live` AS
SELECT t.`brand_id`, t.`marketplace`, t.`month`, t.`metric`, t.`amount`, t.`row_count`
FROM `<database>`.`financials_summary_monthly_brand` t
WHERE NOT (t.`month` IN (SELECT `month`
    FROM `<database>`.`financials_summary_monthly_brand`
    WHERE (NOT EXISTS (SELECT 1
        FROM `<database>`.`dashagg_summary`
        WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum =
            '<hash>') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
          FROM `<database>`.`dashagg_work_<financials>`
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
            FROM `dashagg_log_<financials>`
            UNION ALL
            SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
            FROM `dashagg_all_<financials>`
            UNION ALL
            SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
            FROM `dashagg_mark_<financials>`) n) n
        WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, `asin`
          FROM `<database>`.`dashagg_work_<products>`
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, `asin`
            FROM `dashagg_log_<products>`
            UNION ALL
            SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
            FROM `dashagg_all_<products>`) n) n
        WHERE n.dashagg_grain = 'a'))
    UNION
    SELECT n.`month`
    FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
      FROM `<database>`.`dashagg_work_<financials>`
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
        FROM `dashagg_log_<financials>`
        UNION ALL
        SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
        FROM `dashagg_all_<financials>`
        UNION ALL
        SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
        FROM `dashagg_mark_<financials>`) n) n
    WHERE n.dashagg_grain <> 'a' AND n.`month` IS NOT NULL
    UNION
    SELECT `month`
    FROM `financials`
    WHERE (NOT EXISTS (SELECT 1
        FROM `<database>`.`dashagg_summary`
        WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum =
            '<hash>') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
          FROM `<database>`.`dashagg_work_<financials>`
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
            FROM `dashagg_log_<financials>`
            UNION ALL
            SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
            FROM `dashagg_all_<financials>`
            UNION ALL
            SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
            FROM `dashagg_mark_<financials>`) n) n
        WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
        FROM (SELECT dashagg_grain, `asin`
          FROM `<database>`.`dashagg_work_<products>`
          WHERE 1 = 1
          UNION ALL
          SELECT *
          FROM (SELECT dashagg_grain, `asin`
            FROM `dashagg_log_<products>`
            UNION ALL
            SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
            FROM `dashagg_all_<products>`) n) n
        WHERE n.dashagg_grain = 'a'))
    UNION
    SELECT o.`month`
    FROM `<database>`.`financials_summary_monthly_asin_marketplace` o
    JOIN (SELECT dashagg_grain, `asin`
      FROM `<database>`.`dashagg_work_<products>`
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, `asin`
        FROM `dashagg_log_<products>`
        UNION ALL
        SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
        FROM `dashagg_all_<products>`) n) n ON o.`asin` = n.`asin`))
UNION ALL
SELECT CAST(l.`brand_id` AS SIGNED) AS `brand_id`, l.`marketplace` AS `marketplace`, CAST(l.`month` AS DATE) AS `month`,
    l.`metric` AS `metric`, CAST(l.`amount` AS decimal(20,2)) AS `amount`, CAST(l.`row_count` AS SIGNED) AS `row_count`
FROM (WITH `financials_summary_monthly_asin_marketplace` AS (SELECT q.`asin` AS `asin`, q.`marketplace` AS
        `marketplace`, CAST(q.`month` AS DATE) AS `month`, q.`metric` AS `metric`, CAST(q.`brand_id` AS SIGNED) AS
        `brand_id`, CAST(q.`category_id` AS SIGNED) AS `category_id`, CAST(q.`amount` AS decimal(20,2)) AS `amount`,
        CAST(q.`row_count` AS SIGNED) AS `row_count`
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
WHERE q.`month` IN (SELECT `month`
FROM `<database>`.`financials_summary_monthly_brand`
WHERE (NOT EXISTS (SELECT 1
    FROM `<database>`.`dashagg_summary`
    WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>')
      OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
      FROM `<database>`.`dashagg_work_<financials>`
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
        FROM `dashagg_log_<financials>`
        UNION ALL
        SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
        FROM `dashagg_all_<financials>`
        UNION ALL
        SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
        FROM `dashagg_mark_<financials>`) n) n
    WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, `asin`
      FROM `<database>`.`dashagg_work_<products>`
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, `asin`
        FROM `dashagg_log_<products>`
        UNION ALL
        SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
        FROM `dashagg_all_<products>`) n) n
    WHERE n.dashagg_grain = 'a'))
UNION
SELECT n.`month`
FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
  FROM `<database>`.`dashagg_work_<financials>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `dashagg_log_<financials>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
    FROM `dashagg_all_<financials>`
    UNION ALL
    SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
    FROM `dashagg_mark_<financials>`) n) n
WHERE n.dashagg_grain <> 'a' AND n.`month` IS NOT NULL
UNION
SELECT `month`
FROM `financials`
WHERE (NOT EXISTS (SELECT 1
    FROM `<database>`.`dashagg_summary`
    WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>')
      OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
      FROM `<database>`.`dashagg_work_<financials>`
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
        FROM `dashagg_log_<financials>`
        UNION ALL
        SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
        FROM `dashagg_all_<financials>`
        UNION ALL
        SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
        FROM `dashagg_mark_<financials>`) n) n
    WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
    FROM (SELECT dashagg_grain, `asin`
      FROM `<database>`.`dashagg_work_<products>`
      WHERE 1 = 1
      UNION ALL
      SELECT *
      FROM (SELECT dashagg_grain, `asin`
        FROM `dashagg_log_<products>`
        UNION ALL
        SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
        FROM `dashagg_all_<products>`) n) n
    WHERE n.dashagg_grain = 'a'))
UNION
SELECT o.`month`
FROM `<database>`.`financials_summary_monthly_asin_marketplace` o
JOIN (SELECT dashagg_grain, `asin`
  FROM `<database>`.`dashagg_work_<products>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `asin`
    FROM `dashagg_log_<products>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
    FROM `dashagg_all_<products>`) n) n ON o.`asin` = n.`asin`))
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
WHERE l.`month` IN (SELECT `month`
FROM `<database>`.`financials_summary_monthly_brand`
WHERE (NOT EXISTS (SELECT 1
  FROM `<database>`.`dashagg_summary`
  WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>') OR
    EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `<database>`.`dashagg_work_<financials>`
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
      FROM `dashagg_log_<financials>`
      UNION ALL
      SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
      FROM `dashagg_all_<financials>`
      UNION ALL
      SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
      FROM `dashagg_mark_<financials>`) n) n
  WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, `asin`
    FROM `<database>`.`dashagg_work_<products>`
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, `asin`
      FROM `dashagg_log_<products>`
      UNION ALL
      SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
      FROM `dashagg_all_<products>`) n) n
  WHERE n.dashagg_grain = 'a'))
UNION
SELECT n.`month`
FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
FROM `<database>`.`dashagg_work_<financials>`
WHERE 1 = 1
UNION ALL
SELECT *
FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
  FROM `dashagg_log_<financials>`
  UNION ALL
  SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
  FROM `dashagg_all_<financials>`
  UNION ALL
  SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
  FROM `dashagg_mark_<financials>`) n) n
WHERE n.dashagg_grain <> 'a' AND n.`month` IS NOT NULL
UNION
SELECT `month`
FROM `financials`
WHERE (NOT EXISTS (SELECT 1
  FROM `<database>`.`dashagg_summary`
  WHERE set_name = 'financials' AND summary IN ('brand') AND published_at IS NOT NULL AND select_checksum = '<hash>') OR
    EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `<database>`.`dashagg_work_<financials>`
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
      FROM `dashagg_log_<financials>`
      UNION ALL
      SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
      FROM `dashagg_all_<financials>`
      UNION ALL
      SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
      FROM `dashagg_mark_<financials>`) n) n
  WHERE n.dashagg_grain = 'a') OR EXISTS (SELECT 1
  FROM (SELECT dashagg_grain, `asin`
    FROM `<database>`.`dashagg_work_<products>`
    WHERE 1 = 1
    UNION ALL
    SELECT *
    FROM (SELECT dashagg_grain, `asin`
      FROM `dashagg_log_<products>`
      UNION ALL
      SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
      FROM `dashagg_all_<products>`) n) n
  WHERE n.dashagg_grain = 'a'))
UNION
SELECT o.`month`
FROM `<database>`.`financials_summary_monthly_asin_marketplace` o
JOIN (SELECT dashagg_grain, `asin`
FROM `<database>`.`dashagg_work_<products>`
WHERE 1 = 1
UNION ALL
SELECT *
FROM (SELECT dashagg_grain, `asin`
  FROM `dashagg_log_<products>`
  UNION ALL
  SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
  FROM `dashagg_all_<products>`) n) n ON o.`asin` = n.`asin`);

-- ---- refresh, the first ----

SELECT @@log_bin, @@binlog_format;

SELECT CAST(IS_USED_LOCK('dashagg:<database>:financials') AS CHAR);

SELECT CAST(GET_LOCK('dashagg:<database>:financials', 0) AS CHAR), CAST(CONNECTION_ID() AS CHAR);

SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR);

SELECT 1 FROM `<database>`.`financials_summary_monthly_brand_live` WHERE 1 = 0;

START TRANSACTION;

INSERT INTO `dashagg_work_<financials>` (dashagg_claim, dashagg_note, dashagg_grain, `month`, `metric`, `marketplace`,
      `asin`)
SELECT '<hash>', dashagg_id, dashagg_grain, `month`, `metric`, `marketplace`, `asin`
FROM `dashagg_log_<financials>` FOR UPDATE SKIP LOCKED;

DELETE l
FROM `dashagg_work_<financials>` w
STRAIGHT_JOIN `dashagg_log_<financials>` l ON l.dashagg_id = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain <> 'p';

INSERT INTO `dashagg_log_<financials>` (dashagg_grain) VALUES ('x');

SET @dashagg_number = LAST_INSERT_ID();

INSERT IGNORE INTO `dashagg_log_<financials>` (dashagg_id, dashagg_grain)
SELECT (@dashagg_number DIV 4294967296 + 1) * 4294967296, 'x'
FROM DUAL
WHERE @dashagg_number MOD 4294967296 > 5000;

DELETE FROM `dashagg_log_<financials>` WHERE dashagg_id = @dashagg_number;

DELETE
FROM `dashagg_log_<financials>`
WHERE dashagg_id = CAST((@dashagg_number DIV 4294967296 + 1) * 4294967296 AS SIGNED) AND dashagg_grain = 'x';

INSERT INTO `dashagg_work_<financials>` (dashagg_claim, dashagg_note, dashagg_grain)
SELECT '<hash>', dashagg_slot, 's'
FROM `dashagg_all_<financials>` FOR UPDATE SKIP LOCKED;

DELETE s
FROM `dashagg_work_<financials>` w
STRAIGHT_JOIN `dashagg_all_<financials>` s ON s.dashagg_slot = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain = 's';

UPDATE `dashagg_work_<financials>` SET dashagg_grain = 'a' WHERE dashagg_claim = '<hash>' AND dashagg_grain = 's';

INSERT INTO `dashagg_work_<financials>` (dashagg_claim, dashagg_note, dashagg_grain, `month`)
SELECT '<hash>', dashagg_conn, 'p', `month`
FROM `dashagg_mark_<financials>` FOR UPDATE SKIP LOCKED;

DELETE m
FROM `dashagg_work_<financials>` w
STRAIGHT_JOIN `dashagg_mark_<financials>` m ON m.`month` = w.`month` AND m.dashagg_conn = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain = 'p';

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM `<database>`.`dashagg_work_<financials>`;

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM `<database>`.`dashagg_work_<financials>` LIMIT 40001) n), CASE WHEN EXISTS
    (SELECT 1
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `dashagg_log_<financials>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
    FROM `dashagg_all_<financials>`
    UNION ALL
    SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
    FROM `dashagg_mark_<financials>`) n) THEN 1 ELSE 0 END, (SELECT COUNT(*)
  FROM (SELECT 1 FROM `<database>`.`dashagg_work_<financials>` WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

START TRANSACTION;

INSERT INTO `dashagg_work_<products>` (dashagg_claim, dashagg_note, dashagg_grain, `asin`)
SELECT '<hash>', dashagg_id, dashagg_grain, `asin`
FROM `dashagg_log_<products>` FOR UPDATE SKIP LOCKED;

DELETE l
FROM `dashagg_work_<products>` w
STRAIGHT_JOIN `dashagg_log_<products>` l ON l.dashagg_id = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain <> 'p';

INSERT INTO `dashagg_log_<products>` (dashagg_grain) VALUES ('x');

SET @dashagg_number = LAST_INSERT_ID();

INSERT IGNORE INTO `dashagg_log_<products>` (dashagg_id, dashagg_grain)
SELECT (@dashagg_number DIV 4294967296 + 1) * 4294967296, 'x'
FROM DUAL
WHERE @dashagg_number MOD 4294967296 > 5000;

DELETE FROM `dashagg_log_<products>` WHERE dashagg_id = @dashagg_number;

DELETE
FROM `dashagg_log_<products>`
WHERE dashagg_id = CAST((@dashagg_number DIV 4294967296 + 1) * 4294967296 AS SIGNED) AND dashagg_grain = 'x';

INSERT INTO `dashagg_work_<products>` (dashagg_claim, dashagg_note, dashagg_grain)
SELECT '<hash>', dashagg_slot, 's'
FROM `dashagg_all_<products>` FOR UPDATE SKIP LOCKED;

DELETE s
FROM `dashagg_work_<products>` w
STRAIGHT_JOIN `dashagg_all_<products>` s ON s.dashagg_slot = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain = 's';

UPDATE `dashagg_work_<products>` SET dashagg_grain = 'a' WHERE dashagg_claim = '<hash>' AND dashagg_grain = 's';

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM `<database>`.`dashagg_work_<products>`;

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM `<database>`.`dashagg_work_<products>` LIMIT 40001) n), CASE WHEN EXISTS
    (SELECT 1
  FROM (SELECT dashagg_grain, `asin`
    FROM `dashagg_log_<products>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
    FROM `dashagg_all_<products>`) n) THEN 1 ELSE 0 END, (SELECT COUNT(*)
  FROM (SELECT 1 FROM `<database>`.`dashagg_work_<products>` WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

SELECT DISTINCT `month` FROM `financials`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_asin_marketplace`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_brand`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_category`;

SELECT DISTINCT `dashagg_run` - `dashagg_run` % 4096
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT `dashagg_run` - `dashagg_run` % 4096
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT `dashagg_run` - `dashagg_run` % 4096
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` NOT BETWEEN <hash> AND <hash>;

CREATE TEMPORARY TABLE `<database>`.`dashagg_stage_<hash>_0_0` (`dashagg_kind` INTEGER NOT NULL, `asin` varchar(32)
      CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `marketplace` varchar(32) CHARACTER SET utf8mb4 COLLATE
      utf8mb4_bin NULL, `month` date NULL, `metric` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
      `brand_id` bigint(20) NULL, `category_id` bigint(20) NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20)
      NULL, UNIQUE KEY (`dashagg_kind`, `month`, `metric`, `marketplace`, `asin`)) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4
    COLLATE=utf8mb4_bin;

CREATE TEMPORARY TABLE `<database>`.`dashagg_stage_<hash>_0_1` (`dashagg_kind` INTEGER NOT NULL, `brand_id` bigint(20)
      NULL, `marketplace` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `month` date NULL, `metric`
      varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20)
      NULL, UNIQUE KEY (`dashagg_kind`, `month`, `marketplace`, `metric`, `brand_id`)) ENGINE=MEMORY DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TEMPORARY TABLE `<database>`.`dashagg_stage_<hash>_0_2` (`dashagg_kind` INTEGER NOT NULL, `category_id`
      bigint(20) NULL, `month` date NULL, `metric` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `amount`
      decimal(20,2) NULL, `row_count` bigint(20) NULL, UNIQUE KEY (`dashagg_kind`, `month`, `metric`, `category_id`))
    ENGINE=MEMORY DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO `<database>`.`dashagg_stage_<hash>_0_0` (`dashagg_kind`, `asin`, `marketplace`, `month`, `metric`,
      `brand_id`, `category_id`, `amount`, `row_count`)
SELECT 0, q.`asin`, q.`marketplace`, q.`month`, q.`metric`, q.`brand_id`, q.`category_id`, q.`amount`, q.`row_count`
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
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01')
UNION ALL
SELECT 1, NULL, NULL, `month`, NULL, NULL, NULL, SUM(amount), COUNT(*)
FROM `financials`
WHERE (`month` >= '2025-01-01' AND `month` <= '2025-01-01')
GROUP BY `month`;

SELECT `month`, SUM(CASE WHEN `dashagg_kind` = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 AND (`month` IS
        NULL OR `metric` IS NULL OR `marketplace` IS NULL OR `asin` IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      `dashagg_kind` = 0 THEN `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 THEN `row_count` END), SUM(CASE WHEN
      `dashagg_kind` = 1 THEN `amount` END), SUM(CASE WHEN `dashagg_kind` = 1 THEN `row_count` END)
FROM `<database>`.`dashagg_stage_<hash>_0_0`
GROUP BY `month`;

WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`,
      `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0)
SELECT *
FROM (
SELECT month, metric, marketplace, asin
FROM financials_summary_monthly_asin_marketplace
WHERE marketplace = 'ALL'
) c LIMIT 1;

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `asin`, `marketplace`,
      `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`)
SELECT <hash>, 'I', s.`asin`, s.`marketplace`, s.`month`, s.`metric`, s.`brand_id`, s.`category_id`, s.`amount`,
    s.`row_count`
FROM `<database>`.`dashagg_stage_<hash>_0_0` s
WHERE s.`dashagg_kind` = 0;

INSERT INTO `<database>`.`dashagg_stage_<hash>_0_1` (`dashagg_kind`, `brand_id`, `marketplace`, `month`, `metric`,
      `amount`, `row_count`) WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`,
      `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0)
SELECT 0, q.`brand_id`, q.`marketplace`, q.`month`, q.`metric`, q.`amount`, q.`row_count`
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
) q WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01');

SELECT `month`, SUM(CASE WHEN `dashagg_kind` = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 AND (`month` IS
        NULL OR `marketplace` IS NULL OR `metric` IS NULL OR `brand_id` IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      `dashagg_kind` = 0 AND (marketplace <> 'ALL') THEN `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 AND
      (marketplace <> 'ALL') THEN `row_count` END), SUM(CASE WHEN `dashagg_kind` = 0 AND (marketplace = 'ALL') THEN
      `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 AND (marketplace = 'ALL') THEN `row_count` END)
FROM `<database>`.`dashagg_stage_<hash>_0_1`
GROUP BY `month`;

WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`,
      `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0), `financials_summary_monthly_brand` AS (SELECT `brand_id`, `marketplace`, `month`, `metric`,
      `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_1`
  WHERE `dashagg_kind` = 0)
SELECT *
FROM (
SELECT brand_id, month, metric
FROM financials_summary_monthly_brand
GROUP BY brand_id, month, metric
HAVING SUM(CASE WHEN marketplace = 'ALL' THEN 1 ELSE 0 END) <> 1
    OR SUM(CASE WHEN marketplace = 'ALL' THEN amount ELSE -amount END) <> 0
    OR SUM(CASE WHEN marketplace = 'ALL' THEN row_count ELSE -row_count END) <> 0
) c LIMIT 1;

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `brand_id`, `marketplace`,
      `month`, `metric`, `amount`, `row_count`)
SELECT <hash>, 'I', s.`brand_id`, s.`marketplace`, s.`month`, s.`metric`, s.`amount`, s.`row_count`
FROM `<database>`.`dashagg_stage_<hash>_0_1` s
WHERE s.`dashagg_kind` = 0;

INSERT INTO `<database>`.`dashagg_stage_<hash>_0_2` (`dashagg_kind`, `category_id`, `month`, `metric`, `amount`,
      `row_count`) WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`, `month`,
      `metric`, `brand_id`, `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0)
SELECT 0, q.`category_id`, q.`month`, q.`metric`, q.`amount`, q.`row_count`
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01');

SELECT `month`, SUM(CASE WHEN `dashagg_kind` = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 AND (`month` IS
        NULL OR `metric` IS NULL OR `category_id` IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 THEN
      `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 THEN `row_count` END)
FROM `<database>`.`dashagg_stage_<hash>_0_2`
GROUP BY `month`;

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `category_id`, `month`,
      `metric`, `amount`, `row_count`)
SELECT <hash>, 'I', s.`category_id`, s.`month`, s.`metric`, s.`amount`, s.`row_count`
FROM `<database>`.`dashagg_stage_<hash>_0_2` s
WHERE s.`dashagg_kind` = 0;

SELECT 0 AS nr, `dashagg_op`, COUNT(*)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash>
GROUP BY `dashagg_op`
UNION ALL
SELECT 1 AS nr, `dashagg_op`, COUNT(*)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash>
GROUP BY `dashagg_op`
UNION ALL
SELECT 2 AS nr, `dashagg_op`, COUNT(*)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash>
GROUP BY `dashagg_op`;

START TRANSACTION;

UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = 'financials' AND generation = 0;

INSERT INTO `<database>`.`financials_summary_monthly_asin_marketplace` (`asin`, `marketplace`, `month`, `metric`,
      `brand_id`, `category_id`, `amount`, `row_count`, `updated_at`)
SELECT d.`asin`, d.`marketplace`, d.`month`, d.`metric`, d.`brand_id`, d.`category_id`, d.`amount`, d.`row_count`,
    UTC_TIMESTAMP(6)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash> AND d.`dashagg_op` IN ('I');

INSERT INTO `<database>`.`financials_summary_monthly_brand` (`brand_id`, `marketplace`, `month`, `metric`, `amount`,
      `row_count`, `updated_at`)
SELECT d.`brand_id`, d.`marketplace`, d.`month`, d.`metric`, d.`amount`, d.`row_count`, UTC_TIMESTAMP(6)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash> AND d.`dashagg_op` IN ('I');

INSERT INTO `<database>`.`financials_summary_monthly_category` (`category_id`, `month`, `metric`, `amount`, `row_count`,
      `updated_at`)
SELECT d.`category_id`, d.`month`, d.`metric`, d.`amount`, d.`row_count`, UTC_TIMESTAMP(6)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash> AND d.`dashagg_op` IN ('I');

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

ANALYZE NO_WRITE_TO_BINLOG TABLE `<database>`.`financials_summary_monthly_asin_marketplace`;

ANALYZE NO_WRITE_TO_BINLOG TABLE `<database>`.`financials_summary_monthly_brand`;

ANALYZE NO_WRITE_TO_BINLOG TABLE `<database>`.`financials_summary_monthly_category`;

UPDATE dashagg_summary SET bytes = CASE summary WHEN 'asin' THEN 65536 WHEN 'brand' THEN 32768 WHEN 'category' THEN
    16384 END
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

DROP TEMPORARY TABLE IF EXISTS `<database>`.`dashagg_stage_<hash>_0_0`;

DROP TEMPORARY TABLE IF EXISTS `<database>`.`dashagg_stage_<hash>_0_1`;

DROP TEMPORARY TABLE IF EXISTS `<database>`.`dashagg_stage_<hash>_0_2`;

DELETE
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` BETWEEN <hash> AND <hash> LIMIT 20000;

DELETE
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` BETWEEN <hash> AND <hash> LIMIT 20000;

DELETE
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` BETWEEN <hash> AND <hash> LIMIT 20000;

-- ---- refresh, one changed row ----

SELECT @@log_bin, @@binlog_format;

SELECT CAST(IS_USED_LOCK('dashagg:<database>:financials') AS CHAR);

SELECT CAST(GET_LOCK('dashagg:<database>:financials', 0) AS CHAR), CAST(CONNECTION_ID() AS CHAR);

SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR);

START TRANSACTION;

INSERT INTO `dashagg_work_<financials>` (dashagg_claim, dashagg_note, dashagg_grain, `month`, `metric`, `marketplace`,
      `asin`)
SELECT '<hash>', dashagg_id, dashagg_grain, `month`, `metric`, `marketplace`, `asin`
FROM `dashagg_log_<financials>` FOR UPDATE SKIP LOCKED;

DELETE l
FROM `dashagg_work_<financials>` w
STRAIGHT_JOIN `dashagg_log_<financials>` l ON l.dashagg_id = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain <> 'p';

INSERT INTO `dashagg_log_<financials>` (dashagg_grain) VALUES ('x');

SET @dashagg_number = LAST_INSERT_ID();

INSERT IGNORE INTO `dashagg_log_<financials>` (dashagg_id, dashagg_grain)
SELECT (@dashagg_number DIV 4294967296 + 1) * 4294967296, 'x'
FROM DUAL
WHERE @dashagg_number MOD 4294967296 > 5000;

DELETE FROM `dashagg_log_<financials>` WHERE dashagg_id = @dashagg_number;

DELETE
FROM `dashagg_log_<financials>`
WHERE dashagg_id = CAST((@dashagg_number DIV 4294967296 + 1) * 4294967296 AS SIGNED) AND dashagg_grain = 'x';

INSERT INTO `dashagg_work_<financials>` (dashagg_claim, dashagg_note, dashagg_grain)
SELECT '<hash>', dashagg_slot, 's'
FROM `dashagg_all_<financials>` FOR UPDATE SKIP LOCKED;

DELETE s
FROM `dashagg_work_<financials>` w
STRAIGHT_JOIN `dashagg_all_<financials>` s ON s.dashagg_slot = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain = 's';

UPDATE `dashagg_work_<financials>` SET dashagg_grain = 'a' WHERE dashagg_claim = '<hash>' AND dashagg_grain = 's';

INSERT INTO `dashagg_work_<financials>` (dashagg_claim, dashagg_note, dashagg_grain, `month`)
SELECT '<hash>', dashagg_conn, 'p', `month`
FROM `dashagg_mark_<financials>` FOR UPDATE SKIP LOCKED;

DELETE m
FROM `dashagg_work_<financials>` w
STRAIGHT_JOIN `dashagg_mark_<financials>` m ON m.`month` = w.`month` AND m.dashagg_conn = w.dashagg_note
WHERE w.dashagg_claim = '<hash>' AND w.dashagg_grain = 'p';

COMMIT;

SELECT DISTINCT dashagg_claim, dashagg_grain FROM `<database>`.`dashagg_work_<financials>`;

SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM `<database>`.`dashagg_work_<financials>` LIMIT 40001) n), CASE WHEN EXISTS
    (SELECT 1
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `dashagg_log_<financials>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
    FROM `dashagg_all_<financials>`
    UNION ALL
    SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
    FROM `dashagg_mark_<financials>`) n) THEN 1 ELSE 0 END, (SELECT COUNT(*)
  FROM (SELECT 1 FROM `<database>`.`dashagg_work_<financials>` WHERE dashagg_claim IN ('<hash>') LIMIT 5001) m);

SELECT DISTINCT `month`, `metric`, `marketplace`, `asin`
FROM `<database>`.`dashagg_work_<financials>` w
WHERE dashagg_claim IN ('<hash>') AND dashagg_grain = 'k' LIMIT 20001;

SELECT DISTINCT `month` FROM `financials`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_asin_marketplace`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_brand`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_category`;

SELECT DISTINCT `dashagg_run` - `dashagg_run` % 4096
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT `dashagg_run` - `dashagg_run` % 4096
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` NOT BETWEEN <hash> AND <hash>;

SELECT DISTINCT `dashagg_run` - `dashagg_run` % 4096
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` NOT BETWEEN <hash> AND <hash>;

CREATE TEMPORARY TABLE `<database>`.`dashagg_stage_<hash>_0_0` (`dashagg_kind` INTEGER NOT NULL, `asin` varchar(32)
      CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `marketplace` varchar(32) CHARACTER SET utf8mb4 COLLATE
      utf8mb4_bin NULL, `month` date NULL, `metric` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
      `brand_id` bigint(20) NULL, `category_id` bigint(20) NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20)
      NULL, UNIQUE KEY (`dashagg_kind`, `month`, `metric`, `marketplace`, `asin`)) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4
    COLLATE=utf8mb4_bin;

CREATE TEMPORARY TABLE `<database>`.`dashagg_stage_<hash>_0_1` (`dashagg_kind` INTEGER NOT NULL, `brand_id` bigint(20)
      NULL, `marketplace` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `month` date NULL, `metric`
      varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `amount` decimal(20,2) NULL, `row_count` bigint(20)
      NULL, UNIQUE KEY (`dashagg_kind`, `month`, `marketplace`, `metric`, `brand_id`)) ENGINE=MEMORY DEFAULT
    CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TEMPORARY TABLE `<database>`.`dashagg_stage_<hash>_0_2` (`dashagg_kind` INTEGER NOT NULL, `category_id`
      bigint(20) NULL, `month` date NULL, `metric` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, `amount`
      decimal(20,2) NULL, `row_count` bigint(20) NULL, UNIQUE KEY (`dashagg_kind`, `month`, `metric`, `category_id`))
    ENGINE=MEMORY DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO `<database>`.`dashagg_stage_<hash>_0_0` (`dashagg_kind`, `asin`, `marketplace`, `month`, `metric`,
      `brand_id`, `category_id`, `amount`, `row_count`)
SELECT 0, q.`asin`, q.`marketplace`, q.`month`, q.`metric`, q.`brand_id`, q.`category_id`, q.`amount`, q.`row_count`
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
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01')
UNION ALL
SELECT 1, NULL, NULL, `month`, NULL, NULL, NULL, SUM(amount), COUNT(*)
FROM `financials`
WHERE (`month` >= '2025-01-01' AND `month` <= '2025-01-01')
GROUP BY `month`;

SELECT `month`, SUM(CASE WHEN `dashagg_kind` = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 AND (`month` IS
        NULL OR `metric` IS NULL OR `marketplace` IS NULL OR `asin` IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      `dashagg_kind` = 0 THEN `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 THEN `row_count` END), SUM(CASE WHEN
      `dashagg_kind` = 1 THEN `amount` END), SUM(CASE WHEN `dashagg_kind` = 1 THEN `row_count` END), (SELECT COUNT(*)
  FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
  WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01'))
FROM `<database>`.`dashagg_stage_<hash>_0_0`
GROUP BY `month`;

WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`,
      `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0)
SELECT *
FROM (
SELECT month, metric, marketplace, asin
FROM financials_summary_monthly_asin_marketplace
WHERE marketplace = 'ALL'
) c LIMIT 1;

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `asin`, `marketplace`,
      `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`)
SELECT <hash>, CASE WHEN t.`month` IS NULL THEN 'I' ELSE 'U' END, s.`asin`, s.`marketplace`, s.`month`, s.`metric`,
    s.`brand_id`, s.`category_id`, s.`amount`, s.`row_count`
FROM `<database>`.`dashagg_stage_<hash>_0_0` s
LEFT JOIN `<database>`.`financials_summary_monthly_asin_marketplace` t ON t.`month` = s.`month` AND t.`metric` =
    s.`metric` AND t.`marketplace` = s.`marketplace` AND t.`asin` = s.`asin` AND (t.`month` >= '2025-01-01' AND
      t.`month` <= '2025-01-01')
WHERE s.`dashagg_kind` = 0 AND (t.`month` IS NULL OR NOT ((s.`asin` <=> t.`asin` AND LENGTH(s.`asin`) <=>
          LENGTH(t.`asin`)) AND (s.`marketplace` <=> t.`marketplace` AND LENGTH(s.`marketplace`) <=>
          LENGTH(t.`marketplace`)) AND s.`month` <=> t.`month` AND (s.`metric` <=> t.`metric` AND LENGTH(s.`metric`) <=>
          LENGTH(t.`metric`)) AND s.`brand_id` <=> t.`brand_id` AND s.`category_id` <=> t.`category_id` AND s.`amount`
        <=> t.`amount` AND s.`row_count` <=> t.`row_count`));

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `month`, `metric`,
      `marketplace`, `asin`)
SELECT <hash>, 'D', t.`month`, t.`metric`, t.`marketplace`, t.`asin`
FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
LEFT JOIN `<database>`.`dashagg_stage_<hash>_0_0` s ON s.`dashagg_kind` = 0 AND s.`month` = t.`month` AND s.`metric` =
    t.`metric` AND s.`marketplace` = t.`marketplace` AND s.`asin` = t.`asin`
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01') AND s.`dashagg_kind` IS NULL;

INSERT INTO `<database>`.`dashagg_stage_<hash>_0_1` (`dashagg_kind`, `brand_id`, `marketplace`, `month`, `metric`,
      `amount`, `row_count`) WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`,
      `month`, `metric`, `brand_id`, `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0)
SELECT 0, q.`brand_id`, q.`marketplace`, q.`month`, q.`metric`, q.`amount`, q.`row_count`
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
) q WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01');

SELECT `month`, SUM(CASE WHEN `dashagg_kind` = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 AND (`month` IS
        NULL OR `marketplace` IS NULL OR `metric` IS NULL OR `brand_id` IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN
      `dashagg_kind` = 0 AND (marketplace <> 'ALL') THEN `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 AND
      (marketplace <> 'ALL') THEN `row_count` END), SUM(CASE WHEN `dashagg_kind` = 0 AND (marketplace = 'ALL') THEN
      `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 AND (marketplace = 'ALL') THEN `row_count` END), (SELECT COUNT(*)
  FROM `<database>`.`financials_summary_monthly_brand` t
  WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01'))
FROM `<database>`.`dashagg_stage_<hash>_0_1`
GROUP BY `month`;

WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`, `month`, `metric`, `brand_id`,
      `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0), `financials_summary_monthly_brand` AS (SELECT `brand_id`, `marketplace`, `month`, `metric`,
      `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_1`
  WHERE `dashagg_kind` = 0)
SELECT *
FROM (
SELECT brand_id, month, metric
FROM financials_summary_monthly_brand
GROUP BY brand_id, month, metric
HAVING SUM(CASE WHEN marketplace = 'ALL' THEN 1 ELSE 0 END) <> 1
    OR SUM(CASE WHEN marketplace = 'ALL' THEN amount ELSE -amount END) <> 0
    OR SUM(CASE WHEN marketplace = 'ALL' THEN row_count ELSE -row_count END) <> 0
) c LIMIT 1;

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `brand_id`, `marketplace`,
      `month`, `metric`, `amount`, `row_count`)
SELECT <hash>, CASE WHEN t.`month` IS NULL THEN 'I' ELSE 'U' END, s.`brand_id`, s.`marketplace`, s.`month`, s.`metric`,
    s.`amount`, s.`row_count`
FROM `<database>`.`dashagg_stage_<hash>_0_1` s
LEFT JOIN `<database>`.`financials_summary_monthly_brand` t ON t.`month` = s.`month` AND t.`marketplace` =
    s.`marketplace` AND t.`metric` = s.`metric` AND t.`brand_id` = s.`brand_id` AND (t.`month` >= '2025-01-01' AND
      t.`month` <= '2025-01-01')
WHERE s.`dashagg_kind` = 0 AND (t.`month` IS NULL OR NOT (s.`brand_id` <=> t.`brand_id` AND (s.`marketplace` <=>
          t.`marketplace` AND LENGTH(s.`marketplace`) <=> LENGTH(t.`marketplace`)) AND s.`month` <=> t.`month` AND
        (s.`metric` <=> t.`metric` AND LENGTH(s.`metric`) <=> LENGTH(t.`metric`)) AND s.`amount` <=> t.`amount` AND
        s.`row_count` <=> t.`row_count`));

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `month`, `marketplace`,
      `metric`, `brand_id`)
SELECT <hash>, 'D', t.`month`, t.`marketplace`, t.`metric`, t.`brand_id`
FROM `<database>`.`financials_summary_monthly_brand` t
LEFT JOIN `<database>`.`dashagg_stage_<hash>_0_1` s ON s.`dashagg_kind` = 0 AND s.`month` = t.`month` AND
    s.`marketplace` = t.`marketplace` AND s.`metric` = t.`metric` AND s.`brand_id` = t.`brand_id`
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01') AND s.`dashagg_kind` IS NULL;

INSERT INTO `<database>`.`dashagg_stage_<hash>_0_2` (`dashagg_kind`, `category_id`, `month`, `metric`, `amount`,
      `row_count`) WITH `financials_summary_monthly_asin_marketplace` AS (SELECT `asin`, `marketplace`, `month`,
      `metric`, `brand_id`, `category_id`, `amount`, `row_count`
  FROM `<database>`.`dashagg_stage_<hash>_0_0`
  WHERE `dashagg_kind` = 0)
SELECT 0, q.`category_id`, q.`month`, q.`metric`, q.`amount`, q.`row_count`
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01');

SELECT `month`, SUM(CASE WHEN `dashagg_kind` = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 AND (`month` IS
        NULL OR `metric` IS NULL OR `category_id` IS NULL) THEN 1 ELSE 0 END), SUM(CASE WHEN `dashagg_kind` = 0 THEN
      `amount` END), SUM(CASE WHEN `dashagg_kind` = 0 THEN `row_count` END), (SELECT COUNT(*)
  FROM `<database>`.`financials_summary_monthly_category` t
  WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01'))
FROM `<database>`.`dashagg_stage_<hash>_0_2`
GROUP BY `month`;

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `category_id`, `month`,
      `metric`, `amount`, `row_count`)
SELECT <hash>, CASE WHEN t.`month` IS NULL THEN 'I' ELSE 'U' END, s.`category_id`, s.`month`, s.`metric`, s.`amount`,
    s.`row_count`
FROM `<database>`.`dashagg_stage_<hash>_0_2` s
LEFT JOIN `<database>`.`financials_summary_monthly_category` t ON t.`month` = s.`month` AND t.`metric` = s.`metric` AND
    t.`category_id` = s.`category_id` AND (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')
WHERE s.`dashagg_kind` = 0 AND (t.`month` IS NULL OR NOT (s.`category_id` <=> t.`category_id` AND s.`month` <=>
        t.`month` AND (s.`metric` <=> t.`metric` AND LENGTH(s.`metric`) <=> LENGTH(t.`metric`)) AND s.`amount` <=>
        t.`amount` AND s.`row_count` <=> t.`row_count`));

INSERT INTO `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` (`dashagg_run`, `dashagg_op`, `month`, `metric`,
      `category_id`)
SELECT <hash>, 'D', t.`month`, t.`metric`, t.`category_id`
FROM `<database>`.`financials_summary_monthly_category` t
LEFT JOIN `<database>`.`dashagg_stage_<hash>_0_2` s ON s.`dashagg_kind` = 0 AND s.`month` = t.`month` AND s.`metric` =
    t.`metric` AND s.`category_id` = t.`category_id`
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01') AND s.`dashagg_kind` IS NULL;

SELECT 0 AS nr, `dashagg_op`, COUNT(*)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash>
GROUP BY `dashagg_op`
UNION ALL
SELECT 1 AS nr, `dashagg_op`, COUNT(*)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash>
GROUP BY `dashagg_op`
UNION ALL
SELECT 2 AS nr, `dashagg_op`, COUNT(*)
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d
WHERE d.`dashagg_run` = <hash>
GROUP BY `dashagg_op`;

START TRANSACTION;

UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = 'financials' AND generation = 1;

UPDATE `<database>`.`financials_summary_monthly_asin_marketplace` t
JOIN `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d ON t.`month` = d.`month` AND t.`metric` = d.`metric` AND
    t.`marketplace` = d.`marketplace` AND t.`asin` = d.`asin` SET t.`asin` = d.`asin`, t.`marketplace` =
    d.`marketplace`, t.`month` = d.`month`, t.`metric` = d.`metric`, t.`brand_id` = d.`brand_id`, t.`category_id` =
    d.`category_id`, t.`amount` = d.`amount`, t.`row_count` = d.`row_count`, t.`updated_at` = UTC_TIMESTAMP(6)
WHERE d.`dashagg_run` = <hash> AND d.`dashagg_op` IN ('U');

UPDATE `<database>`.`financials_summary_monthly_brand` t
JOIN `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d ON t.`month` = d.`month` AND t.`marketplace` =
    d.`marketplace` AND t.`metric` = d.`metric` AND t.`brand_id` = d.`brand_id` SET t.`brand_id` = d.`brand_id`,
    t.`marketplace` = d.`marketplace`, t.`month` = d.`month`, t.`metric` = d.`metric`, t.`amount` = d.`amount`,
    t.`row_count` = d.`row_count`, t.`updated_at` = UTC_TIMESTAMP(6)
WHERE d.`dashagg_run` = <hash> AND d.`dashagg_op` IN ('U');

UPDATE `<database>`.`financials_summary_monthly_category` t
JOIN `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>` d ON t.`month` = d.`month` AND t.`metric` = d.`metric` AND
    t.`category_id` = d.`category_id` SET t.`category_id` = d.`category_id`, t.`month` = d.`month`, t.`metric` =
    d.`metric`, t.`amount` = d.`amount`, t.`row_count` = d.`row_count`, t.`updated_at` = UTC_TIMESTAMP(6)
WHERE d.`dashagg_run` = <hash> AND d.`dashagg_op` IN ('U');

DELETE FROM `<database>`.`dashagg_work_<financials>` WHERE dashagg_claim IN ('<hash>');

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

UPDATE dashagg_summary SET bytes = CASE summary WHEN 'asin' THEN 65536 WHEN 'brand' THEN 32768 WHEN 'category' THEN
    16384 END
WHERE set_name = 'financials' AND summary IN ('asin', 'brand', 'category');

DROP TEMPORARY TABLE IF EXISTS `<database>`.`dashagg_stage_<hash>_0_0`;

DROP TEMPORARY TABLE IF EXISTS `<database>`.`dashagg_stage_<hash>_0_1`;

DROP TEMPORARY TABLE IF EXISTS `<database>`.`dashagg_stage_<hash>_0_2`;

DELETE
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` BETWEEN <hash> AND <hash> LIMIT 20000;

DELETE
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` BETWEEN <hash> AND <hash> LIMIT 20000;

DELETE
FROM `<database>`.`dashagg_scratch_<hash>_<hash>_<hash>`
WHERE `dashagg_run` BETWEEN <hash> AND <hash> LIMIT 20000;

-- ---- verify ----

SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR);

START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT DISTINCT `month` FROM `financials`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_asin_marketplace`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_brand`;

SELECT DISTINCT `month` FROM `<database>`.`financials_summary_monthly_category`;

SELECT DISTINCT dashagg_grain, `month`
FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
  FROM `<database>`.`dashagg_work_<financials>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `dashagg_log_<financials>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
    FROM `dashagg_all_<financials>`
    UNION ALL
    SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
    FROM `dashagg_mark_<financials>`) n) a LIMIT 20001;

SELECT DISTINCT dashagg_grain, `asin`
FROM (SELECT dashagg_grain, `asin`
  FROM `<database>`.`dashagg_work_<products>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `asin`
    FROM `dashagg_log_<products>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
    FROM `dashagg_all_<products>`) n) a LIMIT 20001;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')
GROUP BY `month`;

SELECT `month`, SUM(amount), COUNT(*)
FROM `financials`
WHERE (`month` >= '2025-01-01' AND `month` <= '2025-01-01')
GROUP BY `month`;

SELECT u.`asin`, u.`marketplace`, u.`month`, u.`metric`, u.`brand_id`, u.`category_id`, u.`amount`, u.`row_count`,
    SUM(u.`dashagg_side`)
FROM (SELECT 1 AS `dashagg_side`, CAST(CONVERT(q.`asin` USING utf8mb4) AS BINARY) AS `asin`,
      CAST(CONVERT(q.`marketplace` USING utf8mb4) AS BINARY) AS `marketplace`, CAST(q.`month` AS DATE) AS `month`,
      CAST(CONVERT(q.`metric` USING utf8mb4) AS BINARY) AS `metric`, CAST(q.`brand_id` AS SIGNED) AS `brand_id`,
      CAST(q.`category_id` AS SIGNED) AS `category_id`, CAST(q.`amount` AS decimal(20,2)) AS `amount`,
      CAST(q.`row_count` AS SIGNED) AS `row_count`
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
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01')
UNION ALL
SELECT -1 AS `dashagg_side`, CAST(CONVERT(t.`asin` USING utf8mb4) AS BINARY) AS `asin`, CAST(CONVERT(t.`marketplace`
      USING utf8mb4) AS BINARY) AS `marketplace`, t.`month` AS `month`, CAST(CONVERT(t.`metric` USING utf8mb4) AS
    BINARY) AS `metric`, t.`brand_id` AS `brand_id`, t.`category_id` AS `category_id`, t.`amount` AS `amount`,
  t.`row_count` AS `row_count`
FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')) u
GROUP BY u.`asin`, u.`marketplace`, u.`month`, u.`metric`, u.`brand_id`, u.`category_id`, u.`amount`, u.`row_count`
HAVING SUM(u.`dashagg_side`) <> 0
ORDER BY u.`month`, u.`metric`, u.`marketplace`, u.`asin`;

SELECT DISTINCT dashagg_grain, `month`
FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
  FROM `<database>`.`dashagg_work_<financials>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `dashagg_log_<financials>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
    FROM `dashagg_all_<financials>`
    UNION ALL
    SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
    FROM `dashagg_mark_<financials>`) n) a LIMIT 20001;

SELECT DISTINCT dashagg_grain, `asin`
FROM (SELECT dashagg_grain, `asin`
  FROM `<database>`.`dashagg_work_<products>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `asin`
    FROM `dashagg_log_<products>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
    FROM `dashagg_all_<products>`) n) a LIMIT 20001;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_brand` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01') AND (marketplace <> 'ALL')
GROUP BY `month`;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')
GROUP BY `month`;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_brand` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01') AND (marketplace = 'ALL')
GROUP BY `month`;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')
GROUP BY `month`;

WITH `financials_summary_monthly_asin_marketplace` AS (SELECT q.`asin` AS `asin`, q.`marketplace` AS `marketplace`,
      CAST(q.`month` AS DATE) AS `month`, q.`metric` AS `metric`, CAST(q.`brand_id` AS SIGNED) AS `brand_id`,
      CAST(q.`category_id` AS SIGNED) AS `category_id`, CAST(q.`amount` AS decimal(20,2)) AS `amount`,
      CAST(q.`row_count` AS SIGNED) AS `row_count`
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
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01'))
SELECT u.`brand_id`, u.`marketplace`, u.`month`, u.`metric`, u.`amount`, u.`row_count`, SUM(u.`dashagg_side`)
FROM (SELECT 1 AS `dashagg_side`, CAST(q.`brand_id` AS SIGNED) AS `brand_id`, CAST(CONVERT(q.`marketplace` USING
      utf8mb4) AS BINARY) AS `marketplace`, CAST(q.`month` AS DATE) AS `month`, CAST(CONVERT(q.`metric` USING utf8mb4)
    AS BINARY) AS `metric`, CAST(q.`amount` AS decimal(20,2)) AS `amount`, CAST(q.`row_count` AS SIGNED) AS `row_count`
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
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01')
UNION ALL
SELECT -1 AS `dashagg_side`, t.`brand_id` AS `brand_id`, CAST(CONVERT(t.`marketplace` USING utf8mb4) AS BINARY) AS
  `marketplace`, t.`month` AS `month`, CAST(CONVERT(t.`metric` USING utf8mb4) AS BINARY) AS `metric`, t.`amount` AS
  `amount`, t.`row_count` AS `row_count`
FROM `<database>`.`financials_summary_monthly_brand` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')) u
GROUP BY u.`brand_id`, u.`marketplace`, u.`month`, u.`metric`, u.`amount`, u.`row_count`
HAVING SUM(u.`dashagg_side`) <> 0
ORDER BY u.`month`, u.`marketplace`, u.`metric`, u.`brand_id`;

SELECT DISTINCT dashagg_grain, `month`
FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
  FROM `<database>`.`dashagg_work_<financials>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `month`, `metric`, `marketplace`, `asin`
    FROM `dashagg_log_<financials>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL, NULL, NULL, NULL
    FROM `dashagg_all_<financials>`
    UNION ALL
    SELECT _utf8mb4'p' COLLATE utf8mb4_bin, `month`, NULL, NULL, NULL
    FROM `dashagg_mark_<financials>`) n) a LIMIT 20001;

SELECT DISTINCT dashagg_grain, `asin`
FROM (SELECT dashagg_grain, `asin`
  FROM `<database>`.`dashagg_work_<products>`
  WHERE 1 = 1
  UNION ALL
  SELECT *
  FROM (SELECT dashagg_grain, `asin`
    FROM `dashagg_log_<products>`
    UNION ALL
    SELECT _utf8mb4'a' COLLATE utf8mb4_bin, NULL
    FROM `dashagg_all_<products>`) n) a LIMIT 20001;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_category` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')
GROUP BY `month`;

SELECT `month`, SUM(`amount`), SUM(`row_count`)
FROM `<database>`.`financials_summary_monthly_asin_marketplace` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')
GROUP BY `month`;

WITH `financials_summary_monthly_asin_marketplace` AS (SELECT q.`asin` AS `asin`, q.`marketplace` AS `marketplace`,
      CAST(q.`month` AS DATE) AS `month`, q.`metric` AS `metric`, CAST(q.`brand_id` AS SIGNED) AS `brand_id`,
      CAST(q.`category_id` AS SIGNED) AS `category_id`, CAST(q.`amount` AS decimal(20,2)) AS `amount`,
      CAST(q.`row_count` AS SIGNED) AS `row_count`
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
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01'))
SELECT u.`category_id`, u.`month`, u.`metric`, u.`amount`, u.`row_count`, SUM(u.`dashagg_side`)
FROM (SELECT 1 AS `dashagg_side`, CAST(q.`category_id` AS SIGNED) AS `category_id`, CAST(q.`month` AS DATE) AS `month`,
  CAST(CONVERT(q.`metric` USING utf8mb4) AS BINARY) AS `metric`, CAST(q.`amount` AS decimal(20,2)) AS `amount`,
  CAST(q.`row_count` AS SIGNED) AS `row_count`
FROM (
SELECT category_id,
       month,
       metric,
       SUM(amount)    AS amount,
       SUM(row_count) AS row_count
FROM financials_summary_monthly_asin_marketplace
GROUP BY month, metric, category_id
) q
WHERE (q.`month` >= '2025-01-01' AND q.`month` <= '2025-01-01')
UNION ALL
SELECT -1 AS `dashagg_side`, t.`category_id` AS `category_id`, t.`month` AS `month`, CAST(CONVERT(t.`metric` USING
      utf8mb4) AS BINARY) AS `metric`, t.`amount` AS `amount`, t.`row_count` AS `row_count`
FROM `<database>`.`financials_summary_monthly_category` t
WHERE (t.`month` >= '2025-01-01' AND t.`month` <= '2025-01-01')) u
GROUP BY u.`category_id`, u.`month`, u.`metric`, u.`amount`, u.`row_count`
HAVING SUM(u.`dashagg_side`) <> 0
ORDER BY u.`month`, u.`metric`, u.`category_id`;

COMMIT;

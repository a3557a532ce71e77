-- The three summary tables of the financials set, for MySQL 8 and MariaDB.
--
-- utf8mb4_bin: text is compared exactly; 'us' and 'US' are two marketplaces.
-- updated_at is UTC and is set by dashagg when a row is written.
-- Every secondary index below costs time at each refresh. Drop what your
-- dashboards do not use, in a new script, never by editing this one.

-- By ASIN. The primary key starts with the month: a month is refreshed as one
-- range, and its order is that of the covering index on financials, so rows
-- arrive sorted.
CREATE TABLE IF NOT EXISTS financials_summary_monthly_asin_marketplace (
  asin        VARCHAR(32)   NOT NULL,
  marketplace VARCHAR(32)   NOT NULL,
  month       DATE          NOT NULL,
  metric      VARCHAR(32)   NOT NULL,
  brand_id    BIGINT        NOT NULL COMMENT '0 = unassigned',
  category_id BIGINT        NOT NULL COMMENT '0 = unassigned',
  amount      DECIMAL(20,2) NOT NULL,
  row_count   BIGINT        NOT NULL,
  updated_at  DATETIME      NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'UTC',
  PRIMARY KEY (month, metric, marketplace, asin),
  -- one product over time; also finds the months of a re-mapped ASIN
  KEY idx_fsma_asin_month (asin, month),
  -- drill-down from a brand to its products
  KEY idx_fsma_brand_month (brand_id, month),
  -- drill-down from a category to its products
  KEY idx_fsma_category_month (category_id, month)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- By brand. marketplace is 'ALL' in the row that totals the marketplaces.
-- The primary key serves "all brands of one marketplace over some months".
CREATE TABLE IF NOT EXISTS financials_summary_monthly_brand (
  brand_id    BIGINT        NOT NULL COMMENT '0 = unassigned',
  marketplace VARCHAR(32)   NOT NULL,
  month       DATE          NOT NULL,
  metric      VARCHAR(32)   NOT NULL,
  amount      DECIMAL(20,2) NOT NULL,
  row_count   BIGINT        NOT NULL,
  updated_at  DATETIME      NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'UTC',
  PRIMARY KEY (month, marketplace, metric, brand_id),
  -- one brand over many months
  KEY idx_fsmb_brand_marketplace_month (brand_id, marketplace, month)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- By category. A few thousand rows: the primary key is enough.
CREATE TABLE IF NOT EXISTS financials_summary_monthly_category (
  category_id BIGINT        NOT NULL COMMENT '0 = unassigned',
  month       DATE          NOT NULL,
  metric      VARCHAR(32)   NOT NULL,
  amount      DECIMAL(20,2) NOT NULL,
  row_count   BIGINT        NOT NULL,
  updated_at  DATETIME      NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'UTC',
  PRIMARY KEY (month, metric, category_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

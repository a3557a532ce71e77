-- The three summary tables of the financials set, for PostgreSQL.
--
-- updated_at is set by dashagg when a row is written.
-- Every secondary index below costs time at each refresh. Drop what your
-- dashboards do not use, in a new script, never by editing this one.

-- By ASIN. The primary key starts with the month: a month is refreshed as one
-- range.
CREATE TABLE IF NOT EXISTS financials_summary_monthly_asin_marketplace (
  asin        TEXT          NOT NULL,
  marketplace TEXT          NOT NULL,
  month       DATE          NOT NULL,
  metric      TEXT          NOT NULL,
  brand_id    BIGINT        NOT NULL,  -- 0 = unassigned
  category_id BIGINT        NOT NULL,  -- 0 = unassigned
  amount      NUMERIC(20,2) NOT NULL,
  row_count   BIGINT        NOT NULL,
  updated_at  TIMESTAMPTZ   NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (month, metric, marketplace, asin)
);

-- one product over time; also finds the months of a re-mapped ASIN
CREATE INDEX IF NOT EXISTS idx_fsma_asin_month
  ON financials_summary_monthly_asin_marketplace (asin, month);

-- drill-down from a brand to its products
CREATE INDEX IF NOT EXISTS idx_fsma_brand_month
  ON financials_summary_monthly_asin_marketplace (brand_id, month);

-- drill-down from a category to its products
CREATE INDEX IF NOT EXISTS idx_fsma_category_month
  ON financials_summary_monthly_asin_marketplace (category_id, month);

-- By brand. marketplace is 'ALL' in the row that totals the marketplaces.
-- The primary key serves "all brands of one marketplace over some months".
CREATE TABLE IF NOT EXISTS financials_summary_monthly_brand (
  brand_id    BIGINT        NOT NULL,  -- 0 = unassigned
  marketplace TEXT          NOT NULL,
  month       DATE          NOT NULL,
  metric      TEXT          NOT NULL,
  amount      NUMERIC(20,2) NOT NULL,
  row_count   BIGINT        NOT NULL,
  updated_at  TIMESTAMPTZ   NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (month, marketplace, metric, brand_id)
);

-- one brand over many months
CREATE INDEX IF NOT EXISTS idx_fsmb_brand_marketplace_month
  ON financials_summary_monthly_brand (brand_id, marketplace, month);

-- By category. A few thousand rows: the primary key is enough.
CREATE TABLE IF NOT EXISTS financials_summary_monthly_category (
  category_id BIGINT        NOT NULL,  -- 0 = unassigned
  month       DATE          NOT NULL,
  metric      TEXT          NOT NULL,
  amount      NUMERIC(20,2) NOT NULL,
  row_count   BIGINT        NOT NULL,
  updated_at  TIMESTAMPTZ   NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (month, metric, category_id)
);

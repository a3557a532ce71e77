-- The three summary tables of the financials set, for SQLite 3.37 or newer.
--
-- amount is in cents: SQLite has no exact decimal type.
-- month is text, 'YYYY-MM-DD'; the CHECK refuses anything else.
-- updated_at is UTC and is set by dashagg when a row is written.
-- WITHOUT ROWID stores the rows in primary key order: a month is one range.
-- Every secondary index below costs time at each refresh. Drop what your
-- dashboards do not use, in a new script, never by editing this one.

-- By ASIN.
CREATE TABLE IF NOT EXISTS financials_summary_monthly_asin_marketplace (
  asin        TEXT    NOT NULL,
  marketplace TEXT    NOT NULL,
  month       TEXT    NOT NULL CHECK (month IS date(month, '+0 days')),
  metric      TEXT    NOT NULL,
  brand_id    INTEGER NOT NULL,  -- 0 = unassigned
  category_id INTEGER NOT NULL,  -- 0 = unassigned
  amount      INTEGER NOT NULL,  -- cents
  row_count   INTEGER NOT NULL,
  updated_at  TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (month, metric, marketplace, asin)
) STRICT, WITHOUT ROWID;

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
  brand_id    INTEGER NOT NULL,  -- 0 = unassigned
  marketplace TEXT    NOT NULL,
  month       TEXT    NOT NULL CHECK (month IS date(month, '+0 days')),
  metric      TEXT    NOT NULL,
  amount      INTEGER NOT NULL,  -- cents
  row_count   INTEGER NOT NULL,
  updated_at  TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (month, marketplace, metric, brand_id)
) STRICT, WITHOUT ROWID;

-- one brand over many months
CREATE INDEX IF NOT EXISTS idx_fsmb_brand_marketplace_month
  ON financials_summary_monthly_brand (brand_id, marketplace, month);

-- By category. A few thousand rows: the primary key is enough.
CREATE TABLE IF NOT EXISTS financials_summary_monthly_category (
  category_id INTEGER NOT NULL,  -- 0 = unassigned
  month       TEXT    NOT NULL CHECK (month IS date(month, '+0 days')),
  metric      TEXT    NOT NULL,
  amount      INTEGER NOT NULL,  -- cents
  row_count   INTEGER NOT NULL,
  updated_at  TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (month, metric, category_id)
) STRICT, WITHOUT ROWID;

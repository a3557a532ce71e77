-- mv_daily_metrics as a table. A refresh writes only the days that changed.
--
-- updated_at is set by dashagg when a row is written.
-- The amounts have no fixed scale: they keep whatever orders.total has.
CREATE TABLE IF NOT EXISTS daily_metrics_table (
  metric_date         DATE        NOT NULL,  -- local day in Australia/Sydney
  organization_id     UUID        NOT NULL,
  orders_count        BIGINT      NOT NULL,
  priced_orders_count BIGINT      NOT NULL,  -- orders that have a total
  revenue             NUMERIC     NOT NULL,
  customer_count      BIGINT      NOT NULL,  -- never add up over days
  average_order_value NUMERIC,               -- NULL: no order has a total
  updated_at          TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (metric_date, organization_id)
);

-- one organisation over time
CREATE INDEX IF NOT EXISTS idx_daily_metrics_table_organization
  ON daily_metrics_table (organization_id, metric_date);

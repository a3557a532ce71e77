-- no-transaction
-- Indexes on the source tables, built while the application goes on writing.
--
-- Each costs time at every write. Drop what your queries do not use, in a new
-- script. A build that was interrupted leaves an index marked INVALID, which IF
-- NOT EXISTS takes for a good one. This finds it:
--   SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid
-- Drop it with DROP INDEX CONCURRENTLY and run its statement again.

-- Composite: what one organisation did lately, by status.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_org_date_status
  ON orders (organization_id, created_at DESC, status);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_opportunities_org_stage_date
  ON opportunities (organization_id, stage, created_at DESC);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_jobs_org_status
  ON jobs (organization_id, status);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_warranty_org_status_date
  ON warranty_claims (organization_id, status, created_at DESC);

-- Partial: only the rows that a list on the dashboard shows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_delivered
  ON orders (organization_id, created_at DESC)
  WHERE status = 'delivered' AND deleted_at IS NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_opportunities_closed
  ON opportunities (organization_id, closed_at DESC)
  WHERE stage IN ('won', 'lost') AND deleted_at IS NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_jobs_active
  ON jobs (organization_id, scheduled_date DESC)
  WHERE status IN ('scheduled', 'in_progress') AND deleted_at IS NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_warranty_open
  ON warranty_claims (organization_id)
  WHERE status = 'open' AND deleted_at IS NULL;

-- Partial and covering: the open pipeline, read from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_opportunities_open
  ON opportunities (organization_id)
  INCLUDE (stage, value, probability)
  WHERE stage NOT IN ('won', 'lost') AND deleted_at IS NULL;

-- Covering: today's numbers of one organisation, read from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_revenue_cover
  ON orders (organization_id, created_at DESC)
  INCLUDE (total, status, customer_id)
  WHERE deleted_at IS NULL;

-- Covering: the orders of a few local days, for daily_metrics_table. It holds
-- deleted orders too, because the check of the totals counts over all rows.
-- created_at is in it only so that an index-only scan is possible.
-- PostgreSQL takes a zone's rules for fixed. Should Sydney's change, REINDEX it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_local_day
  ON orders (((created_at AT TIME ZONE 'Australia/Sydney')::date), organization_id)
  INCLUDE (created_at, deleted_at, total, customer_id);

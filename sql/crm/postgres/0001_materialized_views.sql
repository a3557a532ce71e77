-- The five materialized views of the crm set.
--
-- A day is a local day in Australia/Sydney, named in each expression, so that
-- the session's time zone has no say and daylight saving is right: a day there
-- has 23, 24 or 25 hours. The two-year limit is a local midnight too, so the
-- oldest day is always a whole one. It compares the plain column, so an index on
-- it can be used.
-- Soft-deleted rows are left out. Sums over nothing are 0, averages over nothing
-- are NULL. The unique indexes are what REFRESH ... CONCURRENTLY needs. They
-- hold the key columns, and none of these is ever NULL.

-- Orders by organisation and day.
-- An order without a total (a draft) counts as an order and brings no revenue.
-- For the average over several days divide SUM(revenue) by
-- SUM(priced_orders_count). Never add up customer_count over days or
-- organisations: who orders twice would count twice.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_daily_metrics AS
SELECT organization_id,
       (created_at AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       COUNT(*)                    AS orders_count,
       COUNT(total)                AS priced_orders_count,
       COALESCE(SUM(total), 0)     AS revenue,
       COUNT(DISTINCT customer_id) AS customer_count,
       ROUND(AVG(total), 2)        AS average_order_value
FROM orders
WHERE deleted_at IS NULL
  AND created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '2 years')
                    AT TIME ZONE 'Australia/Sydney'
GROUP BY organization_id, (created_at AT TIME ZONE 'Australia/Sydney')::date
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_daily_metrics_pk
  ON mv_daily_metrics (organization_id, metric_date);

-- all organisations over some days
CREATE INDEX IF NOT EXISTS mv_daily_metrics_date_range
  ON mv_daily_metrics (metric_date);

-- Opportunities by organisation, day of creation and present stage.
-- The probability is in percent. Multiplying by 0.01 keeps every digit, a
-- division might round. Without a value or a probability the weight is 0.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_daily_pipeline AS
SELECT organization_id,
       (created_at AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       stage,
       COUNT(*)                                                AS opportunity_count,
       COALESCE(SUM(value), 0)                                 AS total_value,
       COALESCE(SUM(value * probability::numeric), 0) * 0.01   AS weighted_pipeline
FROM opportunities
WHERE deleted_at IS NULL
  AND created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '2 years')
                    AT TIME ZONE 'Australia/Sydney'
GROUP BY organization_id, (created_at AT TIME ZONE 'Australia/Sydney')::date, stage
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_daily_pipeline_pk
  ON mv_daily_pipeline (organization_id, metric_date, stage);

CREATE INDEX IF NOT EXISTS mv_daily_pipeline_date_range
  ON mv_daily_pipeline (metric_date);

-- Jobs by organisation, scheduled day and status. Days to come are in it.
-- A job without a scheduled date has no day: it is not here.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_daily_jobs AS
SELECT organization_id,
       (scheduled_date AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       status,
       COUNT(*)                          AS job_count,
       COUNT(estimated_hours)            AS estimated_job_count,
       COALESCE(SUM(estimated_hours), 0) AS total_hours
FROM jobs
WHERE deleted_at IS NULL
  AND scheduled_date >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '2 years')
                        AT TIME ZONE 'Australia/Sydney'
GROUP BY organization_id, (scheduled_date AT TIME ZONE 'Australia/Sydney')::date, status
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_daily_jobs_pk
  ON mv_daily_jobs (organization_id, metric_date, status);

CREATE INDEX IF NOT EXISTS mv_daily_jobs_date_range
  ON mv_daily_jobs (metric_date);

-- Warranty claims by organisation, day of creation, present status and type.
-- The type '(none)' is a claim that nobody has classified yet.
-- For the average over several rows divide SUM(resolution_seconds) by
-- SUM(resolved_count) and by 3600.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_daily_warranty AS
SELECT organization_id,
       (created_at AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       status,
       COALESCE(type, '(none)') AS type,
       COUNT(*)                                                             AS claim_count,
       COUNT(resolved_at)                                                   AS resolved_count,
       COALESCE(SUM(EXTRACT(EPOCH FROM resolved_at - created_at)), 0)       AS resolution_seconds,
       ROUND(SUM(EXTRACT(EPOCH FROM resolved_at - created_at))
             / (3600 * NULLIF(COUNT(resolved_at), 0)), 2)                   AS avg_resolution_hours
FROM warranty_claims
WHERE deleted_at IS NULL
  AND created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '2 years')
                    AT TIME ZONE 'Australia/Sydney'
GROUP BY organization_id, (created_at AT TIME ZONE 'Australia/Sydney')::date, status, COALESCE(type, '(none)')
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_daily_warranty_pk
  ON mv_daily_warranty (organization_id, metric_date, status, type);

CREATE INDEX IF NOT EXISTS mv_daily_warranty_date_range
  ON mv_daily_warranty (metric_date);

-- What is open now, one row for every organisation, also for one that has
-- nothing. Each table is grouped once and then joined: a subquery per
-- organisation would read them again and again.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_current_state AS
SELECT o.id AS organization_id,
       COALESCE(j.active_jobs, 0)        AS active_jobs,
       COALESCE(c.open_claims, 0)        AS open_claims,
       COALESCE(p.open_opportunities, 0) AS open_opportunities,
       COALESCE(p.open_value, 0)         AS open_value,
       COALESCE(p.weighted, 0) * 0.01    AS current_pipeline
FROM organizations o
LEFT JOIN (
  SELECT organization_id, COUNT(*) AS active_jobs
  FROM jobs
  WHERE deleted_at IS NULL AND status IN ('scheduled', 'in_progress')
  GROUP BY organization_id
) j ON j.organization_id = o.id
LEFT JOIN (
  SELECT organization_id, COUNT(*) AS open_claims
  FROM warranty_claims
  WHERE deleted_at IS NULL AND status = 'open'
  GROUP BY organization_id
) c ON c.organization_id = o.id
LEFT JOIN (
  SELECT organization_id,
         COUNT(*)                          AS open_opportunities,
         SUM(value)                        AS open_value,
         SUM(value * probability::numeric) AS weighted
  FROM opportunities
  WHERE deleted_at IS NULL AND stage NOT IN ('won', 'lost')
  GROUP BY organization_id
) p ON p.organization_id = o.id
WHERE o.deleted_at IS NULL
WITH NO DATA;

CREATE UNIQUE INDEX IF NOT EXISTS mv_current_state_pk
  ON mv_current_state (organization_id);

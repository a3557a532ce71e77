-- Opportunities of one organisation, created in the last 365 days, by month and
-- stage.
SELECT date_trunc('month', created_at AT TIME ZONE 'Australia/Sydney')::date AS month,
       stage,
       COUNT(*)                                              AS opportunity_count,
       COALESCE(SUM(value), 0)                               AS total_value,
       COALESCE(SUM(value * probability::numeric), 0) * 0.01 AS weighted_pipeline
FROM opportunities
WHERE organization_id = '00000000-0000-4000-8000-000000000002'
  AND deleted_at IS NULL
  AND created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '365 days')
                    AT TIME ZONE 'Australia/Sydney'
GROUP BY 1, 2
ORDER BY month, stage

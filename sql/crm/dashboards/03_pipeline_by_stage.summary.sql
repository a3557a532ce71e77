-- Opportunities of one organisation, created in the last 365 days, by month and
-- stage.
SELECT date_trunc('month', metric_date::timestamp)::date AS month,
       stage,
       SUM(opportunity_count) AS opportunity_count,
       SUM(total_value)       AS total_value,
       SUM(weighted_pipeline) AS weighted_pipeline
FROM mv_daily_pipeline
WHERE organization_id = '00000000-0000-4000-8000-000000000002'
  AND metric_date >= (now() AT TIME ZONE 'Australia/Sydney')::date - 365
GROUP BY 1, 2
ORDER BY month, stage

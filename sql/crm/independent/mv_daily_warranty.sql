-- Claims with and without a type apart, times as differences of epochs.
WITH claims AS (
  SELECT organization_id,
         timezone('Australia/Sydney', created_at)::date                       AS metric_date,
         status,
         type,
         resolved_at,
         EXTRACT(EPOCH FROM resolved_at) - EXTRACT(EPOCH FROM created_at)     AS seconds
  FROM warranty_claims
  WHERE deleted_at IS NULL
    AND timezone('Australia/Sydney', created_at)::date
        >= (timezone('Australia/Sydney', now())::date - INTERVAL '24 months')::date
), typed AS (
  SELECT organization_id, metric_date, status, type, COUNT(*) AS claims,
         SUM(CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END) AS resolved, SUM(seconds) AS seconds
  FROM claims
  WHERE type IS NOT NULL
  GROUP BY organization_id, metric_date, status, type
  UNION ALL
  SELECT organization_id, metric_date, status, '(none)', COUNT(*),
         SUM(CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END), SUM(seconds)
  FROM claims
  WHERE type IS NULL
  GROUP BY organization_id, metric_date, status
)
SELECT organization_id, metric_date, status, type,
       claims   AS claim_count,
       resolved AS resolved_count,
       CASE WHEN resolved = 0 THEN 0 ELSE seconds END AS resolution_seconds,
       CASE WHEN resolved > 0 THEN ROUND(seconds / (3600 * resolved), 2) END AS avg_resolution_hours
FROM typed

-- How many warranty claims of the last 365 days are settled and how long that
-- took, by type.
SELECT COALESCE(type, '(none)') AS type,
       COUNT(*)                 AS claim_count,
       COUNT(resolved_at)       AS resolved_count,
       ROUND(AVG(EXTRACT(EPOCH FROM resolved_at - created_at)) / 3600, 1) AS avg_resolution_hours
FROM warranty_claims
WHERE deleted_at IS NULL
  AND created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '365 days')
                    AT TIME ZONE 'Australia/Sydney'
GROUP BY COALESCE(type, '(none)')
ORDER BY type

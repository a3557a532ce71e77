-- How many warranty claims of the last 365 days are settled and how long that
-- took, by type.
SELECT type,
       SUM(claim_count)    AS claim_count,
       SUM(resolved_count) AS resolved_count,
       ROUND(SUM(resolution_seconds) / NULLIF(SUM(resolved_count), 0) / 3600, 1) AS avg_resolution_hours
FROM mv_daily_warranty
WHERE metric_date >= (now() AT TIME ZONE 'Australia/Sydney')::date - 365
GROUP BY type
ORDER BY type

-- Jobs of one organisation from two weeks ago to two weeks ahead, by day and
-- status.
SELECT (scheduled_date AT TIME ZONE 'Australia/Sydney')::date AS metric_date,
       status,
       COUNT(*)                          AS job_count,
       COALESCE(SUM(estimated_hours), 0) AS total_hours
FROM jobs
WHERE organization_id = '00000000-0000-4000-8000-000000000003'
  AND deleted_at IS NULL
  AND scheduled_date >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '14 days')
                        AT TIME ZONE 'Australia/Sydney'
  AND scheduled_date < (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') + INTERVAL '15 days')
                       AT TIME ZONE 'Australia/Sydney'
GROUP BY (scheduled_date AT TIME ZONE 'Australia/Sydney')::date, status
ORDER BY metric_date, status

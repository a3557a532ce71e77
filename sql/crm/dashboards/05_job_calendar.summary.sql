-- Jobs of one organisation from two weeks ago to two weeks ahead, by day and
-- status.
SELECT metric_date, status, job_count, total_hours
FROM mv_daily_jobs
WHERE organization_id = '00000000-0000-4000-8000-000000000003'
  AND metric_date BETWEEN (now() AT TIME ZONE 'Australia/Sydney')::date - 14
                      AND (now() AT TIME ZONE 'Australia/Sydney')::date + 14
ORDER BY metric_date, status

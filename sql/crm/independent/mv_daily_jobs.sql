-- Counts of dated jobs from one grouping, hours from another of those that have
-- an estimate.
SELECT organization_id,
       metric_date,
       status,
       n.job_count,
       COALESCE(e.estimated_job_count, 0) AS estimated_job_count,
       COALESCE(e.total_hours, 0)         AS total_hours
FROM (
  SELECT organization_id, timezone('Australia/Sydney', scheduled_date)::date AS metric_date, status, COUNT(*) AS job_count
  FROM jobs
  WHERE deleted_at IS NULL AND scheduled_date IS NOT NULL
  GROUP BY 1, 2, 3
) n
LEFT JOIN (
  SELECT organization_id, timezone('Australia/Sydney', scheduled_date)::date AS metric_date, status,
         COUNT(*) AS estimated_job_count, SUM(estimated_hours) AS total_hours
  FROM jobs
  WHERE deleted_at IS NULL AND scheduled_date IS NOT NULL AND estimated_hours IS NOT NULL
  GROUP BY 1, 2, 3
) e USING (organization_id, metric_date, status)
WHERE metric_date >= (timezone('Australia/Sydney', now())::date - INTERVAL '24 months')::date

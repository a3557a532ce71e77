-- Weighted in ten-thousandths, as whole numbers, then scaled once. A cent is the
-- smallest part of a value.
SELECT organization_id,
       metric_date,
       stage,
       SUM(1)                                       AS opportunity_count,
       SUM(cents) / 100                             AS total_value,
       SUM(cents * percent) / 10000                 AS weighted_pipeline
FROM (
  SELECT organization_id,
         to_char(timezone('Australia/Sydney', created_at), 'YYYY-MM-DD')::date AS metric_date,
         stage,
         COALESCE(value, 0) * 100 AS cents,
         COALESCE(probability, 0) AS percent
  FROM opportunities
  WHERE deleted_at IS NULL
) o
WHERE NOT metric_date < (timezone('Australia/Sydney', now())::date - INTERVAL '24 months')::date
GROUP BY stage, metric_date, organization_id

-- Attendance of every school by month. The rate is of the month, not the mean of
-- its days.
SELECT school_id,
       date_trunc('month', attendance_date::timestamp)::date AS month,
       COUNT(status)                                         AS marked,
       ROUND(100.0 * COUNT(*) FILTER (WHERE status IN ('present', 'late')) / NULLIF(COUNT(status), 0), 1) AS rate
FROM attendance
WHERE deleted_at IS NULL
GROUP BY 1, 2
ORDER BY school_id, month

-- Attendance of every school by month. The rate is of the month, not the mean of
-- its days.
SELECT school_id,
       date_trunc('month', attendance_date::timestamp)::date AS month,
       SUM(marked_count)                                     AS marked,
       ROUND(100.0 * SUM(present_count + late_count) / NULLIF(SUM(marked_count), 0), 1) AS rate
FROM mv_school_attendance_daily
GROUP BY 1, 2
ORDER BY school_id, month

-- Attendance of one school over the last 30 days of its own calendar, by day.
-- The rate is NULL as long as nobody is marked.
SELECT a.attendance_date,
       a.listed_count AS listed,
       a.absent_count AS absent,
       ROUND(100.0 * (a.present_count + a.late_count) / NULLIF(a.marked_count, 0), 1) AS rate
FROM mv_school_attendance_daily a
JOIN schools s ON s.id = a.school_id
WHERE a.school_id = 1
  AND a.attendance_date > (now() AT TIME ZONE s.time_zone)::date - 30
ORDER BY attendance_date

-- Attendance of one school over the last 30 days of its own calendar, by day.
-- The rate is NULL as long as nobody is marked.
SELECT a.attendance_date,
       COUNT(*)                                     AS listed,
       COUNT(*) FILTER (WHERE a.status = 'absent')  AS absent,
       ROUND(100.0 * COUNT(*) FILTER (WHERE a.status IN ('present', 'late')) / NULLIF(COUNT(a.status), 0), 1) AS rate
FROM attendance a
JOIN schools s ON s.id = a.school_id
WHERE a.school_id = 1
  AND a.deleted_at IS NULL
  AND a.attendance_date > (now() AT TIME ZONE s.time_zone)::date - 30
GROUP BY a.attendance_date
ORDER BY attendance_date

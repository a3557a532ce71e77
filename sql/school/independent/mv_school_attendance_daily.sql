-- By status first, then each status into its column.
SELECT school_id,
       attendance_date,
       SUM(n)                                                  AS listed_count,
       SUM(CASE WHEN status IS NULL THEN 0 ELSE n END)         AS marked_count,
       SUM(CASE status WHEN 'present' THEN n ELSE 0 END)       AS present_count,
       SUM(CASE status WHEN 'late' THEN n ELSE 0 END)          AS late_count,
       SUM(CASE status WHEN 'absent' THEN n ELSE 0 END)        AS absent_count,
       SUM(CASE status WHEN 'excused' THEN n ELSE 0 END)       AS excused_count,
       SUM(minutes)                                            AS minutes_late
FROM (
  SELECT school_id, attendance_date, status, SUM(1) AS n, SUM(COALESCE(minutes_late, 0)) AS minutes
  FROM attendance
  WHERE deleted_at IS NULL
  GROUP BY school_id, attendance_date, status
) s
GROUP BY school_id, attendance_date

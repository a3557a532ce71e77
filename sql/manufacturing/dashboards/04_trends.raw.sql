-- Orders created and completed on each of the last seven days.
SELECT d.day,
       (SELECT COUNT(*)
        FROM manufacturing_orders
        WHERE (created_at AT TIME ZONE 'Asia/Jakarta')::date = d.day) AS orders_created,
       (SELECT COUNT(*)
        FROM manufacturing_orders
        WHERE state = 'done'
          AND (completed_at AT TIME ZONE 'Asia/Jakarta')::date = d.day) AS orders_completed
FROM (
  SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date - n AS day
  FROM generate_series(0, 6) AS n
) d
ORDER BY d.day

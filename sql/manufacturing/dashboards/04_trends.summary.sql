-- Orders created and completed on each of the last seven days.
SELECT day, orders_created, orders_completed
FROM mv_mo_trends_7days
ORDER BY day

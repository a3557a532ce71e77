-- Orders of every organisation over the last 365 whole days. One without orders
-- is there too.
SELECT g.id AS organization_id,
       g.name,
       COUNT(o.id)               AS orders_count,
       COALESCE(SUM(o.total), 0) AS revenue,
       ROUND(AVG(o.total), 2)    AS average_order_value
FROM organizations g
LEFT JOIN orders o
  ON o.organization_id = g.id
 AND o.deleted_at IS NULL
 AND o.created_at >= (date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') - INTERVAL '365 days')
                     AT TIME ZONE 'Australia/Sydney'
 AND o.created_at < date_trunc('day', now() AT TIME ZONE 'Australia/Sydney') AT TIME ZONE 'Australia/Sydney'
WHERE g.deleted_at IS NULL
GROUP BY g.id, g.name
ORDER BY organization_id

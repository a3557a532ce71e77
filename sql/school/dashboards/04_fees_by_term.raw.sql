-- Fees of one school by term: billed, paid and still open.
SELECT term,
       SUM(billed)             AS billed,
       SUM(paid)               AS paid,
       SUM(billed) - SUM(paid) AS outstanding
FROM (
  SELECT COALESCE(term, '(none)') AS term, amount - COALESCE(discount, 0) AS billed, 0 AS paid
  FROM fee_invoices
  WHERE school_id = 2 AND deleted_at IS NULL AND status = 'issued'
  UNION ALL
  SELECT COALESCE(i.term, '(none)'), 0, p.amount
  FROM fee_payments p
  LEFT JOIN fee_invoices i ON i.id = p.invoice_id AND i.deleted_at IS NULL
  WHERE p.school_id = 2 AND p.deleted_at IS NULL AND p.status = 'completed'
) f
GROUP BY term
ORDER BY term

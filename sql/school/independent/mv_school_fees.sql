-- Billed and paid apart, then matched by school and term, where either may be
-- missing.
WITH billed AS (
  SELECT school_id,
         CASE WHEN term IS NULL THEN '(none)' ELSE term END AS term,
         SUM(1)                                             AS invoices_count,
         SUM(amount) - SUM(COALESCE(discount, 0))           AS billed
  FROM fee_invoices
  WHERE status NOT IN ('draft', 'void') AND deleted_at IS NULL
  GROUP BY 1, 2
), placed AS (
  SELECT school_id,
         amount,
         (SELECT i.term FROM fee_invoices i WHERE i.id = p.invoice_id AND i.deleted_at IS NULL) AS term
  FROM fee_payments p
  WHERE status = 'completed' AND deleted_at IS NULL
), paid AS (
  SELECT school_id,
         CASE WHEN term IS NULL THEN '(none)' ELSE term END AS term,
         SUM(1)      AS payments_count,
         SUM(amount) AS paid
  FROM placed
  GROUP BY 1, 2
)
SELECT school_id,
       term,
       COALESCE(invoices_count, 0)             AS invoices_count,
       COALESCE(billed, 0)                     AS billed,
       COALESCE(payments_count, 0)             AS payments_count,
       COALESCE(paid, 0)                       AS paid,
       COALESCE(billed, 0) - COALESCE(paid, 0) AS outstanding
FROM billed
FULL JOIN paid USING (school_id, term)

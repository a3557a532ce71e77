-- Fees of one school by term: billed, paid and still open.
SELECT term, billed, paid, outstanding
FROM mv_school_fees
WHERE school_id = 2
ORDER BY term

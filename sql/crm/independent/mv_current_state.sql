-- A subquery per number and organisation.
SELECT o.id AS organization_id,
       (SELECT COUNT(*) FROM jobs j
        WHERE j.organization_id = o.id AND j.deleted_at IS NULL
          AND (j.status = 'scheduled' OR j.status = 'in_progress')) AS active_jobs,
       (SELECT COUNT(*) FROM warranty_claims c
        WHERE c.organization_id = o.id AND c.deleted_at IS NULL AND c.status = 'open') AS open_claims,
       (SELECT COUNT(*) FROM opportunities p
        WHERE p.organization_id = o.id AND p.deleted_at IS NULL
          AND p.stage <> 'won' AND p.stage <> 'lost') AS open_opportunities,
       (SELECT COALESCE(SUM(p.value), 0) FROM opportunities p
        WHERE p.organization_id = o.id AND p.deleted_at IS NULL
          AND p.stage <> 'won' AND p.stage <> 'lost') AS open_value,
       (SELECT COALESCE(SUM(COALESCE(p.value, 0) * 100 * COALESCE(p.probability, 0)), 0) / 10000 FROM opportunities p
        WHERE p.organization_id = o.id AND p.deleted_at IS NULL
          AND p.stage <> 'won' AND p.stage <> 'lost') AS current_pipeline
FROM organizations o
WHERE o.deleted_at IS NULL

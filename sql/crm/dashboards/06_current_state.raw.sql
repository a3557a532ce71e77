-- What is open in every organisation.
SELECT o.id AS organization_id,
       o.name,
       (SELECT COUNT(*) FROM jobs j
        WHERE j.organization_id = o.id AND j.deleted_at IS NULL
          AND j.status IN ('scheduled', 'in_progress')) AS active_jobs,
       (SELECT COUNT(*) FROM warranty_claims c
        WHERE c.organization_id = o.id AND c.deleted_at IS NULL AND c.status = 'open') AS open_claims,
       (SELECT COALESCE(SUM(p.value * p.probability::numeric), 0) * 0.01 FROM opportunities p
        WHERE p.organization_id = o.id AND p.deleted_at IS NULL
          AND p.stage NOT IN ('won', 'lost')) AS current_pipeline
FROM organizations o
WHERE o.deleted_at IS NULL
ORDER BY organization_id

-- What is open in every organisation.
SELECT o.id AS organization_id,
       o.name,
       s.active_jobs,
       s.open_claims,
       s.current_pipeline
FROM organizations o
JOIN mv_current_state s ON s.organization_id = o.id
ORDER BY organization_id

//! PostgreSQL: notes and their claim.

use super::PostgresDialect;
use crate::engine::track::TrackSpec;
use crate::engine::{NoteSql, Spelling};

impl NoteSql for PostgresDialect {
    fn note_table(&self, spec: &TrackSpec, table: &str) -> String {
        self.qualify(&spec.schema, table)
    }

    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String> {
        let all = spec.names(self, spec.columns.len()).join(", ");
        let log = self.note_table(spec, &spec.log());
        vec![
            // A note of everything that a writer still relies on stays; it is closed below, so that later writers add
            // another and this one comes free.
            format!(
                "WITH gone AS (DELETE FROM {log} WHERE dashagg_grain <> 'a' OR ctid = ANY (ARRAY(SELECT ctid FROM {log} \
                 WHERE dashagg_grain = 'a' FOR UPDATE SKIP LOCKED)) RETURNING dashagg_grain, {all}) \
                 INSERT INTO {} (dashagg_claim, dashagg_grain, {all}) SELECT {}, dashagg_grain, {all} FROM gone",
                self.note_table(spec, &spec.work()),
                self.literal(claim)
            ),
            format!("UPDATE {log} SET dashagg_open = false WHERE dashagg_grain = 'a' AND dashagg_open"),
        ]
    }

    fn shrink_log_sql(&self, spec: &TrackSpec) -> Option<String> {
        // What triggers judge by is the size of the file.
        Some(format!("VACUUM {}", self.note_table(spec, &spec.log())))
    }
}

//! PostgreSQL: notes and their claim.

use super::PostgresDialect;
use crate::engine::track::{MOST_NOTED_KEYS, TrackSpec};
use crate::engine::{NoteSql, Spelling};

impl PostgresDialect {
    /// Statements that note the rows of a transition table. `waiting`, a variable, says how many notes wait already: by
    /// key while they are few, by partition beyond that.
    pub(super) fn note_rows(&self, spec: &TrackSpec, rows: &str) -> String {
        let log = self.qualify(&spec.schema, &spec.log());
        let all = spec.names(self, spec.columns.len()).join(", ");
        let by_key = format!(
            "INSERT INTO {log} (dashagg_grain, {all}) SELECT DISTINCT 'k', {} FROM {rows} r;",
            spec.values(self, spec.columns.len(), "r").join(", ")
        );
        if spec.partition == 0 {
            return format!(
                "IF (SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {limit}) x) < {limit} THEN {by_key} \
                 ELSE INSERT INTO {log} (dashagg_grain) VALUES ('a'); END IF;",
                limit = MOST_NOTED_KEYS * 4
            );
        }
        let by_partition = format!(
            "INSERT INTO {log} (dashagg_grain, {}) SELECT DISTINCT 'p', {} FROM {rows} r;",
            spec.names(self, spec.partition).join(", "),
            spec.values(self, spec.partition, "r").join(", ")
        );
        if !spec.has_keys() {
            return by_partition;
        }
        format!(
            "IF waiting <= {most} AND (SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {limit}) x) < {limit} \
             THEN {by_key} ELSE {by_partition} END IF;",
            most = spec.max_notes,
            limit = MOST_NOTED_KEYS + 1
        )
    }
}

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

//! SQLite: notes and their claim.

use super::SqliteDialect;
use crate::engine::track::TrackSpec;
use crate::engine::{NoteSql, Spelling};

impl NoteSql for SqliteDialect {
    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String> {
        let all = spec.names(self, spec.columns.len()).join(", ");
        vec![
            format!(
                "INSERT INTO {} (dashagg_claim, dashagg_grain, {all}) SELECT {}, dashagg_grain, {all} FROM {}",
                self.quote(&spec.work()),
                self.literal(claim),
                self.quote(&spec.log())
            ),
            format!("DELETE FROM {}", self.quote(&spec.log())),
        ]
    }
}

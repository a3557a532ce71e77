//! SQLite: scratch tables.

use super::SqliteDialect;
use crate::engine::scratch::on_key;
use crate::engine::{Scratch, ScratchSql, Spelling};

impl SqliteDialect {
    fn keys(&self, key: &[String], alias: &str) -> String {
        key.iter().map(|name| format!("{alias}.{}", self.quote(name))).collect::<Vec<_>>().join(", ")
    }
}

impl ScratchSql for SqliteDialect {
    fn scratch_name(&self, _schema: &str, name: &str, _scratch: Scratch) -> String {
        self.qualify("temp", name)
    }

    fn create_scratch(
        &self,
        qualified: &str,
        columns: &str,
        _unique: Option<&str>,
        _scratch: Scratch,
    ) -> String {
        format!("CREATE TABLE {qualified} ({columns})")
    }

    fn prefers_one_statement(&self) -> bool {
        true
    }

    fn scratch_unique_index(&self, qualified: &str, name: &str, columns: &str) -> Option<String> {
        // The schema belongs to the index's name here, not to the table's.
        let table = qualified.trim_start_matches("\"temp\".");
        Some(format!("CREATE UNIQUE INDEX \"temp\".{} ON {table} ({columns})", self.quote(name)))
    }

    fn delete_matching(&self, target: &str, delta: &str, key: &[String], filter: &str) -> String {
        format!(
            "DELETE FROM {target} WHERE ({}) IN (SELECT {} FROM {delta} d WHERE {filter})",
            self.list(key),
            self.keys(key, "d")
        )
    }

    fn update_matching(
        &self,
        target: &str,
        delta: &str,
        key: &[String],
        assignments: &[(String, String)],
        filter: &str,
    ) -> String {
        let set: Vec<String> =
            assignments.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        format!(
            "UPDATE {target} AS t SET {} FROM {delta} d WHERE {} AND {filter}",
            set.join(", "),
            on_key(self, "t", "d", key)
        )
    }
}

//! MySQL and MariaDB: scratch tables.

use super::MysqlDialect;
use crate::engine::dialect::SOME;
use crate::engine::scratch::on_key;
use crate::engine::{Scratch, ScratchSql, Spelling};

/// The key of a table whose rows have none.
const NUMBERED: &str = ", dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY";

impl ScratchSql for MysqlDialect {
    fn lasting(&self) -> &'static [Scratch] {
        // MySQL cannot read a TEMPORARY table twice in one statement (error 1137), as a SELECT with two branches over
        // a staged tier would. What no tier reads is staged in memory on both.
        if self.mariadb { &[Scratch::Delta] } else { &[Scratch::Delta, Scratch::Stage] }
    }

    fn scratch_name(&self, schema: &str, name: &str, _scratch: Scratch) -> String {
        self.qualify(schema, name)
    }

    fn create_scratch(
        &self,
        qualified: &str,
        columns: &str,
        unique: Option<&str>,
        scratch: Scratch,
    ) -> String {
        // MEMORY takes 40,000 rows in a third of the time of InnoDB, but neither large values nor more than
        // max_heap_table_size.
        let large = ["text", "blob", "json", "geometry"].iter().any(|word| columns.contains(word));
        let (create, engine) = match scratch {
            Scratch::Private if !large => ("TEMPORARY TABLE", "MEMORY"),
            Scratch::Private | Scratch::PrivateLarge => ("TEMPORARY TABLE", "InnoDB"),
            _ => ("TABLE IF NOT EXISTS", "InnoDB"),
        };
        // Servers can be told to refuse a table without a primary key. A delta's own key costs no more than the hidden
        // one, and where it is applied the rows come in the order of the summary's. Staged rows may have NULL in
        // their key; a number of their own is no bottleneck where each connection has its own table, or where numbers
        // are given out without a lock (innodb_autoinc_lock_mode = 2, MySQL's default).
        let keys = match (scratch, unique) {
            (Scratch::Delta | Scratch::LookedUp, Some(list)) => format!(", PRIMARY KEY ({list})"),
            (_, list) => {
                // ALTER on a temporary table copies it, so the index is there from the start.
                let unique = list.map(|list| format!(", UNIQUE KEY ({list})")).unwrap_or_default();
                // MariaDB minds tables of InnoDB only.
                let numbered = if engine == "MEMORY" && self.mariadb { "" } else { NUMBERED };
                format!("{numbered}{unique}")
            }
        };
        format!(
            "CREATE {create} {qualified} ({columns}{keys}) ENGINE={engine} \
             DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
        )
    }

    fn scratch_unique_index(&self, _qualified: &str, _name: &str, _columns: &str) -> Option<String> {
        None
    }

    fn drop_scratch(&self, qualified: &str, scratch: Scratch) -> String {
        let private = matches!(scratch, Scratch::Private | Scratch::PrivateLarge);
        format!("DROP {}TABLE IF EXISTS {qualified}", if private { "TEMPORARY " } else { "" })
    }

    fn delete_some(&self, qualified: &str, condition: &str) -> String {
        // Each row deleted is a row in the undo log until its statement ends, and in the binary log until its commit.
        format!("DELETE FROM {qualified} WHERE {condition} LIMIT {SOME}")
    }

    fn delete_matching(&self, target: &str, delta: &str, key: &[String], filter: &str) -> String {
        format!("DELETE t FROM {delta} d JOIN {target} t ON {} WHERE {filter}", on_key(self, "t", "d", key))
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
            assignments.iter().map(|(column, value)| format!("t.{column} = {value}")).collect();
        format!(
            "UPDATE {target} t JOIN {delta} d ON {} SET {} WHERE {filter}",
            on_key(self, "t", "d", key),
            set.join(", ")
        )
    }
}

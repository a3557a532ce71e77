//! MySQL and MariaDB: views, rights, indexes, the columns of the ledger.

use super::MysqlDialect;
use crate::engine::{ObjectSql, Spelling};

impl ObjectSql for MysqlDialect {
    fn table_suffix(&self) -> &'static str {
        " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
    }

    fn grant_read(&self, schema: &str, table: &str, reader: &str) -> Vec<String> {
        let (user, host) = reader.rsplit_once('@').unwrap_or((reader, "%"));
        let reader = format!("{}@{}", self.quote(user), self.quote(host));
        vec![format!("GRANT SELECT ON {} TO {reader}", self.qualify(schema, table))]
    }

    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String {
        format!(
            "ALTER TABLE {} ADD INDEX {} ({}), ALGORITHM=INPLACE, LOCK=NONE",
            table,
            self.quote(name),
            self.list(columns)
        )
    }

    fn analyze_first(&self, qualified: &str) -> Option<String> {
        // The server does it by itself within seconds, but `status` wants the size now.
        Some(format!("ANALYZE NO_WRITE_TO_BINLOG TABLE {qualified}"))
    }
}

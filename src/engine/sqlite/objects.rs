//! SQLite: views, rights, indexes, the columns of the ledger.

use super::SqliteDialect;
use crate::engine::{ObjectSql, Spelling};

impl ObjectSql for SqliteDialect {
    fn replace_view(&self, view: &str, body: &str) -> Vec<String> {
        vec![self.drop_view(view), format!("CREATE VIEW {view} AS {body}")]
    }

    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String {
        format!("CREATE INDEX {} ON {} ({})", self.quote(name), table, self.list(columns))
    }
}

//! SQLite: questions to the catalog and to a source.

use super::SqliteDialect;
use crate::engine::{CatalogSql, Column, Spelling};

impl CatalogSql for SqliteDialect {
    fn columns_sql(&self, _schema: Option<&str>, table: &str) -> String {
        // A scratch table must compare keys as the table's own unique index does; only indexes show collations.
        format!(
            "SELECT name, CASE WHEN type = '' THEN 'ANY' ELSE type END || COALESCE((SELECT ' COLLATE ' || i.coll \
             FROM pragma_index_list({0}, 'main') l JOIN pragma_index_xinfo(l.name, 'main') i \
             WHERE l.\"unique\" AND i.key AND i.name = c.name AND i.coll <> 'BINARY' LIMIT 1), ''), hidden IN (2, 3), \
             \"notnull\" = 0 AND (pk = 0 OR (SELECT wr = 0 AND strict = 0 FROM pragma_table_list({0}) WHERE schema = 'main')) \
             FROM pragma_table_xinfo({0}, 'main') c WHERE hidden <> 1 ORDER BY cid",
            self.literal(table)
        )
    }

    fn indexes_sql(&self, _schema: Option<&str>, table: &str) -> String {
        // An INTEGER PRIMARY KEY is the rowid and has no entry in the index list.
        format!(
            "SELECT l.name, l.\"unique\", l.partial, i.name FROM pragma_index_list({0}, 'main') l \
             JOIN pragma_index_info(l.name) i \
             UNION ALL SELECT 'rowid', 1, 0, name FROM pragma_table_info({0}, 'main') \
             WHERE pk = 1 AND upper(type) = 'INTEGER' \
             AND NOT EXISTS (SELECT 1 FROM pragma_index_list({0}, 'main') WHERE origin = 'pk')",
            self.literal(table)
        )
    }

    fn collated_sql(&self, table: &str) -> Option<String> {
        // No catalog tells a column's own collation. Where the table's text has one at all, any column may have it.
        Some(format!(
            "SELECT c.name, CASE WHEN m.sql LIKE '%rtrim%' AND m.sql NOT LIKE '%nocase%' THEN 'RTRIM' ELSE 'NOCASE' END \
             FROM sqlite_master m JOIN pragma_table_xinfo(m.name, 'main') c \
             WHERE m.type = 'table' AND lower(m.name) = lower({}) AND m.sql LIKE '%collate%'",
            self.literal(table)
        ))
    }

    fn bytes_sql(&self, _schema: &str, table: &str) -> String {
        format!(
            "SELECT SUM(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN \
             (SELECT name FROM sqlite_master WHERE tbl_name = {})",
            self.literal(table)
        )
    }

    fn estimated_rows_sql(&self, _schema: Option<&str>, table: &str) -> String {
        // Good enough to announce a wait: exact where rows are never deleted.
        format!("SELECT MAX(rowid) FROM {}", self.quote(table))
    }

    fn table_count_sql(&self) -> String {
        "SELECT COUNT(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            .to_owned()
    }

    fn tables_like_sql(&self, prefix: &str) -> String {
        format!(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, {}) = {}",
            prefix.len(),
            self.literal(prefix)
        )
    }

    fn own_view_sql(&self, _schema: &str, view: &str) -> String {
        format!(
            "SELECT 1 FROM sqlite_master WHERE type = 'view' AND name = {} AND instr(sql, 'dashagg_log_') > 0",
            self.literal(view)
        )
    }

    fn explain_sql(&self, query: &str) -> Vec<String> {
        vec![format!("EXPLAIN QUERY PLAN {query}")]
    }

    fn distinct_reads_all(&self) -> bool {
        true
    }

    fn fingerprint_sql(&self, _table: &str, _partition: &[String], _columns: &[Column]) -> Option<String> {
        None
    }
}

//! SQLite: questions to the catalog and to a source.

use super::SqliteDialect;
use crate::engine::{CatalogSql, Column, Spelling};

impl CatalogSql for SqliteDialect {
    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String {
        let [columns, _] = self.shapes_sql(&[(schema, table)]).unwrap_or_default();
        format!("SELECT name, type, generated, nullable FROM ({columns}) s")
    }

    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String {
        let [_, indexes] = self.shapes_sql(&[(schema, table)]).unwrap_or_default();
        format!("SELECT name, is_unique, partial, part FROM ({indexes}) s")
    }

    fn shapes_sql(&self, tables: &[(Option<&str>, &str)]) -> Option<[String; 2]> {
        let each = tables.iter().enumerate();
        let list: Vec<String> = each
            .map(|(at, (_, table))| format!("SELECT {at} AS at, {} AS tbl", self.literal(table)))
            .collect();
        let list = format!("({}) t", list.join(" UNION ALL "));
        // A scratch table must compare keys as the table's own unique index does; only indexes show collations.
        let columns = format!(
            "SELECT t.at AS at, c.name AS name, \
             CASE WHEN c.type = '' THEN 'ANY' ELSE c.type END || COALESCE((SELECT ' COLLATE ' || i.coll \
             FROM pragma_index_list(t.tbl, 'main') l JOIN pragma_index_xinfo(l.name, 'main') i \
             WHERE l.\"unique\" AND i.key AND i.name = c.name AND i.coll <> 'BINARY' LIMIT 1), '') AS type, \
             c.hidden IN (2, 3) AS generated, c.\"notnull\" = 0 AND (c.pk = 0 OR (SELECT p.wr = 0 AND p.strict = 0 \
             FROM pragma_table_list(t.tbl) p WHERE p.schema = 'main')) AS nullable \
             FROM {list} JOIN pragma_table_xinfo(t.tbl, 'main') c WHERE c.hidden <> 1 ORDER BY t.at, c.cid"
        );
        // An INTEGER PRIMARY KEY is the rowid and has no entry in the index list.
        let indexes = format!(
            "SELECT t.at AS at, l.name AS name, l.\"unique\" AS is_unique, l.partial AS partial, i.name AS part, \
             l.seq AS nth, i.seqno AS place \
             FROM {list} JOIN pragma_index_list(t.tbl, 'main') l JOIN pragma_index_info(l.name, 'main') i \
             UNION ALL SELECT t.at, 'rowid', 1, 0, c.name, -1, 0 FROM {list} JOIN pragma_table_info(t.tbl, 'main') c \
             WHERE c.pk = 1 AND upper(c.type) = 'INTEGER' \
             AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.tbl, 'main') l WHERE l.origin = 'pk') \
             ORDER BY 1, 6, 7"
        );
        Some([columns, indexes])
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

    fn equated_sql(&self, table: &str, column: &Column) -> Option<String> {
        // No catalog tells a column's own collation, but it is also that of a SELECT whose first rows would be the column's.
        let name = self.quote(&column.name);
        Some(format!(
            "SELECT CASE WHEN v = 'A' THEN 'NOCASE' WHEN v = 'a ' THEN 'RTRIM' END FROM \
             (SELECT {name} AS v FROM {table} WHERE 0 UNION ALL SELECT 'a')"
        ))
    }

    fn alike_sql(&self, values: &[&str], column: &Column) -> Option<String> {
        let how = self.loose(column)?;
        let list: Vec<String> =
            values.iter().enumerate().map(|(at, value)| format!("({at}, {})", self.literal(value))).collect();
        Some(format!(
            "WITH x(n, v) AS (VALUES {}) SELECT n, MIN(n) OVER (PARTITION BY {}) FROM x",
            list.join(", "),
            self.loosely("v", how)
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

//! What an engine can be asked about tables, indexes, views and queries: its own catalog, and questions to a source as
//! a whole.

use super::{Column, Spelling};

/// Queries about what is there.
pub trait CatalogSql: Spelling {
    /// Rows (name, type with collation, 1 if generated, 1 if it may be NULL) of a table's columns in
    /// order, where need be with what [`Shape::unseen`](super::Shape::unseen) has of it; no row if there is no such table. `schema` `None`: found as an unqualified name would be.
    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String;

    /// Rows (index, 1 if unique, 1 if partial or 2 if broken, column) ordered by index and position.
    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String;

    /// Both for several tables at once, where that is not a matter of sending two queries for each: the rows of columns and
    /// of index parts begin with the table's place in the list.
    fn shapes_sql(&self, tables: &[(Option<&str>, &str)]) -> Option<[String; 2]> {
        let _ = tables;
        None
    }

    /// Query for rows (column, how) of a table, where [`Spelling::loose`] cannot tell from a column alone.
    fn collated_sql(&self, table: &str) -> Option<String> {
        let _ = table;
        None
    }

    /// Query for one value: by what a column of a table, as statements spell it, equates texts that differ, or NULL;
    /// where [`Spelling::loose`] does not know it for certain.
    fn equated_sql(&self, table: &str, column: &Column) -> Option<String> {
        let _ = (table, column);
        None
    }

    /// Query that fails where values of a column cannot be compared at all. It names the type, not the table, whose locks
    /// and foreign parts have nothing to say here.
    fn comparable_sql(&self, column: &Column) -> Option<String> {
        let _ = column;
        None
    }

    /// Query for rows (number of a value, number of the first one that equals it) as a column of that type compares;
    /// `None`: values that differ as text differ.
    fn alike_sql(&self, values: &[&str], column: &Column) -> Option<String> {
        let _ = (values, column);
        None
    }

    /// One value: bytes that table and indexes take on disk.
    fn bytes_sql(&self, schema: &str, table: &str) -> String;

    /// One value: about how many rows a table has, from statistics, in no time; NULL if unknown.
    fn estimated_rows_sql(&self, schema: Option<&str>, table: &str) -> String;

    /// One value: how many tables the current database or schema has.
    fn table_count_sql(&self) -> String;

    /// Rows (name) of the tables whose names start with `prefix`.
    fn tables_like_sql(&self, prefix: &str) -> String;

    /// Query with a row if there is a view of that name whose text speaks of dashagg's own tables.
    fn own_view_sql(&self, schema: &str, view: &str) -> String;

    /// One value: 1 if a materialized view has rows that can be read, 0 if it was never filled.
    fn populated_sql(&self, schema: &str, table: &str) -> String {
        let _ = (schema, table);
        "SELECT 1".to_owned()
    }

    /// Rows (place in the list) of those of the tables that a crash of the server empties, and that have no rows.
    fn emptied_sql(&self, tables: &[(&str, &str)]) -> Option<String> {
        let _ = tables;
        None
    }

    /// Rows (name as statements spell it; `p`: has partitions, `f`: is elsewhere, or another letter; an index that an
    /// interrupted build left behind, as statements spell it and plain) of a table whose index cannot be built online as one,
    /// and of all that it is made of; one row more for each further such index. No rows for other tables.
    fn leaves_sql(&self, schema: Option<&str>, table: &str) -> Option<String> {
        let _ = (schema, table);
        None
    }

    /// Statements of which the last shows the plan of a query, as far as an index can serve it.
    fn explain_sql(&self, query: &str) -> Vec<String> {
        vec![format!("EXPLAIN {query}")]
    }

    /// Whether DISTINCT reads the whole of an index.
    fn distinct_reads_all(&self) -> bool {
        false
    }

    /// Distinct values of expressions over a table. `indexed`: an index leads with the one expression,
    /// so that reading every row can be avoided.
    fn distinct_sql(&self, table: &str, expressions: &[String], indexed: bool) -> String {
        match expressions {
            [expression] if indexed && self.distinct_reads_all() => jump_distinct(table, expression),
            _ => format!("SELECT DISTINCT {} FROM {table}", expressions.join(", ")),
        }
    }

    /// Rows (partition values, then anything that changes when a row of the partition does), over the whole
    /// source. Order of rows must not matter; a change of any column must. `None`: the engine has no hash
    /// function, so the client has to hash the rows.
    fn fingerprint_sql(&self, table: &str, partition: &[String], columns: &[Column]) -> Option<String>;
}

/// Distinct values by jumping from each value to the next along an index, for engines whose DISTINCT reads
/// the whole index. NULL, which no jump reaches, is looked up by itself. Not by MIN: PostgreSQL has none for uuid and
/// boolean.
fn jump_distinct(table: &str, expression: &str) -> String {
    format!(
        "WITH RECURSIVE jump(v) AS (\
         SELECT (SELECT {expression} FROM {table} WHERE {expression} IS NOT NULL ORDER BY 1 LIMIT 1) UNION ALL \
         SELECT (SELECT {expression} FROM {table} WHERE {expression} > jump.v ORDER BY 1 LIMIT 1) \
         FROM jump WHERE jump.v IS NOT NULL) \
         SELECT v FROM jump WHERE v IS NOT NULL \
         UNION ALL SELECT * FROM (SELECT {expression} FROM {table} WHERE {expression} IS NULL LIMIT 1) n"
    )
}

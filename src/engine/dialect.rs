//! What differs between databases as text: pure functions from names and values to SQL, testable
//! without a server.

use super::{Column, Tx};

/// How an engine's SQL is cut into tokens, for splitting scripts and finding the tables a SELECT reads.
#[derive(Debug, Clone, Copy)]
pub struct LexRules {
    /// `'it\'s'` is one string.
    pub backslash_escapes: bool,
    /// `# …` is a comment.
    pub hash_comments: bool,
    /// `$tag$ … $tag$` is a string.
    pub dollar_quotes: bool,
    /// `"…"` is a string, not a name.
    pub double_quoted_strings: bool,
}

/// A scratch table: where rows wait between being computed and being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scratch {
    /// Seen by one connection, gone with it; of moderate size, so it may live in memory.
    Private,
    /// The same, of any size.
    PrivateLarge,
    /// What differs, seen by every connection of the run and read through as a whole.
    Delta,
    /// What differs, where rows are also looked up by key.
    LookedUp,
    /// Computed rows of every connection of every run, where an engine has no private table that would do.
    Stage,
}

/// Rows that one statement takes out of a scratch table: enough to be quick, few enough to stop in between.
pub const SOME: u64 = 20_000;

/// The text side of an engine.
pub trait Dialect: super::track::Tracking + Send + Sync {
    /// Name of the engine's folder under a set: `mysql`, `postgres`, `sqlite`.
    fn name(&self) -> &'static str;

    /// How to read this engine's SQL.
    fn lex_rules(&self) -> LexRules;

    /// Whether a script of DDL is undone as a whole when it fails.
    fn transactional_ddl(&self) -> bool;

    /// Whether a CTE outside also shadows a table inside a file that has a WITH of its own.
    fn nested_with_sees_shadow(&self) -> bool;

    /// Whether a database has schemas inside.
    fn has_schemas(&self) -> bool {
        false
    }

    /// Whether there are materialized views.
    fn has_materialized_views(&self) -> bool {
        false
    }

    /// The SELECT as if the clock stood at `moment` (as [`Dialect::moment_sql`] gave it).
    fn as_of(&self, select: &str, moment: &str) -> String {
        let _ = moment;
        select.to_owned()
    }

    /// Statements of which the last shows the plan of a query, as far as an index can serve it.
    fn explain_sql(&self, query: &str) -> Vec<String> {
        vec![format!("EXPLAIN {query}")]
    }

    /// Whether a tuple of expressions is among the rows of a SELECT that does not depend on them.
    fn among(&self, tuple: &[String], select: &str) -> String {
        match tuple {
            [only] => format!("{only} IN ({select})"),
            _ => format!("({}) IN ({select})", tuple.join(", ")),
        }
    }

    /// Makes a view, or gives it another definition.
    fn replace_view(&self, view: &str, body: &str) -> Vec<String> {
        vec![format!("CREATE OR REPLACE VIEW {view} AS {body}")]
    }

    /// Removes a view, if it is there.
    fn drop_view(&self, view: &str) -> String {
        format!("DROP VIEW IF EXISTS {view}")
    }

    /// A function that lists the partitions which `select` finds, where one makes views cheaper: a planner that sees
    /// through to `select` expects rows where there are none nearly always, and plans (and compiles) for them.
    /// `function` is its full name; whoever may read `view` may call it.
    fn waiting_list(
        &self,
        function: &str,
        view: &str,
        parts: &[&Column],
        select: &str,
    ) -> Option<Vec<String>> {
        let _ = (function, view, parts, select);
        None
    }

    /// Lets a reader of the view call that function.
    fn grant_waiting_list(&self, function: &str, reader: &str) -> Option<String> {
        let _ = (function, reader);
        None
    }

    /// Removes that function, if it is there.
    fn drop_waiting_list(&self, function: &str) -> Option<String> {
        let _ = function;
        None
    }

    /// Lets a user or role read a table, where there are users.
    fn grant_read(&self, schema: &str, table: &str, reader: &str) -> Vec<String> {
        let _ = (schema, table, reader);
        Vec::new()
    }

    /// Wakes those who listen on a channel, where there are channels.
    fn notify_sql(&self, channel: &str, payload: &str) -> Option<String> {
        let _ = (channel, payload);
        None
    }

    /// One value: 1 if a materialized view has rows that can be read, 0 if it was never filled.
    fn populated_sql(&self, schema: &str, table: &str) -> String {
        let _ = (schema, table);
        "SELECT 1".to_owned()
    }

    /// Recomputes a materialized view; `concurrently`: without stopping its readers.
    fn refresh_view_sql(&self, target: &str, concurrently: bool) -> String {
        format!("REFRESH MATERIALIZED VIEW {}{target}", if concurrently { "CONCURRENTLY " } else { "" })
    }

    /// Copies columns of a table into a new private scratch table.
    fn copy_private(&self, scratch: &str, target: &str, columns: &str) -> String {
        format!("CREATE TEMPORARY TABLE {scratch} AS SELECT {columns} FROM {target}")
    }

    /// One value: the moment at which the open transaction's clock functions stand, as text to the last digit.
    fn moment_sql(&self) -> &'static str {
        self.clock_sql()
    }

    /// A name as SQL spells it; any text without a NUL byte is a name.
    fn quote(&self, ident: &str) -> String;

    /// A text literal, safe for any value without a NUL byte.
    fn literal(&self, text: &str) -> String;

    /// A table's full name, which a CTE of the same plain name does not shadow.
    fn qualify(&self, schema: &str, table: &str) -> String {
        format!("{}.{}", self.quote(schema), self.quote(table))
    }

    /// Rows (name, type with collation, 1 if generated, 1 if it may be NULL) of a table's columns in
    /// order; no row if there is no such table. `schema` `None`: found as an unqualified name would be.
    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String;

    /// Rows (index, 1 if unique, 1 if partial or 2 if broken, column) ordered by index and position.
    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String;

    /// One value: bytes that table and indexes take on disk.
    fn bytes_sql(&self, schema: &str, table: &str) -> String;

    /// One value: about how many rows a table has, from statistics, in no time; NULL if unknown.
    fn estimated_rows_sql(&self, schema: Option<&str>, table: &str) -> String;

    /// One value: how many tables the current database or schema has.
    fn table_count_sql(&self) -> String;

    /// Rows (name) of the tables whose names start with `prefix`.
    fn tables_like_sql(&self, prefix: &str) -> String;

    /// Whether a collation may soften comparison of this type.
    fn is_text(&self, sql_type: &str) -> bool;

    /// By what a column equates texts that differ: its collation, or a type of its own. `None`: it compares bytes.
    /// Where that cannot be told, the answer is yes.
    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str>;

    /// Query for rows (column, how) of a table, where [`Dialect::loose`] cannot tell from a column alone.
    fn collated_sql(&self, table: &str) -> Option<String> {
        let _ = table;
        None
    }

    /// An expression that compares as a column does of which [`Dialect::loose`] said `how`.
    fn loosely(&self, expression: &str, how: &str) -> String;

    /// Query with a row if there is a view of that name whose text speaks of dashagg's own tables.
    fn own_view_sql(&self, schema: &str, view: &str) -> String;

    /// Whether a column of this type holds dates (or moments) that compare as such with text like 2026-11-22.
    fn is_date(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        lower.starts_with("date") || lower.starts_with("timestamp")
    }

    /// Whether the type holds whole numbers.
    fn is_integer(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["int", "serial"].iter().any(|word| lower.contains(word))
            && !self.is_text(sql_type)
            && !lower.contains("interval")
            && !lower.contains("point")
    }

    /// An expression equal for two values exactly when they are the same to the byte.
    fn exact(&self, expression: &str, column: &Column) -> String;

    /// NULL-safe equality, to the byte, of two values of that column's type.
    fn same(&self, left: &str, right: &str, column: &Column) -> String;

    /// The expression as a column of that type would store it, where the engine can say so in a SELECT.
    fn cast(&self, expression: &str, column: &Column) -> String;

    /// One value: the server's clock as seconds since 1970 (UTC).
    fn clock_sql(&self) -> &'static str;

    /// The moment at which a row is written, as a column of type timestamp takes it (UTC).
    fn now(&self) -> &'static str;

    /// What follows the closing bracket of CREATE TABLE for dashagg's own tables.
    fn table_suffix(&self) -> &'static str {
        ""
    }

    /// Column definitions of the ledger, in types whose comparison nobody else can define on this engine.
    fn ledger_columns(&self, columns: &str) -> String {
        columns.to_owned()
    }

    /// Brings the columns of a ledger that an older dashagg made to those types.
    fn mend_ledger_sql(&self) -> Option<String> {
        None
    }

    /// The kinds of scratch tables that stay in the database, made once and emptied by each run: tables that come and
    /// go disturb whoever copies the database meanwhile. None where scratch tables belong to a connection.
    fn lasting(&self) -> &'static [Scratch] {
        &[]
    }

    /// A scratch table's name as statements must spell it.
    fn scratch_name(&self, schema: &str, name: &str, scratch: Scratch) -> String;

    /// Makes a scratch table with these column definitions, and with a unique index if the engine had
    /// better build that first. One that lasts may be there already.
    fn create_scratch(
        &self,
        qualified: &str,
        columns: &str,
        unique: Option<&str>,
        scratch: Scratch,
    ) -> String;

    /// Makes the unique index once the table is filled, if the engine had better build it last.
    fn scratch_unique_index(&self, qualified: &str, name: &str, columns: &str) -> Option<String>;

    /// Distinct values of expressions over a table. `indexed`: an index leads with the one expression,
    /// so that reading every row can be avoided.
    fn distinct_sql(&self, table: &str, expressions: &[String], indexed: bool) -> String {
        let _ = indexed;
        format!("SELECT DISTINCT {} FROM {table}", expressions.join(", "))
    }

    /// Drops a scratch table if it is there, without ending a transaction.
    fn drop_scratch(&self, qualified: &str, scratch: Scratch) -> String;

    /// Deletes rows of a scratch table, at most [`SOME`] of them where the engine had better take them in portions.
    fn delete_some(&self, qualified: &str, condition: &str) -> String {
        format!("DELETE FROM {qualified} WHERE {condition}")
    }

    /// Deletes from `target` (alias `t`) the rows that match a row of `delta` (alias `d`).
    fn delete_matching(&self, target: &str, delta: &str, key: &[String], filter: &str) -> String;

    /// Sets columns of `target` (alias `t`) from the matching row of `delta` (alias `d`).
    fn update_matching(
        &self,
        target: &str,
        delta: &str,
        key: &[String],
        assignments: &[(String, String)],
        filter: &str,
    ) -> String;

    /// Builds an index on a live table, whose name comes as statements spell it, without stopping its writers.
    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String;

    /// Rows (name as statements spell it) of the partitions of a table whose index cannot be built online as one.
    fn leaves_sql(&self, schema: Option<&str>, table: &str) -> Option<String> {
        let _ = (schema, table);
        None
    }

    /// Builds an index on each partition without stopping its writers, then the table's out of those.
    fn index_leaves_online(
        &self,
        name: &str,
        table: &str,
        leaves: &[String],
        columns: &[String],
    ) -> Vec<String> {
        let _ = leaves;
        vec![self.create_index_online(name, table, columns)]
    }

    /// Removes an index of that name that an interrupted online build left behind unusable, if the engine
    /// leaves such things.
    fn drop_broken_index(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// A column or expression compared with one value.
    fn is_value(&self, name: &str, value: &str) -> String {
        format!("{name} = {value}")
    }

    /// Statement that gathers statistics on a freshly filled scratch table, where plans depend on it. Rough ones will
    /// do: the run waits for them.
    fn analyze_scratch(&self, qualified: &str) -> Option<String> {
        let _ = qualified;
        None
    }

    /// Statement that gathers statistics (and with them the size) of a table just filled for the first time.
    fn analyze_first(&self, qualified: &str) -> Option<String> {
        let _ = qualified;
        None
    }

    /// A moment (as an expression) some seconds earlier, to compare a column with.
    fn seconds_before(&self, moment: &str, seconds: f64) -> String;

    /// Rows (partition values, then anything that changes when a row of the partition does), over the whole
    /// source. Order of rows must not matter; a change of any column must. `None`: the engine has no hash
    /// function, so the client has to hash the rows.
    fn fingerprint_sql(&self, table: &str, partition: &[String], columns: &[Column]) -> Option<String>;

    /// Statements to open a transaction for the purpose, if the engine opens one at all.
    fn begin_sql(&self, tx: &Tx) -> Option<String>;
}

/// Distinct values by jumping from each value to the next along an index, for engines whose DISTINCT reads
/// the whole index. NULL, which no jump reaches, is looked up by itself. Not by MIN: PostgreSQL has none for uuid and
/// boolean.
pub(crate) fn jump_distinct(table: &str, expression: &str) -> String {
    format!(
        "WITH RECURSIVE jump(v) AS (\
         SELECT (SELECT {expression} FROM {table} WHERE {expression} IS NOT NULL ORDER BY 1 LIMIT 1) UNION ALL \
         SELECT (SELECT {expression} FROM {table} WHERE {expression} > jump.v ORDER BY 1 LIMIT 1) \
         FROM jump WHERE jump.v IS NOT NULL) \
         SELECT v FROM jump WHERE v IS NOT NULL \
         UNION ALL SELECT * FROM (SELECT {expression} FROM {table} WHERE {expression} IS NULL LIMIT 1) n"
    )
}

/// `t.k = d.k AND …` over the key.
pub(crate) fn on_key(dialect: &dyn Dialect, left: &str, right: &str, key: &[String]) -> String {
    key.iter()
        .map(|name| {
            let name = dialect.quote(name);
            format!("{left}.{name} = {right}.{name}")
        })
        .collect::<Vec<_>>()
        .join(" AND ")
}

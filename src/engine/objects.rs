//! What dashagg makes in a database for others to use, and its own ledger: views, rights, indexes, columns.

use super::{Column, Row, Spelling};

/// Statements that make, change and remove objects of the database.
pub trait ObjectSql: Spelling {
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
    fn pending_list(
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
    fn grant_pending_list(&self, function: &str, reader: &str) -> Option<String> {
        let _ = (function, reader);
        None
    }

    /// Removes that function, if it is there.
    fn drop_pending_list(&self, function: &str) -> Option<String> {
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

    /// Recomputes a materialized view; `concurrently`: without stopping its readers.
    fn refresh_view_sql(&self, target: &str, concurrently: bool) -> String {
        format!("REFRESH MATERIALIZED VIEW {}{target}", if concurrently { "CONCURRENTLY " } else { "" })
    }

    /// Removes a materialized view, if it is there.
    fn drop_materialized_view(&self, target: &str) -> String {
        format!("DROP MATERIALIZED VIEW IF EXISTS {target}")
    }

    /// Marks a point of the open transaction, to which [`ObjectSql::back_to`] returns.
    fn savepoint(&self, name: &str) -> String {
        format!("SAVEPOINT {name}")
    }

    /// Undoes what the open transaction has done since that point.
    fn back_to(&self, name: &str) -> String {
        format!("ROLLBACK TO SAVEPOINT {name}")
    }

    /// The rows that only one of two SELECTs yields, as FROM takes them.
    fn differing(&self, left: &str, right: &str) -> String {
        format!("(({left} EXCEPT {right}) UNION ALL ({right} EXCEPT {left}))")
    }

    /// Builds an index on a live table, whose name comes as statements spell it, without stopping its writers.
    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String;

    /// Builds an index on each partition without stopping its writers, then the table's out of those. `tree`: the answer to
    /// [`leaves_sql`](super::CatalogSql::leaves_sql).
    fn index_leaves_online(&self, name: &str, table: &str, tree: &[Row], columns: &[String]) -> Vec<String> {
        let _ = tree;
        vec![self.create_index_online(name, table, columns)]
    }

    /// Removes an index of that name that an interrupted online build left behind unusable, if the engine
    /// leaves such things.
    fn drop_broken_index(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Statement that gathers statistics (and with them the size) of a table just filled for the first time.
    fn analyze_first(&self, qualified: &str) -> Option<String> {
        let _ = qualified;
        None
    }
}

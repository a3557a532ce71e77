//! Tables where rows wait between being computed and being published.

use super::{Dialect, Spelling};

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
    /// Computed rows of every connection of every run that a tier above reads, where an engine has no private table that
    /// one statement may read twice.
    Stage,
}

/// Rows that one statement takes out of a scratch table: enough to be quick, few enough to stop in between.
pub const SOME: u64 = 20_000;

/// Making, filling, using and removing scratch tables.
pub trait ScratchSql: Spelling {
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

    /// Whether a few statements cost less as one, since there are no messages that could hold several.
    fn prefers_one_statement(&self) -> bool {
        false
    }

    /// Makes the unique index once the table is filled, if the engine had better build it last.
    fn scratch_unique_index(&self, qualified: &str, name: &str, columns: &str) -> Option<String>;

    /// Copies columns of a table into a new private scratch table.
    fn copy_private(&self, scratch: &str, target: &str, columns: &str) -> String {
        format!("CREATE TEMPORARY TABLE {scratch} AS SELECT {columns} FROM {target}")
    }

    /// Statement that gathers statistics on a freshly filled scratch table, where plans depend on it. Rough ones will
    /// do: the run waits for them.
    fn analyze_scratch(&self, qualified: &str) -> Option<String> {
        let _ = qualified;
        None
    }

    /// Drops a scratch table if it is there, without ending a transaction.
    fn drop_scratch(&self, qualified: &str, scratch: Scratch) -> String {
        let _ = scratch;
        format!("DROP TABLE IF EXISTS {qualified}")
    }

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

//! Which form the ledger's tables have, and what a database has of them.

use anyhow::Result;

use super::PREFIX;
use super::row::Columns;
use super::set::SETS;
use crate::engine::{Dialect, Engine, Row};
use crate::error::Failure;
use crate::exit_code::ExitCode;

/// The tables.
pub const SQL: &str = include_str!("ledger.sql");

/// The form that these are. Version 1 is that of release 0.1.0, which did not say so.
pub const VERSION: i64 = 2;

/// This program.
pub(super) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What ends a statement of [`SQL`].
const END: &str = ";\n";

pub(super) const VERSIONS: Columns = Columns { table: "dashagg_ledger", names: &["version", "program"] };

/// The tables that an older version had and this one has not: while one is there, somebody's state is in it.
pub(super) const FORMER: [&str; 2] = ["dashagg_state", "dashagg_state_1"];

/// What a database has of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ledger {
    /// `create` has never run.
    Missing,
    /// An older dashagg made it, or an upgrade stopped half-way; `create` goes on from there.
    Older,
    /// This version's.
    Current,
    /// One that this program does not know.
    Newer {
        /// The dashagg that made it.
        program: String,
    },
}

impl Ledger {
    /// Looks at the database.
    ///
    /// # Errors
    /// Whatever the server says; a version that cannot be read.
    pub async fn look(engine: &mut dyn Engine) -> Result<Self> {
        let tables = own_tables(engine).await?;
        let has = |name: &str| tables.iter().any(|table| table == name);
        let version = if has(VERSIONS.table) { read_version(engine).await? } else { None };
        Ok(match version {
            Some(version) if version.is_newer() => Self::Newer { program: version.program },
            // An older dashagg went on after the upgrade.
            Some(version) if version.number == VERSION && !FORMER.iter().any(|name| has(name)) => {
                Self::Current
            }
            Some(_) => Self::Older,
            None if is_there(&tables) => Self::Older,
            None => Self::Missing,
        })
    }
}

/// Whether the tables by these names are a ledger's: others may be called as one of ours.
pub fn is_there(tables: &[String]) -> bool {
    tables.iter().any(|table| table == SETS.table)
}

/// A version that the ledger has been brought to.
pub(super) struct Version {
    pub number: i64,
    program: String,
}

impl Version {
    fn is_newer(&self) -> bool {
        self.number > VERSION
    }
}

/// The version in an answer that has its two columns.
///
/// # Errors
/// It cannot be read.
fn version_in(rows: Vec<Row>) -> Result<Option<Version>> {
    VERSIONS
        .decode_first(rows, |row| Ok(Version { number: row.i64("version")?, program: row.text("program")? }))
}

/// The query for the version in force, and for how many tables of [`FORMER`] are there.
pub(super) fn version_query(d: &dyn Dialect) -> String {
    format!(
        "SELECT version, program, (SELECT COUNT(*) FROM ({}) former) FROM {} ORDER BY version DESC LIMIT 1",
        d.tables_like_sql(FORMER[0]),
        VERSIONS.table
    )
}

/// Refuses a ledger of any other version, by the answer to [`version_query`].
///
/// # Errors
/// It is one; it cannot be read.
pub(super) fn refuse_other(mut rows: Vec<Row>) -> Result<()> {
    // A former table that is there again: an older dashagg went on after the upgrade.
    let former = rows.first_mut().and_then(Vec::pop).flatten().is_none_or(|count| count != "0");
    match version_in(rows)? {
        Some(version) if version.number == VERSION && !former => Ok(()),
        Some(version) if version.is_newer() => Err(newer("the database", &version.program).into()),
        _ => Err(older("the database").into()),
    }
}

pub(super) async fn read_version(engine: &mut dyn Engine) -> Result<Option<Version>> {
    version_in(engine.query(&VERSIONS.select("ORDER BY version DESC LIMIT 1")).await?)
}

/// The statements that make the tables, each with its name.
pub(super) fn tables(d: &dyn Dialect) -> Vec<(&'static str, String)> {
    statements().map(|(name, sql)| (name, format!("{}{}", d.ledger_columns(sql), d.table_suffix()))).collect()
}

fn statements() -> impl Iterator<Item = (&'static str, &'static str)> {
    SQL.split(END).filter_map(|text| {
        let sql = &text[text.find("CREATE TABLE")?..];
        let name = sql.split_whitespace().find(|word| word.starts_with(PREFIX))?;
        Some((name, sql))
    })
}

/// The statements that forget a set. Its own row goes last, so that one which was half forgotten is still found.
pub fn forget_set(d: &dyn Dialect, set: &str) -> Vec<String> {
    let name = d.literal(set);
    let own = |table: &&str| *table != SETS.table && *table != VERSIONS.table;
    let others = statements().map(|(table, _)| table).filter(own);
    others.chain([SETS.table]).map(|table| format!("DELETE FROM {table} WHERE set_name = {name}")).collect()
}

/// Names of the tables in the database that are called as dashagg's own are.
///
/// # Errors
/// Whatever the server says.
pub async fn own_tables(engine: &mut dyn Engine) -> Result<Vec<String>> {
    let sql = own_tables_query(engine.dialect());
    Ok(names_in(engine.query(&sql).await?))
}

/// The query behind [`own_tables`], whose answer [`names_in`] reads.
pub fn own_tables_query(d: &dyn Dialect) -> String {
    d.tables_like_sql(PREFIX)
}

/// The first column of an answer.
pub fn names_in(rows: Vec<Row>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}

/// Whether there is a ledger of this version.
///
/// # Errors
/// Whatever the server says.
pub async fn exists(engine: &mut dyn Engine) -> Result<bool> {
    Ok(Ledger::look(engine).await? == Ledger::Current)
}

/// The same for what can do nothing without.
///
/// # Errors
/// There is no ledger, or one of another version; whatever the server says.
pub async fn require(engine: &mut dyn Engine) -> Result<()> {
    if exists_or_none(engine).await? { Ok(()) } else { Err(missing(engine).into()) }
}

/// Whether `create` has run, for what does without a ledger but must not take one of another version for none.
///
/// # Errors
/// The ledger is of another version; whatever the server says.
pub async fn exists_or_none(engine: &mut dyn Engine) -> Result<bool> {
    match Ledger::look(engine).await? {
        Ledger::Missing => Ok(false),
        Ledger::Current => Ok(true),
        Ledger::Older => Err(older(&engine.server().database).into()),
        Ledger::Newer { program } => Err(newer(&engine.server().database, &program).into()),
    }
}

/// The error for a ledger that is not there.
pub fn missing(engine: &dyn Engine) -> Failure {
    let database = &engine.server().database;
    Failure::new(ExitCode::Failed, format!("dashagg has not been set up in {database}"))
        .hint("run `dashagg create` first")
}

/// The error for a ledger that this version cannot go on with yet.
pub fn older(database: &str) -> Failure {
    Failure::new(ExitCode::Failed, format!("{database} was set up by an older dashagg"))
        .hint("run `dashagg create` first: it takes over what is there")
}

/// The error for a ledger that this version does not know.
pub fn newer(database: &str, program: &str) -> Failure {
    Failure::new(
        ExitCode::Failed,
        format!(
            "{database} was set up by dashagg {program}; this is dashagg {PROGRAM}, which is too old for it"
        ),
    )
    .hint(format!("use dashagg {program} or a later one; nothing was touched"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_found_and_every_column_is_told_of() {
        let all: Vec<_> = statements().collect();
        assert_eq!(all.len(), SQL.matches("CREATE TABLE").count());
        for (name, sql) in all {
            assert!(sql.starts_with(&format!("CREATE TABLE IF NOT EXISTS {name} (\n    -- ")), "{sql}");
            assert!(sql.ends_with("\n)"), "{sql}");
        }
        let comments = SQL.lines().filter(|line| line.trim_start().starts_with("--"));
        for line in comments {
            assert!(!line.contains([';', '\'']), "{line}");
        }
    }

    #[test]
    fn only_this_version_is_gone_on_with() {
        let said = |version: i64, former: &str| {
            let row = vec![Some(version.to_string()), Some("9.9.9".to_owned()), Some(former.to_owned())];
            refuse_other(vec![row]).map_err(|error| Failure::of(&error).1)
        };
        assert_eq!(said(VERSION, "0"), Ok(()));
        assert!(said(VERSION - 1, "0").unwrap_err().contains("older dashagg"));
        assert!(said(VERSION + 1, "0").unwrap_err().contains("by dashagg 9.9.9;"));
        assert!(said(VERSION, "1").unwrap_err().contains("older dashagg"));
        assert!(refuse_other(Vec::new()).is_err());
    }
}

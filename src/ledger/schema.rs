//! The ledger's tables, and what a database has of them.

use anyhow::Result;

use super::PREFIX;
use super::set::SETS;
use crate::engine::{Dialect, Engine};
use crate::error::Failure;
use crate::exit_code::ExitCode;

const TABLES: [(&str, &str); 8] = [
    (
        "dashagg_source",
        "set_name VARCHAR(128) NOT NULL, source VARCHAR(128) NOT NULL, track_id VARCHAR(64) NOT NULL, \
         witness VARCHAR(64), watermark VARCHAR(255), PRIMARY KEY (set_name, source)",
    ),
    (
        "dashagg_print",
        "set_name VARCHAR(128) NOT NULL, source VARCHAR(128) NOT NULL, part VARCHAR(255) NOT NULL, \
         print VARCHAR(255) NOT NULL, PRIMARY KEY (set_name, source, part)",
    ),
    (
        "dashagg_set",
        "set_name VARCHAR(128) NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, \
         checked_at VARCHAR(32), holder_host VARCHAR(255), holder_pid BIGINT, holder_since VARCHAR(32), origin VARCHAR(32)",
    ),
    (
        "dashagg_script",
        "set_name VARCHAR(128) NOT NULL, version BIGINT NOT NULL, file_name VARCHAR(255) NOT NULL, \
         checksum VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, statements_done BIGINT NOT NULL, \
         done_checksum VARCHAR(64) NOT NULL, applied_at VARCHAR(32) NOT NULL, applied_by VARCHAR(255) NOT NULL, \
         seconds DOUBLE PRECISION NOT NULL, PRIMARY KEY (set_name, version)",
    ),
    (
        "dashagg_summary",
        "set_name VARCHAR(128) NOT NULL, summary VARCHAR(128) NOT NULL, table_name VARCHAR(255) NOT NULL, \
         tier BIGINT NOT NULL, select_checksum VARCHAR(64) NOT NULL, row_count BIGINT, bytes BIGINT, \
         published_at VARCHAR(32), run_id VARCHAR(64), mode VARCHAR(16), seconds DOUBLE PRECISION, \
         inserted BIGINT, updated BIGINT, deleted BIGINT, PRIMARY KEY (set_name, summary)",
    ),
    (
        "dashagg_state",
        "set_name VARCHAR(128) NOT NULL, summary VARCHAR(128) NOT NULL, served_at VARCHAR(32), \
         changes BIGINT NOT NULL, changes_done BIGINT NOT NULL, as_of VARCHAR(64), status VARCHAR(16), \
         error VARCHAR(2000), computed_at VARCHAR(32), PRIMARY KEY (set_name, summary)",
    ),
    (
        "dashagg_run",
        "run_id VARCHAR(64) NOT NULL PRIMARY KEY, set_name VARCHAR(128) NOT NULL, mode VARCHAR(16) NOT NULL, \
         status VARCHAR(16) NOT NULL, started_at VARCHAR(32) NOT NULL, finished_at VARCHAR(32) NOT NULL, \
         seconds DOUBLE PRECISION NOT NULL, partitions BIGINT NOT NULL, inserted BIGINT NOT NULL, \
         updated BIGINT NOT NULL, deleted BIGINT NOT NULL, retries BIGINT NOT NULL, error VARCHAR(2000), \
         host VARCHAR(255) NOT NULL, pid BIGINT NOT NULL",
    ),
    (
        "dashagg_holder",
        "set_name VARCHAR(128) NOT NULL PRIMARY KEY, host VARCHAR(255) NOT NULL, pid BIGINT NOT NULL, \
         boot_id VARCHAR(64) NOT NULL, namespaces VARCHAR(128) NOT NULL, process_start VARCHAR(32) NOT NULL, \
         session VARCHAR(128) NOT NULL, since VARCHAR(32) NOT NULL",
    ),
];

/// The statements that forget a set. Its own row goes last, so that one which was half forgotten is still found.
pub fn forget_set(d: &dyn Dialect, set: &str) -> Vec<String> {
    let name = d.literal(set);
    let others = TABLES.iter().map(|(table, _)| *table).filter(|table| *table != SETS.table);
    others.chain([SETS.table]).map(|table| format!("DELETE FROM {table} WHERE set_name = {name}")).collect()
}

/// The DDL of the ledger.
pub fn ddl(dialect: &dyn Dialect) -> Vec<String> {
    ddl_beside(dialect, &[])
}

/// The same without the tables that are there already.
pub fn ddl_beside(dialect: &dyn Dialect, there: &[String]) -> Vec<String> {
    let mut all: Vec<String> = TABLES
        .iter()
        .filter(|(name, _)| !there.iter().any(|table| table == name))
        .map(|(name, columns)| {
            let columns = dialect.ledger_columns(columns);
            format!("CREATE TABLE IF NOT EXISTS {name} ({columns}){}", dialect.table_suffix())
        })
        .collect();
    all.extend(dialect.mend_ledger_sql());
    all
}

/// What a database has of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    /// `create` has never run.
    Missing,
    /// An older dashagg made it: there may be triggers, logs and summaries, and `create` takes them over.
    Older,
    /// This version's.
    Present,
}

impl Ledger {
    /// Judges by the names of the tables.
    pub fn of(tables: &[String]) -> Self {
        let has = |name: &str| tables.iter().any(|table| table == name);
        // The youngest of the tables: a ledger made before it wants `create` again.
        if has("dashagg_holder") {
            Self::Present
        } else if has("dashagg_set") {
            Self::Older
        } else {
            Self::Missing
        }
    }

    /// Looks at the database.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn look(engine: &mut dyn Engine) -> Result<Self> {
        Ok(Self::of(&own_tables(engine).await?))
    }
}

/// Names of the tables in the database that are called as dashagg's own are.
///
/// # Errors
/// Whatever the server says.
pub async fn own_tables(engine: &mut dyn Engine) -> Result<Vec<String>> {
    let rows = engine.query(&engine.dialect().tables_like_sql(PREFIX)).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Whether this version's `create` has run in this database.
///
/// # Errors
/// Whatever the server says.
pub async fn exists(engine: &mut dyn Engine) -> Result<bool> {
    Ok(Ledger::look(engine).await? == Ledger::Present)
}

/// The same for what can do nothing without.
///
/// # Errors
/// There is no ledger, or an older dashagg's; whatever the server says.
pub async fn require(engine: &mut dyn Engine) -> Result<()> {
    if exists_unless_older(engine).await? { Ok(()) } else { Err(missing(engine).into()) }
}

/// Whether `create` has run, for what does without a ledger but must not take an older one for none.
///
/// # Errors
/// The ledger is an older dashagg's; whatever the server says.
pub async fn exists_unless_older(engine: &mut dyn Engine) -> Result<bool> {
    match Ledger::look(engine).await? {
        Ledger::Missing => Ok(false),
        Ledger::Older => Err(older(engine).into()),
        Ledger::Present => Ok(true),
    }
}

/// The error for a ledger that is not there.
pub fn missing(engine: &dyn Engine) -> Failure {
    let database = &engine.server().database;
    Failure::new(ExitCode::Failed, format!("dashagg has not been set up in {database}"))
        .hint("run `dashagg create` first")
}

/// The error for a ledger that this version cannot go on with yet.
pub fn older(engine: &dyn Engine) -> Failure {
    let database = &engine.server().database;
    Failure::new(ExitCode::Failed, format!("{database} was set up by an older dashagg"))
        .hint("run `dashagg create` first: it takes over what is there")
}

//! dashagg's own state in the target database: which scripts were applied, what each summary holds, the
//! runs, and the generation that fences one publish from another.
//!
//! Portable SQL, so that one definition serves every engine. Moments are RFC 3339 text in UTC, taken from
//! the server's clock: readable by a DBA, sortable, and without a time-zone type that engines disagree on.

pub mod holder;
mod state;

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::engine::{DbError, Dialect, Engine, ErrorClass, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;

pub use self::holder::Holder;
pub use self::state::{RunState, SetState, SummaryState};

/// Every table that dashagg makes for itself starts with this.
pub const PREFIX: &str = "dashagg_";

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

/// Names of the ledger's tables.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
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

/// The server's clock.
///
/// # Errors
/// Whatever the server says.
pub async fn clock(engine: &mut dyn Engine) -> Result<SystemTime> {
    // Tests let a day pass in seconds: cfg of fail_point, so that no other build can be told a wrong time.
    fail::fail_point!("clock", |text| {
        let text = text.unwrap_or_default();
        humantime::parse_rfc3339(&text).with_context(|| format!("the clock of a test: {text}"))
    });
    let text = engine.scalar(engine.dialect().clock_sql()).await?.unwrap_or_default();
    let seconds: f64 = text.parse().with_context(|| format!("reading the server's clock: {text}"))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0)))
}

/// A moment as the ledger stores it.
pub fn stamp(moment: SystemTime) -> String {
    humantime::format_rfc3339_millis(moment).to_string()
}

/// Seconds between a stored moment and now, negative for one to come; `None` if there is no such moment.
pub fn age(stamp: Option<&str>, now: SystemTime) -> Option<f64> {
    let then = humantime::parse_rfc3339(stamp?).ok()?;
    Some(
        now.duration_since(then)
            .map_or_else(|ahead| -ahead.duration().as_secs_f64(), |age| age.as_secs_f64()),
    )
}

/// This machine's name, for messages and the ledger.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// One run, as it is recorded at its end.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Identifies the run: moment, process, attempt-free.
    pub run_id: String,
    /// The set.
    pub set: String,
    /// `complete`, `incremental` or `none`.
    pub mode: &'static str,
    /// `ok`, `noop`, `failed` or `interrupted`.
    pub status: &'static str,
    /// Server's clock at its start.
    pub started: SystemTime,
    /// Seconds it took.
    pub seconds: f64,
    /// Partitions recomputed.
    pub partitions: u64,
    /// Rows inserted, updated and deleted over all summaries.
    pub counts: [u64; 3],
    /// Transient errors survived.
    pub retries: u32,
    /// What went wrong, without secrets.
    pub error: Option<String>,
}

impl RunRecord {
    /// The INSERT that records the run.
    pub fn insert(&self, d: &dyn Dialect) -> String {
        let finished = self.started + Duration::from_secs_f64(self.seconds.max(0.0));
        let error = self.error.as_ref().map_or("NULL".to_owned(), |text| short(d, text));
        format!(
            "INSERT INTO dashagg_run (run_id, set_name, mode, status, started_at, finished_at, seconds, partitions, \
             inserted, updated, deleted, retries, error, host, pid) VALUES \
             ({}, {}, '{}', '{}', '{}', '{}', {:.3}, {}, {}, {}, {}, {}, {error}, {}, {})",
            d.literal(&self.run_id),
            d.literal(&self.set),
            self.mode,
            self.status,
            stamp(self.started),
            stamp(finished),
            self.seconds,
            self.partitions,
            self.counts[0],
            self.counts[1],
            self.counts[2],
            self.retries,
            d.literal(&host()),
            std::process::id(),
        )
    }
}

/// How long the ledger keeps a run.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// An id that sorts by the second at which the run began.
pub fn run_id(began: SystemTime) -> String {
    let nanos = began.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    format!("{}-{}-{nanos:09}", second(began), std::process::id())
}

fn second(moment: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// What forgets the runs that began too long before this one.
pub fn forget_old_runs(d: &dyn Dialect, set: &str, began: SystemTime) -> String {
    let first = began.checked_sub(KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
    format!("DELETE FROM dashagg_run WHERE set_name = {} AND run_id < '{}'", d.literal(set), second(first))
}

/// Passes the fence, inside a write transaction: exactly one of the runs that read `generation` does.
///
/// # Errors
/// A transient one when another run has passed it; the caller rolls back and starts again from the beginning.
pub async fn pass_fence(engine: &mut dyn Engine, set: &str, generation: i64) -> Result<()> {
    let sql = format!(
        "UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = {} AND generation = {generation}",
        engine.dialect().literal(set)
    );
    if engine.execute(&sql).await? == 0 {
        return Err(DbError::new(ErrorClass::Transient, "another run published in between").into());
    }
    Ok(())
}

/// The note that a run found nothing to do, which is news for `status`: the summaries are current as of now.
pub fn heartbeat(d: &dyn Dialect, set: &str, now: &str) -> String {
    format!("UPDATE dashagg_set SET checked_at = '{now}' WHERE set_name = {}", d.literal(set))
}

/// The note that these summaries were left current by a run that began at `at`.
pub fn served(d: &dyn Dialect, set: &str, summaries: &[&str], at: &str) -> String {
    format!(
        "UPDATE dashagg_state SET served_at = '{at}', status = 'ok', error = NULL WHERE {}",
        these(d, set, summaries)
    )
}

/// The note that a run failed on these summaries.
pub fn failed(d: &dyn Dialect, set: &str, summaries: &[&str], status: &str, error: &str) -> String {
    format!(
        "UPDATE dashagg_state SET status = '{status}', error = {} WHERE {}",
        short(d, error),
        these(d, set, summaries)
    )
}

/// The condition that finds the rows of some summaries.
pub fn these(d: &dyn Dialect, set: &str, summaries: &[&str]) -> String {
    let names: Vec<String> = summaries.iter().map(|name| d.literal(name)).collect();
    format!("set_name = {} AND summary IN ({})", d.literal(set), names.join(", "))
}

/// Text of any length for a column of 2,000 characters.
fn short(d: &dyn Dialect, text: &str) -> String {
    d.literal(&text.replace('\0', "").chars().take(1_900).collect::<String>())
}

/// Makes sure that every summary has its row of state.
///
/// # Errors
/// Whatever the server says.
pub async fn ensure_states(engine: &mut dyn Engine, set: &str, summaries: &[&str]) -> Result<()> {
    let name = engine.dialect().literal(set);
    let sql = format!("SELECT summary FROM dashagg_state WHERE set_name = {name}");
    let known = engine.query(&sql).await?;
    let statements: Vec<String> = summaries
        .iter()
        .filter(|summary| !known.iter().any(|row| row[0].as_deref() == Some(**summary)))
        .map(|summary| {
            format!(
                "INSERT INTO dashagg_state (set_name, summary, changes, changes_done) VALUES ({name}, {}, 0, 0)",
                engine.dialect().literal(summary)
            )
        })
        .collect();
    if statements.is_empty() { Ok(()) } else { in_write(engine, &statements).await }
}

/// Names of the sets that `create` has registered here.
///
/// # Errors
/// Whatever the server says.
pub async fn registered(engine: &mut dyn Engine) -> Result<Vec<String>> {
    let rows = engine.query("SELECT set_name FROM dashagg_set ORDER BY set_name").await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Runs statements in one write transaction.
///
/// # Errors
/// Whatever the server says; nothing is kept then.
pub async fn in_write(engine: &mut dyn Engine, statements: &[String]) -> Result<()> {
    engine.begin(Tx::Write).await?;
    for sql in statements {
        if let Err(error) = engine.execute(sql).await {
            let _ = engine.rollback().await;
            return Err(error.into());
        }
    }
    engine.commit().await?;
    Ok(())
}

//! What is written when something was published, or found current, or failed: the rows of summaries and runs.
//!
//! Functions return statements where they belong to a transaction that holds more than the ledger.

use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};

use super::row::Columns;
use super::words::{RunEnd, RunMode};
use super::{host, in_write, stamp};
use crate::catalog::Summary;
use crate::engine::{Dialect, Engine};

/// Rows that a publish inserts, updates and deletes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows to insert.
    pub inserted: u64,
    /// Rows to update.
    pub updated: u64,
    /// Rows to delete.
    pub deleted: u64,
}

impl Counts {
    /// Whether anything differs.
    pub fn any(self) -> bool {
        self.inserted + self.updated + self.deleted > 0
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            inserted: sum.inserted + one.inserted,
            updated: sum.updated + one.updated,
            deleted: sum.deleted + one.deleted,
        })
    }
}

/// One run, as it is recorded at its end.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Identifies the run: moment, process, attempt-free.
    pub run_id: String,
    /// The set.
    pub set: String,
    /// How much it recomputed.
    pub mode: RunMode,
    /// How it ended.
    pub status: RunEnd,
    /// Server's clock at its start.
    pub started: SystemTime,
    /// Seconds it took.
    pub seconds: f64,
    /// Partitions recomputed.
    pub partitions: u64,
    /// Rows written over all summaries.
    pub counts: Counts,
    /// Transient errors survived.
    pub retries: u32,
    /// What went wrong, without secrets.
    pub error: Option<String>,
}

/// What a publish did to one summary.
#[derive(Debug, Clone)]
pub struct Published<'a> {
    /// The summary.
    pub summary: &'a Summary,
    /// Rows after it.
    pub rows: u64,
    /// Rows that it wrote.
    pub counts: Counts,
    /// Seconds the run took so far.
    pub seconds: f64,
    /// Others of its partitions were left waiting, so that as a whole it is as old as it was.
    pub partial: bool,
    /// Nothing of it waits: it is current as of the run's start.
    pub current: bool,
    /// It is what its SELECT says as of the run's start; only noted where that depends on the clock.
    pub computed: bool,
    /// The claim of its manifest, if this run has put it to the test.
    pub recompute_checked: Option<String>,
    /// Of a materialized view: more.
    pub view: Option<View>,
}

/// What a publish noted of a materialized view.
#[derive(Debug, Clone)]
pub struct View {
    /// Claims that found changes of its sources, all covered by this publish.
    pub changes: i64,
    /// Where the clock stood, in the server's own words.
    pub as_of: String,
    /// The expression for its size on disk, bytes.
    pub bytes: String,
}

/// The statements that record a publish; all of them in its transaction, after the fence. Every summary has its row
/// ([`ensure`]).
pub fn record(d: &dyn Dialect, run: &RunRecord, published: &[Published<'_>]) -> Vec<String> {
    let rows: Vec<(&str, Vec<Cell>)> =
        published.iter().map(|one| (one.summary.name.as_str(), cells(d, run, one))).collect();
    let mut sql = Vec::new();
    sql.extend(update(d, &run.set, &rows));
    sql.push(run_sql(d, run));
    sql.push(forget_old_runs(d, &run.set, run.started));
    sql
}

/// A column of a summary, and what it becomes.
type Cell = (&'static str, String);

/// The bytes on disk of a table outlive this: what was measured last is kept.
fn cells(d: &dyn Dialect, run: &RunRecord, one: &Published<'_>) -> Vec<Cell> {
    let began = d.literal(&stamp(run.started));
    let mut cells = vec![
        ("table_name", d.literal(&one.summary.table)),
        ("tier", one.summary.tier.to_string()),
        ("select_checksum", d.literal(&one.summary.checksum)),
        ("row_count", one.rows.to_string()),
        ("run_id", d.literal(&run.run_id)),
        ("mode", d.literal(run.mode.as_str())),
        ("seconds", format!("{:.3}", one.seconds)),
        ("inserted", one.counts.inserted.to_string()),
        ("updated", one.counts.updated.to_string()),
        ("deleted", one.counts.deleted.to_string()),
    ];
    if !one.partial {
        let at = stamp(run.started + Duration::from_secs_f64(run.seconds));
        cells.push(("published_at", d.literal(&at)));
    }
    if one.current {
        cells.push(("served_at", began.clone()));
        cells.push(("status", d.literal(RunEnd::Ok.as_str())));
        cells.push(("error", "NULL".to_owned()));
    }
    if one.computed {
        cells.push(("computed_at", began));
    }
    if let Some(claim) = &one.recompute_checked {
        cells.push(("recompute_checked", d.literal(claim)));
    }
    if let Some(view) = &one.view {
        cells.push(("changes_done", view.changes.to_string()));
        cells.push(("as_of", d.literal(&view.as_of)));
        cells.push(("bytes", format!("({})", view.bytes)));
    }
    cells
}

/// One statement for the rows of several summaries; `None`: there are none.
fn update(d: &dyn Dialect, set: &str, rows: &[(&str, Vec<Cell>)]) -> Option<String> {
    let mut columns: Vec<&str> = Vec::new();
    for (column, _) in rows.iter().flat_map(|(_, cells)| cells) {
        if !columns.contains(column) {
            columns.push(column);
        }
    }
    let values = |column: &str| -> Vec<(&str, &str)> {
        let of = |cells: &'_ [Cell]| cells.iter().position(|(name, _)| *name == column);
        rows.iter().filter_map(|(row, cells)| Some((*row, cells[of(cells)?].1.as_str()))).collect()
    };
    let becomes = columns.iter().map(|column| {
        let values = values(column);
        let same = values.len() == rows.len() && values.windows(2).all(|pair| pair[0].1 == pair[1].1);
        match values.first() {
            Some((_, value)) if same => format!("{column} = {value}"),
            _ => {
                let cases = values.iter().map(|(row, value)| format!("WHEN {} THEN {value}", d.literal(row)));
                let cases: Vec<String> = cases.collect();
                format!("{column} = CASE summary {} ELSE {column} END", cases.join(" "))
            }
        }
    });
    let becomes: Vec<String> = becomes.collect();
    let names: Vec<&str> = rows.iter().map(|(row, _)| *row).collect();
    (!rows.is_empty())
        .then(|| format!("UPDATE dashagg_summary SET {} WHERE {}", becomes.join(", "), these(d, set, &names)))
}

/// The statements that record a run which failed on these summaries.
pub fn record_failure(d: &dyn Dialect, run: &RunRecord, summaries: &[&str]) -> Vec<String> {
    let error = run.error.as_ref().map_or("NULL".to_owned(), |text| short(d, text));
    let status = run.status.as_str();
    let these = these(d, &run.set, summaries);
    vec![
        run_sql(d, run),
        format!("UPDATE dashagg_summary SET status = '{status}', error = {error} WHERE {these}"),
    ]
}

/// The note that these summaries were left current by a run that began at `at`.
pub fn served(d: &dyn Dialect, set: &str, summaries: &[&str], at: &str) -> String {
    format!(
        "UPDATE dashagg_summary SET served_at = '{at}', status = '{}', error = NULL WHERE {}",
        RunEnd::Ok.as_str(),
        these(d, set, summaries)
    )
}

/// The note that these summaries are what their SELECTs say as of `at`.
pub fn computed(d: &dyn Dialect, set: &str, summaries: &[&str], at: &str) -> String {
    format!("UPDATE dashagg_summary SET computed_at = '{at}' WHERE {}", these(d, set, summaries))
}

/// The note that a claim found changes of what these materialized views read: each is due until a publish that began
/// after it has covered it.
pub fn due(d: &dyn Dialect, set: &str, views: &[&str]) -> String {
    format!("UPDATE dashagg_summary SET changes = changes + 1 WHERE {}", these(d, set, views))
}

/// Notes how large summaries are on disk (bytes).
///
/// # Errors
/// Whatever the server says.
pub async fn measured(engine: &mut dyn Engine, set: &str, sizes: &[(&str, u64)]) -> Result<()> {
    if sizes.is_empty() {
        return Ok(());
    }
    let d = engine.dialect();
    let names: Vec<&str> = sizes.iter().map(|(name, _)| *name).collect();
    let cases: Vec<String> =
        sizes.iter().map(|(name, bytes)| format!("WHEN {} THEN {bytes}", d.literal(name))).collect();
    let sql = format!(
        "UPDATE dashagg_summary SET bytes = CASE summary {} END WHERE {}",
        cases.join(" "),
        these(d, set, &names)
    );
    Ok(engine.execute(&sql).await.map(drop)?)
}

/// Makes sure that every summary has its row, which all that is recorded of it goes to.
///
/// # Errors
/// Whatever the server says.
pub async fn ensure(engine: &mut dyn Engine, set: &str, summaries: &[Summary]) -> Result<()> {
    let names = Columns { table: "dashagg_summary", names: &["summary"] };
    let sql = names.select(&format!("WHERE set_name = {}", engine.dialect().literal(set)));
    let known = names.decode(engine.query(&sql).await?, |row| row.text("summary"))?;
    let missing: Vec<&Summary> = summaries.iter().filter(|one| !known.contains(&one.name)).collect();
    match rows_sql(engine.dialect(), set, &missing) {
        Some(sql) => in_write(engine, &[sql]).await,
        None => Ok(()),
    }
}

/// The statement that makes the rows of summaries that have none; `None`: there is no such summary.
pub(super) fn rows_sql(d: &dyn Dialect, set: &str, missing: &[&Summary]) -> Option<String> {
    let set = d.literal(set);
    let row = |summary: &&Summary| {
        let (name, table) = (d.literal(&summary.name), d.literal(&summary.table));
        format!("({set}, {name}, {table}, {}, '')", summary.tier)
    };
    let rows: Vec<String> = missing.iter().map(row).collect();
    (!rows.is_empty()).then(|| {
        format!(
            "INSERT INTO dashagg_summary (set_name, summary, table_name, tier, select_checksum) VALUES {}",
            rows.join(", ")
        )
    })
}

/// Whether a run whose COMMIT went unanswered was published after all.
///
/// # Errors
/// Whatever the server says.
pub async fn was_published(engine: &mut dyn Engine, run_id: &str) -> Result<bool> {
    let sql = format!(
        "SELECT COUNT(*) FROM dashagg_run WHERE run_id = {} AND status = '{}'",
        engine.dialect().literal(run_id),
        RunEnd::Ok.as_str()
    );
    let count = engine.scalar(&sql).await?.ok_or_else(|| anyhow!("COUNT returned nothing"))?;
    Ok(count != "0")
}

/// The condition, for a live view, that a summary was never published by this SELECT.
pub fn never_built(d: &dyn Dialect, schema: &str, set: &str, summary: &Summary) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND published_at IS NOT NULL AND select_checksum = '{}')",
        d.qualify(schema, "dashagg_summary"),
        these(d, set, &[&summary.name]),
        summary.checksum
    )
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
fn forget_old_runs(d: &dyn Dialect, set: &str, began: SystemTime) -> String {
    let first = began.checked_sub(KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
    format!("DELETE FROM dashagg_run WHERE set_name = {} AND run_id < '{}'", d.literal(set), second(first))
}

fn run_sql(d: &dyn Dialect, run: &RunRecord) -> String {
    let finished = run.started + Duration::from_secs_f64(run.seconds.max(0.0));
    let error = run.error.as_ref().map_or("NULL".to_owned(), |text| short(d, text));
    format!(
        "INSERT INTO dashagg_run (run_id, set_name, mode, status, started_at, finished_at, seconds, partitions, \
         inserted, updated, deleted, retries, error, host, pid) VALUES \
         ({}, {}, '{}', '{}', '{}', '{}', {:.3}, {}, {}, {}, {}, {}, {error}, {}, {})",
        d.literal(&run.run_id),
        d.literal(&run.set),
        run.mode.as_str(),
        run.status.as_str(),
        stamp(run.started),
        stamp(finished),
        run.seconds,
        run.partitions,
        run.counts.inserted,
        run.counts.updated,
        run.counts.deleted,
        run.retries,
        d.literal(&host()),
        std::process::id(),
    )
}

/// The condition that finds the rows of some summaries.
fn these(d: &dyn Dialect, set: &str, summaries: &[&str]) -> String {
    let names: Vec<String> = summaries.iter().map(|name| d.literal(name)).collect();
    format!("set_name = {} AND summary IN ({})", d.literal(set), names.join(", "))
}

/// Text of any length for a column of 2,000 characters.
fn short(d: &dyn Dialect, text: &str) -> String {
    d.literal(&text.replace('\0', "").chars().take(1_900).collect::<String>())
}

//! What the ledger knows of a set: its summaries and its latest run.

use std::time::SystemTime;

use anyhow::{Context as _, Result};

use super::row::{Columns, Record};
use super::set::{Fence, SETS};
use super::sources::{self, Remembered};
use super::words::{RunEnd, RunMode};
use super::{in_write, publication, schema};
use crate::catalog::Summary;
use crate::engine::{Dialect, Engine, Row};

const SUMMARIES: Columns = Columns {
    table: "dashagg_summary",
    names: &[
        "summary",
        "select_checksum",
        "row_count",
        "bytes",
        "published_at",
        "run_id",
        "mode",
        "seconds",
        "inserted",
        "updated",
        "deleted",
        "served_at",
        "changes",
        "changes_done",
        "as_of",
        "status",
        "error",
        "computed_at",
        "recompute_checked",
    ],
};

const RUNS: Columns =
    Columns { table: "dashagg_run", names: &["run_id", "status", "mode", "finished_at", "seconds", "error"] };

/// What the ledger knows of one summary.
#[derive(Debug, Clone, Default)]
pub struct SummaryState {
    /// Name in the manifest.
    pub summary: String,
    /// Checksum of the SELECT that its rows were computed by.
    pub select_checksum: String,
    /// Rows as of the last publish.
    pub rows: Option<u64>,
    /// Bytes on disk as of the last publish that changed it.
    pub bytes: Option<u64>,
    /// Last publish (RFC 3339).
    pub published_at: Option<String>,
    /// The run that published last.
    pub run_id: Option<String>,
    /// How much that run recomputed.
    pub mode: Option<RunMode>,
    /// Duration of that run, seconds.
    pub seconds: Option<f64>,
    /// Rows inserted by that run.
    pub inserted: Option<u64>,
    /// Rows updated by that run.
    pub updated: Option<u64>,
    /// Rows deleted by that run.
    pub deleted: Option<u64>,
    /// Start of the last run that left it current (RFC 3339); kept where there is a schedule.
    pub served_at: Option<String>,
    /// Claims that found changes of its sources (materialized views only).
    pub changes: i64,
    /// How many of those the last publish covers.
    pub changes_done: i64,
    /// Where the clock stood in that publish, in the server's own words.
    pub as_of: Option<String>,
    /// How its last run ended.
    pub status: Option<RunEnd>,
    /// What went wrong then.
    pub error: Option<String>,
    /// When it was last computed, whether or not anything differed (RFC 3339; materialized views only).
    pub computed_at: Option<String>,
    /// The claim of its manifest that was last put to the test ([`Summary::claim`]).
    pub recompute_checked: Option<String>,
    /// Its table is empty, though rows were published: a crash of the server has taken them
    /// ([`SetState::note_lost`]; no column of the ledger).
    pub lost: bool,
}

impl SummaryState {
    /// Whether it has been published, by this very SELECT.
    pub fn is_built(&self, checksum: &str) -> bool {
        self.published_at.is_some() && self.select_checksum == checksum && !self.lost
    }

    /// Start of the last run that left it current.
    pub fn served(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(self.served_at.as_deref()?).ok()
    }

    /// Whether its last run failed.
    pub fn has_failed(&self) -> bool {
        self.status.is_some_and(RunEnd::has_failed)
    }

    fn of(row: &Record) -> Result<Self> {
        Ok(Self {
            summary: row.text("summary")?,
            select_checksum: row.text("select_checksum")?,
            rows: row.maybe_u64("row_count")?,
            bytes: row.maybe_u64("bytes")?,
            published_at: row.maybe_text("published_at")?,
            run_id: row.maybe_text("run_id")?,
            mode: row.maybe("mode", RunMode::WHAT, RunMode::parse)?,
            seconds: row.maybe_f64("seconds")?,
            inserted: row.maybe_u64("inserted")?,
            updated: row.maybe_u64("updated")?,
            deleted: row.maybe_u64("deleted")?,
            served_at: row.maybe_text("served_at")?,
            changes: row.i64("changes")?,
            changes_done: row.i64("changes_done")?,
            as_of: row.maybe_text("as_of")?,
            status: row.maybe("status", RunEnd::WHAT, RunEnd::parse)?,
            error: row.maybe_text("error")?,
            computed_at: row.maybe_text("computed_at")?,
            recompute_checked: row.maybe_text("recompute_checked")?,
            lost: false,
        })
    }
}

/// What the ledger knows of one set.
#[derive(Debug, Clone)]
pub struct SetState {
    /// What a publish by whoever reads this must pass.
    pub fence: Fence,
    /// When a run last found nothing to do (RFC 3339).
    pub checked_at: Option<String>,
    /// Its summaries, in no order.
    pub summaries: Vec<SummaryState>,
    /// How its sources are tracked, in no order.
    pub sources: Vec<Remembered>,
    /// Status and end of the latest run, and its error.
    pub last_run: Option<RunState>,
}

/// The latest run of a set.
#[derive(Debug, Clone)]
pub struct RunState {
    /// Identifies the run.
    pub run_id: String,
    /// How it ended.
    pub status: RunEnd,
    /// How much it recomputed.
    pub mode: RunMode,
    /// Its end (RFC 3339).
    pub finished_at: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// What went wrong.
    pub error: Option<String>,
}

impl RunState {
    fn of(row: &Record) -> Result<Self> {
        Ok(Self {
            run_id: row.text("run_id")?,
            status: row.value("status", RunEnd::WHAT, RunEnd::parse)?,
            mode: row.value("mode", RunMode::WHAT, RunMode::parse)?,
            finished_at: row.text("finished_at")?,
            seconds: row.f64("seconds")?,
            error: row.maybe_text("error")?,
        })
    }
}

impl SetState {
    /// The state of one summary.
    pub fn summary(&self, name: &str) -> Option<&SummaryState> {
        self.summaries.iter().find(|state| state.summary == name)
    }

    /// How one source is tracked.
    pub fn source(&self, name: &str) -> Option<&Remembered> {
        self.sources.iter().find(|known| known.source == name)
    }

    /// The question, where an engine has such tables, whose answer [`SetState::note_lost`] takes: which of these summaries'
    /// tables may have been emptied by a crash.
    pub fn lost_query(engine: &dyn Engine, summaries: &[Summary]) -> Option<String> {
        let own = &engine.server().schema;
        let tables: Vec<(&str, &str)> =
            summaries.iter().map(|one| (one.schema_in(own), one.table.as_str())).collect();
        engine.dialect().emptied_sql(&tables).filter(|_| !tables.is_empty())
    }

    /// Marks those of them that had rows.
    pub fn note_lost(&mut self, summaries: &[Summary], rows: Vec<Row>) {
        for name in rows.iter().filter_map(|row| {
            let at: usize = row.first()?.as_deref()?.parse().ok()?;
            Some(&summaries.get(at)?.name)
        }) {
            for known in self.summaries.iter_mut().filter(|known| known.summary == *name) {
                known.lost = known.rows.is_some_and(|rows| rows > 0);
            }
        }
    }

    /// Makes sure that each of these summaries has its row, as [`publication::ensure`] does, but asks nothing.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn ensure(&mut self, engine: &mut dyn Engine, set: &str, summaries: &[Summary]) -> Result<()> {
        let missing: Vec<&Summary> =
            summaries.iter().filter(|one| self.summary(&one.name).is_none()).collect();
        let Some(sql) = publication::rows_sql(engine.dialect(), set, &missing) else { return Ok(()) };
        in_write(engine, &[sql]).await?;
        let rows = missing.iter().map(|one| SummaryState { summary: one.name.clone(), ..Default::default() });
        self.summaries.extend(rows);
        Ok(())
    }

    /// The queries whose answers, in their order, [`SetState::of`] takes: to be asked together with others.
    pub fn queries(d: &dyn Dialect, set: &str) -> [String; 5] {
        let [version, own, summaries, sources] = Self::run_queries(d, set);
        let this = format!("WHERE set_name = {}", d.literal(set));
        // By the primary key, which begins with the second of the start: the table grows with every run.
        let latest = format!("(SELECT * FROM dashagg_run {this} ORDER BY run_id DESC LIMIT 50) latest");
        let run = format!(
            "SELECT {} FROM {latest} ORDER BY finished_at DESC, run_id DESC LIMIT 1",
            RUNS.names.join(", ")
        );
        [version, own, summaries, sources, run]
    }

    /// The same without the latest run.
    fn run_queries(d: &dyn Dialect, set: &str) -> [String; 4] {
        let this = format!("WHERE set_name = {}", d.literal(set));
        let own = [SETS.select(&this), SUMMARIES.select(&this), sources::query(d, set)];
        let [set, summaries, sources] = own;
        [schema::version_query(d), set, summaries, sources]
    }

    /// Reads what a run must know, which is all but the latest run; `None` if `create` has not registered the set.
    ///
    /// # Errors
    /// The ledger is of another version; whatever the server says; a row that cannot be read.
    pub async fn read_for_run(engine: &mut dyn Engine, set: &str) -> Result<Option<Self>> {
        Ok(Self::read_with(engine, set, &[]).await?.map(|(state, _)| state))
    }

    /// The same together with the answers to other questions, in one message.
    ///
    /// # Errors
    /// As [`SetState::read_for_run`].
    pub async fn read_with(
        engine: &mut dyn Engine,
        set: &str,
        others: &[String],
    ) -> Result<Option<(Self, Vec<Vec<Row>>)>> {
        let mut queries = Self::run_queries(engine.dialect(), set).to_vec();
        let own = queries.len();
        queries.extend_from_slice(others);
        let mut answers = engine.query_each(&queries).await?;
        let rest = answers.split_off(own.min(answers.len()));
        let state = Self::of(&mut answers.into_iter().chain([Vec::new()]))?;
        Ok(state.map(|state| (state, rest)))
    }

    /// Reads those answers; `None` if `create` has not registered the set.
    ///
    /// # Errors
    /// The ledger is of another version; a row that cannot be read, or an answer too few.
    pub fn of(answers: &mut impl Iterator<Item = Vec<Row>>) -> Result<Option<Self>> {
        let mut next = || answers.next().context("the server left a question about the ledger unanswered");
        schema::refuse_other(next()?)?;
        let (set, summaries, sources, runs) = (next()?, next()?, next()?, next()?);
        let set = SETS.decode_first(set, |row| Ok((Fence::of(row)?, row.maybe_text("checked_at")?)))?;
        let Some((fence, checked_at)) = set else { return Ok(None) };
        Ok(Some(Self {
            fence,
            checked_at,
            summaries: SUMMARIES.decode(summaries, SummaryState::of)?,
            sources: sources::remembered(sources)?,
            last_run: RUNS.decode_first(runs, RunState::of)?,
        }))
    }

    /// Reads the state; `None` if `create` has not registered the set.
    ///
    /// # Errors
    /// The ledger is of another version; whatever the server says; a row that cannot be read.
    pub async fn read(engine: &mut dyn Engine, set: &str) -> Result<Option<Self>> {
        let queries = Self::queries(engine.dialect(), set);
        Self::of(&mut engine.query_each(&queries).await?.into_iter())
    }
}

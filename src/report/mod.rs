//! What a run has to say: data for any [`Write`], as a table or as the JSON of the contract.
//! Reports decide nothing; they print what they are given.

mod json;
mod table;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

pub use self::json::{Key, SCHEMA, write_error};

/// A report that can be printed for people and for programs.
pub trait Report {
    /// Prints for people; colours only if `colour`.
    ///
    /// # Errors
    /// Those of the writer.
    fn table(&self, out: &mut dyn Write, colour: bool) -> io::Result<()>;

    /// Prints one JSON object and a newline.
    ///
    /// # Errors
    /// Those of the writer.
    fn to_json(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Prints the report in the form asked for.
///
/// # Errors
/// Those of the writer, a closed pipe among them.
pub fn render(report: &dyn Report, json: bool, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    if json { report.to_json(out) } else { report.table(out, colour) }
}

/// How a run, a set or a summary ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Published.
    Ok,
    /// Nothing to do: already current.
    Noop,
    /// Some of it failed.
    Partial,
    /// Nothing of it was published.
    Failed,
}

/// How much was recomputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing.
    None,
    /// Some partitions.
    Incremental,
    /// Everything.
    Complete,
}

/// How a summary is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Published, and not older than its `max_age`.
    Fresh,
    /// Older than its `max_age`.
    Stale,
    /// Not yet refreshed.
    Never,
    /// The last run failed; the content before it stands.
    Failed,
    /// A run is at work.
    Running,
    /// Its script or schema differs from what was applied.
    Drifted,
}

/// What `refresh` did.
#[derive(Clone, Debug, Serialize)]
pub struct RefreshReport {
    /// The run, as the ledger records it; `None` if none was recorded.
    pub run_id: Option<String>,
    /// How the run ended as a whole.
    pub status: RunStatus,
    /// Duration of the run.
    pub seconds: f64,
    /// One entry per selected set.
    pub sets: Vec<SetRefresh>,
    /// One entry per hook that ran.
    pub hooks: Vec<HookReport>,
}

/// How a hook ended.
#[derive(Clone, Debug, Serialize)]
pub struct HookReport {
    /// Which one.
    pub hook: String,
    /// How it ended.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<String>,
}

/// What `refresh` did to one set.
#[derive(Clone, Debug, Serialize)]
pub struct SetRefresh {
    /// Name of the set.
    pub set: String,
    /// How much was recomputed.
    pub mode: Mode,
    /// How it ended.
    pub status: RunStatus,
    /// Duration.
    pub seconds: f64,
    /// Number of partitions recomputed.
    pub partitions: u64,
    /// One entry per summary, lower tiers first.
    pub summaries: Vec<SummaryRefresh>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why this mode was chosen, in words ("never built", "--full").
    pub reason: Option<String>,
    /// How often a transient error was retried.
    pub retries: u32,
}

impl SetRefresh {
    /// A set of which nothing was published.
    #[must_use]
    pub fn failed(set: &str, seconds: f64, error: String, retries: u32) -> Self {
        Self {
            set: set.to_owned(),
            mode: Mode::None,
            status: RunStatus::Failed,
            seconds,
            partitions: 0,
            summaries: Vec::new(),
            error: Some(error),
            reason: None,
            retries,
        }
    }

    /// This and what was done to other summaries of the same set.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        use RunStatus::{Failed, Noop, Ok, Partial};
        self.status = match (self.status, other.status) {
            (Failed, Failed) => Failed,
            (Failed | Partial, _) | (_, Failed | Partial) => Partial,
            (Noop, Noop) => Noop,
            _ => Ok,
        };
        if self.mode == Mode::None || other.mode == Mode::Complete {
            self.mode = if other.mode == Mode::None { self.mode } else { other.mode };
        }
        self.seconds += other.seconds;
        self.partitions += other.partitions;
        self.retries += other.retries;
        self.summaries.extend(other.summaries);
        self.error = self.error.or(other.error);
        self.reason = match (self.reason, other.reason) {
            (Some(first), Some(second)) if first != second => Some(format!("{first}; {second}")),
            (first, second) => first.or(second),
        };
        self
    }
}

impl SummaryRefresh {
    /// A summary that was not published.
    #[must_use]
    pub fn failed(name: &str, table: &str, seconds: f64, error: &str) -> Self {
        Self {
            name: name.to_owned(),
            table: table.to_owned(),
            status: RunStatus::Failed,
            rows: None,
            inserted: 0,
            updated: 0,
            deleted: 0,
            seconds,
            error: Some(error.to_owned()),
            changed: Values::new(),
        }
    }
}

/// Values of a column among the rows that changed; `None`: too many to name.
pub type Values = BTreeMap<String, Option<Vec<String>>>;

/// What `refresh` did to one summary.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryRefresh {
    /// Name within its set.
    pub name: String,
    /// Its table.
    pub table: String,
    /// How it ended.
    pub status: RunStatus,
    /// Rows of the whole summary after the run.
    pub rows: Option<u64>,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Duration.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// For hooks: values of the columns that they name, among the rows that changed.
    #[serde(skip)]
    pub changed: Values,
}

/// How the summaries are.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// One entry per selected summary, by set and tier.
    pub summaries: Vec<SummaryStatus>,
    /// What a DBA should mend, one sentence each.
    pub warnings: Vec<String>,
}

/// How one summary is.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryStatus {
    /// Name of its set.
    pub set: String,
    /// Name within the set.
    pub name: String,
    /// Its table.
    pub table: String,
    /// `table`, or another kind that the manifest names.
    pub kind: String,
    /// Distance from the source; 1 reads the source itself.
    pub tier: u32,
    /// Rows at the last refresh, or now with `--exact`.
    pub rows: Option<u64>,
    /// Size on disk with indexes, in bytes.
    pub bytes: Option<u64>,
    /// When it was last published: RFC 3339, UTC.
    pub refreshed_at: Option<String>,
    /// Seconds since then.
    pub age_seconds: Option<u64>,
    /// Changed partitions that are not yet published.
    pub pending_partitions: Option<u64>,
    /// There may be more than that: so many notes wait that `status` did not look at all of them.
    pub pending_at_least: bool,
    /// All of them are pending, or it is not known which: `pending_partitions` is `None` then.
    pub pending_everything: bool,
    /// When its schedule asks for the next refresh: RFC 3339, UTC; `None` without a schedule.
    pub next_due: Option<String>,
    /// Why it is stale or failed, in words.
    pub note: Option<String>,
    /// How it is.
    pub state: State,
    /// How it would be if no run were at work: what `--strict` judges.
    #[serde(skip)]
    pub settled: State,
    /// How changes of its source are noticed, and what that cannot see.
    pub tracking: Option<String>,
    /// The last run that worked on it.
    pub last_run: Option<LastRun>,
}

/// The last run of a summary.
#[derive(Clone, Debug, Serialize)]
pub struct LastRun {
    /// The run, as the ledger records it.
    pub run_id: String,
    /// How much was recomputed.
    pub mode: Mode,
    /// How it ended.
    pub status: RunStatus,
    /// Duration.
    pub seconds: f64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
}

/// What `verify` found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// Whether everything agrees.
    pub status: Verdict,
    /// Totals that disagree; empty if money neither appeared nor vanished.
    pub conservation: Vec<Imbalance>,
    /// How many totals were compared for `conservation`.
    pub totals_checked: u64,
    /// One entry per selected summary; empty with `--totals`.
    pub summaries: Vec<SummaryVerify>,
}

/// Whether summaries agree with their sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything compared is equal.
    Ok,
    /// Something differs.
    Differs,
}

/// One total that disagrees between the source and a tier.
#[derive(Clone, Debug, Serialize)]
pub struct Imbalance {
    /// `set.summary` whose total is wrong.
    pub summary: String,
    /// The partition, as text.
    pub partition: String,
    /// The summed column.
    pub column: String,
    /// Total in the source (or lower tier), exact decimal as text; `None` is NULL.
    pub expected: Option<String>,
    /// Total in this summary.
    pub actual: Option<String>,
}

/// What `verify` found in one summary.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryVerify {
    /// `set.summary`.
    pub name: String,
    /// Its table.
    pub table: String,
    /// Partitions compared.
    pub partitions_checked: u64,
    /// Partitions with unpublished changes, where a difference is no error.
    pub pending: u64,
    /// Rows that should be there and are not.
    pub missing: u64,
    /// Rows that should not be there.
    pub extra: u64,
    /// Rows whose key is right and whose values are not.
    pub different: u64,
    /// The first differences, one entry per column; the table prints those of the first ten rows.
    pub samples: Vec<Sample>,
}

/// One value, or one row, that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// What is wrong with the row.
    pub kind: Difference,
    /// The row's key.
    pub key: Key,
    /// The column that differs; `None` if the whole row is missing or extra.
    pub column: Option<String>,
    /// The recomputed value as text; `None` is NULL, or no row.
    pub expected: Option<String>,
    /// The stored value as text; `None` is NULL, or no row.
    pub actual: Option<String>,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// It should be there and is not.
    Missing,
    /// It should not be there.
    Extra,
    /// A value is wrong.
    Different,
}

impl SummaryVerify {
    /// Whether no row is missing, extra or different.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.different == 0
    }
}

#[cfg(test)]
mod tests;

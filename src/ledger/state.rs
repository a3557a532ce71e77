//! What the ledger knows of a set: its summaries and its latest run.

use std::time::SystemTime;

use anyhow::Result;

use crate::engine::Engine;

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
    /// `complete` or `incremental`.
    pub mode: Option<String>,
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
    /// How its last run ended: `ok`, `failed`, `interrupted`.
    pub status: Option<String>,
    /// What went wrong then.
    pub error: Option<String>,
    /// When it was last computed, whether or not anything differed (RFC 3339; materialized views only).
    pub computed_at: Option<String>,
}

impl SummaryState {
    /// Whether it has been published, by this very SELECT.
    pub fn is_built(&self, checksum: &str) -> bool {
        self.published_at.is_some() && self.select_checksum == checksum
    }

    /// Start of the last run that left it current.
    pub fn served(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(self.served_at.as_deref()?).ok()
    }

    /// Whether its last run failed.
    pub fn has_failed(&self) -> bool {
        matches!(self.status.as_deref(), Some("failed" | "interrupted"))
    }
}

/// What the ledger knows of one set.
#[derive(Debug, Clone, Default)]
pub struct SetState {
    /// The fence: grows by one with every publish.
    pub generation: i64,
    /// When a run last found nothing to do (RFC 3339).
    pub checked_at: Option<String>,
    /// Its summaries, in no order.
    pub summaries: Vec<SummaryState>,
    /// Status and end of the latest run, and its error.
    pub last_run: Option<RunState>,
}

/// The latest run of a set.
#[derive(Debug, Clone, Default)]
pub struct RunState {
    /// Identifies the run.
    pub run_id: String,
    /// `ok`, `noop`, `failed`, `interrupted`.
    pub status: String,
    /// `complete`, `incremental`, `none`.
    pub mode: String,
    /// Its end (RFC 3339).
    pub finished_at: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// What went wrong.
    pub error: Option<String>,
}

impl SetState {
    /// The state of one summary.
    pub fn summary(&self, name: &str) -> Option<&SummaryState> {
        self.summaries.iter().find(|state| state.summary == name)
    }

    /// Reads the state; `None` if `create` has not registered the set.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn read(engine: &mut dyn Engine, set: &str) -> Result<Option<Self>> {
        let name = engine.dialect().literal(set);
        let statements = [
            format!("SELECT generation, checked_at FROM dashagg_set WHERE set_name = {name}"),
            format!(
                "SELECT x.summary, y.select_checksum, y.row_count, y.bytes, y.published_at, y.run_id, y.mode, \
                 y.seconds, y.inserted, y.updated, y.deleted, x.served_at, x.changes, x.changes_done, x.as_of, \
                 x.status, x.error, x.computed_at FROM dashagg_state x LEFT JOIN dashagg_summary y \
                 ON y.set_name = x.set_name AND y.summary = x.summary WHERE x.set_name = {name}"
            ),
            // By the primary key, which begins with the second of the start: the table grows with every run.
            format!(
                "SELECT run_id, status, mode, finished_at, seconds, error FROM \
                 (SELECT * FROM dashagg_run WHERE set_name = {name} ORDER BY run_id DESC LIMIT 50) latest \
                 ORDER BY finished_at DESC, run_id DESC LIMIT 1"
            ),
        ];
        let mut answers = engine.query_each(&statements).await?.into_iter();
        let mut answer = || answers.next().unwrap_or_default();
        let Some(row) = answer().into_iter().next() else {
            return Ok(None);
        };
        let generation = row.first().cloned().flatten().unwrap_or_default();
        let checked_at = row.get(1).cloned().flatten();
        let rows = answer();
        let summaries = rows
            .into_iter()
            .map(|row| {
                let mut cells = row.into_iter();
                let mut next = || cells.next().flatten();
                SummaryState {
                    summary: next().unwrap_or_default(),
                    select_checksum: next().unwrap_or_default(),
                    rows: next().and_then(|text| text.parse().ok()),
                    bytes: next().and_then(|text| text.parse().ok()),
                    published_at: next(),
                    run_id: next(),
                    mode: next(),
                    seconds: next().and_then(|text| text.parse().ok()),
                    inserted: next().and_then(|text| text.parse().ok()),
                    updated: next().and_then(|text| text.parse().ok()),
                    deleted: next().and_then(|text| text.parse().ok()),
                    served_at: next(),
                    changes: next().and_then(|text| text.parse().ok()).unwrap_or(0),
                    changes_done: next().and_then(|text| text.parse().ok()).unwrap_or(0),
                    as_of: next(),
                    status: next(),
                    error: next(),
                    computed_at: next(),
                }
            })
            .collect();
        let last_run = answer().into_iter().next().map(|row| {
            let mut cells = row.into_iter();
            let mut next = || cells.next().flatten();
            RunState {
                run_id: next().unwrap_or_default(),
                status: next().unwrap_or_default(),
                mode: next().unwrap_or_default(),
                finished_at: next().unwrap_or_default(),
                seconds: next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
                error: next(),
            }
        });
        Ok(Some(Self { generation: generation.parse().unwrap_or(0), checked_at, summaries, last_run }))
    }
}

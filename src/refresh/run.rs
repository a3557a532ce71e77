//! One run as a value, and its road: lock → facts → claim → plan → stage → check → publish. Each step takes what the one
//! before it made, so that none can be left out: only what was [`Checked`](super::publish::Checked) can be published, and
//! only past the fence that was read with the facts it was computed from.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::facts::Facts;
use super::planned::Decided;
use super::scratch::OwnRows;
use super::{Request, noop};
use crate::catalog::Set;
use crate::engine::Engine;
use crate::inspect::retention;
use crate::ledger::{self, Counts, RunEnd, RunMode, RunRecord, SetState, publication};
use crate::plan::Ask;
use crate::publish_group::PublishGroup;
use crate::report::{Mode as ReportMode, RunStatus, SetRefresh, SummaryRefresh};
use crate::session::{self, Context, Spare};

/// For recording a run that failed: the server may be what is wrong.
const RECORDING: Duration = Duration::from_secs(5);

/// One attempt at the refresh of what publishes together.
pub(super) struct Run<'a> {
    pub context: &'a Context,
    pub request: &'a Request<'a>,
    pub group: &'a PublishGroup<'a>,
    /// Of all attempts; the ledger's row is called so.
    pub id: &'a str,
    /// When the first attempt began.
    pub began: Instant,
    /// Attempts that a transient error ended.
    pub retries: u32,
    /// An attempt failed because a stage did not fit into memory.
    pub large: bool,
}

impl Run<'_> {
    /// Connects where there is no spare connection, looks whether there is anything to do, and does it under the lock.
    ///
    /// # Errors
    /// Whatever stopped it; nothing was published then.
    pub async fn attempt(&self, spare: &mut Spare) -> Result<SetRefresh> {
        let (set, request) = (self.group.set, self.request);
        let mut boxed = match spare.take() {
            Some(engine) => engine,
            None => self.context.connect_again(request.reconnect).await?,
        };
        let engine = boxed.as_mut();
        let mut known = None;
        if self.retries == 0 && request.ask == Ask::Current {
            known = self.group.is_current(engine).await;
        }
        if known == Some(true) {
            self.group.heartbeat(engine, false).await?;
            *spare = Some(boxed);
            return Ok(noop(set, self.began, "nothing changed"));
        }
        if known.is_none() {
            ledger::require(engine).await?;
        }
        engine.preflight().await?;
        let locked = session::lock(self.context, engine, &set.name, request.wait).await?;
        let nth = if self.large { format!("{}/large", self.retries) } else { self.retries.to_string() };
        let mut own = OwnRows::new(engine.dialect(), &set.name, self.id, &nth, locked.is_some());
        let result = self.under_lock(engine, &mut own, locked).await;
        let _ = engine.rollback().await;
        if self.context.interrupt.raised() {
            // What is left to do is the clean-up, which must not be cancelled.
            self.context.interrupt.acknowledge();
        }
        let reusable = own.clear(engine).await;
        session::unlock(engine, &set.name).await;
        if result.is_ok() && reusable {
            *spare = Some(boxed);
        }
        result
    }

    async fn under_lock(
        &self,
        engine: &mut dyn Engine,
        own: &mut OwnRows,
        locked: Option<SystemTime>,
    ) -> Result<SetRefresh> {
        let now = match locked {
            Some(now) => now,
            None => ledger::clock(engine).await?,
        };
        let set = retention::cut(engine, &self.group.subset, now);
        if self.retries > 0 && publication::was_published(engine, self.id).await? {
            return self.republished(engine, &set).await;
        }
        let facts = Facts::read(engine, self.group, &set, now, self.began).await?;
        let claimed = facts.claim(engine, &own.token).await?;
        let planned = match claimed.plan(engine, self.request).await? {
            Decided::Nothing(idle) => return idle.settle(engine, self).await,
            Decided::Work(planned) => planned,
        };
        let staged = planned.stage(engine, self, own).await?;
        self.context.interrupt.check()?;
        let checked = staged.check(engine, self).await?;
        checked.publish(engine, self).await
    }

    /// The report of a publish whose COMMIT was answered by a broken connection.
    async fn republished(&self, engine: &mut dyn Engine, set: &Set) -> Result<SetRefresh> {
        let state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
        let summaries = set
            .summaries
            .iter()
            .map(|summary| {
                let known = state.summary(&summary.name).cloned().unwrap_or_default();
                SummaryRefresh {
                    name: summary.name.clone(),
                    table: summary.table.clone(),
                    status: RunStatus::Ok,
                    rows: known.rows,
                    inserted: known.inserted.unwrap_or(0),
                    updated: known.updated.unwrap_or(0),
                    deleted: known.deleted.unwrap_or(0),
                    seconds: known.seconds.unwrap_or(0.0),
                    error: None,
                    changed: super::unknown_values(self.context, &set.name, summary),
                }
            })
            .collect();
        Ok(SetRefresh {
            set: set.name.clone(),
            mode: ReportMode::Complete,
            status: RunStatus::Ok,
            seconds: self.began.elapsed().as_secs_f64(),
            partitions: 0,
            summaries,
            error: None,
            reason: Some("published before the connection broke".to_owned()),
            retries: self.retries,
        })
    }

    /// Records a run that published nothing. Best effort, on a fresh connection: the old one may be the problem.
    pub async fn record_failure(&self, status: RunEnd, message: &str) {
        let recording = async {
            // Not through the context: after a signal that makes no connections any more.
            let mut engine = (self.context.driver.connect)(&self.context.config.database).await?;
            let engine = engine.as_mut();
            if !ledger::exists(engine).await? {
                return Ok(());
            }
            let seconds = self.began.elapsed().as_secs_f64();
            let record = RunRecord {
                run_id: self.id.to_owned(),
                set: self.group.set.name.clone(),
                mode: RunMode::None,
                status,
                started: ledger::clock(engine).await? - self.began.elapsed(),
                seconds,
                partitions: 0,
                counts: Counts::default(),
                retries: self.retries,
                error: Some(message.to_owned()),
            };
            let statements = publication::record_failure(engine.dialect(), &record, &self.group.names());
            ledger::in_write(engine, &statements).await
        };
        match tokio::time::timeout(RECORDING, recording).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("recording the failed run: {error:#}"),
            Err(_) => tracing::debug!("recording the failed run: no answer in time"),
        }
    }
}

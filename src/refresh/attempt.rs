//! The road of a run: lock → facts → claim → plan → stage → check → publish. Each step takes what the one
//! before it made, so that none can be left out: only what was [`Checked`](super::checked::Checked) can be published, and
//! only past the fence that was read with the facts it was computed from.

use std::time::SystemTime;

use anyhow::Result;

use super::facts::Facts;
use super::noop;
use super::own_rows::OwnRows;
use super::planned::Decided;
use super::run::Run;
use crate::catalog::Set;
use crate::engine::Engine;
use crate::inspect::retention;
use crate::ledger::{self, SetState, publication};
use crate::plan::Ask;
use crate::report::{Mode as ReportMode, RunStatus, SetRefresh, SummaryRefresh};
use crate::session::{self, Spare};

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
        let mut own = OwnRows::new(&set.name, self.id, &nth, locked.is_some());
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
}

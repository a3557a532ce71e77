//! What publishes together: all summary tables of a set, or materialized views that read each other.

use std::time::SystemTime;

use anyhow::Result;

use crate::catalog::{Kind, Set, Summary};
use crate::engine::Engine;
use crate::inspect;
use crate::ledger::{self, SetState, SummaryState};
use crate::session::{self, Context, Spare};
use crate::tracking;

/// Summaries of one set that are refreshed, checked and published together.
pub(crate) struct PublishGroup<'a> {
    /// The whole set.
    pub set: &'a Set,
    /// The set as if it had only the group's summaries.
    pub subset: Set,
    /// What they are: a group is of one kind.
    pub kind: Kind,
}

impl<'a> PublishGroup<'a> {
    /// The group of these summaries, as [`Set::groups`] lists them.
    pub fn new(set: &'a Set, members: &[usize]) -> Self {
        let subset = set.subset(members);
        let kind = subset.summaries.first().map_or(Kind::Table, |summary| summary.kind);
        Self { set, subset, kind }
    }

    /// Its name in messages: the set's, or the first view's.
    pub fn label(&self) -> String {
        match (self.kind, self.subset.summaries.first()) {
            (Kind::MaterializedView, Some(first)) => format!("{}.{}", self.set.name, first.name),
            _ => self.set.name.clone(),
        }
    }

    /// Names of its summaries.
    pub fn names(&self) -> Vec<&str> {
        self.subset.summaries.iter().map(|summary| summary.name.as_str()).collect()
    }

    /// Whether a few cheap look-ups prove that there is nothing to do. Any doubt is a "no": the whole way then finds out.
    /// `None` where the ledger could not be read: the whole way says what is wrong.
    pub async fn is_current(&self, engine: &mut dyn Engine) -> Option<bool> {
        let (state, quiet) = tracking::state_and_quiet(engine, &self.subset).await.ok().flatten()?;
        Some(quiet && self.is_current_by(engine, &state).await)
    }

    async fn is_current_by(&self, engine: &mut dyn Engine, state: &SetState) -> bool {
        let built = self.subset.summaries.iter().all(|summary| {
            state.summary(&summary.name).is_some_and(|known| {
                known.is_built(&summary.checksum)
                    && !known.has_failed()
                    && known.changes == known.changes_done
            })
        });
        if !built || !self.is_filled(engine).await {
            return false;
        }
        if self
            .subset
            .summaries
            .iter()
            .all(|summary| summary.time_dependent.is_none() && summary.keep.is_none())
        {
            return true;
        }
        let Ok(now) = ledger::clock(engine).await else { return false };
        self.subset.summaries.iter().all(|summary| has_moved(summary, state, now).is_none())
    }

    /// Whether its views can be read: somebody may have emptied one by hand.
    async fn is_filled(&self, engine: &mut dyn Engine) -> bool {
        if self.kind == Kind::Table {
            return true;
        }
        for summary in &self.subset.summaries {
            if !matches!(inspect::is_filled(engine, summary).await, Ok(Some(true))) {
                return false;
            }
        }
        true
    }

    /// Notes that its summaries are current as of now. `held`: by a run that holds the set's lock.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn heartbeat(&self, engine: &mut dyn Engine, held: bool) -> Result<()> {
        // A run at work would find its ledger rows changed, and have to begin again.
        if !held && engine.is_locked(&self.set.name).await? {
            return Ok(());
        }
        let now = ledger::stamp(ledger::clock(engine).await?);
        let d = engine.dialect();
        let mut statements = Vec::new();
        if self.kind == Kind::Table {
            statements.push(ledger::set::heartbeat(d, &self.set.name, &now));
        }
        if held
            || self.kind != Kind::Table
            || self.subset.summaries.iter().any(|summary| summary.schedule.is_some())
        {
            statements.push(ledger::publication::served(d, &self.set.name, &self.names(), &now));
        }
        ledger::in_write(engine, &statements).await
    }
}

/// Whether, and how, the clock has moved a summary's content since its last publish.
pub(crate) fn has_moved(summary: &Summary, state: &SetState, now: SystemTime) -> Option<String> {
    let known = state.summary(&summary.name)?;
    if summary.time_dependent.is_none() && summary.keep.is_none() {
        return None;
    }
    known.published_at.as_ref()?;
    let then = known.computed_at.as_deref().and_then(|text| humantime::parse_rfc3339(text).ok());
    // Not known: no run has computed all of it since it was said to move.
    let then = then.unwrap_or(SystemTime::UNIX_EPOCH);
    let moved = summary.time_dependent.as_ref().is_some_and(|clock| clock.has_moved(then, now));
    let expired = summary.keep.is_some_and(|keep| keep.first(then) != keep.first(now));
    (moved || expired).then(|| format!("the clock moved {} on", summary.name))
}

/// The summaries that their schedule asks for now; a set without schedules is never due.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn due(context: &Context, set: &Set, spare: &mut Spare) -> Result<Vec<usize>> {
    if set.summaries.iter().all(|summary| summary.schedule.is_none()) {
        return Ok(Vec::new());
    }
    let engine = session::connected(context, spare).await?;
    ledger::require(engine).await?;
    let now = ledger::clock(engine).await?;
    let state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    let due = set.summaries.iter().enumerate().filter(|(_, summary)| {
        let served = state.summary(&summary.name).and_then(SummaryState::served);
        summary.schedule.as_ref().is_some_and(|schedule| schedule.is_due(served, now))
    });
    Ok(due.map(|(index, _)| index).collect())
}

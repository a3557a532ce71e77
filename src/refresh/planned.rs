//! From what was claimed to what is to be done, or to the reason why there is nothing to do.

use std::time::SystemTime;

use anyhow::Result;

use super::claimed::Claimed;
use super::facts::Facts;
use super::run::Run;
use super::{Request, affected, noop, views};
use crate::catalog::{Kind, Set, Summary};
use crate::engine::{Engine, Tx};
use crate::inspect::alike::Values;
use crate::inspect::partitions::Partitions;
use crate::inspect::{self, BoundSummary, retention};
use crate::ledger::{self, SetState, publication};
use crate::plan::{Ask, Asked, KEYS_A_CHUNK, Mode, Plan, Scope, project};
use crate::publish_group;
use crate::report::SetRefresh;
use crate::tracking;

/// What is to be done.
pub(super) struct Planned<'f> {
    pub claimed: Claimed<'f>,
    pub partitions: Partitions,
    pub plan: Plan,
    pub mode: Mode,
}

/// There is nothing to do.
pub(super) struct Idle<'f> {
    claimed: Claimed<'f>,
    pub reason: String,
}

/// What planning comes to.
pub(super) enum Decided<'f> {
    Nothing(Idle<'f>),
    Work(Planned<'f>),
}

impl<'f> Claimed<'f> {
    /// Decides what to do. Only reads.
    ///
    /// # Errors
    /// A `--partition` or `--since` value that cannot be one (exit code 2); whatever the server says.
    pub async fn plan(self, engine: &mut dyn Engine, request: &Request<'_>) -> Result<Decided<'f>> {
        let facts = self.facts;
        let (partitions, plan) = match facts.group.kind {
            Kind::Table => self.decide(engine, request).await?,
            Kind::MaterializedView => {
                let reason = views::why(engine, facts, request, &self.state).await?;
                (Partitions::default(), Plan::views(facts.prepared.len(), reason))
            }
        };
        tracing::debug!(
            "{}: {} ({})",
            facts.group.label(),
            plan.mode.map_or("none", Mode::as_str),
            plan.reason
        );
        Ok(match plan.mode {
            None => Decided::Nothing(Idle { claimed: self, reason: plan.reason }),
            Some(mode) => Decided::Work(Planned { claimed: self, partitions, plan, mode }),
        })
    }

    async fn decide(&self, engine: &mut dyn Engine, request: &Request<'_>) -> Result<(Partitions, Plan)> {
        let Facts { set, prepared, tables, now, .. } = self.facts;
        let mut found = inspect::known_partitions(engine, set, prepared, tables).await?;
        let mut asked = affected::affected(engine, set, prepared, &self.changes).await?;
        by_the_clock(engine, prepared, &self.state, *now, &mut asked).await?;
        let columns = inspect::alike::columns(set, prepared, tables);
        found.tell_alike(engine, &columns, values_of(set, &request.ask, &asked)).await?;
        all_spellings(set, &found, &mut asked);
        let plan = Plan::make(set, &self.state, &request.ask, &found.known, &asked)?;
        let whole =
            |at: usize| plan.mode == Some(Mode::Complete) || asked.scopes.get(at).is_some_and(|s| s.all);
        let nameless = found.known.iter().any(|known| known.nameless);
        let hides = |(at, summary)| whole(at) && (nameless || inspect::may_hide_partitions(set, summary));
        if !set.summaries.iter().enumerate().any(hides) {
            return Ok((found, plan));
        }
        found.add_computed(engine, set, prepared).await?;
        found.tell_alike(engine, &columns, values_of(set, &request.ask, &asked)).await?;
        all_spellings(set, &found, &mut asked);
        let plan = Plan::make(set, &self.state, &request.ask, &found.known, &asked)?;
        Ok((found, plan))
    }
}

/// The values by which more is asked for than is known to exist.
fn values_of(set: &Set, ask: &Ask, asked: &Asked) -> Values {
    let mut values = Values::default();
    for (summary, scope) in set.summaries.iter().zip(&asked.scopes) {
        values.add(&summary.partition, scope.partitions.iter());
        // Fewer are in one statement anyway.
        if scope.keys.len() > KEYS_A_CHUNK {
            values.add(&summary.recompute_by, scope.keys.iter());
        }
        if let Ask::Partitions(named) = ask {
            for (column, text) in
                summary.partition.iter().flat_map(|column| named.iter().map(move |text| (column, text)))
            {
                values.add_one(column, text);
                text.split(',').for_each(|part| values.add_one(column, part.trim()));
            }
        }
    }
    values
}

/// Where one spelling of a partition is asked for, its others are: the table may hold it under one of them.
fn all_spellings(set: &Set, found: &Partitions, asked: &mut Asked) {
    for (summary, scope) in set.summaries.iter().zip(&mut asked.scopes) {
        if let Some(known) = found.known.iter().find(|known| known.columns == summary.partition) {
            scope.partitions.extend(known.alike.others(&known.columns, &scope.partitions, &known.tuples));
        }
    }
}

/// Adds what the clock asks for: partitions that have expired, content that has moved.
async fn by_the_clock(
    engine: &mut dyn Engine,
    prepared: &[BoundSummary<'_>],
    state: &SetState,
    now: SystemTime,
    asked: &mut Asked,
) -> Result<()> {
    for (item, scope) in prepared.iter().zip(&mut asked.scopes) {
        scope.partitions.extend(retention::expired(engine, item).await?);
        forget_expired(item.summary, scope);
        if item.summary.time_dependent.is_some() && asked.all.is_none() {
            asked.all = publish_group::has_moved(item.summary, state, now);
        }
    }
    Ok(())
}

/// Keys in partitions that the summary no longer keeps need no recompute: those partitions go as a whole.
pub(super) fn forget_expired(summary: &Summary, scope: &mut Scope) {
    if summary.kept_from.is_some() {
        scope.keys.retain(|key| {
            !project(key, &summary.recompute_by, &summary.partition)
                .is_some_and(|part| summary.has_expired(&part))
        });
    }
}

/// Whether a run leaves a summary that moves with the clock as its SELECT says: one that says so itself only by a complete
/// run, one under retention by every run, which takes expired partitions out.
pub(super) fn is_computed(summary: &Summary, complete: bool) -> bool {
    if summary.time_dependent.is_some() { complete } else { summary.keep.is_some() }
}

impl Idle<'_> {
    /// Notes that everything is current, and is done with notes that have no effect (a product that sold nothing).
    ///
    /// # Errors
    /// A transient one if another run published in between; whatever the server says.
    pub async fn settle(self, engine: &mut dyn Engine, run: &Run<'_>) -> Result<SetRefresh> {
        let Claimed { facts, state, changes } = self.claimed;
        let set = facts.set;
        if facts.group.kind == Kind::Table {
            let mut statements = tracking::consume_sql(engine, set, &changes, None);
            let timed = facts.group.subset.summaries.iter().filter(|one| is_computed(one, false));
            let timed: Vec<&str> = timed.map(|one| one.name.as_str()).collect();
            if !timed.is_empty() {
                let at = ledger::stamp(facts.started);
                statements.push(publication::computed(engine.dialect(), &set.name, &timed, &at));
            }
            engine.begin(Tx::Write).await?;
            ledger::pass_fence(engine, &set.name, state.fence).await?;
            engine.execute_each(&statements).await?;
            engine.commit().await?;
        }
        facts.group.heartbeat(engine, true).await?;
        Ok(noop(facts.group.set, run.began, &self.reason))
    }
}

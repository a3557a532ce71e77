//! Computing what the plan asks for, aside; and judging it as a whole. Summary tables are computed into scratch tables,
//! materialized views by the database itself, in the transaction that will publish them.

use std::sync::Mutex;

use anyhow::Result;

use super::helpers;
use super::planned::{Claimed, Planned, is_computed};
use super::publish::{Checked, Outcome, counts_of_deltas, expired_in_delta};
use super::run::Run;
use super::scratch::{self, OwnRows};
use super::stage::{self, Crew};
use super::staging::Staging;
use super::views::{self, Refreshed};
use super::{changed_values, check};
use crate::catalog::{Kind, Summary};
use crate::claims;
use crate::engine::Engine;
use crate::hooks::Values;
use crate::ledger::Counts;
use crate::plan::{Ask, Mode, Plan, Tuple};
use crate::tracking;

/// The fresh rows are there, for nobody to see.
pub(super) struct Staged<'f> {
    claimed: Claimed<'f>,
    plan: Computed,
    rows: Fresh<'f>,
}

/// What was planned, as far as a publish tells of it.
pub(super) struct Computed {
    pub mode: Mode,
    pub reason: String,
    pub partitions: u64,
    /// The partitions that the caller named, where others are left as they are.
    pub only: Option<(Vec<String>, Vec<Tuple>)>,
}

/// Where the rows are.
pub(super) enum Fresh<'f> {
    /// In deltas, one a summary.
    Tables {
        staging: Staging<'f>,
        /// Summaries whose `recompute_by` this run has put to the test.
        checked: Vec<usize>,
    },
    /// In the views themselves, in a transaction that is open.
    Views {
        /// Where the clock stood, in the server's own words.
        as_of: String,
        done: Vec<Refreshed>,
    },
}

impl<'f> Planned<'f> {
    /// Computes.
    ///
    /// # Errors
    /// A check that fails, in words; whatever the server says.
    pub async fn stage(
        self,
        engine: &mut dyn Engine,
        run: &Run<'_>,
        own: &'f mut OwnRows,
    ) -> Result<Staged<'f>> {
        let Self { mut claimed, partitions, plan, mode } = self;
        let facts = claimed.facts;
        let rows = if facts.group.kind == Kind::MaterializedView {
            views::stage(engine, run, facts).await?
        } else {
            let known: Vec<u64> = facts
                .set
                .summaries
                .iter()
                .map(|summary| claimed.state.summary(&summary.name).and_then(|known| known.rows).unwrap_or(0))
                .collect();
            let mut empty = Vec::new();
            for (item, published) in facts.prepared.iter().zip(&partitions.published) {
                empty.push(match published {
                    Some(published) => !published,
                    None => engine.query(&format!("SELECT 1 FROM {} LIMIT 1", item.target)).await?.is_empty(),
                });
            }
            let checked = unproved(engine, &claimed, &plan).await?;
            let look_up = plan.waves().len() != 1 || plan.follows();
            scratch::ready(engine, facts, look_up, &mut claimed.state, own).await?;
            let mut staging = Staging {
                set: facts.set,
                prepared: &facts.prepared,
                run: own,
                schema: engine.server().schema.clone(),
                dialect: engine.dialect(),
                empty,
                settled: vec![false; facts.prepared.len()],
                large: run.large,
                findings: Mutex::default(),
            };
            let helpers = helpers::open(run, engine, &plan, &known, &partitions.known).await?;
            let progress = &run.context.progress;
            progress.start(&format!("refreshing {}", facts.set.name), plan.steps() as u64);
            let mut crew =
                Crew { context: run.context, lead: engine, helpers, rows: &known, known: &partitions.known };
            let staged = crew.stage(&mut staging, &plan.work).await;
            progress.finish(&format!("staged {}", facts.set.name));
            staged?;
            Fresh::Tables { staging, checked }
        };
        let named = matches!(run.request.ask, Ask::Partitions(_) | Ask::Since(_));
        let only = plan.only.filter(|_| mode == Mode::Incremental && named);
        let plan = Computed { mode, reason: plan.reason, partitions: plan.partitions as u64, only };
        Ok(Staged { claimed, plan, rows })
    }
}

impl<'f> Staged<'f> {
    /// Judges the whole by what would be published.
    ///
    /// # Errors
    /// More rows would vanish than may (exit code 1); whatever the server says.
    pub async fn check(self, engine: &mut dyn Engine, run: &Run<'_>) -> Result<Checked<'f>> {
        let Self { claimed, plan, rows } = self;
        let outcomes = match &rows {
            Fresh::Views { done, .. } => done.iter().map(Refreshed::outcome).collect(),
            Fresh::Tables { staging, .. } => judge(engine, run, &claimed, &plan, staging).await?,
        };
        let only = plan.only.as_ref().map(|(columns, tuples)| (columns.as_slice(), tuples.as_slice()));
        let consume = tracking::consume_sql(engine, claimed.facts.set, &claimed.changes, only);
        let fence = claimed.state.fence;
        Ok(Checked { facts: claimed.facts, state: claimed.state, fence, plan, rows, outcomes, consume })
    }
}

/// Before rows are recomputed by key for the first time with this SELECT and this `recompute_by`, the claim that this
/// makes is put to the test. Returns the summaries for which it was.
///
/// # Errors
/// The claim is false: exit code 2, naming the rows that prove it.
async fn unproved(engine: &mut dyn Engine, claimed: &Claimed<'_>, plan: &Plan) -> Result<Vec<usize>> {
    let facts = claimed.facts;
    if !plan.follows() {
        return Ok(Vec::new());
    }
    let known = |summary: &Summary| {
        claimed.state.summary(&summary.name).and_then(|known| known.recompute_checked.clone())
    };
    let which =
        facts.set.summaries.iter().enumerate().filter(|(_, summary)| summary.claim() != known(summary));
    let which: Vec<usize> = which.map(|(index, _)| index).collect();
    claims::refute(engine, facts.set, &facts.prepared, &which).await
}

/// Counts the deltas and lets the collapse guard judge them.
async fn judge(
    engine: &mut dyn Engine,
    run: &Run<'_>,
    claimed: &Claimed<'_>,
    plan: &Computed,
    staging: &Staging<'_>,
) -> Result<Vec<Outcome>> {
    let complete = plan.mode == Mode::Complete;
    let mut outcomes = Vec::new();
    let all = counts_of_deltas(engine, staging).await?;
    for (index, (item, counts)) in staging.prepared.iter().zip(all).enumerate() {
        let written = counts.inserted + counts.updated + counts.deleted;
        stage::tell_planner(engine, staging.delta(index), written).await?;
        let before = match complete {
            true => staging.published(index)?,
            false => match claimed.state.summary(&item.summary.name).and_then(|known| known.rows) {
                Some(rows) => rows,
                None => views::count(engine, &format!("SELECT COUNT(*) FROM {}", item.target)).await?,
            },
        };
        if !run.request.allow_shrink {
            // Rows that retention takes away were meant to go.
            let expired = expired_in_delta(engine, staging, index).await?;
            check::collapse_guard(
                &staging.set.name,
                item.summary,
                run.context.config.run.max_shrink,
                before.saturating_sub(expired),
                counts.inserted,
                counts.deleted.saturating_sub(expired),
            )?;
        }
        outcomes.push(Outcome {
            index,
            counts,
            rows: (before + counts.inserted).saturating_sub(counts.deleted),
            seconds: run.began.elapsed().as_secs_f64(),
            partial: plan.only.is_some(),
            current: plan.only.is_none(),
            computed: plan.only.is_none() && is_computed(item.summary, complete),
            changed: changed(engine, run, staging, index, counts).await?,
        });
    }
    Ok(outcomes)
}

/// Values that hooks want to know, of the rows that a delta changes.
async fn changed(
    engine: &mut dyn Engine,
    run: &Run<'_>,
    staging: &Staging<'_>,
    index: usize,
    counts: Counts,
) -> Result<Values> {
    if !counts.any() {
        return Ok(Values::new());
    }
    let item = &staging.prepared[index];
    let rows = staging.changed_rows(index, item.columns.iter().map(|column| &column.name));
    changed_values(run.context, engine, &staging.set.name, item, &rows).await
}

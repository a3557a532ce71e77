//! The whole judged by what would be published, and what has passed.

use anyhow::{Context as _, Result};

use super::claimed::Claimed;
use super::facts::Facts;
use super::planned::is_computed;
use super::run::Run;
use super::staged::{Computed, Fresh, Staged};
use super::staging::Staging;
use super::views::Refreshed;
use super::{again, changed_values, check, listed, stage};
use crate::engine::statements::OP;
use crate::engine::{Engine, count_at};
use crate::ledger::{Counts, Fence, SetState};
use crate::plan::Mode;
use crate::report::Values;
use crate::tracking;

/// What has passed every check: nothing else can be published, nor this past another fence than the one that was read
/// before it was computed.
pub(super) struct Checked<'f> {
    pub facts: &'f Facts<'f>,
    pub state: SetState,
    pub fence: Fence,
    pub plan: Computed,
    pub rows: Fresh<'f>,
    pub outcomes: Vec<Outcome>,
    /// Statements that forget the notes which this covers.
    pub consume: Vec<String>,
}

/// What becomes of one summary.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Index into the group's summaries.
    pub index: usize,
    /// Its delta.
    pub counts: Counts,
    /// Rows after the publish.
    pub rows: u64,
    /// Seconds the run took so far.
    pub seconds: f64,
    /// Values that hooks want to know.
    pub changed: Values,
    /// Others of its partitions were left waiting.
    pub partial: bool,
    /// Nothing of it waits.
    pub current: bool,
    /// It moves with the clock, and is as of the run's start now.
    pub computed: bool,
}

impl Refreshed {
    /// The same as the publish wants it.
    fn outcome(&self) -> Outcome {
        Outcome {
            index: self.index,
            counts: self.counts,
            rows: self.rows,
            seconds: self.seconds,
            changed: self.changed.clone(),
            partial: false,
            current: true,
            computed: true,
        }
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

/// Counts the deltas and lets the collapse guard judge them.
async fn judge(
    engine: &mut dyn Engine,
    run: &Run<'_>,
    claimed: &Claimed<'_>,
    plan: &Computed,
    staging: &Staging<'_>,
) -> Result<Vec<Outcome>> {
    listed::none_is_lost(engine, staging).await?;
    let complete = plan.mode == Mode::Complete;
    let mut outcomes = Vec::new();
    let all = counts_of_deltas(engine, staging).await?;
    for (index, (item, counts)) in staging.prepared.iter().zip(all).enumerate() {
        let written = counts.inserted + counts.updated + counts.deleted;
        // What another connection wrote may not be seen by this one: not committed, on another server, or swept away.
        let staged = staging.written(index)?;
        if written != staged {
            return Err(again(&format!(
                "of {staged} rows staged for {} this connection sees {written}; nothing was published",
                item.summary.table
            )));
        }
        stage::tell_planner(engine, staging.delta(index), written).await?;
        let before = match complete {
            true => staging.published(index)?,
            false => match claimed.state.summary(&item.summary.name).and_then(|known| known.rows) {
                Some(rows) => rows,
                None => engine.count(&format!("SELECT COUNT(*) FROM {}", item.target)).await?,
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

/// Counts the deltas of all summaries, in their order.
///
/// # Errors
/// Whatever the server says.
async fn counts_of_deltas(engine: &mut dyn Engine, staging: &Staging<'_>) -> Result<Vec<Counts>> {
    let op = staging.dialect.quote(OP);
    let selects: Vec<String> = (0..staging.prepared.len())
        .map(|index| {
            format!(
                "SELECT {index} AS nr, {op}, COUNT(*) FROM {} d WHERE {} GROUP BY {op}",
                staging.delta(index),
                staging.own()
            )
        })
        .collect();
    let mut all = vec![Counts::default(); selects.len()];
    for row in engine.query(&selects.join(" UNION ALL ")).await? {
        let (index, rows) = (count_at(&row, 0)?, count_at(&row, 2)?);
        let counts = all.get_mut(usize::try_from(index)?).context("counting a delta")?;
        match row[1].as_deref() {
            Some("I") => counts.inserted = rows,
            Some("U") => counts.updated = rows,
            Some("D") => counts.deleted = rows,
            other => anyhow::bail!("a delta has the mark {other:?}"),
        }
    }
    Ok(all)
}

/// How many rows of a delta leave by retention.
///
/// # Errors
/// Whatever the server says.
async fn expired_in_delta(engine: &mut dyn Engine, staging: &Staging<'_>, index: usize) -> Result<u64> {
    let summary = staging.prepared[index].summary;
    let (Some(first), Some(column)) = (&summary.kept_from, summary.partition.first()) else { return Ok(0) };
    let d = staging.dialect;
    let sql = format!(
        "SELECT COUNT(*) FROM {} d WHERE {} AND {} = 'D' AND {} < {}",
        staging.delta(index),
        staging.own(),
        d.quote(OP),
        d.quote(column),
        d.literal(first)
    );
    Ok(engine.count(&sql).await?)
}

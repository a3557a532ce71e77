//! Computing fresh rows aside: chunk by chunk, tier after tier, on one or several connections.
//!
//! A chunk's rows live in a private stage just long enough to be checked, to feed the tiers above, and to
//! be compared with the published rows; only what differs is kept, in a delta that the publish applies.

use std::collections::VecDeque;
use std::sync::Mutex;

use anyhow::Result;

use super::check;
use super::planned::forget_expired;
use super::scratch;
use super::staging::{Staging, TotalsText};
use crate::engine::names;
use crate::engine::statements;
use crate::engine::{Engine, ErrorClass, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect::{BoundSummary, blanks};
use crate::pause;
use crate::plan::{self, Known, Scope, Tuple, Wave, Work};
use crate::session::Context;
use crate::tracking;

/// The connections of a run, and what they go by.
pub(super) struct Crew<'c> {
    /// Signals, and progress.
    pub context: &'c Context,
    /// The run's own connection.
    pub lead: &'c mut dyn Engine,
    /// More of them.
    pub helpers: Vec<Box<dyn Engine>>,
    /// How many rows each summary holds, to choose between keys and partitions.
    pub rows: &'c [u64],
    /// The partitions that exist.
    pub known: &'c [Known],
}

impl Crew<'_> {
    /// Stages everything that the plan asks for.
    ///
    /// # Errors
    /// The first failure of any connection; the deltas are then worthless.
    pub async fn stage(&mut self, staging: &mut Staging<'_>, work: &Work) -> Result<()> {
        match work {
            Work::Waves(waves) => self.waves(staging, waves).await,
            Work::Cascade { first, scopes, .. } => self.cascade(staging, first, scopes).await,
            Work::Views(_) => Ok(()),
        }
    }

    async fn waves(&mut self, staging: &mut Staging<'_>, waves: &[Wave]) -> Result<()> {
        for (at, wave) in waves.iter().enumerate() {
            self.run(staging, wave).await?;
            for index in &wave.members {
                staging.settled[*index] = true;
            }
            if at + 1 < waves.len() {
                for index in &wave.members {
                    index_delta(self.lead, staging, *index).await?;
                }
            }
        }
        Ok(())
    }

    /// Tier by tier: what changed below decides what is recomputed above.
    async fn cascade(&mut self, staging: &mut Staging<'_>, first: &[Wave], asked: &[Scope]) -> Result<()> {
        let mut scopes: Vec<Scope> = vec![Scope::default(); staging.prepared.len()];
        let highest = staging.prepared.iter().map(|item| item.summary.tier).max().unwrap_or(0);
        for tier in 1..=highest {
            let members: Vec<usize> = (0..staging.prepared.len())
                .filter(|index| staging.prepared[*index].summary.tier == tier)
                .collect();
            let mut found = Vec::new();
            for index in &members {
                let summary = staging.prepared[*index].summary;
                let mut scope = asked[*index].clone();
                for lower in &summary.reads_summaries {
                    follow(self.lead, staging, *lower, *index, &scopes[*lower], &mut scope).await?;
                }
                forget_expired(summary, &mut scope);
                scopes[*index] = plan::cheaper(summary, &scope, self.rows[*index], self.known);
                if !summary.reads_summaries.is_empty() {
                    found.extend(plan::scope_waves(*index, summary, &scopes[*index], self.known));
                }
            }
            let mut waves = plan::merged(found.into_iter());
            self.context.progress.more(waves.iter().map(|wave| wave.chunks.len() as u64).sum());
            // What the plan knew beforehand.
            waves.extend(
                first.iter().filter(|wave| wave.members.iter().all(|at| members.contains(at))).cloned(),
            );
            for wave in &waves {
                self.run(staging, wave).await?;
            }
            for index in members {
                staging.settled[index] = true;
                if staging.read_above(index) && !scopes[index].is_empty() {
                    index_delta(self.lead, staging, index).await?;
                }
            }
        }
        Ok(())
    }

    async fn run(&mut self, staging: &Staging<'_>, wave: &Wave) -> Result<()> {
        let queue: Mutex<VecDeque<Option<Vec<Tuple>>>> = Mutex::new(wave.chunks.iter().cloned().collect());
        // Every connection computes from the lead's snapshot where the engine can share one, so that the
        // partitions of a complete refresh all show the same moment.
        self.lead.begin(Tx::Stage(None)).await?;
        let token = if self.helpers.is_empty() { None } else { self.lead.export_snapshot().await? };
        let mut jobs = Vec::new();
        let (shared, context) = (&queue, self.context);
        for (at, helper) in self.helpers.iter_mut().enumerate() {
            let token = token.clone();
            jobs.push(async move {
                helper.begin(Tx::Stage(token)).await?;
                worker(context, helper.as_mut(), staging, wave, at + 1, shared).await?;
                helper.commit().await?;
                if vanishing() {
                    for index in &wave.members {
                        let sql = format!("DELETE FROM {}", staging.delta(*index));
                        helper.execute(&sql).await?;
                    }
                }
                anyhow::Ok(())
            });
        }
        let lead = &mut *self.lead;
        let leading = async {
            worker(context, lead, staging, wave, 0, shared).await?;
            anyhow::Ok(())
        };
        // The lead's transaction stays open until all are done: a snapshot lives as long as its exporter.
        let (led, helped) = futures::join!(leading, futures::future::join_all(jobs));
        led?;
        for result in helped {
            result?;
        }
        self.lead.commit().await?;
        Ok(())
    }
}

/// In a test: what a helper wrote is not there, as if it had written elsewhere.
fn vanishing() -> bool {
    fail::fail_point!("vanishing", |_| true);
    false
}

/// Adds to `scope` (of summary `index`) what the changes of a lower tier reach.
async fn follow(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    lower: usize,
    index: usize,
    below: &Scope,
    scope: &mut Scope,
) -> Result<()> {
    if below.is_empty() {
        return Ok(());
    }
    let (under, item) = (&staging.prepared[lower], &staging.prepared[index]);
    let summary = item.summary;
    if below.all {
        scope.all = true;
        return Ok(());
    }
    for tuple in &below.partitions {
        match plan::project(tuple, &under.summary.partition, &summary.partition) {
            Some(tuple) if !summary.partition.is_empty() => {
                scope.partitions.insert(tuple);
            }
            _ => scope.all = true,
        }
    }
    let present =
        |columns: &[String]| !columns.is_empty() && columns.iter().all(|name| under.column(name).is_some());
    if !below.keys.is_empty() && present(&summary.recompute_by) {
        let keys = changed_values(engine, staging, lower, &summary.recompute_by).await?;
        if keys.len() <= tracking::MOST_KEYS {
            scope.keys.extend(keys);
            return Ok(());
        }
    }
    if !below.keys.is_empty() {
        if present(&summary.partition) {
            scope.partitions.extend(changed_values(engine, staging, lower, &summary.partition).await?);
        } else {
            scope.all = true;
        }
    }
    Ok(())
}

/// Values that some columns of a lower tier have in the rows that its delta changes, before or after.
async fn changed_values(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    lower: usize,
    columns: &[String],
) -> Result<Vec<Tuple>> {
    let names: Vec<String> = columns.iter().map(|name| staging.dialect.quote(name)).collect();
    let sql = format!(
        "SELECT DISTINCT {} FROM {} c LIMIT {}",
        names.join(", "),
        staging.changed_rows(lower, columns.iter()),
        tracking::MOST_KEYS + 1
    );
    Ok(engine.query(&sql).await?)
}

/// A later wave looks rows up by key in this delta.
async fn index_delta(lead: &mut dyn Engine, staging: &Staging<'_>, index: usize) -> Result<()> {
    let delta = staging.delta(index);
    if !staging.dialect.lasting().is_empty() {
        // It has its index. What is known of it is of another run, whose rows it will not find.
        let written = staging.written(index)?;
        return tell(lead, delta, written, FEW).await;
    }
    let name = names::delta_key(&staging.run.token, index);
    let columns = statements::delta_index(staging.dialect, &staging.prepared[index].summary.key);
    if let Some(sql) = staging.dialect.scratch_unique_index(delta, &name, &columns) {
        lead.execute(&sql).await?;
    }
    Ok(())
}

async fn worker(
    context: &Context,
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    wave: &Wave,
    worker: usize,
    queue: &Mutex<VecDeque<Option<Vec<Tuple>>>>,
) -> Result<()> {
    loop {
        context.interrupt.check()?;
        let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
        let Some(chunk) = next else { return Ok(()) };
        pause::at("staging");
        if let Err(error) = stage_chunk(engine, staging, wave, worker, chunk.as_deref()).await {
            // The others need not finish what cannot be published.
            if let Ok(mut queue) = queue.lock() {
                queue.clear();
            }
            return Err(error);
        }
        context.progress.step(1);
    }
}

async fn stage_chunk(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    wave: &Wave,
    worker: usize,
    chunk: Option<&[Tuple]>,
) -> Result<()> {
    let copies = staging.copies(wave, chunk);
    let unique = |index: &usize| {
        let summary_sql = staging.summary_sql(*index, wave, worker);
        (*index, Some(statements::stage_index(staging.dialect, summary_sql.partition, summary_sql.key)))
    };
    let copied = copies.iter().map(|lower| (*lower, None));
    let wanted: Vec<(usize, Option<String>)> = copied.chain(wave.members.iter().map(unique)).collect();
    scratch::open_stages(engine, staging, worker, &wanted).await?;
    for lower in &copies {
        let filled = engine.execute(&staging.fill_copy(worker, *lower, wave, chunk)).await?;
        tell_planner(engine, &staging.stage(worker, *lower), filled).await?;
    }
    let piece = Piece { wave, worker, chunk };
    for index in &wave.members {
        stage_member(engine, staging, &piece, *index).await?;
    }
    let all = wave.members.iter().chain(&copies).copied();
    scratch::close_stages(engine, staging, worker, all).await
}

/// A chunk of a wave, on one connection.
#[derive(Clone, Copy)]
struct Piece<'p> {
    wave: &'p Wave,
    worker: usize,
    chunk: Option<&'p [Tuple]>,
}

/// So few computed rows are compared in one go with what the table holds.
const FEW_TO_COMPARE: u64 = 1_000;

/// Computes one summary's rows, checks them, and keeps what differs.
async fn stage_member(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    piece: &Piece<'_>,
    index: usize,
) -> Result<()> {
    let (d, Piece { wave, worker, chunk }) = (staging.dialect, *piece);
    let item = &staging.prepared[index];
    let summary_sql = staging.summary_sql(index, wave, worker);
    blanks::refuse(item, &wave.columns, chunk.unwrap_or_default())?;
    let slice = staging.slice(index, &wave.columns, chunk);
    let stage = staging.stage(worker, index);
    let shadows = staging.shadows(worker, index, wave, chunk);
    let totals = staging.totals(worker, index, wave, chunk);
    let borrowed = totals.as_ref().map(TotalsText::borrow);
    let mut fill = vec![summary_sql.fill_stage(&stage, &slice, &shadows, borrowed.as_ref())];
    let name = format!("{}_key", staging.stage_name(worker, index));
    let unique = statements::stage_index(d, summary_sql.partition, summary_sql.key);
    fill.extend(d.scratch_unique_index(&stage, &name, &unique));
    let filled = engine.execute_each(&fill).await.map_err(|error| in_words(error, item))?;
    let filled = filled.first().copied().unwrap_or(0);
    blanks::refuse_computed(engine, item, &stage).await?;
    tell_planner(engine, &stage, filled).await?;
    let (computed, published) = check::profile(engine, staging, index, wave, (worker, &slice)).await?;
    check::manifest_checks(engine, staging, index, |lower| staging.fresh_body(worker, lower, wave, chunk))
        .await?;

    let delta = staging.delta(index);
    let within = (!wave.by_key).then_some(&slice);
    let written = if staging.empty[index] {
        engine.execute(&summary_sql.diff_all_new(&stage, delta)).await?
    } else if filled <= FEW_TO_COMPARE && published <= FEW_TO_COMPARE {
        let both = match d.prefers_one_statement() {
            true => vec![summary_sql.diff(&stage, delta, &slice, within)],
            false => vec![
                summary_sql.diff_new(&stage, delta, within),
                summary_sql.diff_gone(&stage, delta, &slice),
            ],
        };
        engine.execute_each(&both).await?.into_iter().sum()
    } else {
        let mut written = engine.execute(&summary_sql.diff_new(&stage, delta, within)).await?;
        // Both sides have unique keys: when every computed row is there, equal, and the counts are too,
        // no row can be left over.
        if written > 0 || computed != published {
            written += engine.execute(&summary_sql.diff_gone(&stage, delta, &slice)).await?;
        }
        written
    };
    staging.note_written(index, written)
}

/// Scratch tables of more rows than this are worth the milliseconds of gathering statistics.
const MANY: u64 = 1_000;

/// The same where each row of a summary may be looked up: thousands of times this many are compared if the table passes
/// for one of a single row.
const FEW: u64 = 20;

/// Says how many rows a scratch table got. PostgreSQL otherwise guesses, and joins two tables that both have tens of
/// thousands of rows as if one had a single row: seconds where there were milliseconds.
///
/// # Errors
/// Whatever the server says.
pub async fn tell_planner(engine: &mut dyn Engine, scratch: &str, rows: u64) -> Result<()> {
    tell(engine, scratch, rows, MANY).await
}

async fn tell(engine: &mut dyn Engine, scratch: &str, rows: u64, most: u64) -> Result<()> {
    match engine.dialect().analyze_scratch(scratch).filter(|_| rows > most) {
        Some(sql) => engine.execute(&sql).await.map(drop).map_err(Into::into),
        None => Ok(()),
    }
}

/// A failed computation, said in terms of the DBA's file.
fn in_words(error: crate::engine::DbError, item: &BoundSummary<'_>) -> anyhow::Error {
    match error.class {
        ErrorClass::Duplicate => Failure::new(
            ExitCode::Failed,
            format!(
                "{}: yields more than one row for the same key ({}): {error}",
                item.summary.select_file,
                item.summary.key.join(", ")
            ),
        )
        .hint(format!(
            "make the GROUP BY match the key, or look for a join that multiplies rows{}; nothing was published",
            blanks::hint(item).map(|blanks| format!(", {blanks}")).unwrap_or_default()
        ))
        .into(),
        ErrorClass::Other | ErrorClass::Missing | ErrorClass::Denied => {
            Failure::new(ExitCode::Failed, format!("{}: {error}", item.summary.select_file)).into()
        }
        // Kept as it is, so that the caller can see whether to try again.
        _ => error.into(),
    }
}

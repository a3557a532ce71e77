//! Computing fresh rows aside: chunk by chunk, tier after tier, on one or several connections.
//!
//! A chunk's rows live in a private stage just long enough to be checked, to feed the tiers above, and to
//! be compared with the published rows; only what differs is kept, in a delta that the publish applies.

use std::collections::VecDeque;
use std::sync::Mutex;

use anyhow::Result;

use super::check;
use super::inspect::Prepared;
use super::scratch;
use super::work::Work;
use crate::engine::names;
use crate::engine::statements::{self, Shapes, SourceTotals};
use crate::engine::{Engine, ErrorClass, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::plan::{self, Known, Plan, Scope, Tuple, Wave};
use crate::session::Context;
use crate::tracking;

/// Stages everything that the plan asks for, on the lead connection and its helpers. `rows`: how many each
/// summary holds, to choose between keys and partitions.
///
/// # Errors
/// The first failure of any connection; the deltas are then worthless.
pub async fn stage(
    context: &Context,
    lead: &mut dyn Engine,
    helpers: &mut [Box<dyn Engine>],
    work: &mut Work<'_>,
    plan: &Plan,
    rows: &[u64],
    known: &[Known],
) -> Result<()> {
    if plan.waves.is_empty() {
        return steps(context, lead, helpers, work, plan, rows, known).await;
    }
    for (at, wave) in plan.waves.iter().enumerate() {
        run_wave(context, lead, helpers, work, wave).await?;
        for index in &wave.members {
            work.settled[*index] = true;
        }
        if at + 1 < plan.waves.len() {
            for index in &wave.members {
                index_delta(lead, work, *index).await?;
            }
        }
    }
    Ok(())
}

/// Tier by tier: what changed below decides what is recomputed above.
async fn steps(
    context: &Context,
    lead: &mut dyn Engine,
    helpers: &mut [Box<dyn Engine>],
    work: &mut Work<'_>,
    plan: &Plan,
    rows: &[u64],
    known: &[Known],
) -> Result<()> {
    let mut scopes: Vec<Scope> = vec![Scope::default(); work.prepared.len()];
    let highest = work.prepared.iter().map(|item| item.summary.tier).max().unwrap_or(0);
    for tier in 1..=highest {
        let mut waves: Vec<Wave> = Vec::new();
        let members: Vec<usize> =
            (0..work.prepared.len()).filter(|index| work.prepared[*index].summary.tier == tier).collect();
        for index in &members {
            let item = &work.prepared[*index];
            let mut scope = plan.scopes[*index].clone();
            for lower in &item.summary.reads_summaries {
                follow(lead, work, *lower, *index, &scopes[*lower], &mut scope).await?;
            }
            super::tables::forget_expired(item.summary, &mut scope);
            scopes[*index] = plan::cheaper(item.summary, &scope, rows[*index], known);
            for wave in plan::scope_waves(*index, item.summary, &scopes[*index], known) {
                // Summaries of one tier that recompute the same chunks share them, and what they read.
                match waves
                    .iter_mut()
                    .find(|other| other.columns == wave.columns && other.chunks == wave.chunks)
                {
                    Some(other) => other.members.extend(wave.members),
                    None => waves.push(wave),
                }
            }
        }
        for wave in &waves {
            run_wave(context, lead, helpers, work, wave).await?;
        }
        for index in members {
            work.settled[index] = true;
            if work.read_above(index) && !scopes[index].is_empty() {
                index_delta(lead, work, index).await?;
            }
        }
    }
    Ok(())
}

/// Adds to `scope` (of summary `index`) what the changes of a lower tier reach.
async fn follow(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    lower: usize,
    index: usize,
    below: &Scope,
    scope: &mut Scope,
) -> Result<()> {
    if below.is_empty() {
        return Ok(());
    }
    let (under, item) = (&work.prepared[lower], &work.prepared[index]);
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
        let keys = changed_values(engine, work, lower, &summary.recompute_by).await?;
        if keys.len() <= tracking::MOST_KEYS {
            scope.keys.extend(keys);
            return Ok(());
        }
    }
    if !below.keys.is_empty() {
        if present(&summary.partition) {
            scope.partitions.extend(changed_values(engine, work, lower, &summary.partition).await?);
        } else {
            scope.all = true;
        }
    }
    Ok(())
}

/// Values that some columns of a lower tier have in the rows that its delta changes, before or after.
async fn changed_values(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    lower: usize,
    columns: &[String],
) -> Result<Vec<Tuple>> {
    let names: Vec<String> = columns.iter().map(|name| work.dialect.quote(name)).collect();
    let sql = format!(
        "SELECT DISTINCT {} FROM {} c LIMIT {}",
        names.join(", "),
        work.changed_rows(lower, columns.iter()),
        tracking::MOST_KEYS + 1
    );
    Ok(engine.query(&sql).await?)
}

/// A later wave looks rows up by key in this delta.
async fn index_delta(lead: &mut dyn Engine, work: &Work<'_>, index: usize) -> Result<()> {
    let delta = work.delta(index);
    if !work.dialect.lasting().is_empty() {
        // It has its index. What is known of it is of another run, whose rows it will not find.
        let written = work.written(index)?;
        return tell(lead, delta, written, FEW).await;
    }
    let name = names::delta_key(&work.run.token, index);
    let columns = statements::delta_index(work.dialect, &work.prepared[index].summary.key);
    if let Some(sql) = work.dialect.scratch_unique_index(delta, &name, &columns) {
        lead.execute(&sql).await?;
    }
    Ok(())
}

async fn run_wave(
    context: &Context,
    lead: &mut dyn Engine,
    helpers: &mut [Box<dyn Engine>],
    work: &Work<'_>,
    wave: &Wave,
) -> Result<()> {
    let queue: Mutex<VecDeque<Option<Vec<Tuple>>>> = Mutex::new(wave.chunks.iter().cloned().collect());
    // Every connection computes from the lead's snapshot where the engine can share one, so that the
    // partitions of a complete refresh all show the same moment.
    lead.begin(Tx::Stage(None)).await?;
    let token = if helpers.is_empty() { None } else { lead.export_snapshot().await? };
    let mut jobs = Vec::new();
    let shared = &queue;
    for (at, helper) in helpers.iter_mut().enumerate() {
        let token = token.clone();
        jobs.push(async move {
            helper.begin(Tx::Stage(token)).await?;
            worker(context, helper.as_mut(), work, wave, at + 1, shared).await?;
            helper.commit().await?;
            anyhow::Ok(())
        });
    }
    let leading = async {
        worker(context, lead, work, wave, 0, shared).await?;
        anyhow::Ok(())
    };
    // The lead's transaction stays open until all are done: a snapshot lives as long as its exporter.
    let (led, helped) = futures::join!(leading, futures::future::join_all(jobs));
    led?;
    for result in helped {
        result?;
    }
    lead.commit().await?;
    Ok(())
}

async fn worker(
    context: &Context,
    engine: &mut dyn Engine,
    work: &Work<'_>,
    wave: &Wave,
    worker: usize,
    queue: &Mutex<VecDeque<Option<Vec<Tuple>>>>,
) -> Result<()> {
    loop {
        context.interrupt.check()?;
        let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
        let Some(chunk) = next else { return Ok(()) };
        fail::fail_point!("staging");
        if let Err(error) = stage_chunk(engine, work, wave, worker, chunk.as_deref()).await {
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
    work: &Work<'_>,
    wave: &Wave,
    worker: usize,
    chunk: Option<&[Tuple]>,
) -> Result<()> {
    let d = work.dialect;
    let copies = work.copies(wave, chunk);
    for lower in &copies {
        let stage = scratch::open_stage(engine, work, worker, *lower, None).await?;
        let filled = engine.execute(&work.fill_copy(worker, *lower, wave, chunk)).await?;
        tell_planner(engine, &stage, filled).await?;
    }
    for index in &wave.members {
        let item = &work.prepared[*index];
        let shapes = if wave.by_key { item.shapes_by_key(d) } else { item.shapes(d) };
        let shapes = Shapes { marks: work.run.marks(worker), ..shapes };
        let slice = work.slice(*index, &wave.columns, chunk);
        let unique = statements::stage_index(d, shapes.partition, shapes.key);
        let stage = scratch::open_stage(engine, work, worker, *index, Some(&unique)).await?;
        let shadows = work.shadows(worker, *index, wave, chunk);
        let totals = work.totals(worker, *index, wave, chunk);
        let borrowed = totals.as_ref().map(|totals| SourceTotals {
            table: totals.table.clone(),
            spelled: totals.spelled.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect(),
            partition: totals.partition.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect(),
            totals: totals.totals.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect(),
        });
        let fill = shapes.fill_stage(&stage, &slice, &shadows, borrowed.as_ref());
        let filled = engine.execute(&fill).await.map_err(|error| in_words(error, item))?;
        let name = format!("{}_key", work.stage_name(worker, *index));
        if let Some(sql) = d.scratch_unique_index(&stage, &name, &unique) {
            engine.execute(&sql).await.map_err(|error| in_words(error, item))?;
        }
        tell_planner(engine, &stage, filled).await?;
        let (computed, published) =
            check::profile(engine, work, *index, wave, &stage, &slice, &shapes).await?;
        check::manifest_checks(engine, work, *index, |lower| work.fresh_body(worker, lower, wave, chunk))
            .await?;

        let delta = work.delta(*index);
        let mut written;
        if work.empty[*index] {
            written = engine.execute(&shapes.diff_all_new(&stage, delta)).await?;
        } else {
            let within = (!wave.by_key).then_some(&slice);
            written = engine.execute(&shapes.diff_new(&stage, delta, within)).await?;
            // Both sides have unique keys: when every computed row is there, equal, and the counts are too,
            // no row can be left over.
            if written > 0 || computed != published {
                written += engine.execute(&shapes.diff_gone(&stage, delta, &slice)).await?;
            }
        }
        work.note_written(*index, written)?;
    }
    for index in wave.members.iter().chain(&copies) {
        scratch::close_stage(engine, work, worker, *index).await?;
    }
    Ok(())
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
fn in_words(error: crate::engine::DbError, item: &Prepared<'_>) -> anyhow::Error {
    match error.class {
        ErrorClass::Duplicate => Failure::new(
            ExitCode::Failed,
            format!(
                "{}: yields more than one row for the same key ({}): {error}",
                item.summary.select_file,
                item.summary.key.join(", ")
            ),
        )
        .hint(
            "make the GROUP BY match the key, or look for a join that multiplies rows; nothing was published",
        )
        .into(),
        ErrorClass::Other | ErrorClass::Missing | ErrorClass::Denied => {
            Failure::new(ExitCode::Failed, format!("{}: {error}", item.summary.select_file)).into()
        }
        // Kept as it is, so that the caller can see whether to try again.
        _ => error.into(),
    }
}

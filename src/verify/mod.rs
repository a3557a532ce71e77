//! `dashagg verify`: every tier recomputed from raw rows and laid beside the published ones, in one
//! read-only snapshot. Needs only SELECT; its memory does not grow with the data.

mod compare;
mod pending;
mod subject;

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::Result;

use crate::catalog::{Catalog, Kind, Selected, Set, Summary};
use crate::checksum;
use crate::cli::VerifyArgs;
use crate::engine::{Engine, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect;
use crate::inspect::alike::{Values, alike};
use crate::inspect::retention;
use crate::ledger;
use crate::ledger::SetState;
use crate::objects::explain;
use crate::plan::{Alike, Ask, Chosen, Known, Tuple};
use crate::publish_group;
use crate::report::{SummaryVerify, Verdict, VerifyReport};
use crate::session::{self, Context};
use subject::{Chunk, Subject};

/// Compares the selected summaries.
///
/// # Errors
/// Only what keeps it from comparing, a database of an older dashagg before `create` too; differences are the report, with exit code 4.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    args: &VerifyArgs,
) -> Result<(VerifyReport, ExitCode)> {
    let (selected, spare) = session::choose(context, catalog, &args.select).await?;
    let mut report = VerifyReport {
        status: Verdict::Ok,
        conservation: Vec::new(),
        totals_checked: 0,
        summaries: Vec::new(),
    };
    let mut engine = match spare {
        Some(engine) => engine,
        None => context.connect().await?,
    };
    for selected in &selected {
        let result = verify_groups(context, engine.as_mut(), selected, args, &mut report).await;
        if let Err(interrupted) = context.interrupt.check() {
            context.interrupt.acknowledge();
            return Err(interrupted.into());
        }
        result?;
    }
    let equal = report.conservation.is_empty() && report.summaries.iter().all(SummaryVerify::is_equal);
    if equal {
        return Ok((report, ExitCode::Ok));
    }
    report.status = Verdict::Differs;
    Ok((report, ExitCode::Differs))
}

/// Each group by itself: tables under retention as of now, views as of the moment of their last refresh.
async fn verify_groups(
    context: &Context,
    engine: &mut dyn Engine,
    selected: &Selected<'_>,
    args: &VerifyArgs,
    report: &mut VerifyReport,
) -> Result<()> {
    let set = selected.set;
    let set_up = ledger::exists_or_none(engine).await?;
    let now = ledger::clock(engine).await?;
    if let Ok(warnings) = explain::warnings(engine, set).await {
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
    for members in set.groups() {
        let chosen: Vec<bool> = members.iter().map(|index| selected.includes(*index)).collect();
        let mut part = retention::cut(engine, &set.subset(&members), now);
        // A group of views has no partitions; the partitions named are somebody else's.
        let of_views = part.summaries.iter().any(|summary| summary.kind == Kind::MaterializedView);
        if !chosen.contains(&true)
            || (of_views && !args.partition.is_empty() && members.len() < set.summaries.len())
        {
            continue;
        }
        // In the snapshot of the comparison: a refresh in between must not make the two disagree.
        engine.begin(Tx::Read).await?;
        let state = if set_up { SetState::read(engine, &set.name).await? } else { None };
        let mut moved = false;
        for summary in &mut part.summaries {
            let known = state.as_ref().and_then(|state| state.summary(&summary.name));
            match known.and_then(|known| known.as_of.as_deref()) {
                Some(as_of) => summary.select = engine.dialect().as_of(&summary.select, as_of),
                None => {
                    moved |= state
                        .as_ref()
                        .is_some_and(|state| publish_group::has_moved(summary, state, now).is_some());
                }
            }
            moved |= known.is_some_and(|known| known.changes > known.changes_done);
            if summary.kind == Kind::MaterializedView {
                refuse_unfilled(engine, summary).await?;
            }
        }
        let group = Group { set: part, chosen, moved };
        verify_group(context, engine, &group, args, report).await?;
    }
    Ok(())
}

async fn refuse_unfilled(engine: &mut dyn Engine, summary: &Summary) -> Result<()> {
    // No answer: no such view, which `inspect` says better.
    match inspect::is_filled(engine, summary).await? {
        Some(false) => Err(Failure::new(
            ExitCode::Failed,
            format!("materialized view {} has never been filled", summary.table),
        )
        .hint("run `dashagg refresh` first")
        .into()),
        Some(true) | None => Ok(()),
    }
}

/// What publishes together, as of the moment at which it is compared.
struct Group {
    /// Its summaries and their sources.
    set: Set,
    /// For each summary, whether it was asked for.
    chosen: Vec<bool>,
    /// It waits for a refresh as a whole, so that a difference would be no error.
    moved: bool,
}

/// Compares one group, in the transaction that is open, and ends that.
async fn verify_group(
    context: &Context,
    engine: &mut dyn Engine,
    group: &Group,
    args: &VerifyArgs,
    report: &mut VerifyReport,
) -> Result<()> {
    let set = &group.set;
    let tables = inspect::tables(engine, set).await?;
    let prepared = inspect::prepare(engine, set, &tables).await?;
    let mut partitions = inspect::known_partitions(engine, set, &prepared, &tables).await?;
    partitions.add_computed(engine, set, &prepared).await?;
    let columns = inspect::alike::columns(set, &prepared, &tables);
    let mut named = Values::default();
    for column in partitions.known.iter().flat_map(|known| &known.columns) {
        args.partition
            .iter()
            .flat_map(|text| text.split(',').chain([text.as_str()]))
            .for_each(|text| named.add_one(column, text.trim()));
    }
    partitions.tell_alike(engine, &columns, named).await?;
    let known = partitions.known;
    let chosen = chosen(set, args, &known)?;
    let set_up = ledger::exists(engine).await?;
    let steps: usize = if args.totals {
        0
    } else {
        prepared.iter().map(|p| chosen.chunks(&p.summary.partition).len()).sum()
    };
    context.progress.start(&format!("verifying {}", set.name), steps as u64);
    for index in (0..prepared.len()).filter(|index| group.chosen[*index]) {
        let subject = Subject { set, prepared: &prepared, index };
        // What waits for the next refresh may differ without being wrong. A ledger that is not there has nothing
        // waiting.
        let waiting = match set_up {
            _ if group.moved => None,
            true => pending::of_summary(engine, set, &prepared, index).await?,
            false => Some(BTreeSet::new()),
        };
        let parts = &prepared[index].summary.partition;
        let kept = subject.kept(&chosen);
        let alike = match &waiting {
            Some(tuples) if !tuples.is_empty() => {
                let mut values = Values::default();
                values.add(parts, tuples.iter().chain(kept.iter().flatten().flatten()));
                alike(engine, &columns, &values).await?
            }
            _ => Alike::default(),
        };
        let class = |tuple: &Tuple| alike.class(parts, tuple);
        let (chunks, pending) = settled(kept, waiting.as_ref(), &class);
        if chunks.is_empty() && pending > 0 {
            tracing::warn!(
                "{}: nothing of it was compared, since all that was chosen waits for a refresh",
                subject.name()
            );
        }
        subject.sum_up(engine, &chunks, report).await?;
        if !args.totals {
            report.summaries.push(subject.compare(context, engine, &chunks, pending).await?);
        }
    }
    engine.commit().await?;
    context.progress.finish(&format!("verified {}", set.name));
    Ok(())
}

/// The partitions that are compared: those asked for, and of these a sample if one was asked for.
fn chosen<'k>(set: &Set, args: &VerifyArgs, known: &'k [Known]) -> Result<Chosen<'k>> {
    let ask = if args.partition.is_empty() { Ask::Full } else { Ask::Partitions(args.partition.clone()) };
    let mut chosen = Chosen::new(&set.name, &ask, known)?;
    if let Some(count) = args.sample {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        chosen.sample(count as usize, |tuple| checksum::number(&format!("{seed} {tuple:?}")).unsigned_abs());
    }
    Ok(chosen)
}

/// The chunks without the partitions that wait for a refresh, and how many those are.
fn settled(
    chunks: Vec<Chunk>,
    waiting: Option<&BTreeSet<Tuple>>,
    class: &dyn Fn(&Tuple) -> Tuple,
) -> (Vec<Chunk>, u64) {
    let count = |chunk: &Chunk| chunk.as_ref().map_or(1, Vec::len) as u64;
    let Some(waiting) = waiting else {
        return (Vec::new(), chunks.iter().map(count).sum());
    };
    let mut pending = 0;
    let mut kept = Vec::new();
    let classes: BTreeSet<Tuple> = waiting.iter().map(class).collect();
    for chunk in chunks {
        match chunk {
            Some(tuples) => {
                let before = tuples.len();
                let rest: Vec<Tuple> =
                    tuples.into_iter().filter(|tuple| !classes.contains(&class(tuple))).collect();
                pending += (before - rest.len()) as u64;
                if !rest.is_empty() {
                    kept.push(Some(rest));
                }
            }
            None if waiting.is_empty() => kept.push(None),
            None => pending += 1,
        }
    }
    (kept, pending)
}

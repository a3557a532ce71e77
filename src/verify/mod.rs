//! `dashagg verify`: every tier recomputed from raw rows and laid beside the published ones, in one
//! read-only snapshot. Needs only SELECT; its memory does not grow with the data.

mod compare;
mod waiting;

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::Result;

use crate::catalog::{Catalog, Kind, Selected, Set, Summary};
use crate::checksum;
use crate::cli::VerifyArgs;
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{Engine, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect::retention;
use crate::inspect::{self, BoundSummary};
use crate::ledger;
use crate::ledger::SetState;
use crate::objects::explain;
use crate::plan::{Ask, Chosen, Tuple};
use crate::publish_group;
use crate::reconcile::imbalances;
use crate::report::{SummaryVerify, Verdict, VerifyReport};
use crate::session::{self, Context};
use compare::Comparison;

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
        verify_set(context, engine, &part, &chosen, moved, args, report).await?;
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

/// Compares one group. `moved`: it waits for a refresh as a whole, so that a difference would be no error.
async fn verify_set(
    context: &Context,
    engine: &mut dyn Engine,
    set: &Set,
    includes: &[bool],
    moved: bool,
    args: &VerifyArgs,
    report: &mut VerifyReport,
) -> Result<()> {
    let tables = inspect::tables(engine, set).await?;
    let prepared = inspect::prepare(engine, set, &tables).await?;
    let known = inspect::known_partitions(engine, set, &prepared, &tables, true).await?.known;
    let ask = if args.partition.is_empty() { Ask::Full } else { Ask::Partitions(args.partition.clone()) };
    let mut chosen = Chosen::new(&set.name, &ask, &known)?;
    if let Some(count) = args.sample {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        chosen.sample(count as usize, |tuple| checksum::number(&format!("{seed} {tuple:?}")).unsigned_abs());
    }
    let set_up = ledger::exists(engine).await?;
    let steps: usize = if args.totals {
        0
    } else {
        prepared.iter().map(|p| chosen.chunks(&p.summary.partition).len()).sum()
    };
    context.progress.start(&format!("verifying {}", set.name), steps as u64);
    for (index, item) in prepared.iter().enumerate() {
        if !includes[index] {
            continue;
        }
        // What waits for the next refresh may differ without being wrong. A ledger that is not there has nothing
        // waiting.
        let waiting = match set_up {
            _ if moved => None,
            true => waiting::of_summary(engine, set, &prepared, index).await?,
            false => Some(BTreeSet::new()),
        };
        let mut expired = 0;
        let in_time = chosen.chunks(&item.summary.partition).into_iter().filter_map(|chunk| {
            let Some(tuples) = chunk else { return Some(None) };
            let (gone, kept): (Vec<Tuple>, Vec<Tuple>) =
                tuples.into_iter().partition(|tuple| item.summary.has_expired(tuple));
            expired += gone.len();
            (!kept.is_empty()).then_some(Some(kept))
        });
        let (chunks, pending) = settled(in_time.collect(), waiting.as_ref());
        if chunks.is_empty() && pending > 0 {
            tracing::warn!(
                "{}.{}: nothing of it was compared, since all that was chosen waits for a refresh",
                set.name,
                item.summary.name
            );
        }
        if expired > 0 {
            tracing::debug!("{}: {expired} partitions lie before its retention", item.summary.name);
        }
        for chunk in &chunks {
            let slice = slice(item, chunk.as_deref());
            let (checked, wrong) = imbalances(engine, set, &prepared, index, &slice).await?;
            report.totals_checked += checked;
            report.conservation.extend(wrong);
        }
        if args.totals {
            continue;
        }
        let mut rows = Comparison::new(item);
        let mut partitions = 0;
        for chunk in &chunks {
            context.interrupt.check()?;
            partitions += chunk.as_ref().map_or(1, Vec::len) as u64;
            let slice = slice(item, chunk.as_deref());
            let shadows = raw_shadows(engine, set, &prepared, index, chunk.as_deref());
            let sql = item.summary_sql(engine.dialect()).disagreements(&slice, &shadows);
            engine.for_each(&sql, &mut |row| rows.take(row)).await?;
            rows.close();
            context.progress.step(1);
        }
        report.summaries.push(SummaryVerify {
            name: format!("{}.{}", set.name, item.summary.name),
            table: item.summary.table.clone(),
            partitions_checked: partitions,
            pending,
            missing: rows.missing,
            extra: rows.extra,
            different: rows.different,
            samples: rows.samples,
        });
    }
    engine.commit().await?;
    context.progress.finish(&format!("verified {}", set.name));
    Ok(())
}

/// The chunks without the partitions that wait for a refresh, and how many those are.
fn settled(
    chunks: Vec<Option<Vec<Tuple>>>,
    waiting: Option<&BTreeSet<Tuple>>,
) -> (Vec<Option<Vec<Tuple>>>, u64) {
    let count = |chunk: &Option<Vec<Tuple>>| chunk.as_ref().map_or(1, Vec::len) as u64;
    let Some(waiting) = waiting else {
        return (Vec::new(), chunks.iter().map(count).sum());
    };
    let mut pending = 0;
    let mut kept = Vec::new();
    for chunk in chunks {
        match chunk {
            Some(tuples) => {
                let before = tuples.len();
                let rest: Vec<Tuple> = tuples.into_iter().filter(|tuple| !waiting.contains(tuple)).collect();
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

fn slice(item: &BoundSummary<'_>, chunk: Option<&[Tuple]>) -> Slice {
    match chunk {
        None => Slice::All,
        Some(rows) => Slice::Tuples {
            columns: item.summary.partition.iter().filter_map(|name| item.column(name).cloned()).collect(),
            rows: rows.to_vec(),
        },
    }
}

/// CTEs by which a SELECT that reads other summaries sees them recomputed from raw instead: every tier
/// below, lowest first, as its table would store it, restricted where it has the partition columns.
fn raw_shadows(
    engine: &dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    index: usize,
    chunk: Option<&[Tuple]>,
) -> Vec<Shadow> {
    let d = engine.dialect();
    let partition = &prepared[index].summary.partition;
    let mut shadows = Vec::new();
    for item in set.below(index).into_iter().filter(|lower| *lower != index).map(|lower| &prepared[lower]) {
        let columns: Option<Vec<_>> = partition.iter().map(|name| item.column(name).cloned()).collect();
        let slice = match (columns, chunk) {
            (Some(columns), Some(rows)) if !columns.is_empty() => {
                Slice::Tuples { columns, rows: rows.to_vec() }
            }
            _ => Slice::All,
        };
        let cells: Vec<String> = item
            .columns
            .iter()
            .map(|column| {
                let name = d.quote(&column.name);
                format!("{} AS {name}", d.cast(&format!("q.{name}"), column))
            })
            .collect();
        shadows.push(Shadow {
            table: item.summary.table.clone(),
            body: format!(
                "SELECT {} FROM (\n{}\n) q WHERE {}",
                cells.join(", "),
                item.summary.select,
                slice.over(d, "q")
            ),
        });
    }
    shadows
}

//! `dashagg refresh --dry-run`: the plan, and none of its work.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Request, Unit, inspect, keep, tables, unit, views};
use crate::catalog::{Catalog, Kind};
use crate::cli::RefreshArgs;
use crate::engine::Engine;
use crate::exit_code::ExitCode;
use crate::ledger::{self, SetState};
use crate::plan::{Mode, Plan};
use crate::report;
use crate::session::{self, Context};
use crate::tracking;

/// What a refresh would do to one unit.
enum Foreseen {
    /// To the summary tables.
    Tables(Plan),
    /// To materialized views: the reason to refresh them, if there is one.
    Views(Option<String>),
}

/// Prints what a refresh would do.
///
/// # Errors
/// As for a refresh, up to the point where it would start to compute.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    args: &RefreshArgs,
    json: bool,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let (request, mut spare) = Request::new(context, catalog, args).await?;
    let mut sets: Vec<Value> = Vec::new();
    for selected in &request.selected {
        let due = match request.due {
            true => Some(unit::due(context, selected.set, &mut spare).await?),
            false => None,
        };
        for members in selected.units() {
            if due.as_ref().is_some_and(|due| !members.iter().any(|index| due.contains(index))) {
                continue;
            }
            let unit = Unit::new(selected.set, &members);
            let engine = session::connected(context, &mut spare).await?;
            let foreseen = foresee(engine, &request, &unit).await?;
            if json {
                sets.push(as_json(&unit, &foreseen));
            } else {
                print(&unit, &foreseen, out)?;
            }
        }
    }
    if json {
        writeln!(out, "{}", json!({ "schema": report::SCHEMA, "sets": sets }))?;
    }
    Ok(ExitCode::Ok)
}

async fn foresee(engine: &mut dyn Engine, request: &Request<'_>, unit: &Unit<'_>) -> Result<Foreseen> {
    ledger::require(engine).await?;
    let state = SetState::read(engine, &unit.set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    if unit.kind == Kind::MaterializedView {
        inspect::inspect(engine, &unit.part).await?;
        return Ok(Foreseen::Views(views::foresee(engine, unit, request, &state).await?));
    }
    let now = ledger::clock(engine).await?;
    let set = &keep::cut(engine, &unit.part, now);
    let prepared = inspect::inspect(engine, set).await?;
    let changes = tracking::foresee(engine, set).await?;
    let (_, plan) = tables::decide(engine, set, &prepared, &state, now, &request.ask, &changes).await?;
    Ok(Foreseen::Tables(plan))
}

fn as_json(unit: &Unit<'_>, foreseen: &Foreseen) -> Value {
    let (mode, partitions, reason) = match foreseen {
        Foreseen::Tables(plan) => {
            (plan.mode.map_or("none", Mode::as_str), plan.partitions, plan.reason.clone())
        }
        Foreseen::Views(Some(reason)) => ("complete", unit.part.summaries.len(), reason.clone()),
        Foreseen::Views(None) => ("none", 0, "nothing changed".to_owned()),
    };
    json!({
        "set": unit.set.name,
        "summaries": unit.names(),
        "mode": mode,
        "partitions": partitions,
        "reason": reason,
    })
}

fn print(unit: &Unit<'_>, foreseen: &Foreseen, out: &mut dyn Write) -> std::io::Result<()> {
    let label = unit.label();
    let plan = match foreseen {
        Foreseen::Views(Some(reason)) => {
            return writeln!(out, "{label}: refresh of {}: {reason}", unit.names().join(" → "));
        }
        Foreseen::Views(None) => return writeln!(out, "{label}: nothing to do: nothing changed"),
        Foreseen::Tables(plan) => plan,
    };
    let Some(mode) = plan.mode else {
        return writeln!(out, "{label}: nothing to do: {}", plan.reason);
    };
    let partitions = report::words::count(plan.partitions as u64, "partition");
    writeln!(out, "{label}: {} refresh of {partitions}: {}", mode.as_str(), plan.reason)?;
    for wave in &plan.waves {
        let names: Vec<&str> = wave.members.iter().map(|at| unit.part.summaries[*at].name.as_str()).collect();
        let steps = report::words::count(wave.chunks.len() as u64, "step");
        writeln!(out, "  {} in {steps}", names.join(" → "))?;
    }
    Ok(())
}

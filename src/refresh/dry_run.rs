//! `dashagg refresh --dry-run`: the plan, and none of its work.

use std::io::Write;

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use super::Request;
use super::facts::Facts;
use super::planned::Decided;
use crate::catalog::{Catalog, Kind};
use crate::cli::RefreshArgs;
use crate::engine::Engine;
use crate::exit_code::ExitCode;
use crate::inspect::retention;
use crate::ledger;
use crate::plan::{Mode, Plan, Wave, Work};
use crate::publish_group::{self, PublishGroup};
use crate::report;
use crate::session::{self, Context};
use crate::tracking;
use crate::words::count;

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
            true => Some(publish_group::due(context, selected.set, &mut spare).await?),
            false => None,
        };
        for members in selected.groups() {
            if due.as_ref().is_some_and(|due| !members.iter().any(|index| due.contains(index))) {
                continue;
            }
            let group = PublishGroup::new(selected.set, &members);
            let engine = session::connected(context, &mut spare).await?;
            let foreseen = foresee(engine, &request, &group).await?;
            if json {
                sets.push(as_json(&group, &foreseen));
            } else {
                print(&group, &foreseen, out)?;
            }
        }
    }
    if json {
        writeln!(out, "{}", json!({ "schema": report::SCHEMA, "sets": sets }))?;
    }
    Ok(ExitCode::Ok)
}

/// The road of a run, as far as it changes nothing: facts, then the plan.
async fn foresee(engine: &mut dyn Engine, request: &Request<'_>, group: &PublishGroup<'_>) -> Result<Plan> {
    ledger::require(engine).await?;
    let now = ledger::clock(engine).await?;
    let set = retention::cut(engine, &group.subset, now);
    let facts = Facts::read(engine, group, &set, now, Instant::now()).await?;
    let claimed = facts.foresee(engine).await?;
    Ok(match claimed.plan(engine, request).await? {
        Decided::Work(planned) => planned.plan,
        Decided::Nothing(idle) => {
            let quiet = group.kind == Kind::Table
                || tracking::is_quiet(engine, &group.subset, &facts.state.sources).await;
            if quiet {
                Plan::nothing(idle.reason)
            } else {
                Plan::views(group.subset.summaries.len(), Some("rows of its sources changed".to_owned()))
            }
        }
    })
}

fn as_json(group: &PublishGroup<'_>, plan: &Plan) -> Value {
    let step = |wave: &Wave| {
        json!({
            "summaries": names(group, &wave.members),
            "by": wave.columns,
            "keys": wave.by_key,
            "steps": wave.chunks.len(),
        })
    };
    let follow = match &plan.work {
        Work::Cascade { follow, .. } => names(group, follow),
        Work::Waves(_) | Work::Views(_) => Vec::new(),
    };
    json!({
        "set": group.set.name,
        "summaries": group.names(),
        "mode": plan.mode.map_or("none", Mode::as_str),
        "partitions": plan.partitions,
        "reason": plan.reason,
        "steps": plan.waves().iter().map(step).collect::<Vec<_>>(),
        "follow": follow,
    })
}

fn names<'u>(group: &'u PublishGroup<'_>, members: &[usize]) -> Vec<&'u str> {
    members.iter().map(|at| group.subset.summaries[*at].name.as_str()).collect()
}

fn print(group: &PublishGroup<'_>, plan: &Plan, out: &mut dyn Write) -> std::io::Result<()> {
    let label = group.label();
    let Some(mode) = plan.mode else {
        return writeln!(out, "{label}: nothing to do: {}", plan.reason);
    };
    if let Work::Views(_) = plan.work {
        return writeln!(out, "{label}: refresh of {}: {}", group.names().join(" → "), plan.reason);
    }
    let partitions = count(plan.partitions as u64, "partition");
    writeln!(out, "{label}: {} refresh of {partitions}: {}", mode.as_str(), plan.reason)?;
    for wave in plan.waves() {
        let names = names(group, &wave.members).join(" → ");
        let steps = count(wave.chunks.len() as u64, "step");
        match wave.by_key {
            true => {
                let keys = wave.chunks.iter().flatten().map(Vec::len).sum::<usize>();
                writeln!(out, "  {names}: {} in {steps}", count(keys as u64, "key"))?;
            }
            false => writeln!(out, "  {names} in {steps}")?,
        }
    }
    if let Work::Cascade { follow, .. } = &plan.work
        && !follow.is_empty()
    {
        writeln!(out, "  then {}, where rows below differ", names(group, follow).join(" → "))?;
    }
    Ok(())
}

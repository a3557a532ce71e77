//! `dashagg refresh`: lock → read ledger → inspect → plan → stage → check → publish → record.
//!
//! Each set is on its own: one that fails leaves the others alone. A transient error (deadlock, lost
//! connection, another run's publish) starts the set again from the beginning, on a new connection.

mod affected;
mod attempt;
mod check;
mod checked;
mod claimed;
pub mod dry_run;
mod facts;
mod helpers;
mod listed;
mod own_rows;
mod planned;
mod publish;
mod run;
pub(crate) mod scratch;
mod stage;
mod staged;
mod staging;
mod views;
pub mod watch;

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use crate::catalog::{Catalog, Selected, Set, Summary};
use crate::checksum;
use crate::cli::RefreshArgs;
use crate::config::hooks::Hook;
use crate::engine::{DbError, Engine, ErrorClass};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::hooks;
use crate::ledger::{self, RunEnd};
use crate::plan::Ask;
use crate::publish_group::{self, PublishGroup};
use crate::report::{Mode as ReportMode, RefreshReport, RunStatus, SetRefresh, SummaryRefresh, Values};
use crate::session::{self, Context, Spare};
use run::Run;

use crate::inspect;

/// What one refresh was asked to do.
#[derive(Clone)]
pub struct Request<'a> {
    /// Sets and summaries.
    pub selected: Vec<Selected<'a>>,
    /// How much.
    pub ask: Ask,
    /// How long to wait for another run.
    pub wait: Duration,
    /// Connections to stage with, if the caller chose.
    pub jobs: Option<u16>,
    /// Let the collapse guard pass this once.
    pub allow_shrink: bool,
    /// Only what its schedule asks for now.
    pub due: bool,
    /// How long to try to connect again.
    pub reconnect: Duration,
}

impl<'a> Request<'a> {
    /// Reads the command line.
    ///
    /// # Errors
    /// Names that do not exist (exit code 2).
    pub async fn new(context: &Context, catalog: &'a Catalog, args: &RefreshArgs) -> Result<(Self, Spare)> {
        let ask = if args.full {
            Ask::Full
        } else if !args.partition.is_empty() {
            Ask::Partitions(args.partition.clone())
        } else if let Some(since) = &args.since {
            Ask::Since(since.clone())
        } else {
            Ask::Current
        };
        let (selected, spare) = session::choose(context, catalog, &args.select).await?;
        let this = Self {
            selected,
            ask,
            wait: args.wait.unwrap_or(context.config.run.wait),
            jobs: args.jobs.or(context.config.run.jobs),
            allow_shrink: args.allow_shrink,
            due: args.due,
            reconnect: context.config.run.reconnect,
        };
        Ok((this, spare))
    }
}

/// Refreshes every selected set, runs the hooks and says what happened, with the exit code that this amounts to.
///
/// # Errors
/// Only what stops all sets; a failing set is part of the report.
pub async fn run(
    context: &Context,
    request: &Request<'_>,
    mut spare: Spare,
) -> Result<(RefreshReport, ExitCode)> {
    let (mut whole, errors) = every_set(context, request, &mut spare).await;
    whole.hooks = hooks::run(context, &whole).await;
    let hook_failed = whole.hooks.iter().any(|hook| hook.status == RunStatus::Failed);
    let sets = &whole.sets;
    let fine = sets.iter().filter(|set| set.status != RunStatus::Failed).count();
    // With one set, or none that worked, the first error speaks for the run.
    if let Some(first) = errors.into_iter().next() {
        if fine == 0 || context.interrupt.raised() {
            return Err(first);
        }
        whole.status = RunStatus::Partial;
        return Ok((whole, ExitCode::Partial));
    }
    if sets.iter().all(|set| set.status == RunStatus::Noop) {
        whole.status = RunStatus::Noop;
    }
    if hook_failed {
        whole.status = RunStatus::Partial;
        return Ok((whole, ExitCode::Partial));
    }
    Ok((whole, ExitCode::Ok))
}

/// Refreshes every selected set, without hooks and without a verdict on the whole. The errors are those of the groups
/// that failed, in their order.
pub async fn every_set(
    context: &Context,
    request: &Request<'_>,
    spare: &mut Spare,
) -> (RefreshReport, Vec<anyhow::Error>) {
    let start = Instant::now();
    let run_id = ledger::run_id(SystemTime::now());
    let mut sets = Vec::new();
    let mut errors: Vec<anyhow::Error> = Vec::new();
    for selected in &request.selected {
        let due = match request.due {
            true => publish_group::due(context, selected.set, spare).await.map(Some),
            false => Ok(None),
        };
        match due {
            Ok(Some(due)) if due.is_empty() => continue,
            Ok(due) => {
                let mut groups = selected.groups();
                groups.retain(|group| {
                    due.as_ref().is_none_or(|due| group.iter().any(|index| due.contains(index)))
                });
                let (set, failed) =
                    refresh_set(context, request, selected.set, &groups, &run_id, spare).await;
                sets.push(set);
                errors.extend(failed);
            }
            Err(error) => {
                // The connection may be what is wrong.
                *spare = None;
                sets.push(SetRefresh::failed(&selected.set.name, 0.0, Failure::of(&error).1, 0));
                errors.push(error);
            }
        }
        if sets.len() < request.selected.len() && stops(context, &mut errors) {
            break;
        }
    }
    (report(run_id, RunStatus::Ok, start, sets), errors)
}

/// Whether a signal came, with work still left: a run that leaves some of it undone has not succeeded.
fn stops(context: &Context, errors: &mut Vec<anyhow::Error>) -> bool {
    match context.interrupt.check() {
        Ok(()) => false,
        Err(interrupted) => {
            context.interrupt.acknowledge();
            let message = "interrupted before everything was refreshed; what was published stays";
            errors.push(Failure::new(interrupted.code, message).into());
            true
        }
    }
}

/// Refreshes the groups of one set, one after the other: one that fails leaves the others alone. The errors are those
/// of the groups that failed.
async fn refresh_set(
    context: &Context,
    request: &Request<'_>,
    set: &Set,
    groups: &[Vec<usize>],
    run_id: &str,
    spare: &mut Spare,
) -> (SetRefresh, Vec<anyhow::Error>) {
    let start = Instant::now();
    let mut errors: Vec<anyhow::Error> = Vec::new();
    let several = groups.len() > 1;
    let mut whole: Option<SetRefresh> = None;
    for (at, members) in groups.iter().enumerate() {
        let group = PublishGroup::new(set, members);
        // One request, one ledger row per group.
        let run_id = format!("{run_id}-{}", &checksum::hex(&group.label())[..6]);
        let began = Instant::now();
        let run = Run { context, request, group: &group, id: &run_id, began, retries: 0, large: false };
        let part = match refresh_group(run, spare).await {
            Ok(part) => part,
            Err((error, retries)) => {
                let message = Failure::of(&error).1;
                let seconds = began.elapsed().as_secs_f64();
                let mut part = SetRefresh::failed(&set.name, seconds, message.clone(), retries);
                if several {
                    part.summaries = group
                        .subset
                        .summaries
                        .iter()
                        .map(|summary| {
                            SummaryRefresh::failed(&summary.name, &summary.table, seconds, &message)
                        })
                        .collect();
                }
                errors.push(error);
                part
            }
        };
        whole = Some(match whole {
            None => part,
            Some(before) => before.and(part),
        });
        if at + 1 < groups.len() && stops(context, &mut errors) {
            break;
        }
    }
    let mut whole = whole.unwrap_or_else(|| noop(set, start, "nothing is due"));
    whole.seconds = start.elapsed().as_secs_f64();
    (whole, errors)
}

fn report(run_id: String, status: RunStatus, start: Instant, sets: Vec<SetRefresh>) -> RefreshReport {
    RefreshReport {
        run_id: Some(run_id),
        status,
        seconds: start.elapsed().as_secs_f64(),
        sets,
        hooks: Vec::new(),
    }
}

/// Refreshes what publishes together, again and again while what stops it is a matter of the moment.
async fn refresh_group(run: Run<'_>, spare: &mut Spare) -> Result<SetRefresh, (anyhow::Error, u32)> {
    let (context, name) = (run.context, run.group.label());
    let mut run = run;
    loop {
        let error = match run.attempt(spare).await {
            Ok(report) => return Ok(SetRefresh { retries: run.retries, ..report }),
            Err(error) => error,
        };
        if let Err(interrupted) = context.interrupt.check() {
            context.interrupt.acknowledge();
            run.record_failure(RunEnd::Interrupted, &interrupted.message).await;
            return Err((interrupted.into(), run.retries));
        }
        let class = |wanted: fn(&DbError) -> bool| {
            error.chain().any(|cause| cause.downcast_ref::<DbError>().is_some_and(wanted))
        };
        if class(|error| error.class == ErrorClass::ScratchFull) && !run.large {
            tracing::debug!("set {name}: staging on disk, since a partition outgrew memory");
            run.large = true;
            continue;
        }
        // Connected before, so that not getting another connection is a matter of the moment too.
        let transient = class(|error| error.is_transient() || error.class == ErrorClass::Connect);
        if !transient || run.retries >= context.config.run.retries {
            let (code, message, _) = Failure::of(&error);
            if code != ExitCode::Locked && code != ExitCode::Usage {
                run.record_failure(RunEnd::Failed, &message).await;
            }
            return Err((error, run.retries));
        }
        run.retries += 1;
        // Doubling, with the process number as jitter so that two runs do not meet again.
        let pause = 50u64 * 2u64.pow(run.retries.min(6)) + u64::from(std::process::id() % 50);
        tracing::warn!("set {name}: {error:#}; trying again in {pause} ms (retry {})", run.retries);
        // A signal is dealt with after the next attempt, which it ends at once.
        let _ = context.interrupt.or(tokio::time::sleep(Duration::from_millis(pause))).await;
    }
}

/// What lets the run start again from the beginning.
fn again(message: &str) -> anyhow::Error {
    DbError::new(ErrorClass::Transient, message).into()
}

/// Values of the columns that hooks name, among rows that changed (`from`: a table of such rows).
async fn changed_values(
    context: &Context,
    engine: &mut dyn Engine,
    set: &str,
    item: &inspect::BoundSummary<'_>,
    from: &str,
) -> Result<Values> {
    let mut values = Values::new();
    let about = context.config.hooks.iter().filter(|hook| hook.is_about(set, &item.summary.name));
    for column in about.flat_map(Hook::columns) {
        if item.column(&column).is_none() || values.contains_key(&column) {
            continue;
        }
        let name = engine.dialect().quote(&column);
        let sql = format!(
            "SELECT DISTINCT {name} FROM {from} c WHERE {name} IS NOT NULL LIMIT {}",
            hooks::MOST_VALUES + 1
        );
        let found: Vec<String> = engine.query(&sql).await?.into_iter().flatten().flatten().collect();
        values.insert(column, (found.len() <= hooks::MOST_VALUES).then_some(found));
    }
    Ok(values)
}

/// The same where the rows that changed are not known any more: any value may have.
fn unknown_values(context: &Context, set: &str, summary: &Summary) -> Values {
    let about = context.config.hooks.iter().filter(|hook| hook.is_about(set, &summary.name));
    about.flat_map(Hook::columns).map(|column| (column, None)).collect()
}

fn noop(set: &Set, start: Instant, reason: &str) -> SetRefresh {
    SetRefresh {
        set: set.name.clone(),
        mode: ReportMode::None,
        status: RunStatus::Noop,
        seconds: start.elapsed().as_secs_f64(),
        partitions: 0,
        summaries: Vec::new(),
        error: None,
        reason: Some(reason.to_owned()),
        retries: 0,
    }
}

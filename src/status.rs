//! `dashagg status`: what the ledger says, without touching a summary or a source. Needs only SELECT.

use anyhow::Result;

use crate::catalog::{Catalog, Method, Selected, Set, Summary};
use crate::cli::StatusArgs;
use crate::create;
use crate::engine::{Dialect, Engine, Tx};
use crate::exit_code::ExitCode;
use crate::ledger::{self, SetState, SummaryState};
use crate::report::{LastRun, Mode, RunStatus, State, StatusReport, SummaryStatus};
use crate::session::Context;
use crate::tracking;

/// Reads the state of the selected summaries.
///
/// # Errors
/// Whatever the server says; a database without a ledger is no error, its summaries were just never built.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    args: &StatusArgs,
) -> Result<(StatusReport, ExitCode)> {
    let selected = catalog.select(&args.select)?;
    let mut engine = context.connect().await?;
    let engine = engine.as_mut();
    let set_up = ledger::exists(engine).await?;
    if !set_up {
        tracing::warn!("dashagg has not been set up in {}: run `dashagg create`", engine.server().database);
    }
    let mut summaries = Vec::new();
    for selected in &selected {
        summaries.extend(of_set(engine, selected, set_up, args.exact).await?);
    }
    let fresh = summaries.iter().all(|summary| summary.state == State::Fresh);
    let code = if args.strict && !fresh { ExitCode::Stale } else { ExitCode::Ok };
    Ok((StatusReport { summaries }, code))
}

async fn of_set(
    engine: &mut dyn Engine,
    selected: &Selected<'_>,
    set_up: bool,
    exact: bool,
) -> Result<Vec<SummaryStatus>> {
    let set = selected.set;
    let mut state = None;
    let mut drifted = false;
    let mut running = false;
    let mut waiting = None;
    let tracking = describe(engine.dialect(), set);
    let mut now = std::time::SystemTime::now();
    if set_up {
        engine.begin(Tx::Read).await?;
        now = ledger::clock(engine).await?;
        state = SetState::read(engine, &set.name).await?;
        let applied = create::applied_scripts(engine, &set.name).await?;
        drifted = create::refuse_drift(set, &applied).is_err();
        running = engine.is_locked(&set.name).await?;
        engine.commit().await?;
        waiting = tracking::waiting(engine, set).await.ok();
    }
    let mut out = Vec::new();
    for (index, summary) in set.summaries.iter().enumerate() {
        if !selected.includes(index) {
            continue;
        }
        let known = state.as_ref().and_then(|state| state.summary(&summary.name));
        let published = known.and_then(|known| known.published_at.as_deref());
        // A run that found nothing to do proves the content current, without publishing anything.
        let checked =
            state.as_ref().and_then(|state| state.checked_at.as_deref()).filter(|_| published.is_some());
        let age = ledger::age(published.max(checked), now);
        let mut rows = known.and_then(|known| known.rows);
        if exact && known.is_some() {
            let d = engine.dialect();
            let table = d.qualify(&engine.server().schema.clone(), &summary.table);
            let sql = format!("SELECT COUNT(*) FROM {table}");
            rows = engine.scalar(&sql).await?.and_then(|count| count.parse().ok());
        }
        out.push(SummaryStatus {
            set: set.name.clone(),
            name: summary.name.clone(),
            table: summary.table.clone(),
            kind: "table".to_owned(),
            tier: summary.tier,
            rows,
            bytes: known.and_then(|known| known.bytes),
            refreshed_at: known.and_then(|known| known.published_at.clone()),
            age_seconds: age.map(|age| age as u64),
            pending_partitions: match &waiting {
                Some(Some(partitions)) => Some(partitions.len() as u64),
                _ => None,
            },
            state: judge(summary, state.as_ref(), known, age, running, drifted),
            tracking: Some(tracking.clone()),
            last_run: known.and_then(|known| last_run(state.as_ref(), known)),
        });
    }
    Ok(out)
}

/// How each source is tracked, and what that cannot see.
fn describe(dialect: &dyn Dialect, set: &Set) -> String {
    set.sources
        .iter()
        .map(|source| {
            let (how, blind) = match &source.track {
                Method::Triggers => ("triggers".to_owned(), dialect.blind_spots()),
                Method::Watermark { column, .. } => {
                    (format!("watermark {column}"), "deletes, and rows whose old partition was another")
                }
                Method::Window(count) => {
                    (format!("window of {count} partitions"), "changes of older partitions")
                }
                Method::Fingerprint => ("fingerprint".to_owned(), "nothing"),
                Method::Untracked => ("none, always complete".to_owned(), "nothing"),
            };
            format!("{}: {how} (does not see: {blind})", source.name)
        })
        .collect::<Vec<_>>()
        .join("; ")
}

fn judge(
    summary: &Summary,
    state: Option<&SetState>,
    known: Option<&SummaryState>,
    age: Option<f64>,
    running: bool,
    drifted: bool,
) -> State {
    let failed = state
        .and_then(|state| state.last_run.as_ref())
        .is_some_and(|run| matches!(run.status.as_str(), "failed" | "interrupted"));
    let edited = known.is_some_and(|known| known.select_checksum != summary.checksum);
    if running {
        State::Running
    } else if drifted || edited {
        State::Drifted
    } else if failed {
        State::Failed
    } else if age.is_none() {
        State::Never
    } else if age.zip(summary.max_age).is_some_and(|(age, limit)| age > limit.as_secs_f64()) {
        State::Stale
    } else {
        State::Fresh
    }
}

/// The last run that worked on the summary: a failed one if it came after the last publish.
fn last_run(state: Option<&SetState>, known: &SummaryState) -> Option<LastRun> {
    let mode = |word: &str| match word {
        "complete" => Mode::Complete,
        "incremental" => Mode::Incremental,
        _ => Mode::None,
    };
    let latest = state.and_then(|state| state.last_run.as_ref());
    if let Some(run) = latest.filter(|run| Some(&run.run_id) != known.run_id.as_ref()) {
        return Some(LastRun {
            run_id: run.run_id.clone(),
            mode: mode(&run.mode),
            status: match run.status.as_str() {
                "ok" => RunStatus::Ok,
                "noop" => RunStatus::Noop,
                _ => RunStatus::Failed,
            },
            seconds: run.seconds,
            inserted: 0,
            updated: 0,
            deleted: 0,
        });
    }
    Some(LastRun {
        run_id: known.run_id.clone()?,
        mode: mode(known.mode.as_deref().unwrap_or("")),
        status: RunStatus::Ok,
        seconds: known.seconds.unwrap_or(0.0),
        inserted: known.inserted.unwrap_or(0),
        updated: known.updated.unwrap_or(0),
        deleted: known.deleted.unwrap_or(0),
    })
}

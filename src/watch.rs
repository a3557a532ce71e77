//! `dashagg refresh --watch`: keeps running and refreshes within a second of each commit.
//!
//! Where the triggers of a set send NOTIFY, a commit wakes it; else it asks the logs, which costs a few look-ups and
//! writes nothing. Whatever happened while it slept or was cut off is in the logs all the same, so that waking is only
//! about time, never about what is refreshed.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::catalog::{Catalog, Method, Selected};
use crate::cli::RefreshArgs;
use crate::engine::Listener;
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::refresh::{self, Request, Unit};
use crate::report::RunStatus;
use crate::session::{self, Context, Spare};
use crate::tracking;

/// Between two looks at the logs.
const POLL: Duration = Duration::from_millis(200);
/// The same where commits wake us: for what no trigger says, such as the clock.
const LISTENING_POLL: Duration = Duration::from_secs(1);
/// After a refresh, so that a burst of commits becomes few refreshes.
const REST: Duration = Duration::from_millis(100);
/// Summaries whose sources no trigger watches are computed this often.
const UNTRACKED: Duration = Duration::from_secs(60);
/// Longest pause after failures.
const LONGEST: Duration = Duration::from_secs(5);
/// Between two notes that nothing changed, for `status`.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Watches until a signal comes, which is its regular end.
///
/// # Errors
/// What a first look shows to be wrong: names, connection, a ledger that is not there.
pub async fn run(context: &Context, catalog: &Catalog, args: &RefreshArgs) -> Result<ExitCode> {
    let (request, mut spare) = Request::new(context, catalog, args).await?;
    let mut ears = listen(context, &request, &mut spare).await?;
    let listening = ears.is_some();
    tracing::info!(
        "watching {} set(s): {}",
        request.selected.len(),
        if listening { "commits wake it" } else { "looking for changes every 200 ms" }
    );
    let mut failures = 0u32;
    let mut untracked_at = None::<Instant>;
    let mut last_beat = Instant::now();
    while !context.interrupt.raised() {
        if spare.is_none() {
            spare = context.connect().await.ok();
        }
        let beat = last_beat.elapsed() >= HEARTBEAT;
        let untracked = untracked_at.is_none_or(|at| at.elapsed() >= UNTRACKED);
        let stale = stale(&request, &mut spare, untracked, beat).await;
        let mut pause = if listening { LISTENING_POLL } else { POLL };
        if beat {
            last_beat = Instant::now();
        }
        if untracked {
            untracked_at = Some(Instant::now());
        }
        if stale.is_empty() {
            failures = 0;
            sleep(context, &mut ears, pause).await;
            continue;
        }
        let work = Request { selected: stale, ..request.clone() };
        let (ok, changed) = pass(context, &work, spare.take()).await;
        context.interrupt.forget();
        failures = if ok { 0 } else { failures + 1 };
        if changed {
            pause = REST;
        }
        if failures > 0 {
            pause = (REST * 2u32.pow(failures.min(10))).min(LONGEST);
        }
        // Without ears: a burst of commits becomes few refreshes. What is said meanwhile is in the logs.
        sleep(context, &mut None, pause).await;
        drain(&mut ears).await;
    }
    context.interrupt.acknowledge();
    tracing::info!("stopped");
    Ok(ExitCode::Ok)
}

/// Opens ears where sets send NOTIFY, and makes sure that they hear: behind a transaction pooler they do not.
async fn listen(
    context: &Context,
    request: &Request<'_>,
    spare: &mut Spare,
) -> Result<Option<Box<dyn Listener>>> {
    // A set whose triggers say nothing has to be looked at often, and then all may be.
    let all = request.selected.iter().all(|selected| selected.set.notify);
    let channels: Vec<String> = request
        .selected
        .iter()
        .filter(|_| all)
        .map(|selected| tracking::channel(&selected.set.name))
        .collect();
    let engine = session::connected(context, spare).await?;
    if channels.is_empty() {
        return Ok(None);
    }
    let Some(mut ears) = engine.listener(&channels).await? else {
        if engine.dialect().notify_sql("", "").is_some() {
            tracing::warn!("NOTIFY does not come through a transaction pooler: polling instead");
        }
        return Ok(None);
    };
    if let Some(sql) = engine.dialect().notify_sql(&channels[0], "") {
        engine.query(&sql).await?;
        if tokio::time::timeout(Duration::from_secs(2), ears.wait()).await.is_err() {
            tracing::warn!("NOTIFY does not come through here (a transaction pooler?): polling instead");
            return Ok(None);
        }
    }
    Ok(Some(ears))
}

/// What a look at the logs shows to need a refresh. `beat`: what needs none is noted to be current.
async fn stale<'a>(
    request: &Request<'a>,
    spare: &mut Spare,
    untracked: bool,
    beat: bool,
) -> Vec<Selected<'a>> {
    let Some(engine) = spare.as_deref_mut() else { return Vec::new() };
    let mut stale = Vec::new();
    let mut broken = false;
    for selected in &request.selected {
        let mut summaries = Vec::new();
        for members in selected.units() {
            let unit = Unit::new(selected.set, &members);
            let tracked = unit.part.sources.iter().all(|source| source.track == Method::Triggers);
            if if tracked { unit.is_current(engine).await } else { !untracked } {
                broken |= beat && tracked && unit.heartbeat(engine, false).await.is_err();
            } else {
                summaries.extend(members);
            }
        }
        if !summaries.is_empty() {
            stale.push(Selected { set: selected.set, summaries });
        }
    }
    if broken {
        *spare = None;
    }
    stale
}

/// Hears, and forgets, all that has been said so far.
async fn drain(ears: &mut Option<Box<dyn Listener>>) {
    if let Some(listener) = ears {
        while matches!(tokio::time::timeout(Duration::from_millis(1), listener.wait()).await, Ok(Ok(()))) {}
    }
}

/// One refresh of what is stale. Returns whether it went well, and whether it changed anything.
async fn pass(context: &Context, request: &Request<'_>, spare: Spare) -> (bool, bool) {
    match refresh::run(context, request, spare).await {
        Ok((report, code)) => {
            for set in report.sets.iter().filter(|set| set.status != RunStatus::Noop) {
                let sum = |part: fn(&crate::report::SummaryRefresh) -> u64| -> u64 {
                    set.summaries.iter().map(part).sum()
                };
                match &set.error {
                    Some(error) => tracing::error!("{}: {error}", set.set),
                    None => tracing::info!(
                        "{}: +{} ~{} -{} in {:.2} s",
                        set.set,
                        sum(|s| s.inserted),
                        sum(|s| s.updated),
                        sum(|s| s.deleted),
                        set.seconds
                    ),
                }
            }
            (code == ExitCode::Ok, report.status != RunStatus::Noop)
        }
        Err(error) => {
            let (code, message, hint) = Failure::of(&error);
            if !context.interrupt.raised() {
                let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                // Another run at work is none of our failures: it does what we would have done.
                if code == ExitCode::Locked {
                    tracing::debug!("{message}");
                } else {
                    tracing::error!("{message}{hint}; trying again");
                }
            }
            (code == ExitCode::Locked, false)
        }
    }
}

/// Sleeps until something is said, a signal comes, or time is up.
async fn sleep(context: &Context, ears: &mut Option<Box<dyn Listener>>, pause: Duration) {
    let end = Instant::now() + pause;
    while !context.interrupt.raised() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let step = left.min(POLL);
        match ears {
            Some(listener) => match tokio::time::timeout(step, listener.wait()).await {
                Ok(Ok(())) => {
                    drain(ears).await;
                    return;
                }
                Ok(Err(error)) => {
                    tracing::debug!("listening: {error}");
                    tokio::time::sleep(step).await;
                }
                Err(_) => {}
            },
            None => tokio::time::sleep(step).await,
        }
    }
}

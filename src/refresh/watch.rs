//! `dashagg refresh --watch`: keeps running and refreshes within a second of each commit.
//!
//! Where the triggers of a set send NOTIFY, a commit wakes it; else it asks the logs, which costs a few look-ups and
//! writes nothing. Whatever happened while it slept or was cut off is in the logs all the same, so that waking is only
//! about time, never about what is refreshed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Request, every_set};
use crate::catalog::{Catalog, Method, Selected};
use crate::cli::RefreshArgs;
use crate::engine::Listener;
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::hooks;
use crate::ledger::{self, sources::Remembered};
use crate::publish_group::PublishGroup;
use crate::report::{RefreshReport, RunStatus, SummaryRefresh};
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
/// Longest pause between two attempts to connect.
const LONGEST: Duration = Duration::from_secs(5);
/// Longest pause before a summary that keeps failing is tried again; the others go on meanwhile.
const LONGEST_FOR_ONE: Duration = Duration::from_secs(60);
/// Between two notes that nothing changed, for `status`.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Watches until a signal comes, which is its regular end.
///
/// # Errors
/// What a first look shows to be wrong: names, connection, a ledger of another version.
pub async fn run(context: &Context, catalog: &Catalog, args: &RefreshArgs) -> Result<ExitCode> {
    let (mut request, mut spare) = Request::new(context, catalog, args).await?;
    // Connecting again is the loop's business here, which never gives up.
    request.reconnect = Duration::ZERO;
    context.interrupt.regular_from_now();
    let ears = listen(context, &request, &mut spare).await?;
    tracing::info!(
        "watching {} set(s): {}",
        request.selected.len(),
        if ears.is_some() { "commits wake it" } else { "looking for changes every 200 ms" }
    );
    // Hooks run beside the refreshes: one that hangs keeps no row from being published.
    let (tell, told) = unbounded_channel();
    tokio::join!(watch(context, &request, spare, ears, tell), follow(context, told));
    context.interrupt.acknowledge();
    tracing::info!("stopped");
    Ok(ExitCode::Ok)
}

async fn watch(
    context: &Context,
    request: &Request<'_>,
    mut spare: Spare,
    mut ears: Option<Box<dyn Listener>>,
    tell: UnboundedSender<RefreshReport>,
) {
    let idle = if ears.is_some() { LISTENING_POLL } else { POLL };
    let mut failing = Failing::default();
    let mut lost = None;
    let mut untracked_at = None::<Instant>;
    let mut unwatched = BTreeSet::new();
    let mut last_beat = Instant::now();
    while !context.interrupt.raised() {
        if let Err(pause) = connect(context, &mut spare, &mut lost, &mut failing).await {
            sleep(context, &mut None, pause).await;
            continue;
        }
        let beat = last_beat.elapsed() >= HEARTBEAT;
        let untracked = untracked_at.is_none_or(|at| at.elapsed() >= UNTRACKED);
        let look = Look { failing: &failing, unwatched: &unwatched, untracked, beat };
        let stale = stale(request, &mut spare, &look).await;
        if beat {
            last_beat = Instant::now();
        }
        if untracked {
            untracked_at = Some(Instant::now());
        }
        if stale.is_empty() {
            sleep(context, &mut ears, idle).await;
            continue;
        }
        let mut changed = false;
        for (label, selected) in stale {
            if context.interrupt.raised() {
                break;
            }
            let work = Request { selected: vec![selected], ..request.clone() };
            match pass(context, &work, &mut spare).await {
                Ok(report) => {
                    failing.forget(&label);
                    match is_unwatched(&mut spare, &work).await {
                        true => unwatched.insert(label),
                        false => unwatched.remove(&label),
                    };
                    if report.sets.iter().any(|set| set.status != RunStatus::Noop) {
                        changed = true;
                        // Nobody listens any more only when all of this ends.
                        let _ = tell.send(report);
                    }
                }
                Err(ExitCode::Locked) => {}
                Err(_) => failing.again(label),
            }
            // All but the connection that goes on have ended.
            context.interrupt.forget();
            if let Some(engine) = spare.as_deref() {
                context.interrupt.watch(engine);
            }
        }
        // Without ears: a burst of commits becomes few refreshes. What is said meanwhile is in the logs.
        sleep(context, &mut None, if changed { REST } else { POLL }).await;
        drain(&mut ears).await;
    }
}

/// Runs the hooks, for all that was published since it last did.
async fn follow(context: &Context, mut told: UnboundedReceiver<RefreshReport>) {
    while let Some(mut report) = told.recv().await {
        while let Ok(more) = told.try_recv() {
            report.sets.extend(more.sets);
        }
        hooks::run(context, &report).await;
    }
}

/// The groups that failed at their last attempt: how often in a row, and when they are tried again.
#[derive(Default)]
struct Failing(BTreeMap<String, (u32, Instant)>);

impl Failing {
    fn again(&mut self, label: String) {
        let entry = self.0.entry(label).or_insert((0, Instant::now()));
        entry.0 += 1;
        entry.1 = Instant::now() + longer(entry.0, LONGEST_FOR_ONE);
    }

    fn forget(&mut self, label: &str) {
        self.0.remove(label);
    }

    fn waits(&self, label: &str) -> bool {
        self.0.get(label).is_some_and(|(_, until)| *until > Instant::now())
    }
}

/// Doubles with each failure.
fn longer(failures: u32, most: Duration) -> Duration {
    (REST * 2u32.pow(failures.min(10))).min(most)
}

/// A connection that was lost: how often it was tried since, and when that was last said.
struct Lost {
    tries: u32,
    said: Instant,
}

/// Connects where there is no connection.
///
/// # Errors
/// Not to be had now; how long to wait before the next attempt.
async fn connect(
    context: &Context,
    spare: &mut Spare,
    lost: &mut Option<Lost>,
    failing: &mut Failing,
) -> Result<(), Duration> {
    if spare.is_some() {
        return Ok(());
    }
    match context.connect().await {
        Ok(engine) => {
            *spare = Some(engine);
            if lost.take().is_some() {
                tracing::info!("connected again");
                // It may have been all that was wrong with them.
                *failing = Failing::default();
            }
            Ok(())
        }
        Err(error) => {
            let lost = lost.get_or_insert(Lost { tries: 0, said: Instant::now() });
            lost.tries += 1;
            if lost.tries == 1 || lost.said.elapsed() >= UNTRACKED {
                lost.said = Instant::now();
                complain(&error);
            }
            Err(longer(lost.tries, LONGEST))
        }
    }
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
    // One that is not there yet is waited for; one of another version is for somebody to deal with.
    ledger::exists_or_none(engine).await?;
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

/// Whether triggers are missing that the refresh just done had no right to make: it would be as complete, again and again.
async fn is_unwatched(spare: &mut Spare, done: &Request<'_>) -> bool {
    let Some(engine) = spare.as_deref_mut() else { return false };
    for selected in &done.selected {
        match ledger::sources::read_all(engine, &selected.set.name).await {
            Ok(known) if known.iter().any(Remembered::is_unwatched) => return true,
            _ => {}
        }
    }
    false
}

/// What decides which groups are looked at.
struct Look<'l> {
    failing: &'l Failing,
    /// Groups that have no triggers to tell changes by.
    unwatched: &'l BTreeSet<String>,
    /// It is time for what is not tracked by triggers.
    untracked: bool,
    /// What needs no refresh is noted to be current.
    beat: bool,
}

/// The groups that a look at the logs shows to need a refresh, by name.
async fn stale<'a>(request: &Request<'a>, spare: &mut Spare, look: &Look<'_>) -> Vec<(String, Selected<'a>)> {
    let Look { failing, unwatched, untracked, beat } = *look;
    let Some(engine) = spare.as_deref_mut() else { return Vec::new() };
    let mut stale = Vec::new();
    let mut broken = false;
    for selected in &request.selected {
        for members in selected.groups() {
            let group = PublishGroup::new(selected.set, &members);
            if failing.waits(&group.label()) {
                continue;
            }
            let tracked = !unwatched.contains(&group.label())
                && group.subset.sources.iter().all(|source| source.track == Method::Triggers);
            if if tracked { group.is_current(engine).await == Some(true) } else { !untracked } {
                broken |= beat && tracked && group.heartbeat(engine, false).await.is_err();
            } else {
                stale.push((group.label(), Selected { set: selected.set, summaries: members }));
            }
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

/// One refresh of one group.
///
/// # Errors
/// It failed, and that has been said; or another run is at work.
async fn pass(
    context: &Context,
    request: &Request<'_>,
    spare: &mut Spare,
) -> Result<RefreshReport, ExitCode> {
    let (report, errors) = every_set(context, request, spare).await;
    if let Some(error) = errors.first() {
        let (code, message, _) = Failure::of(error);
        if context.interrupt.raised() || code == ExitCode::Locked {
            // Another run at work is none of our failures: it does what we would have done.
            tracing::debug!("{message}");
        } else {
            complain(error);
        }
        return Err(code);
    }
    for set in report.sets.iter().filter(|set| set.status != RunStatus::Noop) {
        let sum = |part: fn(&SummaryRefresh) -> u64| -> u64 { set.summaries.iter().map(part).sum() };
        tracing::info!(
            "{}: +{} ~{} -{} in {:.2} s",
            set.set,
            sum(|s| s.inserted),
            sum(|s| s.updated),
            sum(|s| s.deleted),
            set.seconds
        );
    }
    Ok(report)
}

/// Logs a failure after which everything goes on.
fn complain(error: &anyhow::Error) {
    let (_, message, hint) = Failure::of(error);
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    tracing::error!("{message}{hint}; trying again");
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

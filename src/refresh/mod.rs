//! `dashagg refresh`: lock → read ledger → inspect → plan → stage → check → publish → record.
//!
//! Each set is on its own: one that fails leaves the others alone. A transient error (deadlock, lost
//! connection, another run's publish) starts the set again from the beginning, on a new connection.

pub mod affected;
pub mod check;
pub mod inspect;
pub mod publish;
pub mod stage;

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use crate::catalog::{Catalog, Selected, Set};
use crate::checksum;
use crate::cli::RefreshArgs;
use crate::engine::dialect::Scratch;
use crate::engine::statements::OP;
use crate::engine::{Column, DbError, Engine, ErrorClass};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger::{self, RunRecord, SetState};
use crate::plan::{Ask, Mode, Plan};
use crate::report::{Mode as ReportMode, RefreshReport, RunStatus, SetRefresh, SummaryRefresh};
use crate::session::{self, Context};
use crate::tracking;
use publish::{Counts, Outcome};
use stage::Work;

/// What one refresh was asked to do.
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
}

impl<'a> Request<'a> {
    /// Reads the command line.
    ///
    /// # Errors
    /// Names that do not exist (exit code 2).
    pub fn new(context: &Context, catalog: &'a Catalog, args: &RefreshArgs) -> Result<Self> {
        let ask = if args.full {
            Ask::Full
        } else if !args.partition.is_empty() {
            Ask::Partitions(args.partition.clone())
        } else if let Some(since) = &args.since {
            Ask::Since(since.clone())
        } else {
            Ask::Current
        };
        Ok(Self {
            selected: catalog.select(&args.select)?,
            ask,
            wait: args.wait.unwrap_or(context.config.run.wait),
            jobs: args.jobs.or(context.config.run.jobs),
            allow_shrink: args.allow_shrink,
        })
    }
}

/// Refreshes every selected set and says what happened, with the exit code that this amounts to.
///
/// # Errors
/// Only what stops all sets; a failing set is part of the report.
pub async fn run(context: &Context, request: &Request<'_>) -> Result<(RefreshReport, ExitCode)> {
    let start = Instant::now();
    let run_id = new_run_id();
    let mut sets = Vec::new();
    let mut errors: Vec<anyhow::Error> = Vec::new();
    for selected in &request.selected {
        let began = Instant::now();
        match refresh_set(context, request, selected.set, &run_id).await {
            Ok(report) => sets.push(report),
            Err((error, retries)) => {
                sets.push(SetRefresh {
                    set: selected.set.name.clone(),
                    mode: ReportMode::None,
                    status: RunStatus::Failed,
                    seconds: began.elapsed().as_secs_f64(),
                    partitions: 0,
                    summaries: Vec::new(),
                    error: Some(Failure::of(&error).1),
                    reason: None,
                    retries,
                });
                errors.push(error);
                if context.interrupt.raised() {
                    break;
                }
            }
        }
    }
    let fine = sets.iter().filter(|set| set.status != RunStatus::Failed).count();
    // With one set, or none that worked, the first error speaks for the run.
    if let Some(first) = errors.into_iter().next() {
        if fine == 0 || context.interrupt.raised() {
            return Err(first);
        }
        let report = report(run_id, RunStatus::Partial, start, sets);
        return Ok((report, ExitCode::Partial));
    }
    let status =
        if sets.iter().all(|set| set.status == RunStatus::Noop) { RunStatus::Noop } else { RunStatus::Ok };
    Ok((report(run_id, status, start, sets), ExitCode::Ok))
}

fn report(run_id: String, status: RunStatus, start: Instant, sets: Vec<SetRefresh>) -> RefreshReport {
    RefreshReport { run_id: Some(run_id), status, seconds: start.elapsed().as_secs_f64(), sets }
}

/// Readable, sortable, unique: the client's moment, its process, and a few digits of the nanoseconds.
fn new_run_id() -> String {
    let now = SystemTime::now();
    let nanos = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let moment: String = humantime::format_rfc3339_seconds(now)
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("{moment}-{}-{nanos:09}", std::process::id())
}

async fn refresh_set(
    context: &Context,
    request: &Request<'_>,
    set: &Set,
    run_id: &str,
) -> Result<SetRefresh, (anyhow::Error, u32)> {
    // One request, one ledger row per set.
    let run_id = format!("{run_id}-{}", &checksum::hex(&set.name)[..6]);
    let start = Instant::now();
    let mut retries = 0;
    let mut large = false;
    loop {
        let result = attempt(context, request, set, &run_id, retries, start, large).await;
        let error = match result {
            Ok(report) => return Ok(SetRefresh { retries, ..report }),
            Err(error) => error,
        };
        let transient =
            error.chain().any(|cause| cause.downcast_ref::<DbError>().is_some_and(DbError::is_transient));
        if let Err(interrupted) = context.interrupt.check() {
            context.interrupt.acknowledge();
            record_failure(context, set, &run_id, start, retries, "interrupted", &interrupted.message).await;
            return Err((interrupted.into(), retries));
        }
        let full = error.chain().any(|cause| {
            cause.downcast_ref::<DbError>().is_some_and(|error| error.class == ErrorClass::ScratchFull)
        });
        if full && !large {
            tracing::debug!("set {}: staging on disk, since a partition outgrew memory", set.name);
            large = true;
            continue;
        }
        if !transient || retries >= context.config.run.retries {
            let (code, message, _) = Failure::of(&error);
            if code != ExitCode::Locked && code != ExitCode::Usage {
                record_failure(context, set, &run_id, start, retries, "failed", &message).await;
            }
            return Err((error, retries));
        }
        retries += 1;
        // Doubling, with the process number as jitter so that two runs do not meet again.
        let pause = 50u64 * 2u64.pow(retries.min(6)) + u64::from(std::process::id() % 50);
        tracing::warn!("set {}: {error:#}; trying again in {pause} ms (retry {retries})", set.name);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn attempt(
    context: &Context,
    request: &Request<'_>,
    set: &Set,
    run_id: &str,
    retries: u32,
    start: Instant,
    large: bool,
) -> Result<SetRefresh> {
    let mut engine = context.connect().await?;
    let engine = engine.as_mut();
    if retries == 0 && request.ask == Ask::Current && is_current(engine, set).await {
        ledger::heartbeat(engine, &set.name).await?;
        return Ok(noop(set, start, "nothing changed"));
    }
    if !ledger::exists(engine).await? {
        return Err(ledger::missing(engine).into());
    }
    engine.preflight().await?;
    let held = session::lock(context, engine, &set.name, request.wait).await?;
    let token = checksum::hex(&format!("{run_id}/{retries}"))[..10].to_owned();
    if held {
        sweep(engine).await;
    }
    let result = locked(context, request, set, run_id, &token, retries, start, large, engine).await;
    let _ = engine.rollback().await;
    drop_scratch(engine, set, &token).await;
    session::unlock(engine, &set.name).await;
    result
}

/// Whether a few cheap look-ups prove that there is nothing to do. Any doubt, or error, is a "no": the whole
/// way then finds out, or says what is wrong.
async fn is_current(engine: &mut dyn Engine, set: &Set) -> bool {
    let Ok(Some(state)) = SetState::read(engine, &set.name).await else { return false };
    let built = set.summaries.iter().all(|summary| {
        state
            .summary(&summary.name)
            .is_some_and(|known| known.published_at.is_some() && known.select_checksum == summary.checksum)
    });
    built && tracking::is_quiet(engine, set).await
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

/// Drops the scratch tables that a killed run left behind: whoever holds the lock is the only run.
async fn sweep(engine: &mut dyn Engine) {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    for prefix in ["dashagg_delta_", "dashagg_stage_"] {
        let Ok(rows) = engine.query(&d.tables_like_sql(prefix)).await else { continue };
        for name in rows.into_iter().filter_map(|row| row.into_iter().next().flatten()) {
            let sql = format!("DROP TABLE IF EXISTS {}", d.qualify(&schema, &name));
            match engine.execute(&sql).await {
                Ok(_) => tracing::debug!("dropped {name}, left behind by a run that was killed"),
                Err(error) => tracing::debug!("{name}: {error}"),
            }
        }
    }
}

async fn drop_scratch(engine: &mut dyn Engine, set: &Set, token: &str) {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    for index in 0..set.summaries.len() {
        let name = format!("dashagg_delta_{token}_{index}");
        let table = d.scratch_name(&schema, &name, Scratch::Shared);
        if let Err(error) = engine.execute(&d.drop_scratch(&table, Scratch::Shared)).await {
            tracing::debug!("{name}: {error}");
        }
    }
}

/// The plan for one set, without doing any of it.
///
/// # Errors
/// As for a refresh, up to the point where it would start to compute.
pub async fn dry_run(context: &Context, request: &Request<'_>, set: &Set) -> Result<Plan> {
    let mut engine = context.connect().await?;
    let engine = engine.as_mut();
    if !ledger::exists(engine).await? {
        return Err(ledger::missing(engine).into());
    }
    let state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    let prepared = inspect::inspect(engine, set).await?;
    let known = inspect::known_partitions(engine, set, &prepared).await?;
    let asked = tracking::foresee(engine, set, &prepared).await?;
    Ok(Plan::make(set, &state, &request.ask, &known, &asked)?)
}

#[allow(clippy::too_many_arguments)]
async fn locked(
    context: &Context,
    request: &Request<'_>,
    set: &Set,
    run_id: &str,
    token: &str,
    retries: u32,
    start: Instant,
    large: bool,
    engine: &mut dyn Engine,
) -> Result<SetRefresh> {
    if retries > 0 && publish::was_published(engine, run_id).await? {
        return republished(engine, set, retries, start).await;
    }
    let started = ledger::clock(engine).await? - start.elapsed();
    let state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    let prepared = inspect::inspect(engine, set).await?;
    let types: Vec<Column> = prepared.iter().flat_map(|item| item.columns.clone()).collect();
    let tracked = tracking::ensure(engine, set, &types).await?;
    tracking::claim(engine, set, token).await?;
    fail::fail_point!("claimed");
    let mut changes = Vec::new();
    for (source, tracked) in set.sources.iter().zip(&tracked) {
        changes.push(tracking::changes(engine, set, source, tracked, false).await?);
    }
    let known = inspect::known_partitions(engine, set, &prepared).await?;
    let asked = affected::affected(engine, set, &prepared, &changes).await?;
    let plan = Plan::make(set, &state, &request.ask, &known, &asked)?;
    tracing::debug!("set {}: {:?} ({})", set.name, plan.mode, plan.reason);
    let Some(mode) = plan.mode else {
        // Notes without effect (a product that sold nothing) are done with all the same.
        let mut statements = vec![ledger::fence(engine.dialect(), &set.name, state.generation)];
        statements.extend(tracking::consume_sql(engine, set, &changes, None));
        ledger::in_write(engine, &statements).await?;
        ledger::heartbeat(engine, &set.name).await?;
        return Ok(noop(set, start, &plan.reason));
    };

    let dialect = engine.dialect();
    let schema = engine.server().schema.clone();
    let mut empty = Vec::new();
    for item in &prepared {
        empty.push(engine.query(&format!("SELECT 1 FROM {} LIMIT 1", item.target)).await?.is_empty());
    }
    let mut work = Work {
        set,
        prepared: &prepared,
        token,
        schema,
        dialect,
        empty,
        settled: vec![false; prepared.len()],
        large,
        findings: Mutex::default(),
    };
    for (index, item) in prepared.iter().enumerate() {
        let columns = item.shapes(dialect).scratch_columns(OP);
        let looked_up = plan.waves.len() != 1 && work.read_above(index);
        let unique = looked_up.then(|| work.key_list(index));
        let sql = dialect.create_scratch(&work.delta(index), &columns, unique.as_deref(), Scratch::Shared);
        engine.execute(&sql).await?;
    }
    let rows: Vec<u64> = set
        .summaries
        .iter()
        .map(|summary| state.summary(&summary.name).and_then(|known| known.rows).unwrap_or(0))
        .collect();
    let mut helpers = helpers(context, request, engine, &plan).await?;
    context.progress.start(&format!("refreshing {}", set.name), plan.steps() as u64);
    let staged = stage::stage(context, engine, &mut helpers, &mut work, &plan, &rows, &known).await;
    context.progress.finish(&format!("staged {}", set.name));
    drop(helpers);
    staged?;
    context.interrupt.check()?;

    let outcomes = outcomes(context, request, engine, &work, mode, &state, start).await?;
    let total = |part: fn(&Counts) -> u64| outcomes.iter().map(|o| part(&o.counts)).sum::<u64>();
    let record = RunRecord {
        run_id: run_id.to_owned(),
        set: set.name.clone(),
        mode: mode.as_str(),
        status: "ok",
        started,
        seconds: start.elapsed().as_secs_f64(),
        partitions: plan.partitions as u64,
        counts: [total(|c| c.inserted), total(|c| c.updated), total(|c| c.deleted)],
        retries,
        error: None,
    };
    fail::fail_point!("publish");
    let only = plan.only.as_ref().filter(|_| mode == Mode::Incremental && named(&request.ask));
    let only = only.map(|(columns, tuples)| (columns.as_slice(), tuples.as_slice()));
    let consume = tracking::consume_sql(engine, set, &changes, only);
    publish::publish(engine, &work, &state, &outcomes, &record, &consume).await?;
    measure(engine, &work, &state, &outcomes).await;

    Ok(SetRefresh {
        set: set.name.clone(),
        mode: match mode {
            Mode::Complete => ReportMode::Complete,
            Mode::Incremental => ReportMode::Incremental,
        },
        status: RunStatus::Ok,
        seconds: start.elapsed().as_secs_f64(),
        partitions: plan.partitions as u64,
        summaries: outcomes
            .iter()
            .map(|outcome| SummaryRefresh {
                name: set.summaries[outcome.index].name.clone(),
                table: set.summaries[outcome.index].table.clone(),
                status: RunStatus::Ok,
                rows: Some(outcome.rows),
                inserted: outcome.counts.inserted,
                updated: outcome.counts.updated,
                deleted: outcome.counts.deleted,
                seconds: outcome.seconds,
                error: None,
            })
            .collect(),
        error: None,
        reason: Some(plan.reason),
        retries,
    })
}

/// Whether the caller named partitions, so that notes of others must stay.
fn named(ask: &Ask) -> bool {
    matches!(ask, Ask::Partitions(_) | Ask::Since(_))
}

async fn helpers(
    context: &Context,
    request: &Request<'_>,
    engine: &dyn Engine,
    plan: &Plan,
) -> Result<Vec<Box<dyn Engine>>> {
    let keys: usize = plan.scopes.iter().map(|scope| scope.keys.len() / 250 + scope.partitions.len()).sum();
    let widest = plan.waves.iter().map(|wave| wave.chunks.len()).max().unwrap_or(keys);
    let wanted = request.jobs.map_or(engine.server().useful_jobs, usize::from).clamp(1, widest.max(1));
    let mut helpers = Vec::new();
    while helpers.len() + 1 < wanted {
        match engine.another().await? {
            Some(helper) => {
                context.interrupt.watch(helper.as_ref());
                helpers.push(helper);
            }
            None => break,
        }
    }
    Ok(helpers)
}

/// Counts the deltas and lets the collapse guard judge them.
async fn outcomes(
    context: &Context,
    request: &Request<'_>,
    engine: &mut dyn Engine,
    work: &Work<'_>,
    mode: Mode,
    state: &SetState,
    start: Instant,
) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (index, item) in work.prepared.iter().enumerate() {
        let counts = publish::count_delta(engine, work, index).await?;
        let in_scope = work
            .findings
            .lock()
            .map_err(|_| anyhow::anyhow!("a staging connection failed"))?
            .published
            .get(&index)
            .copied()
            .unwrap_or(0);
        let before = match mode {
            Mode::Complete => in_scope,
            Mode::Incremental => match state.summary(&item.summary.name).and_then(|known| known.rows) {
                Some(rows) => rows,
                None => engine
                    .scalar(&format!("SELECT COUNT(*) FROM {}", item.target))
                    .await?
                    .and_then(|count| count.parse().ok())
                    .unwrap_or(0),
            },
        };
        if !request.allow_shrink {
            check::collapse_guard(
                &work.set.name,
                item.summary,
                context.config.run.max_shrink,
                before,
                counts.inserted,
                counts.deleted,
            )?;
        }
        outcomes.push(Outcome {
            index,
            counts,
            rows: (before + counts.inserted).saturating_sub(counts.deleted),
            seconds: start.elapsed().as_secs_f64(),
        });
    }
    Ok(outcomes)
}

/// Notes the size on disk for `status`, after the commit: it must be instant there, and it is not worth
/// failing a refresh for.
async fn measure(engine: &mut dyn Engine, work: &Work<'_>, state: &SetState, outcomes: &[Outcome]) {
    let d = work.dialect;
    for outcome in outcomes {
        let summary = work.prepared[outcome.index].summary;
        let known = state.summary(&summary.name).is_some_and(|known| known.bytes.is_some());
        if !outcome.counts.any() && known {
            continue;
        }
        if work.empty[outcome.index]
            && let Some(sql) = d.analyze_first(&work.prepared[outcome.index].target)
            && let Err(error) = engine.query(&sql).await
        {
            tracing::debug!("statistics of {}: {error}", summary.table);
        }
        let sql = d.bytes_sql(&work.schema, &summary.table);
        let bytes = engine.scalar(&sql).await.ok().flatten().and_then(|text| text.parse::<u64>().ok());
        if let Some(bytes) = bytes {
            let sql = format!(
                "UPDATE dashagg_summary SET bytes = {bytes} WHERE set_name = {} AND summary = {}",
                d.literal(&work.set.name),
                d.literal(&summary.name)
            );
            if let Err(error) = ledger::in_write(engine, &[sql]).await {
                tracing::debug!("noting the size of {}: {error:#}", summary.table);
            }
        }
    }
}

/// The report of a publish whose COMMIT was answered by a broken connection.
async fn republished(engine: &mut dyn Engine, set: &Set, retries: u32, start: Instant) -> Result<SetRefresh> {
    let state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    let summaries = set
        .summaries
        .iter()
        .map(|summary| {
            let known = state.summary(&summary.name).cloned().unwrap_or_default();
            SummaryRefresh {
                name: summary.name.clone(),
                table: summary.table.clone(),
                status: RunStatus::Ok,
                rows: known.rows,
                inserted: known.inserted.unwrap_or(0),
                updated: known.updated.unwrap_or(0),
                deleted: known.deleted.unwrap_or(0),
                seconds: known.seconds.unwrap_or(0.0),
                error: None,
            }
        })
        .collect();
    Ok(SetRefresh {
        set: set.name.clone(),
        mode: ReportMode::Complete,
        status: RunStatus::Ok,
        seconds: start.elapsed().as_secs_f64(),
        partitions: 0,
        summaries,
        error: None,
        reason: Some("published before the connection broke".to_owned()),
        retries,
    })
}

/// Records a run that published nothing. Best effort, on a fresh connection: the old one may be the problem.
async fn record_failure(
    context: &Context,
    set: &Set,
    run_id: &str,
    start: Instant,
    retries: u32,
    status: &'static str,
    message: &str,
) {
    let recording = async {
        let mut engine = context.connect().await?;
        let engine = engine.as_mut();
        if !ledger::exists(engine).await? {
            return Ok(());
        }
        let seconds = start.elapsed().as_secs_f64();
        let record = RunRecord {
            run_id: run_id.to_owned(),
            set: set.name.clone(),
            mode: "none",
            status,
            started: ledger::clock(engine).await? - start.elapsed(),
            seconds,
            partitions: 0,
            counts: [0; 3],
            retries,
            error: Some(message.to_owned()),
        };
        let sql = record.insert(engine.dialect());
        ledger::in_write(engine, &[sql]).await
    };
    if let Err(error) = recording.await {
        tracing::debug!("recording the failed run: {error:#}");
    }
}

//! The refresh of a set's summary tables, once the lock is held: claim → plan → stage → check → publish.

use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use anyhow::Result;

use super::inspect::Prepared;
use super::publish::{self, Outcome};
use super::scratch::{self, Run};
use super::stage;
use super::work::Work;
use super::{Request, Unit, affected, check, helpers, inspect, noop};
use crate::catalog::{Set, Summary};
use crate::engine::{Column, Engine, Tx};
use crate::hooks::Values;
use crate::ledger::{self, RunEnd, RunMode, RunRecord, SetState, publication};
use crate::plan::{Ask, Asked, Known, Mode, Plan, Scope, project};
use crate::report::{Mode as ReportMode, RunStatus, SetRefresh, SummaryRefresh};
use crate::session::Context;
use crate::tracking::{self, Changes};

#[allow(clippy::too_many_arguments)]
pub(super) async fn locked(
    context: &Context,
    request: &Request<'_>,
    unit: &Unit<'_>,
    run_id: &str,
    run: &mut Run,
    retries: u32,
    start: Instant,
    large: bool,
    engine: &mut dyn Engine,
) -> Result<SetRefresh> {
    let now = ledger::clock(engine).await?;
    let set = &super::keep::cut(engine, &unit.part, now);
    if retries > 0 && publication::was_published(engine, run_id).await? {
        return republished(context, engine, set, retries, start).await;
    }
    let started = now - start.elapsed();
    let mut state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    state.ensure(engine, &set.name, &set.summaries).await?;
    let prepared = inspect::inspect(engine, set).await?;
    let types: Vec<Column> = prepared.iter().flat_map(|item| item.columns.clone()).collect();
    let tracked = tracking::ensure(engine, unit.set, &types).await?;
    super::remake_live(engine, unit.set, &tracked).await?;
    tracking::claim(engine, unit.set, &tracked, &run.token).await?;
    fail::fail_point!("claimed");
    let mut changes = Vec::new();
    for source in &set.sources {
        let state = unit.tracked(&tracked, source);
        changes.push(tracking::changes(engine, set, source, &state, false).await?);
    }
    let (known, plan) = decide(engine, set, &prepared, &state, now, &request.ask, &changes).await?;
    tracing::debug!("set {}: {:?} ({})", set.name, plan.mode, plan.reason);
    let Some(mode) = plan.mode else {
        // Notes without effect (a product that sold nothing) are done with all the same.
        engine.begin(Tx::Write).await?;
        ledger::pass_fence(engine, &set.name, state.fence).await?;
        for sql in tracking::consume_sql(engine, set, &changes, None) {
            engine.execute(&sql).await?;
        }
        let timed: Vec<&str> = unit
            .part
            .summaries
            .iter()
            .filter(|one| is_computed(one, false))
            .map(|one| one.name.as_str())
            .collect();
        if !timed.is_empty() {
            let at = ledger::stamp(started);
            engine.execute(&publication::computed(engine.dialect(), &set.name, &timed, &at)).await?;
        }
        engine.commit().await?;
        unit.heartbeat(engine, true).await?;
        return Ok(noop(set, start, &plan.reason));
    };

    let dialect = engine.dialect();
    let schema = engine.server().schema.clone();
    let mut empty = Vec::new();
    for item in &prepared {
        empty.push(engine.query(&format!("SELECT 1 FROM {} LIMIT 1", item.target)).await?.is_empty());
    }
    let look_up = plan.waves.len() != 1;
    scratch::ready(engine, set, &prepared, look_up, &mut state, run).await?;
    let mut work = Work {
        set,
        prepared: &prepared,
        run,
        schema,
        dialect,
        empty,
        settled: vec![false; prepared.len()],
        large,
        findings: Mutex::default(),
    };
    let rows: Vec<u64> = set
        .summaries
        .iter()
        .map(|summary| state.summary(&summary.name).and_then(|known| known.rows).unwrap_or(0))
        .collect();
    let mut helpers = helpers::open(context, request, engine, &plan, &rows, &known).await?;
    context.progress.start(&format!("refreshing {}", set.name), plan.steps() as u64);
    let staged = stage::stage(context, engine, &mut helpers, &mut work, &plan, &rows, &known).await;
    context.progress.finish(&format!("staged {}", set.name));
    drop(helpers);
    staged?;
    context.interrupt.check()?;

    let only = plan.only.as_ref().filter(|_| mode == Mode::Incremental && named(&request.ask));
    let only = only.map(|(columns, tuples)| (columns.as_slice(), tuples.as_slice()));
    let mut outcomes = outcomes(context, request, engine, &work, mode, &state, start).await?;
    for outcome in &mut outcomes {
        outcome.current = only.is_none();
        outcome.computed =
            only.is_none() && is_computed(&set.summaries[outcome.index], mode == Mode::Complete);
    }
    let record = RunRecord {
        run_id: run_id.to_owned(),
        set: set.name.clone(),
        mode: match mode {
            Mode::Complete => RunMode::Complete,
            Mode::Incremental => RunMode::Incremental,
        },
        status: RunEnd::Ok,
        started,
        seconds: start.elapsed().as_secs_f64(),
        partitions: plan.partitions as u64,
        counts: outcomes.iter().map(|outcome| outcome.counts).sum(),
        retries,
        error: None,
    };
    fail::fail_point!("publish");
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
                changed: outcome.changed.clone(),
            })
            .collect(),
        error: None,
        reason: Some(plan.reason),
        retries,
    })
}

/// Whether a run leaves a summary that moves with the clock as its SELECT says: one that says so itself only by a complete
/// run, one under retention by every run, which takes expired partitions out.
fn is_computed(summary: &Summary, complete: bool) -> bool {
    if summary.time_dependent.is_some() { complete } else { summary.keep.is_some() }
}

/// What to do, and the partitions that exist.
///
/// # Errors
/// A `--partition` or `--since` value that cannot be one (exit code 2); whatever the server says.
pub(super) async fn decide(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
    state: &SetState,
    now: SystemTime,
    ask: &Ask,
    changes: &[Changes],
) -> Result<(Vec<Known>, Plan)> {
    let known = inspect::known_partitions(engine, set, prepared, false).await?;
    let mut asked = affected::affected(engine, set, prepared, changes).await?;
    by_the_clock(engine, prepared, state, now, &mut asked).await?;
    let plan = Plan::make(set, state, ask, &known, &asked)?;
    let whole = |at: usize| plan.mode == Some(Mode::Complete) || asked.scopes.get(at).is_some_and(|s| s.all);
    let nameless = known.iter().any(|known| known.nameless);
    let hides = |(at, summary)| whole(at) && (nameless || inspect::may_hide_partitions(set, summary));
    if !set.summaries.iter().enumerate().any(hides) {
        return Ok((known, plan));
    }
    let known = inspect::known_partitions(engine, set, prepared, true).await?;
    let plan = Plan::make(set, state, ask, &known, &asked)?;
    Ok((known, plan))
}

/// Adds what the clock asks for: partitions that have expired, content that has moved.
///
/// # Errors
/// Whatever the server says.
async fn by_the_clock(
    engine: &mut dyn Engine,
    prepared: &[Prepared<'_>],
    state: &SetState,
    now: SystemTime,
    asked: &mut Asked,
) -> Result<()> {
    for (item, scope) in prepared.iter().zip(&mut asked.scopes) {
        scope.partitions.extend(super::keep::expired(engine, item).await?);
        forget_expired(item.summary, scope);
        if item.summary.time_dependent.is_some() && asked.all.is_none() {
            asked.all = super::unit::has_moved(item.summary, state, now);
        }
    }
    Ok(())
}

/// Keys in partitions that the summary no longer keeps need no recompute: those partitions go as a whole.
pub(super) fn forget_expired(summary: &Summary, scope: &mut Scope) {
    if summary.kept_from.is_some() {
        scope.keys.retain(|key| {
            !project(key, &summary.recompute_by, &summary.partition)
                .is_some_and(|part| summary.has_expired(&part))
        });
    }
}

/// Whether the caller named partitions, so that notes of others must stay.
fn named(ask: &Ask) -> bool {
    matches!(ask, Ask::Partitions(_) | Ask::Since(_))
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
        let written = counts.inserted + counts.updated + counts.deleted;
        stage::tell_planner(engine, work.delta(index), written).await?;
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
            // Rows that retention takes away were meant to go.
            let expired = publish::expired_in_delta(engine, work, index).await?;
            check::collapse_guard(
                &work.set.name,
                item.summary,
                context.config.run.max_shrink,
                before.saturating_sub(expired),
                counts.inserted,
                counts.deleted.saturating_sub(expired),
            )?;
        }
        outcomes.push(Outcome {
            index,
            counts,
            rows: (before + counts.inserted).saturating_sub(counts.deleted),
            seconds: start.elapsed().as_secs_f64(),
            partial: mode == Mode::Incremental && named(&request.ask),
            current: false,
            computed: false,
            changed: if counts.any() {
                let rows = work.changed_rows(index, item.columns.iter().map(|column| &column.name));
                super::changed_values(context, engine, &work.set.name, item, &rows).await?
            } else {
                Values::new()
            },
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
        let sql = d.bytes_sql(summary.schema_in(&work.schema), &summary.table);
        let bytes = engine.scalar(&sql).await.ok().flatten().and_then(|text| text.parse::<u64>().ok());
        if let Some(bytes) = bytes {
            let noted = publication::measured(engine, &work.set.name, &summary.name, bytes).await;
            if let Err(error) = noted {
                tracing::debug!("noting the size of {}: {error:#}", summary.table);
            }
        }
    }
}

/// The report of a publish whose COMMIT was answered by a broken connection.
pub(super) async fn republished(
    context: &Context,
    engine: &mut dyn Engine,
    set: &Set,
    retries: u32,
    start: Instant,
) -> Result<SetRefresh> {
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
                changed: super::unknown_values(context, &set.name, summary),
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

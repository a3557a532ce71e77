//! The refresh of materialized views, once the lock is held: everything in one transaction with one snapshot, so
//! that what is checked is what is published, and views that read each other become visible together.
//!
//! The database computes and applies the difference itself; dashagg keeps a copy of the rows before (a view is
//! small beside its sources) to count what changed, to let the collapse guard judge, and to undo a refresh that
//! changed nothing but ignored columns.

use std::time::Instant;

use anyhow::Result;

use super::{Request, Unit, check, inspect, noop, unit};
use crate::catalog::Method;
use crate::create;
use crate::engine::dialect::Scratch;
use crate::engine::names::{self, VIEW_SAVEPOINT};
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{DbError, Engine, ErrorClass, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::hooks::Values;
use crate::ledger::publication::{self, Published, View};
use crate::ledger::{self, Counts, RunEnd, RunMode, RunRecord, SetState};
use crate::plan::Ask;
use crate::refresh::inspect::Prepared;
use crate::report::{Mode as ReportMode, RunStatus, SetRefresh, SummaryRefresh};
use crate::session::Context;
use crate::tracking;
use crate::verify;

/// What happened to one view.
struct Refreshed {
    changed: Values,
    counts: Counts,
    rows: u64,
    seconds: f64,
}

#[allow(clippy::too_many_arguments)]
pub(super) async fn locked(
    context: &Context,
    request: &Request<'_>,
    unit: &Unit<'_>,
    run_id: &str,
    token: &str,
    retries: u32,
    start: Instant,
    engine: &mut dyn Engine,
) -> Result<SetRefresh> {
    let set = unit.set;
    if retries > 0 && publication::was_published(engine, run_id).await? {
        return super::tables::republished(context, engine, &unit.part, retries, start).await;
    }
    publication::ensure(engine, &set.name, &set.summaries).await?;
    let started = ledger::clock(engine).await? - start.elapsed();
    let prepared = inspect::inspect(engine, &unit.part).await?;
    let types = create::summary_columns(engine, set).await?;
    let tracked = tracking::ensure(engine, set, &types).await?;
    super::remake_live(engine, set, &tracked).await?;
    tracking::claim(engine, set, &tracked, token).await?;
    fail::fail_point!("claimed");
    // Read after the claim and before the snapshot: exactly the changes that the snapshot includes, or fewer.
    let state = SetState::read(engine, &set.name).await?.ok_or_else(|| ledger::missing(engine))?;
    let Some(reason) = why(engine, unit, request, &state).await? else {
        unit.heartbeat(engine, true).await?;
        return Ok(noop(set, start, "nothing changed"));
    };
    tracing::debug!("{}: {reason}", unit.label());
    context.progress.start(&format!("refreshing {}", unit.label()), prepared.len() as u64);

    engine.begin(Tx::Stage(None)).await?;
    let as_of = engine.scalar(engine.dialect().moment_sql()).await?.unwrap_or_default();
    let mut done = Vec::new();
    for item in &prepared {
        context.interrupt.check()?;
        done.push(refresh_view(context, request, unit, &prepared, item, engine).await?);
        context.progress.step(1);
    }
    fail::fail_point!("publish");
    let d = engine.dialect();
    ledger::pass_fence(engine, &set.name, state.fence).await?;
    let record = RunRecord {
        run_id: run_id.to_owned(),
        set: set.name.clone(),
        mode: RunMode::Complete,
        status: RunEnd::Ok,
        started,
        seconds: start.elapsed().as_secs_f64(),
        partitions: prepared.len() as u64,
        counts: done.iter().map(|view| view.counts).sum(),
        retries,
        error: None,
    };
    let own = engine.server().schema.clone();
    let published: Vec<Published<'_>> = prepared
        .iter()
        .zip(&done)
        .map(|(item, view)| Published {
            summary: item.summary,
            rows: view.rows,
            counts: view.counts,
            seconds: view.seconds,
            partial: false,
            current: true,
            computed: true,
            view: Some(View {
                changes: state.summary(&item.summary.name).map_or(0, |known| known.changes),
                as_of: as_of.clone(),
                bytes: d.bytes_sql(item.summary.schema_in(&own), &item.summary.table),
            }),
        })
        .collect();
    for sql in publication::record(d, &record, &published) {
        engine.execute(&sql).await?;
    }
    fail::fail_point!("publishing");
    engine.commit().await?;
    context.progress.finish(&format!("refreshed {}", unit.label()));

    Ok(SetRefresh {
        set: set.name.clone(),
        mode: ReportMode::Complete,
        status: RunStatus::Ok,
        seconds: start.elapsed().as_secs_f64(),
        partitions: prepared.len() as u64,
        summaries: prepared
            .iter()
            .zip(&done)
            .map(|(item, view)| SummaryRefresh {
                name: item.summary.name.clone(),
                table: item.summary.table.clone(),
                status: RunStatus::Ok,
                rows: Some(view.rows),
                inserted: view.counts.inserted,
                updated: view.counts.updated,
                deleted: view.counts.deleted,
                seconds: view.seconds,
                error: None,
                changed: view.changed.clone(),
            })
            .collect(),
        error: None,
        reason: Some(reason),
        retries,
    })
}

/// The reason to refresh a unit of views, without claiming anything.
///
/// # Errors
/// Whatever the server says.
pub(super) async fn foresee(
    engine: &mut dyn Engine,
    unit: &Unit<'_>,
    request: &Request<'_>,
    state: &SetState,
) -> Result<Option<String>> {
    if let Some(reason) = why(engine, unit, request, state).await? {
        return Ok(Some(reason));
    }
    Ok((!tracking::is_quiet(engine, &unit.part).await).then(|| "rows of its sources changed".to_owned()))
}

async fn why(
    engine: &mut dyn Engine,
    unit: &Unit<'_>,
    request: &Request<'_>,
    state: &SetState,
) -> Result<Option<String>> {
    match request.ask {
        Ask::Full => return Ok(Some("asked for".to_owned())),
        Ask::Partitions(_) | Ask::Since(_) => {
            return Err(Failure::usage(format!(
                "{} is a materialized view and has no partitions",
                unit.label()
            ))
            .hint("leave --partition and --since out, or name the summaries that they are for")
            .into());
        }
        Ask::Current => {}
    }
    for source in &unit.part.sources {
        if source.track != Method::Triggers {
            return Ok(Some(format!("changes of {} are not noted by triggers", source.name)));
        }
    }
    let now = ledger::clock(engine).await?;
    for summary in &unit.part.summaries {
        let populated = inspect::is_filled(engine, summary).await? == Some(true);
        let Some(known) =
            state.summary(&summary.name).filter(|known| known.published_at.is_some() && populated)
        else {
            return Ok(Some(format!("{} has never been built", summary.name)));
        };
        if known.select_checksum != summary.checksum {
            return Ok(Some(format!("the SELECT of {} changed", summary.name)));
        }
        if known.changes > known.changes_done {
            return Ok(Some("rows of its sources changed".to_owned()));
        }
        if let Some(moved) = unit::has_moved(summary, state, now) {
            return Ok(Some(moved));
        }
    }
    Ok(None)
}

async fn refresh_view(
    context: &Context,
    request: &Request<'_>,
    unit: &Unit<'_>,
    prepared: &[Prepared<'_>],
    item: &Prepared<'_>,
    engine: &mut dyn Engine,
) -> Result<Refreshed> {
    let began = Instant::now();
    let d = engine.dialect();
    let summary = item.summary;
    let own = engine.server().schema.clone();
    let concurrently = inspect::is_filled(engine, summary).await? == Some(true);
    let shapes = item.shapes(d);
    let before = d.scratch_name(&own, &names::before(summary.tier), Scratch::Private);
    if concurrently {
        let columns = shapes.compared_columns();
        engine.execute(&d.copy_private(&before, &item.target, &columns)).await?;
        engine.execute(&d.savepoint(VIEW_SAVEPOINT)).await?;
    }
    engine
        .execute(&d.refresh_view_sql(&item.target, concurrently))
        .await
        .map_err(|error| in_words(error, item))?;
    let rows = count(engine, &format!("SELECT COUNT(*) FROM {}", item.target)).await?;
    let mut counts = Counts { inserted: rows, ..Counts::default() };
    if concurrently {
        let sql = shapes.count_changes(&before);
        let row = engine.query(&sql).await?.into_iter().next().unwrap_or_default();
        let cell = |at: usize| row.get(at).cloned().flatten().and_then(|text| text.parse().ok()).unwrap_or(0);
        counts = Counts { inserted: cell(0), updated: cell(1), deleted: cell(2) };
    }
    null_keys(engine, item).await?;
    let as_it_is: Vec<Shadow> = prepared
        .iter()
        .map(|view| Shadow {
            table: view.summary.table.clone(),
            body: format!("SELECT * FROM {}", view.target),
        })
        .collect();
    for entry in &summary.checks {
        check::must_be_empty(engine, &unit.set.name, summary, entry, &shapes.with_clause(&as_it_is)).await?;
    }
    reconciled(engine, unit, prepared, item).await?;
    let previous = (rows + counts.deleted).saturating_sub(counts.inserted);
    if !request.allow_shrink && concurrently {
        check::collapse_guard(
            &unit.set.name,
            summary,
            context.config.run.max_shrink,
            previous,
            counts.inserted,
            counts.deleted,
        )?;
    }
    let mut changed = Values::new();
    if counts.any() {
        let columns = shapes.compared_columns();
        let rows = if concurrently {
            // Both the rows that came and the rows that went.
            let (old, new) =
                (format!("SELECT {columns} FROM {before}"), format!("SELECT {columns} FROM {}", item.target));
            d.differing(&old, &new)
        } else {
            item.target.clone()
        };
        changed = super::changed_values(context, engine, &unit.set.name, item, &rows).await?;
    }
    if concurrently {
        if !counts.any() {
            // Only ignored columns differ: leave the published rows as they are.
            engine.execute(&d.back_to(VIEW_SAVEPOINT)).await?;
        }
        engine.execute(&d.drop_scratch(&before, Scratch::Private)).await?;
    }
    Ok(Refreshed { changed, counts, rows, seconds: began.elapsed().as_secs_f64() })
}

async fn count(engine: &mut dyn Engine, sql: &str) -> Result<u64> {
    Ok(engine.scalar(sql).await?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// A unique index lets NULL in twice; a key must not.
async fn null_keys(engine: &mut dyn Engine, item: &Prepared<'_>) -> Result<()> {
    let d = engine.dialect();
    let any: Vec<String> = item.summary.key.iter().map(|name| format!("{} IS NULL", d.quote(name))).collect();
    let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", item.target, any.join(" OR "));
    let bad = count(engine, &sql).await?;
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::new(
        ExitCode::Failed,
        format!(
            "{}: {bad} rows have NULL in their key ({})",
            item.summary.select_file,
            item.summary.key.join(", ")
        ),
    )
    .hint("give such rows a value that no real row has; nothing was published")
    .into())
}

async fn reconciled(
    engine: &mut dyn Engine,
    unit: &Unit<'_>,
    prepared: &[Prepared<'_>],
    item: &Prepared<'_>,
) -> Result<()> {
    let Some(index) = prepared.iter().position(|other| other.summary.name == item.summary.name) else {
        return Ok(());
    };
    let found = verify::imbalances(engine, &unit.part, prepared, index, &Slice::All).await?;
    let Some(first) = found.1.first() else { return Ok(()) };
    Err(Failure::new(
        ExitCode::Failed,
        format!(
            "{}: {} adds up to {} where its source has {}",
            item.summary.select_file,
            first.column,
            first.actual.as_deref().unwrap_or("NULL"),
            first.expected.as_deref().unwrap_or("NULL")
        ),
    )
    .hint("look for a join that loses or multiplies rows; nothing was published")
    .into())
}

fn in_words(error: DbError, item: &Prepared<'_>) -> anyhow::Error {
    let summary = item.summary;
    match error.class {
        ErrorClass::Duplicate => Failure::new(
            ExitCode::Failed,
            format!(
                "{}: yields more than one row for the same key ({}): {error}",
                summary.select_file,
                summary.key.join(", ")
            ),
        )
        .hint(
            "make the GROUP BY match the key, or look for a join that multiplies rows; nothing was published",
        )
        .into(),
        ErrorClass::Denied => Failure::new(
            ExitCode::Failed,
            format!("refreshing {}: {error}", summary.table),
        )
        .hint(
            "the view's owner may refresh it, or a role with MAINTAIN on it on servers that have that right",
        )
        .into(),
        ErrorClass::Other | ErrorClass::Missing => {
            Failure::new(ExitCode::Failed, format!("{}: {error}", summary.select_file)).into()
        }
        _ => error.into(),
    }
}

//! The refresh of materialized views, once the lock is held: everything in one transaction with one snapshot, so
//! that what is checked is what is published, and views that read each other become visible together.
//!
//! The database computes and applies the difference itself; dashagg keeps a copy of the rows before (a view is
//! small beside its sources) to count what changed, to let the collapse guard judge, and to undo a refresh that
//! changed nothing but ignored columns.

use std::time::Instant;

use anyhow::Result;

use super::facts::Facts;
use super::run::Run;
use super::{Request, check};
use crate::catalog::Method;
use crate::engine::dialect::Scratch;
use crate::engine::names::{self, VIEW_SAVEPOINT};
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{DbError, Engine, ErrorClass, Tx, count_at};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect::{self, BoundSummary};
use crate::ledger::{Counts, SetState};
use crate::plan::Ask;
use crate::publish_group;
use crate::reconcile;
use crate::report::Values;

/// What happened to one view.
pub(super) struct Refreshed {
    pub index: usize,
    pub changed: Values,
    pub counts: Counts,
    pub rows: u64,
    pub seconds: f64,
}

/// Refreshes the views of a group, and checks them, in a transaction that stays open. Returns where the clock stood
/// too, in the server's own words.
///
/// # Errors
/// A check that fails, in words; whatever the server says.
pub(super) async fn stage(
    engine: &mut dyn Engine,
    run: &Run<'_>,
    facts: &Facts<'_>,
) -> Result<(String, Vec<Refreshed>)> {
    let progress = &run.context.progress;
    progress.start(&format!("refreshing {}", facts.group.label()), facts.prepared.len() as u64);
    engine.begin(Tx::Stage(None)).await?;
    let as_of = engine.scalar(engine.dialect().moment_sql()).await?.unwrap_or_default();
    let mut done = Vec::new();
    for index in 0..facts.prepared.len() {
        run.context.interrupt.check()?;
        done.push(refresh_view(engine, run, facts, index).await?);
        progress.step(1);
    }
    Ok((as_of, done))
}

/// The reason to refresh the views of a group, if there is one. `state`: as of after the claim.
///
/// # Errors
/// Partitions are asked for, which views have not; whatever the server says.
pub(super) async fn why(
    engine: &mut dyn Engine,
    facts: &Facts<'_>,
    request: &Request<'_>,
    state: &SetState,
) -> Result<Option<String>> {
    let group = facts.group;
    match request.ask {
        Ask::Full => return Ok(Some("asked for".to_owned())),
        Ask::Partitions(_) | Ask::Since(_) => {
            return Err(Failure::usage(format!(
                "{} is a materialized view and has no partitions",
                group.label()
            ))
            .hint("leave --partition and --since out, or name the summaries that they are for")
            .into());
        }
        Ask::Current => {}
    }
    for source in &group.subset.sources {
        if source.track != Method::Triggers {
            return Ok(Some(format!("changes of {} are not noted by triggers", source.name)));
        }
    }
    for summary in &group.subset.summaries {
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
        if let Some(moved) = publish_group::has_moved(summary, state, facts.now) {
            return Ok(Some(moved));
        }
    }
    Ok(None)
}

async fn refresh_view(
    engine: &mut dyn Engine,
    run: &Run<'_>,
    facts: &Facts<'_>,
    index: usize,
) -> Result<Refreshed> {
    let began = Instant::now();
    let d = engine.dialect();
    let item = &facts.prepared[index];
    let summary = item.summary;
    let own = engine.server().schema.clone();
    let concurrently = inspect::is_filled(engine, summary).await? == Some(true);
    let summary_sql = item.summary_sql(d);
    let before = d.scratch_name(&own, &names::before(summary.tier), Scratch::Private);
    if concurrently {
        let columns = summary_sql.compared_columns();
        engine.execute(&d.copy_private(&before, &item.target, &columns)).await?;
        engine.execute(&d.savepoint(VIEW_SAVEPOINT)).await?;
    }
    engine
        .execute(&d.refresh_view_sql(&item.target, concurrently))
        .await
        .map_err(|error| in_words(error, item))?;
    let rows = engine.count(&format!("SELECT COUNT(*) FROM {}", item.target)).await?;
    let mut counts = Counts { inserted: rows, ..Counts::default() };
    if concurrently {
        counts = changes(engine, &summary_sql.count_changes(&before)).await?;
    }
    check_view(engine, facts, index).await?;
    let previous = (rows + counts.deleted).saturating_sub(counts.inserted);
    if !run.request.allow_shrink && concurrently {
        let share = run.context.config.run.max_shrink;
        let name = &facts.set.name;
        check::collapse_guard(name, summary, share, previous, counts.inserted, counts.deleted)?;
    }
    let mut changed = Values::new();
    if counts.any() {
        let columns = summary_sql.compared_columns();
        let rows = if concurrently {
            // Both the rows that came and the rows that went.
            let (old, new) =
                (format!("SELECT {columns} FROM {before}"), format!("SELECT {columns} FROM {}", item.target));
            d.differing(&old, &new)
        } else {
            item.target.clone()
        };
        changed = super::changed_values(run.context, engine, &facts.set.name, item, &rows).await?;
    }
    if concurrently {
        if !counts.any() {
            // Only ignored columns differ: leave the published rows as they are.
            engine.execute(&d.back_to(VIEW_SAVEPOINT)).await?;
        }
        engine.execute(&d.drop_scratch(&before, Scratch::Private)).await?;
    }
    Ok(Refreshed { index, changed, counts, rows, seconds: began.elapsed().as_secs_f64() })
}

/// The counts of rows that came, changed and went.
async fn changes(engine: &mut dyn Engine, sql: &str) -> Result<Counts> {
    let row = engine.query(sql).await?.into_iter().next().unwrap_or_default();
    Ok(Counts { inserted: count_at(&row, 0)?, updated: count_at(&row, 1)?, deleted: count_at(&row, 2)? })
}

/// Keys, the manifest's own checks, and sums.
async fn check_view(engine: &mut dyn Engine, facts: &Facts<'_>, index: usize) -> Result<()> {
    let item = &facts.prepared[index];
    null_keys(engine, item).await?;
    let summary_sql = item.summary_sql(engine.dialect());
    let as_it_is: Vec<Shadow> = facts
        .prepared
        .iter()
        .map(|view| Shadow {
            table: view.summary.table.clone(),
            body: format!("SELECT * FROM {}", view.target),
        })
        .collect();
    for entry in &item.summary.checks {
        let with = summary_sql.with_clause(&as_it_is);
        check::must_be_empty(engine, &facts.set.name, item.summary, entry, &with).await?;
    }
    reconciled(engine, facts, index).await
}

/// A unique index lets NULL in twice; a key must not.
async fn null_keys(engine: &mut dyn Engine, item: &BoundSummary<'_>) -> Result<()> {
    let d = engine.dialect();
    let any: Vec<String> = item.summary.key.iter().map(|name| format!("{} IS NULL", d.quote(name))).collect();
    let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", item.target, any.join(" OR "));
    let bad = engine.count(&sql).await?;
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

async fn reconciled(engine: &mut dyn Engine, facts: &Facts<'_>, index: usize) -> Result<()> {
    let item = &facts.prepared[index];
    let found = reconcile::imbalances(engine, facts.set, &facts.prepared, index, &Slice::All).await?;
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

fn in_words(error: DbError, item: &BoundSummary<'_>) -> anyhow::Error {
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

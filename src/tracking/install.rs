//! Making a source's log and triggers, and what to say where that fails.

use anyhow::Result;

use super::ID_LENGTH;
use super::removal::{remove_sql, superfluous_triggers_sql};
use crate::catalog::{Set, Source};
use crate::checksum;
use crate::engine::track::TrackSpec;
use crate::engine::{DbError, Engine, ErrorClass, Shape, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;
use crate::ledger::sources::{self, Remembered, Tracking};

/// Makes a source's log and triggers, in place of those that the ledger remembers (`known`), and tells the ledger.
///
/// # Errors
/// An expression that fails in a trigger (exit code 2); whatever the server says.
pub(super) async fn install(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    spec: &TrackSpec,
    known: Option<&Remembered>,
) -> Result<()> {
    let d = engine.dialect();
    let transactional = d.transactional_ddl();
    if transactional {
        engine.begin(Tx::Write).await?;
    }
    for sql in d.rehearse_sql(spec) {
        if let Err(error) = engine.execute(&sql).await {
            let _ = engine.rollback().await;
            // The server's troubles, and rights, are none of the expression's.
            if matches!(
                error.class,
                ErrorClass::Transient | ErrorClass::Interrupted | ErrorClass::Denied | ErrorClass::Filtered
            ) {
                return Err(error.into());
            }
            return Err(Failure::usage(format!(
                "{}/summaries.toml: sources.{}.partition: an expression fails in a trigger: {error}",
                set.location, source.name
            ))
            .hint("a trigger finds only what the server itself brings: write functions, types and operators with their schema")
            .into());
        }
    }
    let mut statements = Vec::new();
    // Where the manifest asks for other columns now, or a note would no longer fit and fail the application's write. What
    // the old log held is covered by the complete refresh that comes of the gap.
    let old = match known.and_then(Remembered::trigger_id) {
        Some(id) if *id != spec.id => Some(id.to_owned()),
        _ => is_outgrown(engine, spec).await?.then(|| spec.id.clone()),
    };
    let replaced = old.is_some();
    match old {
        Some(id) => statements.extend(remove_sql(engine, &TrackSpec { id, ..spec.clone() }).await?),
        None => statements.extend(superfluous_triggers_sql(engine, spec).await?),
    }
    // PostgreSQL's names one for all, and so passes over the triggers that are there.
    let standing = if replaced || transactional { Vec::new() } else { standing(engine, spec).await? };
    statements.extend(d.log_ddl(spec));
    statements.extend(d.trigger_ddl(spec));
    statements.retain(|sql| !standing.iter().any(|name| sql.contains(&d.quote(name))));
    for sql in statements {
        if let Err(error) = engine.execute(&sql).await {
            let _ = engine.rollback().await;
            return Err(error.into());
        }
    }
    if transactional {
        engine.commit().await?;
    }
    remember(engine, set, source, known, &Tracking::by_triggers(&spec.id)).await
}

/// Names of the triggers that are just what would be made now.
pub(super) async fn standing(engine: &mut dyn Engine, spec: &TrackSpec) -> Result<Vec<String>> {
    let sql = engine.dialect().standing_sql(spec);
    Ok(engine.query(&sql).await?.into_iter().flatten().flatten().collect())
}

/// Whether the log's columns are of other types than they would be if it were made now: the source was altered.
async fn is_outgrown(engine: &mut dyn Engine, spec: &TrackSpec) -> Result<bool> {
    let d = engine.dialect();
    let Some(log) = Shape::read(engine, Some(&spec.schema), &spec.log()).await? else { return Ok(false) };
    let other = TrackSpec { id: checksum::hex(&spec.id)[..ID_LENGTH].to_owned(), ..spec.clone() };
    let made: Vec<String> = d.untrack_sql(&other).into_iter().chain(d.log_ddl(&other)).collect();
    for sql in made {
        engine.execute(&sql).await?;
    }
    let now = Shape::read(engine, Some(&spec.schema), &other.log()).await?.unwrap_or_default();
    for sql in d.untrack_sql(&other) {
        engine.execute(&sql).await?;
    }
    let types = |shape: &Shape| -> Vec<(String, String)> {
        shape.columns.iter().map(|column| (column.name.clone(), column.sql_type.clone())).collect()
    };
    Ok(types(&log) != types(&now))
}

/// Tells the ledger how a source is tracked from now on.
pub(super) async fn remember(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    known: Option<&Remembered>,
    tracking: &Tracking,
) -> Result<()> {
    let sql = sources::set_up(engine.dialect(), &set.name, &source.name, known.is_some(), tracking);
    ledger::in_write(engine, &[sql]).await
}

/// Whether the server minds who it is that makes triggers or tables. 1419: with binary logging, only who may do anything.
pub(super) fn is_refused(error: &DbError) -> bool {
    error.class == ErrorClass::Denied || error.code == "1419"
}

/// Why tracking by triggers cannot be set up, in words: which right is missing, and what else could be done.
pub(super) fn install_failure(source: &Source, error: DbError) -> anyhow::Error {
    let what = format!("tracking {} by triggers: {error}", source.table);
    let alternative = format!(
        "or choose another method for sources.{}: track = \"fingerprint\", {{ window = 3 }} or {{ watermark = \"…\" }}",
        source.name
    );
    match error.code.as_str() {
        "1419" => Failure::new(ExitCode::Failed, what)
            .hint(format!(
                "binary logging is on: set log_bin_trust_function_creators = 1 or grant SUPER; {alternative}"
            ))
            .into(),
        _ if error.class == ErrorClass::Denied => Failure::new(ExitCode::Failed, what)
            .hint(format!(
                "grant TRIGGER on {} (and CREATE in its schema, TEMPORARY on the database); {alternative}",
                source.table
            ))
            .into(),
        _ if matches!(error.class, ErrorClass::Transient | ErrorClass::Interrupted) => error.into(),
        _ => Failure::new(ExitCode::Failed, what).hint(alternative).into(),
    }
}

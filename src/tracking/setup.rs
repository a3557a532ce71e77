//! Setting tracking up, and telling whether it has been in place all the time.

use anyhow::Result;

use super::install::{install, install_failure, is_refused, remember, standing};
use super::orphans::adopt;
use super::removal::{remove_sql, untrack_sql};
use super::seen::{Seen, look, witness};
use super::upgrade;
use super::{Found, Tracked, legacy_id, outline, with_first_column};
use crate::catalog::{Method, Set, Source};
use crate::engine::track::{Cascade, TrackSpec};
use crate::engine::{DbError, Engine};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;
use crate::ledger::sources::{self, Remembered, Tracking};

/// A source's tracking with column types and keys read from the database, fit to make tables and triggers from.
///
/// # Errors
/// A source or a column that does not exist.
fn detail(
    engine: &dyn Engine,
    set: &Set,
    source: &Source,
    found: &Found<'_>,
    keys: &[ForeignKey],
) -> Result<TrackSpec> {
    let schema = engine.server().schema.clone();
    let mut spec = outline(set, source, &schema);
    let Some(shape) = found.tables.get(source.schema.as_deref(), &source.table) else {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("source table {} does not exist in {}", source.table, engine.server().database),
        )
        .hint(format!(
            "it belongs to your application; see sources.{} in {}/summaries.toml",
            source.name, set.location
        ))
        .into());
    };
    // Nothing to tell changes apart by; any note will do.
    spec = with_first_column(engine.dialect(), spec, Some(shape));
    for column in &mut spec.columns {
        let found = match column.expression {
            None => shape.column(&column.name),
            Some(_) => found.types.iter().find(|known| known.name.eq_ignore_ascii_case(&column.name)),
        };
        let Some(found) = found else {
            return Err(Failure::usage(format!(
                "{}/summaries.toml: sources.{}: table {} has no column {}",
                set.location, source.name, source.table, column.name
            ))
            .into());
        };
        column.column = found.clone();
        let zoned =
            column.expression.as_ref().and_then(|text| engine.dialect().zoned_column(text, &shape.columns));
        if let Some(zoned) = zoned {
            return Err(Failure::usage(format!(
                "{}/summaries.toml: sources.{}.partition.{}: the expression reads {zoned}, which is another time in \
                 every session's time zone",
                set.location, source.name, column.name
            ))
            .hint(format!("say which zone is meant: CONVERT_TZ({zoned}, @@session.time_zone, '+00:00')"))
            .into());
        }
    }
    spec.source_columns = shape.columns.iter().map(|column| column.name.clone()).collect();
    spec.unseen.clone_from(&shape.unseen);
    spec.cascades = cascades(keys, &source.table);
    spec.uniques = shape
        .indexes
        .iter()
        .filter(|index| index.unique && index.columns.iter().all(|name| !name.is_empty()))
        .map(|index| index.columns.clone())
        .collect();
    Ok(spec)
}

/// A column of a foreign key with an action: table, the table that it refers to, its column, the other's, its name.
type ForeignKey = [String; 5];

/// All of them, where the engine's triggers do not see what they do.
async fn foreign_keys(engine: &mut dyn Engine) -> Result<Vec<ForeignKey>> {
    let Some(sql) = engine.dialect().cascades_sql() else { return Ok(Vec::new()) };
    let rows = engine.query(&sql).await?.into_iter();
    Ok(rows.map(|row| std::array::from_fn(|at| row.get(at).cloned().flatten().unwrap_or_default())).collect())
}

/// The foreign keys by which changes reach a table behind its triggers' back: its own, and, since a cascaded
/// delete fires nothing either, those of its ancestors.
fn cascades(keys: &[ForeignKey], table: &str) -> Vec<Cascade> {
    let mut found: Vec<Cascade> = Vec::new();
    let mut reached = vec![table.to_owned()];
    let mut at = 0;
    while let Some(child) = reached.get(at).cloned() {
        for [of, parent, own, other, name] in keys.iter().filter(|row| row[0] == child) {
            let direct = of == table;
            let pair = (own.clone(), other.clone());
            // A key of several columns comes in several rows.
            match found.iter_mut().find(|known| known.parent == *parent && known.name == *name) {
                Some(known) if direct => known.columns.push(pair),
                Some(_) => {}
                None => found.push(Cascade {
                    parent: parent.clone(),
                    name: name.clone(),
                    columns: if direct { vec![pair] } else { Vec::new() },
                }),
            }
            if !reached.contains(parent) {
                reached.push(parent.clone());
            }
        }
        at += 1;
    }
    found
}

/// Who makes sure that tracking is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// `create`, which is there for this.
    Create,
    /// A refresh, which leaves triggers alone that are as they should be, and needs no right to make any: without, it is
    /// complete.
    Refresh,
}

/// Makes sure that every source's tracking is in place, before anything is computed.
///
/// # Errors
/// A missing right, in words: which one, and what else could be done.
pub async fn ensure(engine: &mut dyn Engine, set: &Set, found: &Found<'_>, by: By) -> Result<Vec<Tracked>> {
    if by == By::Create {
        adopt(engine, set).await?;
    }
    let keys = if set.sources.iter().any(|source| source.track == Method::Triggers) {
        foreign_keys(engine).await?
    } else {
        Vec::new()
    };
    let mut specs = Vec::new();
    for source in &set.sources {
        specs.push(match Tracking::without_triggers(&source.track) {
            Some(other) => Err(other),
            None => Ok(detail(engine, set, source, found, &keys)?),
        });
    }
    let same = |source: &Source, spec: &TrackSpec| {
        found.source(source).is_some_and(|known| known.trigger_id() == Some(&spec.id))
    };
    let asked: Vec<&TrackSpec> = set
        .sources
        .iter()
        .zip(&specs)
        .filter_map(|(source, spec)| spec.as_ref().ok().filter(|spec| same(source, spec)))
        .collect();
    let mut seen = if asked.is_empty() { Vec::new() } else { look(engine, &asked).await? }.into_iter();
    let mut all = Vec::new();
    for (source, spec) in set.sources.iter().zip(&specs) {
        let known = found.source(source);
        all.push(match spec {
            Err(other) => without_triggers(engine, set, source, known, other).await?,
            Ok(spec) => {
                let seen = if same(source, spec) { seen.next().unwrap_or_default() } else { Seen::default() };
                match by_triggers(engine, set, source, spec, (known, seen)).await {
                    Ok(tracked) => tracked,
                    Err(error) => match given_up(engine, error).await? {
                        refused if by == By::Refresh && is_refused(&refused) => {
                            unwatched(engine, set, source, spec, (known, refused)).await?
                        }
                        other => return Err(install_failure(source, other)),
                    },
                }
            }
        });
    }
    Ok(all)
}

async fn without_triggers(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    known: Option<&Remembered>,
    tracking: &Tracking,
) -> Result<Tracked> {
    let gap = match known {
        Some(known) if known.tracking == *tracking => None,
        _ => Some(format!("tracking of {} was just set up", source.name)),
    };
    if gap.is_some() {
        // Triggers that it had before would go on writing notes that nobody reads.
        if known.is_some_and(|known| known.trigger_id().is_some()) {
            let statements = untrack_sql(engine, set, source).await?;
            // In a transaction that gives up waiting: behind a reader that stays, writers would queue up.
            ledger::in_write(engine, &statements).await?;
        }
        remember(engine, set, source, known, tracking).await?;
    }
    Ok(Tracked { signature: None, gap, noted: true })
}

async fn by_triggers(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    spec: &TrackSpec,
    (known, seen): (Option<&Remembered>, Seen),
) -> Result<Tracked> {
    let (mut known, mut now, mut noted) = (known.cloned(), seen.signature, seen.noted);
    let legacy = legacy_id(set, source, &spec.schema);
    if let Some(old) = known.as_ref().filter(|old| old.trigger_id() == Some(&legacy)) {
        known = Some(upgrade::carry_over(engine, set, source, spec, old).await?);
        (now, noted) = (witness(engine, spec).await?, true);
    }
    let gap = match (&known, &now) {
        (Some(known), Some(now)) if known.witness.as_ref() == Some(now) => None,
        (Some(known), Some(_)) if known.witness.is_some() => Some(format!(
            "{} was truncated, altered or replaced, or its triggers were switched off for a while",
            source.table
        )),
        (Some(known), None) if known.witness.is_some() && known.trigger_id() == Some(&spec.id) => {
            Some(format!("triggers on {} were missing", source.table))
        }
        _ => Some(format!("tracking of {} was just set up", source.table)),
    };
    // Whatever opened the gap may also have changed what the triggers must look like.
    let now = match now {
        Some(now) if gap.is_none() => Some(now),
        Some(now) if known.is_some() && stand(engine, spec).await? => {
            // What is remembered may come true again: a partition that is attached for one night.
            if let Some(known) = known.as_ref().filter(|known| known.witness.is_some()) {
                // Else each write to one that was detached would make a complete refresh.
                if let Some(sql) = engine.dialect().strays_sql(spec) {
                    ledger::in_write(engine, &[sql]).await?;
                }
                remember(engine, set, source, Some(known), &known.tracking).await?;
            }
            Some(now)
        }
        _ => {
            install(engine, set, source, spec, known.as_ref()).await?;
            witness(engine, spec).await?
        }
    };
    if now.is_none() {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("the change triggers on {} do not show after they were made", source.table),
        )
        .hint("grant the TRIGGER privilege on the source, or use track = \"fingerprint\"")
        .into());
    }
    Ok(Tracked { signature: now, noted: noted || gap.is_some(), gap })
}

/// Whether the triggers of a source are those that would be made now, so that none needs to be.
async fn stand(engine: &mut dyn Engine, spec: &TrackSpec) -> Result<bool> {
    let standing = standing(engine, spec).await?;
    Ok(engine.dialect().made_names(spec).iter().all(|name| standing.contains(name)))
}

/// What the server said, once what was begun is undone.
async fn given_up(engine: &mut dyn Engine, error: anyhow::Error) -> Result<DbError> {
    let _ = engine.rollback().await;
    error.downcast::<DbError>()
}

/// Goes on without triggers that this user may not make: each refresh is complete, until somebody does who may.
///
/// # Errors
/// `why`, with advice, where there are no tables to claim notes from.
async fn unwatched(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    spec: &TrackSpec,
    (known, refused): (Option<&Remembered>, DbError),
) -> Result<Tracked> {
    let (d, table) = (engine.dialect(), &source.table);
    let run = format!("run `dashagg create {}` as the user who made the triggers or owns {table}", set.name);
    let mut there = known.is_some_and(|known| known.trigger_id() == Some(&spec.id));
    for name in [spec.log(), spec.work()] {
        there = there && !engine.query(&d.tables_like_sql(&name)).await?.is_empty();
    }
    let why = format!("tracking {table} by triggers: {refused}");
    if !there {
        return Err(Failure::new(ExitCode::Failed, why).hint(run).into());
    }
    tracing::warn!("{why}; {run}; until then each refresh is complete");
    if known.is_some_and(|known| !known.is_unwatched()) {
        let mark = sources::witnessed(d, &set.name, &source.name, sources::UNWATCHED);
        ledger::in_write(engine, &[mark]).await?;
    }
    let gap = format!("triggers on {table} are missing or out of date, and this user may not make them");
    Ok(Tracked { signature: None, noted: true, gap: Some(gap) })
}

/// The SQL by which [`ensure`] would set tracking up, for `create --dry-run`. Only looks.
///
/// # Errors
/// A source or a column that does not exist.
pub async fn preview(engine: &mut dyn Engine, set: &Set, found: &Found<'_>) -> Result<Vec<String>> {
    let d = engine.dialect();
    let mut sql = Vec::new();
    let keys = foreign_keys(engine).await?;
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let spec = detail(engine, set, source, found, &keys)?;
        let same = found.source(source).is_some_and(|known| known.trigger_id() == Some(&spec.id));
        if !same || witness(engine, &spec).await?.is_none() {
            sql.extend(d.log_ddl(&spec));
            sql.extend(d.trigger_ddl(&spec));
        }
    }
    Ok(sql)
}

/// The SQL that takes away what tracking has set up for sources that the manifest no longer has.
///
/// # Errors
/// Whatever the server says.
pub async fn forgotten_sql(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    let used: Vec<String> = set.sources.iter().map(|source| outline(set, source, &schema).id).collect();
    let mut sql = Vec::new();
    for gone in sources::read_all(engine, &set.name).await? {
        if set.sources.iter().any(|known| known.name == gone.source) {
            continue;
        }
        // A source that only got another name keeps what it has.
        if let Some(id) = gone.trigger_id().filter(|id| !used.iter().any(|used| used == id)) {
            let spec = TrackSpec { id: id.to_owned(), schema: schema.clone(), ..TrackSpec::default() };
            sql.extend(remove_sql(engine, &spec).await?);
        }
        sql.push(sources::forget(d, &set.name, &gone.source));
    }
    Ok(sql)
}

//! From what changed in the sources to what must be recomputed of each summary that reads them.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::catalog::{Set, Source, Summary};
use crate::engine::{Dialect, Engine};
use crate::inspect::BoundSummary;
use crate::plan::{Asked, Scope, Tuple, project};
use crate::tracking::{self, Changes};

/// Works out the scopes. Tiers above follow while they are computed.
///
/// # Errors
/// Whatever the server says.
pub async fn affected(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    changes: &[Changes],
) -> Result<Asked> {
    let mut asked = Asked { all: None, scopes: vec![Scope::default(); prepared.len()] };
    for (at, (source, changes)) in set.sources.iter().zip(changes).enumerate() {
        if !changes.any() {
            continue;
        }
        let readers: Vec<usize> = (0..prepared.len())
            .filter(|index| prepared[*index].summary.reads_sources.contains(&at))
            .collect();
        if readers.is_empty() {
            continue;
        }
        if let Some(reason) = &changes.all {
            asked.all.get_or_insert_with(|| reason.clone());
            continue;
        }
        for index in readers {
            let item = &prepared[index];
            let scope = match &source.invalidates {
                Some((summary, on)) => {
                    let keys = source_keys(source, changes, on);
                    let place = set.summaries.iter().position(|known| known.name == *summary);
                    match keys.zip(place) {
                        Some((keys, place)) => {
                            let occurs = Occurs { item: &prepared[place], on, changes, keys: &keys };
                            dimension(engine, &occurs, item.summary).await?
                        }
                        None => None,
                    }
                }
                None => fact(engine.dialect(), item, source, changes),
            };
            match scope {
                Some(scope) => {
                    let into = &mut asked.scopes[index];
                    into.partitions.extend(scope.partitions);
                    into.keys.extend(scope.keys);
                }
                None => {
                    asked.all.get_or_insert_with(|| {
                        format!(
                            "{} changed, and nothing tells which rows of {} read it",
                            source.name, item.summary.name
                        )
                    });
                }
            }
        }
    }
    Ok(asked)
}

/// Scope of a summary that groups a partitioned source; `None`: everything.
fn fact(d: &dyn Dialect, item: &BoundSummary<'_>, source: &Source, changes: &Changes) -> Option<Scope> {
    let summary = item.summary;
    let mut scope = Scope::default();
    // Where the source equates texts that the summary tells apart, a note may stand for several keys, or for one that
    // is spelled in another way by now. A partition has them all.
    let alike = |(name, how): (&String, &String)| {
        item.column(name).is_none_or(|column| d.loose(column) == Some(how.as_str()))
    };
    let by_key = !summary.recompute_by.is_empty() && changes.loose.iter().all(alike);
    if summary.partition.is_empty() && (!by_key || !changes.partitions.is_empty()) {
        return None;
    }
    let parts = &source.track_columns[..changes.partition];
    // No summary has NULL in its key: the SELECT puts something else there, and only the SELECT knows what.
    let known = |tuple: &Tuple| tuple.iter().all(Option::is_some);
    for tuple in &changes.partitions {
        scope.partitions.insert(project(tuple, parts, &summary.partition).filter(known)?);
    }
    for key in &changes.keys {
        let grained = if by_key {
            project(key, &source.track_columns, &summary.recompute_by).filter(known)
        } else {
            None
        };
        match grained {
            Some(key) => {
                scope.keys.insert(key);
            }
            None => {
                scope
                    .partitions
                    .insert(project(key, &source.track_columns, &summary.partition).filter(known)?);
            }
        }
    }
    Some(scope)
}

/// Where a dimension's changed keys occur.
struct Occurs<'o> {
    /// The summary whose published rows have them.
    item: &'o BoundSummary<'o>,
    /// By these columns.
    on: &'o [String],
    changes: &'o Changes,
    keys: &'o BTreeSet<Tuple>,
}

/// The keys of a dimension that changed, by the columns that it has in common with a summary.
fn source_keys(source: &Source, changes: &Changes, on: &[String]) -> Option<BTreeSet<Tuple>> {
    let all = changes.keys.iter().chain(&changes.partitions);
    all.map(|key| project(key, &source.track_columns, on)).collect()
}

/// Scope of a summary that joins a dimension: wherever the changed keys occur in published rows. (Rows that
/// are not published yet have notes of their own.)
async fn dimension(engine: &mut dyn Engine, occurs: &Occurs<'_>, summary: &Summary) -> Result<Option<Scope>> {
    let Occurs { item: occurs_in, on, changes, keys } = *occurs;
    if on.iter().any(|name| occurs_in.column(name).is_none()) {
        return Ok(None);
    }
    let has = |columns: &[String]| {
        !columns.is_empty() && columns.iter().all(|name| occurs_in.column(name).is_some())
    };
    if has(&summary.recompute_by)
        && let Some(found) =
            tracking::occurrences(engine, occurs_in, on, &changes.loose, keys, &summary.recompute_by).await?
    {
        return Ok(Some(Scope { keys: found, ..Scope::default() }));
    }
    if has(&summary.partition)
        && let Some(found) =
            tracking::occurrences(engine, occurs_in, on, &changes.loose, keys, &summary.partition).await?
    {
        return Ok(Some(Scope { partitions: found, ..Scope::default() }));
    }
    Ok(None)
}

//! From what changed in the sources to what must be recomputed of each summary that reads them.

use anyhow::Result;

use super::inspect::Prepared;
use crate::catalog::{Set, Source};
use crate::engine::Engine;
use crate::plan::{Asked, Scope, Tuple, project};
use crate::tracking::{self, Changes};

/// Works out the scopes. Tiers above follow while they are computed.
///
/// # Errors
/// Whatever the server says.
pub async fn affected(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
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
                    dimension(engine, set, prepared, source, changes, summary, on, index).await?
                }
                None => fact(item, source, changes),
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
fn fact(item: &Prepared<'_>, source: &Source, changes: &Changes) -> Option<Scope> {
    let summary = item.summary;
    let mut scope = Scope::default();
    if summary.partition.is_empty() && (summary.grain.is_empty() || !changes.partitions.is_empty()) {
        return None;
    }
    let parts = &source.log[..changes.partition];
    for tuple in &changes.partitions {
        scope.partitions.insert(project(tuple, parts, &summary.partition)?);
    }
    for key in &changes.keys {
        let grained = if summary.grain.is_empty() { None } else { project(key, &source.log, &summary.grain) };
        match grained {
            Some(key) => {
                scope.keys.insert(key);
            }
            None => {
                scope.partitions.insert(project(key, &source.log, &summary.partition)?);
            }
        }
    }
    Some(scope)
}

/// Scope of a summary that joins a dimension: wherever the changed keys occur in its published rows. (Rows that
/// are not published yet have notes of their own.)
#[allow(clippy::too_many_arguments)]
async fn dimension(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
    source: &Source,
    changes: &Changes,
    named: &str,
    on: &[String],
    reader: usize,
) -> Result<Option<Scope>> {
    let Some(place) = set.summaries.iter().position(|summary| summary.name == named) else {
        return Ok(None);
    };
    let keys: Option<std::collections::BTreeSet<Tuple>> =
        changes.keys.iter().chain(&changes.partitions).map(|key| project(key, &source.log, on)).collect();
    let Some(keys) = keys else { return Ok(None) };
    let (occurs_in, summary) = (&prepared[place], prepared[reader].summary);
    if on.iter().any(|name| occurs_in.column(name).is_none()) {
        return Ok(None);
    }
    let has = |columns: &[String]| {
        !columns.is_empty() && columns.iter().all(|name| occurs_in.column(name).is_some())
    };
    if has(&summary.grain)
        && let Some(found) = tracking::occurrences(engine, occurs_in, on, &keys, &summary.grain).await?
    {
        return Ok(Some(Scope { keys: found, ..Scope::default() }));
    }
    if has(&summary.partition)
        && let Some(found) = tracking::occurrences(engine, occurs_in, on, &keys, &summary.partition).await?
    {
        return Ok(Some(Scope { partitions: found, ..Scope::default() }));
    }
    Ok(None)
}

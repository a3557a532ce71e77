//! What of a summary waits for the next refresh, and so may differ from its sources without being wrong.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::catalog::{Set, Source};
use crate::engine::Engine;
use crate::inspect::BoundSummary;
use crate::plan::{Tuple, project};
use crate::tracking;

/// Partitions of a summary that wait, under its own partition columns. `None`: nothing tells which, so all of them.
///
/// # Errors
/// Whatever the server says.
pub(super) async fn of_summary(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    index: usize,
) -> Result<Option<BTreeSet<Tuple>>> {
    let partition = &prepared[index].summary.partition;
    let mut all = BTreeSet::new();
    for source in set.sources_below(index) {
        let found = match &set.sources[source].invalidates {
            None => tracking::pending_values(engine, set, &set.sources[source], partition).await?,
            Some(invalidates) => {
                dimension(engine, set, prepared, &set.sources[source], invalidates, partition).await?
            }
        };
        match found {
            Some(found) => all.extend(found),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// The partitions in whose published rows a dimension's changed keys occur: those of the summary that it `invalidates`,
/// by the columns there that hold them.
async fn dimension(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    source: &Source,
    (named, on): &(String, Vec<String>),
    partition: &[String],
) -> Result<Option<BTreeSet<Tuple>>> {
    let Some(keys) = tracking::pending_values(engine, set, source, on).await? else { return Ok(None) };
    if keys.is_empty() {
        return Ok(Some(keys));
    }
    let Some(occurs_in) = prepared.iter().find(|item| item.summary.name == *named) else { return Ok(None) };
    let below = &occurs_in.summary.partition;
    if partition.is_empty()
        || partition.iter().any(|name| !below.contains(name))
        || on.iter().any(|name| occurs_in.column(name).is_none())
    {
        return Ok(None);
    }
    let loose = tracking::loose(engine, source).await?;
    let found = tracking::occurrences(engine, occurs_in, on, &loose, &keys, below).await?;
    Ok(found.and_then(|tuples| tuples.iter().map(|tuple| project(tuple, below, partition)).collect()))
}

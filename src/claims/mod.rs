//! What a manifest claims of a SELECT and data can refute: that with `recompute_by` each row is made only of rows with
//! the same values in these columns. A false claim would publish wrong rows at the first refresh by key.
//!
//! The claim is about all possible content, so a small part of the real one serves: some rows of the sources as the
//! world, and in it the SELECT over one group alone laid beside the SELECT over everything.

mod view;
mod world;

use anyhow::{Context as _, Result};

use self::world::{Verdict, World};
use crate::catalog::Set;
use crate::engine::{Engine, Tx};
use crate::error::Failure;
use crate::inspect::BoundSummary;

/// Looks for rows that refute what a set claims of some of its summaries (`which`), and returns those of them whose claim
/// was put to the test, or never can be. Only reads.
///
/// # Errors
/// A false claim: exit code 2, naming the rows that prove it. Whatever the server says.
pub async fn refute(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    which: &[usize],
) -> Result<Vec<usize>> {
    let claiming = |at: &usize| !prepared[*at].summary.recompute_by.is_empty();
    let which: Vec<usize> = which.iter().copied().filter(claiming).collect();
    if which.is_empty() {
        return Ok(which);
    }
    engine.begin(Tx::Read).await?;
    let result = refute_each(engine, set, prepared, &which).await;
    engine.rollback().await?;
    result
}

async fn refute_each(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    which: &[usize],
) -> Result<Vec<usize>> {
    let world = World::read(engine, set, prepared).await?;
    let mut tested = Vec::new();
    for index in which {
        let item = &prepared[*index];
        let verdict = world.refutation(engine, *index).await.with_context(|| {
            format!("comparing groups of {} with the whole, for its `recompute_by`", item.summary.name)
        })?;
        if verdict != Verdict::NoRows {
            tested.push(*index);
        }
        if let Verdict::False(why) = verdict {
            let by = item.summary.recompute_by.join(", ");
            return Err(Failure::usage(format!(
                "{}/summaries.toml: summaries.{}.recompute_by ({by}) is not true of {}: {why}",
                set.location, item.summary.name, item.summary.select_file
            ))
            .hint(
                "name only columns in which every row is like all the rows that it is made of; without \
                 `recompute_by`, whole partitions are recomputed",
            )
            .into());
        }
    }
    Ok(tested)
}

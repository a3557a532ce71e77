//! What a manifest claims of a SELECT and data can refute: that with `recompute_by` each row is made only of rows with
//! the same values in these columns. A false claim would publish wrong rows at the first refresh by key.
//!
//! The claim is about all possible content, so a small part of the real one serves: some rows of the sources as the
//! world, and in it the SELECT over one group alone laid beside the SELECT over everything.

mod view;
mod world;

use anyhow::Result;

use self::world::{Verdict, World};
use crate::catalog::{Set, Summary};
use crate::engine::{DbError, Engine, ErrorClass, Tx};
use crate::error::Failure;
use crate::inspect::BoundSummary;

/// Looks for rows that refute what a set claims of some of its summaries (`which`), and returns those of them whose claim
/// was put to the test, or cannot be, which is said. Only reads.
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
    let mut tested = Vec::new();
    for index in which {
        engine.begin(Tx::Read).await?;
        let verdict = verdict(engine, set, prepared, index).await;
        engine.rollback().await?;
        let item = prepared[index].summary;
        match verdict? {
            Verdict::False(why) => return Err(refuted(set, item, &why).into()),
            Verdict::Stands => tested.push(index),
            Verdict::NoRows => {}
            Verdict::Untested(why) => {
                let name = format!("{}.{}", set.name, item.name);
                tracing::warn!("{name}: what its `recompute_by` claims cannot be put to the test: {why}");
                tested.push(index);
            }
        }
    }
    Ok(tested)
}

/// What the rows say. The SELECT is run over a part of its tables, which it need not bear: what the server then says
/// against it is no failure of ours.
async fn verdict(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    index: usize,
) -> Result<Verdict> {
    let judging = async {
        let world = World::read(engine, set, prepared).await?;
        world.refutation(engine, index).await
    };
    match judging.await {
        Err(error) => match error.downcast_ref::<DbError>() {
            Some(said) if !said.is_transient() && !AWAY.contains(&said.class) => {
                Ok(Verdict::Untested(said.to_string()))
            }
            _ => Err(error),
        },
        verdict => verdict,
    }
}

/// Errors that are about the connection, not about what was asked.
const AWAY: [ErrorClass; 2] = [ErrorClass::Connect, ErrorClass::Interrupted];

fn refuted(set: &Set, summary: &Summary, why: &str) -> Failure {
    Failure::usage(format!(
        "{}/summaries.toml: summaries.{}.recompute_by ({}) is not true of {}: {why}",
        set.location,
        summary.name,
        summary.recompute_by.join(", "),
        summary.select_file
    ))
    .hint(
        "name only columns in which every row is like all the rows that it is made of; without \
         `recompute_by`, whole partitions are recomputed",
    )
}

//! The one transaction that makes staged rows the truth: fence, apply each tier's delta, write the
//! ledger, commit. Readers go from old to new at the commit, whatever their snapshot.

use std::collections::BTreeMap;

use anyhow::Result;

use super::work::Work;
use crate::engine::statements::{OP, Shapes};
use crate::engine::{DbError, Engine, ErrorClass, Tx};
use crate::hooks::Values;
use crate::ledger::publication::{self, Published};
use crate::ledger::{self, Counts, RunRecord, SetState};

/// Those of a delta that have this mark.
fn of(counts: Counts, mark: char) -> u64 {
    match mark {
        'I' => counts.inserted,
        'U' => counts.updated,
        _ => counts.deleted,
    }
}

/// Counts the delta of one summary.
///
/// # Errors
/// Whatever the server says.
pub async fn count_delta(engine: &mut dyn Engine, work: &Work<'_>, index: usize) -> Result<Counts> {
    let op = work.dialect.quote(OP);
    let sql =
        format!("SELECT {op}, COUNT(*) FROM {} d WHERE {} GROUP BY {op}", work.delta(index), work.own());
    let mut by_mark: BTreeMap<String, u64> = BTreeMap::new();
    for row in engine.query(&sql).await? {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mark = cells.next().unwrap_or_default();
        let count = cells.next().and_then(|text| text.parse().ok()).unwrap_or(0);
        by_mark.insert(mark, count);
    }
    let get = |mark: &str| by_mark.get(mark).copied().unwrap_or(0);
    Ok(Counts { inserted: get("I"), updated: get("U"), deleted: get("D") })
}

/// How many rows of a delta leave by retention.
///
/// # Errors
/// Whatever the server says.
pub async fn expired_in_delta(engine: &mut dyn Engine, work: &Work<'_>, index: usize) -> Result<u64> {
    let summary = work.prepared[index].summary;
    let (Some(first), Some(column)) = (&summary.kept_from, summary.partition.first()) else { return Ok(0) };
    let d = work.dialect;
    let sql = format!(
        "SELECT COUNT(*) FROM {} d WHERE {} AND {} = 'D' AND {} < {}",
        work.delta(index),
        work.own(),
        d.quote(OP),
        d.quote(column),
        d.literal(first)
    );
    Ok(engine.scalar(&sql).await?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// What goes into the ledger for one summary.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Index into the set's summaries.
    pub index: usize,
    /// Its delta.
    pub counts: Counts,
    /// Rows after the publish.
    pub rows: u64,
    /// Seconds the run took so far.
    pub seconds: f64,
    /// Values that hooks want to know.
    pub changed: Values,
    /// Others of its partitions were left waiting.
    pub partial: bool,
    /// Nothing of it waits.
    pub current: bool,
    /// It moves with the clock, and is as of the run's start now.
    pub computed: bool,
}

/// Publishes. `state` is what was read when the run began: its fence is the one to pass. `consume`: statements
/// that forget the notes which this publish covers.
///
/// # Errors
/// A transient error when another run published in between, or when rows changed under the delta; the
/// caller starts again from the beginning. Anything else: nothing was published.
pub async fn publish(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    state: &SetState,
    outcomes: &[Outcome],
    record: &RunRecord,
    consume: &[String],
) -> Result<()> {
    engine.begin(Tx::Write).await?;
    match inside(engine, work, state, outcomes, record, consume).await {
        Ok(()) => {
            fail::fail_point!("publishing");
            engine.commit().await?;
            Ok(())
        }
        Err(error) => {
            // The first error is the one that matters; a failed roll-back ends with the connection.
            let _ = engine.rollback().await;
            Err(error)
        }
    }
}

async fn inside(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    state: &SetState,
    outcomes: &[Outcome],
    record: &RunRecord,
    consume: &[String],
) -> Result<()> {
    let d = work.dialect;
    ledger::pass_fence(engine, &work.set.name, state.fence).await?;
    let mut published = Vec::new();
    for outcome in outcomes {
        let item = &work.prepared[outcome.index];
        let shapes = Shapes { marks: work.run.marks(0), ..item.shapes(d) };
        if outcome.counts.any() {
            for (sql, marks) in shapes.apply(work.delta(outcome.index), item.replace) {
                let expected: u64 = marks.iter().map(|mark| of(outcome.counts, *mark)).sum();
                if expected == 0 {
                    continue;
                }
                let written = match engine.execute(&sql).await {
                    // Someone wrote the summary by hand since it was compared.
                    Err(error) if error.class == ErrorClass::Duplicate => {
                        return Err(again(&format!("{}: {error}", item.summary.table)));
                    }
                    other => other?,
                };
                if written != expected {
                    return Err(again(&format!(
                        "{} was changed by another program while it was being refreshed",
                        item.summary.table
                    )));
                }
                fail::fail_point!("applying");
            }
        }
        published.push(Published {
            summary: item.summary,
            rows: outcome.rows,
            counts: outcome.counts,
            seconds: outcome.seconds,
            partial: outcome.partial,
            current: outcome.current,
            computed: outcome.computed,
            view: None,
        });
    }
    for sql in consume.iter().chain(&publication::record(d, record, &published)) {
        engine.execute(sql).await?;
    }
    Ok(())
}

fn again(message: &str) -> anyhow::Error {
    DbError::new(ErrorClass::Transient, message).into()
}

//! The one transaction that makes staged rows the truth: fence, apply each tier's delta, write the
//! ledger, commit. Readers go from old to new at the commit, whatever their snapshot.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

use super::work::Work;
use crate::catalog::Summary;
use crate::engine::statements::{OP, Shapes};
use crate::engine::{DbError, Dialect, Engine, ErrorClass, Tx};
use crate::hooks::Values;
use crate::ledger::{self, RunRecord, SetState};

/// Rows that a delta inserts, updates and deletes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows to insert.
    pub inserted: u64,
    /// Rows to update.
    pub updated: u64,
    /// Rows to delete.
    pub deleted: u64,
}

impl Counts {
    /// Whether anything differs.
    pub fn any(self) -> bool {
        self.inserted + self.updated + self.deleted > 0
    }

    fn of(self, mark: char) -> u64 {
        match mark {
            'I' => self.inserted,
            'U' => self.updated,
            _ => self.deleted,
        }
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
}

/// What the ledger is told of one published summary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Rows after the publish.
    pub rows: u64,
    /// Rows written.
    pub counts: Counts,
    /// Seconds the run took so far.
    pub seconds: f64,
    /// Others of its partitions were left waiting, so that as a whole it is as old as it was.
    pub partial: bool,
}

/// Publishes. `state` is what was read when the run began: its generation is the fence. `consume`: statements
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
    ledger::pass_fence(engine, &work.set.name, state.generation).await?;
    for outcome in outcomes {
        let item = &work.prepared[outcome.index];
        let shapes = Shapes { marks: work.run.marks(0), ..item.shapes(d) };
        if outcome.counts.any() {
            for (sql, marks) in shapes.apply(work.delta(outcome.index), item.replace) {
                let expected: u64 = marks.iter().map(|mark| outcome.counts.of(*mark)).sum();
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
        let written = Written {
            rows: outcome.rows,
            counts: outcome.counts,
            seconds: outcome.seconds,
            partial: outcome.partial,
        };
        for sql in ledger_rows(d, &work.set.name, item.summary, written, record) {
            engine.execute(&sql).await?;
        }
    }
    for sql in consume {
        engine.execute(sql).await?;
    }
    engine.execute(&record.insert(d)).await?;
    engine.execute(&ledger::forget_old_runs(d, &record.set, record.started)).await?;
    Ok(())
}

fn again(message: &str) -> anyhow::Error {
    DbError::new(ErrorClass::Transient, message).into()
}

/// What the ledger keeps of a published summary.
pub(super) fn ledger_rows(
    d: &dyn Dialect,
    set: &str,
    summary: &Summary,
    written: Written,
    record: &RunRecord,
) -> [String; 2] {
    let Written { rows, counts, seconds, partial } = written;
    let at = ledger::stamp(record.started + std::time::Duration::from_secs_f64(record.seconds));
    let (set, name) = (d.literal(set), d.literal(&summary.name));
    let published = if partial { String::new() } else { format!("published_at = '{at}', ") };
    [
        // The bytes on disk outlive this row; keep what was measured last.
        format!(
            "UPDATE dashagg_summary SET table_name = {}, tier = {}, select_checksum = '{}', row_count = {}, \
             {published}run_id = {}, mode = '{}', seconds = {:.3}, inserted = {}, updated = {}, deleted = {} \
             WHERE set_name = {set} AND summary = {name}",
            d.literal(&summary.table),
            summary.tier,
            summary.checksum,
            rows,
            d.literal(&record.run_id),
            record.mode,
            seconds,
            counts.inserted,
            counts.updated,
            counts.deleted,
        ),
        format!(
            "INSERT INTO dashagg_summary (set_name, summary, table_name, tier, select_checksum, row_count, \
             published_at, run_id, mode, seconds, inserted, updated, deleted) \
             SELECT {set}, {name}, {}, {}, '{}', {}, '{at}', {}, '{}', {:.3}, {}, {}, {} FROM dashagg_set s \
             WHERE s.set_name = {set} AND NOT EXISTS (SELECT 1 FROM dashagg_summary x WHERE x.set_name = {set} AND x.summary = {name})",
            d.literal(&summary.table),
            summary.tier,
            summary.checksum,
            rows,
            d.literal(&record.run_id),
            record.mode,
            seconds,
            counts.inserted,
            counts.updated,
            counts.deleted,
        ),
    ]
}

/// Whether a run whose COMMIT went unanswered was published after all.
///
/// # Errors
/// Whatever the server says.
pub async fn was_published(engine: &mut dyn Engine, run_id: &str) -> Result<bool> {
    let sql = format!(
        "SELECT COUNT(*) FROM dashagg_run WHERE run_id = {} AND status = 'ok'",
        engine.dialect().literal(run_id)
    );
    let count = engine.scalar(&sql).await?.ok_or_else(|| anyhow!("COUNT returned nothing"))?;
    Ok(count != "0")
}

//! One summary as it is verified: what of it is compared, with what, and what comes of it.

use anyhow::Result;

use super::compare::Comparison;
use crate::catalog::Set;
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{Dialect, Engine};
use crate::inspect::BoundSummary;
use crate::plan::{Chosen, Tuple};
use crate::reconcile::imbalances;
use crate::report::{SummaryVerify, VerifyReport};
use crate::session::Context;

/// Partitions that are compared by one statement; `None`: the whole summary.
pub(super) type Chunk = Option<Vec<Tuple>>;

/// A summary, among those that it reads.
pub(super) struct Subject<'a> {
    /// What publishes together.
    pub set: &'a Set,
    /// Its summaries.
    pub prepared: &'a [BoundSummary<'a>],
    /// Which of them.
    pub index: usize,
}

impl Subject<'_> {
    fn item(&self) -> &BoundSummary<'_> {
        &self.prepared[self.index]
    }

    /// `set.summary`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.set.name, self.item().summary.name)
    }

    /// What was chosen of it, without partitions that lie before its retention.
    pub fn kept(&self, chosen: &Chosen<'_>) -> Vec<Chunk> {
        let summary = self.item().summary;
        let mut expired = 0;
        let in_time = chosen.chunks(&summary.partition).into_iter().filter_map(|chunk| {
            let Some(tuples) = chunk else { return Some(None) };
            let (gone, kept): (Vec<Tuple>, Vec<Tuple>) =
                tuples.into_iter().partition(|tuple| summary.has_expired(tuple));
            expired += gone.len();
            (!kept.is_empty()).then_some(Some(kept))
        });
        let kept = in_time.collect();
        if expired > 0 {
            tracing::debug!("{}: {expired} partitions lie before its retention", summary.name);
        }
        kept
    }

    /// Compares its sums with those of the source, or the tier below.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn sum_up(
        &self,
        engine: &mut dyn Engine,
        chunks: &[Chunk],
        report: &mut VerifyReport,
    ) -> Result<()> {
        for chunk in chunks {
            let slice = self.slice(chunk.as_deref());
            let (checked, wrong) = imbalances(engine, self.set, self.prepared, self.index, &slice).await?;
            report.totals_checked += checked;
            report.conservation.extend(wrong);
        }
        Ok(())
    }

    /// Compares its rows with those that its SELECT makes of raw ones. `pending`: partitions that were left out, since
    /// they wait for a refresh.
    ///
    /// # Errors
    /// A signal; whatever the server says.
    pub async fn compare(
        &self,
        context: &Context,
        engine: &mut dyn Engine,
        chunks: &[Chunk],
        pending: u64,
    ) -> Result<SummaryVerify> {
        let item = self.item();
        let mut rows = Comparison::new(engine.dialect(), item);
        let mut partitions = 0;
        for chunk in chunks {
            context.interrupt.check()?;
            partitions += chunk.as_ref().map_or(1, Vec::len) as u64;
            let slice = self.slice(chunk.as_deref());
            let shadows = self.raw_shadows(engine.dialect(), chunk.as_deref());
            let sql = item.summary_sql(engine.dialect()).disagreements(&slice, &shadows);
            engine.for_each(&sql, &mut |row| rows.take(row)).await?;
            rows.close();
            context.progress.step(1);
        }
        Ok(SummaryVerify {
            name: self.name(),
            table: item.summary.table.clone(),
            partitions_checked: partitions,
            pending,
            missing: rows.missing,
            extra: rows.extra,
            different: rows.different,
            samples: rows.samples,
        })
    }

    fn slice(&self, chunk: Option<&[Tuple]>) -> Slice {
        let item = self.item();
        match chunk {
            None => Slice::All,
            Some(rows) => Slice::Tuples {
                columns: item
                    .summary
                    .partition
                    .iter()
                    .filter_map(|name| item.column(name).cloned())
                    .collect(),
                rows: rows.to_vec(),
            },
        }
    }

    /// CTEs by which a SELECT that reads other summaries sees them recomputed from raw instead: every tier
    /// below, lowest first, as its table would store it, restricted where it has the partition columns.
    fn raw_shadows(&self, d: &dyn Dialect, chunk: Option<&[Tuple]>) -> Vec<Shadow> {
        let partition = &self.item().summary.partition;
        let mut shadows = Vec::new();
        for lower in self.set.below(self.index).into_iter().filter(|lower| *lower != self.index) {
            let item = &self.prepared[lower];
            let columns: Option<Vec<_>> = partition.iter().map(|name| item.column(name).cloned()).collect();
            let slice = match (columns, chunk) {
                (Some(columns), Some(rows)) if !columns.is_empty() => {
                    Slice::Tuples { columns, rows: rows.to_vec() }
                }
                _ => Slice::All,
            };
            let cells: Vec<String> = item
                .columns
                .iter()
                .map(|column| {
                    let name = d.quote(&column.name);
                    format!("{} AS {name}", d.cast(&format!("q.{name}"), column))
                })
                .collect();
            shadows.push(Shadow {
                table: item.summary.table.clone(),
                body: format!(
                    "SELECT {} FROM (\n{}\n) q WHERE {}",
                    cells.join(", "),
                    item.summary.select,
                    slice.over(d, "q")
                ),
            });
        }
        shadows
    }
}

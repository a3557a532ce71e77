//! What every connection of a run works on, and the text of its statements: where scratch tables are, what is read from
//! where, what sums are compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::{Result, anyhow};

use super::own_rows::OwnRows;
use crate::catalog::{Against, Set};
use crate::engine::dialect::{Scratch, on_key};
use crate::engine::names;
use crate::engine::statements::{KIND, OP, RUN, Shadow, Slice, SourceTotals, SummarySql};
use crate::engine::{Dialect, Tables};
use crate::inspect::{BoundSummary, partition_expression};
use crate::plan::{Tuple, Wave};
use crate::reconcile::reconciled;

/// What staging learned, per summary.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows of the recomputed slices that were published before, per summary.
    pub published: BTreeMap<usize, u64>,
    /// Rows that deltas have so far, per summary.
    pub written: BTreeMap<usize, u64>,
    /// The first reconciled sums of each summary's partitions, for the tier above.
    pub(super) sums: BTreeMap<usize, BTreeMap<Tuple, Vec<Option<String>>>>,
    /// Partitions that were asked for, and of which no row was computed.
    pub(super) without_rows: BTreeMap<usize, BTreeSet<Tuple>>,
}

/// What every connection of a run shares while it computes.
pub struct Staging<'a> {
    /// The set.
    pub set: &'a Set,
    /// Its summaries, as inspected.
    pub prepared: &'a [BoundSummary<'a>],
    /// Distinguishes this run's rows in scratch tables from any other's.
    pub run: &'a OwnRows,
    /// Schema of scratch tables.
    pub schema: String,
    /// The engine's text.
    pub dialect: &'static dyn Dialect,
    /// Summaries whose table has no row yet, so that there is nothing to compare with.
    pub empty: Vec<bool>,
    /// Lower tiers' rows that live in deltas of earlier waves.
    pub settled: Vec<bool>,
    /// The user has named the partitions, in whatever spelling.
    pub named: bool,
    /// The shapes of all tables.
    pub tables: &'a Tables,
    /// Stages have outgrown memory.
    pub large: bool,
    /// What the checks found so far.
    pub findings: Mutex<Findings>,
}

impl Staging<'_> {
    /// A table of these columns of what the delta of a summary brings and takes, old rows and new ones; before the
    /// publish.
    pub fn changed_rows<'c>(&self, index: usize, columns: impl Iterator<Item = &'c String>) -> String {
        let d = self.dialect;
        let item = &self.prepared[index];
        let names: Vec<String> = columns.map(|name| d.quote(name)).collect();
        let list =
            |alias: &str| names.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ");
        let (delta, own, op) = (self.delta(index), self.own(), d.quote(OP));
        format!(
            "(SELECT {} FROM {delta} d WHERE {own} AND d.{op} <> 'D' UNION ALL SELECT {} FROM {delta} d JOIN {} t \
             ON {} WHERE {own} AND d.{op} <> 'I')",
            list("d"),
            list("t"),
            item.target,
            on_key(d, "t", "d", &item.summary.key)
        )
    }

    /// The delta of a summary, as statements spell it.
    pub fn delta(&self, index: usize) -> &str {
        self.run.delta(index)
    }

    /// The condition that finds this run's rows of a delta `d`.
    pub fn own(&self) -> String {
        format!("d.{} = {}", self.dialect.quote(RUN), self.run.marks(0, 0).run)
    }

    /// Adds to the rows that a delta has.
    ///
    /// # Errors
    /// Another connection's thread broke off.
    pub(super) fn note_written(&self, index: usize, rows: u64) -> Result<()> {
        let mut findings = self.findings.lock().map_err(|_| anyhow!("another connection failed"))?;
        *findings.written.entry(index).or_default() += rows;
        Ok(())
    }

    /// The rows of the recomputed slices of a summary that were published before.
    ///
    /// # Errors
    /// Another connection's thread broke off.
    pub(super) fn published(&self, index: usize) -> Result<u64> {
        let findings = self.findings.lock().map_err(|_| anyhow!("another connection failed"))?;
        Ok(findings.published.get(&index).copied().unwrap_or(0))
    }

    /// The rows that a delta has.
    ///
    /// # Errors
    /// Another connection's thread broke off.
    pub(super) fn written(&self, index: usize) -> Result<u64> {
        let findings = self.findings.lock().map_err(|_| anyhow!("another connection failed"))?;
        Ok(findings.written.get(&index).copied().unwrap_or(0))
    }

    /// Where a chunk's rows wait: in memory until that has once been too small.
    pub(super) fn private(&self) -> Scratch {
        if self.large { Scratch::PrivateLarge } else { Scratch::Private }
    }

    /// Whether a tier above reads this summary.
    pub fn read_above(&self, index: usize) -> bool {
        is_read_above(self.prepared, index)
    }

    pub(super) fn stage_name(&self, worker: usize, index: usize) -> String {
        names::stage(&self.run.token, worker, index)
    }

    pub(super) fn stage(&self, worker: usize, index: usize) -> String {
        let private =
            || self.dialect.scratch_name(&self.schema, &self.stage_name(worker, index), self.private());
        self.run.stage(index).map_or_else(private, str::to_owned)
    }

    /// The statements of a summary, for a connection's part of a wave.
    pub(super) fn summary_sql(&self, index: usize, wave: &Wave, worker: usize) -> SummarySql<'_> {
        let item = &self.prepared[index];
        let summary_sql =
            if wave.by_key { item.summary_sql_by_key(self.dialect) } else { item.summary_sql(self.dialect) };
        SummarySql { marks: self.run.marks(worker, index), ..summary_sql }
    }

    /// The slice of a summary that a chunk stands for.
    pub fn slice(&self, index: usize, columns: &[String], chunk: Option<&[Tuple]>) -> Slice {
        match chunk {
            None => Slice::All,
            Some(rows) => Slice::Tuples {
                columns: columns
                    .iter()
                    .filter_map(|name| self.prepared[index].column(name).cloned())
                    .collect(),
                rows: rows.to_vec(),
            },
        }
    }

    /// What a summary's table will hold for a slice once the deltas of earlier waves are published.
    pub(super) fn settled_body(&self, index: usize, slice: &Slice) -> String {
        let d = self.dialect;
        let item = &self.prepared[index];
        let summary_sql = item.summary_sql(d);
        let (delta, own) = (self.delta(index), self.own());
        let names: Vec<String> =
            item.columns.iter().map(|column| format!("d.{}", d.quote(&column.name))).collect();
        let on = crate::engine::dialect::on_key(d, "d", "t", &item.summary.key);
        format!(
            "{} AND NOT EXISTS (SELECT 1 FROM {delta} d WHERE {own} AND {on}) \
             UNION ALL SELECT {} FROM {delta} d WHERE {own} AND d.{} <> 'D' AND {}",
            summary_sql.published(slice, ""),
            names.join(", "),
            d.quote(OP),
            slice.over(d, "d"),
        )
    }

    /// CTEs under which a SELECT that reads other summaries sees their fresh rows.
    pub(super) fn shadows(
        &self,
        worker: usize,
        index: usize,
        wave: &Wave,
        chunk: Option<&[Tuple]>,
    ) -> Vec<Shadow> {
        self.prepared[index]
            .summary
            .reads_summaries
            .iter()
            .map(|lower| Shadow {
                table: self.prepared[*lower].summary.table.clone(),
                body: self.fresh_body(worker, *lower, wave, chunk),
            })
            .collect()
    }

    pub(super) fn fresh_body(
        &self,
        worker: usize,
        lower: usize,
        wave: &Wave,
        chunk: Option<&[Tuple]>,
    ) -> String {
        let d = self.dialect;
        if wave.members.contains(&lower) || self.is_copied(lower, wave, chunk) {
            let names: Vec<String> =
                self.prepared[lower].columns.iter().map(|column| d.quote(&column.name)).collect();
            format!(
                "SELECT {} FROM {} WHERE {} = {}",
                names.join(", "),
                self.stage(worker, lower),
                d.quote(KIND),
                self.run.marks(worker, lower).computed
            )
        } else {
            self.settled_body(lower, &self.lower_slice(lower, wave, chunk))
        }
    }

    /// Whether a tier settled in an earlier wave is copied into a private stage for the chunk: cheaper than
    /// overlaying table and delta anew in each statement that reads it, unless that would copy the table.
    fn is_copied(&self, lower: usize, wave: &Wave, chunk: Option<&[Tuple]>) -> bool {
        chunk.is_some()
            && !wave.members.contains(&lower)
            && wave.columns.iter().all(|name| self.prepared[lower].column(name).is_some())
    }

    /// The lower tiers that a chunk of the wave needs copies of.
    pub(super) fn copies(&self, wave: &Wave, chunk: Option<&[Tuple]>) -> Vec<usize> {
        (0..self.prepared.len())
            .filter(|lower| {
                self.is_copied(*lower, wave, chunk)
                    && wave
                        .members
                        .iter()
                        .any(|index| self.prepared[*index].summary.reads_summaries.contains(lower))
            })
            .collect()
    }

    /// The statement that fills such a copy.
    pub(super) fn fill_copy(
        &self,
        worker: usize,
        lower: usize,
        wave: &Wave,
        chunk: Option<&[Tuple]>,
    ) -> String {
        let d = self.dialect;
        let names: Vec<String> =
            self.prepared[lower].columns.iter().map(|column| d.quote(&column.name)).collect();
        let names = names.join(", ");
        format!(
            "INSERT INTO {} ({}, {names}) SELECT {}, {names} FROM ({}) c",
            self.stage(worker, lower),
            d.quote(KIND),
            self.run.marks(worker, lower).computed,
            self.settled_body(lower, &self.lower_slice(lower, wave, chunk))
        )
    }

    /// A chunk's slice of a lower tier; all of it where that has not the chunk's columns.
    fn lower_slice(&self, lower: usize, wave: &Wave, chunk: Option<&[Tuple]>) -> Slice {
        if wave.columns.iter().all(|name| self.prepared[lower].column(name).is_some()) {
            self.slice(lower, &wave.columns, chunk)
        } else {
            Slice::All
        }
    }

    /// What the reconciled sums of a summary are compared with, where it can be read in the same statement.
    pub(super) fn totals(
        &self,
        worker: usize,
        index: usize,
        wave: &Wave,
        chunk: Option<&[Tuple]>,
    ) -> Option<TotalsText> {
        let summary = self.prepared[index].summary;
        let columns: Vec<String> = reconciled(summary);
        match summary.against {
            Against::Source(source) => {
                let source = &self.set.sources[source];
                let spelled: Vec<(String, String)> = wave
                    .columns
                    .iter()
                    .map(|name| {
                        let expression = partition_expression(self.dialect, source, name);
                        let plain = wave.by_key && source.track_columns.contains(name);
                        expression
                            .or_else(|| plain.then(|| self.dialect.quote(name)))
                            .map(|expression| (name.clone(), expression))
                    })
                    .collect::<Option<_>>()?;
                Some(TotalsText {
                    table: source.sql(self.dialect),
                    partition: if wave.by_key { Vec::new() } else { spelled.clone() },
                    spelled,
                    totals: source
                        .totals
                        .iter()
                        .filter(|(name, _)| columns.contains(name))
                        .cloned()
                        .collect(),
                })
            }
            // In the same wave the lower tier's sums are already known per partition.
            Against::Summary(lower) if !wave.members.contains(&lower) => {
                let body = self.fresh_body(worker, lower, wave, chunk);
                let condition = self.prepared[lower]
                    .summary
                    .reconcile
                    .first()
                    .and_then(|entry| entry.condition.clone())
                    .unwrap_or_else(|| "1 = 1".to_owned());
                let quoted = |name: &String| (name.clone(), self.dialect.quote(name));
                Some(TotalsText {
                    table: format!("(SELECT * FROM ({body}) a WHERE {condition}) b"),
                    spelled: wave.columns.iter().map(quoted).collect(),
                    partition: if wave.by_key {
                        Vec::new()
                    } else {
                        wave.columns.iter().map(quoted).collect()
                    },
                    totals: columns
                        .iter()
                        .map(|name| (name.clone(), format!("SUM({})", self.dialect.quote(name))))
                        .collect(),
                })
            }
            _ => None,
        }
    }
}

/// [`SourceTotals`] with names of its own.
pub(super) struct TotalsText {
    pub table: String,
    pub spelled: Vec<(String, String)>,
    pub partition: Vec<(String, String)>,
    pub totals: Vec<(String, String)>,
}

impl TotalsText {
    pub fn borrow(&self) -> SourceTotals<'_> {
        fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
            owned.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
        }
        SourceTotals {
            table: self.table.clone(),
            spelled: pairs(&self.spelled),
            partition: pairs(&self.partition),
            totals: pairs(&self.totals),
        }
    }
}

/// Whether a tier above reads this summary.
pub fn is_read_above(prepared: &[BoundSummary<'_>], index: usize) -> bool {
    prepared.iter().any(|above| above.summary.reads_summaries.contains(&index))
}

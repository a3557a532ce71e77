//! The one transaction that makes staged rows the truth: fence, apply each tier's delta, write the
//! ledger, commit. Readers go from old to new at the commit, whatever their snapshot.

use anyhow::Result;

use super::again;
use super::checked::Checked;
use super::run::Run;
use super::staged::Fresh;
use super::staging::Staging;
use crate::engine::statements::SummarySql;
use crate::engine::{Engine, ErrorClass, Tx};
use crate::ledger::publication::{self, Published, View};
use crate::ledger::{self, Counts, RunEnd, RunMode, RunRecord};
use crate::pause;
use crate::plan::Mode;
use crate::report::{Mode as ReportMode, RunStatus, SetRefresh, SummaryRefresh};

/// Those of a delta that have this mark.
fn of(counts: Counts, mark: char) -> u64 {
    match mark {
        'I' => counts.inserted,
        'U' => counts.updated,
        _ => counts.deleted,
    }
}

/// One statement that applies a part of a delta.
struct Apply<'a> {
    sql: String,
    table: &'a str,
    /// Rows that it must write.
    expected: u64,
}

impl Checked<'_> {
    /// Publishes.
    ///
    /// # Errors
    /// A transient error when another run published in between, or when rows changed under the delta; the
    /// caller starts again from the beginning. Anything else: nothing was published.
    pub async fn publish(self, engine: &mut dyn Engine, run: &Run<'_>) -> Result<SetRefresh> {
        let record = self.record(run);
        pause::at("publish");
        match &self.rows {
            Fresh::Tables { staging, .. } => {
                engine.begin(Tx::Write).await?;
                if let Err(error) = self.apply(engine, staging, &record).await {
                    // The first error is the one that matters; a failed roll-back ends with the connection.
                    let _ = engine.rollback().await;
                    return Err(error);
                }
            }
            Fresh::Views { as_of, .. } => self.note_views(engine, as_of, &record).await?,
        }
        pause::at("publishing");
        engine.commit().await?;
        match &self.rows {
            Fresh::Tables { staging, .. } => self.measure(engine, staging).await,
            Fresh::Views { .. } => {
                run.context.progress.finish(&format!("refreshed {}", self.facts.group.label()));
            }
        }
        Ok(self.report(run))
    }

    /// The deltas, and what the ledger notes of them.
    async fn apply(&self, engine: &mut dyn Engine, staging: &Staging<'_>, record: &RunRecord) -> Result<()> {
        let d = staging.dialect;
        let parts = self.parts(staging);
        // By itself: where a summary's table is of an engine without transactions, nothing undoes what follows.
        ledger::pass_fence(engine, &staging.set.name, self.fence).await?;
        let all: Vec<String> = parts.iter().map(|part| part.sql.clone()).collect();
        let written = match engine.execute_each(&all).await {
            // Someone wrote a summary by hand since it was compared.
            Err(error) if error.class == ErrorClass::Duplicate => return Err(again(&error.to_string())),
            other => other?,
        };
        let mut written = written.into_iter();
        for part in &parts {
            if written.next() != Some(part.expected) {
                return Err(again(&format!(
                    "{} was changed by another program while it was being refreshed",
                    part.table
                )));
            }
        }
        pause::at("applying");
        let published = self.published(|_| None);
        let mut statements = self.consume.clone();
        statements.extend(publication::record(d, record, &published));
        engine.execute_each(&statements).await?;
        Ok(())
    }

    /// The statements that apply the deltas.
    fn parts<'s>(&self, staging: &'s Staging<'_>) -> Vec<Apply<'s>> {
        let mut parts = Vec::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.counts.any()) {
            let item = &staging.prepared[outcome.index];
            let summary_sql = SummarySql {
                marks: staging.run.marks(0, outcome.index),
                ..item.summary_sql(staging.dialect)
            };
            for (sql, marks) in summary_sql.apply(staging.delta(outcome.index), item.replace) {
                let expected: u64 = marks.iter().map(|mark| of(outcome.counts, *mark)).sum();
                if expected > 0 {
                    parts.push(Apply { sql, table: &item.summary.table, expected });
                }
            }
        }
        parts
    }

    /// What the ledger notes of materialized views, in the transaction that refreshed them.
    async fn note_views(&self, engine: &mut dyn Engine, as_of: &str, record: &RunRecord) -> Result<()> {
        let d = engine.dialect();
        let own = engine.server().schema.clone();
        ledger::pass_fence(engine, &self.facts.set.name, self.fence).await?;
        let published = self.published(|index| {
            let summary = self.facts.prepared[index].summary;
            Some(View {
                changes: self.state.summary(&summary.name).map_or(0, |known| known.changes),
                as_of: as_of.to_owned(),
                bytes: d.bytes_sql(summary.schema_in(&own), &summary.table),
            })
        });
        engine.execute_each(&publication::record(d, record, &published)).await?;
        Ok(())
    }

    fn published(&self, view: impl Fn(usize) -> Option<View>) -> Vec<Published<'_>> {
        let each = self.outcomes.iter().map(|outcome| Published {
            summary: self.facts.prepared[outcome.index].summary,
            rows: outcome.rows,
            counts: outcome.counts,
            seconds: outcome.seconds,
            partial: outcome.partial,
            current: outcome.current,
            computed: outcome.computed,
            recompute_checked: self.recompute_checked(outcome.index),
            view: view(outcome.index),
        });
        each.collect()
    }

    fn recompute_checked(&self, index: usize) -> Option<String> {
        match &self.rows {
            Fresh::Tables { checked, .. } if checked.contains(&index) => {
                self.facts.prepared[index].summary.claim()
            }
            Fresh::Tables { .. } | Fresh::Views { .. } => None,
        }
    }

    fn record(&self, run: &Run<'_>) -> RunRecord {
        RunRecord {
            run_id: run.id.to_owned(),
            set: self.facts.set.name.clone(),
            mode: match self.plan.mode {
                Mode::Complete => RunMode::Complete,
                Mode::Incremental => RunMode::Incremental,
            },
            status: RunEnd::Ok,
            started: self.facts.started,
            seconds: run.began.elapsed().as_secs_f64(),
            partitions: self.plan.partitions,
            counts: self.outcomes.iter().map(|outcome| outcome.counts).sum(),
            retries: run.retries,
            error: None,
        }
    }

    /// Notes the sizes on disk for `status`, after the commit: it must be instant there, and it is not worth
    /// failing a refresh for.
    async fn measure(&self, engine: &mut dyn Engine, staging: &Staging<'_>) {
        let d = staging.dialect;
        let mut names = Vec::new();
        let mut sizes = Vec::new();
        for outcome in &self.outcomes {
            let item = &staging.prepared[outcome.index];
            let known = self.state.summary(&item.summary.name).is_some_and(|known| known.bytes.is_some());
            if !outcome.counts.any() && known {
                continue;
            }
            if staging.empty[outcome.index]
                && let Some(sql) = d.analyze_first(&item.target)
                && let Err(error) = engine.query(&sql).await
            {
                tracing::debug!("statistics of {}: {error}", item.summary.table);
            }
            names.push(item.summary.name.as_str());
            sizes.push(format!(
                "({})",
                d.bytes_sql(item.summary.schema_in(&staging.schema), &item.summary.table)
            ));
        }
        if names.is_empty() {
            return;
        }
        let measured = async {
            let row = engine.query(&format!("SELECT {}", sizes.join(", "))).await?.into_iter().next();
            let sizes = row.unwrap_or_default().into_iter().map(|cell| cell?.parse::<u64>().ok());
            let known: Vec<(&str, u64)> =
                names.into_iter().zip(sizes).filter_map(|(name, size)| Some((name, size?))).collect();
            publication::measured(engine, &staging.set.name, &known).await
        };
        if let Err(error) = measured.await {
            tracing::debug!("noting sizes: {error:#}");
        }
    }

    fn report(self, run: &Run<'_>) -> SetRefresh {
        let summaries = self
            .outcomes
            .iter()
            .map(|outcome| {
                let summary = self.facts.prepared[outcome.index].summary;
                SummaryRefresh {
                    name: summary.name.clone(),
                    table: summary.table.clone(),
                    status: RunStatus::Ok,
                    rows: Some(outcome.rows),
                    inserted: outcome.counts.inserted,
                    updated: outcome.counts.updated,
                    deleted: outcome.counts.deleted,
                    seconds: outcome.seconds,
                    error: None,
                    changed: outcome.changed.clone(),
                }
            })
            .collect();
        SetRefresh {
            set: self.facts.set.name.clone(),
            mode: match self.plan.mode {
                Mode::Complete => ReportMode::Complete,
                Mode::Incremental => ReportMode::Incremental,
            },
            status: RunStatus::Ok,
            seconds: run.began.elapsed().as_secs_f64(),
            partitions: self.plan.partitions,
            summaries,
            error: None,
            reason: Some(self.plan.reason),
            retries: run.retries,
        }
    }
}

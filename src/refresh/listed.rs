//! Every partition that was listed must be found by its name: by nothing else are its rows recomputed. One whose value, read
//! and spelled again, equals none of its rows would leave the summary in silence.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};

use super::staging::Staging;
use crate::catalog::Source;
use crate::engine::statements::Slice;
use crate::engine::{Column, Engine};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect::alike::{Values, alike, columns};
use crate::inspect::partition_expression;
use crate::plan::{Tuple, plain};
use crate::reconcile::spell;

/// The values in the form that all spellings have which the client can tell to be one.
fn class(tuple: &Tuple) -> Tuple {
    tuple.iter().map(|value| value.as_deref().map(plain)).collect()
}

/// Refuses rows that were computed for other partitions than the slice names, and remembers the partitions of which none
/// were. `computed`: the partitions that the stage has rows of, as the table stores them.
///
/// # Errors
/// A partition under another name: exit code 1.
pub(super) async fn as_asked(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    index: usize,
    slice: &Slice,
    computed: &[Tuple],
) -> Result<()> {
    let Slice::Tuples { rows, .. } = slice else { return Ok(()) };
    let summary = staging.prepared[index].summary;
    let asked: BTreeSet<Tuple> = rows.iter().map(class).collect();
    let found: BTreeSet<Tuple> = computed.iter().map(class).collect();
    let mut strange: Vec<&Tuple> = computed.iter().filter(|tuple| !asked.contains(&class(tuple))).collect();
    if !strange.is_empty() {
        // To the server they may be the same.
        let mut values = Values::default();
        values.add(&summary.partition, rows.iter().chain(strange.iter().copied()));
        let columns = columns(staging.set, staging.prepared, staging.tables);
        let same = alike(engine, &columns, &values).await?;
        let asked: BTreeSet<Tuple> = rows.iter().map(|tuple| same.class(&summary.partition, tuple)).collect();
        strange.retain(|tuple| !asked.contains(&same.class(&summary.partition, tuple)));
    }
    if let Some(tuple) = strange.first().filter(|_| !staging.named) {
        return Err(Failure::new(
            ExitCode::Failed,
            format!(
                "{}.{}: rows of the partitions that {} would be stored under {}",
                staging.set.name,
                summary.name,
                match rows.as_slice() {
                    [only] => format!("have {}", spell(&summary.partition, only)),
                    _ => "were asked for".to_owned(),
                },
                spell(&summary.partition, tuple)
            ),
        )
        .hint(format!(
            "give the partition columns of {} the type that they have in the source; nothing was published",
            summary.table
        ))
        .into());
    }
    let none = rows.iter().filter(|tuple| !found.contains(&class(tuple))).cloned();
    let mut findings = staging.findings.lock().map_err(|_| anyhow!("another connection failed"))?;
    findings.without_rows.entry(index).or_default().extend(none);
    Ok(())
}

/// Of the partitions of which no row was computed, looks for those that a source lists and does not find.
///
/// # Errors
/// There is one: exit code 1.
pub(super) async fn none_is_lost(engine: &mut dyn Engine, staging: &Staging<'_>) -> Result<()> {
    let empty = {
        let findings = staging.findings.lock().map_err(|_| anyhow!("another connection failed"))?;
        findings.without_rows.clone()
    };
    if staging.named {
        return Ok(());
    }
    for (index, tuples) in empty {
        let summary = staging.prepared[index].summary;
        let wanted: Vec<Tuple> = tuples
            .into_iter()
            .filter(|tuple| !summary.has_expired(tuple) && tuple.iter().all(Option::is_some))
            .collect();
        for source in summary.reads_sources.iter().map(|at| &staging.set.sources[*at]) {
            let Some(place) = Place::of(staging, index, source) else { continue };
            let lost = place.lost(engine, staging, wanted.clone()).await?;
            let Some(tuple) = lost.first() else { continue };
            return Err(Failure::new(
                ExitCode::Failed,
                format!(
                    "{}.{}: {} has rows of the partition {}, but that value finds none of them",
                    staging.set.name,
                    summary.name,
                    source.table,
                    spell(&summary.partition, tuple)
                ),
            )
            .hint(format!(
                "partition by a column of another type, or by an expression of the type that {} has; nothing was published",
                summary.table
            ))
            .into());
        }
    }
    Ok(())
}

/// The partition columns of a summary, over a source.
struct Place {
    columns: Vec<Column>,
    expressions: Vec<String>,
    table: String,
}

impl Place {
    fn of(staging: &Staging<'_>, index: usize, source: &Source) -> Option<Self> {
        let (d, item) = (staging.dialect, &staging.prepared[index]);
        let names = &item.summary.partition;
        let expressions = names.iter().map(|name| partition_expression(d, source, name));
        let columns = names.iter().map(|name| item.column(name).cloned());
        let this = Self {
            columns: columns.collect::<Option<_>>()?,
            expressions: expressions.collect::<Option<_>>()?,
            table: source.sql(d),
        };
        (!names.is_empty() && source.invalidates.is_none()).then_some(this)
    }

    /// Those of the tuples that are listed, now as before, and now as before find no row.
    async fn lost(
        &self,
        engine: &mut dyn Engine,
        staging: &Staging<'_>,
        tuples: Vec<Tuple>,
    ) -> Result<Vec<Tuple>> {
        let mut lost = self.not_found(engine, staging, tuples).await?;
        if lost.is_empty() {
            return Ok(lost);
        }
        let sql = format!("SELECT DISTINCT {} FROM {}", self.expressions.join(", "), self.table);
        let listed: BTreeSet<Tuple> = engine.query(&sql).await?.into_iter().collect();
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let mut values = Values::default();
        values.add(&names, listed.iter().chain(&lost));
        let compared = columns(staging.set, staging.prepared, staging.tables);
        let same = alike(engine, &compared, &values).await?;
        let listed: BTreeSet<Tuple> = listed.iter().map(|tuple| same.class(&names, tuple)).collect();
        lost.retain(|tuple| listed.contains(&same.class(&names, tuple)));
        // Rows may have come in between.
        self.not_found(engine, staging, lost).await
    }

    async fn not_found(
        &self,
        engine: &mut dyn Engine,
        staging: &Staging<'_>,
        tuples: Vec<Tuple>,
    ) -> Result<Vec<Tuple>> {
        let spell = |name: &str| {
            let at = self.columns.iter().position(|column| column.name == name);
            at.map_or_else(|| staging.dialect.quote(name), |at| self.expressions[at].clone())
        };
        let mut lost = Vec::new();
        for chunk in tuples.chunks(500) {
            let list = self.expressions.join(", ");
            // All at once, and by one only where some are missing.
            let slice = Slice::Tuples { columns: self.columns.clone(), rows: chunk.to_vec() };
            let condition = slice.condition(staging.dialect, &spell);
            let sql = format!("SELECT DISTINCT {list} FROM {} WHERE {condition}", self.table);
            let there: BTreeSet<Tuple> = engine.query(&sql).await?.iter().map(class).collect();
            for tuple in chunk.iter().filter(|tuple| !there.contains(&class(tuple))) {
                let one = Slice::Tuples { columns: self.columns.clone(), rows: vec![tuple.clone()] };
                let condition = one.condition(staging.dialect, &spell);
                let sql = format!("SELECT 1 FROM {} WHERE {condition} LIMIT 1", self.table);
                if there.is_empty() || engine.query(&sql).await?.is_empty() {
                    lost.push(tuple.clone());
                }
            }
        }
        Ok(lost)
    }
}

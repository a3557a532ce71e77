//! Which partitions there are.

use std::sync::Arc;

use anyhow::Result;

use super::alike::{Values, alike};
use super::{BoundSummary, source_shape};
use crate::catalog::{Set, Source, Summary};
use crate::engine::{Column, Dialect, Engine, Tables};
use crate::plan::Known;

/// Whether a summary may have partitions that no source tells of: it reads a table that has not its partition columns
/// and is no dimension (a calendar, say, on whose days nothing happened).
pub fn may_hide_partitions(set: &Set, summary: &Summary) -> bool {
    let tells = |source: &Source| {
        let has =
            |name: &String| source.partition.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
        source.invalidates.is_some() || summary.partition.iter().all(has)
    };
    !summary.partition.is_empty() && !summary.reads_sources.iter().all(|at| tells(&set.sources[*at]))
}

/// The partitions that exist.
#[derive(Debug, Clone, Default)]
pub struct Partitions {
    /// Per list of partition columns: those of the sources and of the published rows.
    pub known: Vec<Known>,
    /// Of each summary with partitions, whether it has published rows.
    pub published: Vec<Option<bool>>,
}

/// The partitions that exist, in the sources or in the published rows, per list of partition columns.
///
/// # Errors
/// Whatever the server says.
pub async fn known_partitions(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    tables: &Tables,
) -> Result<Partitions> {
    let d = engine.dialect();
    let mut found = Partitions::default();
    let mut asked: Vec<(usize, Option<usize>, String)> = Vec::new();
    for (index, item) in prepared.iter().enumerate() {
        let columns = &item.summary.partition;
        found.published.push(None);
        if columns.is_empty() {
            continue;
        }
        let quoted: Vec<String> = columns.iter().map(|name| d.quote(name)).collect();
        let place = found.known.iter().position(|other| other.columns == *columns).unwrap_or_else(|| {
            found.known.push(Known {
                columns: columns.clone(),
                nameless: false,
                tuples: Vec::new(),
                alike: Arc::default(),
            });
            found.known.len() - 1
        });
        if !asked.iter().any(|(other, _, _)| *other == place) {
            let of_sources = set.sources.iter().filter_map(|source| of_source(d, source, columns, tables));
            asked.extend(of_sources.map(|sql| (place, None, sql)));
        }
        asked.push((place, Some(index), d.distinct_sql(&item.target, &quoted, item.led)));
    }
    let queries: Vec<String> = asked.iter().map(|(_, _, sql)| sql.clone()).collect();
    for ((place, index, _), mut tuples) in asked.iter().zip(engine.query_each(&queries).await?) {
        if let Some(index) = index {
            found.published[*index] = Some(!tuples.is_empty());
        }
        let known = &mut found.known[*place];
        // No summary has NULL in its key: which partition such rows are in, only the SELECT tells.
        let named = tuples.len();
        tuples.retain(|tuple| tuple.iter().all(Option::is_some));
        known.nameless |= tuples.len() < named;
        known.tuples.append(&mut tuples);
    }
    found.sort();
    Ok(found)
}

impl Partitions {
    /// Adds those that only the SELECTs yield, where the sources may not tell; that costs a run of them.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn add_computed(
        &mut self,
        engine: &mut dyn Engine,
        set: &Set,
        prepared: &[BoundSummary<'_>],
    ) -> Result<()> {
        let d = engine.dialect();
        for item in prepared {
            let Some(known) = self.known.iter_mut().find(|known| known.columns == item.summary.partition)
            else {
                continue;
            };
            if known.nameless || may_hide_partitions(set, item.summary) {
                let quoted: Vec<String> = known.columns.iter().map(|name| d.quote(name)).collect();
                let from = format!("(\n{}\n) q", item.summary.select);
                known.tuples.extend(engine.query(&d.distinct_sql(&from, &quoted, false)).await?);
            }
        }
        self.sort();
        Ok(())
    }

    /// Asks which values are alike: of the partitions, and of others by their columns.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn tell_alike(
        &mut self,
        engine: &mut dyn Engine,
        columns: &[&Column],
        mut values: Values,
    ) -> Result<()> {
        for known in &self.known {
            values.add(&known.columns, known.tuples.iter());
        }
        let alike = Arc::new(alike(engine, columns, &values).await?);
        self.known.iter_mut().for_each(|known| known.alike = alike.clone());
        Ok(())
    }

    fn sort(&mut self) {
        for known in &mut self.known {
            known.tuples.sort();
            known.tuples.dedup();
        }
    }
}

/// The query for the values of a source's partition columns, if it has them.
fn of_source(d: &dyn Dialect, source: &Source, columns: &[String], tables: &Tables) -> Option<String> {
    let expressions =
        columns.iter().map(|name| partition_expression(d, source, name)).collect::<Option<Vec<_>>>()?;
    let plain = source.partition.iter().all(|(_, expression)| expression.is_none());
    let led =
        plain && source_shape(tables, source).is_some_and(|shape| shape.index_led_by(columns).is_some());
    Some(d.distinct_sql(&source.sql(d), &expressions, led))
}

/// The SQL of a source's partition column, if the source has it.
pub fn partition_expression(dialect: &dyn Dialect, source: &Source, name: &str) -> Option<String> {
    source
        .partition
        .iter()
        .find(|(column, _)| column.eq_ignore_ascii_case(name))
        .map(|(column, expression)| expression.clone().unwrap_or_else(|| dialect.quote(column)))
}

//! Sums that must agree: those of a summary's rows with the source's totals, or with the tier below.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::catalog::manifest::ReconcileEntry;
use crate::catalog::{Against, Set, Source, Summary};
use crate::engine::statements::Slice;
use crate::engine::{Dialect, Engine};
use crate::inspect::{BoundSummary, partition_expression};
use crate::plan::Tuple;
use crate::report::Imbalance;

/// Every column that a summary reconciles, each once.
pub fn reconciled(summary: &Summary) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in summary.reconcile.iter().flat_map(|entry| &entry.columns) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// `month=2025-01-01 marketplace=US`, or `all rows`.
pub fn spell(columns: &[String], values: &[Option<String>]) -> String {
    if columns.is_empty() {
        return "all rows".to_owned();
    }
    columns
        .iter()
        .zip(values)
        .map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("NULL")))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A decimal without the zeros that engines add or leave out; no value at all counts as zero.
pub fn plain_number(text: Option<&str>) -> String {
    let text = text.unwrap_or("0");
    let plain = if text.contains('.') && !text.contains(['e', 'E']) {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    };
    if plain.is_empty() || plain == "-0" || plain == "-" { "0".to_owned() } else { plain.to_owned() }
}

/// Whether two sums of a summary's column are the same; floats within their tolerance.
pub fn agree(
    d: &dyn Dialect,
    item: &BoundSummary<'_>,
    column: &str,
    one: Option<&str>,
    other: Option<&str>,
) -> bool {
    plain_number(one) == plain_number(other)
        || near(d, item, column, one.unwrap_or("0"), other.unwrap_or("0"))
}

/// Whether two values of a column are floats of which one may stand for the other.
pub fn near(d: &dyn Dialect, item: &BoundSummary<'_>, column: &str, one: &str, other: &str) -> bool {
    let tolerance = [one, other].iter().filter_map(|value| item.tolerance(d, column, value)).reduce(f64::max);
    match (tolerance, one.parse::<f64>(), other.parse::<f64>()) {
        (Some(tolerance), Ok(one), Ok(other)) => {
            // No number is near to infinity.
            one.is_finite()
                && other.is_finite()
                && (one - other).abs() <= tolerance * one.abs().max(other.abs())
        }
        _ => false,
    }
}

/// Sums per partition, from whatever table.
type Sums = BTreeMap<Tuple, Vec<Option<String>>>;

async fn sums(engine: &mut dyn Engine, sql: &str, parts: usize) -> Result<Sums> {
    Ok(engine
        .query(sql)
        .await?
        .into_iter()
        .map(|mut row| {
            let values = row.split_off(parts);
            (row, values)
        })
        .collect())
}

fn group_by(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!(" GROUP BY {}", parts.join(", ")) }
}

/// What is summed up: the columns of one `reconcile` entry of a summary, by its partitions, in a slice of them.
struct Account<'a> {
    summary: &'a Summary,
    entry: &'a ReconcileEntry,
    slice: &'a Slice,
}

impl Account<'_> {
    /// Sums of a summary table that has these columns: the summary's own, or that of a tier below.
    async fn in_table(&self, engine: &mut dyn Engine, target: &str, condition: Option<&str>) -> Result<Sums> {
        let d = engine.dialect();
        let parts: Vec<String> = self.summary.partition.iter().map(|name| d.quote(name)).collect();
        let mut cells = parts.clone();
        cells.extend(self.entry.columns.iter().map(|name| format!("SUM({})", d.quote(name))));
        let condition = condition.map(|c| format!(" AND ({c})")).unwrap_or_default();
        let sql = format!(
            "SELECT {} FROM {target} t WHERE {}{condition}{}",
            cells.join(", "),
            self.slice.over(d, "t"),
            group_by(&parts)
        );
        sums(engine, &sql, parts.len()).await
    }

    /// The totals of a source; `None`: it does not tell the partitions apart.
    async fn in_source(&self, engine: &mut dyn Engine, source: &Source) -> Result<Option<Sums>> {
        let d = engine.dialect();
        let expressions: Option<Vec<String>> =
            self.summary.partition.iter().map(|name| partition_expression(d, source, name)).collect();
        let Some(expressions) = expressions else { return Ok(None) };
        let mut cells = expressions.clone();
        for name in &self.entry.columns {
            let total = source.totals.iter().find(|(column, _)| column == name);
            cells.push(total.map_or("NULL".to_owned(), |(_, aggregate)| aggregate.clone()));
        }
        let spelled = |name: &str| partition_expression(d, source, name).unwrap_or_else(|| d.quote(name));
        let sql = format!(
            "SELECT {} FROM {} WHERE {}{}",
            cells.join(", "),
            source.sql(d),
            self.slice.condition(d, &spelled),
            group_by(&expressions)
        );
        Ok(Some(sums(engine, &sql, expressions.len()).await?))
    }

    /// How many sums were compared, and those that differ. `set`: its name.
    fn compare(
        &self,
        (d, item): (&dyn Dialect, &BoundSummary<'_>),
        set: &str,
        actual: &Sums,
        expected: &Sums,
    ) -> (u64, Vec<Imbalance>) {
        let (mut checked, mut wrong) = (0, Vec::new());
        let all: BTreeSet<&Tuple> = actual.keys().chain(expected.keys()).collect();
        for partition in all {
            for (at, column) in self.entry.columns.iter().enumerate() {
                let cell = |sums: &Sums| sums.get(partition).and_then(|row| row.get(at).cloned().flatten());
                let (have, want) = (cell(actual), cell(expected));
                checked += 1;
                if !agree(d, item, column, have.as_deref(), want.as_deref()) {
                    wrong.push(Imbalance {
                        summary: format!("{set}.{}", self.summary.name),
                        partition: spell(&self.summary.partition, partition),
                        column: column.clone(),
                        expected: want,
                        actual: have,
                    });
                }
            }
        }
        (checked, wrong)
    }
}

/// Compares the reconciled sums of the published rows with the source's totals, or the tier below.
/// Returns how many were compared, and those that differ.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn imbalances(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    index: usize,
    slice: &Slice,
) -> Result<(u64, Vec<Imbalance>)> {
    let item = &prepared[index];
    let summary = item.summary;
    let (mut checked, mut wrong) = (0, Vec::new());
    if summary.against == Against::Nothing {
        return Ok((checked, wrong));
    }
    for entry in &summary.reconcile {
        let account = Account { summary, entry, slice };
        let actual = account.in_table(engine, &item.target, entry.condition.as_deref()).await?;
        let expected = match summary.against {
            Against::Nothing => None,
            Against::Source(source) => account.in_source(engine, &set.sources[source]).await?,
            Against::Summary(lower) => {
                let lower = &prepared[lower];
                let condition = lower.summary.reconcile.first().and_then(|entry| entry.condition.as_deref());
                Some(account.in_table(engine, &lower.target, condition).await?)
            }
        };
        let Some(expected) = expected else { continue };
        let (more, found) = account.compare((engine.dialect(), item), &set.name, &actual, &expected);
        checked += more;
        wrong.extend(found);
    }
    Ok((checked, wrong))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::plain_number;

    #[test]
    fn numbers_compare_by_value_whatever_their_scale() {
        assert_eq!(plain_number(Some("12.00")), plain_number(Some("12")));
        assert_eq!(plain_number(Some("-0.50")), "-0.5");
        assert_eq!(plain_number(None), plain_number(Some("0.00")));
        assert_eq!(plain_number(Some("100")), "100");
        assert_ne!(plain_number(Some("0.1")), plain_number(Some("0.01")));
    }
}

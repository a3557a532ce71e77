//! The checks that staged rows must pass before anything is published: keys, conservation, the manifest's
//! own SELECTs, and the collapse guard.

use std::collections::BTreeMap;

use anyhow::Result;

use super::work::{Work, reconciled};
use crate::catalog::Against;
use crate::catalog::manifest::CheckEntry;
use crate::engine::Engine;
use crate::engine::statements::{Shadow, Shapes, Slice};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::plan::{Tuple, Wave};

/// What staging learned, per summary.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows of the recomputed slices that were published before, per summary.
    pub published: BTreeMap<usize, u64>,
    /// Rows that deltas have so far, per summary.
    pub written: BTreeMap<usize, u64>,
    /// The first reconciled sums of each summary's partitions, for the tier above.
    sums: BTreeMap<usize, BTreeMap<Tuple, Vec<Option<String>>>>,
}

/// Counts and sums a staged slice, and compares it with its source or the tier below. Returns the rows computed
/// and those that the table holds for the slice.
///
/// # Errors
/// A NULL in a key, or sums that disagree: exit code 1, naming partition, column and both values.
pub async fn profile(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    index: usize,
    wave: &Wave,
    stage: &str,
    slice: &Slice,
    shapes: &Shapes<'_>,
) -> Result<(u64, u64)> {
    let item = &work.prepared[index];
    let summary = item.summary;
    let sums: Vec<(String, Option<String>)> = summary
        .reconcile
        .iter()
        .flat_map(|entry| entry.columns.iter().map(|column| (column.clone(), entry.condition.clone())))
        .collect();
    let totals_in_stage = match summary.against {
        Against::Source(_) => reconciled(summary),
        Against::Summary(lower) if !wave.members.contains(&lower) => reconciled(summary),
        _ => Vec::new(),
    };
    let rows = engine.query(&shapes.profile_stage(stage, &sums, &totals_in_stage)).await?;
    let published: u64 = if work.empty[index] {
        0
    } else {
        engine.scalar(&shapes.count(slice)).await?.and_then(|n| n.parse().ok()).unwrap_or(0)
    };

    let mut findings = work.findings.lock().map_err(|_| anyhow::anyhow!("another connection failed"))?;
    *findings.published.entry(index).or_default() += published;
    let parts = shapes.partition.len();
    let mut computed = 0;
    for row in rows {
        let partition: Tuple = row[..parts].to_vec();
        let number =
            |at: usize| row.get(at).cloned().flatten().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        computed += number(parts);
        if number(parts + 1) > 0 {
            return Err(Failure::new(
                ExitCode::Failed,
                format!(
                    "{}: {} rows have a NULL in the key ({})",
                    summary.select_file,
                    number(parts + 1),
                    summary.key.join(", ")
                ),
            )
            .hint("give such rows a documented stand-in with COALESCE; nothing was published")
            .into());
        }
        let own = &row[parts + 2..parts + 2 + sums.len()];
        let mut expected: Vec<Option<String>> = Vec::new();
        match summary.against {
            Against::Nothing => {}
            Against::Summary(lower) if wave.members.contains(&lower) => {
                let below = work.prepared[lower].summary;
                let names = below.reconcile.first().map(|entry| entry.columns.clone()).unwrap_or_default();
                let values = findings.sums.get(&lower).and_then(|all| all.get(&partition)).cloned();
                for (column, _) in &sums {
                    let at = names.iter().position(|name| name == column);
                    expected
                        .push(at.and_then(|at| values.as_ref().and_then(|v| v.get(at).cloned().flatten())));
                }
            }
            _ => {
                let totals = &row[parts + 2 + sums.len()..];
                for (column, _) in &sums {
                    let at = totals_in_stage.iter().position(|name| name == column);
                    expected.push(at.and_then(|at| totals.get(at).cloned().flatten()));
                }
            }
        }
        for ((column, condition), (have, want)) in sums.iter().zip(own.iter().zip(&expected)) {
            // What retention takes away is in the source still.
            if !summary.has_expired(&partition)
                && plain_number(have.as_deref()) != plain_number(want.as_deref())
            {
                return Err(not_conserved(work, index, &partition, column, condition.as_deref(), have, want));
            }
        }
        let first = summary.reconcile.first().map_or(0, |entry| entry.columns.len());
        findings.sums.entry(index).or_default().insert(partition, own[..first].to_vec());
    }
    // A partition of which nothing is left up here has no row above, but still has sums below.
    if let (Against::Summary(lower), Slice::Tuples { rows, .. }) = (summary.against, slice)
        && wave.members.contains(&lower)
    {
        for partition in rows {
            let here = summary.has_expired(partition)
                || findings.sums.get(&index).is_some_and(|all| all.contains_key(partition));
            let below = findings.sums.get(&lower).and_then(|all| all.get(partition));
            if let (false, Some(below)) = (here, below) {
                let names = &work.prepared[lower].summary.reconcile[0].columns;
                for (column, want) in names.iter().zip(below) {
                    if reconciled(summary).contains(column) && plain_number(want.as_deref()) != "0" {
                        return Err(not_conserved(work, index, partition, column, None, &None, want));
                    }
                }
            }
        }
    }
    Ok((computed, published))
}

fn not_conserved(
    work: &Work<'_>,
    index: usize,
    partition: &Tuple,
    column: &str,
    condition: Option<&str>,
    have: &Option<String>,
    want: &Option<String>,
) -> anyhow::Error {
    let summary = work.prepared[index].summary;
    let other = match summary.against {
        Against::Source(source) => format!("source {}", work.set.sources[source].table),
        Against::Summary(lower) => format!("summary {}", work.prepared[lower].summary.name),
        Against::Nothing => String::new(),
    };
    let condition = condition.map(|c| format!(" where {c}")).unwrap_or_default();
    Failure::new(
        ExitCode::Failed,
        format!(
            "{}.{}: {}: sum of {column}{condition} is {}, but {other} has {}",
            work.set.name,
            summary.name,
            if partition.is_empty() {
                "changed rows".to_owned()
            } else {
                spell(&summary.partition, partition)
            },
            plain_number(have.as_deref()),
            plain_number(want.as_deref()),
        ),
    )
    .hint(format!(
        "the SELECT in {} loses or multiplies rows (an inner join? a filter?); nothing was published",
        summary.select_file
    ))
    .into()
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

/// Runs the manifest's own checks over the staged chunk.
///
/// # Errors
/// A check that returns a row: exit code 1 with the check's message and the first row.
pub async fn manifest_checks(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    index: usize,
    fresh: impl Fn(usize) -> String,
) -> Result<()> {
    let summary = work.prepared[index].summary;
    for entry in &summary.checks {
        let mut seen: Vec<usize> = summary.reads_summaries.clone();
        seen.push(index);
        let shadows: Vec<Shadow> = seen
            .into_iter()
            .map(|other| Shadow { table: work.prepared[other].summary.table.clone(), body: fresh(other) })
            .collect();
        let shapes = work.prepared[index].shapes(work.dialect);
        must_be_empty(engine, &work.set.name, summary, entry, &shapes.with_clause(&shadows)).await?;
    }
    Ok(())
}

/// Runs one of the manifest's checks, behind a WITH clause that says what the tables stand for.
///
/// # Errors
/// A row that comes back: exit code 1 with the check's message and the row.
pub async fn must_be_empty(
    engine: &mut dyn Engine,
    set: &str,
    summary: &crate::catalog::Summary,
    entry: &CheckEntry,
    with: &str,
) -> Result<()> {
    let select = entry.select.trim().trim_end_matches(';');
    let sql = format!("{with}SELECT * FROM (\n{select}\n) c LIMIT 1");
    let name = format!("{set}.{}: check {}", summary.name, entry.name);
    let rows = engine.query(&sql).await.map_err(|error| anyhow::Error::new(error).context(name.clone()))?;
    let Some(row) = rows.first() else { return Ok(()) };
    let values: Vec<&str> = row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect();
    let what = format!("{name} failed: {} (first row: {})", entry.message, values.join(", "));
    Err(Failure::new(ExitCode::Failed, what).hint("nothing was published").into())
}

/// Refuses a publish that would empty a summary or take away more than the allowed share of its rows.
///
/// # Errors
/// Exit code 1, saying what would have vanished.
pub fn collapse_guard(
    set: &str,
    summary: &crate::catalog::Summary,
    default_share: f64,
    before: u64,
    inserted: u64,
    deleted: u64,
) -> Result<(), Failure> {
    let share = summary.max_shrink.unwrap_or(default_share);
    let after = (before + inserted).saturating_sub(deleted);
    let lost = before.saturating_sub(after);
    if before == 0 || lost == 0 {
        return Ok(());
    }
    // 100 % allowed means that even emptying is allowed.
    let emptied = after == 0 && share < 1.0;
    if !emptied && lost as f64 <= share * before as f64 {
        return Ok(());
    }
    let what = if after == 0 {
        format!("all {before} rows would vanish")
    } else {
        format!(
            "{lost} of {before} rows ({:.1} %) would vanish, more than max_shrink = {:.0} %",
            100.0 * lost as f64 / before as f64,
            100.0 * share
        )
    };
    Err(Failure::new(ExitCode::Failed, format!("{set}.{}: {what}; nothing was published", summary.name))
        .hint("if the source really shrank, publish it once with --allow-shrink"))
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

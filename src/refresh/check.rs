//! The checks that staged rows must pass before anything is published: keys, conservation, the manifest's
//! own SELECTs, and the collapse guard.

use anyhow::{Result, anyhow};

use super::listed;
use super::staging::{Findings, Staging};
use crate::catalog::manifest::CheckEntry;
use crate::catalog::{Against, Summary};
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{Engine, Row, count_at};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::plan::{Tuple, Wave};
use crate::reconcile::{agree, plain_number, reconciled, spell};

/// Counts and sums a slice that a connection has staged, and compares it with its source or the tier below. Returns
/// the rows computed and those that the table holds for the slice.
///
/// # Errors
/// A NULL in a key, or sums that disagree: exit code 1, naming partition, column and both values.
pub async fn profile(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    index: usize,
    wave: &Wave,
    (worker, slice): (usize, &Slice),
) -> Result<(u64, u64)> {
    let summary = staging.prepared[index].summary;
    let (summary_sql, stage) = (staging.summary_sql(index, wave, worker), staging.stage(worker, index));
    let sums = Sums::of(staging, index, wave);
    let held = (!staging.empty[index]).then_some(slice);
    let rows = engine.query(&summary_sql.profile_stage(&stage, &sums.own, &sums.totals, held)).await?;
    let parts = summary_sql.partition.len();
    let mut published = 0;
    if let Some(slice) = held {
        published = match rows.first() {
            Some(row) => count_at(row, row.len() - 1)?,
            // No partition at all, so no row that says it.
            None => engine.count(&summary_sql.count(slice)).await?,
        };
    }
    if !wave.by_key {
        let has_rows = |row: &&Row| row[parts].as_deref() != Some("0");
        let computed: Vec<Tuple> = rows.iter().filter(has_rows).map(|row| row[..parts].to_vec()).collect();
        listed::as_asked(engine, staging, index, slice, &computed).await?;
    }
    let mut findings = staging.findings.lock().map_err(|_| anyhow!("another connection failed"))?;
    *findings.published.entry(index).or_default() += published;
    let mut computed = 0;
    for row in rows {
        // Without partitions the sums of no row at all are NULL.
        let count = |at: usize| if row[at].is_none() { Ok(0) } else { count_at(&row, at) };
        computed += count(parts)?;
        refuse_null_keys(summary, count(parts + 1)?)?;
        let partition: Tuple = row[..parts].to_vec();
        let own = &row[parts + 2..parts + 2 + sums.own.len()];
        let totals = &row[parts + 2 + sums.own.len()..];
        let expected = sums.expected(staging, &findings, &partition, totals);
        for ((column, condition), (have, want)) in sums.own.iter().zip(own.iter().zip(&expected)) {
            // What retention takes away is in the source still.
            if !summary.has_expired(&partition)
                && !agree(staging.dialect, &staging.prepared[index], column, have.as_deref(), want.as_deref())
            {
                let what = Unequal { column, condition: condition.as_deref(), have, want };
                return Err(unreconciled(staging, index, &partition, &what));
            }
        }
        let first = summary.reconcile.first().map_or(0, |entry| entry.columns.len());
        findings.sums.entry(index).or_default().insert(partition, own[..first].to_vec());
    }
    refuse_vanished(staging, index, wave, slice, &findings)?;
    Ok((computed, published))
}

fn refuse_null_keys(summary: &Summary, rows: u64) -> Result<(), Failure> {
    if rows == 0 {
        return Ok(());
    }
    Err(Failure::new(
        ExitCode::Failed,
        format!("{}: {rows} rows have a NULL in the key ({})", summary.select_file, summary.key.join(", ")),
    )
    .hint("give such rows a documented stand-in with COALESCE; nothing was published"))
}

/// What sums of a summary are compared with.
struct Sums {
    /// Columns and conditions, in the order of the manifest.
    own: Vec<(String, Option<String>)>,
    /// Columns whose totals the stage has too.
    totals: Vec<String>,
    /// The tier below that is computed in the same wave.
    below: Option<usize>,
    compared: bool,
}

impl Sums {
    fn of(staging: &Staging<'_>, index: usize, wave: &Wave) -> Self {
        let summary = staging.prepared[index].summary;
        let own = summary
            .reconcile
            .iter()
            .flat_map(|entry| entry.columns.iter().map(|column| (column.clone(), entry.condition.clone())))
            .collect();
        let (below, totals) = match summary.against {
            Against::Summary(lower) if wave.members.contains(&lower) => (Some(lower), Vec::new()),
            Against::Nothing => (None, Vec::new()),
            Against::Source(_) | Against::Summary(_) => (None, reconciled(summary)),
        };
        Self { own, totals, below, compared: summary.against != Against::Nothing }
    }

    /// The value that each of them must have in a partition.
    fn expected(
        &self,
        staging: &Staging<'_>,
        findings: &Findings,
        partition: &Tuple,
        totals: &[Option<String>],
    ) -> Vec<Option<String>> {
        if !self.compared {
            return Vec::new();
        }
        let (names, values): (&[String], Option<&[Option<String>]>) = match self.below {
            None => (&self.totals, Some(totals)),
            Some(lower) => (
                staging.prepared[lower].summary.reconcile.first().map_or(&[], |entry| &entry.columns),
                findings.sums.get(&lower).and_then(|all| all.get(partition)).map(Vec::as_slice),
            ),
        };
        let value = |column: &String| {
            let at = names.iter().position(|name| name == column)?;
            values?.get(at).cloned().flatten()
        };
        self.own.iter().map(|(column, _)| value(column)).collect()
    }
}

/// A partition of which nothing is left up here has no row above, but still has sums below.
fn refuse_vanished(
    staging: &Staging<'_>,
    index: usize,
    wave: &Wave,
    slice: &Slice,
    findings: &Findings,
) -> Result<()> {
    let summary = staging.prepared[index].summary;
    let (Against::Summary(lower), Slice::Tuples { rows, .. }) = (summary.against, slice) else {
        return Ok(());
    };
    if !wave.members.contains(&lower) {
        return Ok(());
    }
    for partition in rows {
        let here = summary.has_expired(partition)
            || findings.sums.get(&index).is_some_and(|all| all.contains_key(partition));
        let below = findings.sums.get(&lower).and_then(|all| all.get(partition));
        if let (false, Some(below)) = (here, below) {
            let names = &staging.prepared[lower].summary.reconcile[0].columns;
            for (column, want) in names.iter().zip(below) {
                if reconciled(summary).contains(column) && plain_number(want.as_deref()) != "0" {
                    let what = Unequal { column, condition: None, have: &None, want };
                    return Err(unreconciled(staging, index, partition, &what));
                }
            }
        }
    }
    Ok(())
}

/// A sum that is not what it must be.
struct Unequal<'u> {
    column: &'u str,
    condition: Option<&'u str>,
    have: &'u Option<String>,
    want: &'u Option<String>,
}

fn unreconciled(staging: &Staging<'_>, index: usize, partition: &Tuple, what: &Unequal<'_>) -> anyhow::Error {
    let Unequal { column, condition, have, want } = what;
    let summary = staging.prepared[index].summary;
    let other = match summary.against {
        Against::Source(source) => format!("source {}", staging.set.sources[source].table),
        Against::Summary(lower) => format!("summary {}", staging.prepared[lower].summary.name),
        Against::Nothing => String::new(),
    };
    let condition = condition.map(|c| format!(" where {c}")).unwrap_or_default();
    let read = |value: &Option<String>| value.clone().unwrap_or_else(|| "0".to_owned());
    let item = &staging.prepared[index];
    let tolerance = item
        .tolerance(staging.dialect, column, &read(have))
        .or_else(|| item.tolerance(staging.dialect, column, &read(want)));
    Failure::new(
        ExitCode::Failed,
        format!(
            "{}.{}: {}: sum of {column}{condition} is {}, but {other} has {}",
            staging.set.name,
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
    .hint(match tolerance {
        None => format!(
            "the SELECT in {} loses or multiplies rows (an inner join? a filter?); nothing was published",
            summary.select_file
        ),
        Some(tolerance) => format!(
            "{column} adds up floating-point numbers, which may differ by {tolerance:e} of themselves and differ by more: \
             where large ones cancel out, only DECIMAL adds up; else the SELECT in {} loses or multiplies rows; nothing was \
             published",
            summary.select_file
        ),
    })
    .into()
}

/// Runs the manifest's own checks over the staged chunk.
///
/// # Errors
/// A check that returns a row: exit code 1 with the check's message and the first row.
pub async fn manifest_checks(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    index: usize,
    fresh: impl Fn(usize) -> String,
) -> Result<()> {
    let summary = staging.prepared[index].summary;
    for entry in &summary.checks {
        let mut seen: Vec<usize> = summary.reads_summaries.clone();
        seen.push(index);
        let shadows: Vec<Shadow> = seen
            .into_iter()
            .map(|other| Shadow { table: staging.prepared[other].summary.table.clone(), body: fresh(other) })
            .collect();
        let summary_sql = staging.prepared[index].summary_sql(staging.dialect);
        must_be_empty(engine, &staging.set.name, summary, entry, &summary_sql.with_clause(&shadows)).await?;
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
    summary: &Summary,
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
    summary: &Summary,
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

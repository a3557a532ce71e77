//! Retention: a summary with `keep` is its SELECT less the partitions before a date. Said that way, everything that
//! recomputes the SELECT (refresh, tiers above, verify) sees the same rows, and partitions leave like any row that
//! the SELECT no longer yields.

use std::time::SystemTime;

use anyhow::Result;

use super::BoundSummary;
use crate::catalog::{Set, Summary};
use crate::engine::Engine;
use crate::error::Failure;
use crate::plan::Tuple;

/// The set with every SELECT cut off where its retention begins.
pub(crate) fn cut(engine: &dyn Engine, set: &Set, now: SystemTime) -> Set {
    let d = engine.dialect();
    let mut set = set.clone();
    for summary in &mut set.summaries {
        let (Some(keep), Some(column)) = (summary.keep, summary.partition.first()) else { continue };
        let first = keep.first(now);
        summary.select = format!(
            "SELECT k.* FROM (\n{}\n) k WHERE k.{} >= {}",
            summary.select,
            d.quote(column),
            d.literal(&first)
        );
        summary.kept_from = Some(first);
    }
    set
}

/// Published partitions that a summary no longer keeps.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn expired(engine: &mut dyn Engine, item: &BoundSummary<'_>) -> Result<Vec<Tuple>> {
    let summary = item.summary;
    let (Some(first), Some(column)) = (&summary.kept_from, summary.partition.first()) else {
        return Ok(Vec::new());
    };
    let d = engine.dialect();
    let columns: Vec<String> = summary.partition.iter().map(|name| d.quote(name)).collect();
    let sql = format!(
        "SELECT DISTINCT {} FROM {} WHERE {} < {}",
        columns.join(", "),
        item.target,
        d.quote(column),
        d.literal(first)
    );
    let found: Vec<Tuple> = engine.query(&sql).await?;
    // An engine without types would let months, or numbers, pass for dates.
    let strange = found.iter().filter_map(|tuple| tuple[0].as_deref()).find(|text| {
        text.starts_with(|c: char| c.is_ascii_digit()) && (text.len() < 10 || text.as_bytes()[4] != b'-')
    });
    match strange {
        Some(text) => Err(no_dates(summary, &format!("{column} has the value {text}")).into()),
        None => Ok(found),
    }
}

/// Retention by a column that does not hold dates would take the wrong rows away.
pub(super) fn no_dates(summary: &Summary, what: &str) -> Failure {
    Failure::usage(format!(
        "summaries.{}.keep: {what}, and only dates say how old a partition is",
        summary.name
    ))
    .hint("take `keep` out, or make the first partition column a date (on SQLite: text such as 2026-11-22)")
}

//! Does the condition on a partition reach the source's index? If not, each changed partition costs a reading of the
//! whole source, which a DBA should hear before the first slow night.

use anyhow::Result;

use crate::catalog::{Kind, Set, Source, Summary};
use crate::engine::statements::Slice;
use crate::engine::{Engine, Index, Shape, Tx};
use crate::inspect::{self, BoundSummary};

/// A smaller table is read whole as quickly, and the server knows.
const FEW_ROWS: u64 = 20_000;

/// One sentence for each summary whose partitions are not found by an index. Only looks.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn warnings(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let tables: Vec<usize> =
        (0..set.summaries.len()).filter(|at| set.summaries[*at].kind == Kind::Table).collect();
    let part = set.subset(&tables);
    let mut found = Vec::new();
    if part.summaries.iter().all(|summary| summary.partition.is_empty()) {
        return Ok(found);
    }
    let prepared = inspect::inspect(engine, &part).await?;
    for item in &prepared {
        for source in item.summary.reads_sources.iter().map(|at| &part.sources[*at]) {
            found.extend(warning(engine, item, source).await?);
        }
    }
    Ok(found)
}

async fn warning(
    engine: &mut dyn Engine,
    item: &BoundSummary<'_>,
    source: &Source,
) -> Result<Option<String>> {
    let summary: &Summary = item.summary;
    let d = engine.dialect();
    let plain = |name: &String| {
        source.partition.iter().any(|(column, expression)| column == name && expression.is_none())
    };
    if summary.partition.is_empty() || !summary.partition.iter().all(plain) {
        return Ok(None);
    }
    let estimate = d.estimated_rows_sql(source.schema.as_deref(), &source.table);
    let rows = engine.scalar(&estimate).await?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if rows < FEW_ROWS {
        return Ok(None);
    }
    let Some(shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await? else {
        return Ok(None);
    };
    let columns = summary.partition.join(", ");
    let has = |index: &&Index, at: usize| {
        index.columns.iter().take(at).any(|column| summary.partition.contains(column))
    };
    let whole: Vec<&Index> = shape.indexes.iter().filter(|index| !index.partial).collect();
    let led: Vec<&str> =
        whole.iter().filter(|index| has(index, 1)).map(|index| index.name.as_str()).collect();
    if led.is_empty() {
        return Ok(Some(format!(
            "{}: no index on {} begins with {columns}: each changed partition costs a reading of all {rows} rows",
            summary.select_file, source.table
        )));
    }
    let names: Vec<String> = summary.partition.iter().map(|name| d.quote(name)).collect();
    let some = format!("SELECT {} FROM {} LIMIT 1", names.join(", "), source.sql(d));
    let Some(tuple) = engine.query(&some).await?.into_iter().next() else { return Ok(None) };
    let slice = Slice::Tuples {
        columns: summary.partition.iter().filter_map(|name| item.column(name).cloned()).collect(),
        rows: vec![tuple],
    };
    let query = format!("SELECT * FROM (\n{}\n) q WHERE {}", summary.select, slice.over(d, "q"));
    engine.begin(Tx::Read).await?;
    let mut plan = String::new();
    for sql in d.explain_sql(&query) {
        for row in engine.query(&sql).await? {
            plan.push_str(&row.into_iter().flatten().collect::<Vec<_>>().join(" "));
            plan.push('\n');
        }
    }
    engine.rollback().await?;
    // One that only has the column somewhere may serve, too: newer servers skip from value to value of what is in front.
    if whole.iter().any(|index| has(index, usize::MAX) && plan.contains(&index.name)) {
        return Ok(None);
    }
    Ok(Some(format!(
        "{}: a condition on {columns} does not reach an index of {} ({}): each changed partition costs a reading of \
         all {rows} rows; group by the partition columns themselves, not by expressions of them",
        summary.select_file,
        source.table,
        led.join(", ")
    )))
}

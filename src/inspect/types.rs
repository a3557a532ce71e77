//! Whether the types of the columns by which parts of tables are named let those parts be found again.

use anyhow::Result;

use super::{shape_of, source_shape};
use crate::catalog::{Set, Source};
use crate::engine::{Column, Engine, ErrorClass, Shape, Tables};
use crate::error::Failure;

/// Refuses types whose values, as they are read, do not equal themselves, and partition columns that tell texts apart in
/// another way than their source does.
///
/// # Errors
/// The first such column (exit code 2); whatever the server says.
pub async fn refuse_unfit(engine: &mut dyn Engine, set: &Set, tables: &Tables) -> Result<()> {
    refuse_types(engine, set, tables)?;
    for source in &set.sources {
        refuse_incomparable(engine, set, tables, source).await?;
        refuse_other_spelling(engine, set, tables, source).await?;
    }
    Ok(())
}

/// The columns of a source that a note holds, or a partition is named by.
fn named(source: &Source) -> impl Iterator<Item = &String> {
    source.track_columns.iter().filter(|name| {
        !source.partition.iter().any(|(column, expression)| column == *name && expression.is_some())
    })
}

/// The part that the shapes alone tell.
pub(super) fn refuse_types(engine: &dyn Engine, set: &Set, tables: &Tables) -> Result<(), Failure> {
    let (d, own) = (engine.dialect(), engine.server().schema.clone());
    let manifest = format!("{}/summaries.toml", set.location);
    let refuse = |place: String, name: &str, table: &str, shape: &Shape| match shape.column(name) {
        Some(Column { sql_type, .. }) => match d.unfit(sql_type) {
            Some(why) => {
                Err(Failure::usage(format!("{manifest}: {place}: column {name} of {table} is {sql_type}"))
                    .hint(format!("as a column that names partitions or changed rows, {sql_type} {why}")))
            }
            None => Ok(()),
        },
        None => Ok(()),
    };
    for source in &set.sources {
        let Some(shape) = source_shape(tables, source) else { continue };
        for name in named(source) {
            refuse(format!("sources.{}", source.name), name, &source.table, shape)?;
        }
    }
    for summary in &set.summaries {
        let Some(shape) = shape_of(tables, summary, &own) else { continue };
        for name in summary.partition.iter().chain(&summary.recompute_by) {
            refuse(format!("summaries.{}", summary.name), name, &summary.table, shape)?;
        }
    }
    Ok(())
}

/// What the server says of a type that has no equality.
async fn refuse_incomparable(
    engine: &mut dyn Engine,
    set: &Set,
    tables: &Tables,
    source: &Source,
) -> Result<()> {
    let Some(shape) = source_shape(tables, source) else { return Ok(()) };
    for column in named(source).filter_map(|name| shape.column(name)) {
        let Some(sql) = engine.dialect().comparable_sql(column) else { continue };
        let Err(error) = engine.query(&sql).await else { continue };
        if error.class != ErrorClass::Other {
            return Err(error.into());
        }
        return Err(Failure::usage(format!(
            "{}/summaries.toml: sources.{}: column {} of {}: {error}",
            set.location, source.name, column.name, source.table
        ))
        .hint("a column that names partitions or changed rows needs values that can be compared")
        .into());
    }
    Ok(())
}

/// A partition in which the source has 'us' and 'US' as one is one of the summary, too, or there are two of them.
async fn refuse_other_spelling(
    engine: &mut dyn Engine,
    set: &Set,
    tables: &Tables,
    source: &Source,
) -> Result<()> {
    let own = engine.server().schema.clone();
    let Some(raw_shape) = source_shape(tables, source) else { return Ok(()) };
    let at = set.sources.iter().position(|other| other.name == source.name);
    for summary in
        set.summaries.iter().filter(|summary| at.is_some_and(|at| summary.reads_sources.contains(&at)))
    {
        let Some(shape) = shape_of(tables, summary, &own) else { continue };
        let plain = summary.partition.iter().filter(|name| {
            source
                .partition
                .iter()
                .any(|(column, expression)| column.eq_ignore_ascii_case(name) && expression.is_none())
        });
        for name in plain {
            let (Some(from), Some(to)) = (raw_shape.column(name), shape.column(name)) else { continue };
            let (raw, target) = (source.sql(engine.dialect()), summary.target(engine.dialect(), &own));
            let (from, to) = (equated(engine, &raw, from).await?, equated(engine, &target, to).await?);
            if from != to {
                let say =
                    |how: &Option<String>| how.clone().unwrap_or_else(|| "told apart to the byte".to_owned());
                return Err(Failure::usage(format!(
                    "{}/summaries.toml: summaries.{}: partition column {name} is {} in {}, but {} in {}",
                    set.location,
                    summary.name,
                    say(&from),
                    source.table,
                    say(&to),
                    summary.table,
                ))
                .hint(format!(
                    "what is one partition in the one must be one in the other: in a new script, give {}.{name} the collation \
                     of {}.{name}",
                    summary.table, source.table
                ))
                .into());
            }
        }
    }
    Ok(())
}

/// By what a table's column equates texts that differ, for certain.
async fn equated(engine: &mut dyn Engine, table: &str, column: &Column) -> Result<Option<String>> {
    let d = engine.dialect();
    if let Some(sql) = d.equated_sql(table, column) {
        return Ok(engine.scalar(&sql).await?);
    }
    Ok(d.loose(column).map(str::to_owned))
}

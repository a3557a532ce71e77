//! Before computing anything: do sources, summary tables and SELECTs fit together? Every mismatch is one
//! sentence that names file, table and column.

use anyhow::Result;

use crate::catalog::{Kind, Set, Source, Summary};
use crate::engine::statements::{Marks, Shapes};
use crate::engine::{Column, Dialect, Engine, ErrorClass, Shape};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::plan::{Known, Tuple};

/// A summary together with what the database says of its table.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// From the catalog.
    pub summary: &'a Summary,
    /// Qualified, quoted table name.
    pub target: String,
    /// Columns that the SELECT produces, typed as stored, in the table's order.
    pub columns: Vec<Column>,
    /// Every column of the table, as the database says.
    pub stored: Vec<Column>,
    /// Columns that dashagg sets when it writes a row.
    pub stamped: Vec<String>,
    /// The table has another unique index, so differing rows are replaced, not updated.
    pub replace: bool,
}

impl Prepared<'_> {
    /// The statements of this summary.
    pub fn shapes<'s>(&'s self, dialect: &'s dyn Dialect) -> Shapes<'s> {
        Shapes {
            dialect,
            target: self.target.clone(),
            select: &self.summary.select,
            columns: &self.columns,
            compared: self
                .columns
                .iter()
                .filter(|column| {
                    !self.summary.ignore.iter().any(|name| name.eq_ignore_ascii_case(&column.name))
                })
                .collect(),
            stamped: &self.stamped,
            key: &self.summary.key,
            partition: &self.summary.partition,
            marks: Marks::PRIVATE,
        }
    }

    /// The statements for recomputing single rows: nothing is grouped by partition.
    pub fn shapes_by_key<'s>(&'s self, dialect: &'s dyn Dialect) -> Shapes<'s> {
        Shapes { partition: &[], ..self.shapes(dialect) }
    }

    /// The column of that name, which `inspect` has made sure of.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// Checks a set against the database.
///
/// # Errors
/// The first mismatch, exit code 1 (2 where the set itself is at fault).
pub async fn inspect<'a>(engine: &mut dyn Engine, set: &'a Set) -> Result<Vec<Prepared<'a>>> {
    for source in &set.sources {
        inspect_source(engine, set, source).await?;
    }
    let mut prepared = Vec::new();
    for summary in &set.summaries {
        prepared.push(inspect_summary(engine, set, summary).await?);
    }
    Ok(prepared)
}

async fn inspect_source(engine: &mut dyn Engine, set: &Set, source: &Source) -> Result<()> {
    let Some(shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await? else {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("source table {} does not exist in {}", source.table, engine.server().database),
        )
        .hint(format!(
            "it belongs to your application; check the connection, or sources.{} in {}/summaries.toml",
            source.name, set.location
        ))
        .into());
    };
    for (column, expression) in &source.partition {
        if expression.is_none() && shape.column(column).is_none() {
            return Err(Failure::usage(format!(
                "{}/summaries.toml: sources.{}.partition names column {column}, which table {} does not have",
                set.location, source.name, source.table
            ))
            .into());
        }
    }
    Ok(())
}

async fn inspect_summary<'a>(
    engine: &mut dyn Engine,
    set: &'a Set,
    summary: &'a Summary,
) -> Result<Prepared<'a>> {
    let dialect = engine.dialect();
    let own = engine.server().schema.clone();
    let schema = summary.schema_in(&own);
    let fail = |message: String| Failure::new(ExitCode::Failed, message);
    let Some(shape) = Shape::read(engine, Some(schema), &summary.table).await? else {
        return Err(fail(format!(
            "summary table {} does not exist in {}",
            summary.table,
            engine.server().database
        ))
        .hint("run `dashagg create` first")
        .into());
    };
    let manifest = format!("{}/summaries.toml: summaries.{}", set.location, summary.name);
    for name in &summary.key {
        match shape.column(name) {
            None => {
                return Err(Failure::usage(format!(
                    "{manifest}.key names column {name}, which table {} does not have",
                    summary.table
                ))
                .into());
            }
            // The columns of a materialized view take NULL; its refresh looks for one.
            Some(column) if column.nullable && summary.kind == Kind::Table => {
                return Err(fail(format!("{}.{name} is part of the key but may be NULL", summary.table))
                    .hint("declare the column NOT NULL in a new script")
                    .into());
            }
            Some(_) => {}
        }
    }
    let unique = shape.indexes.iter().any(|index| {
        index.unique
            && !index.partial
            && index.columns.len() == summary.key.len()
            && summary.key.iter().all(|k| index.columns.iter().any(|c| c.eq_ignore_ascii_case(k)))
    });
    if !unique {
        return Err(fail(format!(
            "table {} has no unique index on exactly its key ({})",
            summary.table,
            summary.key.join(", ")
        ))
        .hint("add a primary key or unique index in a new script")
        .into());
    }

    if let (Some(_), Some(name)) = (summary.keep, summary.partition.first())
        && let Some(column) = shape.column(name)
        && !dialect.is_date(&column.sql_type)
    {
        return Err(super::keep::no_dates(summary, &format!("{} is {}", column.name, column.sql_type)).into());
    }

    let target = summary.target(dialect, &own);
    let bare = Shapes {
        dialect,
        target: target.clone(),
        select: &summary.select,
        columns: &[],
        compared: Vec::new(),
        stamped: &[],
        key: &summary.key,
        partition: &summary.partition,
        marks: Marks::PRIVATE,
    };
    let probe = bare.probe(&[]);
    let produced = engine.column_names(&probe).await.map_err(|error| {
        let failure = fail(format!("{}: {error}", summary.select_file));
        match error.class {
            ErrorClass::Missing => failure.hint("correct the SELECT, or the table that it reads"),
            ErrorClass::Denied => failure.hint("grant SELECT on the tables that it reads"),
            _ => failure,
        }
    })?;
    let ignored = |name: &str| summary.ignore.iter().any(|other| other.eq_ignore_ascii_case(name));
    for name in &produced {
        match shape.column(name) {
            None => {
                return Err(fail(format!(
                    "{}: produces column {name}, which table {} does not have",
                    summary.select_file, summary.table
                ))
                .hint("add it to the table in a new script, or leave it out of the SELECT")
                .into());
            }
            Some(column) if column.generated => {
                return Err(fail(format!(
                    "{}: produces column {name}, which table {} computes by itself",
                    summary.select_file, summary.table
                ))
                .into());
            }
            Some(_) => {}
        }
    }
    let is_produced = |name: &str| produced.iter().any(|other| other.eq_ignore_ascii_case(name));
    let mut columns = Vec::new();
    let mut stamped = Vec::new();
    for column in &shape.columns {
        if is_produced(&column.name) {
            columns.push(column.clone());
        } else if ignored(&column.name) {
            stamped.push(column.name.clone());
        } else if !column.generated {
            return Err(fail(format!(
                "{}: does not produce column {} of table {}",
                summary.select_file, column.name, summary.table
            ))
            .hint("add it to the SELECT, or list it under `ignore` if dashagg is to set it to the time of writing")
            .into());
        }
    }
    for name in summary.reconcile.iter().flat_map(|entry| &entry.columns) {
        if !is_produced(name) {
            return Err(Failure::usage(format!(
                "{manifest}.reconcile names column {name}, which {} does not produce",
                summary.select_file
            ))
            .into());
        }
    }
    let replace = shape.has_other_unique(&summary.key);
    Ok(Prepared { summary, target, columns, stored: shape.columns, stamped, replace })
}

/// Whether a materialized view has rows that can be read; `None`: there is no such view.
///
/// # Errors
/// Whatever the server says.
pub async fn is_filled(engine: &mut dyn Engine, summary: &Summary) -> Result<Option<bool>> {
    let own = engine.server().schema.clone();
    let sql = engine.dialect().populated_sql(summary.schema_in(&own), &summary.table);
    Ok(engine.scalar(&sql).await?.map(|text| text == "1"))
}

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

/// The partitions that exist, in the sources or in the published rows, per list of partition columns. `computed`: also
/// in what the SELECT yields, where the sources may not tell; that costs a run of it.
///
/// # Errors
/// Whatever the server says.
pub async fn known_partitions(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
    computed: bool,
) -> Result<Vec<Known>> {
    let dialect = engine.dialect();
    let mut known: Vec<Known> = Vec::new();
    for item in prepared {
        let columns = &item.summary.partition;
        if columns.is_empty() {
            continue;
        }
        let quoted: Vec<String> = columns.iter().map(|name| dialect.quote(name)).collect();
        let own = engine.server().schema.clone();
        let led = Shape::read(engine, Some(item.summary.schema_in(&own)), &item.summary.table)
            .await?
            .is_some_and(|shape| shape.index_led_by(columns).is_some());
        let mut tuples: Vec<Tuple> = engine.query(&dialect.distinct_sql(&item.target, &quoted, led)).await?;
        if !known.iter().any(|other| other.columns == *columns) {
            for source in &set.sources {
                tuples.extend(source_partitions(engine, source, columns).await?);
            }
            known.push(Known { columns: columns.clone(), nameless: false, tuples: Vec::new() });
        }
        let Some(entry) = known.iter_mut().find(|other| other.columns == *columns) else { continue };
        // No summary has NULL in its key: which partition such rows are in, only the SELECT tells.
        let named = tuples.len();
        tuples.retain(|tuple| tuple.iter().all(Option::is_some));
        entry.nameless |= tuples.len() < named;
        if computed && (entry.nameless || may_hide_partitions(set, item.summary)) {
            let from = format!("(\n{}\n) q", item.summary.select);
            tuples.extend(engine.query(&dialect.distinct_sql(&from, &quoted, false)).await?);
        }
        entry.tuples.append(&mut tuples);
        entry.tuples.sort();
        entry.tuples.dedup();
    }
    Ok(known)
}

async fn source_partitions(
    engine: &mut dyn Engine,
    source: &Source,
    columns: &[String],
) -> Result<Vec<Tuple>> {
    let dialect = engine.dialect();
    let Some(expressions) =
        columns.iter().map(|name| partition_expression(dialect, source, name)).collect::<Option<Vec<_>>>()
    else {
        return Ok(Vec::new());
    };
    let plain = source.partition.iter().all(|(_, expression)| expression.is_none());
    let led = plain
        && Shape::read(engine, source.schema.as_deref(), &source.table)
            .await?
            .is_some_and(|shape| shape.index_led_by(columns).is_some());
    Ok(engine.query(&dialect.distinct_sql(&source.sql(dialect), &expressions, led)).await?)
}

/// The SQL of a source's partition column, if the source has it.
pub fn partition_expression(dialect: &dyn Dialect, source: &Source, name: &str) -> Option<String> {
    source
        .partition
        .iter()
        .find(|(column, _)| column.eq_ignore_ascii_case(name))
        .map(|(column, expression)| expression.clone().unwrap_or_else(|| dialect.quote(column)))
}

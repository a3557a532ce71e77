//! Before computing anything: do sources, summary tables and SELECTs fit together? Every mismatch is one
//! sentence that names file, table and column.

pub mod alike;
pub mod blanks;
pub mod partitions;
pub mod retention;
mod types;

use anyhow::Result;

use self::blanks::Confused;
pub use self::partitions::{known_partitions, may_hide_partitions, partition_expression};
pub use self::types::refuse_unfit;
use crate::catalog::{Against, Kind, Set, Source, Summary};
use crate::engine::statements::{Marks, SummarySql};
use crate::engine::{Column, Dialect, Engine, ErrorClass, Shape, Tables};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::sql_text::{self, Token};

/// A summary together with what the database says of its table.
#[derive(Debug)]
pub struct BoundSummary<'a> {
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
    /// An index of the table begins with the partition columns.
    pub led: bool,
    /// Columns of its key that do not tell apart what tables below do.
    pub confused: Vec<Confused>,
    /// Reconciled columns whose totals a source adds up from values of this type, which is not exact.
    pub rough: Vec<(String, String)>,
}

impl BoundSummary<'_> {
    /// The statements of this summary.
    pub fn summary_sql<'s>(&'s self, dialect: &'s dyn Dialect) -> SummarySql<'s> {
        SummarySql {
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
    pub fn summary_sql_by_key<'s>(&'s self, dialect: &'s dyn Dialect) -> SummarySql<'s> {
        SummarySql { partition: &[], ..self.summary_sql(dialect) }
    }

    /// By how much of itself a value of a column may differ without being wrong: floats add up to something else in another
    /// order.
    pub fn tolerance(&self, d: &dyn Dialect, name: &str, value: &str) -> Option<f64> {
        let own = self.column(name).map(|column| column.sql_type.as_str());
        let rough = self.rough.iter().filter(|(column, _)| column.eq_ignore_ascii_case(name));
        let types = own.into_iter().chain(rough.map(|(_, sql_type)| sql_type.as_str()));
        types.filter_map(|sql_type| d.tolerance(sql_type, value)).reduce(f64::max)
    }

    /// The column of that name, which `inspect` has made sure of.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// The shapes of all tables of a set, as [`shape_of`] and [`source_shape`] find them.
///
/// # Errors
/// Whatever the server says.
pub async fn tables(engine: &mut dyn Engine, set: &Set) -> Result<Tables> {
    let own = engine.server().schema.clone();
    let sources = set.sources.iter().map(|source| (source.schema.as_deref(), source.table.as_str()));
    let summaries =
        set.summaries.iter().map(|summary| (Some(summary.schema_in(&own)), summary.table.as_str()));
    let mut names: Vec<(Option<&str>, &str)> = sources.chain(summaries).collect();
    names.sort_unstable();
    names.dedup();
    Ok(Tables::read(engine, &names).await?)
}

/// The shape of a source's table.
pub fn source_shape<'t>(tables: &'t Tables, source: &Source) -> Option<&'t Shape> {
    tables.get(source.schema.as_deref(), &source.table)
}

/// The shape of a summary's table.
pub fn shape_of<'t>(tables: &'t Tables, summary: &Summary, own: &str) -> Option<&'t Shape> {
    tables.get(Some(summary.schema_in(own)), &summary.table)
}

/// The columns of a set's summary tables, as far as there are tables: where a source's partition is an expression, they
/// tell its type.
pub fn summary_columns(tables: &Tables, set: &Set, own: &str) -> Vec<Column> {
    let shapes = set.summaries.iter().filter_map(|summary| shape_of(tables, summary, own));
    shapes.flat_map(|shape| shape.columns.iter().cloned()).collect()
}

/// Checks a set against the database.
///
/// # Errors
/// The first mismatch, exit code 1 (2 where the set itself is at fault).
pub async fn inspect<'a>(engine: &mut dyn Engine, set: &'a Set) -> Result<Vec<BoundSummary<'a>>> {
    let tables = tables(engine, set).await?;
    prepare(engine, set, &tables).await
}

/// The same where the shapes are known.
///
/// # Errors
/// As [`inspect`].
pub async fn prepare<'a>(
    engine: &mut dyn Engine,
    set: &'a Set,
    tables: &Tables,
) -> Result<Vec<BoundSummary<'a>>> {
    for source in &set.sources {
        inspect_source(engine, set, source, tables)?;
    }
    types::refuse_types(engine, set, tables)?;
    let mut prepared = Vec::new();
    for summary in &set.summaries {
        prepared.push(inspect_summary(engine, set, summary, tables).await?);
    }
    Ok(prepared)
}

fn inspect_source(engine: &dyn Engine, set: &Set, source: &Source, tables: &Tables) -> Result<()> {
    let Some(shape) = source_shape(tables, source) else {
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
    tables: &Tables,
) -> Result<BoundSummary<'a>> {
    let own = engine.server().schema.clone();
    let Some(shape) = shape_of(tables, summary, &own) else {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("summary table {} does not exist in {}", summary.table, engine.server().database),
        )
        .hint("run `dashagg create` first")
        .into());
    };
    let dialect = engine.dialect();
    let manifest = format!("{}/summaries.toml: summaries.{}", set.location, summary.name);
    fitting_key(dialect, summary, shape, &manifest)?;
    let target = summary.target(dialect, &own);
    let produced = produced(engine, summary, &target).await?;
    let (columns, stamped) = fitting_columns(summary, shape, &produced)?;
    for name in summary.reconcile.iter().flat_map(|entry| &entry.columns) {
        if !has(&produced, name) {
            return Err(Failure::usage(format!(
                "{manifest}.reconcile names column {name}, which {} does not produce",
                summary.select_file
            ))
            .into());
        }
    }
    let replace = shape.has_other_unique(&summary.key);
    let led = shape.index_led_by(&summary.partition).is_some();
    let confused = blanks::confused(dialect, &own, set, summary, tables);
    let rough = rough(dialect, set, summary, tables);
    let stored = shape.columns.clone();
    Ok(BoundSummary { summary, target, columns, stored, stamped, replace, led, confused, rough })
}

/// The columns whose totals are made of floats.
fn rough(d: &dyn Dialect, set: &Set, summary: &Summary, tables: &Tables) -> Vec<(String, String)> {
    let Against::Source(source) = summary.against else { return Vec::new() };
    let source = &set.sources[source];
    let Some(shape) = source_shape(tables, source) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, aggregate) in &source.totals {
        let words = sql_text::tokens(aggregate, d.lex_rules());
        let read = |column: &&Column| {
            words.iter().any(|word| matches!(&word.token, Token::Name { text, .. } if text.eq_ignore_ascii_case(&column.name)))
        };
        let floats = shape.columns.iter().filter(|column| d.tolerance(&column.sql_type, "0.5").is_some());
        found.extend(floats.filter(read).map(|column| (name.clone(), column.sql_type.clone())));
    }
    found
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn fail(message: String) -> Failure {
    Failure::new(ExitCode::Failed, message)
}

/// The key is there, never NULL, and unique.
fn fitting_key(d: &dyn Dialect, summary: &Summary, shape: &Shape, manifest: &str) -> Result<(), Failure> {
    for name in &summary.key {
        match shape.column(name) {
            None => {
                return Err(Failure::usage(format!(
                    "{manifest}.key names column {name}, which table {} does not have",
                    summary.table
                )));
            }
            // The columns of a materialized view take NULL; its refresh looks for one.
            Some(column) if column.nullable && summary.kind == Kind::Table => {
                return Err(fail(format!("{}.{name} is part of the key but may be NULL", summary.table))
                    .hint("declare the column NOT NULL in a new script"));
            }
            Some(_) => {}
        }
    }
    let unique = shape.indexes.iter().any(|index| {
        index.unique
            && !index.partial
            && index.columns.len() == summary.key.len()
            && summary.key.iter().all(|name| has(&index.columns, name))
    });
    if !unique {
        return Err(fail(format!(
            "table {} has no unique index on exactly its key ({})",
            summary.table,
            summary.key.join(", ")
        ))
        .hint("add a primary key or unique index in a new script"));
    }
    if let (Some(_), Some(name)) = (summary.keep, summary.partition.first())
        && let Some(column) = shape.column(name)
        && !d.is_date(&column.sql_type)
    {
        return Err(retention::no_dates(summary, &format!("{} is {}", column.name, column.sql_type)));
    }
    Ok(())
}

/// Names of the columns that the SELECT yields.
async fn produced(engine: &mut dyn Engine, summary: &Summary, target: &str) -> Result<Vec<String>, Failure> {
    let bare = SummarySql {
        dialect: engine.dialect(),
        target: target.to_owned(),
        select: &summary.select,
        columns: &[],
        compared: Vec::new(),
        stamped: &[],
        key: &summary.key,
        partition: &summary.partition,
        marks: Marks::PRIVATE,
    };
    engine.column_names(&bare.probe(&[])).await.map_err(|error| {
        let failure = fail(format!("{}: {error}", summary.select_file));
        match error.class {
            ErrorClass::Missing => failure.hint("correct the SELECT, or the table that it reads"),
            ErrorClass::Denied => failure.hint("grant SELECT on the tables that it reads"),
            _ => failure,
        }
    })
}

/// The table's columns that the SELECT yields, and those that dashagg sets itself.
fn fitting_columns(
    summary: &Summary,
    shape: &Shape,
    produced: &[String],
) -> Result<(Vec<Column>, Vec<String>), Failure> {
    for name in produced {
        match shape.column(name) {
            None => {
                return Err(fail(format!(
                    "{}: produces column {name}, which table {} does not have",
                    summary.select_file, summary.table
                ))
                .hint("add it to the table in a new script, or leave it out of the SELECT"));
            }
            Some(column) if column.generated => {
                return Err(fail(format!(
                    "{}: produces column {name}, which table {} computes by itself",
                    summary.select_file, summary.table
                )));
            }
            Some(_) => {}
        }
    }
    let mut columns = Vec::new();
    let mut stamped = Vec::new();
    for column in &shape.columns {
        if has(produced, &column.name) {
            columns.push(column.clone());
        } else if has(&summary.ignore, &column.name) {
            stamped.push(column.name.clone());
        } else if !column.generated {
            return Err(fail(format!(
                "{}: does not produce column {} of table {}",
                summary.select_file, column.name, summary.table
            ))
            .hint("add it to the SELECT, or list it under `ignore` if dashagg is to set it to the time of writing"));
        }
    }
    Ok((columns, stamped))
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

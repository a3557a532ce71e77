//! Text that differs in trailing blanks only: two values where the collation says so (NO PAD), else one (PAD SPACE).
//!
//! A partition or key is recomputed by its value. Were 'US' and 'US ' two of them in a source and one in a summary, the rows
//! of one would take the place of the other's. So such values are refused, where a source might mean two by them.

use super::{BoundSummary, Tables, fail, shape_of, source_shape};
use crate::catalog::{Kind, Set, Summary};
use crate::engine::{Column, Dialect, Engine, Shape};
use crate::error::Failure;
use crate::plan::Tuple;

/// A column of a summary's key that makes one value of what a table below it tells apart.
#[derive(Debug, Clone)]
pub struct Confused {
    /// Its name.
    pub column: String,
    /// Which columns, and of what type.
    pub words: String,
    /// The statement that mends it.
    pub remedy: String,
}

impl Confused {
    fn failure(&self, item: &BoundSummary<'_>, value: &str) -> Failure {
        fail(format!("{}: the value '{value}' ends in a blank, and {}", item.summary.select_file, self.words))
            .hint(format!("in a new script: {}; nothing was published", self.remedy))
    }
}

/// What two rows for one key may be, if a column confuses values that end in a blank with others.
pub fn hint(item: &BoundSummary<'_>) -> Option<String> {
    let confused = item.confused.first()?;
    Some(format!(
        "or two values differ in blanks at the end only: {}; in a new script: {}",
        confused.words, confused.remedy
    ))
}

/// All of a summary.
pub fn confused(d: &dyn Dialect, own: &str, set: &Set, summary: &Summary, tables: &Tables) -> Vec<Confused> {
    let Some(shape) = shape_of(tables, summary, own).filter(|_| summary.kind == Kind::Table) else {
        return Vec::new();
    };
    let sources = summary.reads_sources.iter().map(|at| &set.sources[*at]);
    let below = summary.reads_summaries.iter().map(|at| &set.summaries[*at]);
    let below: Vec<(&str, &Shape)> = sources
        .filter_map(|source| Some((source.table.as_str(), source_shape(tables, source)?)))
        .chain(below.filter_map(|lower| Some((lower.table.as_str(), shape_of(tables, lower, own)?))))
        .collect();
    let keys = summary.key.iter().filter_map(|name| shape.column(name));
    keys.filter_map(|column| {
        let exact = d.with_blanks(column)?;
        let (table, other) = exact_below(d, &below, &column.name)?;
        let null = if column.nullable { "" } else { " NOT NULL" };
        Some(Confused {
            column: column.name.clone(),
            words: format!(
                "{}.{} ({}) takes it for the same without, where {table}.{} ({}) does not",
                summary.table, column.name, column.sql_type, other.name, other.sql_type
            ),
            remedy: format!(
                "ALTER TABLE {} MODIFY {} {exact}{null}",
                summary.target(d, own),
                d.quote(&column.name)
            ),
        })
    })
    .collect()
}

/// The column that a key comes from, if it is exact; of a name that no table below has, any that is.
fn exact_below<'s>(
    d: &dyn Dialect,
    below: &[(&'s str, &'s Shape)],
    name: &str,
) -> Option<(&'s str, &'s Column)> {
    let exact = |column: &&Column| column.text && d.with_blanks(column).is_none();
    if below.iter().any(|(_, shape)| shape.column(name).is_some()) {
        return below.iter().find_map(|(table, shape)| Some((*table, shape.column(name).filter(exact)?)));
    }
    below.iter().find_map(|(table, shape)| Some((*table, shape.columns.iter().find(exact)?)))
}

/// Refuses values to recompute by.
///
/// # Errors
/// One that such a column would confuse with another.
pub fn refuse(item: &BoundSummary<'_>, columns: &[String], rows: &[Tuple]) -> Result<(), Failure> {
    for (at, name) in columns.iter().enumerate() {
        let Some(confused) = item.confused.iter().find(|known| known.column.eq_ignore_ascii_case(name))
        else {
            continue;
        };
        let mut values = rows.iter().filter_map(|row| row.get(at)?.as_deref());
        if let Some(value) = values.find(|value| value.ends_with(' ')) {
            return Err(confused.failure(item, value));
        }
    }
    Ok(())
}

/// Refuses computed rows.
///
/// # Errors
/// The same; whatever the server says.
pub async fn refuse_computed(
    engine: &mut dyn Engine,
    item: &BoundSummary<'_>,
    stage: &str,
) -> anyhow::Result<()> {
    for confused in &item.confused {
        let name = engine.dialect().quote(&confused.column);
        let sql = format!("SELECT {name} FROM {stage} WHERE {name} LIKE '% ' LIMIT 1");
        if let Some(value) = engine.scalar(&sql).await? {
            return Err(confused.failure(item, &value).into());
        }
    }
    Ok(())
}

//! Which values of partitions and keys are one to the server, though they differ as texts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{BoundSummary, source_shape};
use crate::catalog::Set;
use crate::engine::{Column, Engine, Tables, count_at};
use crate::plan::{Alike, Tuple, plain};

/// Values by their columns.
#[derive(Debug, Default)]
pub struct Values(BTreeMap<String, BTreeSet<String>>);

impl Values {
    /// Adds those of tuples.
    pub fn add<'t>(&mut self, columns: &[String], tuples: impl Iterator<Item = &'t Tuple>) {
        for tuple in tuples {
            for (column, value) in columns.iter().zip(tuple) {
                if let Some(value) = value {
                    self.add_one(column, value);
                }
            }
        }
    }

    /// Adds one.
    pub fn add_one(&mut self, column: &str, value: &str) {
        let of = self.0.entry(column.to_owned()).or_default();
        if !of.contains(value) {
            of.insert(value.to_owned());
        }
    }
}

/// The columns of a set that may be compared in another way than to the byte: those of the sources first, which decide what
/// is grouped.
pub fn columns<'t>(set: &Set, prepared: &'t [BoundSummary<'_>], tables: &'t Tables) -> Vec<&'t Column> {
    let sources = set.sources.iter().filter_map(|source| source_shape(tables, source));
    sources.flat_map(|shape| &shape.columns).chain(prepared.iter().flat_map(|item| &item.columns)).collect()
}

/// Asks the server, where anything is to be asked.
///
/// # Errors
/// Whatever the server says.
pub async fn alike(engine: &mut dyn Engine, columns: &[&Column], values: &Values) -> Result<Alike> {
    let mut found = Alike::default();
    for (name, values) in &values.0 {
        let list: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut first: Vec<usize> = (0..list.len()).collect();
        let d = engine.dialect();
        let mut of = columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        if list.len() > 1
            && let Some(sql) = of.find_map(|column| d.alike_sql(&list, column))
        {
            for row in engine.query(&sql).await? {
                let (at, same) = (usize::try_from(count_at(&row, 0)?)?, usize::try_from(count_at(&row, 1)?)?);
                first[at] = same;
            }
        }
        for (at, value) in list.iter().enumerate() {
            found.add(name, value, plain(list[first[at]]));
        }
    }
    Ok(found)
}

//! The part of a summary that a statement works on.

use crate::engine::{Column, Dialect};

/// One value of a tuple; `None` is NULL.
pub type Value = Option<String>;

/// The part of a summary that one statement works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    /// Every row.
    All,
    /// The rows whose columns equal one of the tuples.
    Tuples {
        /// Columns, in the order of the tuples' values.
        columns: Vec<Column>,
        /// Values as the server spells them.
        rows: Vec<Vec<Value>>,
    },
}

impl Slice {
    /// The condition, over columns as `spell` writes them.
    pub fn condition(&self, dialect: &dyn Dialect, spell: &dyn Fn(&str) -> String) -> String {
        let Self::Tuples { columns, rows } = self else {
            return "1 = 1".to_owned();
        };
        if rows.is_empty() {
            return "1 = 0".to_owned();
        }
        let names: Vec<String> = columns.iter().map(|column| spell(&column.name)).collect();
        let constants = |value: &str, column: &Column| dialect.constants(value, column);
        let (with_null, plain): (Vec<_>, Vec<_>) =
            rows.iter().partition(|row| row.iter().any(Option::is_none));
        let mut parts = Vec::new();
        if !plain.is_empty() {
            let mut tuples: Vec<Vec<Vec<String>>> = plain
                .iter()
                .map(|row| {
                    row.iter()
                        .zip(columns)
                        .map(|(value, column)| constants(value.as_deref().unwrap_or(""), column))
                        .collect()
                })
                .collect();
            tuples.sort();
            parts.extend(factored(dialect, &names, &tuples));
        }
        for row in with_null {
            let each: Vec<String> = row
                .iter()
                .zip(columns)
                .zip(&names)
                .map(|((value, column), name)| match value {
                    Some(value) => equals(name, &constants(value, column)),
                    None => format!("{name} IS NULL"),
                })
                .collect();
            parts.push(format!("({})", each.join(" AND ")));
        }
        if parts.len() == 1 { parts.remove(0) } else { format!("({})", parts.join(" OR ")) }
    }

    /// The condition over columns of `alias`.
    pub fn over(&self, dialect: &dyn Dialect, alias: &str) -> String {
        self.condition(dialect, &|name| format!("{alias}.{}", dialect.quote(name)))
    }
}

/// Sorted tuples as `a = 1 AND b IN (2, 3)`, one a run of equal heads: every engine turns that into index
/// ranges, which not every one does with a list of row values.
fn factored(dialect: &dyn Dialect, names: &[String], tuples: &[Vec<Vec<String>>]) -> Vec<String> {
    let (last, heads) = match names.split_last() {
        Some(split) => split,
        None => return vec!["1 = 1".to_owned()],
    };
    tuples
        .chunk_by(|a, b| a[..heads.len()] == b[..heads.len()])
        .map(|run| {
            let values: Vec<String> =
                run.iter().flat_map(|tuple| tuple[heads.len()].iter().cloned()).collect();
            let tail = match values.as_slice() {
                [only] => dialect.is_value(last, only),
                _ => equals(last, &values),
            };
            if heads.is_empty() {
                return tail;
            }
            let head: Vec<String> =
                heads.iter().zip(&run[0]).map(|(name, values)| equals(name, values)).collect();
            format!("({} AND {tail})", head.join(" AND "))
        })
        .collect()
}

/// Whether a name has one of these values.
fn equals(name: &str, constants: &[String]) -> String {
    match constants {
        [only] => format!("{name} = {only}"),
        _ => format!("{name} IN ({})", constants.join(", ")),
    }
}

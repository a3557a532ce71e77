//! What a table looks like, read from the server's catalog.

use anyhow::Result;

use super::{Dialect, Engine};

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name as the server spells it.
    pub name: String,
    /// Type as DDL would spell it, with collation where it has one.
    pub sql_type: String,
    /// Holds text, whose comparison a collation may soften.
    pub text: bool,
    /// Holds whole numbers, so that a partition value must not be quoted.
    pub integer: bool,
    /// Computed by the server; never written.
    pub generated: bool,
    /// May be NULL.
    pub nullable: bool,
}

/// One index of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Name as the server spells it.
    pub name: String,
    /// Refuses equal keys.
    pub unique: bool,
    /// Covers only some rows (a WHERE clause) or expressions, so it does not serve every query.
    pub partial: bool,
    /// An interrupted online build left it behind; it serves nothing.
    pub broken: bool,
    /// Plain columns in order.
    pub columns: Vec<String>,
}

/// Columns and indexes of a table that exists.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// In the table's order.
    pub columns: Vec<Column>,
    /// Primary key included.
    pub indexes: Vec<Index>,
}

impl Shape {
    /// Reads the shape; `None` if there is no such table.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn read(engine: &mut dyn Engine, schema: Option<&str>, table: &str) -> Result<Option<Self>> {
        let dialect: &dyn Dialect = engine.dialect();
        let columns: Vec<Column> = engine
            .query(&dialect.columns_sql(schema, table))
            .await?
            .into_iter()
            .map(|row| {
                let cell = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
                let sql_type = cell(1);
                Column {
                    name: cell(0),
                    text: dialect.is_text(&sql_type),
                    integer: dialect.is_integer(&sql_type),
                    sql_type,
                    generated: cell(2) == "1",
                    nullable: cell(3) == "1",
                }
            })
            .collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let mut indexes: Vec<Index> = Vec::new();
        for row in engine.query(&dialect.indexes_sql(schema, table)).await? {
            let cell = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            let (name, column) = (cell(0), cell(3));
            let broken = cell(2) == "2";
            let partial = cell(2) != "0" || column.is_empty();
            match indexes.last_mut().filter(|index| index.name == name) {
                Some(index) => {
                    index.partial |= partial;
                    index.columns.push(column);
                }
                None => indexes.push(Index {
                    name,
                    unique: cell(1) == "1",
                    partial,
                    broken,
                    columns: vec![column],
                }),
            }
        }
        Ok(Some(Self { columns, indexes }))
    }

    /// The column of that name, compared as the server does (ASCII case aside).
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// A usable index whose first columns are these, in this order.
    pub fn index_led_by(&self, columns: &[String]) -> Option<&Index> {
        self.indexes.iter().find(|index| {
            !index.partial
                && index.columns.len() >= columns.len()
                && index.columns.iter().zip(columns).all(|(have, want)| have.eq_ignore_ascii_case(want))
        })
    }

    /// Whether some unique index other than one on exactly `key` exists: then rows must not be updated
    /// one by one, since two rows that swap values would collide half-way.
    pub fn has_other_unique(&self, key: &[String]) -> bool {
        self.indexes.iter().any(|index| {
            index.unique
                && !(index.columns.len() == key.len()
                    && key.iter().all(|name| index.columns.iter().any(|c| c.eq_ignore_ascii_case(name))))
        })
    }
}

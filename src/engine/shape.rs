//! What a table looks like, read from the server's catalog.

use super::{DbError, Dialect, Engine, Row};

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
    /// Columns that no row holds and triggers do not see, each with the expression (over the row's other columns) that
    /// reading it computes.
    pub unseen: Vec<(String, String)>,
}

/// The shapes of several tables, as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    found: Vec<(Option<String>, String, Shape)>,
}

impl Tables {
    /// Reads them, in one round trip (SQLite: by two statements).
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn read(engine: &mut dyn Engine, tables: &[(Option<&str>, &str)]) -> Result<Self, DbError> {
        if tables.is_empty() {
            return Ok(Self::default());
        }
        let d: &dyn Dialect = engine.dialect();
        let mut shapes: Vec<Shape> = vec![Shape::default(); tables.len()];
        if let Some(pair) = d.shapes_sql(tables) {
            let mut answers = engine.query_each(&pair).await?.into_iter();
            for mut row in answers.next().unwrap_or_default() {
                if let Some(shape) = shape_at(&mut shapes, &mut row) {
                    shape.add_column(d, &row);
                }
            }
            for mut row in answers.next().unwrap_or_default() {
                if let Some(shape) = shape_at(&mut shapes, &mut row) {
                    shape.add_index_part(&row);
                }
            }
        } else {
            let each = tables
                .iter()
                .flat_map(|(schema, table)| [d.columns_sql(*schema, table), d.indexes_sql(*schema, table)]);
            let mut answers = engine.query_each(&each.collect::<Vec<_>>()).await?.into_iter();
            for shape in &mut shapes {
                answers.next().unwrap_or_default().iter().for_each(|row| shape.add_column(d, row));
                answers.next().unwrap_or_default().iter().for_each(|row| shape.add_index_part(row));
            }
        }
        let names = tables.iter().map(|(schema, table)| (schema.map(str::to_owned), (*table).to_owned()));
        let there = names.zip(shapes).filter(|(_, shape)| !shape.columns.is_empty());
        Ok(Self { found: there.map(|((schema, table), shape)| (schema, table, shape)).collect() })
    }

    /// The shape of a table as it was asked for; `None` if there is no such table.
    pub fn get(&self, schema: Option<&str>, table: &str) -> Option<&Shape> {
        let same =
            |found: &&(Option<String>, String, Shape)| found.0.as_deref() == schema && found.1 == table;
        self.found.iter().find(same).map(|(_, _, shape)| shape)
    }
}

/// The shape that a row is about, by the number in its first cell, which is taken off.
fn shape_at<'s>(shapes: &'s mut [Shape], row: &mut Row) -> Option<&'s mut Shape> {
    let at = row.remove(0)?.parse::<usize>().ok()?;
    shapes.get_mut(at)
}

fn text(row: &Row, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

fn column(d: &dyn Dialect, row: &Row) -> Column {
    let sql_type = text(row, 1);
    Column {
        name: text(row, 0),
        text: d.is_text(&sql_type),
        integer: d.is_integer(&sql_type),
        sql_type,
        generated: text(row, 2) == "1",
        nullable: text(row, 3) == "1",
    }
}

impl Shape {
    /// Reads the shape of one table; `None` if there is no such table.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn read(
        engine: &mut dyn Engine,
        schema: Option<&str>,
        table: &str,
    ) -> Result<Option<Self>, DbError> {
        let found = Tables::read(engine, &[(schema, table)]).await?.found;
        Ok(found.into_iter().next().map(|(_, _, shape)| shape))
    }

    /// One column, in the table's order.
    fn add_column(&mut self, d: &dyn Dialect, row: &Row) {
        let column = column(d, row);
        if let Some(expression) = row.get(4).cloned().flatten() {
            self.unseen.push((column.name.clone(), expression));
        }
        self.columns.push(column);
    }

    /// One column of an index, in the index's order.
    fn add_index_part(&mut self, row: &Row) {
        let (name, column) = (text(row, 0), text(row, 3));
        let broken = text(row, 2) == "2";
        let partial = text(row, 2) != "0" || column.is_empty();
        match self.indexes.last_mut().filter(|index| index.name == name) {
            Some(index) => {
                index.partial |= partial;
                index.columns.push(column);
            }
            None => self.indexes.push(Index {
                name,
                unique: text(row, 1) == "1",
                partial,
                broken,
                columns: vec![column],
            }),
        }
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

//! Rows of the ledger, decoded. What is not as it must be is an error that names table, column and value: a number that
//! cannot be read must never pass for another one.

use anyhow::Result;

use crate::engine::Row;
use crate::error::Failure;
use crate::exit_code::ExitCode;

/// Some columns of one table, which are asked for and read by the same list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// The table.
    pub table: &'static str,
    /// Its columns, in the order of the SELECT.
    pub names: &'static [&'static str],
}

/// One row of them.
#[derive(Debug)]
pub(super) struct Record {
    columns: Columns,
    cells: Row,
}

impl Columns {
    /// The SELECT; `rest` is what follows the table's name.
    pub fn select(self, rest: &str) -> String {
        format!("SELECT {} FROM {} {rest}", self.names.join(", "), self.table)
    }

    /// Takes a row that this SELECT yielded.
    ///
    /// # Errors
    /// It has more columns or fewer.
    pub fn record(self, cells: Row) -> Result<Record> {
        if cells.len() == self.names.len() {
            return Ok(Record { columns: self, cells });
        }
        let message = format!(
            "{}: the server sent {} columns where {} were asked for",
            self.table,
            cells.len(),
            self.names.len()
        );
        Err(Failure::new(ExitCode::Failed, message).into())
    }

    /// Decodes every row of an answer.
    ///
    /// # Errors
    /// Those of `decode`; a row with more columns or fewer.
    pub fn decode<T>(self, rows: Vec<Row>, decode: impl Fn(&Record) -> Result<T>) -> Result<Vec<T>> {
        rows.into_iter().map(|row| decode(&self.record(row)?)).collect()
    }

    /// The same for the first row, if there is one.
    ///
    /// # Errors
    /// Those of `decode`; a row with more columns or fewer.
    pub fn decode_first<T>(self, rows: Vec<Row>, decode: impl Fn(&Record) -> Result<T>) -> Result<Option<T>> {
        rows.into_iter().next().map(|row| decode(&self.record(row)?)).transpose()
    }
}

impl Record {
    /// The text of a column; `None` is NULL.
    ///
    /// # Errors
    /// The column was not asked for.
    pub fn maybe_text(&self, name: &str) -> Result<Option<String>> {
        let at = self.columns.names.iter().position(|known| *known == name);
        match at.and_then(|at| self.cells.get(at)) {
            Some(cell) => Ok(cell.clone()),
            None => Err(self.wrong(name, "was not asked for").into()),
        }
    }

    /// The text of a column that is never NULL.
    ///
    /// # Errors
    /// It is NULL, or was not asked for.
    pub fn text(&self, name: &str) -> Result<String> {
        self.maybe_text(name)?.ok_or_else(|| self.wrong(name, "is NULL").into())
    }

    /// The value of a column as `parse` reads it; `what` says what it should be.
    ///
    /// # Errors
    /// It is something else, or was not asked for.
    pub fn maybe<T>(&self, name: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(text) = self.maybe_text(name)? else { return Ok(None) };
        let shown = || text.chars().take(60).collect::<String>();
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(name, &format!("is '{}', which is not {what}", shown())).into()),
        }
    }

    /// The same of a column that is never NULL.
    ///
    /// # Errors
    /// It is NULL or something else, or was not asked for.
    pub fn value<T>(&self, name: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.maybe(name, what, parse)?.ok_or_else(|| self.wrong(name, "is NULL").into())
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is NULL or something else, or was not asked for.
    pub fn i64(&self, name: &str) -> Result<i64> {
        self.value(name, "a whole number", |text| text.parse().ok())
    }

    /// A count that may be NULL.
    ///
    /// # Errors
    /// It is something else, or was not asked for.
    pub fn maybe_u64(&self, name: &str) -> Result<Option<u64>> {
        self.maybe(name, "a count", |text| text.parse().ok())
    }

    /// A number.
    ///
    /// # Errors
    /// It is NULL or something else, or was not asked for.
    pub fn f64(&self, name: &str) -> Result<f64> {
        self.value(name, NUMBER, |text| text.parse().ok())
    }

    /// A number that may be NULL.
    ///
    /// # Errors
    /// It is something else, or was not asked for.
    pub fn maybe_f64(&self, name: &str) -> Result<Option<f64>> {
        self.maybe(name, NUMBER, |text| text.parse().ok())
    }

    fn wrong(&self, name: &str, how: &str) -> Failure {
        let table = self.columns.table;
        Failure::new(ExitCode::Failed, format!("dashagg's own table {table}: column {name} {how}"))
            .hint("somebody wrote to it; docs/ledger.md says what it holds")
    }
}

const NUMBER: &str = "a number";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SETS: Columns = Columns { table: "dashagg_set", names: &["set_name", "generation"] };

    fn record(generation: Option<&str>) -> Record {
        SETS.record(vec![Some("shop".to_owned()), generation.map(str::to_owned)]).unwrap()
    }

    #[test]
    fn columns_are_read_by_their_names() {
        assert_eq!(SETS.select("WHERE 1 = 1"), "SELECT set_name, generation FROM dashagg_set WHERE 1 = 1");
        let row = record(Some("7"));
        assert_eq!((row.text("set_name").unwrap().as_str(), row.i64("generation").unwrap()), ("shop", 7));
        assert_eq!(record(None).maybe_u64("generation").unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let said = |error: anyhow::Error| Failure::of(&error).1;
        let what = "dashagg's own table dashagg_set: column generation";
        assert_eq!(said(record(None).i64("generation").unwrap_err()), format!("{what} is NULL"));
        assert_eq!(
            said(record(Some("7x")).i64("generation").unwrap_err()),
            format!("{what} is '7x', which is not a whole number")
        );
        assert_eq!(
            said(record(Some("-1")).maybe_u64("generation").unwrap_err()),
            format!("{what} is '-1', which is not a count")
        );
        assert!(said(record(None).text("colour").unwrap_err()).contains("colour was not asked for"));
        let short = SETS.record(vec![None]).unwrap_err();
        assert_eq!(said(short), "dashagg_set: the server sent 1 columns where 2 were asked for");
    }
}

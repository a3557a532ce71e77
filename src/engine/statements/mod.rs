//! The statements that refresh and verify are made of, built from a [`Dialect`], quoted names and the
//! DBA's own SELECT. Pure: what is built here can be printed (`--dry-run`) or run.

mod diff;
mod publish;
mod slice;
mod stage;
mod verify;

pub use diff::delta_index;
pub use slice::{Slice, Value};
pub use stage::{SourceTotals, scratch_columns, stage_index};

use super::{Column, Dialect};

/// Marks the rows of a stage: what the SELECT computed, or the source's own totals.
pub const KIND: &str = "dashagg_kind";
/// Marks the rows of a delta: `I`nsert, `U`pdate, `D`elete.
pub const OP: &str = "dashagg_op";
/// The run that a row of a delta belongs to.
pub const RUN: &str = "dashagg_run";

/// Numbers that tell rows in scratch tables apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The run, in a delta.
    pub run: i64,
    /// Rows that the SELECT computed, in a stage.
    pub computed: i64,
    /// The source's own totals, in a stage.
    pub totals: i64,
}

impl Marks {
    /// Where a stage is its connection's own.
    pub const PRIVATE: Self = Self { run: 0, computed: 0, totals: 1 };
}

/// A CTE that takes the place of a summary's table while a SELECT is evaluated.
#[derive(Debug, Clone)]
pub struct Shadow {
    /// The table's plain name.
    pub table: String,
    /// What it stands for now.
    pub body: String,
}

/// One summary's SELECT and table, as statements need them.
pub struct SummarySql<'a> {
    /// The engine's text.
    pub dialect: &'a dyn Dialect,
    /// Qualified, quoted name of the summary table.
    pub target: String,
    /// The SELECT as the DBA wrote it, without a closing semicolon.
    pub select: &'a str,
    /// Columns that the SELECT produces, typed as the table stores them, in the table's order.
    pub columns: &'a [Column],
    /// Of these, the ones that take part in comparison.
    pub compared: Vec<&'a Column>,
    /// Columns of the table that dashagg sets to the moment of writing.
    pub stamped: &'a [String],
    /// Unique key.
    pub key: &'a [String],
    /// Partition columns; empty for a summary that is always recomputed whole.
    pub partition: &'a [String],
    /// Which rows of scratch tables are meant.
    pub marks: Marks,
}

impl SummarySql<'_> {
    fn names(&self, alias: &str) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| {
                let name = self.dialect.quote(&column.name);
                if alias.is_empty() { name } else { format!("{alias}.{name}") }
            })
            .collect()
    }

    fn key_list(&self, alias: &str) -> String {
        self.key
            .iter()
            .map(|name| format!("{alias}.{}", self.dialect.quote(name)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The compared columns, as a list.
    pub fn compared_columns(&self) -> String {
        let names: Vec<String> =
            self.compared.iter().map(|column| self.dialect.quote(&column.name)).collect();
        names.join(", ")
    }

    /// `WITH …` for the shadows, or nothing.
    pub fn with_clause(&self, shadows: &[Shadow]) -> String {
        if shadows.is_empty() {
            return String::new();
        }
        let parts: Vec<String> = shadows
            .iter()
            .map(|shadow| format!("{} AS ({})", self.dialect.quote(&shadow.table), shadow.body))
            .collect();
        format!("WITH {} ", parts.join(", "))
    }

    /// The compared columns as the key's rows have them on both sides: each the same to the byte.
    fn all_same(&self, left: &str, right: &str) -> String {
        let same: Vec<String> = self
            .compared
            .iter()
            .map(|column| {
                let name = self.dialect.quote(&column.name);
                self.dialect.same(&format!("{left}.{name}"), &format!("{right}.{name}"), column)
            })
            .collect();
        same.join(" AND ")
    }
}

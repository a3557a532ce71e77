//! What differs between computed rows and a summary's table, as rows of a delta.

use super::{KIND, OP, RUN, Slice, SummarySql};
use crate::engine::Dialect;
use crate::engine::dialect::on_key;

/// Columns of a delta's unique index.
pub fn delta_index(d: &dyn Dialect, key: &[String]) -> String {
    let names: Vec<String> = key.iter().map(|name| d.quote(name)).collect();
    format!("{}, {}", d.quote(RUN), names.join(", "))
}

impl SummarySql<'_> {
    /// The table's own columns for a slice of its rows.
    pub fn published(&self, slice: &Slice, extra: &str) -> String {
        format!(
            "SELECT {extra}{} FROM {} t WHERE {}",
            self.names("t").join(", "),
            self.target,
            slice.over(self.dialect, "t")
        )
    }

    /// Rows of the stage that the table lacks or holds differently, into the delta. `within`: the part of the
    /// table that they can be in, where saying so spares the engine from reading all of it.
    pub fn diff_new(&self, stage: &str, delta: &str, within: Option<&Slice>) -> String {
        let d = self.dialect;
        let first = d.quote(&self.key[0]);
        format!(
            "INSERT INTO {delta} ({}, {}, {}) SELECT {}, CASE WHEN t.{first} IS NULL THEN 'I' ELSE 'U' END, {} \
             FROM {stage} s LEFT JOIN {} t ON {}{} WHERE s.{} = {} AND (t.{first} IS NULL OR NOT ({}))",
            d.quote(RUN),
            d.quote(OP),
            self.names("").join(", "),
            self.marks.run,
            self.names("s").join(", "),
            self.target,
            on_key(d, "t", "s", self.key),
            within.map(|slice| format!(" AND {}", slice.over(d, "t"))).unwrap_or_default(),
            d.quote(KIND),
            self.marks.computed,
            self.all_same("s", "t"),
        )
    }

    /// Keys of the table's slice that the stage no longer has, into the delta.
    pub fn diff_gone(&self, stage: &str, delta: &str, slice: &Slice) -> String {
        let d = self.dialect;
        let kind = d.quote(KIND);
        let keys: Vec<String> = self.key.iter().map(|name| d.quote(name)).collect();
        format!(
            "INSERT INTO {delta} ({}, {}, {}) SELECT {}, 'D', {} FROM {} t LEFT JOIN {stage} s \
             ON s.{kind} = {} AND {} WHERE {} AND s.{kind} IS NULL",
            d.quote(RUN),
            d.quote(OP),
            keys.join(", "),
            self.marks.run,
            self.key_list("t"),
            self.target,
            self.marks.computed,
            on_key(d, "s", "t", self.key),
            slice.over(d, "t"),
        )
    }

    /// Both at once: for few rows, where each statement more costs as much as they do.
    pub fn diff(&self, stage: &str, delta: &str, slice: &Slice, within: Option<&Slice>) -> String {
        let d = self.dialect;
        let kind = d.quote(KIND);
        let keys = self.columns.iter().map(|column| {
            let name = &column.name;
            match self.key.iter().any(|key| key.eq_ignore_ascii_case(name)) {
                true => format!("t.{}", d.quote(name)),
                false => "NULL".to_owned(),
            }
        });
        format!(
            "{} UNION ALL SELECT {}, 'D', {} FROM {} t LEFT JOIN {stage} s ON s.{kind} = {} AND {} \
             WHERE {} AND s.{kind} IS NULL",
            self.diff_new(stage, delta, within),
            self.marks.run,
            keys.collect::<Vec<_>>().join(", "),
            self.target,
            self.marks.computed,
            on_key(d, "s", "t", self.key),
            slice.over(d, "t"),
        )
    }

    /// Copies a whole stage as rows to insert: the first build of an empty table.
    pub fn diff_all_new(&self, stage: &str, delta: &str) -> String {
        format!(
            "INSERT INTO {delta} ({}, {}, {}) SELECT {}, 'I', {} FROM {stage} s WHERE s.{} = {}",
            self.dialect.quote(RUN),
            self.dialect.quote(OP),
            self.names("").join(", "),
            self.marks.run,
            self.names("s").join(", "),
            self.dialect.quote(KIND),
            self.marks.computed,
        )
    }

    /// Rows of the table in a slice.
    pub fn count(&self, slice: &Slice) -> String {
        format!("SELECT COUNT(*) FROM {} t WHERE {}", self.target, slice.over(self.dialect, "t"))
    }

    /// One row (inserted, updated, deleted): what turned the rows of `before` into those of the table.
    pub fn count_changes(&self, before: &str) -> String {
        let d = self.dialect;
        let columns = self.compared_columns();
        let sum = |condition: &str| format!("COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)");
        format!(
            "SELECT {}, {}, {} FROM (SELECT 1 AS dashagg_here, {columns} FROM {before}) b \
             FULL JOIN (SELECT 1 AS dashagg_here, {columns} FROM {}) t ON {}",
            sum("b.dashagg_here IS NULL"),
            sum(&format!("b.dashagg_here = 1 AND t.dashagg_here = 1 AND NOT ({})", self.all_same("b", "t"))),
            sum("t.dashagg_here IS NULL"),
            self.target,
            on_key(d, "b", "t", self.key)
        )
    }
}

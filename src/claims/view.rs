//! Rows of a summary laid side by side: which are the same, which belong to a group, and how they differ.

use std::collections::BTreeSet;

use crate::engine::{Column, Dialect, Row};
use crate::inspect::BoundSummary;
use crate::plan::Tuple;

/// How the rows of a summary are told apart and compared.
pub(super) struct View<'a> {
    names: Vec<&'a str>,
    /// Which of them hold text.
    text: Vec<bool>,
    /// Which of them are equal in several spellings, here or in a source: any of these may stand for the others.
    loose: Vec<bool>,
    key: Vec<usize>,
    /// Places of the columns that name a row's group.
    pub group: Vec<usize>,
}

impl<'a> View<'a> {
    /// What is compared of a summary; `loose`: whether a column's values are equal in several spellings.
    pub fn of(item: &'a BoundSummary<'a>, loose: &dyn Fn(&Column) -> bool) -> Self {
        let summary = item.summary;
        let among = |names: &[String], name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        // What tells rows apart is looked at even if it is ignored elsewhere.
        let compared = || {
            item.columns.iter().filter(|column| {
                !among(&summary.ignore, &column.name)
                    || among(&summary.key, &column.name)
                    || among(&summary.recompute_by, &column.name)
            })
        };
        let names: Vec<&str> = compared().map(|column| column.name.as_str()).collect();
        let places = |wanted: &[String]| {
            let place = |name: &String| names.iter().position(|other| other.eq_ignore_ascii_case(name));
            wanted.iter().filter_map(place).collect()
        };
        let (key, group) = (places(&item.summary.key), places(&item.summary.recompute_by));
        let text = compared().map(|column| column.text).collect();
        Self { key, group, text, loose: compared().map(loose).collect(), names }
    }

    /// These columns, as a list.
    pub fn columns(&self, d: &dyn Dialect) -> String {
        self.names.iter().map(|name| d.quote(name)).collect::<Vec<_>>().join(", ")
    }

    /// The group of a row, each value by one of its spellings.
    pub fn group(&self, row: &Row) -> Tuple {
        self.group.iter().map(|at| row[*at].as_ref().map(|text| self.folded(*at, text))).collect()
    }

    /// One of the spellings that are equal.
    fn folded(&self, at: usize, text: &str) -> String {
        if self.loose[at] { text.trim_end().to_ascii_lowercase() } else { text.to_owned() }
    }

    /// Whether a row is told apart by a text whose other spellings only the server knows.
    pub fn is_unclear(&self, row: &Row) -> bool {
        let told = |at: &usize| self.loose[*at] && !row[*at].as_deref().unwrap_or_default().is_ascii();
        self.key.iter().chain(&self.group).any(told)
    }

    fn same_key(&self, one: &Row, other: &Row) -> bool {
        let cell = |row: &Row, at: usize| row[at].as_ref().map(|text| self.folded(at, text));
        self.key.iter().all(|at| cell(one, *at) == cell(other, *at))
    }

    /// The columns at these places, with a row's values.
    fn label(&self, at: &[usize], row: &Row) -> String {
        let each =
            at.iter().map(|at| format!("{} {}", self.names[*at], row[*at].as_deref().unwrap_or("NULL")));
        each.collect::<Vec<_>>().join(", ")
    }

    /// A row that the group alone makes and that is of another group. Those that are there without any input, as the
    /// rows of a calendar are, say nothing.
    pub fn outside(&self, member: &Row, none: &[Row], alone: &[Row]) -> Option<String> {
        let group = self.group(member);
        let known: BTreeSet<&Row> = none.iter().collect();
        let row = alone.iter().find(|row| {
            self.group(row) != group
                && !known.contains(row)
                && !none.iter().any(|other| self.same_key(row, other) && self.same(row, other))
        })?;
        Some(format!(
            "rows of the group ({}) also make the row ({}), which is outside of it",
            self.label(&self.group, member),
            self.label(&self.key, row)
        ))
    }

    /// A row of the group that is another one when only the group is there.
    pub fn inside(&self, group: &Tuple, all: &[Row], alone: &[Row]) -> Option<String> {
        let mine = |row: &&Row| self.group(row) == *group && !self.is_unclear(row);
        let whole: Vec<&Row> = all.iter().filter(mine).collect();
        let inside: Vec<&Row> = alone.iter().filter(|row| self.group(row) == *group).collect();
        for row in &whole {
            let Some(other) = inside.iter().find(|other| self.same_key(row, other)) else {
                return Some(format!(
                    "the row ({}) needs rows outside of its group",
                    self.label(&self.key, row)
                ));
            };
            if let Some(at) = (0..row.len()).find(|at| !self.same_at(*at, row, other)) {
                let text = |row: &Row| row[at].clone().unwrap_or_else(|| "NULL".to_owned());
                return Some(format!(
                    "in the row ({}), {} is {} from the rows of its group alone and {} from all",
                    self.label(&self.key, row),
                    self.names[at],
                    text(other),
                    text(row)
                ));
            }
        }
        let lost = inside.into_iter().find(|row| !whole.iter().any(|other| self.same(row, other)))?;
        Some(format!(
            "the row ({}) is there only without rows outside of its group",
            self.label(&self.key, lost)
        ))
    }

    fn same(&self, one: &Row, other: &Row) -> bool {
        (0..one.len()).all(|at| self.same_at(at, one, other))
    }

    fn same_at(&self, at: usize, one: &Row, other: &Row) -> bool {
        let cell = |row: &Row| row[at].as_ref().map(|text| self.folded(at, text));
        let (one, other) = (cell(one), cell(other));
        let unclear = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_ascii());
        (self.loose[at] && (unclear(&one) || unclear(&other)))
            || same_cell(one.as_deref(), other.as_deref(), self.text[at])
    }
}

/// Equal, or told apart only by the order in which rows were read: the last digits of a float, the order in a list.
fn same_cell(one: Option<&str>, other: Option<&str>, text: bool) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    if one == other {
        return true;
    }
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        _ if !text => false,
        _ => {
            let sorted = |text: &str| {
                let mut bytes = text.as_bytes().to_vec();
                bytes.sort_unstable();
                bytes
            };
            sorted(one) == sorted(other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_order_of_reading_cannot_explain_differs() {
        for (a, b, text, equal) in [
            ("0.30000000000000004", "0.3", false, true),
            ("5", "12", false, false),
            ("a,b", "b,a", true, true),
            ("a,b", "a,c", true, false),
            ("2025-01-02", "2025-02-01", false, false),
        ] {
            assert_eq!(same_cell(Some(a), Some(b), text), equal, "{a} {b}");
        }
        assert!(!same_cell(None, Some("0"), false));
    }
}

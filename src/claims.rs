//! What a manifest claims of a SELECT and data can refute: that with `recompute_by` each row is made only of rows with
//! the same values in these columns. A false claim would publish wrong rows at the first refresh by key.
//!
//! The claim is about all possible content, so a small part of the real one serves: some rows of the sources as the
//! world, and in it the SELECT over one group alone laid beside the SELECT over everything.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::catalog::{Set, Source, Summary};
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{Column, Dialect, Engine, Row, Shape, Tx};
use crate::error::Failure;
use crate::inspect::{self, Prepared};
use crate::plan::Tuple;
use crate::sql_text;

/// Rows of a source that are looked at, of its first partition and of any.
const SAMPLE: usize = 200;

/// Groups of a summary that are recomputed alone.
const GROUPS: usize = 8;

/// Looks for rows that refute what a set claims of some of its summaries (`which`), and returns those of them whose claim
/// was put to the test, or never can be. Only reads.
///
/// # Errors
/// A false claim: exit code 2, naming the rows that prove it. Whatever the server says.
pub async fn refute(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
    which: &[usize],
) -> Result<Vec<usize>> {
    let claiming = |at: &usize| !prepared[*at].summary.recompute_by.is_empty();
    let which: Vec<usize> = which.iter().copied().filter(claiming).collect();
    if which.is_empty() {
        return Ok(which);
    }
    engine.begin(Tx::Read).await?;
    let result = refute_each(engine, set, prepared, &which).await;
    engine.rollback().await?;
    result
}

async fn refute_each(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
    which: &[usize],
) -> Result<Vec<usize>> {
    let world = World::read(engine, set, prepared).await?;
    let mut tested = Vec::new();
    for index in which {
        let item = &prepared[*index];
        let verdict = world.refutation(engine, *index).await.with_context(|| {
            format!("comparing groups of {} with the whole, for its `recompute_by`", item.summary.name)
        })?;
        if verdict != Verdict::NoRows {
            tested.push(*index);
        }
        if let Verdict::False(why) = verdict {
            let by = item.summary.recompute_by.join(", ");
            return Err(Failure::usage(format!(
                "{}/summaries.toml: summaries.{}.recompute_by ({by}) is not true of {}: {why}",
                set.location, item.summary.name, item.summary.select_file
            ))
            .hint(
                "name only columns in which every row is like all the rows that it is made of; without \
                 `recompute_by`, whole partitions are recomputed",
            )
            .into());
        }
    }
    Ok(tested)
}

/// What the rows say of a claim.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is false, and why.
    False(String),
    /// Nothing speaks against it.
    Stands,
    /// There are no rows to say anything.
    NoRows,
}

/// A few rows of each source, and what the tiers make of them.
struct World<'a> {
    d: &'static dyn Dialect,
    own: String,
    set: &'a Set,
    prepared: &'a [Prepared<'a>],
    /// For each source: the rows that belong; `None`: all of them, since no summary could be told apart by its columns.
    rows: Vec<Option<Slice>>,
}

/// The rows of a summary's inputs that count.
#[derive(Clone, Copy)]
enum Only<'a> {
    Everything,
    Nothing,
    Group(&'a Tuple),
}

impl<'a> World<'a> {
    async fn read(engine: &mut dyn Engine, set: &'a Set, prepared: &'a [Prepared<'a>]) -> Result<Self> {
        let mut rows = Vec::new();
        for source in &set.sources {
            rows.push(sample(engine, source, prepared).await?);
        }
        let own = engine.server().schema.clone();
        Ok(Self { d: engine.dialect(), own, set, prepared, rows })
    }

    async fn refutation(&self, engine: &mut dyn Engine, index: usize) -> Result<Verdict> {
        if !self.can_tell(index) {
            return Ok(Verdict::Stands);
        }
        let view = View::of(&self.prepared[index], &|column| self.is_loose(column));
        let all = self.computed(engine, index, Only::Everything).await?;
        let none = self.computed(engine, index, Only::Nothing).await?;
        if all.len() == none.len() {
            return Ok(Verdict::NoRows);
        }
        if all.iter().any(|row| view.is_unclear(row)) {
            return Ok(Verdict::Stands);
        }
        // By any of the spellings that are equal.
        let groups: BTreeMap<Tuple, &Row> = all.iter().map(|row| (view.group(row), row)).collect();
        let step = groups.len().div_ceil(GROUPS).max(1);
        let mut found = None;
        for (group, row) in groups.iter().step_by(step).filter(|(group, _)| group.iter().all(Option::is_some))
        {
            let spelled: Tuple = view.group.iter().map(|at| row[*at].clone()).collect();
            let alone = self.computed(engine, index, Only::Group(&spelled)).await?;
            if alone.iter().any(|row| view.is_unclear(row)) {
                continue;
            }
            // Says most: it names the row and what it is made of.
            if let Some(why) = view.outside(row, &none, &alone) {
                return Ok(Verdict::False(why));
            }
            found = found.or_else(|| view.inside(group, &all, &alone));
        }
        Ok(found.map_or(Verdict::Stands, Verdict::False))
    }

    /// The columns of that name in the sources.
    fn origins<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Column> {
        let sources = self.rows.iter().flatten().flat_map(|rows| match rows {
            Slice::Tuples { columns, .. } => columns.as_slice(),
            Slice::All => &[],
        });
        sources.filter(move |other| other.name.eq_ignore_ascii_case(name))
    }

    /// Whether the values of a column are equal in several spellings, where it is stored or where it comes from.
    fn is_loose(&self, column: &Column) -> bool {
        self.origins(&column.name).chain([column]).any(|column| self.d.loose(column).is_some())
    }

    /// Whether the inputs can be cut by the summary's columns: one has them all, and each is found by its bare name, so
    /// that a CTE can stand for it.
    fn can_tell(&self, index: usize) -> bool {
        let summary = self.prepared[index].summary;
        let bare = self.set.below(index).iter().all(|at| {
            let select = &self.prepared[*at].summary.select;
            sql_text::tables_read(select, self.d.lex_rules()).iter().all(|(schema, _)| schema.is_none())
        });
        // Where a source equates what the summary tells apart, refresh does not go by key.
        let alike = |source: &usize| {
            let Some(Slice::Tuples { columns, .. }) = &self.rows[*source] else { return true };
            summary.recompute_by.iter().filter_map(|name| self.prepared[index].column(name)).all(|column| {
                let mut origin = columns.iter().filter(|other| other.name.eq_ignore_ascii_case(&column.name));
                origin.all(|origin| self.d.loose(origin) == self.d.loose(column))
            })
        };
        let alike = summary.reads_sources.iter().all(alike);
        bare && alike
            && !summary.recompute_by.is_empty()
            && self.set.sources_below(index).iter().any(|at| self.rows[*at].is_some())
            && (summary.reads_sources.iter().any(|at| has_all(&self.set.sources[*at], summary))
                || summary.reads_summaries.iter().any(|at| self.lower_has_all(*at, summary)))
    }

    fn lower_has_all(&self, lower: usize, summary: &Summary) -> bool {
        summary.recompute_by.iter().all(|name| self.prepared[lower].column(name).is_some())
    }

    /// What the SELECT of a summary yields in this world if only some rows of its direct inputs are there.
    async fn computed(&self, engine: &mut dyn Engine, index: usize, only: Only<'_>) -> Result<Vec<Row>> {
        let item = &self.prepared[index];
        let mut shadows = Vec::new();
        for at in self.set.sources_below(index) {
            let source = &self.set.sources[at];
            let Some(rows) = &self.rows[at] else { continue };
            let spell = |name: &str| spelled(self.d, source, name);
            let mut condition = rows.condition(self.d, &spell);
            if item.summary.reads_sources.contains(&at) && has_all(source, item.summary) {
                condition = format!("{condition} AND {}", self.within(item, only, &spell));
            }
            // A CTE that reads a table of its own name is a circle to SQLite, unless that has its schema.
            let table = match source.schema.is_some() || self.d.has_schemas() {
                true => source.sql(self.d),
                false => self.d.qualify(&self.own, &source.table),
            };
            let body = format!("SELECT * FROM {table} WHERE {condition}");
            shadows.push(Shadow { table: source.table.clone(), body });
        }
        for at in self.set.below(index).into_iter().filter(|at| *at != index) {
            let lower = &self.prepared[at];
            let direct = item.summary.reads_summaries.contains(&at);
            let condition = if direct && self.lower_has_all(at, item.summary) {
                self.within(item, only, &|name| format!("q.{}", self.d.quote(name)))
            } else {
                "1 = 1".to_owned()
            };
            let body = format!("SELECT * FROM (\n{}\n) q WHERE {condition}", lower.summary.select);
            shadows.push(Shadow { table: lower.summary.table.clone(), body });
        }
        let shapes = item.shapes(self.d);
        let sql = format!(
            "{}SELECT {} FROM (\n{}\n) q",
            shapes.with_clause(&shadows),
            shapes.compared_columns(),
            item.summary.select
        );
        Ok(engine.query(&sql).await?)
    }

    fn within(&self, item: &Prepared<'_>, only: Only<'_>, spell: &dyn Fn(&str) -> String) -> String {
        let group = match only {
            Only::Everything => return "1 = 1".to_owned(),
            Only::Nothing => return "1 = 0".to_owned(),
            Only::Group(group) => group.clone(),
        };
        let columns =
            item.summary.recompute_by.iter().filter_map(|name| item.column(name).cloned()).collect();
        Slice::Tuples { columns, rows: vec![group] }.condition(self.d, spell)
    }
}

/// Whether notes of a source can name groups of a summary.
fn has_all(source: &Source, summary: &Summary) -> bool {
    summary.recompute_by.iter().all(|name| source.track_columns.contains(name))
}

fn spelled(d: &dyn Dialect, source: &Source, name: &str) -> String {
    inspect::partition_expression(d, source, name).unwrap_or_else(|| d.quote(name))
}

/// Some rows of a source, by what its notes hold: first of any partition, then more of the first one's.
async fn sample(
    engine: &mut dyn Engine,
    source: &Source,
    prepared: &[Prepared<'_>],
) -> Result<Option<Slice>> {
    // A dimension is joined, and what it lacks would be missing in the world.
    if source.invalidates.is_some() || source.track_columns.is_empty() {
        return Ok(None);
    }
    let d = engine.dialect();
    let Some(shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await? else {
        return Ok(None);
    };
    let column = |name: &String| -> Option<Column> {
        let stored = || prepared.iter().find_map(|item| item.column(name)).cloned();
        shape.column(name).cloned().or_else(stored)
    };
    let Some(columns) = source.track_columns.iter().map(column).collect::<Option<Vec<Column>>>() else {
        return Ok(None);
    };
    let spell = |name: &str| spelled(d, source, name);
    let cells: Vec<String> = source.track_columns.iter().map(|name| spell(name)).collect();
    let select = format!("SELECT {} FROM {}", cells.join(", "), source.sql(d));
    let mut rows = engine.query(&format!("{select} LIMIT {SAMPLE}")).await?;
    if let Some(first) = rows.first() {
        let parts = source.partition.len();
        let first = Slice::Tuples { columns: columns[..parts].to_vec(), rows: vec![first[..parts].to_vec()] };
        let condition = first.condition(d, &spell);
        rows.extend(engine.query(&format!("{select} WHERE {condition} LIMIT {SAMPLE}")).await?);
    }
    // A note with NULL in it names no group: whole partitions follow it.
    rows.retain(|row| row.iter().all(Option::is_some));
    rows.sort();
    rows.dedup();
    Ok(Some(Slice::Tuples { columns, rows }))
}

/// How the rows of a summary are told apart and compared.
struct View<'a> {
    names: Vec<&'a str>,
    /// Which of them hold text.
    text: Vec<bool>,
    /// Which of them are equal in several spellings, here or in a source: any of these may stand for the others.
    loose: Vec<bool>,
    key: Vec<usize>,
    group: Vec<usize>,
}

impl<'a> View<'a> {
    fn of(item: &'a Prepared<'a>, loose: &dyn Fn(&Column) -> bool) -> Self {
        let ignored = |name: &str| item.summary.ignore.iter().any(|other| other.eq_ignore_ascii_case(name));
        let compared = || item.columns.iter().filter(|column| !ignored(&column.name));
        let names: Vec<&str> = compared().map(|column| column.name.as_str()).collect();
        let places = |wanted: &[String]| {
            let place = |name: &String| names.iter().position(|other| other.eq_ignore_ascii_case(name));
            wanted.iter().filter_map(place).collect()
        };
        let (key, group) = (places(&item.summary.key), places(&item.summary.recompute_by));
        let text = compared().map(|column| column.text).collect();
        Self { key, group, text, loose: compared().map(loose).collect(), names }
    }

    fn group(&self, row: &Row) -> Tuple {
        self.group.iter().map(|at| row[*at].as_ref().map(|text| self.folded(*at, text))).collect()
    }

    /// One of the spellings that are equal.
    fn folded(&self, at: usize, text: &str) -> String {
        if self.loose[at] { text.trim_end().to_ascii_lowercase() } else { text.to_owned() }
    }

    /// Whether a row is told apart by a text whose other spellings only the server knows.
    fn is_unclear(&self, row: &Row) -> bool {
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
    fn outside(&self, member: &Row, none: &[Row], alone: &[Row]) -> Option<String> {
        let group = self.group(member);
        let row = alone
            .iter()
            .find(|row| self.group(row) != group && !none.iter().any(|other| self.same(row, other)))?;
        Some(format!(
            "rows of the group ({}) also make the row ({}), which is outside of it",
            self.label(&self.group, member),
            self.label(&self.key, row)
        ))
    }

    /// A row of the group that is another one when only the group is there.
    fn inside(&self, group: &Tuple, all: &[Row], alone: &[Row]) -> Option<String> {
        let whole: Vec<&Row> = all.iter().filter(|row| self.group(row) == *group).collect();
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

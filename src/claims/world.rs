//! A small world made of some rows of the sources, and the SELECTs run in it: over everything, over nothing, over one
//! group alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::view::View;
use crate::catalog::{Method, Set, Source, Summary};
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{Column, Dialect, Engine, Row, Shape};
use crate::inspect::{self, BoundSummary};
use crate::plan::Tuple;
use crate::sql_text;

/// Rows of a source that are looked at, of its last partitions and of those that come first.
const SAMPLE: usize = 200;

/// Groups of a summary that are recomputed alone.
const GROUPS: usize = 8;

/// What the rows say of a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is false, and why.
    False(String),
    /// Rows of it were laid next to the whole, and nothing speaks against it; or nothing relies on it.
    Stands,
    /// There are no rows to say anything.
    NoRows,
    /// It cannot be put to the test, and why.
    Untested(String),
}

/// More rows than this are not brought here to be compared.
const MOST_ROWS: usize = 5_000;

/// A few rows of each source, and what the tiers make of them.
pub(super) struct World<'a> {
    d: &'static dyn Dialect,
    own: String,
    set: &'a Set,
    prepared: &'a [BoundSummary<'a>],
    /// For each source: the rows that belong.
    rows: Vec<Sample>,
}

/// What of a source belongs to the world.
enum Sample {
    /// These rows.
    Some(Slice),
    /// All of it: no note on it names groups.
    Whole,
    /// It is too large for either.
    TooLarge,
}

impl Sample {
    fn some(&self) -> Option<&Slice> {
        match self {
            Self::Some(slice) => Some(slice),
            Self::Whole | Self::TooLarge => None,
        }
    }
}

/// The rows of a summary's inputs that count.
#[derive(Clone, Copy)]
enum Only<'a> {
    Everything,
    Nothing,
    Group(&'a Tuple),
}

impl<'a> World<'a> {
    /// Reads the rows.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn read(
        engine: &mut dyn Engine,
        set: &'a Set,
        prepared: &'a [BoundSummary<'a>],
    ) -> Result<Self> {
        let mut rows = Vec::new();
        for source in &set.sources {
            rows.push(sample(engine, source, prepared).await?);
        }
        let own = engine.server().schema.clone();
        Ok(Self { d: engine.dialect(), own, set, prepared, rows })
    }

    /// What the rows say of the claim of a summary.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn refutation(&self, engine: &mut dyn Engine, index: usize) -> Result<Verdict> {
        if !self.is_relied_on(index) {
            return Ok(Verdict::Stands);
        }
        if let Some(why) = self.hindrance(index) {
            return Ok(Verdict::Untested(why));
        }
        let view = View::of(&self.prepared[index], &|column| self.is_loose(column));
        let all = self.computed(engine, index, &view, Only::Everything).await?;
        let none = self.computed(engine, index, &view, Only::Nothing).await?;
        if all.len() > MOST_ROWS || none.len() > MOST_ROWS {
            return Ok(Verdict::Untested("a few rows of its sources make too many of its own".to_owned()));
        }
        let sorted = |rows: &[Row]| rows.iter().cloned().collect::<BTreeSet<Row>>();
        if sorted(&all) == sorted(&none) {
            return Ok(Verdict::NoRows);
        }
        // By any of the spellings that are equal; where only the server knows these, the group is left out.
        let clear = all.iter().filter(|row| !view.is_unclear(row));
        let groups: BTreeMap<Tuple, &Row> = clear.map(|row| (view.group(row), row)).collect();
        let step = groups.len().div_ceil(GROUPS).max(1);
        let (mut found, mut tested) = (None, false);
        for (group, row) in groups.iter().step_by(step).filter(|(group, _)| group.iter().all(Option::is_some))
        {
            let spelled: Tuple = view.group.iter().map(|at| row[*at].clone()).collect();
            let mut alone = self.computed(engine, index, &view, Only::Group(&spelled)).await?;
            if alone.len() > MOST_ROWS {
                continue;
            }
            tested = true;
            alone.retain(|row| !view.is_unclear(row));
            // Says most: it names the row and what it is made of.
            if let Some(why) = view.outside(row, &none, &alone) {
                return Ok(Verdict::False(why));
            }
            found = found.or_else(|| view.inside(group, &all, &alone));
        }
        Ok(match found {
            Some(why) => Verdict::False(why),
            None if tested => Verdict::Stands,
            None => {
                Verdict::Untested("its keys are spelled in ways that only the server can compare".to_owned())
            }
        })
    }

    /// The columns of that name in the sources.
    fn origins<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Column> {
        let sources = self.rows.iter().filter_map(Sample::some).flat_map(|rows| match rows {
            Slice::Tuples { columns, .. } => columns.as_slice(),
            Slice::All => &[],
        });
        sources.filter(move |other| other.name.eq_ignore_ascii_case(name))
    }

    /// Whether the values of a column are equal in several spellings, where it is stored or where it comes from.
    fn is_loose(&self, column: &Column) -> bool {
        self.origins(&column.name).chain([column]).any(|column| self.d.loose(column).is_some())
    }

    /// Whether a note can name groups of the summary: one of its inputs has all of their columns, and tells texts apart as
    /// it does. Where it does not, refresh does not go by key.
    fn is_relied_on(&self, index: usize) -> bool {
        let summary = self.prepared[index].summary;
        let alike = |source: &usize| {
            let Some(Slice::Tuples { columns, .. }) = self.rows[*source].some() else { return true };
            summary.recompute_by.iter().filter_map(|name| self.prepared[index].column(name)).all(|column| {
                let mut origin = columns.iter().filter(|other| other.name.eq_ignore_ascii_case(&column.name));
                origin.all(|origin| self.d.loose(origin) == self.d.loose(column))
            })
        };
        let cut = summary.reads_sources.iter().any(|at| has_all(&self.set.sources[*at], summary))
            || summary.reads_summaries.iter().any(|at| self.lower_has_all(*at, summary));
        let noted = |at: &usize| self.set.sources[*at].track == Method::Triggers;
        cut && self.set.sources_below(index).iter().any(noted) && summary.reads_sources.iter().all(alike)
    }

    /// Why no CTE can stand for the inputs: it can for a table that is found by its bare name, and of which a few rows are
    /// known.
    fn hindrance(&self, index: usize) -> Option<String> {
        let sources = self.set.sources_below(index);
        if let Some(at) = sources.iter().find(|at| matches!(self.rows[**at], Sample::TooLarge)) {
            let table = &self.set.sources[*at].table;
            return Some(format!("{table} is large, and no index begins with its partition"));
        }
        let bare = self.set.below(index).iter().all(|at| {
            let select = &self.prepared[*at].summary.select;
            sql_text::tables_read(select, self.d.lex_rules()).iter().all(|(schema, _)| schema.is_none())
        });
        (!bare).then(|| "its SELECT names tables with their schema".to_owned())
    }

    fn lower_has_all(&self, lower: usize, summary: &Summary) -> bool {
        summary.recompute_by.iter().all(|name| self.prepared[lower].column(name).is_some())
    }

    /// What the SELECT of a summary yields in this world if only some rows of its direct inputs are there.
    async fn computed(
        &self,
        engine: &mut dyn Engine,
        index: usize,
        view: &View<'_>,
        only: Only<'_>,
    ) -> Result<Vec<Row>> {
        let item = &self.prepared[index];
        let mut shadows = Vec::new();
        for at in self.set.sources_below(index) {
            let source = &self.set.sources[at];
            let Some(rows) = self.rows[at].some() else { continue };
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
        let summary_sql = item.summary_sql(self.d);
        let sql = format!(
            "{}SELECT {} FROM (\n{}\n) q LIMIT {}",
            summary_sql.with_clause(&shadows),
            view.columns(self.d),
            item.summary.select,
            MOST_ROWS + 1
        );
        Ok(engine.query(&sql).await?)
    }

    fn within(&self, item: &BoundSummary<'_>, only: Only<'_>, spell: &dyn Fn(&str) -> String) -> String {
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
    source.track == Method::Triggers
        && summary.recompute_by.iter().all(|name| source.track_columns.contains(name))
}

fn spelled(d: &dyn Dialect, source: &Source, name: &str) -> String {
    inspect::partition_expression(d, source, name).unwrap_or_else(|| d.quote(name))
}

/// A source of more rows than this is not read from end to end a dozen times.
const LARGE: usize = 1_000_000;

/// Whether a source has few rows, which takes no longer than to read these.
async fn is_small(engine: &mut dyn Engine, source: &Source) -> Result<bool> {
    let table = source.sql(engine.dialect());
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} LIMIT {}) n", LARGE + 1);
    let rows = engine.scalar(&sql).await?.and_then(|text| text.parse::<usize>().ok());
    Ok(rows.is_some_and(|rows| rows <= LARGE))
}

/// Some rows of a source, by what its notes hold: those of its last partitions, which are the ones that dashboards show,
/// and some that come first.
async fn sample(engine: &mut dyn Engine, source: &Source, prepared: &[BoundSummary<'_>]) -> Result<Sample> {
    // A dimension is joined, and what it lacks would be missing in the world.
    if source.invalidates.is_some() {
        return Ok(Sample::Whole);
    }
    let d = engine.dialect();
    let Some(shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await? else {
        return Ok(Sample::Whole);
    };
    let noted = source.track == Method::Triggers && !source.track_columns.is_empty();
    let led = source.partition.first().is_some_and(|(column, expression)| {
        expression.is_none() && shape.index_led_by(std::slice::from_ref(column)).is_some()
    });
    let quick = (noted && led) || is_small(engine, source).await?;
    if !quick {
        return Ok(Sample::TooLarge);
    }
    let column = |name: &String| -> Option<Column> {
        let stored = || prepared.iter().find_map(|item| item.column(name)).cloned();
        shape.column(name).cloned().or_else(stored)
    };
    let columns = source.track_columns.iter().map(column).collect::<Option<Vec<Column>>>();
    let Some(columns) = columns.filter(|_| noted) else { return Ok(Sample::Whole) };
    let cells: Vec<String> = source.track_columns.iter().map(|name| spelled(d, source, name)).collect();
    let select = format!("SELECT {} FROM {}", cells.join(", "), source.sql(d));
    let mut rows = engine.query(&format!("{select} LIMIT {SAMPLE}")).await?;
    if !source.partition.is_empty() {
        let last = &cells[0];
        let sql = format!("{select} WHERE {last} IS NOT NULL ORDER BY {last} DESC LIMIT {SAMPLE}");
        rows.extend(engine.query(&sql).await?);
    }
    // A note with NULL in it names no group: whole partitions follow it.
    rows.retain(|row| row.iter().all(Option::is_some));
    rows.sort();
    rows.dedup();
    Ok(Sample::Some(Slice::Tuples { columns, rows }))
}

//! A small world made of some rows of the sources, and the SELECTs run in it: over everything, over nothing, over one
//! group alone.

use std::collections::BTreeMap;

use anyhow::Result;

use super::view::View;
use crate::catalog::{Set, Source, Summary};
use crate::engine::statements::{Shadow, Slice};
use crate::engine::{Column, Dialect, Engine, Row, Shape};
use crate::inspect::{self, BoundSummary};
use crate::plan::Tuple;
use crate::sql_text;

/// Rows of a source that are looked at, of its first partition and of any.
const SAMPLE: usize = 200;

/// Groups of a summary that are recomputed alone.
const GROUPS: usize = 8;

/// What the rows say of a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is false, and why.
    False(String),
    /// Nothing speaks against it.
    Stands,
    /// There are no rows to say anything.
    NoRows,
}

/// A few rows of each source, and what the tiers make of them.
pub(super) struct World<'a> {
    d: &'static dyn Dialect,
    own: String,
    set: &'a Set,
    prepared: &'a [BoundSummary<'a>],
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
        let summary_sql = item.summary_sql(self.d);
        let sql = format!(
            "{}SELECT {} FROM (\n{}\n) q",
            summary_sql.with_clause(&shadows),
            summary_sql.compared_columns(),
            item.summary.select
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
    summary.recompute_by.iter().all(|name| source.track_columns.contains(name))
}

fn spelled(d: &dyn Dialect, source: &Source, name: &str) -> String {
    inspect::partition_expression(d, source, name).unwrap_or_else(|| d.quote(name))
}

/// A source of more rows than this is not read from end to end a dozen times.
const LARGE: u64 = 2_000_000;

/// Whether a few rows of a source are found without reading all of it.
async fn is_quick(engine: &mut dyn Engine, source: &Source, shape: &Shape) -> Result<bool> {
    let led = source.partition.first().is_some_and(|(column, expression)| {
        expression.is_none() && shape.index_led_by(std::slice::from_ref(column)).is_some()
    });
    if led {
        return Ok(true);
    }
    let sql = engine.dialect().estimated_rows_sql(source.schema.as_deref(), &source.table);
    let rows = engine.scalar(&sql).await?.and_then(|text| text.parse::<f64>().ok());
    Ok(rows.is_none_or(|rows| rows < LARGE as f64))
}

/// Some rows of a source, by what its notes hold: first of any partition, then more of the first one's.
async fn sample(
    engine: &mut dyn Engine,
    source: &Source,
    prepared: &[BoundSummary<'_>],
) -> Result<Option<Slice>> {
    // A dimension is joined, and what it lacks would be missing in the world.
    if source.invalidates.is_some() || source.track_columns.is_empty() {
        return Ok(None);
    }
    let d = engine.dialect();
    let Some(shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await? else {
        return Ok(None);
    };
    if !is_quick(engine, source, &shape).await? {
        tracing::warn!(
            "{}: too large to put `recompute_by` to the test without an index that begins with its partition",
            source.table
        );
        return Ok(None);
    }
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

//! What changed since the last publish: the state of each source's tracking, the notes claimed from it, and
//! the gaps in which changes may have gone unseen.

mod applied;
mod changes;
mod claim;
mod coalesce;
mod install;
mod orphans;
mod pending;
mod removal;
mod seen;
mod setup;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

pub use self::applied::applied;
pub use self::changes::{Evidence, changes, foresee, loose};
pub use self::claim::{Claimed, claim, consume_sql};
pub use self::pending::{Pending, pending};
pub use self::removal::untrack_sql;
pub use self::seen::{is_quiet, state_and_quiet};
pub use self::setup::{By, ensure, forgotten_sql, preview};
pub use self::upgrade::leftovers_sql;
use crate::catalog::{MAX_NOTES, Method, Set, Source};
use crate::checksum;
use crate::engine::names::{self, CLAIM, GRAIN};
use crate::engine::statements::Slice;
use crate::engine::track::{TrackColumn, TrackSpec};
use crate::engine::{Column, Dialect, Engine, Shape, Tables};
use crate::inspect::BoundSummary;
use crate::ledger::sources::Remembered;
use crate::plan::Tuple;

/// More changed keys than this are dealt with by partition: keys travel through the client, partitions do not.
pub const MOST_KEYS: usize = 20_000;

/// What changed in one source.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Everything may have changed, and why.
    pub all: Option<String>,
    /// Columns of `keys`; the first `partition` of them are the partition columns.
    pub columns: Vec<String>,
    /// How many of `columns` are partition columns.
    pub partition: usize,
    /// Partitions that changed as a whole.
    pub partitions: BTreeSet<Tuple>,
    /// Single keys that changed.
    pub keys: BTreeSet<Tuple>,
    /// Of `columns`, those by which the source equates texts that differ, and how ([`Dialect::loose`]): a key then
    /// may be spelled in another way elsewhere.
    ///
    /// [`Dialect::loose`]: crate::engine::Spelling::loose
    pub loose: BTreeMap<String, String>,
    /// Claims under which the work table holds these notes.
    pub claims: BTreeSet<String>,
    /// The witness to remember once everything is published.
    pub witness: Option<String>,
    /// The watermark to remember then.
    pub watermark: Option<String>,
    /// Fingerprints to remember then.
    pub prints: Vec<(String, Option<String>)>,
}

impl Changes {
    /// Whether anything changed.
    pub fn any(&self) -> bool {
        self.all.is_some() || !self.partitions.is_empty() || !self.keys.is_empty()
    }
}

/// How the tracking of one source was found.
#[derive(Debug, Clone, Default)]
pub struct Tracked {
    /// The tracking signature: what would differ if a change had gone unnoticed. To be remembered once everything up to it
    /// is published.
    pub signature: Option<String>,
    /// Why changes may have gone unseen.
    pub gap: Option<String>,
    /// Notes wait, or may.
    pub noted: bool,
}

/// What was read before anything about tracking is decided.
pub struct Found<'a> {
    /// The shapes of the sources.
    pub tables: &'a Tables,
    /// What the ledger remembers of them.
    pub sources: &'a [Remembered],
    /// Columns of summaries: where a source's partition is an expression, they tell its type.
    pub types: &'a [Column],
}

impl Found<'_> {
    fn source(&self, source: &Source) -> Option<&Remembered> {
        self.sources.iter().find(|known| known.source == source.name)
    }
}

/// Names of a source's tracking, as far as the catalog alone knows them: enough to ask and to claim, not to
/// make its tables.
pub fn outline(set: &Set, source: &Source, schema: &str) -> TrackSpec {
    let expressions = expressions(source);
    let blank = |name: &str| Column {
        name: name.to_owned(),
        sql_type: String::new(),
        text: false,
        integer: false,
        generated: false,
        nullable: true,
    };
    let limit = if source.max_notes == MAX_NOTES { String::new() } else { format!("/{}", source.max_notes) };
    TrackSpec {
        max_notes: source.max_notes,
        schema: schema.to_owned(),
        source: source.table.clone(),
        source_schema: source.schema.clone(),
        notify: set.notify.then(|| channel(&set.name)),
        id: checksum::hex(&format!("{}{GENERATION}{limit}", legacy(set, source, schema, &expressions)))
            [..ID_LENGTH]
            .to_owned(),
        columns: source
            .track_columns
            .iter()
            .zip(expressions)
            .map(|(name, expression)| TrackColumn {
                name: name.clone(),
                expression: Some(expression).filter(|text| !text.is_empty()),
                column: blank(name),
            })
            .collect(),
        partition: source.partition.len(),
        source_columns: Vec::new(),
        unseen: Vec::new(),
        uniques: Vec::new(),
        cascades: Vec::new(),
    }
}

/// Part of every id since the log lost its sequence and its triggers learnt their limits.
const GENERATION: &str = "/2";

/// Length of the ids of triggers: short, since names have a limit.
const ID_LENGTH: usize = 10;

/// What an id is the hash of, as release 0.1.0 has it.
fn legacy(set: &Set, source: &Source, schema: &str, expressions: &[String]) -> String {
    format!(
        "{schema}/{}/{}/{:?}/{}/{expressions:?}{}",
        set.name,
        source.table,
        source.track_columns,
        source.partition.len(),
        if set.notify { "/notify" } else { "" }
    )
}

/// The sources of a set that triggers track.
fn by_triggers(set: &Set) -> impl Iterator<Item = &Source> {
    set.sources.iter().filter(|source| source.track == Method::Triggers)
}

/// The id under which release 0.1.0 tracked the same columns of the same source.
fn legacy_id(set: &Set, source: &Source, schema: &str) -> String {
    checksum::hex(&legacy(set, source, schema, &expressions(source)))[..ID_LENGTH].to_owned()
}

/// The partition's expressions, by the columns of a note; empty where a column is one of the source.
fn expressions(source: &Source) -> Vec<String> {
    let of = |name: &String| source.partition.iter().find(|(column, _)| column == name);
    source
        .track_columns
        .iter()
        .map(|name| of(name).and_then(|(_, e)| e.clone()).unwrap_or_default())
        .collect()
}

/// The channel on which the triggers of a set wake `refresh --watch`.
pub fn channel(set: &str) -> String {
    names::channel(&checksum::hex(set)[..16])
}

/// A source without columns to tell changes apart by is noted by its first column.
fn with_first_column(d: &dyn Dialect, mut spec: TrackSpec, shape: Option<&Shape>) -> TrackSpec {
    // One whose values a trigger can compare.
    let fit =
        |shape: &'_ Shape| shape.columns.iter().find(|column| d.unfit(&column.sql_type).is_none()).cloned();
    if spec.columns.is_empty()
        && let Some(first) = shape.and_then(|shape| fit(shape).or_else(|| shape.columns.first().cloned()))
    {
        spec.columns.push(TrackColumn { name: first.name.clone(), expression: None, column: first });
    }
    spec
}

/// The same where the source's shape is not at hand.
async fn with_any_column(engine: &mut dyn Engine, spec: TrackSpec, source: &Source) -> Result<TrackSpec> {
    if !spec.columns.is_empty() {
        return Ok(spec);
    }
    let shape = Shape::read(engine, source.schema.as_deref(), &source.table).await?;
    Ok(with_first_column(engine.dialect(), spec, shape.as_ref()))
}

/// The rows of a summary that a dimension's changed keys occur in, from the published rows: as tuples of
/// `columns`. `None`: too many to name. `loose`: [`Changes::loose`] of the dimension.
///
/// # Errors
/// Whatever the server says.
pub async fn occurrences(
    engine: &mut dyn Engine,
    item: &BoundSummary<'_>,
    on: &[String],
    loose: &BTreeMap<String, String>,
    keys: &BTreeSet<Tuple>,
    columns: &[String],
) -> Result<Option<BTreeSet<Tuple>>> {
    let d = engine.dialect();
    let mut found = BTreeSet::new();
    let all: Vec<Tuple> = keys.iter().cloned().collect();
    let on_columns: Vec<Column> = on.iter().filter_map(|name| item.column(name).cloned()).collect();
    let names: Vec<String> = columns.iter().map(|name| format!("t.{}", d.quote(name))).collect();
    let spell = |name: &str| {
        let plain = format!("t.{}", d.quote(name));
        let own = item.column(name).and_then(|column| d.loose(column));
        match loose.get(name) {
            // Reads the whole of an index, but finds 'b01' where 'B01' changed.
            Some(how) if own != Some(how.as_str()) => d.loosely(&plain, how),
            _ => plain,
        }
    };
    for chunk in all.chunks(500) {
        let slice = Slice::Tuples { columns: on_columns.clone(), rows: chunk.to_vec() };
        let sql = format!(
            "SELECT DISTINCT {} FROM {} t WHERE {} LIMIT {}",
            names.join(", "),
            item.target,
            slice.condition(d, &spell),
            MOST_KEYS + 1
        );
        found.extend(engine.query(&sql).await?);
        if found.len() > MOST_KEYS {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

fn claimed(d: &dyn crate::engine::Dialect, claims: &BTreeSet<String>) -> String {
    if claims.is_empty() {
        return "1 = 0".to_owned();
    }
    let list: Vec<String> = claims.iter().map(|claim| d.literal(claim)).collect();
    format!("{CLAIM} IN ({})", list.join(", "))
}

/// Every note that waits, claimed or not, as a table of (grain, columns…).
pub(crate) fn pending_rows(d: &dyn crate::engine::Dialect, spec: &TrackSpec) -> String {
    claimed_and_pending_rows(d, spec, "1 = 1")
}

/// The claimed notes that meet a condition, and every one that is not claimed, as a table of (grain, columns…).
fn claimed_and_pending_rows(d: &dyn crate::engine::Dialect, spec: &TrackSpec, among: &str) -> String {
    let names: Vec<String> = spec.columns.iter().map(|column| d.quote(&column.name)).collect();
    format!(
        "(SELECT {GRAIN}, {} FROM {} WHERE {among} UNION ALL SELECT * FROM ({}) n)",
        names.join(", "),
        d.qualify(&spec.schema, &spec.work()),
        d.notes_sql(spec)
    )
}

/// Values of some columns in the notes on a source that wait, claimed or not. `None`: nothing tells which, or too many.
///
/// # Errors
/// Whatever the server says.
pub async fn pending_values(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    columns: &[String],
) -> Result<Option<BTreeSet<Tuple>>> {
    if source.track != Method::Triggers {
        return Ok(Some(BTreeSet::new()));
    }
    let d = engine.dialect();
    let spec = outline(set, source, &engine.server().schema.clone());
    let spec = with_any_column(engine, spec, source).await?;
    let told: Vec<&String> =
        columns.iter().filter(|name| spec.columns.iter().any(|column| column.name == **name)).collect();
    let mut cells = vec![GRAIN.to_owned()];
    cells.extend(told.iter().map(|name| d.quote(name)));
    let sql = format!(
        "SELECT DISTINCT {} FROM {} a LIMIT {}",
        cells.join(", "),
        pending_rows(d, &spec),
        MOST_KEYS + 1
    );
    let rows = engine.query(&sql).await?;
    if rows.is_empty() {
        return Ok(Some(BTreeSet::new()));
    }
    let known = |row: &Tuple| row[0].as_deref() != Some("a") && row.iter().all(Option::is_some);
    if columns.is_empty() || told.len() < columns.len() || rows.len() > MOST_KEYS || !rows.iter().all(known) {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().map(|mut row| row.split_off(1)).collect()))
}

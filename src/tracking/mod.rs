//! What changed since the last publish: the state of each source's tracking, the notes claimed from it, and
//! the gaps in which changes may have gone unseen.

mod changes;
mod claim;
mod coalesce;
mod pending;
mod removal;
mod setup;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

pub use self::changes::{changes, foresee, loose};
pub use self::claim::{claim, consume_sql};
pub use self::pending::{Pending, pending};
pub use self::removal::untrack_sql;
pub use self::setup::{ensure, forgotten_sql, preview};
use self::setup::{remembered, witness};
pub use self::upgrade::leftovers_sql;
use crate::catalog::{MAX_NOTES, Method, Set, Source};
use crate::checksum;
use crate::engine::names::{self, CLAIM, GRAIN};
use crate::engine::statements::Slice;
use crate::engine::track::{TrackColumn, TrackSpec};
use crate::engine::{Column, Engine, Row, Shape};
use crate::ledger::sources;
use crate::plan::Tuple;
use crate::refresh::inspect::Prepared;

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
    pub claims: Vec<String>,
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
        uniques: Vec::new(),
        cascades: Vec::new(),
    }
}

/// Part of every id since the log lost its sequence and its triggers learnt their limits.
const GENERATION: &str = "/2";

/// Length of the ids of triggers; the words for the other methods are longer.
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

/// Whether nothing at all is waiting and no gap has opened: the path that must cost milliseconds. Makes no
/// promise when it says no.
///
/// # Errors
/// Never for a state that only [`ensure`] can judge; that is simply "no".
pub async fn is_quiet(engine: &mut dyn Engine, set: &Set) -> bool {
    let schema = engine.server().schema.clone();
    let d = engine.dialect();
    let mut asked = Vec::new();
    let mut specs = Vec::new();
    for source in &set.sources {
        if source.track != Method::Triggers {
            return false;
        }
        let spec = outline(set, source, &schema);
        if spec.columns.is_empty() && !source.track_columns.is_empty() {
            return false;
        }
        let Some(best) = d.witness_sql(&spec).into_iter().next() else { return false };
        asked.extend([d.noted_sql(&spec), sources::query_one(d, &set.name, &source.name), best]);
        specs.push(spec);
    }
    // One round trip for all sources, unless the best witness needs a right that this user lacks.
    let answers = engine.query_each(&asked).await.unwrap_or_default();
    if answers.len() < asked.len() {
        return is_quiet_step_by_step(engine, set, &specs).await;
    }
    let mut answers = answers.into_iter();
    specs.iter().all(|spec| {
        let (Some(noted), Some(known), Some(seen)) = (answers.next(), answers.next(), answers.next()) else {
            return false;
        };
        let known = sources::remembered(known).ok().and_then(|known| known.into_iter().next());
        let first = |rows: Vec<Row>| rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        let (noted, seen) = (first(noted), first(seen).map(|text| checksum::hex(&text)));
        noted.as_deref() == Some("0")
            && seen.is_some()
            && known.is_some_and(|known| known.track_id == spec.id && known.witness == seen)
    })
}

async fn is_quiet_step_by_step(engine: &mut dyn Engine, set: &Set, specs: &[TrackSpec]) -> bool {
    for (source, spec) in set.sources.iter().zip(specs) {
        let noted = engine.scalar(&engine.dialect().noted_sql(spec)).await;
        if !matches!(noted, Ok(Some(ref text)) if text == "0") {
            return false;
        }
        let known = remembered(engine, set, source).await.ok().flatten().unwrap_or_default();
        match witness(engine, spec).await {
            Ok(Some(now)) if known.track_id == spec.id && known.witness == Some(now.clone()) => {}
            _ => return false,
        }
    }
    true
}

/// The channel on which the triggers of a set wake `refresh --watch`.
pub fn channel(set: &str) -> String {
    names::channel(&checksum::hex(set)[..16])
}

/// A source without columns to tell changes apart by is noted by its first column.
async fn with_any_column(engine: &mut dyn Engine, mut spec: TrackSpec, source: &Source) -> Result<TrackSpec> {
    if spec.columns.is_empty()
        && let Some(shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await?
        && let Some(first) = shape.columns.first()
    {
        spec.columns.push(TrackColumn { name: first.name.clone(), expression: None, column: first.clone() });
    }
    Ok(spec)
}

/// The rows of a summary that a dimension's changed keys occur in, from the published rows: as tuples of
/// `columns`. `None`: too many to name. `loose`: [`Changes::loose`] of the dimension.
///
/// # Errors
/// Whatever the server says.
pub async fn occurrences(
    engine: &mut dyn Engine,
    item: &Prepared<'_>,
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

fn claimed(d: &dyn crate::engine::Dialect, claims: &[String]) -> String {
    if claims.is_empty() {
        return "1 = 0".to_owned();
    }
    let list: Vec<String> = claims.iter().map(|claim| d.literal(claim)).collect();
    format!("{CLAIM} IN ({})", list.join(", "))
}

/// Every note that waits, claimed or not, as a table of (grain, columns…).
pub(crate) fn waiting_rows(d: &dyn crate::engine::Dialect, spec: &TrackSpec) -> String {
    claimed_and_waiting_rows(d, spec, "1 = 1")
}

/// The claimed notes that meet a condition, and every one that is not claimed, as a table of (grain, columns…).
fn claimed_and_waiting_rows(d: &dyn crate::engine::Dialect, spec: &TrackSpec, among: &str) -> String {
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
pub async fn waiting_values(
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
        waiting_rows(d, &spec),
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

//! What changed since the last publish: the state of each source's tracking, the notes claimed from it, and
//! the gaps in which changes may have gone unseen.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::catalog::{Method, Set, Source};
use crate::checksum;
use crate::engine::statements::Slice;
use crate::engine::track::{Cascade, TrackColumn, TrackSpec};
use crate::engine::{Column, DbError, Engine, ErrorClass, Shape, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;
use crate::plan::{Asked, Tuple};
use crate::refresh::affected::affected;
use crate::refresh::inspect::{Prepared, partition_expression};

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
    let expressions: Vec<String> = source
        .log
        .iter()
        .map(|name| {
            source
                .partition
                .iter()
                .find(|(column, _)| column == name)
                .and_then(|(_, expression)| expression.clone())
                .unwrap_or_default()
        })
        .collect();
    let blank = |name: &str| Column {
        name: name.to_owned(),
        sql_type: String::new(),
        text: false,
        integer: false,
        generated: false,
        nullable: true,
    };
    TrackSpec {
        schema: schema.to_owned(),
        source: source.table.clone(),
        id: checksum::hex(&format!(
            "{schema}/{}/{}/{:?}/{expressions:?}",
            set.name, source.table, source.log
        ))[..10]
            .to_owned(),
        columns: source
            .log
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

/// The same with column types and keys read from the database, fit to make tables and triggers from.
///
/// # Errors
/// A source or a column that does not exist.
async fn detail(engine: &mut dyn Engine, set: &Set, source: &Source, types: &[Column]) -> Result<TrackSpec> {
    let schema = engine.server().schema.clone();
    let mut spec = outline(set, source, &schema);
    let Some(shape) = Shape::read(engine, None, &source.table).await? else {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("source table {} does not exist in {}", source.table, engine.server().database),
        )
        .hint(format!(
            "it belongs to your application; see sources.{} in {}/summaries.toml",
            source.name, set.location
        ))
        .into());
    };
    if spec.columns.is_empty() {
        // Nothing to tell changes apart by; any note will do.
        if let Some(first) = shape.columns.first() {
            spec.columns.push(TrackColumn {
                name: first.name.clone(),
                expression: None,
                column: first.clone(),
            });
        }
    }
    for column in &mut spec.columns {
        let found = match column.expression {
            None => shape.column(&column.name),
            Some(_) => types.iter().find(|known| known.name.eq_ignore_ascii_case(&column.name)),
        };
        let Some(found) = found else {
            return Err(Failure::usage(format!(
                "{}/summaries.toml: sources.{}: table {} has no column {}",
                set.location, source.name, source.table, column.name
            ))
            .into());
        };
        column.column = found.clone();
    }
    spec.source_columns = shape.columns.iter().map(|column| column.name.clone()).collect();
    spec.cascades = cascades(engine, &source.table).await?;
    spec.uniques = shape
        .indexes
        .iter()
        .filter(|index| index.unique && index.columns.iter().all(|name| !name.is_empty()))
        .map(|index| index.columns.clone())
        .collect();
    Ok(spec)
}

/// The foreign keys by which changes reach a table behind its triggers' back: its own, and, since a cascaded
/// delete fires nothing either, those of its ancestors.
async fn cascades(engine: &mut dyn Engine, table: &str) -> Result<Vec<Cascade>> {
    let Some(sql) = engine.dialect().cascades_sql() else { return Ok(Vec::new()) };
    let rows: Vec<[String; 5]> = engine
        .query(&sql)
        .await?
        .into_iter()
        .map(|row| std::array::from_fn(|at| row.get(at).cloned().flatten().unwrap_or_default()))
        .collect();
    let mut found: Vec<Cascade> = Vec::new();
    let mut reached = vec![table.to_owned()];
    let mut at = 0;
    while let Some(child) = reached.get(at).cloned() {
        for [of, parent, own, other, name] in rows.iter().filter(|row| row[0] == child) {
            let direct = of == table;
            let pair = (own.clone(), other.clone());
            // A key of several columns comes in several rows.
            match found.iter_mut().find(|known| known.parent == *parent && known.name == *name) {
                Some(known) if direct => known.columns.push(pair),
                Some(_) => {}
                None => found.push(Cascade {
                    parent: parent.clone(),
                    name: name.clone(),
                    columns: if direct { vec![pair] } else { Vec::new() },
                }),
            }
            if !reached.contains(parent) {
                reached.push(parent.clone());
            }
        }
        at += 1;
    }
    Ok(found)
}

/// Reads the witness of a source's tracking; `None` if a trigger is missing.
async fn witness(engine: &mut dyn Engine, spec: &TrackSpec) -> Result<Option<String>> {
    let mut last = None;
    for sql in engine.dialect().witness_sql(spec) {
        match engine.scalar(&sql).await {
            Ok(value) => return Ok(value.map(|text| checksum::hex(&text))),
            // A better witness needs a right that this user lacks.
            Err(error) if error.class == ErrorClass::Denied => last = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    match last {
        Some(error) => Err(error.into()),
        None => Ok(None),
    }
}

/// What the ledger remembers of one source.
#[derive(Debug, Clone, Default)]
struct Remembered {
    track_id: String,
    witness: Option<String>,
    watermark: Option<String>,
}

async fn remembered(engine: &mut dyn Engine, set: &Set, source: &Source) -> Result<Option<Remembered>> {
    let d = engine.dialect();
    let sql = format!(
        "SELECT track_id, witness, watermark FROM dashagg_source WHERE set_name = {} AND source = {}",
        d.literal(&set.name),
        d.literal(&source.name)
    );
    Ok(engine.query(&sql).await?.into_iter().next().map(|row| {
        let mut cells = row.into_iter();
        Remembered {
            track_id: cells.next().flatten().unwrap_or_default(),
            witness: cells.next().flatten(),
            watermark: cells.next().flatten(),
        }
    }))
}

/// Makes sure that every source's tracking is in place, before anything is computed. Returns, per source, why
/// changes may have gone unseen (nothing, usually).
///
/// # Errors
/// A missing right, in words: which one, and what else could be done.
pub async fn ensure(
    engine: &mut dyn Engine,
    set: &Set,
    types: &[Column],
) -> Result<Vec<(Option<String>, Option<String>)>> {
    let mut states = Vec::new();
    for source in &set.sources {
        if source.track != Method::Triggers {
            let id = format!("{:?}", source.track).chars().take(64).collect::<String>();
            let known = remembered(engine, set, source).await?;
            let gap = match &known {
                Some(known) if known.track_id == id => None,
                _ => Some(format!("tracking of {} was just set up", source.name)),
            };
            if gap.is_some() {
                remember_id(engine, set, source, known.as_ref(), &id).await?;
            }
            states.push((None, gap));
            continue;
        }
        let spec = detail(engine, set, source, types).await?;
        let known = remembered(engine, set, source).await?;
        let now = match &known {
            Some(known) if known.track_id == spec.id => witness(engine, &spec).await?,
            _ => None,
        };
        let gap = match (&known, &now) {
            (Some(known), Some(now)) if known.witness.as_ref() == Some(now) => None,
            (Some(known), Some(_)) if known.witness.is_some() => Some(format!(
                "{} was truncated, altered or replaced, or its triggers were switched off for a while",
                source.table
            )),
            (Some(known), None) if known.witness.is_some() && known.track_id == spec.id => {
                Some(format!("triggers on {} were missing", source.table))
            }
            _ => Some(format!("tracking of {} was just set up", source.table)),
        };
        // Whatever opened the gap may also have changed what the triggers must look like.
        let now = match now {
            Some(now) if gap.is_none() => Some(now),
            _ => {
                install(engine, set, source, &spec, known.as_ref()).await?;
                witness(engine, &spec).await?
            }
        };
        if now.is_none() {
            return Err(Failure::new(
                ExitCode::Failed,
                format!("the change triggers on {} do not show after they were made", source.table),
            )
            .hint("grant the TRIGGER privilege on the source, or use track = \"fingerprint\"")
            .into());
        }
        states.push((now, gap));
    }
    Ok(states)
}

/// The SQL by which [`ensure`] would set tracking up, for `create --dry-run`. Only looks. `fresh`: there is no
/// ledger yet.
///
/// # Errors
/// A source or a column that does not exist.
pub async fn preview(
    engine: &mut dyn Engine,
    set: &Set,
    types: &[Column],
    fresh: bool,
) -> Result<Vec<String>> {
    let d = engine.dialect();
    let mut sql = Vec::new();
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let spec = detail(engine, set, source, types).await?;
        let known = if fresh { None } else { remembered(engine, set, source).await? };
        let same = known.is_some_and(|known| known.track_id == spec.id);
        if !same || witness(engine, &spec).await?.is_none() {
            sql.extend(d.log_ddl(&spec));
            sql.extend(d.trigger_ddl(&spec));
        }
    }
    Ok(sql)
}

async fn remember_id(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    known: Option<&Remembered>,
    id: &str,
) -> Result<()> {
    let d = engine.dialect();
    let (set_name, name, id) = (d.literal(&set.name), d.literal(&source.name), d.literal(id));
    let sql = match known {
        Some(_) => format!(
            "UPDATE dashagg_source SET track_id = {id}, witness = NULL, watermark = NULL \
             WHERE set_name = {set_name} AND source = {name}"
        ),
        None => format!(
            "INSERT INTO dashagg_source (set_name, source, track_id) VALUES ({set_name}, {name}, {id})"
        ),
    };
    ledger::in_write(engine, &[sql]).await
}

async fn install(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    spec: &TrackSpec,
    known: Option<&Remembered>,
) -> Result<()> {
    let d = engine.dialect();
    let transactional = d.transactional_ddl();
    if transactional {
        engine.begin(Tx::Write).await?;
    }
    let mut statements = Vec::new();
    if let Some(old) =
        known.filter(|known| known.track_id != spec.id && known.track_id.len() == spec.id.len())
    {
        // The manifest asks for other columns now; what the old log held is covered by the complete refresh.
        let old = TrackSpec { id: old.track_id.clone(), ..spec.clone() };
        statements.extend(d.untrack_sql(&old));
    }
    statements.extend(d.log_ddl(spec));
    statements.extend(d.trigger_ddl(spec));
    for sql in statements {
        if let Err(error) = engine.execute(&sql).await {
            let _ = engine.rollback().await;
            return Err(install_failure(source, error));
        }
    }
    if transactional {
        engine.commit().await?;
    }
    remember_id(engine, set, source, known, &spec.id).await
}

fn install_failure(source: &Source, error: DbError) -> anyhow::Error {
    let what = format!("tracking {} by triggers: {error}", source.table);
    let alternative = format!(
        "or choose another method for sources.{}: track = \"fingerprint\", {{ window = 3 }} or {{ watermark = \"…\" }}",
        source.name
    );
    match error.code.as_str() {
        "1419" => Failure::new(ExitCode::Failed, what)
            .hint(format!(
                "binary logging is on: set log_bin_trust_function_creators = 1 or grant SUPER; {alternative}"
            ))
            .into(),
        _ if error.class == ErrorClass::Denied => Failure::new(ExitCode::Failed, what)
            .hint(format!("grant TRIGGER on {} (and CREATE in its schema); {alternative}", source.table))
            .into(),
        _ if error.class == ErrorClass::Transient => error.into(),
        _ => Failure::new(ExitCode::Failed, what).hint(alternative).into(),
    }
}

/// Whether nothing at all is waiting and no gap has opened: the path that must cost milliseconds. Makes no
/// promise when it says no.
///
/// # Errors
/// Never for a state that only [`ensure`] can judge; that is simply "no".
pub async fn is_quiet(engine: &mut dyn Engine, set: &Set) -> bool {
    let schema = engine.server().schema.clone();
    for source in &set.sources {
        if source.track != Method::Triggers {
            return false;
        }
        let spec = outline(set, source, &schema);
        if spec.columns.is_empty() && !source.log.is_empty() {
            return false;
        }
        let noted = engine.scalar(&engine.dialect().noted_sql(&spec)).await;
        if !matches!(noted, Ok(Some(ref text)) if text == "0") {
            return false;
        }
        let known = remembered(engine, set, source).await.ok().flatten().unwrap_or_default();
        match witness(engine, &spec).await {
            Ok(Some(now)) if known.track_id == spec.id && known.witness == Some(now.clone()) => {}
            _ => return false,
        }
    }
    true
}

/// Claims every note of every source under `token`. Commits: a run that dies afterwards leaves them claimed,
/// and the next run finds them in the work table.
///
/// # Errors
/// Whatever the server says.
pub async fn claim(engine: &mut dyn Engine, set: &Set, token: &str) -> Result<()> {
    let schema = engine.server().schema.clone();
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let spec = outline(set, source, &schema);
        let spec = with_any_column(engine, spec, source).await?;
        let sql = engine.dialect().claim_sql(&spec, token);
        ledger::in_write(engine, &sql).await?;
    }
    Ok(())
}

/// A source without columns to tell changes apart by is noted by its first column.
async fn with_any_column(engine: &mut dyn Engine, mut spec: TrackSpec, source: &Source) -> Result<TrackSpec> {
    if spec.columns.is_empty()
        && let Some(shape) = Shape::read(engine, None, &source.table).await?
        && let Some(first) = shape.columns.first()
    {
        spec.columns.push(TrackColumn { name: first.name.clone(), expression: None, column: first.clone() });
    }
    Ok(spec)
}

/// What a refresh would find to do, without claiming or setting up anything.
///
/// # Errors
/// Whatever the server says.
pub async fn foresee(engine: &mut dyn Engine, set: &Set, prepared: &[Prepared<'_>]) -> Result<Asked> {
    let schema = engine.server().schema.clone();
    let mut all = Vec::new();
    for source in &set.sources {
        let mut state = (None, None);
        if source.track == Method::Triggers {
            let spec = outline(set, source, &schema);
            let known = remembered(engine, set, source).await?.unwrap_or_default();
            let now = if known.track_id == spec.id { witness(engine, &spec).await? } else { None };
            if now.is_none() || now != known.witness {
                state.1 = Some(format!("changes of {} may have gone unseen", source.table));
            }
            if known.track_id != spec.id {
                all.push(Changes { all: state.1, ..Changes::default() });
                continue;
            }
        }
        all.push(changes(engine, set, source, &state, true).await?);
    }
    affected(engine, set, prepared, &all).await
}

/// What changed in one source, from the notes claimed so far (to `foresee`: from all that wait) or by its own
/// method.
///
/// # Errors
/// Whatever the server says.
pub async fn changes(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    state: &(Option<String>, Option<String>),
    foresee: bool,
) -> Result<Changes> {
    let mut changes = match &source.track {
        Method::Triggers => noted(engine, set, source, foresee).await?,
        Method::Untracked => {
            Changes { all: Some(format!("changes of {} are not tracked", source.name)), ..Changes::default() }
        }
        Method::Window(count) => {
            let mut partitions = partitions_where(engine, source, None).await?;
            partitions.sort();
            let keep = partitions.len().saturating_sub(*count);
            Changes { partitions: partitions.split_off(keep).into_iter().collect(), ..Changes::default() }
        }
        Method::Watermark { column, overlap } => {
            since_watermark(engine, set, source, column, overlap.as_secs_f64()).await?
        }
        Method::Fingerprint => fingerprinted(engine, set, source).await?,
    };
    changes.witness.clone_from(&state.0);
    if let Some(gap) = &state.1 {
        changes.all = Some(gap.clone());
    }
    changes.columns.clone_from(&source.log);
    changes.partition = source.partition.len();
    Ok(changes)
}

/// The notes that are claimed, or, to foresee a refresh, all that are waiting.
async fn noted(engine: &mut dyn Engine, set: &Set, source: &Source, foresee: bool) -> Result<Changes> {
    let d = engine.dialect();
    let spec = outline(set, source, &engine.server().schema.clone());
    let mut work = d.qualify(&spec.schema, &spec.work());
    let mut changes = Changes::default();
    let mut among = "1 = 1".to_owned();
    if foresee {
        let spec = with_any_column(engine, spec.clone(), source).await?;
        work = waiting_rows(d, &spec);
    } else {
        for row in engine.query(&format!("SELECT DISTINCT dashagg_claim FROM {work}")).await? {
            changes.claims.extend(row.into_iter().next().flatten());
        }
        if changes.claims.is_empty() {
            return Ok(changes);
        }
        among = claimed(d, &changes.claims);
    }
    let grains = engine.query(&format!("SELECT DISTINCT dashagg_grain FROM {work} w WHERE {among}")).await?;
    let has = |grain: &str| grains.iter().any(|row| row[0].as_deref() == Some(grain));
    if has("a") || source.log.is_empty() {
        changes.all = Some(format!(
            "all of {} changed (TRUNCATE, or rows that no partition tells apart)",
            source.table
        ));
        return Ok(changes);
    }
    let names: Vec<String> = source.log.iter().map(|name| d.quote(name)).collect();
    let parts = &names[..spec.partition];
    if has("p") {
        let sql = format!(
            "SELECT DISTINCT {} FROM {work} w WHERE {among} AND dashagg_grain = 'p'",
            parts.join(", ")
        );
        changes.partitions = engine.query(&sql).await?.into_iter().collect();
    }
    if has("k") {
        let sql = format!(
            "SELECT DISTINCT {} FROM {work} w WHERE {among} AND dashagg_grain = 'k' LIMIT {}",
            names.join(", "),
            MOST_KEYS + 1
        );
        let keys: BTreeSet<Tuple> = engine.query(&sql).await?.into_iter().collect();
        if keys.len() <= MOST_KEYS {
            changes.keys = keys;
        } else if parts.is_empty() {
            changes.all = Some(format!("more than {MOST_KEYS} rows of {} changed", source.table));
        } else {
            let sql = format!("SELECT DISTINCT {} FROM {work} w WHERE {among}", parts.join(", "));
            changes.partitions = engine.query(&sql).await?.into_iter().collect();
        }
    }
    Ok(changes)
}

fn claimed(d: &dyn crate::engine::Dialect, claims: &[String]) -> String {
    let list: Vec<String> = claims.iter().map(|claim| d.literal(claim)).collect();
    format!("dashagg_claim IN ({})", list.join(", "))
}

/// Partition values of a source, of all rows or of those that meet a condition.
async fn partitions_where(
    engine: &mut dyn Engine,
    source: &Source,
    condition: Option<&str>,
) -> Result<Vec<Tuple>> {
    let d = engine.dialect();
    let expressions: Vec<String> =
        source.partition.iter().filter_map(|(name, _)| partition_expression(d, source, name)).collect();
    let table = d.quote(&source.table);
    let sql = match condition {
        Some(condition) => {
            format!("SELECT DISTINCT {} FROM {table} WHERE {condition}", expressions.join(", "))
        }
        None => {
            let plain: Option<Vec<String>> = source
                .partition
                .iter()
                .map(|(name, expression)| expression.is_none().then(|| name.clone()))
                .collect();
            let shape = Shape::read(engine, None, &source.table).await?.unwrap_or_default();
            let led = plain.is_some_and(|columns| shape.index_led_by(&columns).is_some());
            engine.dialect().distinct_sql(&table, &expressions, led)
        }
    };
    Ok(engine.query(&sql).await?)
}

async fn since_watermark(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    column: &str,
    overlap_seconds: f64,
) -> Result<Changes> {
    let d = engine.dialect();
    let known = remembered(engine, set, source).await?.unwrap_or_default();
    let quoted = d.quote(column);
    // Read before the rows: what is written in between is found again next time.
    let newest = engine.scalar(&format!("SELECT MAX({quoted}) FROM {}", d.quote(&source.table))).await?;
    let Some(seen) = known.watermark else {
        return Ok(Changes {
            all: Some(format!("no watermark of {} is known yet", source.name)),
            watermark: newest,
            ..Changes::default()
        });
    };
    let condition = format!("{quoted} >= {}", d.seconds_before(&d.literal(&seen), overlap_seconds));
    let partitions = partitions_where(engine, source, Some(&condition)).await?;
    Ok(Changes {
        partitions: partitions.into_iter().collect(),
        watermark: newest.or(Some(seen)),
        ..Changes::default()
    })
}

async fn fingerprinted(engine: &mut dyn Engine, set: &Set, source: &Source) -> Result<Changes> {
    let d = engine.dialect();
    let shape = Shape::read(engine, None, &source.table).await?.unwrap_or_default();
    let expressions: Vec<String> =
        source.partition.iter().filter_map(|(name, _)| partition_expression(d, source, name)).collect();
    let parts = expressions.len();
    let table = d.quote(&source.table);
    let mut now: Vec<(Tuple, String)> = Vec::new();
    match d.fingerprint_sql(&table, &expressions, &shape.columns) {
        Some(sql) => {
            for mut row in engine.query(&sql).await? {
                let print: Vec<String> =
                    row.split_off(parts).into_iter().map(Option::unwrap_or_default).collect();
                now.push((row, print.join("/").chars().take(255).collect()));
            }
        }
        None => {
            let mut cells = expressions.clone();
            cells.extend(shape.columns.iter().map(|column| d.quote(&column.name)));
            let sql = format!("SELECT {} FROM {table}", cells.join(", "));
            let mut sums: BTreeMap<Tuple, (u64, i64)> = BTreeMap::new();
            engine
                .for_each(&sql, &mut |mut row| {
                    let rest = row.split_off(parts);
                    let sum = sums.entry(row).or_default();
                    sum.0 += 1;
                    sum.1 = sum.1.wrapping_add(checksum::number(&format!("{rest:?}")));
                })
                .await?;
            now.extend(sums.into_iter().map(|(tuple, (count, sum))| (tuple, format!("{count}/{sum}"))));
        }
    }
    let sql = format!(
        "SELECT part, print FROM dashagg_print WHERE set_name = {} AND source = {}",
        d.literal(&set.name),
        d.literal(&source.name)
    );
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    for row in engine.query(&sql).await? {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        before.insert(cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
    }
    let mut changes = Changes::default();
    for (tuple, print) in now {
        let part = serde_json::to_string(&tuple).unwrap_or_default();
        if before.remove(&part).as_ref() != Some(&print) {
            changes.prints.push((part, Some(print)));
            changes.partitions.insert(tuple);
        }
    }
    for (part, _) in before {
        if let Ok(tuple) = serde_json::from_str::<Tuple>(&part) {
            changes.partitions.insert(tuple);
        }
        changes.prints.push((part, None));
    }
    Ok(changes)
}

/// Statements for the publish transaction that forget what it publishes. `only`: the partitions that were
/// published, if not all of them; notes that such a publish does not cover stay.
pub fn consume_sql(
    engine: &dyn Engine,
    set: &Set,
    changes: &[Changes],
    only: Option<(&[String], &[Tuple])>,
) -> Vec<String> {
    let d = engine.dialect();
    let mut sql = Vec::new();
    for (source, changes) in set.sources.iter().zip(changes) {
        if source.track == Method::Triggers && !changes.claims.is_empty() {
            let spec = outline(set, source, &engine.server().schema);
            let work = d.qualify(&spec.schema, &spec.work());
            let among = claimed(d, &changes.claims);
            match only {
                None => sql.push(format!("DELETE FROM {work} WHERE {among}")),
                Some((columns, tuples)) => {
                    // A dimension's note may concern partitions that were not published.
                    let covered = source.invalidates.is_none()
                        && !columns.is_empty()
                        && columns.iter().all(|name| source.log.contains(name));
                    if covered {
                        let slice = Slice::Tuples {
                            columns: columns
                                .iter()
                                .map(|name| Column {
                                    name: name.clone(),
                                    sql_type: String::new(),
                                    text: false,
                                    integer: false,
                                    generated: false,
                                    nullable: true,
                                })
                                .collect(),
                            rows: tuples.to_vec(),
                        };
                        let condition = slice.condition(d, &|name| d.quote(name));
                        sql.push(format!(
                            "DELETE FROM {work} WHERE {among} AND dashagg_grain <> 'a' AND {condition}"
                        ));
                    }
                }
            }
        }
        if only.is_some() {
            continue;
        }
        let (set_name, name) = (d.literal(&set.name), d.literal(&source.name));
        if changes.witness.is_some() || changes.watermark.is_some() {
            let value =
                |text: &Option<String>| text.as_ref().map_or("NULL".to_owned(), |text| d.literal(text));
            sql.push(format!(
                "UPDATE dashagg_source SET witness = {}, watermark = {} WHERE set_name = {set_name} AND source = {name}",
                value(&changes.witness),
                value(&changes.watermark)
            ));
        }
        for (part, print) in &changes.prints {
            let part = d.literal(part);
            sql.push(format!(
                "DELETE FROM dashagg_print WHERE set_name = {set_name} AND source = {name} AND part = {part}"
            ));
            if let Some(print) = print {
                sql.push(format!(
                    "INSERT INTO dashagg_print (set_name, source, part, print) VALUES ({set_name}, {name}, {part}, {})",
                    d.literal(print)
                ));
            }
        }
    }
    sql
}

/// The rows of a summary that a dimension's changed keys occur in, from the published rows: as tuples of
/// `columns`. `None`: too many to name.
///
/// # Errors
/// Whatever the server says.
pub async fn occurrences(
    engine: &mut dyn Engine,
    item: &Prepared<'_>,
    on: &[String],
    keys: &BTreeSet<Tuple>,
    columns: &[String],
) -> Result<Option<BTreeSet<Tuple>>> {
    let d = engine.dialect();
    let mut found = BTreeSet::new();
    let all: Vec<Tuple> = keys.iter().cloned().collect();
    let on_columns: Vec<Column> = on.iter().filter_map(|name| item.column(name).cloned()).collect();
    let names: Vec<String> = columns.iter().map(|name| format!("t.{}", d.quote(name))).collect();
    for chunk in all.chunks(500) {
        let slice = Slice::Tuples { columns: on_columns.clone(), rows: chunk.to_vec() };
        let sql = format!(
            "SELECT DISTINCT {} FROM {} t WHERE {} LIMIT {}",
            names.join(", "),
            item.target,
            slice.over(d, "t"),
            MOST_KEYS + 1
        );
        found.extend(engine.query(&sql).await?);
        if found.len() > MOST_KEYS {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// Every note that waits, claimed or not, as a table of (grain, columns…).
fn waiting_rows(d: &dyn crate::engine::Dialect, spec: &TrackSpec) -> String {
    let names: Vec<String> = spec.columns.iter().map(|column| d.quote(&column.name)).collect();
    format!(
        "(SELECT dashagg_grain, {} FROM {} UNION ALL SELECT * FROM ({}) n)",
        names.join(", "),
        d.qualify(&spec.schema, &spec.work()),
        d.notes_sql(spec)
    )
}

/// Partitions that wait for a refresh: of the log, and of claims that no publish has consumed. `None` in the
/// result: nothing tells which, so all of them.
///
/// # Errors
/// Whatever the server says.
pub async fn waiting(engine: &mut dyn Engine, set: &Set) -> Result<Option<BTreeSet<Tuple>>> {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    let mut waiting = BTreeSet::new();
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let spec = outline(set, source, &schema);
        let spec = with_any_column(engine, spec, source).await?;
        let parts: Vec<String> =
            spec.columns[..spec.partition].iter().map(|column| d.quote(&column.name)).collect();
        let all = waiting_rows(d, &spec);
        let mut cells = vec!["dashagg_grain".to_owned()];
        cells.extend(parts.iter().cloned());
        let rows = engine.query(&format!("SELECT DISTINCT {} FROM {all} a", cells.join(", "))).await?;
        for mut row in rows {
            let tuple = row.split_off(1);
            if row[0].as_deref() == Some("a") || tuple.is_empty() {
                return Ok(None);
            }
            waiting.insert(tuple);
        }
    }
    Ok(Some(waiting))
}

//! Scratch tables: where rows wait between being computed and being published.
//!
//! What other connections must see lies in tables that `create` makes once, a few per summary: a table that comes and
//! goes makes a dump beside it fail, and a lock that a dump holds keeps a DROP waiting. Each row says which run it
//! belongs to, so that runs which overlap (the lock is manners only) do not mix theirs; a run deletes its own at its
//! end. What a killed one left, the next deletes.

use anyhow::{Context as _, Result};

use super::inspect::Prepared;
use super::work::{self, Work};
use crate::catalog::{Kind, Set, Summary};
use crate::checksum;
use crate::engine::dialect::{SOME, Scratch};
use crate::engine::statements::{self, KIND, Marks, RUN};
use crate::engine::{Column, Dialect, Engine, ErrorClass, Shape, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger::{self, SetState};

/// What the names of lasting scratch tables begin with.
const PREFIX: &str = "dashagg_scratch_";

/// What those of version 0.1.0 began with, which made them for each run.
const PER_RUN: [&str; 2] = ["dashagg_delta_", "dashagg_stage_"];

/// Numbers of its own that a run has: two for each connection that stages.
const NUMBERS: i64 = 4096;

/// One attempt at a run: how its rows are told from another's, and the tables that they are in.
pub struct Run {
    /// Its name among those that claim notes.
    pub token: String,
    /// Whether the set's lock is really held, which is always, except in a test that forces it open.
    pub held: bool,
    number: i64,
    shared_stages: bool,
    deltas: Vec<String>,
    stages: Vec<String>,
    used: Vec<(String, Scratch)>,
}

impl Run {
    /// Another attempt (`nth`, unique within `run_id`) at the run of a set.
    pub fn new(d: &dyn Dialect, set: &str, run_id: &str, nth: &str, held: bool) -> Self {
        let digest = checksum::hex(&format!("{run_id}/{nth}"));
        // 16 hexadecimal digits are a u64; without its two highest bits, a positive number.
        let number = u64::from_str_radix(&digest[..16], 16).map_or(1, |n| (n >> 2) as i64);
        Self {
            token: format!("{}{}", per_run(set), &digest[..10]),
            held,
            number: (number - number % NUMBERS).max(NUMBERS),
            shared_stages: d.lasting().contains(&Scratch::Stage),
            deltas: Vec::new(),
            stages: Vec::new(),
            used: Vec::new(),
        }
    }

    /// What marks the rows of one of its connections.
    pub fn marks(&self, worker: usize) -> Marks {
        if !self.shared_stages {
            return Marks { run: self.number, ..Marks::PRIVATE };
        }
        let computed = self.number + 2 * worker as i64;
        Marks { run: self.number, computed, totals: computed + 1 }
    }

    /// The delta of a summary, as statements spell it.
    pub fn delta(&self, index: usize) -> &str {
        self.deltas.get(index).map_or("", String::as_str)
    }

    /// The stage of a summary that all connections share, if they do.
    pub fn stage(&self, index: usize) -> Option<&str> {
        self.stages.get(index).map(String::as_str)
    }

    /// Takes the run's rows out of every table that it used; what cannot be done now is left to the next run.
    pub async fn clear(&self, engine: &mut dyn Engine) {
        let d = engine.dialect();
        for (table, scratch) in &self.used {
            let cleared = if d.lasting().contains(scratch) {
                let (first, last) = (self.number, self.number + NUMBERS - 1);
                let ours = format!("{} BETWEEN {first} AND {last}", mark(d, *scratch));
                delete(engine, table, &ours).await
            } else {
                engine.execute(&d.drop_scratch(table, *scratch)).await.map(drop).map_err(Into::into)
            };
            if let Err(error) = cleared {
                tracing::debug!("clearing {table}: {error:#}");
            }
        }
    }
}

/// The column that says whose a row is.
fn mark(d: &dyn Dialect, scratch: Scratch) -> String {
    d.quote(if scratch == Scratch::Stage { KIND } else { RUN })
}

async fn delete(engine: &mut dyn Engine, table: &str, condition: &str) -> Result<()> {
    let sql = engine.dialect().delete_some(table, condition);
    while engine.execute(&sql).await? >= SOME {}
    Ok(())
}

/// A lasting scratch table that a summary wants.
struct Lasting {
    name: String,
    /// What the names of its summary's tables begin with.
    of_summary: String,
    /// What those begin with that have the summary's present columns and key.
    of_shape: String,
    /// As statements spell it.
    qualified: String,
    scratch: Scratch,
    create: String,
    /// The same with a shorter key.
    shorter: String,
}

/// The beginning of the names of a set's lasting scratch tables.
fn of_set(set: &str) -> String {
    format!("{PREFIX}{}_", &checksum::hex(set)[..10])
}

/// The same of one summary; by its name, since its number depends on what a run was asked for.
fn of_summary(set: &str, summary: &str) -> String {
    format!("{}{}_", of_set(set), &checksum::hex(summary)[..10])
}

fn per_run(set: &str) -> String {
    checksum::hex(set)[..6].to_owned()
}

/// The scratch tables that last, for a summary whose table has these columns. Their names say what shape they have, so
/// that one which the summary has outgrown is known by its name.
fn lasting(
    d: &dyn Dialect,
    schema: &str,
    set: &str,
    summary: &Summary,
    columns: &[Column],
    read_above: bool,
) -> Vec<Lasting> {
    let columns: Vec<Column> = columns.iter().filter(|column| !column.generated).cloned().collect();
    let create = |qualified: &str, scratch: Scratch, with_run: bool| {
        let definitions = statements::scratch_columns(d, &columns, &summary.key, scratch);
        let unique = match scratch {
            Scratch::Stage => statements::stage_index(d, &summary.partition, &summary.key),
            _ if with_run => statements::delta_index(d, &summary.key),
            _ => summary.key.iter().map(|name| d.quote(name)).collect::<Vec<_>>().join(", "),
        };
        d.create_scratch(qualified, &definitions, Some(&unique), scratch)
    };
    let shape: String = d.lasting().iter().map(|scratch| create("", *scratch, true)).collect();
    let of_summary = of_summary(set, &summary.name);
    let of_shape = format!("{of_summary}{}", &checksum::hex(&shape)[..10]);
    let used = d.lasting().iter().filter(|scratch| **scratch != Scratch::LookedUp || read_above);
    used.map(|scratch| {
        let kind = match scratch {
            Scratch::LookedUp => "_k",
            Scratch::Stage => "_s",
            _ => "",
        };
        let name = format!("{of_shape}{kind}");
        let qualified = d.scratch_name(schema, &name, *scratch);
        Lasting {
            create: create(&qualified, *scratch, true),
            shorter: create(&qualified, *scratch, false),
            name,
            of_summary: of_summary.clone(),
            of_shape: of_shape.clone(),
            qualified,
            scratch: *scratch,
        }
    })
    .collect()
}

/// Names of the tables of dashagg's own.
async fn names(engine: &mut dyn Engine) -> Result<Vec<String>> {
    let rows = engine.query(&engine.dialect().tables_like_sql(ledger::PREFIX)).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Whether a table is one that a run of version 0.1.0 of the set left behind when it was killed.
fn is_left(name: &str, set: &str) -> bool {
    let own = per_run(set);
    PER_RUN.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(&own)))
}

/// What `create` has to do about a set's scratch tables.
pub(crate) struct Todo {
    make: Vec<Lasting>,
    drop: Vec<String>,
}

impl Todo {
    /// Compares what is there with what the summaries' tables want, as far as there are tables.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn of(engine: &mut dyn Engine, set: &Set) -> Result<Self> {
        let d = engine.dialect();
        let schema = engine.server().schema.clone();
        let mut wanted = Vec::new();
        for (index, summary) in set.summaries.iter().enumerate() {
            if summary.kind != Kind::Table || d.lasting().is_empty() {
                continue;
            }
            if let Some(shape) = Shape::read(engine, Some(summary.schema_in(&schema)), &summary.table).await?
            {
                let above = set.summaries.iter().any(|above| above.reads_summaries.contains(&index));
                wanted.extend(lasting(d, &schema, &set.name, summary, &shape.columns, above));
            }
        }
        let there = if ledger::exists(engine).await? { names(engine).await? } else { Vec::new() };
        let own = of_set(&set.name);
        let gone = |name: &&String| {
            is_left(name, &set.name)
                || name.starts_with(&own) && !wanted.iter().any(|table| table.name == **name)
        };
        let drop = there.iter().filter(gone).map(|name| drop_sql(d, &schema, name)).collect();
        wanted.retain(|table| !there.contains(&table.name));
        Ok(Self { make: wanted, drop })
    }

    /// The SQL, to be shown.
    pub fn sql(self) -> Vec<String> {
        self.drop.into_iter().chain(self.make.into_iter().map(|table| table.create)).collect()
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever the server says to making a table. One that is not wanted any more may be held by a reader; it is in
    /// nobody's way.
    pub async fn apply(self, engine: &mut dyn Engine) -> Result<()> {
        for table in &self.make {
            make(engine, table).await?;
        }
        for sql in self.drop {
            if let Err(error) = ledger::in_write(engine, std::slice::from_ref(&sql)).await {
                tracing::debug!("{sql}: {error:#}");
            }
        }
        Ok(())
    }
}

/// The SQL that drops every scratch table of a set.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn drop_all_sql(engine: &mut dyn Engine, set: &str) -> Result<Vec<String>> {
    let (d, schema) = (engine.dialect(), engine.server().schema.clone());
    let own = of_set(set);
    let all = names(engine).await?;
    let ours = all.iter().filter(|name| name.starts_with(&own) || is_left(name, set));
    Ok(ours.map(|name| drop_sql(d, &schema, name)).collect())
}

fn drop_sql(d: &dyn Dialect, schema: &str, name: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", d.qualify(schema, name))
}

async fn make(engine: &mut dyn Engine, table: &Lasting) -> Result<()> {
    let made = match engine.execute(&table.create).await {
        // The summary's key fills an index entry by itself. Then it alone is the key: two runs that overlap without
        // the lock may meet at a row of it, and the later one fails.
        Err(error) if error.class == ErrorClass::KeyTooLong => engine.execute(&table.shorter).await,
        other => other,
    };
    match made {
        Err(error) if error.class == ErrorClass::Denied => {
            Err(Failure::new(ExitCode::Failed, format!("making scratch table {}: {error}", table.name))
                .hint("run `dashagg create` as a user who may make tables")
                .into())
        }
        other => other.map(drop).with_context(|| format!("making scratch table {}", table.name)),
    }
}

/// Gets the scratch tables of a run ready: each is there, fits, and has no row that could be taken for the run's.
/// `look_up`: later waves look rows up in the deltas below. Passes the fence where a killed run left rows.
///
/// # Errors
/// Whatever the server says; a transient error when another run published in between.
pub async fn ready(
    engine: &mut dyn Engine,
    set: &Set,
    prepared: &[Prepared<'_>],
    look_up: bool,
    state: &mut SetState,
    run: &mut Run,
) -> Result<()> {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    if d.lasting().is_empty() {
        return make_private(engine, prepared, run).await;
    }
    let there = names(engine).await?;
    let mut wanted = Vec::new();
    for (index, item) in prepared.iter().enumerate() {
        let summary = item.summary;
        let above = work::is_read_above(prepared, index);
        let tables = lasting(d, &schema, &set.name, summary, &item.stored, above);
        let delta = if look_up && above && d.lasting().contains(&Scratch::LookedUp) {
            Scratch::LookedUp
        } else {
            Scratch::Delta
        };
        let named = |scratch| tables.iter().find(|table| table.scratch == scratch);
        run.deltas.push(named(delta).map(|table| table.qualified.clone()).unwrap_or_default());
        run.stages.extend(named(Scratch::Stage).map(|table| table.qualified.clone()));
        run.used.extend(
            tables
                .iter()
                .filter(|table| table.scratch == delta || table.scratch == Scratch::Stage)
                .map(|table| (table.qualified.clone(), table.scratch)),
        );
        wanted.extend(tables);
    }
    mend(engine, set, &there, &wanted, run.held).await?;
    if run.held {
        sweep(engine, set, &wanted, state, run).await?;
    }
    Ok(())
}

/// Where scratch tables are a connection's own, a run makes its deltas itself.
async fn make_private(engine: &mut dyn Engine, prepared: &[Prepared<'_>], run: &mut Run) -> Result<()> {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    for (index, item) in prepared.iter().enumerate() {
        let name = format!("dashagg_delta_{}_{index}", run.token);
        let delta = d.scratch_name(&schema, &name, Scratch::Delta);
        let columns = statements::scratch_columns(d, &item.columns, &item.summary.key, Scratch::Delta);
        engine.execute(&d.create_scratch(&delta, &columns, None, Scratch::Delta)).await?;
        run.used.push((delta.clone(), Scratch::Delta));
        run.deltas.push(delta);
    }
    Ok(())
}

/// Makes what `create` has not made (somebody altered or dropped a table since, or an older version made the set), and
/// takes away what it replaces.
async fn mend(
    engine: &mut dyn Engine,
    set: &Set,
    there: &[String],
    wanted: &[Lasting],
    held: bool,
) -> Result<()> {
    let missing: Vec<&Lasting> = wanted.iter().filter(|table| !there.contains(&table.name)).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|table| table.name.as_str()).collect();
        tracing::info!("set {}: making scratch tables anew, once: {}", set.name, names.join(", "));
    }
    for table in missing {
        make(engine, table).await?;
    }
    if !held {
        return Ok(());
    }
    let schema = engine.server().schema.clone();
    let outgrown = |name: &&String| {
        let outgrew =
            |table: &Lasting| name.starts_with(&table.of_summary) && !name.starts_with(&table.of_shape);
        is_left(name, &set.name) || wanted.iter().any(outgrew)
    };
    for name in there.iter().filter(outgrown) {
        let sql = drop_sql(engine.dialect(), &schema, name);
        match ledger::in_write(engine, &[sql]).await {
            Ok(()) => tracing::debug!("dropped {name}, which nothing uses any more"),
            Err(error) => tracing::debug!("{name}: {error:#}"),
        }
    }
    Ok(())
}

/// Deletes the rows that killed runs left.
///
/// A run may be alive although its lock is lost, and then it must not publish once its rows are gone: what is left of
/// its delta would pass for the whole. So the fence is passed between looking and deleting. Whoever wrote a row that
/// was seen had read the set's generation before it wrote, and cannot publish any more; rows that come later are not
/// among those that are deleted, and are left to a later run, as are their tables' other rows.
async fn sweep(
    engine: &mut dyn Engine,
    set: &Set,
    tables: &[Lasting],
    state: &mut SetState,
    run: &Run,
) -> Result<()> {
    let d = engine.dialect();
    let (first, last) = (run.number, run.number + NUMBERS - 1);
    let queries: Vec<String> = tables
        .iter()
        .map(|table| {
            let mark = mark(d, table.scratch);
            let number = format!("{mark} - {mark} % {NUMBERS}");
            let table = &table.qualified;
            format!("SELECT DISTINCT {number} FROM {table} WHERE {mark} NOT BETWEEN {first} AND {last}")
        })
        .collect();
    let found = engine.query_each(&queries).await?;
    if found.iter().all(Vec::is_empty) {
        return Ok(());
    }
    engine.begin(Tx::Write).await?;
    ledger::pass_fence(engine, &set.name, state.generation).await?;
    engine.commit().await?;
    state.generation += 1;
    fail::fail_point!("swept");
    for (table, numbers) in tables.iter().zip(found) {
        for number in numbers.into_iter().flatten().flatten().filter_map(|text| text.parse::<i64>().ok()) {
            let (mark, last) = (mark(d, table.scratch), number + NUMBERS - 1);
            delete(engine, &table.qualified, &format!("{mark} BETWEEN {number} AND {last}")).await?;
            tracing::debug!("{}: deleted what a killed run left", table.name);
        }
    }
    Ok(())
}

/// Makes the stage of one connection for one chunk's rows. `unique`: columns of its unique index.
///
/// # Errors
/// Whatever the server says.
pub async fn open_stage(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    worker: usize,
    index: usize,
    unique: Option<&str>,
) -> Result<String> {
    let (d, stage) = (work.dialect, work.stage(worker, index));
    // The rows of a shared one are told apart by their marks, and none is left of the chunk before.
    if work.run.stage(index).is_none() {
        let item = &work.prepared[index];
        let scratch = work.private();
        let columns = statements::scratch_columns(d, &item.columns, &item.summary.key, scratch);
        engine.execute(&d.drop_scratch(&stage, scratch)).await?;
        engine.execute(&d.create_scratch(&stage, &columns, unique, scratch)).await?;
    }
    Ok(stage)
}

/// Done with that chunk.
///
/// # Errors
/// Whatever the server says.
pub async fn close_stage(
    engine: &mut dyn Engine,
    work: &Work<'_>,
    worker: usize,
    index: usize,
) -> Result<()> {
    let stage = work.stage(worker, index);
    if work.run.stage(index).is_none() {
        engine.execute(&work.dialect.drop_scratch(&stage, work.private())).await?;
        return Ok(());
    }
    let Marks { computed, totals, .. } = work.run.marks(worker);
    let ours = format!("{} BETWEEN {computed} AND {totals}", work.dialect.quote(KIND));
    delete(engine, &stage, &ours).await
}

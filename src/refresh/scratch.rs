//! Scratch tables: where rows wait between being computed and being published.
//!
//! What other connections must see lies in tables that `create` makes once, a few per summary: a table that comes and
//! goes makes a dump beside it fail, and a lock that a dump holds keeps a DROP waiting. Each row says which run it
//! belongs to, so that runs which overlap (the lock is manners only) do not mix theirs; a run deletes its own at its
//! end. What a killed one left, the next deletes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::{Result, anyhow};

use super::facts::Facts;
use super::staging::{self, Staging};
use crate::catalog::Set;
use crate::checksum;
use crate::engine::dialect::{SOME, Scratch};
use crate::engine::names;
use crate::engine::statements::{self, KIND, Marks, RUN};
use crate::engine::{Dialect, Engine, Tx};
use crate::inspect::BoundSummary;
use crate::lasting::{self, Lasting};
use crate::ledger::{self, SetState};

/// Numbers of its own that a run has: two for each connection that stages.
const NUMBERS: i64 = 4096;

/// The rows in scratch tables that are one attempt's own: how they are told from another's, and where they are.
pub struct OwnRows {
    /// Its name among those that claim notes.
    pub token: String,
    /// Whether the set's lock is really held, which is always, except in a test that forces it open.
    pub held: bool,
    number: i64,
    shared_stages: bool,
    deltas: Vec<String>,
    stages: Vec<String>,
    used: Vec<(String, Scratch)>,
    /// Private stages that are there, by connection and summary.
    open: Mutex<BTreeMap<(usize, usize), (String, Scratch)>>,
}

impl OwnRows {
    /// Another attempt (`nth`, unique within `run_id`) at the run of a set.
    pub fn new(d: &dyn Dialect, set: &str, run_id: &str, nth: &str, held: bool) -> Self {
        let name = format!("{run_id}/{nth}");
        // Positive, with room for the numbers of its connections.
        let number = (checksum::number(&name) & (i64::MAX >> 1)) / NUMBERS * NUMBERS;
        Self {
            token: format!("{}{}", lasting::per_run(set), &checksum::hex(&name)[..10]),
            held,
            number: number.max(NUMBERS),
            shared_stages: d.lasting().contains(&Scratch::Stage),
            deltas: Vec::new(),
            stages: Vec::new(),
            used: Vec::new(),
            open: Mutex::default(),
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

    /// Takes the run's rows out of every table that it used; what cannot be done now is left to the next run. Returns
    /// whether the connection can serve another run: where all scratch tables are its own, they go with it.
    pub async fn clear(&self, engine: &mut dyn Engine) -> bool {
        let d = engine.dialect();
        if d.lasting().is_empty() {
            return self.used.is_empty();
        }
        let open = self.open.lock().map(|open| open.clone()).unwrap_or_default();
        // Those of other connections went with them.
        let stages = open.into_iter().filter(|((worker, _), _)| *worker == 0).map(|(_, stage)| stage);
        let private = |scratch: &Scratch| !d.lasting().contains(scratch);
        let gone = self.used.iter().filter(|(_, scratch)| private(scratch)).cloned().chain(stages);
        let mut statements: Vec<String> =
            gone.map(|(table, scratch)| d.drop_scratch(&table, scratch)).collect();
        let lasting: Vec<&(String, Scratch)> = self.used.iter().filter(|(_, s)| !private(s)).collect();
        statements
            .extend(lasting.iter().map(|(table, scratch)| d.delete_some(table, &self.ours(d, *scratch))));
        match engine.execute_each(&statements).await {
            Ok(deleted) => {
                let deleted = deleted.into_iter().skip(statements.len() - lasting.len());
                for ((table, scratch), _) in lasting.iter().zip(deleted).filter(|(_, rows)| *rows >= SOME) {
                    if let Err(error) = delete(engine, table, &self.ours(d, *scratch)).await {
                        tracing::debug!("clearing {table}: {error:#}");
                    }
                }
            }
            Err(error) => tracing::debug!("clearing scratch tables: {error}"),
        }
        true
    }

    /// The condition that finds its rows in a table that lasts.
    fn ours(&self, d: &dyn Dialect, scratch: Scratch) -> String {
        let (first, last) = (self.number, self.number + NUMBERS - 1);
        format!("{} BETWEEN {first} AND {last}", mark(d, scratch))
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

/// Gets the scratch tables of a run ready: each is there, fits, and has no row that could be taken for the run's.
/// `look_up`: later waves look rows up in the deltas below. Passes the fence where a killed run left rows.
///
/// # Errors
/// Whatever the server says; a transient error when another run published in between.
pub(super) async fn ready(
    engine: &mut dyn Engine,
    facts: &Facts<'_>,
    look_up: bool,
    state: &mut SetState,
    run: &mut OwnRows,
) -> Result<()> {
    let (set, prepared) = (facts.set, facts.prepared.as_slice());
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    if d.lasting().is_empty() {
        return make_private(engine, prepared, run).await;
    }
    let mut wanted = Vec::new();
    for (index, item) in prepared.iter().enumerate() {
        let summary = item.summary;
        let above = staging::is_read_above(prepared, index);
        let tables = lasting::wanted(d, &schema, &set.name, summary, &item.stored, above);
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
    lasting::mend(engine, set, &facts.own_tables, &wanted, run.held).await?;
    if run.held {
        sweep(engine, set, &wanted, state, run).await?;
    }
    Ok(())
}

/// Where scratch tables are a connection's own, a run makes its deltas itself.
async fn make_private(
    engine: &mut dyn Engine,
    prepared: &[BoundSummary<'_>],
    run: &mut OwnRows,
) -> Result<()> {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    for (index, item) in prepared.iter().enumerate() {
        let name = names::delta(&run.token, index);
        let delta = d.scratch_name(&schema, &name, Scratch::Delta);
        let columns = statements::scratch_columns(d, &item.columns, &item.summary.key, Scratch::Delta);
        engine.execute(&d.create_scratch(&delta, &columns, None, Scratch::Delta)).await?;
        run.used.push((delta.clone(), Scratch::Delta));
        run.deltas.push(delta);
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
    run: &OwnRows,
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
    let next = ledger::pass_fence(engine, &set.name, state.fence).await?;
    engine.commit().await?;
    state.fence = next;
    for (table, numbers) in tables.iter().zip(found) {
        for number in numbers.into_iter().flatten().flatten().filter_map(|text| text.parse::<i64>().ok()) {
            let (mark, last) = (mark(d, table.scratch), number + NUMBERS - 1);
            delete(engine, &table.qualified, &format!("{mark} BETWEEN {number} AND {last}")).await?;
            tracing::debug!("{}: deleted what a killed run left", table.name);
        }
    }
    fail::fail_point!("swept");
    Ok(())
}

/// Makes the private stages of one connection for one chunk's rows, in one message. With each summary: whether the columns
/// of a unique index are wanted first.
///
/// # Errors
/// Whatever the server says.
pub async fn open_stages(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    worker: usize,
    wanted: &[(usize, Option<String>)],
) -> Result<()> {
    let d = staging.dialect;
    let scratch = staging.private();
    let mut statements = Vec::new();
    for (index, unique) in wanted {
        // The rows of a shared one are told apart by their marks, and none is left of the chunk before.
        if staging.run.stage(*index).is_some() {
            continue;
        }
        let (stage, item) = (staging.stage(worker, *index), &staging.prepared[*index]);
        let columns = statements::scratch_columns(d, &item.columns, &item.summary.key, scratch);
        let mut open = staging.run.open.lock().map_err(|_| anyhow!("another connection failed"))?;
        if open.insert((worker, *index), (stage.clone(), scratch)).is_some() {
            statements.push(d.drop_scratch(&stage, scratch));
        }
        statements.push(d.create_scratch(&stage, &columns, unique.as_deref(), scratch));
    }
    engine.execute_each(&statements).await?;
    Ok(())
}

/// Done with that chunk: takes its rows out of stages that connections share. Private ones wait for the next chunk.
///
/// # Errors
/// Whatever the server says.
pub async fn close_stages(
    engine: &mut dyn Engine,
    staging: &Staging<'_>,
    worker: usize,
    indexes: impl Iterator<Item = usize>,
) -> Result<()> {
    let Marks { computed, totals, .. } = staging.run.marks(worker);
    let ours = format!("{} BETWEEN {computed} AND {totals}", staging.dialect.quote(KIND));
    for index in indexes.filter(|index| staging.run.stage(*index).is_some()) {
        delete(engine, &staging.stage(worker, index), &ours).await?;
    }
    Ok(())
}

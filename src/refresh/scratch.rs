//! Scratch tables: where rows wait between being computed and being published.
//!
//! What other connections must see lies in tables that `create` makes once, a few per summary: a table that comes and
//! goes makes a dump beside it fail, and a lock that a dump holds keeps a DROP waiting. Each row says which run it
//! belongs to, so that runs which overlap (the lock is manners only) do not mix theirs; a run deletes its own at its
//! end. What a killed one left, the next deletes.

use anyhow::{Result, anyhow};

use super::facts::Facts;
use super::own_rows::{NUMBERS, OwnRows, delete, mark};
use super::staging::{self, Staging};
use crate::catalog::Set;
use crate::engine::dialect::Scratch;
use crate::engine::names;
use crate::engine::statements::{self, KIND, Marks};
use crate::engine::{Engine, Tx};
use crate::inspect::BoundSummary;
use crate::lasting::{self, Lasting};
use crate::ledger::{self, SetState};
use crate::pause;

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
        run.stages.push(named(Scratch::Stage).map(|table| table.qualified.clone()));
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
    pause::at("swept");
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
    for index in indexes.filter(|index| staging.run.stage(*index).is_some()) {
        let Marks { computed, totals, .. } = staging.run.marks(worker, index);
        let ours = format!("{} BETWEEN {computed} AND {totals}", staging.dialect.quote(KIND));
        delete(engine, &staging.stage(worker, index), &ours).await?;
    }
    Ok(())
}

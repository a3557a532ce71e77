//! The row of a set: the fence that keeps one publish from another, and what `create` and `demo` know it by.

use anyhow::Result;

use super::in_write;
use super::row::{Columns, Record};
use crate::engine::{DbError, Dialect, Engine, ErrorClass};

pub(super) const SETS: Columns = Columns { table: "dashagg_set", names: &["generation", "checked_at"] };

/// The generation of a set as a run has read it. Whoever publishes passes the fence with it, and only the first of those
/// that read the same one gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence(i64);

impl Fence {
    pub(super) fn of(row: &Record) -> Result<Self> {
        row.i64("generation").map(Self)
    }
}

/// Passes the fence, inside a write transaction, and returns the next one.
///
/// # Errors
/// A transient one when another run has passed it; the caller rolls back and starts again from the beginning.
pub async fn pass_fence(engine: &mut dyn Engine, set: &str, fence: Fence) -> Result<Fence> {
    let sql = format!(
        "UPDATE dashagg_set SET generation = generation + 1 WHERE set_name = {} AND generation = {}",
        engine.dialect().literal(set),
        fence.0
    );
    if engine.execute(&sql).await? != 1 {
        return Err(DbError::new(ErrorClass::Transient, "another run published in between").into());
    }
    Ok(Fence(fence.0 + 1))
}

/// The note that a run found nothing to do, which is news for `status`: the summaries are current as of now.
pub fn heartbeat(d: &dyn Dialect, set: &str, now: &str) -> String {
    format!("UPDATE dashagg_set SET checked_at = {} WHERE set_name = {}", d.literal(now), d.literal(set))
}

/// Names of the sets that `create` has registered here.
///
/// # Errors
/// Whatever the server says.
pub async fn registered(engine: &mut dyn Engine) -> Result<Vec<String>> {
    let names = Columns { table: SETS.table, names: &["set_name"] };
    names.decode(engine.query(&names.select("ORDER BY set_name")).await?, |row| row.text("set_name"))
}

/// Whether `create` has registered a set here.
///
/// # Errors
/// Whatever the server says.
pub async fn is_registered(engine: &mut dyn Engine, set: &str) -> Result<bool> {
    Ok(registered(engine).await?.iter().any(|known| known == set))
}

/// Registers a set.
///
/// # Errors
/// Whatever the server says.
pub async fn register(engine: &mut dyn Engine, set: &str) -> Result<()> {
    let name = engine.dialect().literal(set);
    let sql = format!("INSERT INTO dashagg_set (set_name, generation) VALUES ({name}, 0)");
    let added = in_write(engine, &[sql]).await;
    // Two first runs at once: the other one's row is as good.
    if added.is_err() && is_registered(engine, set).await? {
        return Ok(());
    }
    added
}

/// Registers a set whose sources are of `demo`'s making: `origin` says so.
///
/// # Errors
/// Whatever the server says.
pub async fn register_sample(engine: &mut dyn Engine, set: &str, origin: &str) -> Result<()> {
    let d = engine.dialect();
    let sql = format!(
        "INSERT INTO dashagg_set (set_name, generation, origin) VALUES ({}, 0, {})",
        d.literal(set),
        d.literal(origin)
    );
    Ok(engine.execute(&sql).await.map(drop)?)
}

/// Says anew what a set's sources come from.
///
/// # Errors
/// Whatever the server says.
pub async fn set_origin(engine: &mut dyn Engine, set: &str, origin: &str) -> Result<()> {
    let d = engine.dialect();
    let sql =
        format!("UPDATE dashagg_set SET origin = {} WHERE set_name = {}", d.literal(origin), d.literal(set));
    Ok(engine.execute(&sql).await.map(drop)?)
}

/// What a set's sources come from, if not from the application.
///
/// # Errors
/// Whatever the server says.
pub async fn origin(engine: &mut dyn Engine, set: &str) -> Result<Option<String>> {
    let name = engine.dialect().literal(set);
    Ok(engine.scalar(&format!("SELECT origin FROM dashagg_set WHERE set_name = {name}")).await?)
}

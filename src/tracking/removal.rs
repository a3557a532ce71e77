//! Taking tracking away.

use anyhow::Result;

use super::outline;
use crate::catalog::{Set, Source};
use crate::engine::Engine;
use crate::engine::track::TrackSpec;
use crate::ledger::sources;

/// The SQL that takes a source's triggers, log and claims away, whatever of them is there.
///
/// # Errors
/// Whatever the server says.
pub async fn untrack_sql(engine: &mut dyn Engine, set: &Set, source: &Source) -> Result<Vec<String>> {
    let schema = engine.server().schema.clone();
    let spec = outline(set, source, &schema);
    let mut ids = vec![spec.id.clone()];
    // What an older manifest had set up.
    if let Some(known) = sources::read(engine, &set.name, &source.name).await?
        && let Some(id) = known.trigger_id()
        && id != spec.id
    {
        ids.push(id.to_owned());
    }
    let mut sql = Vec::new();
    for id in ids {
        sql.extend(remove_sql(engine, &TrackSpec { id, ..spec.clone() }).await?);
    }
    Ok(sql)
}

/// What removes the tables of one id, and before them the triggers that are there by it, also where nothing else tells
/// of those any more: a trigger whose log is gone fails its application's writes.
pub(super) async fn remove_sql(engine: &mut dyn Engine, spec: &TrackSpec) -> Result<Vec<String>> {
    let mut sql = listed_triggers_sql(engine, spec).await?.unwrap_or_default();
    sql.extend(engine.dialect().untrack_sql(spec));
    Ok(sql)
}

/// What removes the triggers of one id, where the engine lists them.
pub(super) async fn listed_triggers_sql(
    engine: &mut dyn Engine,
    spec: &TrackSpec,
) -> Result<Option<Vec<String>>> {
    let d = engine.dialect();
    let Some(sql) = d.triggers_sql(&spec.id) else { return Ok(None) };
    let names = engine.query(&sql).await?.into_iter().flatten().flatten();
    Ok(Some(names.map(|name| format!("DROP TRIGGER IF EXISTS {}", d.quote(&name))).collect()))
}

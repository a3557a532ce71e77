//! Taking tracking away.

use anyhow::Result;

use super::outline;
use crate::catalog::{Set, Source};
use crate::engine::track::TrackSpec;
use crate::engine::{Dialect, Engine};
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
    let Some(names) = listed(engine, &spec.id).await? else { return Ok(None) };
    Ok(Some(names.iter().map(|name| drop_sql(d, name)).collect()))
}

/// What removes those of the triggers that would not be made now. One of a foreign key that is gone reads columns which may
/// be gone, too: then nobody can write the parent.
pub(super) async fn superfluous_triggers_sql(
    engine: &mut dyn Engine,
    spec: &TrackSpec,
) -> Result<Vec<String>> {
    let d = engine.dialect();
    let made = d.made_names(spec);
    let names = listed(engine, &spec.id).await?.unwrap_or_default();
    Ok(names.iter().filter(|name| !made.contains(name)).map(|name| drop_sql(d, name)).collect())
}

async fn listed(engine: &mut dyn Engine, id: &str) -> Result<Option<Vec<String>>> {
    let Some(sql) = engine.dialect().triggers_sql(id) else { return Ok(None) };
    Ok(Some(engine.query(&sql).await?.into_iter().flatten().flatten().collect()))
}

fn drop_sql(d: &dyn Dialect, trigger: &str) -> String {
    format!("DROP TRIGGER IF EXISTS {}", d.quote(trigger))
}

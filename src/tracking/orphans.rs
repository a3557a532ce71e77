//! Triggers whose maker is gone: with them the application cannot write.

use anyhow::Result;

use super::outline;
use super::removal::listed_triggers_sql;
use crate::catalog::{Method, Set};
use crate::engine::{Engine, ErrorClass};
use crate::ledger;

/// Takes away the triggers that run as an account which is gone, so that `ensure` makes them anew as this
/// one; their signature differs then, and the next refresh is complete. Who cannot see which accounts there are takes away
/// those of any other.
///
/// # Errors
/// Whatever the server says.
pub(super) async fn adopt(engine: &mut dyn Engine, set: &Set) -> Result<()> {
    let schema = engine.server().schema.clone();
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let spec = outline(set, source, &schema);
        let Some(makers) = lost(engine, &spec.id).await?.filter(|makers| !makers.is_empty()) else {
            continue;
        };
        tracing::info!(
            "{}: making the triggers of {makers} anew, as the user who is connected",
            source.table
        );
        let sql = listed_triggers_sql(engine, &spec).await?.unwrap_or_default();
        ledger::in_write(engine, &sql).await?;
    }
    Ok(())
}

/// Names of such accounts, if any.
async fn lost(engine: &mut dyn Engine, id: &str) -> Result<Option<String>> {
    for sql in engine.dialect().orphans_sql(id) {
        match engine.scalar(&sql).await {
            Err(error) if error.class == ErrorClass::Denied => {}
            other => return Ok(other?),
        }
    }
    Ok(None)
}

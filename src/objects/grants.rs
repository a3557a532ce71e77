//! Readers: the users and roles that the manifest lets read a summary, and nothing else.

use anyhow::{Context as _, Result};

use super::live;
use crate::catalog::Set;
use crate::engine::Engine;

/// The statements that let every reader read what it should; safe to run again.
pub(crate) fn sql(engine: &dyn Engine, set: &Set) -> Vec<String> {
    let d = engine.dialect();
    let own = &engine.server().schema;
    let mut statements: Vec<String> = Vec::new();
    for summary in &set.summaries {
        let schema = summary.schema_in(own);
        for reader in &summary.readers {
            statements.extend(d.grant_read(schema, &summary.table, reader));
            if summary.live {
                statements.extend(d.grant_read(schema, &live::name(summary), reader));
                statements.extend(live::grant_sql(d, own, summary, reader));
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    statements.retain(|statement| seen.insert(statement.clone()));
    statements
}

/// Grants; returns how many summaries have readers on an engine that knows users.
///
/// # Errors
/// A reader that does not exist, or the lack of the right to grant.
pub(crate) async fn apply(engine: &mut dyn Engine, set: &Set) -> Result<usize> {
    let statements = sql(engine, set);
    for statement in &statements {
        engine
            .execute(statement)
            .await
            .with_context(|| format!("{}/summaries.toml: readers: {statement}", set.location))?;
    }
    Ok(statements.len())
}

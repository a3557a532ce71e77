//! Rows that reach a source without firing its triggers.

use super::by_triggers;
use crate::catalog::Set;
use crate::engine::Engine;

/// Warnings about sources that are tracked by triggers, and to which replication brings rows. Whoever may not ask is told
/// nothing.
pub async fn applied(engine: &mut dyn Engine, set: &Set) -> Vec<String> {
    let sources: Vec<_> = by_triggers(set).collect();
    let names: Vec<(Option<&str>, &str)> =
        sources.iter().map(|source| (source.schema.as_deref(), source.table.as_str())).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let mut answer = Vec::new();
    for sql in engine.dialect().applied_sql(&names) {
        match engine.query(&sql).await {
            Ok(rows) => {
                answer = rows;
                break;
            }
            Err(error) => tracing::debug!("asking about replication: {error}"),
        }
    }
    let told: Vec<String> = answer.into_iter().flatten().flatten().collect();
    let all = told.iter().any(|row| !names.iter().any(|(_, table)| table == row));
    let about =
        names.iter().map(|(_, table)| *table).filter(|table| all || told.iter().any(|row| row == table));
    about
        .map(|table| {
            format!(
                "{table}: rows that replication brings to this server fire no triggers here, so that summaries miss them: \
                 track it by \"fingerprint\" or a watermark, or run dashagg on the primary"
            )
        })
        .collect()
}

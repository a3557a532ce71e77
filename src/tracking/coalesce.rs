//! Claims that no publish has consumed pile up where refreshes keep failing, or only ever cover a part: beyond a limit
//! they are told in fewer words.

use std::collections::BTreeSet;

use anyhow::Result;

use super::claimed;
use crate::engine::names::{CLAIM, GRAIN};
use crate::engine::track::TrackSpec;
use crate::engine::{Engine, Tx};

/// Makes of a source's claimed notes, where they are more than its `max_notes`, one a partition under `token`, and where
/// those are too many one of everything. Returns whether it did.
///
/// Another run that has lost the lock may consume the same notes meanwhile: then a partition is computed once more than
/// it need be.
///
/// # Errors
/// Whatever the server says; the notes are as they were then.
pub(super) async fn coalesce(engine: &mut dyn Engine, spec: &TrackSpec, token: &str) -> Result<bool> {
    let d = engine.dialect();
    let work = d.qualify(&spec.schema, &spec.work());
    let most = u64::from(spec.max_notes);
    if count(engine, &format!("SELECT 1 FROM {work}"), most * 2).await? <= most * 2 {
        return Ok(false);
    }
    let rows = engine.query(&format!("SELECT DISTINCT {CLAIM} FROM {work}")).await?;
    let claims: BTreeSet<String> = rows.into_iter().flatten().flatten().collect();
    let among = claimed(d, &claims);
    let parts = spec.columns[..spec.partition].iter().map(|column| d.quote(&column.name)).collect::<Vec<_>>();
    let list = parts.join(", ");
    let sum = format!("{token}s");
    let whole = spec.partition == 0
        || !engine
            .query(&format!("SELECT 1 FROM {work} WHERE {among} AND {GRAIN} = 'a' LIMIT 1"))
            .await?
            .is_empty()
        || count(engine, &format!("SELECT DISTINCT {list} FROM {work} WHERE {among}"), most).await? > most;
    let told = if whole {
        format!("INSERT INTO {work} ({CLAIM}, {GRAIN}) VALUES ({}, 'a')", d.literal(&sum))
    } else {
        format!(
            "INSERT INTO {work} ({CLAIM}, {GRAIN}, {list}) SELECT DISTINCT {}, 'p', {list} FROM {work} WHERE {among}",
            d.literal(&sum)
        )
    };
    engine.begin(Tx::Write).await?;
    for sql in [told, format!("DELETE FROM {work} WHERE {among}")] {
        if let Err(error) = engine.execute(&sql).await {
            let _ = engine.rollback().await;
            return Err(error.into());
        }
    }
    engine.commit().await?;
    tracing::info!(
        "more than {most} changes of {} wait: noted by {}",
        spec.source,
        if whole { "nothing finer than everything" } else { "partition" }
    );
    Ok(true)
}

/// How many rows a SELECT yields, up to one more than `most`.
async fn count(engine: &mut dyn Engine, select: &str, most: u64) -> Result<u64> {
    let sql = format!("SELECT COUNT(*) FROM ({select} LIMIT {}) n", most + 1);
    Ok(engine.count(&sql).await?)
}

//! A look at the triggers and notes of all sources at once: the path that must cost milliseconds.

use anyhow::Result;

use super::{outline, setup};
use crate::catalog::{Method, Set};
use crate::checksum;
use crate::engine::Engine;
use crate::engine::track::TrackSpec;
use crate::ledger::sources::Remembered;

/// What is seen of the tracking of one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Its signature; `None` if a trigger is missing.
    pub signature: Option<String>,
    /// There are notes.
    pub noted: bool,
}

/// Looks, in one round trip unless the best signature needs a right that this user lacks.
///
/// # Errors
/// Whatever the server says.
pub(super) async fn look(engine: &mut dyn Engine, specs: &[&TrackSpec]) -> Result<Vec<Seen>> {
    let d = engine.dialect();
    let best: Option<Vec<String>> = specs.iter().map(|spec| d.witness_sql(spec).into_iter().next()).collect();
    let Some(best) = best.filter(|best| !best.is_empty()) else { return one_by_one(engine, specs).await };
    let cells: Vec<String> = specs
        .iter()
        .zip(best)
        .flat_map(|(spec, best)| [format!("({})", d.noted_sql(spec)), format!("({best})")])
        .collect();
    let answer = match engine.query(&format!("SELECT {}", cells.join(", "))).await {
        Ok(rows) => rows.into_iter().next().unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    if answer.len() < cells.len() {
        return one_by_one(engine, specs).await;
    }
    let pairs = answer.chunks(2).map(|pair| Seen {
        noted: pair[0].as_deref() != Some("0"),
        signature: pair[1].as_deref().map(checksum::hex),
    });
    Ok(pairs.collect())
}

async fn one_by_one(engine: &mut dyn Engine, specs: &[&TrackSpec]) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for spec in specs {
        let signature = setup::witness(engine, spec).await?;
        let noted = match &signature {
            // Whether there are tables to look into is for `ensure` to find out.
            None => true,
            Some(_) => engine.scalar(&engine.dialect().noted_sql(spec)).await?.as_deref() != Some("0"),
        };
        all.push(Seen { signature, noted });
    }
    Ok(all)
}

/// Whether nothing at all waits and no gap has opened. Makes no promise when it says no: what only
/// [`ensure`](super::ensure) can judge, and every error, is a "no". `known`: what the ledger remembers.
pub async fn is_quiet(engine: &mut dyn Engine, set: &Set, known: &[Remembered]) -> bool {
    let schema = engine.server().schema.clone();
    let specs: Vec<TrackSpec> = set.sources.iter().map(|source| outline(set, source, &schema)).collect();
    if set.sources.iter().any(|source| source.track != Method::Triggers) {
        return false;
    }
    let Ok(seen) = look(engine, &specs.iter().collect::<Vec<_>>()).await else { return false };
    set.sources.iter().zip(&specs).zip(seen).all(|((source, spec), seen)| {
        let known = known.iter().find(|known| known.source == source.name);
        !seen.noted
            && seen.signature.is_some()
            && known
                .is_some_and(|known| known.trigger_id() == Some(&spec.id) && known.witness == seen.signature)
    })
}

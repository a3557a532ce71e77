//! A look at the triggers and notes of all sources at once: the path that must cost milliseconds.

use anyhow::Result;

use super::outline;
use crate::catalog::{Method, Set};
use crate::checksum;
use crate::engine::track::TrackSpec;
use crate::engine::{Dialect, Engine, ErrorClass, Row};
use crate::ledger::SetState;
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
    let answer = match query(engine.dialect(), specs) {
        Some(sql) => engine.query(&sql).await.ok().and_then(|rows| seen_in(rows, specs.len())),
        None => None,
    };
    match answer {
        Some(seen) => Ok(seen),
        None => one_by_one(engine, specs).await,
    }
}

/// Reads the witness of a source's tracking; `None` if a trigger is missing.
pub(super) async fn witness(engine: &mut dyn Engine, spec: &TrackSpec) -> Result<Option<String>> {
    let mut last = None;
    for sql in engine.dialect().witness_sql(spec) {
        match engine.scalar(&sql).await {
            Ok(value) => return Ok(value.map(|text| checksum::hex(&text))),
            // A better witness needs a right that this user lacks.
            Err(error) if error.class == ErrorClass::Denied => last = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    match last {
        Some(error) => Err(error.into()),
        None => Ok(None),
    }
}

/// The one question about them all, if there is anything to ask.
fn query(d: &dyn Dialect, specs: &[&TrackSpec]) -> Option<String> {
    let cells: Option<Vec<String>> = specs
        .iter()
        .map(|spec| {
            let best = d.witness_sql(spec).into_iter().next()?;
            Some(format!("({}), ({best})", d.noted_sql(spec)))
        })
        .collect();
    let cells = cells.filter(|cells| !cells.is_empty())?;
    Some(format!("SELECT {}", cells.join(", ")))
}

/// Reads its answer.
fn seen_in(rows: Vec<Row>, sources: usize) -> Option<Vec<Seen>> {
    let row = rows.into_iter().next().filter(|row| row.len() == 2 * sources)?;
    let pairs = row.chunks(2).map(|pair| Seen {
        noted: pair[0].as_deref() != Some("0"),
        signature: pair[1].as_deref().map(checksum::hex),
    });
    Some(pairs.collect())
}

async fn one_by_one(engine: &mut dyn Engine, specs: &[&TrackSpec]) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for spec in specs {
        let signature = witness(engine, spec).await?;
        // Whether there are tables to look into is for `ensure` to find out.
        let unseen = Seen { signature: None, noted: true };
        let Some(signature) = signature else {
            all.push(unseen);
            continue;
        };
        all.push(match engine.scalar(&engine.dialect().noted_sql(spec)).await {
            Ok(notes) => Seen { signature: Some(signature), noted: notes.as_deref() != Some("0") },
            // Triggers without their log fail every write: as good as none.
            Err(error) if error.class == ErrorClass::Missing => unseen,
            Err(error) => return Err(error.into()),
        });
    }
    Ok(all)
}

/// Whether nothing at all waits and no gap has opened. Makes no promise when it says no: what only
/// [`ensure`](super::ensure) can judge, and every error, is a "no". `known`: what the ledger remembers.
pub async fn is_quiet(engine: &mut dyn Engine, set: &Set, known: &[Remembered]) -> bool {
    let Some(specs) = outlines(set, &engine.server().schema) else { return false };
    let Ok(seen) = look(engine, &specs.iter().collect::<Vec<_>>()).await else { return false };
    all_quiet(set, &specs, &seen, known)
}

/// The tracking of every source; `None`: one of them is not tracked by triggers, and is never quiet.
fn outlines(set: &Set, schema: &str) -> Option<Vec<TrackSpec>> {
    let by_triggers = set.sources.iter().all(|source| source.track == Method::Triggers);
    by_triggers.then(|| set.sources.iter().map(|source| outline(set, source, schema)).collect())
}

/// The state of a set as a run reads it, and whether nothing waits for some of its summaries (`part`): in one message,
/// where the best signatures can be read. `None` if `create` has not registered the set.
///
/// # Errors
/// Those of [`SetState::read_with`].
pub async fn state_and_quiet(engine: &mut dyn Engine, part: &Set) -> Result<Option<(SetState, bool)>> {
    let d = engine.dialect();
    let specs = outlines(part, &engine.server().schema);
    let refs: Vec<&TrackSpec> = specs.iter().flatten().collect();
    let lost = SetState::lost_query(engine, &part.summaries);
    if let Some(sql) = query(d, &refs)
        && let asked = [sql].into_iter().chain(lost.clone()).collect::<Vec<_>>()
        && let Ok(Some((mut state, others))) = SetState::read_with(engine, &part.name, &asked).await
        && let mut others = others.into_iter()
        && let Some(seen) = others.next().and_then(|rows| seen_in(rows, refs.len()))
    {
        state.note_lost(&part.summaries, others.next().unwrap_or_default());
        let quiet = all_quiet(part, specs.as_deref().unwrap_or_default(), &seen, &state.sources);
        return Ok(Some((state, quiet)));
    }
    let asked: Vec<String> = lost.into_iter().collect();
    let read = SetState::read_with(engine, &part.name, &asked).await?;
    let Some((mut state, others)) = read else { return Ok(None) };
    state.note_lost(&part.summaries, others.into_iter().next().unwrap_or_default());
    let quiet = is_quiet(engine, part, &state.sources).await;
    Ok(Some((state, quiet)))
}

fn all_quiet(set: &Set, specs: &[TrackSpec], seen: &[Seen], known: &[Remembered]) -> bool {
    set.sources.iter().zip(specs).zip(seen).all(|((source, spec), seen)| {
        let known = known.iter().find(|known| known.source == source.name);
        !seen.noted
            && seen.signature.is_some()
            && known
                .is_some_and(|known| known.trigger_id() == Some(&spec.id) && known.witness == seen.signature)
    })
}

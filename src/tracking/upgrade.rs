//! From the tracking that release 0.1.0 made to today's, without losing a note and without a complete refresh.

use anyhow::Result;

use super::install::remember;
use super::removal::{listed_triggers_sql, remove_sql};
use super::seen::witness;
use super::{legacy_id, outline};
use crate::catalog::{Method, Set, Source};
use crate::engine::track::TrackSpec;
use crate::engine::{Engine, Tx};
use crate::ledger;
use crate::ledger::sources::{self, Remembered, Tracking};

/// Replaces the tracking that `old` names by that of `spec`, which notes the same columns, and returns what the ledger
/// remembers from now on.
///
/// The new triggers are there before the old ones go, so a change is noted by one of them or by both; making a trigger
/// waits for the writers that are under way, so their notes are among those copied. The ledger is told last: a run that
/// dies before begins again.
///
/// # Errors
/// Whatever the server says.
pub(super) async fn carry_over(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    spec: &TrackSpec,
    old: &Remembered,
) -> Result<Remembered> {
    tracing::info!("{}: replacing the change tracking of an older dashagg", source.table);
    let transactional = engine.dialect().transactional_ddl();
    if transactional {
        engine.begin(Tx::Write).await?;
    }
    let replaced = match replace(engine, spec, old).await {
        Ok(replaced) => replaced,
        Err(error) => {
            let _ = engine.rollback().await;
            return Err(error);
        }
    };
    if transactional {
        engine.commit().await?;
    }
    let remembered = Remembered {
        source: source.name.clone(),
        tracking: Tracking::by_triggers(&spec.id),
        // Its own words differ, once all is in place; what they stand for must not have changed before.
        witness: if replaced { witness(engine, spec).await? } else { None },
        watermark: None,
    };
    remember(engine, set, source, Some(old), &remembered.tracking).await?;
    if let Some(witness) = &remembered.witness {
        let sql = sources::witnessed(engine.dialect(), &set.name, &source.name, witness);
        ledger::in_write(engine, &[sql]).await?;
    }
    Ok(remembered)
}

/// Returns whether the old tracking had been in place all the time.
async fn replace(engine: &mut dyn Engine, spec: &TrackSpec, old: &Remembered) -> Result<bool> {
    let d = engine.dialect();
    let before = TrackSpec { id: old.tracking.id.clone(), ..spec.clone() };
    for sql in d.log_ddl(spec).iter().chain(&d.trigger_ddl(spec)) {
        engine.execute(sql).await?;
    }
    let unbroken = old.witness.is_some() && witness(engine, &before).await? == old.witness;
    // The tables go later (`leftovers_sql`).
    let triggers = listed_triggers_sql(engine, &before).await?;
    for sql in triggers.unwrap_or_else(|| d.untrigger_sql(&before)) {
        engine.execute(&sql).await?;
    }
    if unbroken {
        for sql in d.copy_notes_sql(&before, spec) {
            engine.execute(&sql).await?;
        }
    }
    Ok(unbroken)
}

/// What takes away the tables that [`carry_over`] has left: live views read them until they are made anew, which so keep
/// what was built on them, and who may read them.
///
/// # Errors
/// Whatever the server says.
pub async fn leftovers_sql(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let schema = engine.server().schema.clone();
    let d = engine.dialect();
    let mut sql = Vec::new();
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let id = legacy_id(set, source, &schema);
        let old = TrackSpec { id: id.clone(), ..outline(set, source, &schema) };
        let carried = sources::read(engine, &set.name, &source.name)
            .await?
            .is_some_and(|known| known.trigger_id() != Some(&id));
        if carried && !engine.query(&d.tables_like_sql(&old.log())).await?.is_empty() {
            sql.extend(remove_sql(engine, &old).await?);
        }
    }
    Ok(sql)
}

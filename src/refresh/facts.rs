//! What a run knows before it decides: read once, in a few round trips, and handed on.

use std::time::{Instant, SystemTime};

use anyhow::Result;

use crate::catalog::Set;
use crate::engine::{Engine, Tables};
use crate::inspect::{self, BoundSummary};
use crate::ledger::{self, SetState};
use crate::publish_group::PublishGroup;

/// What a run knows.
pub(super) struct Facts<'a> {
    /// What publishes together.
    pub group: &'a PublishGroup<'a>,
    /// Its set as if it had only these summaries, their SELECTs cut off where retention begins.
    pub set: &'a Set,
    /// The server's clock.
    pub now: SystemTime,
    /// What it was when the run began.
    pub started: SystemTime,
    /// Names of the tables of dashagg's own, where scratch tables last.
    pub own_tables: Vec<String>,
    /// The shapes of all tables of the whole set.
    pub tables: Tables,
    /// What the ledger knows of the set.
    pub state: SetState,
    /// The summaries, and what the database says of their tables.
    pub prepared: Vec<BoundSummary<'a>>,
}

impl<'a> Facts<'a> {
    /// Reads them; changes nothing.
    ///
    /// # Errors
    /// No such set in the ledger; tables that do not fit the set; whatever the server says.
    pub async fn read(
        engine: &mut dyn Engine,
        group: &'a PublishGroup<'a>,
        set: &'a Set,
        now: SystemTime,
        began: Instant,
    ) -> Result<Self> {
        let started = now - began.elapsed();
        let d = engine.dialect();
        let lost = SetState::lost_query(engine, &set.summaries);
        let lasting = (!d.lasting().is_empty()).then(|| ledger::own_tables_query(d));
        let asked: Vec<String> = lost.iter().chain(&lasting).cloned().collect();
        let read = SetState::read_with(engine, &set.name, &asked).await?;
        let (mut state, others) = read.ok_or_else(|| ledger::missing(engine))?;
        let mut others = others.into_iter();
        if lost.is_some() {
            state.note_lost(&set.summaries, others.next().unwrap_or_default());
        }
        let own_tables = others.flat_map(ledger::names_in).collect();
        let tables = inspect::tables(engine, group.set).await?;
        let prepared = inspect::prepare(engine, set, &tables).await?;
        Ok(Self { group, set, now, started, own_tables, tables, state, prepared })
    }
}

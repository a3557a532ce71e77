//! What a run knows before it decides: read once, in a few round trips, and handed on. Then the claim, which is the first
//! thing that a run changes.

use std::time::{Instant, SystemTime};

use anyhow::Result;

use super::planned::Claimed;
use crate::catalog::{Kind, Set};
use crate::engine::{Engine, Tables};
use crate::inspect::{self, BoundSummary};
use crate::ledger::{self, SetState};
use crate::objects::{grants, live};
use crate::publish_group::PublishGroup;
use crate::tracking::{self, Evidence, Found, Tracked};

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
        let lasting = match d.lasting().is_empty() {
            true => Vec::new(),
            false => vec![ledger::own_tables_query(d)],
        };
        let read = SetState::read_with(engine, &set.name, &lasting).await?;
        let (state, others) = read.ok_or_else(|| ledger::missing(engine))?;
        let own_tables = others.into_iter().flat_map(ledger::names_in).collect();
        let tables = inspect::tables(engine, group.set).await?;
        let prepared = inspect::prepare(engine, set, &tables).await?;
        Ok(Self { group, set, now, started, own_tables, tables, state, prepared })
    }

    /// Makes sure that changes are noted, claims the notes under `token`, and says what they are about. Commits.
    ///
    /// # Errors
    /// A missing right, in words; whatever the server says.
    pub async fn claim(&'a self, engine: &mut dyn Engine, token: &str) -> Result<Claimed<'a>> {
        let whole = self.group.set;
        let mut state = self.state.clone();
        state.ensure(engine, &whole.name, &whole.summaries).await?;
        let types = inspect::summary_columns(&self.tables, whole, &engine.server().schema);
        let found = Found { tables: &self.tables, sources: &self.state.sources, types: &types };
        let tracked = tracking::ensure(engine, whole, &found).await?;
        remake_live(engine, whole, &tracked).await?;
        let claimed = tracking::claim(engine, whole, &self.tables, &tracked, token).await?;
        fail::fail_point!("claimed");
        if self.group.kind == Kind::MaterializedView {
            // Read after the claim and before the snapshot: exactly the changes that the snapshot includes, or fewer.
            let fence = state.fence;
            state =
                SetState::read_for_run(engine, &whole.name).await?.ok_or_else(|| ledger::missing(engine))?;
            state.fence = fence;
            return Ok(Claimed { facts: self, state, changes: Vec::new() });
        }
        let none = crate::engine::Shape::default();
        let mut changes = Vec::new();
        for source in &self.set.sources {
            let place = whole.sources.iter().position(|other| other.name == source.name);
            let at = place.filter(|at| *at < tracked.len()).unwrap_or_default();
            let evidence = Evidence {
                shape: inspect::source_shape(&self.tables, source).unwrap_or(&none),
                tracked: &tracked[at],
                claimed: claimed.get(at),
                remembered: self.state.source(&source.name),
            };
            changes.push(tracking::changes(engine, self.set, source, &evidence).await?);
        }
        Ok(Claimed { facts: self, state, changes })
    }

    /// The same as it would be, for who only wants to know: nothing is claimed or made.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn foresee(&'a self, engine: &mut dyn Engine) -> Result<Claimed<'a>> {
        let changes = match self.group.kind {
            Kind::Table => tracking::foresee(engine, self.set, &self.tables, &self.state.sources).await?,
            Kind::MaterializedView => Vec::new(),
        };
        Ok(Claimed { facts: self, state: self.state.clone(), changes })
    }
}

/// Live views read the notes: where tracking was set up anew, those that it broke are made anew.
async fn remake_live(engine: &mut dyn Engine, set: &Set, tracked: &[Tracked]) -> Result<()> {
    if tracked.iter().all(|tracked| tracked.gap.is_none()) || live::all_work(engine, set).await {
        return Ok(());
    }
    let made = live::apply(engine, set).await?;
    tracing::warn!(
        "{}: tracking was set up anew, and with it {}; views built on them are to be made again, and so are grants \
         that `readers` does not name",
        set.name,
        made.join(", ")
    );
    // The rows are right without: a role that is gone must not keep them from being refreshed.
    if let Err(error) = grants::apply(engine, set).await {
        tracing::warn!("{error:#}");
    }
    Ok(())
}

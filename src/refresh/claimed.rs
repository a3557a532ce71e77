//! The claim: the first thing that a run changes.

use anyhow::{Context as _, Result};

use super::facts::Facts;
use crate::catalog::{Kind, Set};
use crate::engine::Engine;
use crate::inspect;
use crate::ledger::{self, SetState};
use crate::objects::{grants, live};
use crate::pause;
use crate::tracking::{self, Changes, Evidence, Found, Tracked};

/// The notes are claimed (or, to foresee, only read): what changed is known.
pub(super) struct Claimed<'f> {
    pub facts: &'f Facts<'f>,
    /// The ledger's state; its fence is the one that a publish must pass.
    pub state: SetState,
    /// Per source of the group; none where materialized views are refreshed.
    pub changes: Vec<Changes>,
}

impl<'a> Facts<'a> {
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
        let tracked = tracking::ensure(engine, whole, &found, tracking::By::Refresh).await?;
        remake_live(engine, whole, &tracked).await?;
        let claimed = tracking::claim(engine, whole, &self.tables, &tracked, token).await?;
        pause::at("claimed");
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
            let at = place.with_context(|| format!("{} is no source of {}", source.name, whole.name))?;
            let evidence = Evidence {
                shape: inspect::source_shape(&self.tables, source).unwrap_or(&none),
                tracked: &tracked[at],
                claimed: Some(&claimed[at]),
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

//! Computing what the plan asks for, aside; and judging it as a whole. Summary tables are computed into scratch tables,
//! materialized views by the database itself, in the transaction that will publish them.

use std::sync::Mutex;

use anyhow::Result;

use super::claimed::Claimed;
use super::helpers;
use super::own_rows::OwnRows;
use super::planned::Planned;
use super::run::Run;
use super::scratch;
use super::stage::Crew;
use super::staging::Staging;
use super::views::{self, Refreshed};
use crate::catalog::{Kind, Summary};
use crate::claims;
use crate::engine::Engine;
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::plan::{Ask, Mode, Plan, Tuple};

/// The fresh rows are there, for nobody to see.
pub(super) struct Staged<'f> {
    pub claimed: Claimed<'f>,
    pub plan: Computed,
    pub rows: Fresh<'f>,
}

/// What was planned, as far as a publish tells of it.
pub(super) struct Computed {
    pub mode: Mode,
    pub reason: String,
    pub partitions: u64,
    /// The partitions that the caller named, where others are left as they are.
    pub only: Option<(Vec<String>, Vec<Tuple>)>,
}

/// Where the rows are.
pub(super) enum Fresh<'f> {
    /// In deltas, one a summary.
    Tables {
        staging: Box<Staging<'f>>,
        /// Summaries whose `recompute_by` this run has put to the test.
        checked: Vec<usize>,
    },
    /// In the views themselves, in a transaction that is open.
    Views {
        /// Where the clock stood, in the server's own words.
        as_of: String,
        done: Vec<Refreshed>,
    },
}

impl<'f> Planned<'f> {
    /// Computes.
    ///
    /// # Errors
    /// A check that fails, in words; whatever the server says.
    pub async fn stage(
        self,
        engine: &mut dyn Engine,
        run: &Run<'_>,
        own: &'f mut OwnRows,
    ) -> Result<Staged<'f>> {
        let Self { mut claimed, partitions, plan, mode } = self;
        let facts = claimed.facts;
        let named =
            mode == Mode::Incremental && matches!(run.request.ask, Ask::Partitions(_) | Ask::Since(_));
        let rows = if facts.group.kind == Kind::MaterializedView {
            let (as_of, done) = views::stage(engine, run, facts).await?;
            Fresh::Views { as_of, done }
        } else {
            let known: Vec<u64> = facts
                .set
                .summaries
                .iter()
                .map(|summary| claimed.state.summary(&summary.name).and_then(|known| known.rows).unwrap_or(0))
                .collect();
            let mut empty = Vec::new();
            for (item, published) in facts.prepared.iter().zip(&partitions.published) {
                empty.push(match published {
                    Some(published) => !published,
                    None => engine.query(&format!("SELECT 1 FROM {} LIMIT 1", item.target)).await?.is_empty(),
                });
            }
            let checked = unproved(engine, &claimed, &plan).await?;
            let look_up = plan.waves().len() != 1 || plan.follows();
            scratch::ready(engine, facts, look_up, &mut claimed.state, own).await?;
            let mut staging = Staging {
                set: facts.set,
                prepared: &facts.prepared,
                run: own,
                schema: engine.server().schema.clone(),
                dialect: engine.dialect(),
                empty,
                settled: vec![false; facts.prepared.len()],
                large: run.large,
                named,
                tables: &facts.tables,
                findings: Mutex::default(),
            };
            let helpers = helpers::open(run, engine, &plan, &known, &partitions.known).await?;
            let progress = &run.context.progress;
            progress.start(&format!("refreshing {}", facts.set.name), plan.steps() as u64);
            let mut crew =
                Crew { context: run.context, lead: engine, helpers, rows: &known, known: &partitions.known };
            let staged = crew.stage(&mut staging, &plan.work).await;
            progress.finish(&format!("staged {}", facts.set.name));
            staged?;
            Fresh::Tables { staging: Box::new(staging), checked }
        };
        let only = plan.only.filter(|_| named);
        let plan = Computed { mode, reason: plan.reason, partitions: plan.partitions as u64, only };
        Ok(Staged { claimed, plan, rows })
    }
}

/// Before rows are recomputed by key for the first time with this SELECT and this `recompute_by`, the claim that this
/// makes is put to the test. Returns the summaries for which it was.
///
/// # Errors
/// The claim is false: exit code 1, naming the rows that prove it.
async fn unproved(engine: &mut dyn Engine, claimed: &Claimed<'_>, plan: &Plan) -> Result<Vec<usize>> {
    let facts = claimed.facts;
    if !plan.follows() {
        return Ok(Vec::new());
    }
    let known = |summary: &Summary| {
        claimed.state.summary(&summary.name).and_then(|known| known.recompute_checked.clone())
    };
    let which =
        facts.set.summaries.iter().enumerate().filter(|(_, summary)| summary.claim() != known(summary));
    let which: Vec<usize> = which.map(|(index, _)| index).collect();
    match claims::refute(engine, facts.set, &facts.prepared, &which).await {
        // Not the caller's mistake, as it is create's: a run that failed, and is recorded as one.
        Err(error) => Err(match error.downcast::<Failure>() {
            Ok(refuted) => Failure { code: ExitCode::Failed, ..refuted }.into(),
            Err(other) => other,
        }),
        tested => tested,
    }
}

//! More connections to compute with: where they gain something, and as many as there are to be had.

use anyhow::Result;

use super::run::Run;
use crate::engine::{DbError, Engine, ErrorClass, Tx};
use crate::plan::{Known, Plan, Scope, Work};
use crate::session::Context;

/// Rows that one connection computes before another is worth opening.
const SMALL: u64 = 10_000;

/// The connections that compute beside this one.
///
/// # Errors
/// A signal; whatever the server says on this connection.
pub(super) async fn open(
    run: &Run<'_>,
    engine: &mut dyn Engine,
    plan: &Plan,
    rows: &[u64],
    known: &[Known],
) -> Result<Vec<Box<dyn Engine>>> {
    let (context, request) = (run.context, run.request);
    let scopes: &[Scope] = match &plan.work {
        Work::Cascade { scopes, .. } => scopes,
        Work::Waves(_) | Work::Views(_) => &[],
    };
    let keys: usize = scopes.iter().map(|scope| scope.keys.len() / 250 + scope.partitions.len()).sum();
    // A connection costs as much as computing some thousand rows.
    let tuples = known.iter().map(|known| known.tuples.len()).max().unwrap_or(1).max(1) as u64;
    let each = rows.iter().max().copied().unwrap_or(0) / tuples;
    let few_keys = scopes.iter().map(|scope| scope.keys.len()).sum::<usize>() < 500;
    if request.jobs.is_none() && few_keys && each * plan.partitions as u64 <= SMALL && !rows.contains(&0) {
        return Ok(Vec::new());
    }
    let widest = plan.waves().iter().map(|wave| wave.chunks.len()).max().unwrap_or(1);
    let widest = if plan.follows() { keys } else { widest };
    let wanted = request.jobs.map_or(engine.server().useful_jobs, usize::from).clamp(1, widest.max(1));
    if wanted < 2 {
        return Ok(Vec::new());
    }
    // All of them in a transaction at once, as they will be: a small pool would hand out one session after the other now,
    // and have none left when all want one.
    engine.begin(Tx::Read).await?;
    let found = more(context, engine, wanted).await;
    engine.rollback().await?;
    let mut helpers = found?;
    for helper in &mut helpers {
        helper.rollback().await?;
    }
    Ok(helpers)
}

/// As many more connections as there are to be had, up to `wanted` with the one there is; each in a transaction.
///
/// # Errors
/// Not that there are fewer: a limit of connections makes a refresh slower, and is no reason to fail.
async fn more(context: &Context, engine: &dyn Engine, wanted: usize) -> Result<Vec<Box<dyn Engine>>> {
    let mut helpers: Vec<Box<dyn Engine>> = Vec::new();
    while helpers.len() + 1 < wanted {
        let opening = async {
            let Some(mut helper) = engine.another().await? else { return Ok(None) };
            helper.begin(Tx::Read).await?;
            Ok::<_, DbError>(Some(helper))
        };
        let limit = context.config.database.connect_timeout;
        let opened = context.interrupt.or(tokio::time::timeout(limit, opening)).await?;
        let opened = opened
            .unwrap_or_else(|_| Err(DbError::new(ErrorClass::Connect, "no session within connect_timeout")));
        match opened {
            Ok(Some(helper)) => {
                context.interrupt.watch(helper.as_ref());
                helpers.push(helper);
            }
            Ok(None) => break,
            Err(error) if matches!(error.class, ErrorClass::Connect | ErrorClass::Transient) => {
                let have = helpers.len() + 1;
                tracing::warn!(
                    "no more connections to be had ({error}): computing with {have} instead of {wanted}"
                );
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(helpers)
}

//! Summaries in tier order: what one reads comes before it.

use super::draft::Draft;
use super::{Against, Source, Summary};

/// Lowest tier first; inside a tier by name.
pub(super) fn in_tier_order(mut pending: Vec<Draft>, sources: &[Source]) -> Result<Vec<Summary>, String> {
    let mut done: Vec<Summary> = Vec::new();
    let mut tier = 1;
    while !pending.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|draft| draft.reads.summaries.iter().all(|r| done.iter().any(|s| s.name == *r)));
        if ready.is_empty() {
            let names: Vec<String> = rest.iter().map(|draft| draft.name.clone()).collect();
            return Err(format!("summaries {} read each other in a circle", names.join(", ")));
        }
        for draft in ready {
            let lower: Vec<usize> = draft
                .reads
                .summaries
                .iter()
                .filter_map(|name| done.iter().position(|s| s.name == *name))
                .collect();
            refuse_longer_memory(&draft, &lower, &done)?;
            let against = against(&draft, &lower, &done, sources);
            done.push(draft.placed(tier, lower, against));
        }
        pending = rest;
        tier += 1;
    }
    Ok(done)
}

/// A summary cannot keep what the tiers below it drop.
fn refuse_longer_memory(draft: &Draft, lower: &[usize], done: &[Summary]) -> Result<(), String> {
    for lower in lower.iter().map(|lower| &done[*lower]) {
        if let Some(below) = lower.keep
            && !draft.keep.is_some_and(|own| below.covers(own))
        {
            return Err(format!(
                "summaries.{}.keep: it reads {}, which keeps less; what that has dropped would be lost here",
                draft.name, lower.name
            ));
        }
    }
    Ok(())
}

/// What its sums are measured against: the first tier below that reconciles any, else the first source with totals.
fn against(draft: &Draft, lower: &[usize], done: &[Summary], sources: &[Source]) -> Against {
    if draft.entry.reconcile.is_empty() {
        return Against::Nothing;
    }
    if let Some(lower) = lower.iter().find(|lower| !done[**lower].reconcile.is_empty()) {
        return Against::Summary(*lower);
    }
    let with_totals = draft.reads.sources.iter().find(|index| !sources[**index].totals.is_empty());
    with_totals.map_or(Against::Nothing, |index| Against::Source(*index))
}

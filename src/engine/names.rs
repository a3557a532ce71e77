//! Names that dashagg gives to what it makes beside the ledger's tables, and to the columns of its notes.

/// The column that says what a note is about: `k` a key, `p` a partition, `a` everything.
pub const GRAIN: &str = "dashagg_grain";

/// The column that says which run has claimed a note.
pub const CLAIM: &str = "dashagg_claim";

/// What the names of lasting scratch tables begin with.
pub const SCRATCH: &str = "dashagg_scratch_";

/// What those of version 0.1.0 began with, which made them for each run.
pub const SCRATCH_PER_RUN: [&str; 2] = ["dashagg_delta_", "dashagg_stage_"];

/// The savepoint to which the refresh of a view goes back that has changed nothing.
pub const VIEW_SAVEPOINT: &str = "dashagg_view";

/// A delta that a connection keeps to itself.
pub fn delta(token: &str, index: usize) -> String {
    format!("dashagg_delta_{token}_{index}")
}

/// The index of such a delta.
pub fn delta_key(token: &str, index: usize) -> String {
    format!("{}_key", delta(token, index))
}

/// A stage that a connection keeps to itself.
pub fn stage(token: &str, worker: usize, index: usize) -> String {
    format!("dashagg_stage_{token}_{worker}_{index}")
}

/// The rows of a materialized view before it was refreshed.
pub fn before(tier: u32) -> String {
    format!("dashagg_before_{tier}")
}

/// The function that lists the partitions which wait for a live view; `hash` stands for the summary.
pub fn pending(hash: &str) -> String {
    format!("dashagg_waiting_{hash}")
}

/// The channel on which triggers wake a listener; `hash` stands for the set.
pub fn channel(hash: &str) -> String {
    format!("dashagg_{hash}")
}

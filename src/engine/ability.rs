//! What a server can do, and what it is: asked here, and nowhere else.

use super::Spelling;

/// Questions that a server answers about itself.
pub trait AbilitySql: Spelling {
    /// Queries, best first, for a row for each of these tables to which replication brings rows that fire no triggers here,
    /// by the name in the list; any other row is about all of them. A later query is for users who may not ask the one
    /// before. None: no such thing on this engine.
    fn applied_sql(&self, tables: &[(Option<&str>, &str)]) -> Vec<String> {
        let _ = tables;
        Vec::new()
    }
}

//! What differs between databases as text: pure functions from names and values to SQL, testable
//! without a server. One trait a subject, and [`Dialect`] for all of them.

pub use super::ability::AbilitySql;
pub use super::catalog::CatalogSql;
pub use super::notes::NoteSql;
pub use super::objects::ObjectSql;
pub(crate) use super::scratch::on_key;
pub use super::scratch::{SOME, Scratch, ScratchSql};
pub use super::spelling::Spelling;
pub use super::triggers::TriggerSql;

/// The text side of an engine: what it is, and how it says what every subject needs.
pub trait Dialect:
    Spelling + CatalogSql + ScratchSql + ObjectSql + TriggerSql + NoteSql + AbilitySql
{
    /// Name of the engine's folder under a set: `mysql`, `postgres`, `sqlite`.
    fn name(&self) -> &'static str;

    /// Whether a script of DDL is undone as a whole when it fails.
    fn transactional_ddl(&self) -> bool;

    /// Whether a database has schemas inside.
    fn has_schemas(&self) -> bool {
        false
    }

    /// Whether policies may hide rows of a table from some users.
    fn has_policies(&self) -> bool {
        false
    }

    /// Whether there are materialized views.
    fn has_materialized_views(&self) -> bool {
        false
    }
}

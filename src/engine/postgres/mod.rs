//! PostgreSQL 14 to 18, also behind a transaction pooler.
//!
//! A pooler may hand every transaction to another server session, so nothing here outlives a
//! transaction: settings are `SET LOCAL`, locks are transaction-scoped (held by an idle guard
//! transaction on a connection of its own), scratch tables are real tables or `ON COMMIT DROP`.

mod ability;
mod catalog;
mod connect;
mod connection;
mod errors;
mod notes;
mod objects;
mod scratch;
mod session;
mod spelling;
mod triggers;

pub use connection::Postgres;

use super::Dialect;

/// The text side.
pub static POSTGRES: PostgresDialect = PostgresDialect;

/// SQL text of PostgreSQL.
pub struct PostgresDialect;

impl Dialect for PostgresDialect {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    fn has_schemas(&self) -> bool {
        true
    }

    fn has_policies(&self) -> bool {
        true
    }

    fn has_materialized_views(&self) -> bool {
        true
    }
}

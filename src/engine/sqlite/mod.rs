//! SQLite: one file, one writer, readers on the write-ahead log.
//!
//! Staging happens in a deferred read transaction into TEMP tables, so the source's writers go on; only
//! the publish takes the write lock, and it holds it just for the rows that differ.

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

pub use connection::Sqlite;

use super::Dialect;

/// The text side.
pub static SQLITE: SqliteDialect = SqliteDialect;

/// SQL text of SQLite.
pub struct SqliteDialect;

impl Dialect for SqliteDialect {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn transactional_ddl(&self) -> bool {
        true
    }
}

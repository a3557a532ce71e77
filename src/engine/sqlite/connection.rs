//! A connection to a SQLite file: statements and transactions.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use sqlx::Sqlite as SqliteDb;
use sqlx::sqlite::SqliteConnection;

use super::SQLITE;
use super::errors::translate;
use crate::engine::io::{probe_io, text_io};
use crate::engine::watchdog::Rows;
use crate::engine::{Canceller, DbError, Dialect, Engine, Row, Server, Tx};

/// A connection to a SQLite file.
pub struct Sqlite {
    pub(super) connection: SqliteConnection,
    pub(super) server: Server,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) lock: Option<File>,
    pub(super) in_transaction: bool,
}

/// What opens a transaction for the purpose.
fn begin_sql(tx: &Tx) -> &'static str {
    match tx {
        Tx::Read | Tx::Stage(_) => "BEGIN DEFERRED",
        // A deferred transaction that turns to writing fails at once with SQLITE_BUSY_SNAPSHOT
        // if anyone committed meanwhile, and no busy time-out helps.
        Tx::Write => "BEGIN IMMEDIATE",
    }
}

text_io!(SqliteDb, SqliteConnection);
probe_io!(SqliteDb, SqliteConnection);

#[async_trait]
impl Engine for Sqlite {
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        execute_on(&mut self.connection, sql, &Rows::default()).await
    }

    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError> {
        for_each_on(&mut self.connection, sql, &Rows::default(), each).await
    }

    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        column_names_on(&mut self.connection, sql).await
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &SQLITE
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn begin(&mut self, tx: Tx) -> Result<(), DbError> {
        self.execute(begin_sql(&tx)).await?;
        self.in_transaction = true;
        if tx != Tx::Write {
            // A deferred transaction has no snapshot until it first reads.
            self.query("SELECT COUNT(*) FROM sqlite_master").await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.in_transaction {
            self.execute("COMMIT").await?;
            self.in_transaction = false;
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        if std::mem::take(&mut self.in_transaction) {
            self.execute("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError> {
        Ok(None)
    }

    async fn try_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        self.take_lock(name)
    }

    async fn unlock(&mut self) -> Result<(), DbError> {
        self.free_lock();
        Ok(())
    }

    async fn is_locked(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self.has_lock_owner(name))
    }

    async fn end_session(&mut self, _name: &str, _session: &str) -> Result<(), DbError> {
        // The kernel frees a dead process's file lock.
        Ok(())
    }

    async fn another(&self) -> Result<Option<Box<dyn Engine>>, DbError> {
        Ok(None)
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.stopper()
    }

    async fn prepare_database(&mut self) -> Result<Option<String>, DbError> {
        let mode = self.scalar("PRAGMA journal_mode").await?.unwrap_or_default();
        if mode == "wal" || mode == "memory" {
            return Ok(None);
        }
        self.query("PRAGMA journal_mode = WAL").await?;
        Ok(Some(format!(
            "journal mode changed from {mode} to wal, so that readers and a refresh do not block each other"
        )))
    }
}

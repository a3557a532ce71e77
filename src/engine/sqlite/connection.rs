//! A connection to a SQLite file: statements and transactions.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, Sqlite as SqliteDb, TypeInfo as _, ValueRef as _};

use super::SQLITE;
use super::errors::translate;
use crate::engine::io::{bytes_as_text, probe_io, text_io};
use crate::engine::spelling::hex;
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

/// A cell as text. A number with a fraction to its last digit, which SQLite itself leaves out.
fn cell(row: &SqliteRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    let kind = value.type_info();
    Ok(match kind.name() {
        "REAL" => row.try_get_unchecked::<Option<f64>, _>(at)?.map(|number| format!("{number:?}")),
        "BLOB" => row.try_get_unchecked::<Option<&[u8]>, _>(at)?.map(|bytes| format!("0x{}", hex(bytes))),
        _ => match row.try_get_unchecked::<Option<String>, _>(at) {
            // A text whose bytes are none.
            Err(sqlx::Error::ColumnDecode { .. }) => {
                row.try_get_unchecked::<Option<Vec<u8>>, _>(at)?.map(|bytes| bytes_as_text(&bytes))
            }
            text => text?,
        },
    })
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

//! The seam to the databases: everything that differs between them is behind [`Engine`] (input and
//! output) and [`Dialect`] (pure text, one trait a subject). Each database has a folder with a file for every subject,
//! named as the trait's file here. No other folder names a database or knows what one spells in its own way; SQL that
//! reads the same everywhere is also written where it is needed, with names and values quoted by a [`Dialect`].
//!
//! All SQL travels as text through the simple (MySQL: text) protocol. Two reasons: behind a transaction
//! pooler a prepared statement can be answered by another client's session, and MySQL refuses to
//! prepare several of the statements that a refresh needs. The price is that values are written into
//! the SQL as literals, which only [`Spelling::literal`] does.

mod ability;
mod catalog;
pub mod dialect;
pub mod error;
mod guard;
mod io;
pub mod mysql;
pub mod names;
mod notes;
mod objects;
pub mod postgres;
mod scratch;
pub mod shape;
mod spelling;
pub mod sqlite;
pub mod statements;
mod tls;
pub mod track;
mod triggers;
mod watchdog;

use std::sync::Arc;

use async_trait::async_trait;

pub use dialect::{
    AbilitySql, CatalogSql, Dialect, NoteSql, ObjectSql, Scratch, ScratchSql, Spelling, TriggerSql,
};
pub use error::{DbError, ErrorClass};
pub use shape::{Column, Index, Shape, Tables};

pub use crate::sql_text::LexRules;

/// Folders of scripts, one an engine.
pub const NAMES: [&str; 3] = ["mysql", "postgres", "sqlite"];

/// One result row; every value as the text that the server sends, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// What a transaction is for; each engine chooses isolation and locking to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tx {
    /// One read-only snapshot over many statements (`verify`, `status`).
    Read,
    /// Computing rows aside: reads the sources, writes only scratch tables, blocks nobody.
    /// Carries a token from [`Engine::export_snapshot`] when it joins another connection's snapshot.
    Stage(Option<String>),
    /// A short write: ledger rows, claims, and the publish.
    Write,
}

/// What we know of the server once connected.
#[derive(Debug, Clone)]
pub struct Server {
    /// Product and version as people say it: `MariaDB 10.11.6`.
    pub product: String,
    /// Database (SQLite: file) that we are connected to.
    pub database: String,
    /// Schema in which unqualified names are created; the database itself where there are no schemas.
    pub schema: String,
    /// Logical processors that parallel staging may count on, where the engine gains from it; 1 where not.
    pub useful_jobs: usize,
}

impl Server {
    /// Before the server has said who it is.
    fn unknown() -> Self {
        Self { product: String::new(), database: String::new(), schema: String::new(), useful_jobs: 1 }
    }
}

/// As many connections as a server is likely to gain from, judged by the processors of this machine.
fn useful_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// Asks the server to stop what a connection is doing, from outside that connection.
#[async_trait]
pub trait Canceller: Send + Sync {
    /// Best effort: an error means that the statement runs on until its own end.
    async fn cancel(&self) -> Result<(), DbError>;
}

/// Hears what the triggers of a set say at each commit.
#[async_trait]
pub trait Listener: Send {
    /// Returns once something was said.
    async fn wait(&mut self) -> Result<(), DbError>;
}

/// The number in a row's cell. What cannot be read must never pass for another number.
///
/// # Errors
/// There is none, or something else.
pub fn count_at(row: &[Option<String>], at: usize) -> Result<u64, DbError> {
    let wrong = |what: String| DbError::new(ErrorClass::Other, what);
    let text =
        row.get(at).and_then(Option::as_deref).ok_or_else(|| wrong("a count is missing".to_owned()))?;
    text.parse().map_err(|_| wrong(format!("a count reads {text}")))
}

/// One connection to one database, its session normalised (UTC, strict mode, time-outs).
///
/// Locks and session settings belong to the connection, which is why this is never a pool.
#[async_trait]
pub trait Engine: Send {
    /// The text side of this engine.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Facts about the server, read once on connect.
    fn server(&self) -> &Server;

    /// Runs one statement and returns the number of rows that it matched or wrote.
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError>;

    /// Runs one query and hands each row to `each` as it arrives, so memory does not grow with the result.
    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError>;

    /// Names of the columns that a query yields; the query must yield at least one row.
    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError>;

    /// Opens a transaction fit for the purpose. May be a no-op where statements do better on their own.
    async fn begin(&mut self, tx: Tx) -> Result<(), DbError>;

    /// Makes the open transaction's work visible; no-op if none is open.
    async fn commit(&mut self) -> Result<(), DbError>;

    /// Gives up the open transaction's work; no-op if none is open.
    async fn rollback(&mut self) -> Result<(), DbError>;

    /// Inside [`Tx::Stage`]: a token with which other connections see the same committed state, or
    /// `None` where the engine has no such thing.
    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError>;

    /// Takes the named lock without waiting and returns the server session that has it now, in the engine's own words
    /// (empty where there are no sessions). `None`: somebody else holds it.
    async fn try_lock(&mut self, name: &str) -> Result<Option<String>, DbError>;

    /// Gives the lock back; no-op if not held. An error means that the server may only notice within a minute.
    async fn unlock(&mut self) -> Result<(), DbError>;

    /// Whether anybody holds the named lock; needs no more than SELECT and takes nothing.
    async fn is_locked(&mut self, name: &str) -> Result<bool, DbError>;

    /// Ends that server session (as [`Engine::try_lock`] named it), if it still holds the named lock, and no other. Only
    /// for a holder known dead: a killed client's statement can run on in the server and keep the lock.
    async fn end_session(&mut self, name: &str, session: &str) -> Result<(), DbError>;

    /// Another connection with the same settings, or `None` where one connection is all that helps.
    async fn another(&self) -> Result<Option<Box<dyn Engine>>, DbError>;

    /// A handle that can stop this connection's running statement.
    fn canceller(&self) -> Arc<dyn Canceller>;

    /// Listens on channels, on a connection of its own; `None` where the engine has no such thing.
    async fn listener(&mut self, channels: &[String]) -> Result<Option<Box<dyn Listener>>, DbError> {
        let _ = channels;
        Ok(None)
    }

    /// What must be true of server and rights before a refresh, beyond being connected; the error says
    /// in words what to change.
    async fn preflight(&mut self) -> Result<(), DbError> {
        Ok(())
    }

    /// Settings of the database that `create` makes once (SQLite: write-ahead log); says what it did.
    async fn prepare_database(&mut self) -> Result<Option<String>, DbError> {
        Ok(None)
    }

    /// All rows of one query. For results that are known to be small.
    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, DbError> {
        let mut rows = Vec::new();
        self.for_each(sql, &mut |row| rows.push(row)).await?;
        Ok(rows)
    }

    /// The rows of each of several queries, in their order; in one round trip where that saves any.
    async fn query_each(&mut self, statements: &[String]) -> Result<Vec<Vec<Row>>, DbError> {
        let mut answers = Vec::with_capacity(statements.len());
        for sql in statements {
            answers.push(self.query(sql).await?);
        }
        Ok(answers)
    }

    /// Runs several statements, in their order, and returns what [`Engine::execute`] would of each; in one round trip where
    /// that saves any. After an error, those before it may have run: only inside a transaction is that of no consequence.
    async fn execute_each(&mut self, statements: &[String]) -> Result<Vec<u64>, DbError> {
        let mut affected = Vec::with_capacity(statements.len());
        for sql in statements {
            affected.push(self.execute(sql).await?);
        }
        Ok(affected)
    }

    /// The one number that a query yields.
    ///
    /// # Errors
    /// It yields none, or something else; whatever the server says.
    async fn count(&mut self, sql: &str) -> Result<u64, DbError> {
        count_at(&self.query(sql).await?.into_iter().next().unwrap_or_default(), 0)
    }

    /// First value of the first row, if there is one and it is not NULL.
    async fn scalar(&mut self, sql: &str) -> Result<Option<String>, DbError> {
        Ok(self.query(sql).await?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }
}

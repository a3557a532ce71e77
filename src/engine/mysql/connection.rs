//! A connection to MySQL or MariaDB: statements and transactions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{Column as _, Executor, MySql, Row as _, SqlSafeStr, Statement, TypeInfo as _};

use super::MysqlDialect;
use super::errors::translate;
use crate::config::DatabaseTarget;
use crate::engine::guard::Lock;
use crate::engine::io::{audited, bytes_as_text, network_io, text_io};
use crate::engine::spelling::hex;
use crate::engine::watchdog::{Limits, Rows, Watch};
use crate::engine::{Canceller, DbError, Dialect, Engine, ErrorClass, Row, Server, Tx};

/// Seconds that a connection may be silent inside a transaction that writes.
const WRITING_WAIT: u32 = 60;

/// A connection to MySQL or MariaDB.
pub struct Mysql {
    pub(super) connection: MySqlConnection,
    pub(super) options: MySqlConnectOptions,
    pub(super) target: DatabaseTarget,
    pub(super) server: Server,
    pub(super) dialect: &'static MysqlDialect,
    pub(super) watch: Watch,
    pub(super) lock: Lock,
    pub(super) in_transaction: bool,
    pub(super) writes: bool,
}

/// What opens a transaction for the purpose, if anything.
fn begin_sql(tx: &Tx) -> Option<&'static str> {
    match tx {
        Tx::Read => Some(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
             START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ),
        // Statement by statement: no long transaction, bounded undo, small binlog events.
        Tx::Stage(_) => None,
        Tx::Write => Some("START TRANSACTION"),
    }
}

impl Mysql {
    /// Limits that the server does not keep: MySQL stops nothing but SELECT.
    fn limits(&self) -> Limits {
        let statement = if self.dialect.mariadb { Duration::ZERO } else { self.target.statement_timeout };
        Limits { statement, lock: Duration::ZERO }
    }

    /// What ends a transaction, and takes back what [`Engine::begin`] has set for it.
    fn ending(&mut self, end: &str) -> String {
        let setting =
            if std::mem::take(&mut self.writes) { "; SET SESSION wait_timeout = DEFAULT" } else { "" };
        format!("{end}{setting}")
    }
}

/// A cell as text. The server sends text, but bytes as they are; those of a BIT are a number.
fn cell(row: &MySqlRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    let Some(bytes) = row.try_get_unchecked::<Option<&[u8]>, _>(at)? else { return Ok(None) };
    let kind = row.column(at).type_info();
    if kind.name() == "BIT" {
        let number = bytes.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        return Ok(Some(number.to_string()));
    }
    // Bytes that look like our way to write them are written that way, too.
    let mistakable = bytes.starts_with(b"0x") && !<str as sqlx::Type<MySql>>::compatible(kind);
    Ok(Some(if mistakable { format!("0x{}", hex(bytes)) } else { bytes_as_text(bytes) }))
}

text_io!(MySql, MySqlConnection);
network_io!(MySql, MySqlConnection);

#[async_trait]
impl Engine for Mysql {
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        let (limits, rows) = (self.limits(), Rows::default());
        let work = execute_on(&mut self.connection, sql, &rows);
        self.watch.over(limits, &rows, work).await
    }

    async fn query_each(&mut self, statements: &[String]) -> Result<Vec<Vec<Row>>, DbError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let (limits, rows) = (self.limits(), Rows::default());
        let work = query_each_on(&mut self.connection, statements, &rows);
        self.watch.over(limits, &rows, work).await
    }

    async fn execute_each(&mut self, statements: &[String]) -> Result<Vec<u64>, DbError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let (mut limits, rows) = (self.limits(), Rows::default());
        // Each of them may take as long as one.
        limits.statement *= u32::try_from(statements.len()).unwrap_or(u32::MAX);
        let work = execute_each_on(&mut self.connection, statements, &rows);
        self.watch.over(limits, &rows, work).await
    }

    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError> {
        let (limits, rows) = (self.limits(), Rows::default());
        let work = for_each_on(&mut self.connection, sql, &rows, each);
        self.watch.over(limits, &rows, work).await
    }

    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        tracing::trace!(target: "dashagg::sql", "{sql}");
        let limits = self.limits();
        let work = async {
            // Preparing names the columns; running the query would compute the whole of a grouped SELECT, since
            // MariaDB materialises a derived table even to join none of its rows.
            let statement =
                (&mut self.connection).prepare(audited(sql).into_sql_str()).await.map_err(translate)?;
            Ok(statement.columns().iter().map(|column| column.name().to_owned()).collect())
        };
        self.watch.over(limits, &Rows::default(), work).await
    }

    fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn begin(&mut self, tx: Tx) -> Result<(), DbError> {
        if let Some(sql) = begin_sql(&tx) {
            self.writes = tx == Tx::Write;
            if self.writes {
                self.lock.check()?;
                // The row locks of a machine that has lost its power are free within a minute.
                self.execute(&format!("SET SESSION wait_timeout = {WRITING_WAIT}; {sql}")).await?;
            } else {
                self.execute(sql).await?;
            }
            self.in_transaction = true;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.in_transaction && self.writes {
            self.lock.check()?;
        }
        if std::mem::take(&mut self.in_transaction) {
            let sql = self.ending("COMMIT");
            self.execute(&sql).await?;
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        // On a lost connection the server does it.
        if std::mem::take(&mut self.in_transaction) && !self.watch.is_broken() {
            let sql = self.ending("ROLLBACK");
            self.execute(&sql).await?;
        }
        Ok(())
    }

    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError> {
        Ok(None)
    }

    async fn try_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        self.take_lock(name).await
    }

    async fn unlock(&mut self) -> Result<(), DbError> {
        self.lock.release().await
    }

    async fn is_locked(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self.lock_owner(name).await?.is_some())
    }

    async fn end_session(&mut self, name: &str, session: &str) -> Result<(), DbError> {
        self.end_lock_owner(name, session).await
    }

    async fn another(&self) -> Result<Option<Box<dyn Engine>>, DbError> {
        Ok(Some(Box::new(Self::open(self.options.clone(), self.target.clone()).await?)))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.watch.probe()
    }

    async fn preflight(&mut self) -> Result<(), DbError> {
        let row = self.query("SELECT @@log_bin, @@binlog_format").await?.into_iter().next();
        let cell = |at: usize| row.as_ref().and_then(|row| row.get(at).cloned().flatten());
        if cell(0).as_deref() == Some("1") && cell(1).as_deref() == Some("STATEMENT") {
            return Err(DbError::new(
                ErrorClass::Other,
                "the server logs statements (binlog_format = STATEMENT), which forbids READ COMMITTED \
                 writes (error 1665): set binlog_format to ROW or MIXED",
            ));
        }
        Ok(())
    }
}

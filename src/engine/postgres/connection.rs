//! A connection to PostgreSQL: statements, transactions, and the settings that go with each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgRow};
use sqlx::{Postgres as Pg, Row as _};

use super::POSTGRES;
use super::errors::translate;
use super::spelling::{LONG, settings_sql};
use crate::config::DatabaseTarget;
use crate::engine::guard::Lock;
use crate::engine::io::{network_io, probe_io, text_io};
use crate::engine::watchdog::{Limits, Rows, Watch, within};
use crate::engine::{Canceller, DbError, Dialect, Engine, Listener, Row, Server, Spelling, Tx};

/// A connection to PostgreSQL.
pub struct Postgres {
    pub(super) connection: PgConnection,
    pub(super) options: PgConnectOptions,
    pub(super) target: DatabaseTarget,
    pub(super) server: Server,
    pub(super) version: u32,
    pub(super) watch: Watch,
    pub(super) lock: Lock,
    pub(super) in_transaction: bool,
    pub(super) writes: bool,
    /// Statements that stand alone have the session's settings, or a pooler's.
    pub(super) settled: bool,
    /// A backslash in a plain literal is an escape until a message has said otherwise: for the next one.
    pub(super) escapes: bool,
}

/// A name that no other connection has, on this machine or another.
pub(super) fn session_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("dashagg {}.{count}-{:x}", std::process::id(), now.as_nanos() & 0xffff_ffff)
}

/// What opens a transaction for the purpose.
fn begin_sql(tx: &Tx) -> String {
    match tx {
        Tx::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned(),
        Tx::Stage(None) => "BEGIN ISOLATION LEVEL REPEATABLE READ".to_owned(),
        Tx::Stage(Some(token)) => format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT {}",
            POSTGRES.literal(token)
        ),
        Tx::Write => "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(),
    }
}

impl Postgres {
    /// What every statement runs under, as statements: behind a pooler the next one may run in another session.
    pub(super) fn settings(&self) -> [String; 2] {
        settings_sql(self.limits(), self.version, &[], true)
    }

    /// The same for a transaction.
    pub(super) fn local_settings(&self) -> String {
        let [limit, rest] = settings_sql(self.limits(), self.version, &LONG, true);
        format!("; {limit}; {rest}")
    }

    fn limits(&self) -> Limits {
        Limits { statement: self.target.statement_timeout, lock: self.target.lock_timeout }
    }

    /// Before a statement that nothing can go along with: the settings for all of the session, once, if it is ours alone. A
    /// pooler's is others', too: there its own hold.
    async fn settle(&mut self, sql: &str) -> Result<(), DbError> {
        // One that finds out costs more than what is vacuumed here.
        let applies = !self.in_transaction && stands_alone(sql) && first_word(sql) != "VACUUM";
        if !applies || std::mem::replace(&mut self.settled, true) || self.is_pooled().await? {
            return Ok(());
        }
        let sql = settings_sql(Limits::default(), self.version, &LONG, false).join("; ");
        self.control(&sql).await
    }

    /// A statement as it is sent, and the limits that the server does not keep for it. Outside a transaction the settings
    /// go with it in one message, which the server runs as one transaction and a pooler keeps together.
    fn framed(&self, sql: &str) -> (String, Limits) {
        if self.in_transaction {
            return (sql.to_owned(), Limits::default());
        }
        if stands_alone(sql) {
            return (sql.to_owned(), self.limits());
        }
        (format!("{}; {sql}", self.settings().join("; ")), Limits::default())
    }

    /// Opens a transaction for statements that would be read before their settings hold; says whether it did.
    async fn open_for(&mut self, statements: &[&str]) -> Result<bool, DbError> {
        let read_too_early = |sql: &&str| sql.contains('\\') && !stands_alone(sql);
        if self.in_transaction || !self.escapes || !statements.iter().any(read_too_early) {
            return Ok(false);
        }
        let sql = format!("BEGIN ISOLATION LEVEL READ COMMITTED{}", self.local_settings());
        self.control(&sql).await?;
        self.in_transaction = true;
        Ok(true)
    }

    /// Ends it.
    async fn close<T>(&mut self, opened: bool, result: Result<T, DbError>) -> Result<T, DbError> {
        if opened && std::mem::take(&mut self.in_transaction) && !self.watch.is_broken() {
            let ended = self.control(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
            return result.and_then(|value| ended.map(|()| value));
        }
        result
    }

    /// A statement that begins or ends a transaction.
    async fn control(&mut self, sql: &str) -> Result<(), DbError> {
        let rows = Rows::default();
        let work = execute_on(&mut self.connection, sql, &rows);
        self.watch.over(Limits::default(), &rows, work).await?;
        Ok(())
    }

    /// Whether transactions of one connection run in different server sessions. A pooler gives a free session to
    /// whoever asks next: so another connection that begins a transaction gets ours, and we then get another.
    async fn is_pooled(&mut self) -> Result<bool, DbError> {
        let pid = "SELECT pg_catalog.pg_backend_pid()";
        let mut other = Self::open(self.options.clone(), self.target.clone()).await?;
        // Nothing is held at first: the one session that the lock leaves of a pool of two would be waited for for ever.
        if self.scalar(pid).await? == other.scalar(pid).await? {
            return Ok(true);
        }
        for _ in 0..3 {
            let ours = self.scalar(pid).await?;
            other.begin(Tx::Read).await?;
            let theirs = other.scalar(pid).await?;
            let again = self.scalar(pid).await?;
            other.rollback().await?;
            if ours == theirs || ours != again {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A cell as text, as the server sends all of them.
fn cell(row: &PgRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    row.try_get_unchecked(at)
}

text_io!(Pg, PgConnection);
network_io!(Pg, PgConnection);
probe_io!(Pg, PgConnection);

#[async_trait]
impl Engine for Postgres {
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        self.settle(sql).await?;
        let opened = self.open_for(&[sql]).await?;
        let (sql, limits) = self.framed(sql);
        let rows = Rows::default();
        let work = execute_on(&mut self.connection, &sql, &rows);
        let result = self.watch.over(limits, &rows, work).await;
        self.close(opened, result).await
    }

    async fn query_each(&mut self, statements: &[String]) -> Result<Vec<Vec<Row>>, DbError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let opened = self.open_for(&each_of(statements)).await?;
        let mut all = if self.in_transaction { Vec::new() } else { self.settings().to_vec() };
        let settings = all.len();
        all.extend_from_slice(statements);
        let rows = Rows::default();
        let work = query_each_on(&mut self.connection, &all, &rows);
        let result = self.watch.over(Limits::default(), &rows, work).await;
        let mut answers = self.close(opened, result).await?;
        // Each setting has an answer of its own, without rows.
        Ok(answers.split_off(settings.min(answers.len())))
    }

    async fn execute_each(&mut self, statements: &[String]) -> Result<Vec<u64>, DbError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let opened = self.open_for(&each_of(statements)).await?;
        let mut all = if self.in_transaction { Vec::new() } else { self.settings().to_vec() };
        let settings = all.len();
        all.extend_from_slice(statements);
        let rows = Rows::default();
        let work = execute_each_on(&mut self.connection, &all, &rows);
        let result = self.watch.over(Limits::default(), &rows, work).await;
        let mut affected = self.close(opened, result).await?;
        Ok(affected.split_off(settings.min(affected.len())))
    }

    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError> {
        let opened = self.open_for(&[sql]).await?;
        let (sql, limits) = self.framed(sql);
        let rows = Rows::default();
        let work = for_each_on(&mut self.connection, &sql, &rows, each);
        let result = self.watch.over(limits, &rows, work).await;
        self.close(opened, result).await
    }

    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let opened = self.open_for(&[sql]).await?;
        let (sql, limits) = self.framed(sql);
        let work = column_names_on(&mut self.connection, &sql);
        let result = self.watch.over(limits, &Rows::default(), work).await;
        self.close(opened, result).await
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &POSTGRES
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn begin(&mut self, tx: Tx) -> Result<(), DbError> {
        self.writes = tx == Tx::Write;
        if self.writes {
            self.lock.check()?;
        }
        // One message: settings cost no round trip of their own.
        self.in_transaction = true;
        let sql = format!("{}{}", begin_sql(&tx), self.local_settings());
        self.control(&sql).await
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.in_transaction && self.writes {
            self.lock.check()?;
        }
        if std::mem::take(&mut self.in_transaction) {
            self.control("COMMIT").await?;
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        // On a lost connection the server does it.
        if std::mem::take(&mut self.in_transaction) && !self.watch.is_broken() {
            self.control("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError> {
        self.scalar("SELECT pg_catalog.pg_export_snapshot()").await
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

    async fn listener(&mut self, channels: &[String]) -> Result<Option<Box<dyn Listener>>, DbError> {
        // LISTEN through a transaction pooler stays with a server session that others get next: never send it there.
        if self.is_pooled().await? {
            return Ok(None);
        }
        let limit = self.target.connect_timeout;
        let options = self.options.clone().application_name(&session_name());
        let opening = async {
            let pool = sqlx::postgres::PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(limit)
                .connect_with(options)
                .await
                .map_err(translate)?;
            let mut listener = PgListener::connect_with(&pool).await.map_err(translate)?;
            let names = channels.iter().map(String::as_str);
            listener.listen_all(names).await.map_err(translate)?;
            Ok(listener)
        };
        Ok(Some(Box::new(Ears(within(limit, opening).await?))))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.watch.probe()
    }
}

struct Ears(PgListener);

#[async_trait]
impl Listener for Ears {
    async fn wait(&mut self) -> Result<(), DbError> {
        // `None`: the connection was lost and made anew; something may have been said meanwhile.
        self.0.try_recv().await.map(|_| ()).map_err(translate)
    }
}

/// Whether the server refuses a statement inside a transaction, or the statement ends transactions itself. In doubt
/// yes: it only means that we instead of the server keep the time.
fn stands_alone(sql: &str) -> bool {
    let head = uncommented(sql);
    let mut words = head.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    let mut next = || words.next().unwrap_or_default().to_ascii_uppercase();
    let (first, second) = (next(), next());
    match first.as_str() {
        "VACUUM" | "CALL" | "DO" | "CLUSTER" | "REINDEX" | "DISCARD" | "CHECKPOINT" | "LOAD" => true,
        "CREATE" | "DROP" | "ALTER" => {
            ["DATABASE", "TABLESPACE", "SUBSCRIPTION", "SYSTEM"].contains(&second.as_str())
                || head.to_ascii_uppercase().contains("CONCURRENTLY")
        }
        _ => false,
    }
}

fn each_of(statements: &[String]) -> Vec<&str> {
    statements.iter().map(String::as_str).collect()
}

/// Its first word, in capitals.
fn first_word(sql: &str) -> String {
    let words = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    uncommented(sql).split(words).next().unwrap_or_default().to_ascii_uppercase()
}

/// The statement behind the comments that it begins with.
fn uncommented(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let tail = match rest.strip_prefix("--") {
            Some(line) => line.split_once('\n'),
            None => match rest.strip_prefix("/*") {
                Some(block) => block.split_once("*/"),
                None => return rest,
            },
        };
        let Some((_, tail)) = tail else { return "" };
        rest = tail.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_stand_alone() {
        for sql in [
            "CREATE INDEX CONCURRENTLY a ON b (c)",
            "-- why\n/* and */ drop index concurrently if exists a",
            "VACUUM t",
            "REINDEX INDEX CONCURRENTLY i",
            "ALTER SYSTEM SET x = 1",
            "CREATE DATABASE d",
            "CALL p()",
            "DO $$ BEGIN COMMIT; END $$",
        ] {
            assert!(stands_alone(sql), "{sql}");
        }
        for sql in [
            "CREATE INDEX a ON b (c)",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "SELECT 'CREATE INDEX CONCURRENTLY'",
            "CREATE TABLE t (a int)",
            "-- only a comment",
            "",
        ] {
            assert!(!stands_alone(sql), "{sql}");
        }
    }
}

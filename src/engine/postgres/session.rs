//! PostgreSQL: the lock, and what is known of a session from outside it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Postgres as Pg, Row as _};

use super::POSTGRES;
use super::connection::{Postgres, for_each_on, session_name};
use super::errors::translate;
use crate::engine::guard::Held;
use crate::engine::io::{audited, dial, hang_up};
use crate::engine::watchdog::{Probe, Rows, Seen, within};
use crate::engine::{Canceller, DbError, Engine, Spelling};

/// A server session that is older than our connection to it (by more than the clock may err) was a pooler's before.
const REUSED: Duration = Duration::from_millis(300);

impl Postgres {
    /// Advisory locks are numbers within the database; the schema keeps two installations apart.
    fn lock_key(&self, name: &str) -> i64 {
        crate::checksum::number(&format!("dashagg:{}:{name}", self.server.schema))
    }

    /// The session that has the named lock.
    pub(super) async fn lock_owner(&mut self, name: &str) -> Result<Option<String>, DbError> {
        self.scalar(&holder_sql(self.lock_key(name))).await
    }

    /// [`Engine::try_lock`], on a connection of its own.
    pub(super) async fn take_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        if self.lock_owner(name).await?.is_some() {
            return Ok(None);
        }
        let limit = self.target.connect_timeout;
        // Its own name: what cancels or ends this session by its name must not reach the lock.
        let options = self.options.clone().application_name(&format!("{} lock", session_name()));
        let mut guard = dial(&options, limit, translate).await?;
        // READ COMMITTED, so that the idle transaction holds no snapshot and vacuum goes on.
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED{}; SET LOCAL statement_timeout = 0; \
             SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock({}::pg_catalog.int8) THEN pg_catalog.pg_backend_pid()::pg_catalog.text || ' ' || \
             (SELECT extract(epoch FROM backend_start)::pg_catalog.text FROM pg_catalog.pg_stat_activity \
             WHERE pid = pg_catalog.pg_backend_pid()) END",
            self.local_settings(),
            self.lock_key(name)
        );
        let mut session = None;
        let rows = Rows::default();
        within(
            limit,
            for_each_on(&mut guard, &sql, &rows, &mut |row| session = row.into_iter().next().flatten()),
        )
        .await?;
        match session {
            Some(_) => self.lock.keep(guard, "ROLLBACK".to_owned(), limit),
            None => hang_up(guard).await,
        }
        Ok(session)
    }

    /// [`Engine::end_session`].
    pub(super) async fn end_lock_owner(&mut self, name: &str, session: &str) -> Result<(), DbError> {
        let Some((pid, began)) = session.split_once(' ') else { return Ok(()) };
        let Ok(pid) = pid.parse::<u32>() else { return Ok(()) };
        // One statement: a number that another session got meanwhile has another beginning.
        let sql = format!(
            "SELECT pg_catalog.pg_terminate_backend(holder.pid) FROM ({}) holder \
             JOIN pg_catalog.pg_stat_activity a ON a.pid = holder.pid \
             WHERE a.pid = {pid} AND extract(epoch FROM a.backend_start)::pg_catalog.text = {}",
            holder_sql(self.lock_key(name)),
            POSTGRES.literal(began)
        );
        self.query(&sql).await?;
        Ok(())
    }
}

/// An advisory lock's 64-bit key is shown in two halves.
fn holder_sql(key: i64) -> String {
    let bits = key as u64;
    format!(
        "SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND classid = {}::pg_catalog.oid AND objid = {}::pg_catalog.oid \
         AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        bits >> 32,
        bits & 0xffff_ffff
    )
}

/// One session, found by its name: behind a pooler a statement runs in whatever session was free, and a pooler gives
/// that session the name of the connection that it serves.
pub(super) struct Session {
    /// How its connection was made.
    pub(super) options: PgConnectOptions,
    /// For connecting, and for each answer.
    pub(super) limit: Duration,
    /// Number and beginning of the session that answered first: ours, unless a pooler stands between.
    pub(super) first: OnceLock<(u32, String)>,
    /// Whether a session of our name has ever been found. A pooler need not pass names on.
    pub(super) found: AtomicBool,
}

/// Query for what [`Session::first`] remembers.
pub(super) const WHO_SQL: &str = "SELECT a.pid, extract(epoch FROM a.backend_start)::pg_catalog.text \
     FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid()";

impl Session {
    /// A connection that is yet to be made.
    pub(super) fn new(options: PgConnectOptions, limit: Duration) -> Self {
        Self { options, limit, first: OnceLock::new(), found: AtomicBool::new(false) }
    }

    /// Of our own user and database, since anybody may use any name; a pooler may add to it where we come from.
    fn named(&self) -> String {
        let name = self.options.get_application_name().unwrap_or_default();
        format!(
            "pg_catalog.left(application_name, {}) = {} AND usename = SESSION_USER \
             AND datname = pg_catalog.current_database()",
            name.chars().count(),
            POSTGRES.literal(name)
        )
    }

    fn numbered(&self) -> String {
        match self.first.get() {
            Some((pid, began)) => format!(
                "pid = {pid} AND extract(epoch FROM backend_start)::pg_catalog.text = {}",
                POSTGRES.literal(began)
            ),
            None => "false".to_owned(),
        }
    }

    async fn say(&self, sql: &str) -> Result<(), DbError> {
        let mut connection = self.another("dashagg cancel").await?;
        within(self.limit, connection.say(sql)).await?;
        hang_up(connection).await;
        Ok(())
    }

    async fn another(&self, name: &str) -> Result<PgConnection, DbError> {
        dial(&self.options.clone().application_name(name), self.limit, translate).await
    }
}

#[async_trait]
impl Canceller for Session {
    async fn cancel(&self) -> Result<(), DbError> {
        self.say(&format!(
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity WHERE {}",
            self.named()
        ))
        .await
    }
}

#[async_trait]
impl Probe for Session {
    async fn look(&self) -> Result<Seen, DbError> {
        let dialled = Instant::now();
        let mut connection = match self.another("dashagg probe").await {
            Ok(connection) => connection,
            // Refused in words: too many connections, a server that is starting. It is there.
            Err(error) if !error.code.is_empty() => return Ok(Seen::Unknown),
            Err(error) => return Err(error),
        };
        let states = |which: &str| {
            format!(
                "(SELECT pg_catalog.string_agg(CASE WHEN state LIKE 'idle%' THEN 'idle' \
                 WHEN wait_event_type = 'Lock' AND wait_event = 'virtualxid' THEN 'older' \
                 WHEN wait_event_type = 'Lock' THEN 'locked' ELSE 'working' END, ' ') \
                 FROM pg_catalog.pg_stat_activity WHERE {which})"
            )
        };
        let sql = format!(
            "SELECT {}, {}, (SELECT (extract(epoch FROM pg_catalog.clock_timestamp() - backend_start) * 1000)::pg_catalog.int8::pg_catalog.text \
             FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())",
            states(&self.named()),
            states(&self.numbered())
        );
        let asking = sqlx::raw_sql(audited(&sql)).fetch_one::<_, Pg>(&mut connection);
        let row = match tokio::time::timeout(self.limit, asking).await {
            Ok(Ok(row)) => row,
            // We could log in: a pooler that has no session left for the question is no broken network.
            Err(_) => return Ok(Seen::Unknown),
            Ok(Err(sqlx::Error::Database(_))) => return Ok(Seen::Unknown),
            Ok(Err(error)) => return Err(translate(error)),
        };
        let cell = |at: usize| row.try_get_unchecked::<Option<String>, _>(at).ok().flatten();
        let age = cell(2).and_then(|text| text.parse().ok()).map_or(Duration::MAX, Duration::from_millis);
        let pooled = age > dialled.elapsed() + REUSED;
        hang_up(connection).await;
        if cell(0).is_some() {
            self.found.store(true, Ordering::Relaxed);
        }
        // A script may have changed the session's name.
        let states = cell(0).or_else(|| cell(1).filter(|_| !pooled));
        Ok(judge(states.as_deref(), pooled, self.found.load(Ordering::Relaxed)))
    }

    async fn end(&self) -> Result<(), DbError> {
        self.say(&format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE {}",
            self.named()
        ))
        .await
    }
}

/// What the states of the sessions under our name amount to.
fn judge(states: Option<&str>, pooled: bool, found: bool) -> Seen {
    let Some(states) = states else {
        return match (pooled, found) {
            (false, _) => Seen::Idle,
            (true, true) => Seen::Absent,
            // Perhaps the pooler does not pass our name on: that it cannot be seen says nothing.
            (true, false) => Seen::Unknown,
        };
    };
    let has = |word: &str| states.split(' ').any(|state| state == word);
    match () {
        () if has("working") => Seen::Working,
        () if has("locked") => Seen::Locked,
        () if has("older") => Seen::Older,
        () => Seen::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_not_there_is_gone_or_in_a_queue() {
        assert_eq!(judge(None, false, false), Seen::Idle);
        assert_eq!(judge(None, true, true), Seen::Absent);
        assert_eq!(judge(None, true, false), Seen::Unknown);
        assert_eq!(judge(Some("idle"), true, true), Seen::Idle);
        assert_eq!(judge(Some("idle working"), false, true), Seen::Working);
        assert_eq!(judge(Some("locked"), false, true), Seen::Locked);
        assert_eq!(judge(Some("older"), false, true), Seen::Older);
    }
}

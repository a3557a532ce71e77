//! PostgreSQL: how a connection is made, and what is known of its session from outside.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Postgres as Pg, Row as _};

use super::guard::Held;
use super::postgres::{POSTGRES, translate};
use super::watchdog::{Probe, Seen, within};
use super::{Canceller, DbError, Dialect, ErrorClass, audited};

/// A server session that is older than our connection to it (by more than the clock may err) was a pooler's before.
const REUSED: Duration = Duration::from_millis(300);

/// Connects and logs in.
///
/// # Errors
/// Of the class `Connect` or `Missing`, also if that took longer than `limit`.
pub(super) async fn dial(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, DbError> {
    within(limit, async {
        PgConnection::connect_with(options).await.map_err(|error| {
            let mut error = translate(error, "");
            if error.class != ErrorClass::Missing {
                error.class = ErrorClass::Connect;
            }
            error
        })
    })
    .await
}

/// A name that no other connection has, on this machine or another.
pub(super) fn session_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("dashagg {}.{count}-{:x}", std::process::id(), now.as_nanos() & 0xffff_ffff)
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
        dial(&self.options.clone().application_name(name), self.limit).await
    }
}

/// Says good-bye, without waiting long for anybody to hear it.
pub(super) async fn hang_up(connection: PgConnection) {
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
}

#[async_trait]
impl Held for PgConnection {
    async fn say(&mut self, sql: &str) -> Result<(), DbError> {
        let done = sqlx::raw_sql(audited(sql)).execute::<_, Pg>(self).await;
        done.map(|_| ()).map_err(|error| translate(error, sql))
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
            Ok(Err(error)) => return Err(translate(error, &sql)),
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

/// Whether the server refuses a statement inside a transaction, or the statement ends transactions itself. In doubt
/// yes: it only means that we instead of the server keep the time.
pub(super) fn stands_alone(sql: &str) -> bool {
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

//! MySQL and MariaDB: the lock, and what is known of a session from outside it.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{MySql, Row as _};

use super::MYSQL;
use super::connection::{Mysql, for_each_on};
use super::errors::translate;
use crate::engine::guard::Held;
use crate::engine::io::{audited, dial, hang_up};
use crate::engine::watchdog::{Probe, Rows, Seen, within};
use crate::engine::{Canceller, DbError, Engine, ErrorClass, Spelling};

/// What a connection that only watches, ends or locks needs of [`Mysql::settings`]: that its questions are answered, and that it
/// opens no transaction.
const PLAIN: &str = "SET SESSION autocommit = 1, sql_select_limit = 18446744073709551615, \
    max_join_size = 18446744073709551615, sql_big_selects = 1";

/// Seconds that the connection which holds the lock may be silent; a few pings fit in.
const GUARD_WAIT: u32 = 45;

impl Mysql {
    /// The namespace of GET_LOCK is the whole server, so the database is part of the name.
    fn lock_name(&self, name: &str) -> String {
        let full = format!("dashagg:{}:{name}", self.server.database);
        // MySQL allows 64 characters.
        if full.chars().count() <= 64 {
            full
        } else {
            format!("dashagg:{}", &crate::checksum::hex(&full)[..40])
        }
    }

    /// The session that has the named lock.
    pub(super) async fn lock_owner(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let lock = self.dialect.literal(&self.lock_name(name));
        self.scalar(&format!("SELECT CAST(IS_USED_LOCK({lock}) AS CHAR)")).await
    }

    /// [`Engine::try_lock`], on a connection of its own.
    pub(super) async fn take_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        if self.lock_owner(name).await?.is_some() {
            return Ok(None);
        }
        let limit = self.target.connect_timeout;
        let mut guard = dial(&self.options, limit, translate).await?;
        // It says something every few seconds: so the server may forget it soon.
        let name = self.dialect.literal(&self.lock_name(name));
        let sql = format!(
            "{PLAIN}, wait_timeout = {GUARD_WAIT}; \
             SELECT CAST(GET_LOCK({name}, 0) AS CHAR), CAST(CONNECTION_ID() AS CHAR)"
        );
        let mut cells = Vec::new();
        within(limit, for_each_on(&mut guard, &sql, &Rows::default(), &mut |row| cells = row)).await?;
        let mut cells = cells.into_iter();
        // NULL is an error that comes without an error: never take it for a lock.
        match (cells.next().flatten().as_deref(), cells.next().flatten()) {
            (Some("1"), session) => {
                let release = format!("SELECT RELEASE_LOCK({name})");
                self.lock.keep(guard, release, limit);
                Ok(Some(session.unwrap_or_default()))
            }
            (Some(_), _) => {
                hang_up(guard).await;
                Ok(None)
            }
            (None, _) => Err(DbError::new(ErrorClass::Other, "GET_LOCK returned NULL")),
        }
    }

    /// [`Engine::end_session`].
    pub(super) async fn end_lock_owner(&mut self, name: &str, session: &str) -> Result<(), DbError> {
        let Ok(id) = session.parse::<u64>() else { return Ok(()) };
        // The server never gives a number twice, so between the two nobody else can get it.
        if self.lock_owner(name).await?.as_deref() == Some(session) {
            self.execute(&format!("KILL {id}")).await?;
        }
        Ok(())
    }
}

/// One session. A number alone would be another's after a restart of the server; with the client's port it is ours.
pub(super) struct Session {
    /// How its connection was made.
    pub(super) options: MySqlConnectOptions,
    /// For connecting, and for each answer.
    pub(super) limit: Duration,
    /// The server's number for it.
    pub(super) id: u64,
    /// The client's address as the server sees it.
    pub(super) from: String,
}

impl Session {
    /// What the server says that the session does; `None` if there is none.
    async fn command(&self, connection: &mut MySqlConnection) -> Result<Option<String>, sqlx::Error> {
        let sql = format!(
            "{PLAIN}; SELECT COMMAND FROM information_schema.processlist WHERE ID = {} AND HOST = {}",
            self.id,
            MYSQL.literal(&self.from)
        );
        let rows = sqlx::raw_sql(audited(&sql)).fetch_all::<_, MySql>(connection).await?;
        Ok(rows.first().and_then(|row| row.try_get_unchecked::<Option<String>, _>(0).ok().flatten()))
    }

    /// Runs a statement that names the session, if it is still there.
    async fn say(&self, sql: &str) -> Result<(), DbError> {
        let mut connection: MySqlConnection = dial(&self.options, self.limit, translate).await?;
        within(self.limit, async {
            let found = self.command(&mut connection).await.map_err(translate)?;
            if found.is_some() { connection.say(sql).await } else { Ok(()) }
        })
        .await?;
        hang_up(connection).await;
        Ok(())
    }
}

#[async_trait]
impl Canceller for Session {
    async fn cancel(&self) -> Result<(), DbError> {
        self.say(&format!("KILL QUERY {}", self.id)).await
    }
}

#[async_trait]
impl Probe for Session {
    async fn look(&self) -> Result<Seen, DbError> {
        let mut connection = match dial::<MySqlConnection>(&self.options, self.limit, translate).await {
            Ok(connection) => connection,
            // Refused in words: too many connections, a server that is stopping. It is there.
            Err(error) if !error.code.is_empty() => return Ok(Seen::Unknown),
            Err(error) => return Err(error),
        };
        let command = match tokio::time::timeout(self.limit, self.command(&mut connection)).await {
            Ok(Ok(command)) => command,
            Ok(Err(sqlx::Error::Database(_))) => return Ok(Seen::Unknown),
            Ok(Err(error)) => return Err(translate(error)),
            Err(_) => return Err(DbError::new(ErrorClass::Connect, "no answer to a simple question")),
        };
        hang_up(connection).await;
        Ok(match command.as_deref() {
            None | Some("Sleep") => Seen::Idle,
            Some(_) => Seen::Working,
        })
    }

    async fn end(&self) -> Result<(), DbError> {
        self.say(&format!("KILL {}", self.id)).await
    }
}

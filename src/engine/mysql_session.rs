//! MySQL and MariaDB: how a connection is made, and what is known of its session from outside.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{Connection, MySql, Row as _};

use super::guard::Held;
use super::mysql::{MYSQL, translate};
use super::watchdog::{Probe, Seen, within};
use super::{Canceller, DbError, Dialect, ErrorClass, audited};

/// Connects and logs in.
///
/// # Errors
/// Of the class `Connect` or `Missing`, also if that took longer than `limit`.
pub(super) async fn dial(options: &MySqlConnectOptions, limit: Duration) -> Result<MySqlConnection, DbError> {
    within(limit, async {
        MySqlConnection::connect_with(options).await.map_err(|error| {
            let mut error = translate(error, "");
            if error.class != ErrorClass::Missing {
                error.class = ErrorClass::Connect;
            }
            error
        })
    })
    .await
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
            "SELECT COMMAND FROM information_schema.processlist WHERE ID = {} AND HOST = {}",
            self.id,
            MYSQL.literal(&self.from)
        );
        let row = sqlx::raw_sql(audited(&sql)).fetch_optional::<_, MySql>(connection).await?;
        Ok(row.and_then(|row| row.try_get_unchecked::<Option<String>, _>(0).ok().flatten()))
    }

    /// Runs a statement that names the session, if it is still there.
    async fn say(&self, sql: &str) -> Result<(), DbError> {
        let mut connection = dial(&self.options, self.limit).await?;
        within(self.limit, async {
            let found = self.command(&mut connection).await.map_err(|error| translate(error, ""))?;
            if found.is_some() { connection.say(sql).await } else { Ok(()) }
        })
        .await?;
        hang_up(connection).await;
        Ok(())
    }
}

/// Says good-bye, without waiting long for anybody to hear it.
pub(super) async fn hang_up(connection: MySqlConnection) {
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
}

#[async_trait]
impl Held for MySqlConnection {
    async fn say(&mut self, sql: &str) -> Result<(), DbError> {
        let done = sqlx::raw_sql(audited(sql)).execute::<_, MySql>(self).await;
        done.map(|_| ()).map_err(|error| translate(error, sql))
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
        let mut connection = match dial(&self.options, self.limit).await {
            Ok(connection) => connection,
            // Refused in words: too many connections, a server that is stopping. It is there.
            Err(error) if !error.code.is_empty() => return Ok(Seen::Unknown),
            Err(error) => return Err(error),
        };
        let command = match tokio::time::timeout(self.limit, self.command(&mut connection)).await {
            Ok(Ok(command)) => command,
            Ok(Err(sqlx::Error::Database(_))) => return Ok(Seen::Unknown),
            Ok(Err(error)) => return Err(translate(error, "")),
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

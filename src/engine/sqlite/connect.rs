//! SQLite: how a file is opened.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::connection::Sqlite;
use super::errors::translate;
use crate::config::DatabaseTarget;
use crate::engine::{DbError, Engine, ErrorClass, Server};

impl Sqlite {
    /// Opens the file; it is only made if the target says so.
    ///
    /// # Errors
    /// No such file, or not a database.
    pub async fn connect(target: &DatabaseTarget) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::from_str(target.url())
            .map_err(|error| DbError::new(ErrorClass::Connect, error.to_string()))?
            .disable_statement_logging()
            .create_if_missing(target.create_if_missing)
            .busy_timeout(target.lock_timeout)
            .statement_cache_capacity(0);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| {
            let mut error = translate(error);
            error.class = ErrorClass::Connect;
            error
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        connection
            .lock_handle()
            .await
            .map_err(translate)?
            // Often enough to stop within milliseconds, seldom enough to cost nothing.
            .set_progress_handler(10_000, move || !seen.load(Ordering::Relaxed));
        let mut this = Self {
            connection,
            server: Server {
                database: options.get_filename().display().to_string(),
                schema: "main".to_owned(),
                ..Server::unknown()
            },
            stop,
            lock: None,
            in_transaction: false,
        };
        let version = this.scalar("SELECT sqlite_version()").await?.unwrap_or_default();
        this.server.product = format!("SQLite {version}");
        // Scratch rows in memory up to the cache, in a private file beyond it.
        this.execute("PRAGMA temp_store = FILE").await?;
        this.execute("PRAGMA cache_size = -16384").await?;
        Ok(this)
    }
}

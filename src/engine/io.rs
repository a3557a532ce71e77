//! The part of running SQL that is the same for the three drivers: only their row types differ.
//!
//! The macros make functions in an engine's module, which its trait methods call. Each message to a server is traced
//! under the target `dashagg::sql`, as it is sent.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection};

use super::spelling::hex;
use super::watchdog::within;
use super::{DbError, ErrorClass, Row};

/// The single gate through which dynamic SQL reaches a driver. Callers pass text built by
/// [`statements`](super::statements), by a [`Dialect`](super::Dialect), by the verbs from what these two spell, or read
/// from the DBA's own files.
pub(super) fn audited(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}

/// Connects and logs in.
///
/// # Errors
/// Of the class `Connect` or `Missing`, also if that took longer than `limit`.
pub(super) async fn dial<C: Connection>(
    options: &C::Options,
    limit: Duration,
    translate: fn(sqlx::Error) -> DbError,
) -> Result<C, DbError> {
    within(limit, async {
        C::connect_with(options).await.map_err(|error| {
            let mut error = translate(error);
            if error.class != ErrorClass::Missing {
                error.class = ErrorClass::Connect;
            }
            error
        })
    })
    .await
}

/// Says good-bye, without waiting long for anybody to hear it.
pub(super) async fn hang_up(connection: impl Connection) {
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
}

/// A row's cells, all as text. What is no text is read as its bytes in hexadecimal digits (`0x00ff`):
/// [`Spelling::constants`](super::Spelling::constants) makes of it what it was.
pub(super) fn texts<R>(
    row: &R,
    text: fn(&R, usize) -> Result<Option<String>, sqlx::Error>,
) -> Result<Row, sqlx::Error>
where
    R: sqlx::Row,
{
    (0..row.len()).map(|at| text(row, at)).collect()
}

/// Bytes as they are read: text if they are some, else `0x` and hexadecimal digits.
pub(super) fn bytes_as_text(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).ok();
    text.map_or_else(|| format!("0x{}", hex(bytes)), str::to_owned)
}

/// Running one statement: `execute_on` and `for_each_on`.
macro_rules! text_io {
    ($database:ty, $connection:ty) => {
        async fn execute_on(
            connection: &mut $connection,
            sql: &str,
            rows: &$crate::engine::watchdog::Rows,
        ) -> Result<u64, $crate::engine::DbError> {
            tracing::trace!(target: "dashagg::sql", "{sql}");
            let mut affected = 0;
            let mut stream =
                sqlx::raw_sql($crate::engine::io::audited(sql)).fetch_many::<_, $database>(connection);
            while let Some(step) = futures::TryStreamExt::try_next(&mut stream).await.map_err(translate)? {
                rows.came();
                if let sqlx::Either::Left(done) = step {
                    affected += done.rows_affected();
                }
            }
            Ok(affected)
        }

        pub(super) async fn for_each_on(
            connection: &mut $connection,
            sql: &str,
            rows: &$crate::engine::watchdog::Rows,
            each: &mut (dyn FnMut($crate::engine::Row) + Send),
        ) -> Result<(), $crate::engine::DbError> {
            tracing::trace!(target: "dashagg::sql", "{sql}");
            let mut stream =
                sqlx::raw_sql($crate::engine::io::audited(sql)).fetch::<_, $database>(connection);
            while let Some(row) = futures::TryStreamExt::try_next(&mut stream).await.map_err(translate)? {
                rows.came();
                each($crate::engine::io::texts(&row, cell).map_err(translate)?);
            }
            Ok(())
        }
    };
}
pub(super) use text_io;

/// What engines over a network need besides: `query_each_on` and `execute_each_on`, all statements in one message, since
/// each message costs a round trip; and a connection that can hold a lock.
macro_rules! network_io {
    ($database:ty, $connection:ty) => {
        async fn query_each_on(
            connection: &mut $connection,
            statements: &[String],
            came: &$crate::engine::watchdog::Rows,
        ) -> Result<Vec<Vec<$crate::engine::Row>>, $crate::engine::DbError> {
            let sql = statements.join("; ");
            tracing::trace!(target: "dashagg::sql", "{sql}");
            let mut answers = Vec::with_capacity(statements.len());
            let mut rows = Vec::new();
            let mut stream =
                sqlx::raw_sql($crate::engine::io::audited(&sql)).fetch_many::<_, $database>(connection);
            while let Some(step) = futures::TryStreamExt::try_next(&mut stream).await.map_err(translate)? {
                came.came();
                match step {
                    sqlx::Either::Left(_) => answers.push(std::mem::take(&mut rows)),
                    sqlx::Either::Right(row) => {
                        rows.push($crate::engine::io::texts(&row, cell).map_err(translate)?);
                    }
                }
            }
            Ok(answers)
        }

        async fn execute_each_on(
            connection: &mut $connection,
            statements: &[String],
            came: &$crate::engine::watchdog::Rows,
        ) -> Result<Vec<u64>, $crate::engine::DbError> {
            let sql = statements.join("; ");
            tracing::trace!(target: "dashagg::sql", "{sql}");
            let mut affected = Vec::with_capacity(statements.len());
            let mut stream =
                sqlx::raw_sql($crate::engine::io::audited(&sql)).fetch_many::<_, $database>(connection);
            while let Some(step) = futures::TryStreamExt::try_next(&mut stream).await.map_err(translate)? {
                came.came();
                if let sqlx::Either::Left(done) = step {
                    affected.push(done.rows_affected());
                }
            }
            Ok(affected)
        }

        #[async_trait::async_trait]
        impl $crate::engine::guard::Held for $connection {
            async fn say(&mut self, sql: &str) -> Result<(), $crate::engine::DbError> {
                let done = sqlx::raw_sql($crate::engine::io::audited(sql)).execute::<_, $database>(self).await;
                done.map(|_| ()).map_err(translate)
            }
        }
    };
}
pub(super) use network_io;

/// `column_names_on` by running the query, for engines that do so at no cost when no row is asked for.
macro_rules! probe_io {
    ($database:ty, $connection:ty) => {
        async fn column_names_on(
            connection: &mut $connection,
            sql: &str,
        ) -> Result<Vec<String>, $crate::engine::DbError> {
            tracing::trace!(target: "dashagg::sql", "{sql}");
            let rows = sqlx::raw_sql($crate::engine::io::audited(sql))
                .fetch_all::<_, $database>(connection)
                .await
                .map_err(translate)?;
            Ok(rows.first().map_or_else(Vec::new, |row| {
                sqlx::Row::columns(row)
                    .iter()
                    .map(|column| sqlx::Column::name(column).to_owned())
                    .collect()
            }))
        }
    };
}
pub(super) use probe_io;

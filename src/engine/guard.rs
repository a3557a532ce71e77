//! The connection that holds a set's lock and does nothing else.
//!
//! It lives in a task of its own, which pings it: so the server hears from it as long as this process lives, however
//! long a statement takes on the other connection, and forgets it soon after the machine has lost its power.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::watchdog::within;
use super::{DbError, ErrorClass};

/// Between two pings.
const BEAT: Duration = Duration::from_secs(10);
/// Longest wait for the answer to one, and for the release.
const PATIENCE: Duration = Duration::from_secs(5);

/// A driver's connection, as far as a guard needs it.
#[async_trait]
pub(super) trait Held: Connection + Send + 'static {
    /// Runs a statement and forgets its rows.
    async fn say(&mut self, sql: &str) -> Result<(), DbError>;
}

/// The lock of a connection, while it has one.
#[derive(Default)]
pub(super) struct Lock(Option<Guard>);

impl Lock {
    /// Holds what `connection` has locked; `release` is the statement that frees it, `limit` the longest wait for an
    /// answer.
    pub(super) fn keep(&mut self, connection: impl Held, release: String, limit: Duration) {
        let (sender, asked) = oneshot::channel();
        let lost = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(hold(connection, release, limit.min(PATIENCE), asked, Arc::clone(&lost)));
        self.0 = Some(Guard { release: sender, task, lost });
    }

    /// Frees the lock, if there is one.
    ///
    /// # Errors
    /// The connection was lost, so that the server still has to find out.
    pub(super) async fn release(&mut self) -> Result<(), DbError> {
        let Some(guard) = self.0.take() else { return Ok(()) };
        let _ = guard.release.send(());
        guard.task.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Whether the lock, if it was taken, is still ours, as far as is known.
    ///
    /// # Errors
    /// A transient one if it is not: what follows must not count on it.
    pub(super) fn check(&self) -> Result<(), DbError> {
        let is_lost = self.0.as_ref().is_some_and(|guard| guard.lost.load(Ordering::SeqCst));
        if is_lost { Err(lost()) } else { Ok(()) }
    }
}

/// A lock that is held.
struct Guard {
    release: oneshot::Sender<()>,
    task: JoinHandle<Result<(), DbError>>,
    lost: Arc<AtomicBool>,
}

fn lost() -> DbError {
    DbError::new(ErrorClass::Transient, "connection lost: the session that held the lock is gone")
}

async fn hold(
    mut connection: impl Held,
    release: String,
    limit: Duration,
    mut asked: oneshot::Receiver<()>,
    is_lost: Arc<AtomicBool>,
) -> Result<(), DbError> {
    loop {
        tokio::select! {
            // Also when the engine is dropped.
            _ = &mut asked => break,
            () = tokio::time::sleep(BEAT) => {
                if !matches!(tokio::time::timeout(limit, connection.ping()).await, Ok(Ok(()))) {
                    is_lost.store(true, Ordering::SeqCst);
                    return Err(lost());
                }
            }
        }
    }
    let freed = within(limit, connection.say(&release)).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    freed
}

//! SQLite: the lock, and stopping a statement from outside.

use std::fs::{OpenOptions, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::connection::Sqlite;
use crate::engine::{Canceller, DbError, ErrorClass};

impl Sqlite {
    fn lock_path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{}-dashagg-{}.lock", self.server.database, &crate::checksum::hex(name)[..12]))
    }

    /// [`Engine::try_lock`](crate::engine::Engine::try_lock).
    pub(super) fn take_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let path = self.lock_path(name);
        let problem = |error: std::io::Error| {
            DbError::new(ErrorClass::Denied, format!("lock file {}: {error}", path.display()))
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(problem)?;
        match file.try_lock() {
            Ok(()) => {
                self.lock = Some(file);
                Ok(Some(String::new()))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(problem(error)),
        }
    }

    /// [`Engine::unlock`](crate::engine::Engine::unlock).
    pub(super) fn free_lock(&mut self) {
        // The file stays: removing it would let two runs lock two different files of one name.
        if let Some(file) = self.lock.take() {
            let _ = file.unlock();
        }
    }

    /// [`Engine::is_locked`](crate::engine::Engine::is_locked).
    pub(super) fn has_lock_owner(&self, name: &str) -> bool {
        // Not a FIFO of somebody else's, which would be waited for.
        let Ok((file, _)) = crate::read::open(&self.lock_path(name)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

/// Stops the running statement of a connection.
pub(super) struct Stop(pub(super) Arc<AtomicBool>);

#[async_trait]
impl Canceller for Stop {
    async fn cancel(&self) -> Result<(), DbError> {
        self.0.store(true, Ordering::Relaxed);
        // Long enough for the running statement to notice; then the roll-back may run.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        self.0.store(false, Ordering::Relaxed);
        Ok(())
    }
}

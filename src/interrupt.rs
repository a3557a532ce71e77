//! SIGINT and SIGTERM: remembered, and passed on to the server, so that no statement outlives the run.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::{Canceller, Engine};
use crate::error::Failure;
use crate::exit_code::ExitCode;

/// Shared by everything that can be interrupted.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    signal: AtomicU8,
    acknowledged: AtomicBool,
    cancellers: Mutex<Vec<Arc<dyn Canceller>>>,
}

impl Interrupt {
    /// Starts listening for signals.
    ///
    /// # Errors
    /// The runtime cannot install a handler.
    pub fn listen() -> std::io::Result<Self> {
        let this = Self::default();
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let shared = this.clone();
        tokio::spawn(async move {
            let number = tokio::select! {
                _ = int.recv() => 2,
                _ = term.recv() => 15,
            };
            shared.0.signal.store(number, Ordering::SeqCst);
            tracing::warn!("interrupted: cancelling on the server and rolling back");
            // Again and again: a statement may have started just after the last request.
            while !shared.0.acknowledged.load(Ordering::SeqCst) {
                let all: Vec<_> = shared.0.cancellers.lock().map(|list| list.clone()).unwrap_or_default();
                for canceller in all {
                    let _ = canceller.cancel().await;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Ok(this)
    }

    /// Lets the signal reach this connection's statements too.
    pub fn watch(&self, engine: &dyn Engine) {
        if let Ok(mut list) = self.0.cancellers.lock() {
            list.push(engine.canceller());
        }
    }

    /// Forgets the connections watched so far, which have ended.
    pub fn forget(&self) {
        if let Ok(mut list) = self.0.cancellers.lock() {
            list.clear();
        }
    }

    /// The failure to end with, if a signal has come.
    ///
    /// # Errors
    /// Exit code 130 or 143.
    pub fn check(&self) -> Result<(), Failure> {
        match self.0.signal.load(Ordering::SeqCst) {
            0 => Ok(()),
            2 => Err(Failure::new(ExitCode::Interrupted, "interrupted; nothing was published")),
            _ => Err(Failure::new(ExitCode::Terminated, "terminated; nothing was published")),
        }
    }

    /// Whether a signal has come.
    pub fn raised(&self) -> bool {
        self.0.signal.load(Ordering::SeqCst) != 0
    }

    /// No more statements to cancel: what runs from here on is the clean-up.
    pub fn acknowledge(&self) {
        self.0.acknowledged.store(true, Ordering::SeqCst);
    }
}

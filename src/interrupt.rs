//! SIGINT and SIGTERM: remembered, and passed on to the server, so that no statement outlives the run. The first one
//! ends the process in bounded time even if the server does not answer, a second one at once.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::{Canceller, Engine};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::report;

/// How long an orderly end may take after a signal; then the process leaves as it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks at whether a signal has come.
const LOOK: Duration = Duration::from_millis(50);

/// Shared by everything that can be interrupted.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    signal: AtomicU8,
    acknowledged: AtomicBool,
    regular: AtomicBool,
    json: bool,
    cancellers: Mutex<Vec<Arc<dyn Canceller>>>,
}

impl Interrupt {
    /// Starts listening for signals. `json`: what is said on the way out is JSON.
    ///
    /// # Errors
    /// The runtime cannot install a handler.
    pub fn listen(json: bool) -> std::io::Result<Self> {
        let this = Self(Arc::new(State { json, ..State::default() }));
        let int = signal(SignalKind::interrupt())?;
        let term = signal(SignalKind::terminate())?;
        tokio::spawn(this.clone().follow(int, term));
        Ok(this)
    }

    async fn follow(self, mut int: Signal, mut term: Signal) {
        let first = next(&mut int, &mut term).await;
        self.0.signal.store(first, Ordering::SeqCst);
        tokio::spawn(self.clone().cancel());
        // In a thread: a reader of stderr that hangs must not keep us here.
        std::thread::spawn(|| tracing::warn!("interrupted: cancelling on the server and rolling back"));
        tokio::select! {
            second = next(&mut int, &mut term) => self.leave(second),
            () = tokio::time::sleep(PATIENCE) => {
                let this = self.clone();
                std::thread::spawn(move || this.explain());
                tokio::time::sleep(Duration::from_millis(200)).await;
                self.leave(first);
            }
        }
    }

    /// Again and again: a statement may have started just after the last request.
    async fn cancel(self) {
        while !self.0.acknowledged.load(Ordering::SeqCst) {
            let all: Vec<_> = self.0.cancellers.lock().map(|list| list.clone()).unwrap_or_default();
            futures::future::join_all(all.iter().map(|canceller| canceller.cancel())).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Says why the process ends without having ended its work.
    fn explain(&self) {
        let mut err = std::io::stderr();
        if err.is_terminal() {
            // A half-drawn progress bar, and a cursor that it may have hidden.
            let _ = write!(err, "\r\x1b[K\x1b[?25h");
        }
        let code = self.code(self.0.signal.load(Ordering::SeqCst));
        let _ = report::write_error(
            self.0.json,
            code,
            "interrupted, and the server does not answer; what had begun there ends by itself",
            Some("run `dashagg status` to see whether it was published"),
            &mut err,
        );
    }

    /// Ends the process.
    fn leave(&self, signal: u8) {
        std::process::exit(i32::from(self.code(signal).code()));
    }

    fn code(&self, signal: u8) -> ExitCode {
        match signal {
            _ if self.0.regular.load(Ordering::SeqCst) => ExitCode::Ok,
            2 => ExitCode::Interrupted,
            _ => ExitCode::Terminated,
        }
    }

    /// From here on a signal is the regular end: exit code 0.
    pub fn regular_from_now(&self) {
        self.0.regular.store(true, Ordering::SeqCst);
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

    /// What `work` yields, unless a signal comes first: for work that may be dropped half-way.
    ///
    /// # Errors
    /// Exit code 130 or 143.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let raised = async {
            loop {
                if let Err(failure) = self.check() {
                    return failure;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            failure = raised => Err(failure),
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

async fn next(int: &mut Signal, term: &mut Signal) -> u8 {
    tokio::select! {
        _ = int.recv() => 2,
        _ = term.recv() => 15,
    }
}

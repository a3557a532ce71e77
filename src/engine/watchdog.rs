//! Nothing waits for ever: what watches a statement while its answer is awaited.
//!
//! The driver has no hook for a socket's keepalive, and a keepalive sees nothing behind a proxy that still answers it.
//! So while a statement takes long, a connection of its own asks whether the server still works on it. Only two answers
//! end the wait: that the server has finished (then the reply was lost), and that nothing reaches it any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Canceller, DbError, ErrorClass};

/// A session that no server connection carries may wait in a pooler's queue, which gives up after two minutes.
const POOLER_PATIENCE: Duration = Duration::from_secs(150);
/// How long an index that is built beside its writers may wait for the transactions that are older than it.
const OLD_TRANSACTIONS: Duration = Duration::from_secs(30 * 60);
/// Between two looks at a session that seemed idle: its answer may have been on its way.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// What a probe saw of our session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The server works on the statement.
    Working,
    /// The statement waits for a lock.
    Locked,
    /// The statement waits until transactions that began before it have ended.
    Older,
    /// The session has nothing to do, or there is none.
    Idle,
    /// There is a pooler, and no session under our name.
    Absent,
    /// The server answers, but not about our session.
    Unknown,
}

/// Looks at a session of the server from outside, each time on a new connection.
#[async_trait]
pub(super) trait Probe: Canceller {
    /// Whether the server still works for our session.
    ///
    /// # Errors
    /// Nothing answered within the time-out for connecting.
    async fn look(&self) -> Result<Seen, DbError>;

    /// Ends the session, and no other; best effort.
    async fn end(&self) -> Result<(), DbError>;
}

/// Rows that have come so far: each proves that the connection works.
#[derive(Default)]
pub(super) struct Rows(AtomicU64);

impl Rows {
    /// One more.
    pub(super) fn came(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Limits that the server itself does not keep for a statement; zero means none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// For the whole statement.
    pub(super) statement: Duration,
    /// For waiting for a lock.
    pub(super) lock: Duration,
}

/// Watches the statements of one connection.
pub(super) struct Watch {
    probe: Arc<dyn Probe>,
    place: String,
    network: Duration,
    broken: Option<DbError>,
}

/// Since when something has been so.
#[derive(Default)]
struct Since(Option<Instant>);

impl Since {
    /// How long it has been so, now that it is (or is not) again.
    fn lasts(&mut self, so: bool) -> Duration {
        if !so {
            self.0 = None;
            return Duration::ZERO;
        }
        self.0.get_or_insert_with(Instant::now).elapsed()
    }
}

impl Watch {
    /// `place` names the server for people; `network` is how long it may be silent.
    pub(super) fn new(probe: Arc<dyn Probe>, place: String, network: Duration) -> Self {
        Self { probe, place, network, broken: None }
    }

    /// The probe, for who wants to stop a statement or end the session.
    pub(super) fn probe(&self) -> Arc<dyn Probe> {
        Arc::clone(&self.probe)
    }

    /// Whether the connection was lost: then nothing more is sent on it.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Runs `work` to its end, or until the connection is known to be lost.
    ///
    /// # Errors
    /// Those of `work`; a transient one if the connection is lost, now or before.
    pub(super) async fn over<T>(
        &mut self,
        limits: Limits,
        rows: &Rows,
        work: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let stopped = Mutex::new(None);
        let lost = tokio::select! {
            // First: an answer that has come counts, whatever a probe says.
            biased;
            result = work => return result.map_err(|error| because(&stopped, error)),
            lost = self.supervise(limits, rows, &stopped) => lost,
        };
        self.broken = Some(lost.clone());
        Err(lost)
    }

    /// Ends once the connection is known to be lost.
    async fn supervise(&self, limits: Limits, rows: &Rows, stopped: &Mutex<Option<DbError>>) -> DbError {
        let begun = Instant::now();
        let mut heard = begun;
        let mut known = rows.count();
        let (mut silent, mut idle, mut looks) = (0, 0, 0u32);
        let (mut locked, mut older, mut absent) = (Since::default(), Since::default(), Since::default());
        let mut told = false;
        loop {
            tokio::time::sleep(self.pause(limits, begun, looks, silent + idle)).await;
            looks += 1;
            if known != rows.count() {
                (known, heard, silent, idle) = (rows.count(), Instant::now(), 0, 0);
                continue;
            }
            let seen = match self.probe.look().await {
                Ok(seen) => seen,
                Err(error) => {
                    silent += 1;
                    tracing::debug!("no sign of {}: {error}", self.place);
                    // Twice: this process itself may have slept.
                    if silent > 1 && heard.elapsed() >= self.network {
                        return self.unreachable();
                    }
                    continue;
                }
            };
            (heard, silent) = (Instant::now(), 0);
            idle = if seen == Seen::Idle { idle + 1 } else { 0 };
            if idle > 1 || absent.lasts(seen == Seen::Absent) > POOLER_PATIENCE {
                // What it began is of no use to anybody, and holds locks that the next attempt wants.
                let _ = self.probe.end().await;
                return DbError::new(
                    ErrorClass::Transient,
                    "connection lost: the server finished but its answer never came",
                );
            }
            let locked_for = locked.lasts(seen == Seen::Locked);
            let older_for = older.lasts(seen == Seen::Older);
            if !told && !limits.lock.is_zero() && older_for > limits.lock {
                told = true;
                tracing::warn!(
                    "waiting for transactions that began earlier to end (up to {})",
                    humantime::format_duration(OLD_TRANSACTIONS)
                );
            }
            if let Some(why) = exceeded(limits, begun.elapsed(), locked_for, older_for) {
                note(stopped, why);
                let _ = self.probe.cancel().await;
            }
        }
    }

    /// How long to wait before the next look.
    fn pause(&self, limits: Limits, begun: Instant, looks: u32, doubts: u32) -> Duration {
        let usual = self.network / 2;
        if doubts > 0 {
            return SECOND_LOOK.min(self.network / 4);
        }
        let mut pause = usual;
        // A lock is waited for at the beginning.
        if !limits.lock.is_zero() && looks < 8 {
            pause = pause.min(limits.lock / 2).max(Duration::from_millis(200));
        }
        if !limits.statement.is_zero() {
            let left = limits.statement.saturating_sub(begun.elapsed());
            pause = pause.min(left.max(Duration::from_millis(200)));
        }
        pause
    }

    fn unreachable(&self) -> DbError {
        DbError::new(
            ErrorClass::Transient,
            format!("connection lost: no answer from {} for {}", self.place, seconds(self.network)),
        )
    }
}

/// Which limit has passed, in words.
fn exceeded(limits: Limits, whole: Duration, locked: Duration, older: Duration) -> Option<DbError> {
    let span = |limit: Duration| humantime::format_duration(limit).to_string();
    if !limits.statement.is_zero() && whole >= limits.statement {
        let words = format!("stopped after statement_timeout ({})", span(limits.statement));
        return Some(DbError::new(ErrorClass::Interrupted, words));
    }
    if !limits.lock.is_zero() && locked >= limits.lock {
        let words = format!("waited longer than lock_timeout ({}) for a lock", span(limits.lock));
        return Some(DbError::new(ErrorClass::Transient, words));
    }
    if !limits.lock.is_zero() && older >= OLD_TRANSACTIONS {
        let words =
            format!("waited longer than {} for transactions that began earlier", span(OLD_TRANSACTIONS));
        return Some(DbError::new(ErrorClass::Transient, words));
    }
    None
}

fn note(stopped: &Mutex<Option<DbError>>, why: DbError) {
    if let Ok(mut stopped) = stopped.lock() {
        stopped.get_or_insert(why);
    }
}

/// The reason for which we stopped a statement says more than that it was stopped.
fn because(stopped: &Mutex<Option<DbError>>, error: DbError) -> DbError {
    let why = stopped.lock().ok().and_then(|mut why| why.take());
    match why {
        Some(why) if error.class == ErrorClass::Interrupted => why,
        _ => error,
    }
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

/// `work` within `limit`.
///
/// # Errors
/// Those of `work`; one of the class `Connect` if time is up.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let words = format!("no answer within {}", seconds(limit));
        Err(DbError::new(ErrorClass::Connect, words))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Says the same each time.
    struct Says(Option<Seen>, AtomicU64);

    #[async_trait]
    impl Canceller for Says {
        async fn cancel(&self) -> Result<(), DbError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[async_trait]
    impl Probe for Says {
        async fn look(&self) -> Result<Seen, DbError> {
            self.0.ok_or_else(|| DbError::new(ErrorClass::Connect, "silence"))
        }

        async fn end(&self) -> Result<(), DbError> {
            self.cancel().await
        }
    }

    async fn fate(seen: Option<Seen>, limits: Limits, takes: Duration) -> (Result<u32, DbError>, Watch, u64) {
        let probe = Arc::new(Says(seen, AtomicU64::new(0)));
        let mut watch = Watch::new(Arc::clone(&probe) as _, "here".to_owned(), Duration::from_millis(40));
        let work = async {
            tokio::time::sleep(takes).await;
            Ok(7)
        };
        let result = watch.over(limits, &Rows::default(), work).await;
        (result, watch, probe.1.load(Ordering::SeqCst))
    }

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(400);

    #[tokio::test]
    async fn a_session_that_works_may_take_long() {
        for seen in [Seen::Working, Seen::Locked, Seen::Older, Seen::Unknown, Seen::Absent] {
            let (result, watch, ended) = fate(Some(seen), Limits::default(), SHORT).await;
            assert_eq!((result.unwrap(), watch.is_broken(), ended), (7, false, 0), "{seen:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_never_came_is_a_lost_connection() {
        let (result, mut watch, ended) = fate(Some(Seen::Idle), Limits::default(), LONG).await;
        let error = result.unwrap_err();
        assert!(error.is_transient() && error.message.contains("its answer never came"), "{error}");
        assert_eq!((watch.is_broken(), ended), (true, 1));
        let again = watch.over(Limits::default(), &Rows::default(), async { Ok(1) }).await;
        assert_eq!(again.unwrap_err().message, error.message);
    }

    #[tokio::test]
    async fn silence_is_a_lost_connection() {
        let (result, _, ended) = fate(None, Limits::default(), LONG).await;
        let error = result.unwrap_err();
        assert!(error.is_transient() && error.message.contains("no answer from here for 0.04 s"), "{error}");
        assert_eq!(ended, 0);
    }

    #[tokio::test]
    async fn what_passes_a_limit_is_cancelled() {
        let limits = Limits { statement: Duration::ZERO, lock: Duration::from_millis(10) };
        assert!(fate(Some(Seen::Locked), limits, Duration::from_secs(1)).await.2 > 0);
        assert_eq!(fate(Some(Seen::Working), limits, Duration::from_secs(1)).await.2, 0);
        let limits = Limits { statement: Duration::from_millis(300), lock: Duration::ZERO };
        assert!(fate(Some(Seen::Working), limits, Duration::from_secs(1)).await.2 > 0);
        assert!(exceeded(limits, Duration::from_secs(1), LONG, LONG).unwrap().message.contains("300ms"));
    }
}

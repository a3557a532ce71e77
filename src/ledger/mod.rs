//! dashagg's own state in the target database: which scripts were applied, what each summary holds, the
//! runs, and the generation that fences one publish from another.
//!
//! Portable SQL, so that one definition serves every engine. Moments are RFC 3339 text in UTC, taken from
//! the server's clock: readable by a DBA, sortable, and without a time-zone type that engines disagree on.

pub mod holder;
pub mod publication;
mod row;
mod schema;
pub mod scripts;
pub mod set;
pub mod sources;
mod state;
mod upgrade;
mod words;

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

pub use self::holder::Holder;
pub use self::publication::{Counts, RunRecord, run_id};
pub use self::schema::{
    Ledger, exists, exists_or_none, forget_set, is_there, missing, newer, older, own_tables, require,
};
pub use self::set::{Fence, pass_fence, registered};
pub use self::state::{RunState, SetState, SummaryState};
pub use self::upgrade::{make, sql as make_sql};
pub use self::words::{RunEnd, RunMode, ScriptState, TrackMethod};
use crate::engine::{Engine, Tx};

/// Every table that dashagg makes for itself starts with this.
pub const PREFIX: &str = "dashagg_";

/// The server's clock.
///
/// # Errors
/// Whatever the server says.
pub async fn clock(engine: &mut dyn Engine) -> Result<SystemTime> {
    // Tests let a day pass in seconds: cfg of fail_point, so that no other build can be told a wrong time.
    fail::fail_point!("clock", |text| {
        let text = text.unwrap_or_default();
        humantime::parse_rfc3339(&text).with_context(|| format!("the clock of a test: {text}"))
    });
    let text = engine.scalar(engine.dialect().clock_sql()).await?.unwrap_or_default();
    let seconds: f64 = text.parse().with_context(|| format!("reading the server's clock: {text}"))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0)))
}

/// A moment as the ledger stores it.
pub fn stamp(moment: SystemTime) -> String {
    humantime::format_rfc3339_millis(moment).to_string()
}

/// Seconds between a stored moment and now, negative for one to come; `None` if there is no such moment.
pub fn age(stamp: Option<&str>, now: SystemTime) -> Option<f64> {
    let then = humantime::parse_rfc3339(stamp?).ok()?;
    Some(
        now.duration_since(then)
            .map_or_else(|ahead| -ahead.duration().as_secs_f64(), |age| age.as_secs_f64()),
    )
}

/// This machine's name, for messages and the ledger.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Runs statements in one write transaction.
///
/// # Errors
/// Whatever the server says; nothing is kept then.
pub async fn in_write(engine: &mut dyn Engine, statements: &[String]) -> Result<()> {
    engine.begin(Tx::Write).await?;
    for sql in statements {
        if let Err(error) = engine.execute(sql).await {
            let _ = engine.rollback().await;
            return Err(error.into());
        }
    }
    engine.commit().await?;
    Ok(())
}

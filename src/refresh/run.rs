//! One run as a value: what every step of it may know.

use std::time::{Duration, Instant};

use super::Request;
use crate::ledger::{self, Counts, RunEnd, RunMode, RunRecord, publication};
use crate::publish_group::PublishGroup;
use crate::session::Context;

/// For recording a run that failed: the server may be what is wrong.
const RECORDING: Duration = Duration::from_secs(5);

/// One attempt at the refresh of what publishes together.
pub(super) struct Run<'a> {
    pub context: &'a Context,
    pub request: &'a Request<'a>,
    pub group: &'a PublishGroup<'a>,
    /// Of all attempts; the ledger's row is called so.
    pub id: &'a str,
    /// When the first attempt began.
    pub began: Instant,
    /// Attempts that a transient error ended.
    pub retries: u32,
    /// An attempt failed because a stage did not fit into memory.
    pub large: bool,
}

impl Run<'_> {
    /// Records a run that published nothing. Best effort, on a fresh connection: the old one may be the problem.
    pub async fn record_failure(&self, status: RunEnd, message: &str) {
        let recording = async {
            // Not through the context: after a signal that makes no connections any more.
            let mut engine = (self.context.driver.connect)(&self.context.config.database).await?;
            let engine = engine.as_mut();
            if !ledger::exists(engine).await? {
                return Ok(());
            }
            let seconds = self.began.elapsed().as_secs_f64();
            let record = RunRecord {
                run_id: self.id.to_owned(),
                set: self.group.set.name.clone(),
                mode: RunMode::None,
                status,
                started: ledger::clock(engine).await? - self.began.elapsed(),
                seconds,
                partitions: 0,
                counts: Counts::default(),
                retries: self.retries,
                error: Some(message.to_owned()),
            };
            let statements = publication::record_failure(engine.dialect(), &record, &self.group.names());
            ledger::in_write(engine, &statements).await
        };
        match tokio::time::timeout(RECORDING, recording).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("recording the failed run: {error:#}"),
            Err(_) => tracing::debug!("recording the failed run: no answer in time"),
        }
    }
}

//! The bundled dashboards and what they need: materialized views, schedules, watching, live views, hooks, retention.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/small.rs"]
mod small;

mod clock;
mod cron;
mod dropping;
mod hooks;
mod keep;
mod live;
mod plans;
mod schedule;
mod sets;
mod sydney;
mod thresholds;
mod views;
mod watch;

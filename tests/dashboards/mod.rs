//! The bundled dashboards and what they need: materialized views, schedules, watching, live views, hooks, retention.

mod clock;
mod cron;
mod dropping;
mod hooks;
mod keep;
mod live;
mod plans;
mod schedule;
pub mod sets;
mod sydney;
mod thresholds;
pub mod views;
mod watch;

//! Incremental refresh: every kind of change ends in summaries that are right, by the notes of the triggers, by
//! another method of tracking, or by a complete refresh that says why it was needed. One file per topic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::too_many_lines, clippy::too_many_arguments)] // A test reads from top to bottom.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../conformance/run.rs"]
mod run;
#[allow(dead_code)]
#[path = "../conformance/sample.rs"]
mod sample;
#[path = "../common/small.rs"]
mod small;

mod case;
mod claims;
mod dimensions;
mod growth;
mod hostile_values;
mod keys;
mod ledger;
mod legacy;
mod matrix;
mod matrix_mariadb;
mod matrix_postgres;
mod matrix_sqlite;
mod methods;
mod notes;
mod review;
mod security;
mod session;

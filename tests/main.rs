//! The integration tests: one program, one module per subject, the helpers compiled once.
//!
//! `#[test]` and `println!` are our own here (`tests/attribute`), because the tests are listed when the program runs: each
//! once per server of the list (`common::servers`). A new file of tests is one `mod` line below. What must have a server's
//! settings to itself is a program of its own: `primary_keys.rs`; so is what loads it for minutes: `stress.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[macro_use]
extern crate dashagg_test_attribute;

mod common;

mod cli;
mod conformance;
mod dashboards;
mod golden;
mod hostile;
mod house;
mod readme;
mod rights;
mod scripts;
mod secrets;
mod server_smoke;
mod sql_tree;
mod supply_chain;
mod tracking;

// Helpers that several modules share, under the names they have always had.
use common::small;
use conformance::{own, proxy, run, sample};
use dashboards::{sets, views};
use tracking::{case, legacy};

fn main() -> std::process::ExitCode {
    common::harness::main()
}

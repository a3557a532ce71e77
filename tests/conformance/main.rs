//! What must hold on every engine, against real servers. One file per topic; the names are the promises.
//!
//! Steps of a run are held open with the fail points of a test build (`--features failpoints`), set in the
//! environment of the one command under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod application;
mod checks;
mod collapse;
mod crash;
mod dumps;
mod equality;
mod generic;
mod holder;
mod isolation;
mod locking;
mod network;
mod own;
mod partitions;
mod proxy;
mod readers;
mod retry;
mod run;
mod sample;
mod timeouts;
mod verify;

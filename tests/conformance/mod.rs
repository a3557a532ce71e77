//! What must hold on every engine, against real servers. One file per topic; the names are the promises.
//!
//! Steps of a run are held open with the fail points of a test build (`--features failpoints`), set in the
//! environment of the one command under test.

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
pub mod own;
mod partitions;
pub mod proxy;
mod readers;
mod retry;
mod row_security;
pub mod run;
pub mod sample;
mod settings;
mod small_pool;
mod staged;
mod timeouts;
mod unlogged;
mod verify;

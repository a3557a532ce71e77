//! Incremental refresh: every kind of change ends in summaries that are right, by the notes of the triggers, by
//! another method of tracking, or by a complete refresh that says why it was needed. One file per topic.
#![allow(clippy::too_many_lines, clippy::too_many_arguments)] // A test reads from top to bottom.

mod blanks;
pub mod case;
mod claims;
mod definers;
mod dimensions;
mod growth;
mod hostile_values;
mod keys;
mod ledger;
pub mod legacy;
mod matrix;
mod matrix_mariadb;
mod matrix_postgres;
mod matrix_sqlite;
mod methods;
mod notes;
mod review;
mod security;
mod session;
mod signatures;
mod types;
mod virtual_columns;

//! SQLite: what errors mean.

use crate::engine::{DbError, ErrorClass};

fn classify(code: &str, message: &str) -> ErrorClass {
    let number: u32 = code.parse().unwrap_or(0);
    match number {
        1555 | 2067 | 2579 => ErrorClass::Duplicate,
        _ => match number & 0xff {
            5 | 6 => ErrorClass::Transient,
            9 => ErrorClass::Interrupted,
            8 | 3 => ErrorClass::Denied,
            14 => ErrorClass::Connect,
            1 if message.contains("no such") => ErrorClass::Missing,
            _ => ErrorClass::Other,
        },
    }
}

/// The driver's error as ours.
pub(super) fn translate(error: sqlx::Error) -> DbError {
    DbError::from_driver(error, classify)
}

//! PostgreSQL: what errors mean.

use crate::engine::{DbError, ErrorClass};

fn classify(code: &str, _message: &str) -> ErrorClass {
    match code {
        "40001" | "40P01" | "55P03" | "57P01" | "57P02" | "57P03" | "53300" => ErrorClass::Transient,
        "57014" | "25P03" => ErrorClass::Interrupted,
        "23505" => ErrorClass::Duplicate,
        "42P01" | "42703" | "3D000" | "3F000" => ErrorClass::Missing,
        "25006" => ErrorClass::ReadOnly,
        "42501" => ErrorClass::Denied,
        "28000" | "28P01" => ErrorClass::Connect,
        _ if code.starts_with("08") => ErrorClass::Transient,
        _ => ErrorClass::Other,
    }
}

/// The driver's error as ours.
pub(super) fn translate(error: sqlx::Error) -> DbError {
    let detail = match &error {
        sqlx::Error::Database(inner) => inner
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .and_then(|inner| inner.detail().map(str::to_owned)),
        _ => None,
    };
    let mut ours = DbError::from_driver(error, classify);
    if let Some(detail) = detail {
        ours.message = format!("{}: {detail}", ours.message);
    }
    ours
}

//! PostgreSQL: what errors mean.

use crate::engine::{DbError, ErrorClass};

/// The way out where policies would hide rows.
const SEE_ALL: &str = "dashagg must see every row: use a role with BYPASSRLS, or the table's owner without FORCE ROW LEVEL \
                       SECURITY, or take the policies off";

fn classify(code: &str, _message: &str) -> ErrorClass {
    match code {
        "40001" | "40P01" | "55P03" | "57P01" | "57P02" | "57P03" | "57P05" | "53300" => {
            ErrorClass::Transient
        }
        "57014" | "25P03" | "25P04" => ErrorClass::Interrupted,
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
    let theirs = match &error {
        sqlx::Error::Database(inner) => inner.try_downcast_ref::<sqlx::postgres::PgDatabaseError>(),
        _ => None,
    };
    let detail = theirs.and_then(|inner| inner.detail().map(str::to_owned));
    // The code is that of any missing right, and the words are in the server's language.
    let filtered = theirs.and_then(|inner| inner.routine()) == Some("check_enable_rls");
    let mut ours = DbError::from_driver(error, classify);
    if filtered {
        ours.class = ErrorClass::Filtered;
        ours.message = format!("{} ({SEE_ALL})", ours.message);
    }
    if let Some(detail) = detail {
        ours.message = format!("{}: {detail}", ours.message);
    }
    ours
}

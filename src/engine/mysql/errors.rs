//! MySQL and MariaDB: what errors mean.

use crate::engine::{DbError, ErrorClass};

fn classify(code: &str, message: &str) -> ErrorClass {
    // sqlx gives the SQLSTATE as `code`; the number, which says more, is put in front by `translate`.
    match code.split('/').next().unwrap_or("") {
        "1213" | "1205" | "1020" | "1412" | "3572" | "1614" | "1927" | "1053" | "2006" | "2013" | "4031"
        | "1158" | "1159" | "1160" | "1161" | "1040" => ErrorClass::Transient,
        "1317" | "1969" | "3024" => ErrorClass::Interrupted,
        // Also said of other options.
        "1290" if message.contains("read-only") || message.contains("read_only") => ErrorClass::ReadOnly,
        "1792" | "1836" => ErrorClass::ReadOnly,
        "1062" | "1586" => ErrorClass::Duplicate,
        "1114" => ErrorClass::ScratchFull,
        "1071" => ErrorClass::KeyTooLong,
        "1146" | "1054" | "1049" | "1091" => ErrorClass::Missing,
        "1044" | "1045" | "1142" | "1143" | "1227" | "1370" | "1698" => ErrorClass::Denied,
        _ if code.ends_with("/40001") => ErrorClass::Transient,
        _ if message.contains("server has gone away") => ErrorClass::Transient,
        _ => ErrorClass::Other,
    }
}

/// The way to log in that an account has and the driver has not.
fn unknown_login(error: &sqlx::Error) -> Option<DbError> {
    let sqlx::Error::Protocol(text) = error else { return None };
    let plugin = text.split("unknown authentication plugin: ").nth(1)?.split_whitespace().next()?;
    Some(DbError::new(
        ErrorClass::Connect,
        format!(
            "the account logs in by {plugin}, which dashagg does not know: use an account that logs in by a password \
             (MySQL: caching_sha2_password, MariaDB: mysql_native_password)"
        ),
    ))
}

/// The driver's error as ours.
pub(super) fn translate(error: sqlx::Error) -> DbError {
    if let Some(ours) = unknown_login(&error) {
        return ours;
    }
    let number = match &error {
        sqlx::Error::Database(inner) => inner
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .map(|inner| (inner.number(), inner.code().unwrap_or("").to_owned())),
        _ => None,
    };
    let mut ours = DbError::from_driver(error, |_, message| {
        let (number, state) = number.clone().unwrap_or_default();
        classify(&format!("{number}/{state}"), message)
    });
    if let Some((number, _)) = number {
        ours.code = number.to_string();
    }
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_the_driver_does_not_know_is_named() {
        let text = "unknown authentication plugin: parsec (sqlx_mysql::protocol::auth:36)";
        let ours = translate(sqlx::Error::Protocol(text.to_owned()));
        assert_eq!(ours.class, ErrorClass::Connect);
        assert!(ours.message.starts_with("the account logs in by parsec, which"), "{}", ours.message);
    }
}

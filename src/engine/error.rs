//! Database errors, sorted by what dashagg does about them.

use std::fmt;

/// What an error means for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Deadlock, serialisation failure, lock time-out, lost connection: the same run may succeed if tried again.
    Transient,
    /// The server could not be reached or refused the login.
    Connect,
    /// A unique key occurred twice.
    Duplicate,
    /// A table, column or database does not exist.
    Missing,
    /// The user lacks a right.
    Denied,
    /// The user would see, or change, a part of the rows only.
    Filtered,
    /// The server takes no writes: a replica, or set so.
    ReadOnly,
    /// A scratch table in memory reached its limit; on disk it would not have.
    ScratchFull,
    /// An index would have longer entries than the engine stores.
    KeyTooLong,
    /// Cancelled from outside, or a time-out that was asked for.
    Interrupted,
    /// Anything else: a fault in a SELECT, a script, or dashagg.
    Other,
}

/// An error of the server or the driver. `Display` holds the server's words once; there is no `source`,
/// since sqlx repeats the cause in its own text.
#[derive(Debug, Clone)]
pub struct DbError {
    /// What to do about it.
    pub class: ErrorClass,
    /// The engine's own code (MySQL number, SQLSTATE, SQLite extended code); empty if there is none.
    pub code: String,
    /// One line in the server's words, without secrets.
    pub message: String,
}

impl DbError {
    /// An error that dashagg itself found out about the server.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, code: String::new(), message: message.into() }
    }

    /// Whether trying the whole run again can help.
    pub fn is_transient(&self) -> bool {
        self.class == ErrorClass::Transient
    }

    /// Turns a driver's error into ours; `classify` knows the engine's codes.
    pub(crate) fn from_driver(error: sqlx::Error, classify: impl FnOnce(&str, &str) -> ErrorClass) -> Self {
        match error {
            sqlx::Error::Database(inner) => {
                let code = inner.code().map(|code| code.into_owned()).unwrap_or_default();
                let message = inner.message().trim().to_owned();
                let class = classify(&code, &message);
                let message = match class {
                    ErrorClass::ReadOnly => format!(
                        "{message}: this server or session is read-only; create, refresh and drop run on the primary, while \
                         status and verify work here"
                    ),
                    _ => message,
                };
                Self { class, code, message }
            }
            // A connection lost in mid-statement never carries a server code: the kernel or the
            // protocol layer reports it.
            sqlx::Error::Io(inner) => Self {
                class: ErrorClass::Transient,
                code: String::new(),
                message: format!("connection lost: {inner}"),
            },
            sqlx::Error::Protocol(text) => {
                Self { class: ErrorClass::Transient, code: String::new(), message: text }
            }
            sqlx::Error::Tls(inner) => {
                Self { class: ErrorClass::Connect, code: String::new(), message: format!("TLS: {inner}") }
            }
            other => Self { class: ErrorClass::Other, code: String::new(), message: other.to_string() },
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "{} (code {})", self.message, self.code)
        }
    }
}

impl std::error::Error for DbError {}

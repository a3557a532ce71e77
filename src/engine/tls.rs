//! `tls = "prefer"` to another machine: encrypted if the server can, and in clear only after saying so.
//!
//! The drivers' own `prefer` falls back in silence, and a server that says it has no TLS may be anybody's: it can then
//! ask for the password in clear. So the driver is told to require TLS first; what it must not do is decided here.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Once;

use super::DbError;
use crate::config::{DatabaseTarget, TlsMode};

/// The driver's words for a server that has no TLS, told apart from a handshake that failed.
const NO_TLS: &str = "server does not support TLS";

/// Whether what goes to this host never leaves the machine.
fn is_local(host: &str, socket: bool) -> bool {
    // Test builds only: their servers are all local.
    fail::fail_point!("remote", |_| false);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    socket
        || host.starts_with('/')
        || host.is_empty()
        || bare.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

/// Connects as `target` says; `prefer` to another machine is decided here, one mode after the other.
///
/// # Errors
/// Those of `open`.
pub(super) async fn connect<T, F>(
    target: &DatabaseTarget,
    host: &str,
    socket: bool,
    open: impl Fn(TlsMode) -> F,
) -> Result<T, DbError>
where
    F: Future<Output = Result<T, DbError>>,
{
    if target.tls == TlsMode::Prefer && !is_local(host, socket) {
        return preferred(host, [TlsMode::Require, TlsMode::Disable], open).await;
    }
    open(target.tls).await
}

/// Connects with the first mode, which is encrypted; with the second, which is not, only to a server that says it
/// cannot encrypt, and after a warning: by then no password has been sent.
///
/// # Errors
/// Those of `open`.
async fn preferred<M, T, F>(
    host: &str,
    [encrypted, plain]: [M; 2],
    open: impl Fn(M) -> F,
) -> Result<T, DbError>
where
    F: Future<Output = Result<T, DbError>>,
{
    match open(encrypted).await {
        Err(error) if error.message.contains(NO_TLS) => {
            warn(host);
            open(plain).await
        }
        other => other,
    }
}

/// Once, however many connections a run opens.
fn warn(host: &str) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            "the connection to {host} is not encrypted, since the server says that it has no TLS: whoever is on the way \
             can read it, and a false server gets the password; set tls = \"require\" or better, or \"disable\" if that \
             is meant"
        );
    });
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::engine::ErrorClass;

    #[test]
    fn what_stays_on_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.8.9.1",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "/run/pg",
        ] {
            assert!(is_local(host, false), "{host}");
        }
        for host in [
            "db",
            "localhost.example.com",
            "10.0.0.1",
            "128.0.0.1",
            "::2",
            "127.0.0.1.example.com",
            "0.0.0.0",
        ] {
            assert!(!is_local(host, false), "{host}");
        }
        assert!(is_local("db", true));
    }

    async fn tried(words: &str) -> (Vec<&'static str>, bool) {
        let modes = RefCell::new(Vec::new());
        let outcome = preferred("db", ["tls", "plain"], |mode| {
            modes.borrow_mut().push(mode);
            let answer = if mode == "tls" { Err(DbError::new(ErrorClass::Connect, words)) } else { Ok(()) };
            async { answer }
        })
        .await;
        (modes.into_inner(), outcome.is_ok())
    }

    #[tokio::test]
    async fn plain_text_only_where_there_is_no_tls() {
        assert_eq!(tried("TLS: server does not support TLS").await, (vec!["tls", "plain"], true));
        for words in ["TLS: invalid peer certificate", "connection lost: reset", "password is wrong"] {
            assert_eq!(tried(words).await, (vec!["tls"], false), "{words}");
        }
    }
}

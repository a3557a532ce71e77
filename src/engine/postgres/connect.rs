//! PostgreSQL: how a connection is made.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::connection::{Postgres, session_name};
use super::errors::translate;
use super::session::{Session, WHO_SQL};
use crate::config::{DatabaseTarget, TlsMode};
use crate::engine::guard::Lock;
use crate::engine::io::dial;
use crate::engine::watchdog::{Watch, within};
use crate::engine::{DbError, Engine, ErrorClass, Row, Server, tls, useful_jobs};

fn ssl_mode(mode: TlsMode) -> PgSslMode {
    match mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

/// Query for what the server says of itself.
const SERVER_SQL: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
     pg_catalog.current_setting('server_version'), pg_catalog.current_database()::pg_catalog.text, \
     pg_catalog.current_schema()::pg_catalog.text";

/// Query for how the session reads strings by itself.
const STRINGS_SQL: &str = "SELECT pg_catalog.current_setting('standard_conforming_strings')";

impl Postgres {
    /// Connects.
    ///
    /// # Errors
    /// Server unreachable, login refused, or a server older than PostgreSQL 14.
    pub async fn connect(target: &DatabaseTarget) -> Result<Self, DbError> {
        let mut options = PgConnectOptions::from_str(target.url())
            .map_err(|error| DbError::new(ErrorClass::Connect, error.to_string()))?
            .disable_statement_logging()
            .statement_cache_capacity(0)
            // Poolers refuse a start-up parameter that they do not know; servers print floats exactly without it.
            .extra_float_digits(None);
        if let Some(password) = &target.password {
            options = options.password(password.expose());
        }
        if let Some(ca) = &target.tls_ca {
            options = options.ssl_root_cert(ca);
        }
        if let (Some(cert), Some(key)) = (&target.tls_cert, &target.tls_key) {
            options = options.ssl_client_cert(cert).ssl_client_key(key);
        }
        let host = options.get_host().to_owned();
        tls::connect(target, &host, options.get_socket().is_some(), |mode| {
            Self::open(options.clone().ssl_mode(ssl_mode(mode)), target.clone())
        })
        .await
    }

    /// One more connection of the same kind, under a name of its own.
    pub(super) async fn open(options: PgConnectOptions, target: DatabaseTarget) -> Result<Self, DbError> {
        let limit = target.connect_timeout;
        within(limit, Self::set_up(options.application_name(&session_name()), target)).await
    }

    async fn set_up(options: PgConnectOptions, target: DatabaseTarget) -> Result<Self, DbError> {
        let limit = target.connect_timeout;
        let session = Arc::new(Session::new(options.clone(), limit));
        let mut this = Self {
            connection: dial(&options, limit, translate).await?,
            options,
            server: Server::unknown(),
            version: 0,
            watch: Watch::new(session.clone(), target.display().to_owned(), target.network_timeout),
            lock: Lock::default(),
            in_transaction: false,
            writes: false,
            settled: false,
            escapes: false,
            target,
        };
        // In one message, so that a pooler lets one session answer.
        let [limit, settings] = this.settings();
        let asked = [limit, STRINGS_SQL.to_owned(), settings, SERVER_SQL.to_owned(), WHO_SQL.to_owned()];
        this.in_transaction = true;
        let answers = this.query_each(&asked).await?;
        this.in_transaction = false;
        let rows = answers.into_iter().map(|rows| rows.into_iter().next().unwrap_or_default());
        let rows: [Row; 5] = rows.collect::<Vec<_>>().try_into().unwrap_or_default();
        this.escapes = rows[1].first().is_some_and(|cell| cell.as_deref() != Some("on"));
        let mut rows = rows.into_iter().skip(3);
        this.identify(&rows.next().unwrap_or_default())?;
        let who = rows.next().unwrap_or_default();
        if let [Some(pid), Some(began)] = who.as_slice()
            && let Ok(pid) = pid.parse()
        {
            let _ = session.first.set((pid, began.clone()));
        }
        Ok(this)
    }

    /// Reads what [`SERVER_SQL`] says.
    fn identify(&mut self, row: &Row) -> Result<(), DbError> {
        let cell = |at: usize| row.get(at).cloned().flatten();
        let number: u32 = cell(0).and_then(|text| text.parse().ok()).unwrap_or(0);
        let version = cell(1).unwrap_or_default();
        if number < 140_000 {
            return Err(DbError::new(
                ErrorClass::Other,
                format!("dashagg needs PostgreSQL 14 or newer; this is {version}"),
            ));
        }
        let Some(schema) = cell(3) else {
            return Err(DbError::new(
                ErrorClass::Missing,
                "no schema of the search_path exists: set the user's search_path",
            ));
        };
        self.version = number;
        self.server = Server {
            product: format!("PostgreSQL {}", version.split(' ').next().unwrap_or("")),
            database: cell(2).unwrap_or_default(),
            schema,
            useful_jobs: useful_jobs(),
        };
        Ok(())
    }
}

//! MySQL and MariaDB: how a connection is made and its session normalised.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::connection::Mysql;
use super::errors::translate;
use super::session::Session;
use super::{MARIADB, MYSQL};
use crate::config::{DatabaseTarget, TlsMode};
use crate::engine::guard::Lock;
use crate::engine::io::dial;
use crate::engine::watchdog::{Watch, within};
use crate::engine::{DbError, Engine, ErrorClass, Row, Server, tls, useful_jobs};

/// Bytes that GROUP_CONCAT may give. Where it gives more it cuts, without an error in a plain SELECT, and what a server
/// allows (MySQL: 1,024) would decide what is published. Four times this is still a size that both products can count.
const LONGEST_CONCAT: u32 = 256 << 20;

fn ssl_mode(mode: TlsMode) -> MySqlSslMode {
    match mode {
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Prefer => MySqlSslMode::Preferred,
        TlsMode::Require => MySqlSslMode::Required,
        TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
        TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    }
}

impl Mysql {
    /// Connects and normalises the session.
    ///
    /// # Errors
    /// Server unreachable, login refused, or a server older than MySQL 8.0.22 or MariaDB 10.6.
    pub async fn connect(target: &DatabaseTarget) -> Result<Self, DbError> {
        let mut options = MySqlConnectOptions::from_str(target.url())
            .map_err(|error| DbError::new(ErrorClass::Connect, error.to_string()))?
            .disable_statement_logging()
            .pipes_as_concat(false)
            .no_engine_substitution(false);
        if let Some(password) = &target.password {
            options = options.password(password.expose());
        }
        if let Some(ca) = &target.tls_ca {
            options = options.ssl_ca(ca);
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

    /// One more connection of the same kind.
    pub(super) async fn open(options: MySqlConnectOptions, target: DatabaseTarget) -> Result<Self, DbError> {
        let limit = target.connect_timeout;
        within(limit, async {
            let mut this = Self {
                connection: dial(&options, limit, translate).await?,
                server: Server::unknown(),
                dialect: &MYSQL,
                watch: Self::watch(&options, &target, 0, String::new()),
                lock: Lock::default(),
                in_transaction: false,
                writes: false,
                options,
                target,
            };
            this.normalise().await?;
            this.limit_time().await?;
            Ok(this)
        })
        .await
    }

    fn watch(options: &MySqlConnectOptions, target: &DatabaseTarget, id: u64, from: String) -> Watch {
        let session = Session { options: options.clone(), limit: target.connect_timeout, id, from };
        Watch::new(Arc::new(session), target.display().to_owned(), target.network_timeout)
    }

    /// Sets what holds for every statement, and finds out which server and session this is, in one message.
    async fn normalise(&mut self) -> Result<(), DbError> {
        let lock_seconds = self.target.lock_timeout.as_secs().max(1);
        // Everything that changes what a SELECT means is set here and documented in sql/README.md:
        // a division by zero is NULL, as in a plain client's SELECT, and out-of-range values are errors.
        // A server may be set to hang up on a client that it waits for; we take our time between two rows.
        let settings = format!(
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
             time_zone = '+00:00', lock_wait_timeout = {lock_seconds}, \
             innodb_lock_wait_timeout = {lock_seconds}, autocommit = 1, \
             net_read_timeout = 60, net_write_timeout = 60, group_concat_max_len = {LONGEST_CONCAT}, \
             max_heap_table_size = 134217728, tmp_table_size = 134217728"
        );
        let messages = [
            settings,
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
            "SELECT VERSION(), DATABASE(), CAST(CONNECTION_ID() AS CHAR), \
             (SELECT HOST FROM information_schema.processlist WHERE ID = CONNECTION_ID())"
                .to_owned(),
        ];
        let answers = self.query_each(&messages).await?;
        self.identify(&answers.into_iter().flatten().next().unwrap_or_default())
    }

    /// Reads what the server says of itself and of this session.
    fn identify(&mut self, row: &Row) -> Result<(), DbError> {
        let cell = |at: usize| row.get(at).cloned().flatten();
        let version = cell(0).unwrap_or_default();
        let mariadb = version.to_ascii_lowercase().contains("mariadb");
        let number = version.trim_start_matches("5.5.5-").split('-').next().unwrap_or("").to_owned();
        let parts: Vec<u32> = number.split('.').map(|part| part.parse().unwrap_or(0)).collect();
        let (product, minimum, least) =
            if mariadb { ("MariaDB", vec![10, 6, 0], "10.6") } else { ("MySQL", vec![8, 0, 22], "8.0.22") };
        if parts < minimum {
            return Err(DbError::new(
                ErrorClass::Other,
                format!("dashagg needs {product} {least} or newer; this is {version}"),
            ));
        }
        let Some(database) = cell(1) else {
            return Err(DbError::new(
                ErrorClass::Missing,
                "the URL names no database: write mysql://user@host/database",
            ));
        };
        self.dialect = if mariadb { &MARIADB } else { &MYSQL };
        let id = cell(2).and_then(|id| id.parse().ok()).unwrap_or(0);
        self.watch = Self::watch(&self.options, &self.target, id, cell(3).unwrap_or_default());
        self.server = Server {
            product: format!("{product} {number}"),
            schema: database.clone(),
            database,
            useful_jobs: useful_jobs(),
        };
        Ok(())
    }

    /// Settings whose names depend on the product.
    async fn limit_time(&mut self) -> Result<(), DbError> {
        let mariadb = self.dialect.mariadb;
        if !mariadb {
            // MySQL 8 shows sizes that are up to a day old otherwise.
            self.execute("SET SESSION information_schema_stats_expiry = 0").await?;
        }
        let statement_seconds = self.target.statement_timeout.as_secs_f64();
        if statement_seconds > 0.0 {
            let sql = if mariadb {
                format!("SET SESSION max_statement_time = {statement_seconds}")
            } else {
                format!("SET SESSION max_execution_time = {}", (statement_seconds * 1000.0) as u64)
            };
            self.execute(&sql).await?;
        }
        Ok(())
    }
}

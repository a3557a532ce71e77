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
use crate::engine::{DbError, Engine, ErrorClass, Row, Server, count_at, tls, useful_jobs};

/// Bytes that GROUP_CONCAT may give. Where it gives more it cuts, without an error in a plain SELECT, and what a server
/// allows (MySQL: 1,024) would decide what is published. Four times this is still a size that both products can count.
const LONGEST_CONCAT: u32 = 256 << 20;

/// Bytes. What a server computes beyond its max_allowed_packet it cuts (GROUP_CONCAT) or makes NULL (CONCAT, REPEAT) with a
/// warning only, and no session may set it. Sixteen times what a TEXT column holds.
const LEAST_PACKET: u64 = 1 << 20;

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
        let messages = [
            self.settings(),
            // A server's own default may also be to write nothing.
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE".to_owned(),
            "SELECT VERSION(), DATABASE(), CAST(CONNECTION_ID() AS CHAR), \
             (SELECT HOST FROM information_schema.processlist WHERE ID = CONNECTION_ID()), \
             CAST(@@max_allowed_packet AS CHAR)"
                .to_owned(),
        ];
        let answers = self.query_each(&messages).await?;
        self.identify(&answers.into_iter().flatten().next().unwrap_or_default())
    }

    /// Every variable that could change what a statement means, how much of it is done, whom it waits for and what it sees,
    /// whatever the server's own file or `init_connect` say. Those that a user without special rights may set: the others
    /// change nothing of this, which `tests/settings.rs` tries. A division by zero is NULL, as in a plain client's SELECT, and
    /// out-of-range values are errors (sql/README.md).
    ///
    /// Between `/*!80022` and `*/` only MySQL reads, between `/*M!100600` and `*/` only MariaDB.
    fn settings(&self) -> String {
        let lock_seconds = self.target.lock_timeout.as_secs().max(1);
        let statement = self.target.statement_timeout;
        let (seconds, milliseconds) =
            (statement.as_secs_f64(), statement.as_millis().min(u128::from(u32::MAX)));
        format!(
            "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', \
             sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', \
             lc_time_names = 'en_US', lc_messages = 'en_US', default_week_format = 0, div_precision_increment = 4, \
             sql_auto_is_null = 0, group_concat_max_len = {LONGEST_CONCAT}, max_sort_length = 1024, \
             max_join_size = 18446744073709551615, sql_big_selects = 1, sql_select_limit = 18446744073709551615, \
             sql_safe_updates = 0, sql_buffer_result = 0, \
             unique_checks = 1, foreign_key_checks = 1, default_storage_engine = 'InnoDB', \
             lock_wait_timeout = {lock_seconds}, innodb_lock_wait_timeout = {lock_seconds}, \
             net_read_timeout = 60, net_write_timeout = 60, \
             max_heap_table_size = 134217728, tmp_table_size = 134217728 \
             /*!80022 , information_schema_stats_expiry = 0, max_execution_time = {milliseconds}, \
             use_secondary_engine = 'OFF', cte_max_recursion_depth = 4294967295, windowing_use_high_precision = 1 */ \
             /*M!100600 , max_statement_time = {seconds}, system_versioning_asof = DEFAULT, \
             check_constraint_checks = 1, sql_if_exists = 0, max_recursive_iterations = 4294967295, \
             standard_compliant_cte = 1, default_regex_flags = '', idle_transaction_timeout = 0, \
             idle_write_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */ \
             /*M!100601 , old_mode = 'UTF8_IS_UTF8MB3' */"
        )
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
        let packet = count_at(row, 4)?;
        if packet < LEAST_PACKET {
            return Err(DbError::new(
                ErrorClass::Other,
                format!(
                    "the server's max_allowed_packet is {packet} bytes, at which it cuts texts without an error: \
                     set {LEAST_PACKET} or more"
                ),
            ));
        }
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
}

//! MySQL and MariaDB.
//!
//! Everything runs under READ COMMITTED: under REPEATABLE READ an `INSERT … SELECT` takes shared
//! next-key locks on the source and stops its writers
//! (<https://dev.mysql.com/doc/refman/8.0/en/innodb-locks-set.html>), and it does not even read the
//! transaction's snapshot. One statement sees one state, and each partition is computed, together with
//! the source totals that it is checked against, by one statement.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{Column as _, ConnectOptions, Executor, MySql, SqlSafeStr, Statement};

use super::dialect::{LexRules, SOME, Scratch, on_key};
use super::guard::Guard;
use super::mysql_session::{Session, dial, hang_up};
use super::watchdog::{Limits, Rows, Watch, within};
use super::{
    Canceller, Column, DbError, Dialect, Engine, ErrorClass, Row, Server, Tx, batch_io, text_io, tls,
};
use crate::config::{DatabaseTarget, TlsMode};

/// The text side, for MySQL.
pub static MYSQL: MysqlDialect = MysqlDialect { mariadb: false };
/// The text side, for MariaDB: the same language, but temporary tables may be read twice in one statement.
pub static MARIADB: MysqlDialect = MysqlDialect { mariadb: true };

/// The key of a table whose rows have none.
const NUMBERED: &str = ", dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY";

/// SQL text of MySQL and MariaDB.
pub struct MysqlDialect {
    mariadb: bool,
}

impl Dialect for MysqlDialect {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn lex_rules(&self) -> LexRules {
        LexRules {
            backslash_escapes: true,
            hash_comments: true,
            dollar_quotes: false,
            double_quoted_strings: true,
        }
    }

    fn transactional_ddl(&self) -> bool {
        false
    }

    fn nested_with_sees_shadow(&self) -> bool {
        false
    }

    fn quote(&self, ident: &str) -> String {
        format!("`{}`", ident.replace('`', "``"))
    }

    fn literal(&self, text: &str) -> String {
        // A backslash means one thing or another by sql_mode, a NUL byte ends some texts; bytes are what they are.
        if text.contains(['\\', '\0']) {
            let bytes: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
            return format!("_utf8mb4 X'{bytes}'");
        }
        format!("'{}'", text.replace('\'', "''"))
    }

    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT COLUMN_NAME, CONCAT(COLUMN_TYPE, \
             IF(COLLATION_NAME IS NULL, '', CONCAT(' CHARACTER SET ', CHARACTER_SET_NAME, ' COLLATE ', COLLATION_NAME))), \
             EXTRA LIKE '%GENERATED' OR EXTRA LIKE '%GENERATED ALWAYS%', IS_NULLABLE = 'YES' \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
            self.schema_or_current(schema),
            self.literal(table)
        )
    }

    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT INDEX_NAME, NON_UNIQUE = 0, SUB_PART IS NOT NULL, COLUMN_NAME \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
             ORDER BY INDEX_NAME, SEQ_IN_INDEX",
            self.schema_or_current(schema),
            self.literal(table)
        )
    }

    fn bytes_sql(&self, schema: &str, table: &str) -> String {
        format!(
            "SELECT CAST(DATA_LENGTH + INDEX_LENGTH AS CHAR) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            self.literal(schema),
            self.literal(table)
        )
    }

    fn estimated_rows_sql(&self, _schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT CAST(TABLE_ROWS AS CHAR) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}",
            self.literal(table)
        )
    }

    fn table_count_sql(&self) -> String {
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()".to_owned()
    }

    fn tables_like_sql(&self, prefix: &str) -> String {
        format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
             AND LEFT(TABLE_NAME, {}) = {}",
            prefix.len(),
            self.literal(prefix)
        )
    }

    fn is_text(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["char", "text", "enum", "set("].iter().any(|word| lower.contains(word))
    }

    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str> {
        let lower = column.sql_type.to_ascii_lowercase();
        // The labels of an ENUM are spelled in one way only.
        if !column.text || lower.starts_with("enum(") || lower.starts_with("set(") {
            return None;
        }
        let (_, collation) = column.sql_type.rsplit_once(" COLLATE ")?;
        (!collation.ends_with("_bin")).then_some(collation)
    }

    fn loosely(&self, expression: &str, how: &str) -> String {
        let charset = how.split('_').next().unwrap_or("utf8mb4");
        format!("CONVERT({expression} USING {charset}) COLLATE {how}")
    }

    fn own_view_sql(&self, schema: &str, view: &str) -> String {
        format!(
            "SELECT 1 FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
             AND LOCATE('dashagg_log_', VIEW_DEFINITION) > 0",
            self.schema_or_current(Some(schema)),
            self.literal(view)
        )
    }

    fn exact(&self, expression: &str, column: &Column) -> String {
        if column.text {
            // The collation may call 'a' and 'A ' equal; bytes in one character set do not lie.
            format!("CAST(CONVERT({expression} USING utf8mb4) AS BINARY)")
        } else {
            expression.to_owned()
        }
    }

    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        if column.text && column.sql_type.ends_with("_bin") {
            // A binary collation only forgives trailing blanks, and this is cheaper than converting.
            format!("({left} <=> {right} AND LENGTH({left}) <=> LENGTH({right}))")
        } else {
            format!("{} <=> {}", self.exact(left, column), self.exact(right, column))
        }
    }

    fn cast(&self, expression: &str, column: &Column) -> String {
        let lower = column.sql_type.to_ascii_lowercase();
        // CAST knows fewer types than CREATE TABLE; text and floats compare as they are. Labels of an ENUM may have
        // the name of a type.
        if column.text {
            expression.to_owned()
        } else if lower.starts_with("decimal") {
            let precise = lower.split(" unsigned").next().unwrap_or(&lower);
            format!("CAST({expression} AS {precise})")
        } else if lower == "date" {
            format!("CAST({expression} AS DATE)")
        } else if lower.starts_with("datetime") {
            format!("CAST({expression} AS {lower})")
        } else if lower.contains("int") && lower.contains("unsigned") {
            format!("CAST({expression} AS UNSIGNED)")
        } else if lower.contains("int") && !lower.contains("point") {
            format!("CAST({expression} AS SIGNED)")
        } else {
            expression.to_owned()
        }
    }

    fn clock_sql(&self) -> &'static str {
        "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR)"
    }

    fn now(&self) -> &'static str {
        "UTC_TIMESTAMP(6)"
    }

    fn table_suffix(&self) -> &'static str {
        " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
    }

    fn lasting(&self) -> &'static [Scratch] {
        // MySQL cannot read a TEMPORARY table twice in one statement (error 1137), as a SELECT with two branches over
        // a staged tier would.
        if self.mariadb { &[Scratch::Delta] } else { &[Scratch::Delta, Scratch::Stage] }
    }

    fn scratch_name(&self, schema: &str, name: &str, _scratch: Scratch) -> String {
        self.qualify(schema, name)
    }

    fn create_scratch(
        &self,
        qualified: &str,
        columns: &str,
        unique: Option<&str>,
        scratch: Scratch,
    ) -> String {
        // MEMORY takes 40,000 rows in a third of the time of InnoDB, but neither large values nor more than
        // max_heap_table_size.
        let large = ["text", "blob", "json", "geometry"].iter().any(|word| columns.contains(word));
        let (create, engine) = match scratch {
            Scratch::Private if !large => ("TEMPORARY TABLE", "MEMORY"),
            Scratch::Private | Scratch::PrivateLarge => ("TEMPORARY TABLE", "InnoDB"),
            _ => ("TABLE IF NOT EXISTS", "InnoDB"),
        };
        // Servers can be told to refuse a table without a primary key. A delta's own key costs no more than the hidden
        // one, and where it is applied the rows come in the order of the summary's. Staged rows may have NULL in
        // their key; a number of their own is no bottleneck where each connection has its own table, or where numbers
        // are given out without a lock (innodb_autoinc_lock_mode = 2, MySQL's default).
        let keys = match (scratch, unique) {
            (Scratch::Delta | Scratch::LookedUp, Some(list)) => format!(", PRIMARY KEY ({list})"),
            (_, list) => {
                // ALTER on a temporary table copies it, so the index is there from the start.
                let unique = list.map(|list| format!(", UNIQUE KEY ({list})")).unwrap_or_default();
                let numbered = if engine == "MEMORY" { "" } else { NUMBERED };
                format!("{numbered}{unique}")
            }
        };
        format!(
            "CREATE {create} {qualified} ({columns}{keys}) ENGINE={engine} \
             DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
        )
    }

    fn scratch_unique_index(&self, _qualified: &str, _name: &str, _columns: &str) -> Option<String> {
        None
    }

    fn drop_scratch(&self, qualified: &str, scratch: Scratch) -> String {
        let private = matches!(scratch, Scratch::Private | Scratch::PrivateLarge);
        format!("DROP {}TABLE IF EXISTS {qualified}", if private { "TEMPORARY " } else { "" })
    }

    fn delete_some(&self, qualified: &str, condition: &str) -> String {
        // Each row deleted is a row in the undo log until its statement ends, and in the binary log until its commit.
        format!("DELETE FROM {qualified} WHERE {condition} LIMIT {SOME}")
    }

    fn delete_matching(&self, target: &str, delta: &str, key: &[String], filter: &str) -> String {
        format!("DELETE t FROM {delta} d JOIN {target} t ON {} WHERE {filter}", on_key(self, "t", "d", key))
    }

    fn update_matching(
        &self,
        target: &str,
        delta: &str,
        key: &[String],
        assignments: &[(String, String)],
        filter: &str,
    ) -> String {
        let set: Vec<String> =
            assignments.iter().map(|(column, value)| format!("t.{column} = {value}")).collect();
        format!(
            "UPDATE {target} t JOIN {delta} d ON {} SET {} WHERE {filter}",
            on_key(self, "t", "d", key),
            set.join(", ")
        )
    }

    fn grant_read(&self, schema: &str, table: &str, reader: &str) -> Vec<String> {
        let (user, host) = reader.rsplit_once('@').unwrap_or((reader, "%"));
        let reader = format!("{}@{}", self.quote(user), self.quote(host));
        vec![format!("GRANT SELECT ON {} TO {reader}", self.qualify(schema, table))]
    }

    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String {
        let columns: Vec<String> = columns.iter().map(|column| self.quote(column)).collect();
        format!(
            "ALTER TABLE {} ADD INDEX {} ({}), ALGORITHM=INPLACE, LOCK=NONE",
            table,
            self.quote(name),
            columns.join(", ")
        )
    }

    fn analyze_first(&self, qualified: &str) -> Option<String> {
        // The server does it by itself within seconds, but `status` wants the size now.
        Some(format!("ANALYZE NO_WRITE_TO_BINLOG TABLE {qualified}"))
    }

    fn is_value(&self, name: &str, value: &str) -> String {
        // `=` fixes the column, after which MariaDB no longer sees that the index delivers the groups in
        // order and sorts them in a temporary table; a range of one value streams.
        format!("({name} >= {value} AND {name} <= {value})")
    }

    fn seconds_before(&self, moment: &str, seconds: f64) -> String {
        format!("TIMESTAMP({moment}) - INTERVAL {} SECOND", seconds.ceil() as u64)
    }

    fn fingerprint_sql(&self, table: &str, partition: &[String], columns: &[Column]) -> Option<String> {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| {
                let name = self.quote(&column.name);
                format!("COALESCE(CAST({name} AS BINARY), X'00FF')")
            })
            .collect();
        let row = self.digest(&format!("CONCAT_WS(X'1F', {})", cells.join(", ")));
        let list = if partition.is_empty() { String::new() } else { format!("{}, ", partition.join(", ")) };
        let group =
            if partition.is_empty() { String::new() } else { format!(" GROUP BY {}", partition.join(", ")) };
        Some(format!(
            "SELECT {list}COUNT(*), SUM(CAST(CONV(LEFT({row}, 15), 16, 10) AS DECIMAL(20))), \
             SUM(CAST(CONV(RIGHT({row}, 15), 16, 10) AS DECIMAL(20))) FROM {table}{group}"
        ))
    }

    fn begin_sql(&self, tx: &Tx) -> Option<String> {
        match tx {
            Tx::Read => Some(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
                    .to_owned(),
            ),
            // Statement by statement: no long transaction, bounded undo, small binlog events.
            Tx::Stage(_) => None,
            Tx::Write => Some("START TRANSACTION".to_owned()),
        }
    }
}

impl MysqlDialect {
    pub(super) fn is_mariadb(&self) -> bool {
        self.mariadb
    }

    /// A hash of text, in hexadecimal. MySQL 9 has no MD5 any more; MariaDB's stays, for what older releases remember by it.
    pub(super) fn digest(&self, text: &str) -> String {
        if self.mariadb { format!("MD5({text})") } else { format!("SHA2({text}, 256)") }
    }

    fn schema_or_current(&self, schema: Option<&str>) -> String {
        schema.map_or_else(|| "DATABASE()".to_owned(), |schema| self.literal(schema))
    }
}

/// Seconds that a connection may be silent inside a transaction that writes.
const WRITING_WAIT: u32 = 60;
/// The same for the one that holds the lock; a few pings fit in.
const GUARD_WAIT: u32 = 45;

/// A connection to MySQL or MariaDB.
pub struct Mysql {
    connection: MySqlConnection,
    options: MySqlConnectOptions,
    target: DatabaseTarget,
    server: Server,
    dialect: &'static MysqlDialect,
    watch: Watch,
    guard: Option<Guard>,
    in_transaction: bool,
    writes: bool,
}

fn classify(code: &str, message: &str) -> ErrorClass {
    // sqlx gives the SQLSTATE as `code`; the number, which says more, is put in front by `translate`.
    match code.split('/').next().unwrap_or("") {
        "1213" | "1205" | "1020" | "1412" | "3572" | "1614" | "1927" | "1053" | "2006" | "2013" | "4031"
        | "1158" | "1159" | "1160" | "1161" | "1040" => ErrorClass::Transient,
        "1317" | "1969" | "3024" => ErrorClass::Interrupted,
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

pub(super) fn translate(error: sqlx::Error, sql: &str) -> DbError {
    let _ = sql;
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
        options = options.ssl_mode(match target.tls {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
        if let Some(ca) = &target.tls_ca {
            options = options.ssl_ca(ca);
        }
        if let (Some(cert), Some(key)) = (&target.tls_cert, &target.tls_key) {
            options = options.ssl_client_cert(cert).ssl_client_key(key);
        }
        let host = options.get_host().to_owned();
        if target.tls == TlsMode::Prefer && !tls::is_local(&host, options.get_socket().is_some()) {
            let modes = [MySqlSslMode::Required, MySqlSslMode::Disabled];
            return tls::preferred(&host, modes, |mode| {
                Self::open(options.clone().ssl_mode(mode), target.clone())
            })
            .await;
        }
        Self::open(options, target.clone()).await
    }

    async fn open(options: MySqlConnectOptions, target: DatabaseTarget) -> Result<Self, DbError> {
        let limit = target.connect_timeout;
        within(limit, async {
            let connection = dial(&options, limit).await?;
            let mut this = Self {
                connection,
                server: Server {
                    product: String::new(),
                    database: String::new(),
                    schema: String::new(),
                    useful_jobs: 1,
                },
                dialect: &MYSQL,
                watch: Self::watch(&options, &target, 0, String::new()),
                guard: None,
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

    async fn normalise(&mut self) -> Result<(), DbError> {
        let lock_seconds = self.target.lock_timeout.as_secs().max(1);
        // Everything that changes what a SELECT means is set here and documented in sql/README.md:
        // a division by zero is NULL, as in a plain client's SELECT, and out-of-range values are errors.
        // A server may be set to hang up on a client that it waits for; we take our time between two rows.
        self.execute(&format!(
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
             time_zone = '+00:00', lock_wait_timeout = {lock_seconds}, \
             innodb_lock_wait_timeout = {lock_seconds}, autocommit = 1, \
             net_read_timeout = 60, net_write_timeout = 60, \
             max_heap_table_size = 134217728, tmp_table_size = 134217728"
        ))
        .await?;
        self.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
        let row = self
            .query(
                "SELECT VERSION(), DATABASE(), CAST(CONNECTION_ID() AS CHAR), \
                 (SELECT HOST FROM information_schema.processlist WHERE ID = CONNECTION_ID())",
            )
            .await?
            .into_iter()
            .next()
            .unwrap_or_default();
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
            useful_jobs: std::thread::available_parallelism().map_or(1, usize::from).min(8),
        };
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

    /// Limits that the server does not keep: MySQL stops nothing but SELECT.
    fn limits(&self) -> Limits {
        let statement =
            if self.dialect.is_mariadb() { Duration::ZERO } else { self.target.statement_timeout };
        Limits { statement, lock: Duration::ZERO }
    }

    /// What ends a transaction, and takes back what [`Engine::begin`] has set for it.
    fn ending(&mut self, end: &str) -> String {
        let setting =
            if std::mem::take(&mut self.writes) { "; SET SESSION wait_timeout = DEFAULT" } else { "" };
        format!("{end}{setting}")
    }

    /// Whether the lock that this connection has taken is still there, if it has taken one.
    fn still_locked(&self) -> Result<(), DbError> {
        self.guard.as_ref().map_or(Ok(()), Guard::check)
    }

    /// The session that has the named lock.
    async fn owner(&mut self, lock: &str) -> Result<Option<String>, DbError> {
        self.scalar(&format!("SELECT CAST(IS_USED_LOCK({}) AS CHAR)", self.dialect.literal(lock))).await
    }

    /// The namespace of GET_LOCK is the whole server, so the database is part of the name.
    fn lock_name(&self, name: &str) -> String {
        let full = format!("dashagg:{}:{name}", self.server.database);
        // MySQL allows 64 characters.
        if full.chars().count() <= 64 {
            full
        } else {
            format!("dashagg:{}", &crate::checksum::hex(&full)[..40])
        }
    }
}

text_io!(MySql, MySqlConnection);
batch_io!(MySql, MySqlConnection);

#[async_trait]
impl Engine for Mysql {
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        let (limits, rows) = (self.limits(), Rows::default());
        let work = execute_on(&mut self.connection, sql, &rows);
        self.watch.over(limits, &rows, work).await
    }

    async fn query_each(&mut self, statements: &[String]) -> Result<Vec<Vec<Row>>, DbError> {
        let (limits, rows) = (self.limits(), Rows::default());
        let work = query_each_on(&mut self.connection, statements, &rows);
        self.watch.over(limits, &rows, work).await
    }

    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError> {
        let (limits, rows) = (self.limits(), Rows::default());
        let work = for_each_on(&mut self.connection, sql, &rows, each);
        self.watch.over(limits, &rows, work).await
    }

    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let limits = self.limits();
        let work = async {
            // Preparing names the columns; running the query would compute the whole of a grouped SELECT, since
            // MariaDB materialises a derived table even to join none of its rows.
            let statement = (&mut self.connection)
                .prepare(super::audited(sql).into_sql_str())
                .await
                .map_err(|error| translate(error, sql))?;
            Ok(statement.columns().iter().map(|column| column.name().to_owned()).collect())
        };
        self.watch.over(limits, &Rows::default(), work).await
    }

    fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn begin(&mut self, tx: Tx) -> Result<(), DbError> {
        if let Some(sql) = self.dialect.begin_sql(&tx) {
            self.writes = tx == Tx::Write;
            if self.writes {
                self.still_locked()?;
                // The row locks of a machine that has lost its power are free within a minute.
                self.execute(&format!("SET SESSION wait_timeout = {WRITING_WAIT}; {sql}")).await?;
            } else {
                self.execute(&sql).await?;
            }
            self.in_transaction = true;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.in_transaction && self.writes {
            self.still_locked()?;
        }
        if std::mem::take(&mut self.in_transaction) {
            let sql = self.ending("COMMIT");
            self.execute(&sql).await?;
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        // On a lost connection the server does it.
        if std::mem::take(&mut self.in_transaction) && !self.watch.is_broken() {
            let sql = self.ending("ROLLBACK");
            self.execute(&sql).await?;
        }
        Ok(())
    }

    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError> {
        Ok(None)
    }

    async fn try_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let lock = self.lock_name(name);
        if self.owner(&lock).await?.is_some() {
            return Ok(None);
        }
        let limit = self.target.connect_timeout;
        let mut guard = dial(&self.options, limit).await?;
        // A connection of its own, which says something every few seconds: so the server may forget it soon.
        let name = self.dialect.literal(&lock);
        let sql = format!(
            "SET SESSION wait_timeout = {GUARD_WAIT}; \
             SELECT CAST(GET_LOCK({name}, 0) AS CHAR), CAST(CONNECTION_ID() AS CHAR)"
        );
        let mut cells = Vec::new();
        within(limit, for_each_on(&mut guard, &sql, &Rows::default(), &mut |row| cells = row)).await?;
        let mut cells = cells.into_iter();
        // NULL is an error that comes without an error: never take it for a lock.
        match (cells.next().flatten().as_deref(), cells.next().flatten()) {
            (Some("1"), session) => {
                let release = format!("SELECT RELEASE_LOCK({name})");
                self.guard = Some(Guard::keep(guard, release, limit));
                Ok(Some(session.unwrap_or_default()))
            }
            (Some(_), _) => {
                hang_up(guard).await;
                Ok(None)
            }
            (None, _) => Err(DbError::new(ErrorClass::Other, "GET_LOCK returned NULL")),
        }
    }

    async fn unlock(&mut self) -> Result<(), DbError> {
        match self.guard.take() {
            Some(guard) => guard.release().await,
            None => Ok(()),
        }
    }

    async fn is_locked(&mut self, name: &str) -> Result<bool, DbError> {
        let lock = self.lock_name(name);
        Ok(self.owner(&lock).await?.is_some())
    }

    async fn end_session(&mut self, name: &str, session: &str) -> Result<(), DbError> {
        let Ok(id) = session.parse::<u64>() else { return Ok(()) };
        let lock = self.lock_name(name);
        // The server never gives a number twice, so between the two nobody else can get it.
        if self.owner(&lock).await?.as_deref() == Some(session) {
            self.execute(&format!("KILL {id}")).await?;
        }
        Ok(())
    }

    async fn another(&self) -> Result<Option<Box<dyn Engine>>, DbError> {
        Ok(Some(Box::new(Self::open(self.options.clone(), self.target.clone()).await?)))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.watch.probe()
    }

    async fn preflight(&mut self) -> Result<(), DbError> {
        let row = self.query("SELECT @@log_bin, @@binlog_format").await?.into_iter().next();
        let cell = |at: usize| row.as_ref().and_then(|row| row.get(at).cloned().flatten());
        if cell(0).as_deref() == Some("1") && cell(1).as_deref() == Some("STATEMENT") {
            return Err(DbError::new(
                ErrorClass::Other,
                "the server logs statements (binlog_format = STATEMENT), which forbids READ COMMITTED \
                 writes (error 1665): set binlog_format to ROW or MIXED",
            ));
        }
        Ok(())
    }
}

//! SQLite: one file, one writer, readers on the write-ahead log.
//!
//! Staging happens in a deferred read transaction into TEMP tables, so the source's writers go on; only
//! the publish takes the write lock, and it holds it just for the rows that differ.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Sqlite as SqliteDb};

use super::dialect::{LexRules, Scratch, jump_distinct, on_key};
use super::{Canceller, Column, DbError, Dialect, Engine, ErrorClass, Row, Server, Tx, probe_io, text_io};
use crate::config::DatabaseTarget;
use crate::engine::watchdog::Rows;

/// The text side.
pub static SQLITE: SqliteDialect = SqliteDialect;

/// SQL text of SQLite.
pub struct SqliteDialect;

impl SqliteDialect {
    fn keys(&self, key: &[String], alias: &str) -> String {
        key.iter().map(|name| format!("{alias}.{}", self.quote(name))).collect::<Vec<_>>().join(", ")
    }
}

impl Dialect for SqliteDialect {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn lex_rules(&self) -> LexRules {
        LexRules {
            backslash_escapes: false,
            hash_comments: false,
            dollar_quotes: false,
            double_quoted_strings: false,
        }
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    fn nested_with_sees_shadow(&self) -> bool {
        true
    }

    fn quote(&self, ident: &str) -> String {
        format!("\"{}\"", ident.replace('"', "\"\""))
    }

    fn literal(&self, text: &str) -> String {
        // The text of a statement ends at a NUL byte; a value may hold one.
        if text.contains('\0') {
            let bytes: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
            return format!("CAST(X'{bytes}' AS TEXT)");
        }
        format!("'{}'", text.replace('\'', "''"))
    }

    fn columns_sql(&self, _schema: Option<&str>, table: &str) -> String {
        // A scratch table must compare keys as the table's own unique index does; only indexes show collations.
        format!(
            "SELECT name, CASE WHEN type = '' THEN 'ANY' ELSE type END || COALESCE((SELECT ' COLLATE ' || i.coll \
             FROM pragma_index_list({0}, 'main') l JOIN pragma_index_xinfo(l.name, 'main') i \
             WHERE l.\"unique\" AND i.key AND i.name = c.name AND i.coll <> 'BINARY' LIMIT 1), ''), hidden IN (2, 3), \
             \"notnull\" = 0 AND (pk = 0 OR (SELECT wr = 0 AND strict = 0 FROM pragma_table_list({0}) WHERE schema = 'main')) \
             FROM pragma_table_xinfo({0}, 'main') c WHERE hidden <> 1 ORDER BY cid",
            self.literal(table)
        )
    }

    fn indexes_sql(&self, _schema: Option<&str>, table: &str) -> String {
        // An INTEGER PRIMARY KEY is the rowid and has no entry in the index list.
        format!(
            "SELECT l.name, l.\"unique\", l.partial, i.name FROM pragma_index_list({0}, 'main') l \
             JOIN pragma_index_info(l.name) i \
             UNION ALL SELECT 'rowid', 1, 0, name FROM pragma_table_info({0}, 'main') \
             WHERE pk = 1 AND upper(type) = 'INTEGER' \
             AND NOT EXISTS (SELECT 1 FROM pragma_index_list({0}, 'main') WHERE origin = 'pk')",
            self.literal(table)
        )
    }

    fn bytes_sql(&self, _schema: &str, table: &str) -> String {
        format!(
            "SELECT SUM(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN \
             (SELECT name FROM sqlite_master WHERE tbl_name = {})",
            self.literal(table)
        )
    }

    fn estimated_rows_sql(&self, _schema: Option<&str>, table: &str) -> String {
        // Good enough to announce a wait: exact where rows are never deleted.
        format!("SELECT MAX(rowid) FROM {}", self.quote(table))
    }

    fn table_count_sql(&self) -> String {
        "SELECT COUNT(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            .to_owned()
    }

    fn tables_like_sql(&self, prefix: &str) -> String {
        format!(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, {}) = {}",
            prefix.len(),
            self.literal(prefix)
        )
    }

    fn is_text(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["char", "text", "clob"].iter().any(|word| lower.contains(word))
    }

    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str> {
        column.sql_type.rsplit_once(" COLLATE ").map(|(_, collation)| collation)
    }

    fn loosely(&self, expression: &str, how: &str) -> String {
        format!("{expression} COLLATE {how}")
    }

    fn collated_sql(&self, table: &str) -> Option<String> {
        // No catalog tells a column's own collation. Where the table's text has one at all, any column may have it.
        Some(format!(
            "SELECT c.name, CASE WHEN m.sql LIKE '%rtrim%' AND m.sql NOT LIKE '%nocase%' THEN 'RTRIM' ELSE 'NOCASE' END \
             FROM sqlite_master m JOIN pragma_table_xinfo(m.name, 'main') c \
             WHERE m.type = 'table' AND lower(m.name) = lower({}) AND m.sql LIKE '%collate%'",
            self.literal(table)
        ))
    }

    fn is_date(&self, sql_type: &str) -> bool {
        // Dates are text here; a number would come before any text.
        !["int", "real", "floa", "doub", "num", "dec"]
            .iter()
            .any(|word| sql_type.to_ascii_lowercase().contains(word))
    }

    fn own_view_sql(&self, _schema: &str, view: &str) -> String {
        format!(
            "SELECT 1 FROM sqlite_master WHERE type = 'view' AND name = {} AND instr(sql, 'dashagg_log_') > 0",
            self.literal(view)
        )
    }

    fn exact(&self, expression: &str, column: &Column) -> String {
        if column.text { format!("({expression}) COLLATE BINARY") } else { expression.to_owned() }
    }

    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        format!("{} IS {}", self.exact(left, column), self.exact(right, column))
    }

    fn cast(&self, expression: &str, _column: &Column) -> String {
        expression.to_owned()
    }

    fn clock_sql(&self) -> &'static str {
        "SELECT (julianday('now') - 2440587.5) * 86400.0"
    }

    fn now(&self) -> &'static str {
        "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    }

    fn scratch_name(&self, _schema: &str, name: &str, _scratch: Scratch) -> String {
        self.qualify("temp", name)
    }

    fn create_scratch(
        &self,
        qualified: &str,
        columns: &str,
        _unique: Option<&str>,
        _scratch: Scratch,
    ) -> String {
        format!("CREATE TABLE {qualified} ({columns})")
    }

    fn scratch_unique_index(&self, qualified: &str, name: &str, columns: &str) -> Option<String> {
        // The schema belongs to the index's name here, not to the table's.
        let table = qualified.trim_start_matches("\"temp\".");
        Some(format!("CREATE UNIQUE INDEX \"temp\".{} ON {table} ({columns})", self.quote(name)))
    }

    fn distinct_sql(&self, table: &str, expressions: &[String], indexed: bool) -> String {
        match expressions {
            [expression] if indexed => jump_distinct(table, expression),
            _ => format!("SELECT DISTINCT {} FROM {table}", expressions.join(", ")),
        }
    }

    fn drop_scratch(&self, qualified: &str, _scratch: Scratch) -> String {
        format!("DROP TABLE IF EXISTS {qualified}")
    }

    fn delete_matching(&self, target: &str, delta: &str, key: &[String], filter: &str) -> String {
        let plain: Vec<String> = key.iter().map(|name| self.quote(name)).collect();
        format!(
            "DELETE FROM {target} WHERE ({}) IN (SELECT {} FROM {delta} d WHERE {filter})",
            plain.join(", "),
            self.keys(key, "d")
        )
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
            assignments.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        format!(
            "UPDATE {target} AS t SET {} FROM {delta} d WHERE {} AND {filter}",
            set.join(", "),
            on_key(self, "t", "d", key)
        )
    }

    fn explain_sql(&self, query: &str) -> Vec<String> {
        vec![format!("EXPLAIN QUERY PLAN {query}")]
    }

    fn replace_view(&self, view: &str, body: &str) -> Vec<String> {
        vec![self.drop_view(view), format!("CREATE VIEW {view} AS {body}")]
    }

    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String {
        let columns: Vec<String> = columns.iter().map(|column| self.quote(column)).collect();
        format!("CREATE INDEX {} ON {} ({})", self.quote(name), table, columns.join(", "))
    }

    fn seconds_before(&self, moment: &str, seconds: f64) -> String {
        format!("strftime('%Y-%m-%d %H:%M:%f', {moment}, '-{seconds} seconds')")
    }

    fn fingerprint_sql(&self, _table: &str, _partition: &[String], _columns: &[Column]) -> Option<String> {
        None
    }

    fn begin_sql(&self, tx: &Tx) -> Option<String> {
        Some(
            match tx {
                Tx::Read | Tx::Stage(_) => "BEGIN DEFERRED",
                // A deferred transaction that turns to writing fails at once with SQLITE_BUSY_SNAPSHOT
                // if anyone committed meanwhile, and no busy time-out helps.
                Tx::Write => "BEGIN IMMEDIATE",
            }
            .to_owned(),
        )
    }
}

/// A connection to a SQLite file.
pub struct Sqlite {
    connection: SqliteConnection,
    server: Server,
    stop: Arc<AtomicBool>,
    lock: Option<File>,
    in_transaction: bool,
}

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

fn translate(error: sqlx::Error, sql: &str) -> DbError {
    let _ = sql;
    DbError::from_driver(error, classify)
}

impl Sqlite {
    /// Opens the file; it is only made if the target says so.
    ///
    /// # Errors
    /// No such file, or not a database.
    pub async fn connect(target: &DatabaseTarget) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::from_str(target.url())
            .map_err(|error| DbError::new(ErrorClass::Connect, error.to_string()))?
            .disable_statement_logging()
            .create_if_missing(target.create_if_missing)
            .busy_timeout(target.lock_timeout)
            .statement_cache_capacity(0);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| {
            let mut error = translate(error, "");
            error.class = ErrorClass::Connect;
            error
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        connection
            .lock_handle()
            .await
            .map_err(|error| translate(error, ""))?
            // Often enough to stop within milliseconds, seldom enough to cost nothing.
            .set_progress_handler(10_000, move || !seen.load(Ordering::Relaxed));
        let mut this = Self {
            connection,
            server: Server {
                product: String::new(),
                database: options.get_filename().display().to_string(),
                schema: "main".to_owned(),
                useful_jobs: 1,
            },
            stop,
            lock: None,
            in_transaction: false,
        };
        let version = this.scalar("SELECT sqlite_version()").await?.unwrap_or_default();
        this.server.product = format!("SQLite {version}");
        // Scratch rows in memory up to the cache, in a private file beyond it.
        this.execute("PRAGMA temp_store = FILE").await?;
        this.execute("PRAGMA cache_size = -16384").await?;
        Ok(this)
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{}-dashagg-{}.lock", self.server.database, &crate::checksum::hex(name)[..12]))
    }
}

text_io!(SqliteDb, SqliteConnection);
probe_io!(SqliteDb, SqliteConnection);

#[async_trait]
impl Engine for Sqlite {
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        execute_on(&mut self.connection, sql, &Rows::default()).await
    }

    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError> {
        for_each_on(&mut self.connection, sql, &Rows::default(), each).await
    }

    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        column_names_on(&mut self.connection, sql).await
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &SQLITE
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn begin(&mut self, tx: Tx) -> Result<(), DbError> {
        if let Some(sql) = SQLITE.begin_sql(&tx) {
            self.execute(&sql).await?;
            self.in_transaction = true;
            if tx != Tx::Write {
                // A deferred transaction has no snapshot until it first reads.
                self.query("SELECT COUNT(*) FROM sqlite_master").await?;
            }
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.in_transaction {
            self.execute("COMMIT").await?;
            self.in_transaction = false;
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        if std::mem::take(&mut self.in_transaction) {
            self.execute("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError> {
        Ok(None)
    }

    async fn try_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let path = self.lock_path(name);
        let problem = |error: std::io::Error| {
            DbError::new(ErrorClass::Denied, format!("lock file {}: {error}", path.display()))
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(problem)?;
        match file.try_lock() {
            Ok(()) => {
                self.lock = Some(file);
                Ok(Some(String::new()))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(problem(error)),
        }
    }

    async fn unlock(&mut self) -> Result<(), DbError> {
        // The file stays: removing it would let two runs lock two different files of one name.
        if let Some(file) = self.lock.take() {
            let _ = file.unlock();
        }
        Ok(())
    }

    async fn is_locked(&mut self, name: &str) -> Result<bool, DbError> {
        // Not a FIFO of somebody else's, which would be waited for.
        let Ok((file, _)) = crate::read::open(&self.lock_path(name)) else {
            return Ok(false);
        };
        Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    async fn end_session(&mut self, _name: &str, _session: &str) -> Result<(), DbError> {
        // The kernel frees a dead process's file lock.
        Ok(())
    }

    async fn another(&self) -> Result<Option<Box<dyn Engine>>, DbError> {
        Ok(None)
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(Stop(Arc::clone(&self.stop)))
    }

    async fn prepare_database(&mut self) -> Result<Option<String>, DbError> {
        let mode = self.scalar("PRAGMA journal_mode").await?.unwrap_or_default();
        if mode == "wal" || mode == "memory" {
            return Ok(None);
        }
        self.query("PRAGMA journal_mode = WAL").await?;
        Ok(Some(format!(
            "journal mode changed from {mode} to wal, so that readers and a refresh do not block each other"
        )))
    }
}

struct Stop(Arc<AtomicBool>);

#[async_trait]
impl Canceller for Stop {
    async fn cancel(&self) -> Result<(), DbError> {
        self.0.store(true, Ordering::Relaxed);
        // Long enough for the running statement to notice; then the roll-back may run.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        self.0.store(false, Ordering::Relaxed);
        Ok(())
    }
}

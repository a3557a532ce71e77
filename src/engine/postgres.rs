//! PostgreSQL 14 to 18, also behind a transaction pooler.
//!
//! A pooler may hand every transaction to another server session, so nothing here outlives a
//! transaction: settings are `SET LOCAL`, locks are transaction-scoped (held by an idle guard
//! transaction on a connection of its own), scratch tables are real tables or `ON COMMIT DROP`.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgSslMode};
use sqlx::{ConnectOptions, Postgres as Pg};

use super::dialect::{LexRules, Scratch, jump_distinct, on_key};
use super::guard::Guard;
use super::postgres_session::{Session, WHO_SQL, dial, hang_up, session_name, stands_alone};
use super::watchdog::{Limits, Rows, Watch, within};
use super::{
    Canceller, Column, DbError, Dialect, Engine, ErrorClass, Listener, Row, Server, Tx, batch_io, probe_io,
    text_io, tls,
};
use crate::catalog::lexer;
use crate::config::{DatabaseTarget, TlsMode};

/// The text side.
pub static POSTGRES: PostgresDialect = PostgresDialect;

/// SQL text of PostgreSQL.
pub struct PostgresDialect;

impl Dialect for PostgresDialect {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn lex_rules(&self) -> LexRules {
        LexRules {
            backslash_escapes: false,
            hash_comments: false,
            dollar_quotes: true,
            double_quoted_strings: false,
        }
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    fn nested_with_sees_shadow(&self) -> bool {
        true
    }

    fn has_schemas(&self) -> bool {
        true
    }

    fn has_materialized_views(&self) -> bool {
        true
    }

    fn as_of(&self, select: &str, moment: &str) -> String {
        let at = format!("(pg_catalog.timestamptz {})", self.literal(moment));
        let tokens = lexer::tokens(select, self.lex_rules());
        let mut out = String::new();
        let mut last = 0;
        for (index, spanned) in tokens.iter().enumerate() {
            let is_call = |words: &[&str]| {
                words.iter().any(|word| spanned.is_word(word))
                    && tokens.get(index + 1).is_some_and(|next| next.is_symbol('('))
                    && tokens.get(index + 2).is_some_and(|next| next.is_symbol(')'))
            };
            let clocks = ["now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"];
            let (text, end) = if is_call(&clocks) {
                (at.clone(), tokens[index + 2].end)
            } else if spanned.is_word("current_timestamp") {
                (at.clone(), spanned.end)
            } else if spanned.is_word("current_date") {
                (format!("({at}::pg_catalog.date)"), spanned.end)
            } else if spanned.is_word("localtimestamp") {
                (format!("({at}::pg_catalog.timestamp)"), spanned.end)
            } else {
                continue;
            };
            out.push_str(&select[last..spanned.start]);
            out.push_str(&text);
            last = end;
        }
        out.push_str(&select[last..]);
        out
    }

    fn among(&self, tuple: &[String], select: &str) -> String {
        match tuple {
            // An array is computed once and reaches the indexes; a subquery does neither.
            [only] => format!("{only} = ANY (ARRAY({select}))"),
            _ => format!("({}) IN ({select})", tuple.join(", ")),
        }
    }

    fn waiting_list(
        &self,
        function: &str,
        view: &str,
        parts: &[&Column],
        select: &str,
    ) -> Option<Vec<String>> {
        let columns: Vec<String> =
            parts.iter().map(|part| format!("{} {}", self.quote(&part.name), self.cast_type(part))).collect();
        let names: Vec<String> = (1..=parts.len()).map(|at| format!("c{at}")).collect();
        let cells: Vec<String> =
            names.iter().zip(parts).map(|(name, part)| self.cast(&format!("w.{name}"), part)).collect();
        Some(vec![
            // STABLE: it sees the snapshot of the statement that calls it, which the view's being right rests on.
            // SECURITY DEFINER: readers of the view have no right on the logs. Its own names are bound now (BEGIN ATOMIC);
            // those of functions that an expression calls are not, hence the search_path. ROWS 1: what is expected of it is that nothing waits. Without jit:
            // its plan has branches over whole tables, which are compiled, and hardly ever run.
            format!(
                "CREATE OR REPLACE FUNCTION {function}() RETURNS TABLE ({}) LANGUAGE sql STABLE SECURITY DEFINER \
                 PARALLEL RESTRICTED ROWS 1 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off BEGIN ATOMIC SELECT DISTINCT {} FROM ({select}) w ({}); END",
                columns.join(", "),
                cells.join(", "),
                names.join(", ")
            ),
            // A view's functions run with the rights of whoever reads it: so may the view's readers, and nobody else.
            format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"),
            format!(
                "DO $dashagg$ DECLARE reader record; BEGIN FOR reader IN SELECT DISTINCT a.grantee FROM pg_catalog.pg_class c \
                 CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a WHERE c.oid = pg_catalog.to_regclass({})::pg_catalog.oid \
                 AND a.privilege_type = 'SELECT' LOOP EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', {}, \
                 CASE WHEN reader.grantee = 0::pg_catalog.oid THEN 'PUBLIC' ELSE \
                 pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(reader.grantee)::pg_catalog.text) END); END LOOP; END $dashagg$",
                self.literal(view),
                self.literal(&format!("{function}()"))
            ),
        ])
    }

    fn grant_waiting_list(&self, function: &str, reader: &str) -> Option<String> {
        Some(format!("GRANT EXECUTE ON FUNCTION {function}() TO {}", self.quote(reader)))
    }

    fn drop_waiting_list(&self, function: &str) -> Option<String> {
        Some(format!("DROP FUNCTION IF EXISTS {function}()"))
    }

    fn explain_sql(&self, query: &str) -> Vec<String> {
        // Without this a small table is read whole although an index could serve.
        vec!["SET LOCAL enable_seqscan = off".to_owned(), format!("EXPLAIN {query}")]
    }

    fn grant_read(&self, schema: &str, table: &str, reader: &str) -> Vec<String> {
        let reader = self.quote(reader);
        vec![
            format!("GRANT USAGE ON SCHEMA {} TO {reader}", self.quote(schema)),
            format!("GRANT SELECT ON {} TO {reader}", self.qualify(schema, table)),
        ]
    }

    fn notify_sql(&self, channel: &str, payload: &str) -> Option<String> {
        Some(format!("SELECT pg_catalog.pg_notify({}, {})", self.literal(channel), self.literal(payload)))
    }

    fn populated_sql(&self, schema: &str, table: &str) -> String {
        format!(
            "SELECT CASE WHEN relispopulated THEN 1 ELSE 0 END FROM pg_catalog.pg_class WHERE oid = {}",
            self.regclass(Some(schema), table)
        )
    }

    fn copy_private(&self, scratch: &str, target: &str, columns: &str) -> String {
        format!("CREATE TEMPORARY TABLE {scratch} ON COMMIT DROP AS SELECT {columns} FROM {target}")
    }

    fn moment_sql(&self) -> &'static str {
        "SELECT pg_catalog.now()::pg_catalog.text"
    }

    fn quote(&self, ident: &str) -> String {
        format!("\"{}\"", ident.replace('"', "\"\""))
    }

    fn literal(&self, text: &str) -> String {
        let quoted = text.replace('\'', "''");
        // With backslashes in a plain literal its end would depend on standard_conforming_strings.
        if text.contains('\\') {
            format!("E'{}'", quoted.replace('\\', "\\\\"))
        } else {
            format!("'{quoted}'")
        }
    }

    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) || \
             CASE WHEN a.attcollation <> 0::pg_catalog.oid AND a.attcollation <> t.typcollation \
             THEN ' COLLATE ' || pg_catalog.quote_ident(n.nspname::pg_catalog.text) || '.' || \
             pg_catalog.quote_ident(c.collname::pg_catalog.text) ELSE '' END, \
             CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 1 ELSE 0 END, \
             CASE WHEN a.attnotnull THEN 0 ELSE 1 END \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation \
             LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
             WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            self.regclass(schema, table)
        )
    }

    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT ic.relname, CASE WHEN i.indisunique THEN 1 ELSE 0 END, \
             CASE WHEN NOT i.indisvalid THEN 2 WHEN i.indpred IS NOT NULL THEN 1 ELSE 0 END, a.attname \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
             CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, ord) \
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0 \
             WHERE i.indrelid = {} AND k.ord <= i.indnkeyatts ORDER BY ic.relname, k.ord",
            self.regclass(schema, table)
        )
    }

    fn bytes_sql(&self, schema: &str, table: &str) -> String {
        format!(
            "SELECT pg_catalog.pg_total_relation_size({}::pg_catalog.regclass)",
            self.regclass(Some(schema), table)
        )
    }

    fn estimated_rows_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT CASE WHEN reltuples < 0 THEN NULL ELSE reltuples::pg_catalog.int8 END FROM pg_catalog.pg_class \
             WHERE oid = {}",
            self.regclass(schema, table)
        )
    }

    fn table_count_sql(&self) -> String {
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = pg_catalog.current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            .to_owned()
    }

    fn tables_like_sql(&self, prefix: &str) -> String {
        format!(
            "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = pg_catalog.current_schema() AND c.relkind = 'r' AND pg_catalog.left(c.relname::pg_catalog.text, {}) = {}",
            prefix.len(),
            self.literal(prefix)
        )
    }

    fn is_text(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["char", "text", "name"].iter().any(|word| lower.contains(word))
    }

    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str> {
        if column.sql_type.to_ascii_lowercase().contains("citext") {
            return Some(&column.sql_type);
        }
        // One that the column names may be non-deterministic; the database's own never is.
        let (_, collation) = column.sql_type.rsplit_once(" COLLATE ")?;
        (!["pg_catalog.\"C\"", "pg_catalog.\"POSIX\""].contains(&collation)).then_some(collation)
    }

    fn loosely(&self, expression: &str, how: &str) -> String {
        if how.to_ascii_lowercase().contains("citext") {
            format!("CAST({expression} AS {how})")
        } else {
            format!("{expression} COLLATE {how}")
        }
    }

    fn own_view_sql(&self, schema: &str, view: &str) -> String {
        format!(
            "SELECT 1 FROM pg_catalog.pg_views WHERE schemaname = {} AND viewname = {} \
             AND (pg_catalog.strpos(definition, 'dashagg_log_') > 0 OR pg_catalog.strpos(definition, 'dashagg_waiting_') > 0)",
            self.literal(schema),
            self.literal(view)
        )
    }

    fn exact(&self, expression: &str, column: &Column) -> String {
        if column.text {
            // A non-deterministic collation may call different strings equal; "C" compares bytes.
            format!("({expression})::pg_catalog.text COLLATE pg_catalog.\"C\"")
        } else {
            expression.to_owned()
        }
    }

    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        format!("{} IS NOT DISTINCT FROM {}", self.exact(left, column), self.exact(right, column))
    }

    fn cast(&self, expression: &str, column: &Column) -> String {
        format!("CAST({expression} AS {})", self.cast_type(column))
    }

    fn clock_sql(&self) -> &'static str {
        "SELECT extract(epoch FROM pg_catalog.clock_timestamp())"
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    fn ledger_columns(&self, columns: &str) -> String {
        // varchar has no operators of its own: whoever may create in a schema of the search_path could make some, and they
        // would be the better match.
        let mut out = String::new();
        let mut rest = columns;
        while let Some((before, after)) = rest.split_once("VARCHAR(") {
            out.push_str(before);
            out.push_str("pg_catalog.text");
            rest = after.split_once(')').map_or("", |(_, rest)| rest);
        }
        out + rest
    }

    fn mend_ledger_sql(&self) -> Option<String> {
        // Not where a live view reads the column: it works as it is, and others may have built on the view.
        Some(
            "DO $dashagg$ DECLARE at record; BEGIN FOR at IN SELECT c.oid::pg_catalog.regclass AS rel, a.attname \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = pg_catalog.current_schema() \
             AND c.relname = ANY (ARRAY['dashagg_source', 'dashagg_print', 'dashagg_set', 'dashagg_script', 'dashagg_summary', \
             'dashagg_state', 'dashagg_run']::pg_catalog.name[]) AND a.attnum > 0 AND NOT a.attisdropped \
             AND a.atttypid = 'pg_catalog.varchar'::pg_catalog.regtype::pg_catalog.oid LOOP \
             BEGIN EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I TYPE pg_catalog.text', at.rel, at.attname); \
             EXCEPTION WHEN feature_not_supported THEN NULL; END; END LOOP; END $dashagg$"
                .to_owned(),
        )
    }

    fn lasting(&self) -> &'static [Scratch] {
        // An index costs more than the rows do, so that only a delta in which rows are looked up has one.
        &[Scratch::Delta, Scratch::LookedUp]
    }

    fn scratch_name(&self, schema: &str, name: &str, scratch: Scratch) -> String {
        match scratch {
            Scratch::Private | Scratch::PrivateLarge => self.qualify("pg_temp", name),
            Scratch::Delta | Scratch::LookedUp | Scratch::Stage => self.qualify(schema, name),
        }
    }

    fn create_scratch(
        &self,
        qualified: &str,
        columns: &str,
        unique: Option<&str>,
        scratch: Scratch,
    ) -> String {
        match scratch {
            Scratch::Private | Scratch::PrivateLarge => {
                format!("CREATE TEMPORARY TABLE {qualified} ({columns}) ON COMMIT DROP")
            }
            // Unlogged: a crash empties it, and a crash also ends the run that could have used it.
            Scratch::Delta | Scratch::LookedUp | Scratch::Stage => {
                let looked_up = unique.filter(|_| scratch != Scratch::Delta);
                let key = looked_up.map(|list| format!(", PRIMARY KEY ({list})")).unwrap_or_default();
                format!("CREATE UNLOGGED TABLE IF NOT EXISTS {qualified} ({columns}{key})")
            }
        }
    }

    fn scratch_unique_index(&self, qualified: &str, name: &str, columns: &str) -> Option<String> {
        Some(format!("CREATE UNIQUE INDEX {} ON {qualified} ({columns})", self.quote(name)))
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
        format!("DELETE FROM {target} t USING {delta} d WHERE {} AND {filter}", on_key(self, "t", "d", key))
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
            "UPDATE {target} t SET {} FROM {delta} d WHERE {} AND {filter}",
            set.join(", "),
            on_key(self, "t", "d", key)
        )
    }

    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String {
        let columns: Vec<String> = columns.iter().map(|column| self.quote(column)).collect();
        format!("CREATE INDEX CONCURRENTLY {} ON {} ({})", self.quote(name), table, columns.join(", "))
    }

    fn leaves_sql(&self, schema: Option<&str>, table: &str) -> Option<String> {
        Some(format!(
            "SELECT i.inhrelid::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_inherits i \
             JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind = 'p' WHERE i.inhparent = {} ORDER BY 1",
            self.regclass(schema, table)
        ))
    }

    fn index_leaves_online(
        &self,
        name: &str,
        table: &str,
        leaves: &[String],
        columns: &[String],
    ) -> Vec<String> {
        let list = columns.iter().map(|column| self.quote(column)).collect::<Vec<_>>().join(", ");
        let part = |leaf: &str| {
            let head: String = name.chars().take(40).collect();
            format!("{head}_{}", &crate::checksum::hex(leaf)[..8])
        };
        // Behind a lock that is waited for, all of the application waits.
        let brief = "SET LOCAL lock_timeout = '5s'; ";
        // The table's own stays unusable until every partition has its part; those are in the table's schema.
        let mut sql =
            vec![format!("{brief}CREATE INDEX IF NOT EXISTS {} ON ONLY {table} ({list})", self.quote(name))];
        for leaf in leaves {
            let own = self.quote(&part(leaf));
            sql.push(format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {own} ON {leaf} ({list})"));
            sql.push(format!("{brief}ALTER INDEX {} ATTACH PARTITION {own}", self.quote(name)));
        }
        sql
    }

    fn drop_broken_index(&self, name: &str) -> Option<String> {
        Some(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.quote(name)))
    }

    fn analyze_scratch(&self, qualified: &str) -> Option<String> {
        // It reads 300 rows per point of the target: 3,000 instead of 30,000, a tenth of the time.
        Some(format!("SET LOCAL default_statistics_target = 10; ANALYZE {qualified}"))
    }

    fn analyze_first(&self, qualified: &str) -> Option<String> {
        Some(format!("ANALYZE {qualified}"))
    }

    fn seconds_before(&self, moment: &str, seconds: f64) -> String {
        format!("CAST({moment} AS pg_catalog.timestamptz) - pg_catalog.interval '{seconds} seconds'")
    }

    fn fingerprint_sql(&self, table: &str, partition: &[String], _columns: &[Column]) -> Option<String> {
        let list = if partition.is_empty() { String::new() } else { format!("{}, ", partition.join(", ")) };
        let group =
            if partition.is_empty() { String::new() } else { format!(" GROUP BY {}", partition.join(", ")) };
        Some(format!(
            "SELECT {list}pg_catalog.count(*), \
             pg_catalog.sum(pg_catalog.hashtextextended(r::pg_catalog.text, 0::pg_catalog.int8)::pg_catalog.numeric), \
             pg_catalog.sum(pg_catalog.hashtextextended(r::pg_catalog.text, 1::pg_catalog.int8)::pg_catalog.numeric) FROM {table} r{group}"
        ))
    }

    fn begin_sql(&self, tx: &Tx) -> Option<String> {
        Some(match tx {
            Tx::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned(),
            Tx::Stage(None) => "BEGIN ISOLATION LEVEL REPEATABLE READ".to_owned(),
            Tx::Stage(Some(token)) => format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT {}",
                self.literal(token)
            ),
            Tx::Write => "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(),
        })
    }
}

impl PostgresDialect {
    /// A column's type without its collation, as CAST wants it.
    fn cast_type<'a>(&self, column: &'a Column) -> &'a str {
        column.sql_type.split(" COLLATE ").next().unwrap_or(&column.sql_type)
    }

    fn regclass(&self, schema: Option<&str>, table: &str) -> String {
        let name = match schema {
            Some(schema) => self.qualify(schema, table),
            None => self.quote(table),
        };
        format!("pg_catalog.to_regclass({})::pg_catalog.oid", self.literal(&name))
    }
}

/// A connection to PostgreSQL.
pub struct Postgres {
    connection: PgConnection,
    options: PgConnectOptions,
    target: DatabaseTarget,
    server: Server,
    version: u32,
    watch: Watch,
    guard: Option<Guard>,
    in_transaction: bool,
    writes: bool,
}

fn classify(code: &str, _message: &str) -> ErrorClass {
    match code {
        "40001" | "40P01" | "55P03" | "57P01" | "57P02" | "57P03" | "53300" => ErrorClass::Transient,
        "57014" | "25P03" => ErrorClass::Interrupted,
        "23505" => ErrorClass::Duplicate,
        "42P01" | "42703" | "3D000" | "3F000" => ErrorClass::Missing,
        "42501" => ErrorClass::Denied,
        "28000" | "28P01" => ErrorClass::Connect,
        _ if code.starts_with("08") => ErrorClass::Transient,
        _ => ErrorClass::Other,
    }
}

pub(super) fn translate(error: sqlx::Error, sql: &str) -> DbError {
    let _ = sql;
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
        options = options.ssl_mode(match target.tls {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
        if let Some(ca) = &target.tls_ca {
            options = options.ssl_root_cert(ca);
        }
        if let (Some(cert), Some(key)) = (&target.tls_cert, &target.tls_key) {
            options = options.ssl_client_cert(cert).ssl_client_key(key);
        }
        let host = options.get_host().to_owned();
        if target.tls == TlsMode::Prefer && !tls::is_local(&host, options.get_socket().is_some()) {
            let modes = [PgSslMode::Require, PgSslMode::Disable];
            return tls::preferred(&host, modes, |mode| {
                Self::open(options.clone().ssl_mode(mode), target.clone())
            })
            .await;
        }
        Self::open(options, target.clone()).await
    }

    async fn open(options: PgConnectOptions, target: DatabaseTarget) -> Result<Self, DbError> {
        let limit = target.connect_timeout;
        within(limit, Self::set_up(options.application_name(&session_name()), target)).await
    }

    async fn set_up(options: PgConnectOptions, target: DatabaseTarget) -> Result<Self, DbError> {
        let limit = target.connect_timeout;
        let connection = dial(&options, limit).await?;
        let session = Arc::new(Session::new(options.clone(), limit));
        let mut this = Self {
            connection,
            options,
            server: Server {
                product: String::new(),
                database: String::new(),
                schema: String::new(),
                useful_jobs: 1,
            },
            version: 0,
            watch: Watch::new(session.clone(), target.display().to_owned(), target.network_timeout),
            guard: None,
            in_transaction: false,
            writes: false,
            target,
        };
        let row = this
            .query(
                "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
                 pg_catalog.current_setting('server_version'), pg_catalog.current_database()::pg_catalog.text, \
                 pg_catalog.current_schema()::pg_catalog.text",
            )
            .await?
            .into_iter()
            .next()
            .unwrap_or_default();
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
        this.version = number;
        let who = this.query(WHO_SQL).await?.into_iter().next().unwrap_or_default();
        if let [Some(pid), Some(began)] = who.as_slice()
            && let Ok(pid) = pid.parse()
        {
            let _ = session.first.set((pid, began.clone()));
        }
        this.server = Server {
            product: format!("PostgreSQL {}", version.split(' ').next().unwrap_or("")),
            database: cell(2).unwrap_or_default(),
            schema,
            useful_jobs: std::thread::available_parallelism().map_or(1, usize::from).min(8),
        };
        Ok(this)
    }

    /// Advisory locks are numbers within the database; the schema keeps two installations apart.
    fn lock_key(&self, name: &str) -> i64 {
        crate::checksum::number(&format!("dashagg:{}:{name}", self.server.schema))
    }

    /// Whether transactions of one connection run in different server sessions. A pooler gives a free session to
    /// whoever asks next: so another connection that begins a transaction gets ours, and we then get another.
    async fn is_pooled(&mut self) -> Result<bool, DbError> {
        let pid = "SELECT pg_catalog.pg_backend_pid()";
        let mut other = Self::open(self.options.clone(), self.target.clone()).await?;
        for _ in 0..3 {
            let ours = self.scalar(pid).await?;
            other.begin(Tx::Read).await?;
            let theirs = other.scalar(pid).await?;
            let again = self.scalar(pid).await?;
            other.rollback().await?;
            if ours == theirs || ours != again {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What every statement runs under, as statements: behind a pooler the next one may run in another session.
    fn settings(&self) -> Vec<String> {
        let mut all: Vec<String> = [
            // First: until then the database's own holds, which may be a short one.
            ("statement_timeout", self.target.statement_timeout.as_millis().to_string()),
            ("lock_timeout", self.target.lock_timeout.as_millis().to_string()),
            ("client_connection_check_interval", "500".to_owned()),
            ("timezone", "'UTC'".to_owned()),
            ("client_min_messages", "warning".to_owned()),
            ("standard_conforming_strings", "on".to_owned()),
        ]
        .iter()
        .map(|(name, value)| format!("SET LOCAL {name} = {value}"))
        .collect();
        if self.version >= 170_000 {
            all.push("SET LOCAL transaction_timeout = 0".to_owned());
        }
        all
    }

    /// The same for a transaction, with what ends it soon after our machine has lost its power or the network.
    fn local_settings(&self) -> String {
        format!(
            "; {}; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL idle_session_timeout = 0; \
             SET LOCAL tcp_keepalives_idle = 20; SET LOCAL tcp_keepalives_interval = 10; \
             SET LOCAL tcp_keepalives_count = 3; SET LOCAL tcp_user_timeout = '30s'",
            self.settings().join("; ")
        )
    }

    /// A statement as it is sent, and the limits that the server does not keep for it. Outside a transaction the settings
    /// go with it in one message, which the server runs as one transaction and a pooler keeps together.
    fn framed(&self, sql: &str) -> (String, Limits) {
        if self.in_transaction {
            return (sql.to_owned(), Limits::default());
        }
        if stands_alone(sql) {
            let (statement, lock) = (self.target.statement_timeout, self.target.lock_timeout);
            return (sql.to_owned(), Limits { statement, lock });
        }
        (format!("{}; {sql}", self.settings().join("; ")), Limits::default())
    }

    /// A statement that begins or ends a transaction.
    async fn control(&mut self, sql: &str) -> Result<(), DbError> {
        let rows = Rows::default();
        let work = execute_on(&mut self.connection, sql, &rows);
        self.watch.over(Limits::default(), &rows, work).await?;
        Ok(())
    }

    /// Whether the lock that this connection has taken is still there, if it has taken one.
    fn still_locked(&self) -> Result<(), DbError> {
        self.guard.as_ref().map_or(Ok(()), Guard::check)
    }
}

text_io!(Pg, PgConnection);
batch_io!(Pg, PgConnection);
probe_io!(Pg, PgConnection);

#[async_trait]
impl Engine for Postgres {
    async fn execute(&mut self, sql: &str) -> Result<u64, DbError> {
        let (sql, limits) = self.framed(sql);
        let rows = Rows::default();
        let work = execute_on(&mut self.connection, &sql, &rows);
        self.watch.over(limits, &rows, work).await
    }

    async fn query_each(&mut self, statements: &[String]) -> Result<Vec<Vec<Row>>, DbError> {
        let mut all = if self.in_transaction { Vec::new() } else { self.settings() };
        let settings = all.len();
        all.extend_from_slice(statements);
        let rows = Rows::default();
        let work = query_each_on(&mut self.connection, &all, &rows);
        let mut answers = self.watch.over(Limits::default(), &rows, work).await?;
        // Each setting has an answer of its own, without rows.
        Ok(answers.split_off(settings.min(answers.len())))
    }

    async fn for_each(&mut self, sql: &str, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), DbError> {
        let (sql, limits) = self.framed(sql);
        let rows = Rows::default();
        let work = for_each_on(&mut self.connection, &sql, &rows, each);
        self.watch.over(limits, &rows, work).await
    }

    async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let (sql, limits) = self.framed(sql);
        let work = column_names_on(&mut self.connection, &sql);
        self.watch.over(limits, &Rows::default(), work).await
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &POSTGRES
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn begin(&mut self, tx: Tx) -> Result<(), DbError> {
        if let Some(sql) = POSTGRES.begin_sql(&tx) {
            self.writes = tx == Tx::Write;
            if self.writes {
                self.still_locked()?;
            }
            // One message: settings cost no round trip of their own.
            self.in_transaction = true;
            let sql = format!("{sql}{}", self.local_settings());
            self.control(&sql).await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.in_transaction && self.writes {
            self.still_locked()?;
        }
        if std::mem::take(&mut self.in_transaction) {
            self.control("COMMIT").await?;
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        // On a lost connection the server does it.
        if std::mem::take(&mut self.in_transaction) && !self.watch.is_broken() {
            self.control("ROLLBACK").await?;
        }
        Ok(())
    }

    async fn export_snapshot(&mut self) -> Result<Option<String>, DbError> {
        self.scalar("SELECT pg_catalog.pg_export_snapshot()").await
    }

    async fn try_lock(&mut self, name: &str) -> Result<Option<String>, DbError> {
        if self.is_locked(name).await? {
            return Ok(None);
        }
        let limit = self.target.connect_timeout;
        // Its own name: what cancels or ends this session by its name must not reach the lock.
        let options = self.options.clone().application_name(&format!("{} lock", session_name()));
        let mut guard = dial(&options, limit).await?;
        // READ COMMITTED, so that the idle transaction holds no snapshot and vacuum goes on.
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED{}; SET LOCAL statement_timeout = 0; \
             SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock({}::pg_catalog.int8) THEN pg_catalog.pg_backend_pid()::pg_catalog.text || ' ' || \
             (SELECT extract(epoch FROM backend_start)::pg_catalog.text FROM pg_catalog.pg_stat_activity \
             WHERE pid = pg_catalog.pg_backend_pid()) END",
            self.local_settings(),
            self.lock_key(name)
        );
        let mut session = None;
        let rows = Rows::default();
        within(
            limit,
            for_each_on(&mut guard, &sql, &rows, &mut |row| session = row.into_iter().next().flatten()),
        )
        .await?;
        match session {
            Some(_) => self.guard = Some(Guard::keep(guard, "ROLLBACK".to_owned(), limit)),
            None => hang_up(guard).await,
        }
        Ok(session)
    }

    async fn unlock(&mut self) -> Result<(), DbError> {
        match self.guard.take() {
            Some(guard) => guard.release().await,
            None => Ok(()),
        }
    }

    async fn is_locked(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self.scalar(&holder_sql(self.lock_key(name))).await?.is_some())
    }

    async fn end_session(&mut self, name: &str, session: &str) -> Result<(), DbError> {
        let Some((pid, began)) = session.split_once(' ') else { return Ok(()) };
        let Ok(pid) = pid.parse::<u32>() else { return Ok(()) };
        // One statement: a number that another session got meanwhile has another beginning.
        let sql = format!(
            "SELECT pg_catalog.pg_terminate_backend(holder.pid) FROM ({}) holder \
             JOIN pg_catalog.pg_stat_activity a ON a.pid = holder.pid \
             WHERE a.pid = {pid} AND extract(epoch FROM a.backend_start)::pg_catalog.text = {}",
            holder_sql(self.lock_key(name)),
            POSTGRES.literal(began)
        );
        self.query(&sql).await?;
        Ok(())
    }

    async fn another(&self) -> Result<Option<Box<dyn Engine>>, DbError> {
        Ok(Some(Box::new(Self::open(self.options.clone(), self.target.clone()).await?)))
    }

    async fn listener(&mut self, channels: &[String]) -> Result<Option<Box<dyn Listener>>, DbError> {
        // LISTEN through a transaction pooler stays with a server session that others get next: never send it there.
        if self.is_pooled().await? {
            return Ok(None);
        }
        let limit = self.target.connect_timeout;
        let options = self.options.clone().application_name(&session_name());
        let opening = async {
            let pool = sqlx::postgres::PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(limit)
                .connect_with(options)
                .await
                .map_err(|error| translate(error, ""))?;
            let mut listener = PgListener::connect_with(&pool).await.map_err(|error| translate(error, ""))?;
            let names = channels.iter().map(String::as_str);
            listener.listen_all(names).await.map_err(|error| translate(error, ""))?;
            Ok(listener)
        };
        Ok(Some(Box::new(Ears(within(limit, opening).await?))))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.watch.probe()
    }
}

/// An advisory lock's 64-bit key is shown in two halves.
fn holder_sql(key: i64) -> String {
    let bits = key as u64;
    format!(
        "SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND classid = {}::pg_catalog.oid AND objid = {}::pg_catalog.oid \
         AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        bits >> 32,
        bits & 0xffff_ffff
    )
}

struct Ears(PgListener);

#[async_trait]
impl Listener for Ears {
    async fn wait(&mut self) -> Result<(), DbError> {
        // `None`: the connection was lost and made anew; something may have been said meanwhile.
        self.0.try_recv().await.map(|_| ()).map_err(|error| translate(error, ""))
    }
}

//! Databases, a plain SQL client and the `dashagg` command, for the integration tests; and what runs them.
//!
//! The client shares no code with `dashagg`: a test that asks the tool whether the tool was right proves nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    missing_docs
)]

use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, Hasher};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, PgConnection, Row, SqliteConnection};
use tokio::runtime::Runtime;

pub mod bouncer;
pub mod harness;
pub mod private;
pub mod servers;
pub mod small;

use servers::Server;

/// A dialect: what several servers of the list may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Mariadb,
    Postgres,
    Sqlite,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Mariadb, Kind::Postgres, Kind::Sqlite];

    /// In names of tests, where no server has one.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mariadb => "mariadb",
            Kind::Postgres => "postgres",
            Kind::Sqlite => "sqlite",
        }
    }
}

/// One empty database of its own per test, dropped at the end, but kept and named when the test fails (as long as its
/// server lives: `tests/run --serve`).
pub struct TestDb {
    pub kind: Kind,
    pub url: String,
    /// Where it is, and what the test may ask of that server.
    pub server: &'static Server,
    name: String,
    dir: tempfile::TempDir,
}

impl TestDb {
    /// On the server of this kind whose turn it is.
    pub fn new(kind: Kind) -> Self {
        let server = harness::server(kind);
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "dashagg_test_{}_{}_{:08x}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed),
            // RandomState is seeded by the system: random enough for a name, without one more crate.
            RandomState::new().build_hasher().finish() as u32,
        );
        let dir = tempfile::Builder::new().prefix("dashagg-test-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("cwd")).unwrap();
        let url = match kind {
            Kind::Sqlite => {
                let url = format!("sqlite://{}/{name}.db", dir.path().display());
                let options = SqliteConnectOptions::from_str(&url).unwrap();
                runtime()
                    .block_on(async { options.create_if_missing(true).connect().await?.close().await })
                    .unwrap();
                url
            }
            _ => {
                server.admin().exec(&format!("CREATE DATABASE {name}"));
                format!("{}{name}", server.url)
            }
        };
        TestDb { kind, url, server, name, dir }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A folder of the test's own, for configuration files, sets and the like.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A connection that stays open, for transactions; usable from another thread.
    pub fn client(&self) -> Client {
        Client::connect(self.kind, &self.url)
    }

    /// Runs one or more statements on a connection of their own.
    pub fn exec(&self, sql: &str) {
        self.client().exec(sql);
    }

    pub fn try_exec(&self, sql: &str) -> Result<(), String> {
        self.client().try_exec(sql)
    }

    /// Every value as the database's text, NULL as `NULL`.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.client().rows(sql)
    }

    /// The single value of a query that gives one row of one column.
    pub fn one(&self, sql: &str) -> String {
        self.client().one(sql)
    }

    /// `dashagg -D <this database>`.
    pub fn dashagg(&self) -> Dashagg {
        self.dashagg_without_url().args(["-D", &self.url])
    }

    /// For tests of the configuration: nothing says which database, and no file is found by accident.
    pub fn dashagg_without_url(&self) -> Dashagg {
        Dashagg::new(&self.dir.path().join("cwd"))
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::thread::panicking() && !harness::skipping() {
            self.dir.disable_cleanup(true);
            println!("kept for a look: {}", self.url);
            println!("kept for a look: {}", self.dir.path().display());
            return;
        }
        let dropped = match self.kind {
            Kind::Sqlite => Ok(()),
            // A connection that a test left open may hold a metadata lock: report it, do not wait for a day.
            Kind::Mariadb => self
                .server
                .admin()
                .try_exec(&format!("SET lock_wait_timeout = 10; DROP DATABASE IF EXISTS {}", self.name)),
            Kind::Postgres => {
                self.server.admin().try_exec(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))
            }
        };
        if let Err(e) = dropped {
            println!("could not drop {}: {e}", self.name);
        }
    }
}

enum Conn {
    Mariadb(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// A blocking connection. The tests are plain threads; each client brings its own small runtime.
pub struct Client {
    // Before the runtime: SQLite's connection and the sockets are closed while it still exists.
    conn: Conn,
    runtime: Runtime,
}

// Only text goes over the wire (simple protocol), so one decoding does for all types. Unchecked, because a DECIMAL's
// text is no String to sqlx.
macro_rules! text_rows {
    ($rt:expr, $conn:expr, $sql:expr) => {
        $rt.block_on(sqlx::raw_sql(AssertSqlSafe($sql)).fetch_all($conn)).map(|rows| {
            rows.iter()
                .map(|row| {
                    (0..row.len())
                        .map(|i| {
                            row.try_get_unchecked::<Option<String>, _>(i)
                                .unwrap_or_else(|e| panic!("column {i} is not text: {e}"))
                                .unwrap_or_else(|| "NULL".into())
                        })
                        .collect()
                })
                .collect()
        })
    };
}

impl Client {
    /// Without TLS, and with the server's defaults where sqlx would set its own: as a DBA's console sees the database.
    pub fn connect(kind: Kind, url: &str) -> Self {
        Self::try_connect(kind, url).unwrap_or_else(|e| panic!("cannot connect to {url}: {e}"))
    }

    pub fn try_connect(kind: Kind, url: &str) -> Result<Self, String> {
        let runtime = runtime();
        let conn = runtime.block_on(async {
            Ok::<_, sqlx::Error>(match kind {
                Kind::Mariadb => Conn::Mariadb(
                    MySqlConnectOptions::from_str(url)?
                        .ssl_mode(MySqlSslMode::Disabled)
                        .pipes_as_concat(false)
                        .no_engine_substitution(false)
                        .timezone(None)
                        .connect()
                        .await?,
                ),
                Kind::Postgres => Conn::Postgres(
                    PgConnectOptions::from_str(url)?
                        .ssl_mode(PgSslMode::Disable)
                        .extra_float_digits(None)
                        .connect()
                        .await?,
                ),
                Kind::Sqlite => Conn::Sqlite(SqliteConnectOptions::from_str(url)?.connect().await?),
            })
        });
        match conn {
            Ok(conn) => Ok(Client { conn, runtime }),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Runs one or more statements.
    #[track_caller]
    pub fn exec(&mut self, sql: &str) {
        if let Err(e) = self.try_exec(sql) {
            panic!("{e}\nin: {sql}");
        }
    }

    pub fn try_exec(&mut self, sql: &str) -> Result<(), String> {
        // Rows are read and forgotten: a SELECT is a statement too.
        let query = sqlx::raw_sql(AssertSqlSafe(sql));
        match &mut self.conn {
            Conn::Mariadb(c) => self.runtime.block_on(query.execute(c)).map(drop),
            Conn::Postgres(c) => self.runtime.block_on(query.execute(c)).map(drop),
            Conn::Sqlite(c) => self.runtime.block_on(query.execute(c)).map(drop),
        }
        .map_err(|e| e.to_string())
    }

    #[track_caller]
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(sql).unwrap_or_else(|e| panic!("{e}\nin: {sql}"))
    }

    pub fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        match &mut self.conn {
            Conn::Mariadb(c) => text_rows!(self.runtime, c, sql),
            Conn::Postgres(c) => text_rows!(self.runtime, c, sql),
            Conn::Sqlite(c) => text_rows!(self.runtime, c, sql),
        }
        .map_err(|e| e.to_string())
    }

    #[track_caller]
    pub fn one(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        match rows.as_slice() {
            [row] if row.len() == 1 => row[0].clone(),
            _ => panic!("expected one value, got {rows:?}\nin: {sql}"),
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The built command, in an environment where nothing of the developer's own reaches it.
pub struct Dashagg(Command);

impl Dashagg {
    pub fn new(cwd: &Path) -> Self {
        Self::within(env!("CARGO_BIN_EXE_dashagg"), cwd)
    }

    /// Another program in the same environment, which is to run the command.
    pub fn within(program: &str, cwd: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(cwd).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("DASHAGG_")
                || name.starts_with("PG")
                || ["DATABASE_URL", "FAILPOINTS", "RUST_LOG", "NO_COLOR"].contains(&&*name)
            {
                command.env_remove(&key);
            }
        }
        Dashagg(command)
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }

    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.0.env_remove(key);
        self
    }

    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.0.current_dir(dir);
        self
    }

    #[track_caller]
    pub fn run(mut self) -> Output {
        let start = Instant::now();
        let out = self.0.output().expect("dashagg does not start");
        let command = [self.0.get_program()]
            .into_iter()
            .chain(self.0.get_args())
            .collect::<Vec<_>>()
            .join(OsStr::new(" "));
        Output {
            // As a shell reports it: 128 + signal.
            code: out.status.code().unwrap_or_else(|| 128 + out.status.signal().unwrap_or(0)),
            stdout: String::from_utf8(out.stdout).expect("stdout is not UTF-8"),
            stderr: String::from_utf8(out.stderr).expect("stderr is not UTF-8"),
            seconds: start.elapsed().as_secs_f64(),
            command,
        }
    }

    /// Both streams are pipes: read them, or use `wait_with_output`.
    pub fn spawn(mut self) -> Child {
        self.0.spawn().expect("dashagg does not start")
    }
}

#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub seconds: f64,
    command: OsString,
}

impl Output {
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert!(
            self.code == expected,
            "{}: exit code {}, expected {expected}\n--- stdout\n{}\n--- stderr\n{}",
            self.command.display(),
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!("stdout is not JSON: {e}\n{}\n--- stderr\n{}", self.stdout, self.stderr)
        })
    }
}

/// Copies the bundled set `name` to `to/<name>`, for a test that edits it and runs with `--sql-dir to`.
pub fn copy_set(name: &str, to: &Path) -> PathBuf {
    let target = to.join(name);
    copy_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(name), &target);
    target
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// One test body, one test for each listed server: `conformance!(name, |db: &TestDb| { … });` gives `name::mariadb`,
/// `name::postgres`, `name::sqlite` and what else is listed, so that no engine can be forgotten and a failure names its own.
macro_rules! conformance {
    ($name:ident, $body:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn check(db: &$crate::common::TestDb) {
                let body: fn(&$crate::common::TestDb) = $body;
                body(db);
            }

            ::inventory::submit! { $crate::common::harness::Case {
                path: module_path!(),
                run: $crate::common::harness::Run::Each(check),
            } }
        }
    };
}
#[allow(unused_imports)]
pub(crate) use conformance;

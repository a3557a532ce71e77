//! The servers that the tests run against: a list, not one of each kind.
//!
//! `DASHAGG_TEST_SERVERS` holds it, or names a file that does: one server a line (or between `;`), as `tests/run` writes it:
//!
//! ```text
//! mariadb          mysql://user:password@127.0.0.1:3306/     socket=/run/mysqld.sock pid=17 ca=/tls/ca.pem other_ca=/tls/other.pem
//! postgres-14      postgres://user:password@127.0.0.1:5432/
//! postgres-pooled  postgres://user:password@127.0.0.1:6432/  pooler only=sets::,matrix::single_statements
//! ```
//!
//! The user may make databases and users. What stands behind the URL is optional, and a test that needs more than is there
//! is skipped for that reason: `socket`, `pid`, `ca` (signed the server's certificate) with `other_ca` (did not), `bin`
//! (the folder of its programs), `pooler` (in
//! transaction mode: no session of one's own). `only` takes the tests whose names hold one of these texts, instead of all.
//!
//! A database of which the list has no server fails its tests; with `DASHAGG_TEST_PARTIAL=1` it skips them. SQLite needs no
//! server and is always there.

use std::sync::OnceLock;

use super::{Client, Kind, harness};

/// One server, or SQLite.
pub struct Server {
    /// The end of the names of its tests.
    pub name: String,
    /// The dialect that it speaks.
    pub kind: Kind,
    /// Without a database; empty for SQLite.
    pub url: String,
    socket: Option<String>,
    pid: Option<u32>,
    ca: Option<String>,
    other_ca: Option<String>,
    bin: Option<String>,
    pooler: bool,
    only: Vec<String>,
    about: OnceLock<About>,
}

/// What the server says it is.
pub struct About {
    /// `MariaDB`, `MySQL`, `PostgreSQL` or `SQLite`.
    pub product: &'static str,
    /// As the server spells it, without the packager's part.
    pub version: String,
}

impl Server {
    fn new(name: &str, kind: Kind, url: &str) -> Self {
        Server {
            name: name.to_owned(),
            kind,
            url: url.to_owned(),
            socket: None,
            pid: None,
            ca: None,
            other_ca: None,
            bin: None,
            pooler: false,
            only: Vec::new(),
            about: OnceLock::new(),
        }
    }

    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let url = words.next().ok_or_else(|| format!("{name} has no URL"))?;
        let kind = match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("mysql") => Kind::Mariadb,
            Some("postgres") => Kind::Postgres,
            _ => return Err(format!("{name}: the URL begins with neither mysql:// nor postgres://")),
        };
        if !url.ends_with('/') {
            return Err(format!("{name}: the URL names a database: tests make their own; end it with /"));
        }
        let mut server = Server::new(name, kind, url);
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "socket" => server.socket = Some(value.to_owned()),
                "pid" => server.pid = Some(value.parse().map_err(|_| format!("{name}: pid={value}"))?),
                "ca" => server.ca = Some(value.to_owned()),
                "other_ca" => server.other_ca = Some(value.to_owned()),
                "bin" => server.bin = Some(value.to_owned()),
                "pooler" => server.pooler = true,
                "only" => server.only = value.split(',').map(str::to_owned).collect(),
                _ => return Err(format!("{name}: {key} is not known")),
            }
        }
        Ok(server)
    }

    /// Whether a test of this name is for this server.
    pub fn takes(&self, test: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| test.contains(part.as_str()))
    }

    /// A connection outside of the test databases, to create and drop them.
    pub fn admin(&self) -> Client {
        self.try_admin().unwrap_or_else(|e| panic!("cannot connect to {}: {e}", self.name))
    }

    fn try_admin(&self) -> Result<Client, String> {
        match self.kind {
            Kind::Mariadb => Client::try_connect(self.kind, &self.url),
            Kind::Postgres => Client::try_connect(self.kind, &format!("{}postgres", self.url)),
            Kind::Sqlite => Client::try_connect(self.kind, "sqlite::memory:"),
        }
    }

    /// Asked from the server once.
    pub fn about(&self) -> &About {
        self.about.get_or_init(|| self.ask().unwrap_or_else(|e| panic!("{}: {e}", self.name)))
    }

    fn ask(&self) -> Result<About, String> {
        let sql = match self.kind {
            Kind::Mariadb => "SELECT VERSION()",
            Kind::Postgres => "SHOW server_version",
            Kind::Sqlite => "SELECT sqlite_version()",
        };
        let said = self.try_admin()?.try_rows(sql)?.concat().concat();
        let product = match self.kind {
            Kind::Mariadb if said.contains("MariaDB") => "MariaDB",
            Kind::Mariadb => "MySQL",
            Kind::Postgres => "PostgreSQL",
            Kind::Sqlite => "SQLite",
        };
        let version = said.split(['-', ' ']).next().unwrap_or_default().to_owned();
        Ok(About { product, version })
    }

    /// `postgres-pooled: PostgreSQL 15.8, behind a pooler`.
    pub fn describe(&self) -> String {
        let About { product, version } = self.about();
        let pooled = if self.pooler { ", behind a pooler" } else { "" };
        format!("{}: {product} {version}{pooled}", self.name)
    }

    /// Skips the test if the path of the server's socket is not known.
    pub fn socket(&self) -> &str {
        self.socket.as_deref().unwrap_or_else(|| self.lacks("a socket whose path is known"))
    }

    /// Skips the test if the server's process is not known.
    pub fn pid(&self) -> u32 {
        self.pid.unwrap_or_else(|| self.lacks("a process whose number is known"))
    }

    /// The authority that signed the server's certificate, and another one; skips the test if they are not known.
    pub fn authorities(&self) -> (&str, &str) {
        match (&self.ca, &self.other_ca) {
            (Some(ca), Some(other)) => (ca, other),
            _ => self.lacks("a certificate whose authority is known"),
        }
    }

    /// A program that came with the server; skips the test if there is none.
    pub fn program(&self, name: &str) -> std::path::PathBuf {
        let beside = self.bin.as_ref().map(|bin| std::path::Path::new(bin).join(name));
        beside.filter(|path| path.is_file()).unwrap_or_else(|| self.lacks(&format!("a {name} of its own")))
    }

    /// Skips the test if users that it makes cannot come in: a pooler has its own list of them.
    pub fn needs_users(&self) {
        if self.pooler {
            self.lacks("users that are made while it runs");
        }
    }

    /// Skips the test if transactions of one connection may run in different sessions: it sets what only its own session
    /// sees, ends sessions by a name that pooled ones share, or waits for one to end with its connection.
    pub fn needs_sessions(&self) {
        if self.pooler {
            self.lacks("a session for each connection");
        }
    }

    /// Skips the test if no other database can subscribe to one of this server.
    pub fn needs_logical_replication(&self) {
        if self.pooler || self.admin().one("SHOW wal_level") != "logical" {
            self.lacks("wal_level = logical");
        }
    }

    /// Skips the test if the server has no such global setting.
    pub fn needs_setting(&self, setting: &str) {
        let there = format!("SHOW GLOBAL VARIABLES LIKE '{setting}'");
        if self.kind != Kind::Mariadb || self.admin().rows(&there).is_empty() {
            self.lacks(&format!("the setting {setting}"));
        }
    }

    /// Skips the test on servers of this dialect that are another product.
    pub fn needs_product(&self, product: &str, kind: Kind) {
        if self.kind == kind && self.about().product != product {
            harness::skip(format!("{} is not {product}", self.name));
        }
    }

    fn lacks(&self, what: &str) -> ! {
        harness::skip(format!("{} lacks {what}", self.name))
    }
}

/// All servers, in the order of the list; SQLite is the last.
pub fn list() -> &'static [Server] {
    static LIST: OnceLock<Vec<Server>> = OnceLock::new();
    LIST.get_or_init(|| {
        read().unwrap_or_else(|e| {
            eprintln!("error: DASHAGG_TEST_SERVERS: {e}");
            std::process::exit(2);
        })
    })
}

fn read() -> Result<Vec<Server>, String> {
    let mut text = std::env::var("DASHAGG_TEST_SERVERS").unwrap_or_default();
    if !text.is_empty() && !text.contains("://") {
        text = std::fs::read_to_string(&text).map_err(|e| format!("{text}: {e}"))?;
    }
    let lines =
        text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut servers = lines.map(Server::parse).collect::<Result<Vec<_>, _>>()?;
    servers.push(Server::new("sqlite", Kind::Sqlite, ""));
    for (at, server) in servers.iter().enumerate() {
        if servers[..at].iter().any(|other| other.name == server.name) {
            return Err(format!("{} is there twice", server.name));
        }
    }
    Ok(servers)
}

/// Those of this kind that are for the test of this name.
pub fn of(kind: Kind, test: &str) -> impl Iterator<Item = &'static Server> {
    list().iter().filter(move |server| server.kind == kind && server.takes(test))
}

/// No server of this kind for this test. A failure: a test that did not run has not passed. A skip only if the list is
/// meant to be a part.
pub fn missing(kind: Kind) -> ! {
    let (product, package) = match kind {
        Kind::Mariadb => ("MySQL or MariaDB", "mariadb-server"),
        Kind::Postgres => ("PostgreSQL", "postgresql"),
        Kind::Sqlite => ("SQLite", ""),
    };
    if partial() {
        harness::skip(format!("no {product} for it in the list of servers"));
    }
    panic!(
        "DASHAGG_TEST_SERVERS lists no {product}: run `tests/run` (it installs {package} with \
         `apt-get install {package}` and starts a private one)"
    );
}

/// A program that the test starts itself is not there; its package has the same name.
pub fn no_program(name: &str, error: &std::io::Error) -> ! {
    if partial() {
        harness::skip(format!("no {name} here"));
    }
    panic!("{name}: {error}: apt-get install {name}, or use tests/run");
}

/// Whether the list is meant to be a part of what there is: `tests/run --fast`, `--pooled`.
pub fn partial() -> bool {
    std::env::var_os("DASHAGG_TEST_PARTIAL").is_some_and(|value| value == "1")
}

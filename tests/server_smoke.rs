//! Proves the test helpers themselves: when this fails, believe no other failure.
#![allow(clippy::unwrap_used)]

use std::str::FromStr;

use crate::common::servers::About;
use crate::common::{Client, Kind, TestDb, conformance, harness};
use crate::small;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, amount DECIMAL(12,2), day DATE, note VARCHAR(40));
    INSERT INTO t VALUES (1, -12.50, '2025-03-01', 'Größe'), (2, NULL, NULL, NULL), (3, 0.10, '2024-02-29', '')";

conformance!(values_come_back_as_text, |db: &TestDb| {
    db.exec(TABLE);
    // SQLite has no DECIMAL: its REAL drops the last zero.
    let (a, b) = match db.kind {
        Kind::Sqlite => ("-12.5", "0.1"),
        _ => ("-12.50", "0.10"),
    };
    assert_eq!(
        db.rows("SELECT id, amount, day, note FROM t ORDER BY id"),
        [["1", a, "2025-03-01", "Größe"], ["2", "NULL", "NULL", "NULL"], ["3", b, "2024-02-29", ""],]
    );
    assert_eq!(db.one("SELECT COUNT(*) FROM t"), "3");
});

conformance!(errors_are_returned, |db: &TestDb| {
    let error = db.try_exec("SELECT * FROM no_such_table").unwrap_err();
    assert!(error.contains("no_such_table"), "{error}");
    db.exec(TABLE);
    assert!(db.try_exec("INSERT INTO t (id) VALUES (1)").is_err());
});

conformance!(a_client_holds_its_transaction, |db: &TestDb| {
    db.exec(TABLE);
    let mut writer = db.client();
    writer.exec("BEGIN");
    writer.exec("DELETE FROM t WHERE id = 2");
    let inside = std::thread::spawn(move || {
        let n = writer.one("SELECT COUNT(*) FROM t");
        (n, writer)
    });
    let (n, mut writer) = inside.join().unwrap();
    assert_eq!(n, "2");
    assert_eq!(db.one("SELECT COUNT(*) FROM t"), "3");
    writer.exec("COMMIT");
    assert_eq!(db.one("SELECT COUNT(*) FROM t"), "2");
});

conformance!(a_database_is_gone_afterwards, |db: &TestDb| {
    let other = TestDb::new(db.kind);
    let (url, dir) = (other.url.clone(), other.dir().to_path_buf());
    assert!(Client::try_connect(db.kind, &url).is_ok());
    drop(other);
    assert!(Client::try_connect(db.kind, &url).is_err());
    assert!(!dir.exists());
});

/// Verify-full against the right authority works, against another one it does not.
#[test]
fn servers_speak_tls() {
    let (maria, pg) = (TestDb::new(Kind::Mariadb), TestDb::new(Kind::Postgres));
    let ((ca, other), (pg_ca, pg_other)) = (maria.server.authorities(), pg.server.authorities());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for host in ["127.0.0.1", "localhost"] {
            let my = MySqlConnectOptions::from_str(&maria.url).unwrap().host(host);
            let my = my.ssl_mode(MySqlSslMode::VerifyIdentity);
            let pg = PgConnectOptions::from_str(&pg.url).unwrap().host(host);
            let pg = pg.ssl_mode(PgSslMode::VerifyFull);
            my.clone().ssl_ca(ca).connect().await.unwrap().close().await.unwrap();
            pg.clone().ssl_root_cert(pg_ca).connect().await.unwrap().close().await.unwrap();
            assert!(my.ssl_ca(other).connect().await.is_err());
            assert!(pg.ssl_root_cert(pg_other).connect().await.is_err());
        }
    });
}

/// The socket paths and process ids are what they say they are.
#[test]
fn sockets_and_process_ids() {
    for db in [Kind::Mariadb, Kind::Postgres] {
        let server = TestDb::new(db).server;
        std::os::unix::net::UnixStream::connect(server.socket()).unwrap();
        let pid = server.pid();
        // One that was built for another release is started by a loader of its own.
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let programs: &[&str] = match db {
            Kind::Mariadb => &["mariadbd", "mysqld"],
            _ => &["postgres"],
        };
        let is_program = |word: &str| programs.iter().any(|name| word.rsplit('/').next() == Some(name));
        assert!(line.split('\0').any(|word| is_program(word.trim_end_matches(".real"))), "{line}");
    }
}

#[test]
fn the_command_starts() {
    let db = TestDb::new(Kind::Sqlite);
    db.dashagg_without_url().arg("--version").run().ok();
}

/// A file that no `mod` line names would take its tests with it, unseen.
#[test]
fn every_test_that_is_written_is_here() {
    fn written(dir: &std::path::Path, count: &mut usize) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let programs = ["attribute", "common", "primary_keys.rs", "tests/settings.rs", "stress.rs"];
            if programs.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                written(&path, count);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                *count += text
                    .lines()
                    .filter(|line| *line == "#[test]" || line.starts_with("conformance!("))
                    .count();
            }
        }
    }
    let mut count = 0;
    written(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut count);
    assert!(count > 300, "only {count}: is this test looking at the right folder?");
    assert_eq!(inventory::iter::<crate::common::harness::Case>.into_iter().count(), count);
}

/// This program once more, with another list of servers; its exit code and what it says.
fn with_servers(list: &str, partial: bool, tests: &[&str]) -> (Option<i32>, String) {
    let mut program = std::process::Command::new(std::env::current_exe().unwrap());
    program.args(tests).env("DASHAGG_TEST_SERVERS", list).env_remove("DASHAGG_TEST_REPORT");
    program.env("DASHAGG_TEST_PARTIAL", if partial { "1" } else { "" });
    let out = program.output().unwrap();
    (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
}

/// A test that did not run has not passed.
#[test]
fn without_its_server_a_test_fails_or_is_counted_as_skipped() {
    let tests = [
        "--exact",
        "readme::the_rights_are_enough_on_mariadb",
        "cli::partitions_are_read_strictly::postgres",
    ];
    let (code, said) = with_servers("", false, &tests);
    assert_eq!(code, Some(101), "{said}");
    assert!(
        said.contains("apt-get install mariadb-server") && said.contains("apt-get install postgresql"),
        "{said}"
    );
    assert!(said.contains("0 passed; 2 failed"), "{said}");
    let (code, said) = with_servers("", true, &tests);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("0 passed; 0 failed; 2 ignored"), "{said}");
    assert!(said.contains("skipped: no PostgreSQL for it in the list of servers: 1"), "{said}");
    let (code, said) = with_servers("here postgres://localhost/app", false, &tests);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("here: the URL names a database"), "{said}");
}

/// Tests of both kinds have a turn on each server, and one that a server cannot carry is skipped there only.
#[test]
fn a_second_server_of_a_dialect_has_every_turn_postgres() {
    let first = TestDb::new(Kind::Postgres).server;
    first.needs_sessions();
    let list = format!("one {url}; two {url} pooler", url = first.url);
    let tests =
        ["server_smoke::errors_are_returned", "live::a_reader_may_read_the_live_view_and_nothing_else"];
    let (code, said) = with_servers(&list, true, &tests);
    assert_eq!(code, Some(0), "{said}");
    for line in ["errors_are_returned::one ", "errors_are_returned::two ", "4 passed; 0 failed; 1 ignored"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let About { product, version } = first.about();
    assert!(said.contains(&format!("server: one: {product} {version}: 2\n")), "{said}");
    assert!(said.contains(&format!("server: two: {product} {version}, behind a pooler: 1\n")), "{said}");
    assert!(said.contains("skipped: two lacks a session for each connection: 1"), "{said}");
}

/// Accounts may log in by plugins that the driver does not know; MariaDB's own defaults change with its versions.
#[test]
fn an_unknown_way_to_log_in_is_named() {
    let db = TestDb::new(Kind::Mariadb);
    db.server.needs_users();
    let name = format!("login_{}", db.name().rsplit('_').next().unwrap());
    let mut tried = 0;
    for (plugin, made) in [
        (
            "client_ed25519",
            format!("CREATE USER '{name}'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')"),
        ),
        ("parsec", format!("CREATE USER '{name}'@'%' IDENTIFIED VIA parsec USING PASSWORD('secret')")),
    ] {
        // Not every server has every plugin.
        if db.try_exec(&made).is_err() {
            continue;
        }
        tried += 1;
        let (_, place) = db.url.rsplit_once('@').unwrap();
        let output = small::dashagg(&db)
            .env("DASHAGG_DATABASE_URL", format!("mysql://{name}:secret@{place}"))
            .arg("status")
            .run()
            .code(1);
        db.exec(&format!("DROP USER '{name}'@'%'"));
        assert!(output.stderr.contains(&format!("logs in by {plugin}, which")), "{}", output.stderr);
        assert!(output.stderr.contains("mysql_native_password"), "{}", output.stderr);
    }
    if tried == 0 {
        harness::skip(format!("{} lacks the plugins ed25519 and parsec", db.server.name));
    }
}

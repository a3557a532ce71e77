//! Proves the test helpers themselves: when this fails, believe no other failure.
#![allow(clippy::unwrap_used)]

use std::str::FromStr;

use crate::common::{Client, Kind, TestDb, conformance};
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
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        let expected = match db {
            Kind::Mariadb => ["mariadbd", "mysqld"].contains(&name.trim()),
            _ => name.trim() == "postgres",
        };
        assert!(expected, "{name}");
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
            let programs = ["attribute", "common", "primary_keys.rs", "stress.rs"];
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

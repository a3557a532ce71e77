//! Nothing waits for ever: locks of others, time-outs outside of transactions, connections that are refused.

use std::path::PathBuf;

use crate::common::{Client, Kind, TestDb};
use crate::own::write_set;
use crate::run::{Run, wait_until};
use crate::sample::{assert_right, built, cents};

/// Far beyond what the time-outs below allow; who waits for ever waits longer.
const STATED: f64 = 40.0;

fn config(db: &TestDb) -> PathBuf {
    let path = db.dir().join("timeouts.toml");
    std::fs::write(&path, "[database]\nlock_timeout = \"1s\"\n[run]\nretries = 1\n").unwrap();
    path
}

/// A session that has the table to itself.
fn locked(db: &TestDb, table: &str) -> Client {
    let mut client = db.client();
    client.exec(&match db.kind {
        Kind::Mariadb => format!("LOCK TABLES {table} WRITE"),
        _ => format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
    });
    client
}

fn behind(kind: Kind, table: &str, verbs: &[&[&str]]) {
    let db = &TestDb::new(kind);
    built(db, 1_000);
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 5", cents(db, 100)));
    let config = config(db);
    let blocker = locked(db, table);
    for verb in verbs {
        let output = db.dashagg().arg("--config").arg(&config).args(*verb).run();
        assert!(output.seconds < STATED, "{output:?}");
        // One that needs nothing of that table is welcome to succeed.
        if output.code != 0 {
            assert_eq!(output.code, 1, "{output:?}");
            assert!(output.stderr.to_lowercase().contains("lock"), "{output:?}");
        }
        if verb[0] == "refresh" {
            assert_eq!(output.code, 1, "{output:?}");
        }
    }
    drop(blocker);
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
}

const VERBS: [&[&str]; 4] = [&["refresh", "--full"], &["create"], &["status"], &["verify"]];

#[test]
fn every_verb_ends_behind_a_lock_on_the_source_on_mariadb() {
    behind(Kind::Mariadb, "financials", &VERBS);
}

#[test]
fn every_verb_ends_behind_a_lock_on_the_source_on_postgres() {
    behind(Kind::Postgres, "financials", &VERBS);
}

#[test]
fn every_verb_ends_behind_a_lock_on_the_ledger_on_mariadb() {
    behind(Kind::Mariadb, "dashagg_summary", &VERBS);
}

#[test]
fn every_verb_ends_behind_a_lock_on_the_ledger_on_postgres() {
    behind(Kind::Postgres, "dashagg_summary", &VERBS);
}

/// Outside of a transaction, where only this program can keep the time.
#[test]
fn an_index_built_beside_writers_waits_for_no_lock_for_ever() {
    let db = &TestDb::new(Kind::Postgres);
    db.exec("CREATE TABLE sales (id int PRIMARY KEY, day date NOT NULL, amount int NOT NULL)");
    let sets = write_set(
        db,
        "daily",
        "[sources.sales]\npartition = [\"day\"]\n[[sources.sales.indexes]]\nname = \"sales_day\"\ncolumns = [\"day\"]\n\
         [summaries.daily]\nselect = \"daily.sql\"\nkey = [\"day\"]\npartition = [\"day\"]\n",
        "CREATE TABLE daily (day date NOT NULL PRIMARY KEY, amount bigint)",
        &[("daily.sql", "SELECT day, SUM(amount) AS amount FROM sales GROUP BY day")],
    );
    let mut blocker = db.client();
    blocker.exec("BEGIN; LOCK TABLE sales IN SHARE MODE");
    let config = config(db);
    let create =
        || db.dashagg().args(["--sql-dir", sets.to_str().unwrap(), "create", "--config"]).arg(&config).run();
    let output = create().code(1);
    assert!(output.seconds < STATED, "{output:?}");
    assert!(output.stderr.contains("waited longer than lock_timeout (1s) for a lock"), "{output:?}");
    blocker.exec("ROLLBACK");
    create().ok();
}

/// The database's own settings, made for the application, are none of ours.
#[test]
fn settings_of_the_database_end_no_statement_of_ours() {
    let db = &TestDb::new(Kind::Postgres);
    built(db, 1_000);
    let (mut admin, mut older) = (db.server.admin(), db.client());
    older.exec("DROP INDEX idx_metric_month");
    older.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    let settings = [
        "statement_timeout = '30ms'",
        "lock_timeout = '1ms'",
        "standard_conforming_strings = off",
        "idle_in_transaction_session_timeout = '30ms'",
        // Servers before 17 have none.
        "transaction_timeout = '30ms'",
    ];
    for setting in settings {
        let set = admin.try_exec(&format!("ALTER DATABASE {} SET {setting}", db.name()));
        assert!(set.is_ok() || setting.starts_with("transaction_timeout"), "{set:?}");
    }
    // The lock, the snapshot and each step are held for longer than any of them.
    let slow = "claimed=sleep(300);staging=sleep(300);applying=sleep(300);publishing=sleep(300)";
    db.dashagg().args(["refresh", "--full", "--jobs", "2"]).env("FAILPOINTS", slow).run().ok();
    // An index that waits for an older snapshot, and goes with no settings of ours.
    let create = Run::start(db.dashagg().arg("create"));
    let waits = format!(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'virtualxid' \
         AND clock_timestamp() - query_start > interval '100 ms'",
        db.name()
    );
    wait_until(|| admin.one(&waits) != "0", || create.log());
    older.exec("COMMIT");
    create.end().ok();
    db.dashagg().args(["refresh", "--full"]).run().ok();
    db.dashagg().arg("verify").run().ok();
    admin.exec(&format!("ALTER DATABASE {} RESET ALL", db.name()));
    assert_right(db);
}

#[test]
fn statement_timeout_holds_outside_of_transactions_too() {
    for kind in [Kind::Mariadb, Kind::Postgres] {
        let db = &TestDb::new(kind);
        let sets = crate::own::slow(db);
        let path = db.dir().join("statement.toml");
        std::fs::write(&path, "[database]\nstatement_timeout = \"1s\"\n[run]\nretries = 0\n").unwrap();
        let dashagg = |verb: &str| {
            db.dashagg().args(["--sql-dir", sets.to_str().unwrap(), verb, "--config"]).arg(&path).run()
        };
        dashagg("create").ok();
        let output = dashagg("refresh").code(1);
        assert!(output.seconds < 20.0, "{output:?}");
    }
}

/// Fewer connections than were asked for: slower, and no failure.
fn refused(db: &TestDb, url: &str, limit: impl Fn(u32)) {
    let run = |arguments: &[&str]| db.dashagg_without_url().args(["-D", url]).args(arguments).run();
    run(&["create"]).ok();
    run(&["refresh"]).ok();
    for most in [2, 3] {
        limit(most);
        // The server may take a moment to see that the last run has gone.
        let mut output = run(&["refresh", "--full", "--jobs", "8"]);
        wait_until(
            || {
                let early = output.code == 1 && output.stderr.contains("cannot connect");
                if early {
                    output = run(&["refresh", "--full", "--jobs", "8"]);
                }
                !early
            },
            || "never connected".into(),
        );
        let output = output.ok();
        assert_eq!(output.stderr.matches("no more connections to be had").count(), 1, "{output:?}");
    }
    assert_right(db);
}

fn url_of(db: &TestDb, user: &str) -> String {
    db.url.replacen("dashagg:secret@", &format!("{user}:secret@"), 1)
}

#[test]
fn helpers_that_postgres_refuses_are_done_without() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let user = format!("few_{}", db.name());
    db.exec(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'secret'; ALTER DATABASE {} OWNER TO {user}; \
         ALTER SCHEMA public OWNER TO {user}",
        db.name()
    ));
    crate::sample::sample(db, 1_000);
    for table in db.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").concat() {
        db.exec(&format!("ALTER TABLE {table} OWNER TO {user}"));
    }
    refused(db, &url_of(db, &user), |most| db.exec(&format!("ALTER ROLE {user} CONNECTION LIMIT {most}")));
    db.exec(&format!("REASSIGN OWNED BY {user} TO dashagg; DROP OWNED BY {user}; DROP ROLE {user}"));
}

#[test]
fn helpers_that_mariadb_refuses_are_done_without() {
    let db = &TestDb::new(Kind::Mariadb);
    let user = format!("few_{}", std::process::id());
    db.exec(&format!(
        "CREATE USER {user} IDENTIFIED BY 'secret'; GRANT ALL PRIVILEGES ON {}.* TO {user}",
        db.name()
    ));
    crate::sample::sample(db, 1_000);
    refused(db, &url_of(db, &user), |most| {
        db.exec(&format!("ALTER USER {user} WITH MAX_USER_CONNECTIONS {most}"));
    });
    db.exec(&format!("DROP USER {user}"));
}

/// Many statements, each of them longer than two looks of the watchdog.
#[test]
fn a_long_statement_is_no_lost_connection() {
    for kind in [Kind::Mariadb, Kind::Postgres] {
        let db = &TestDb::new(kind);
        let sets = crate::own::slow(db);
        db.exec("DELETE FROM sales WHERE sale_id > 3");
        let path = db.dir().join("short.toml");
        std::fs::write(&path, "[database]\nnetwork_timeout = \"500ms\"\n[run]\nretries = 0\n").unwrap();
        let dashagg = |verb: &str| {
            db.dashagg().args(["--sql-dir", sets.to_str().unwrap(), verb, "--config"]).arg(&path)
        };
        dashagg("create").run().ok();
        let ended = Run::start(dashagg("refresh")).end().ok();
        assert!(!ended.stderr.contains("lost"), "{ended:?}");
        assert_eq!(db.one("SELECT COUNT(*) FROM slow"), "3");
    }
}

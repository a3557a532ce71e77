//! Scratch tables stay, so that whoever copies the database beside a refresh is not disturbed, nor disturbs.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{Client, Kind, TestDb};
use crate::own::write_set;
use crate::run::{Run, changes, held};
use crate::sample::{ASIN, assert_right, built, cents, lasting_scratch, left_in_scratch};

/// The servers, where scratch tables are others' to see.
const SERVERS: [Kind; 2] = [Kind::Mariadb, Kind::Postgres];

/// Of each kind, at least.
const DUMPS: usize = 26;

/// Where a dump takes milliseconds and a refresh a second, that many dumps see few refreshes; then there are more of them.
const REFRESHES: usize = 3;

fn change(db: &TestDb) {
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 20", cents(db, 100)));
}

/// A dump of the database, as a nightly job makes it.
fn dump(db: &TestDb, arguments: &[&str]) -> Command {
    if db.kind == Kind::Postgres {
        let socket = db.server.socket();
        let (folder, port) = socket.rsplit_once("/.s.PGSQL.").unwrap();
        let mut command = Command::new(db.server.program("pg_dump"));
        command.args(["-w", "-h", folder, "-p", port, "-U", "dashagg"]).env("PGPASSWORD", "secret");
        command.args(arguments).arg(db.name());
        return command;
    }
    let mut command = Command::new("mariadb-dump");
    command.args(["--no-defaults", "-u", "dashagg", "-psecret", "--socket"]);
    command.arg(db.server.socket()).args(arguments).arg(db.name());
    command
}

/// Refreshes without a pause, something to write each time, while dumps are made; all of both must succeed.
fn beside_refreshes(db: &TestDb, arguments: &[&str]) {
    built(db, 2_000);
    let (done, refreshes) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let refreshing = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                change(db);
                db.dashagg().args(["refresh", "--full"]).run().ok();
                refreshes.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut failed = Vec::new();
        let enough = |dumps| dumps >= DUMPS && refreshes.load(Ordering::Relaxed) >= REFRESHES;
        let mut dumps = 0;
        // One that has finished by now has failed, which the join below reports.
        while !enough(dumps) && !refreshing.is_finished() {
            let output = dump(db, arguments).output().unwrap();
            if !output.status.success() {
                failed.push(String::from_utf8_lossy(&output.stderr).into_owned());
            }
            dumps += 1;
        }
        done.store(true, Ordering::Relaxed);
        refreshing.join().unwrap();
        assert!(failed.is_empty(), "{} of {dumps} dumps failed, first: {}", failed.len(), failed[0]);
        let refreshes = refreshes.load(Ordering::Relaxed);
        assert!(refreshes >= REFRESHES, "{refreshes} refreshes are too few to prove anything");
    });
    assert_right(db);
}

#[test]
fn every_pg_dump_beside_refreshes_succeeds() {
    beside_refreshes(&TestDb::new(Kind::Postgres), &[]);
}

#[test]
fn every_mariadb_dump_of_one_snapshot_beside_refreshes_succeeds() {
    beside_refreshes(&TestDb::new(Kind::Mariadb), &["--single-transaction"]);
}

#[test]
fn every_mariadb_dump_that_locks_tables_beside_refreshes_succeeds() {
    beside_refreshes(&TestDb::new(Kind::Mariadb), &["--lock-tables"]);
}

#[test]
fn every_mariadb_dump_without_any_lock_beside_refreshes_succeeds() {
    beside_refreshes(&TestDb::new(Kind::Mariadb), &["--skip-lock-tables"]);
}

/// Holds what a dump holds: a snapshot, and a lock on every table that keeps it from being altered.
fn as_a_dump(db: &TestDb) -> Client {
    let mut client = db.client();
    let tables = match db.kind {
        Kind::Postgres => {
            client.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
            client.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        }
        _ => {
            client.exec("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
            client.exec("START TRANSACTION WITH CONSISTENT SNAPSHOT");
            client.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
        }
    };
    for table in tables.concat() {
        if db.kind == Kind::Postgres {
            client.exec(&format!("LOCK TABLE {table} IN ACCESS SHARE MODE"));
        }
        client.exec(&format!("SELECT * FROM {table} LIMIT 1"));
    }
    client
}

#[test]
fn no_refresh_waits_for_a_dump() {
    for kind in SERVERS {
        let db = &TestDb::new(kind);
        built(db, 2_000);
        // Whatever waits fails, and is tried again.
        let config = db.dir().join("config.toml");
        std::fs::write(&config, "[database]\nlock_timeout = \"1s\"\n").unwrap();
        let mut dump = as_a_dump(db);
        let total = format!("SELECT SUM(amount) FROM {ASIN}");
        let before = dump.one(&total);
        change(db);
        for arguments in [&["--full"][..], &[]] {
            let run = held(db, &[arguments, &["--config", config.to_str().unwrap()]].concat(), "");
            let ended = run.end().ok();
            let report = ended.json();
            assert_eq!(report["sets"][0]["retries"], 0, "{kind:?}: {ended:?}");
            assert!(changes(&report)[1] > 0, "{kind:?}: {report:#}");
            change(db);
        }
        assert_eq!(dump.one(&total), before, "{kind:?}: a dump sees what was when it began");
        drop(dump);
        assert_eq!(left_in_scratch(db), Vec::<String>::new());
    }
}

/// What tells a table from another one that was made in its place.
fn identities(db: &TestDb) -> Vec<Vec<String>> {
    match db.kind {
        Kind::Postgres => db.rows(
            "SELECT relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
             WHERE nspname = 'public' ORDER BY 1",
        ),
        _ => {
            let mysql = db.server.about().product == "MySQL";
            let tables = if mysql { "innodb_tables" } else { "innodb_sys_tables" };
            db.rows(&format!(
                "SELECT name, CAST(table_id AS CHAR) FROM information_schema.{tables} WHERE name LIKE '{}/%' ORDER BY 1",
                db.name().replace('_', "\\_")
            ))
        }
    }
}

/// Notes every statement that makes, alters or drops something which is not a session's own.
const WATCH_DDL: &str = "CREATE TABLE ddl (what text);
    CREATE FUNCTION note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ddl SELECT command_tag || ' ' || object_identity FROM pg_event_trigger_ddl_commands()
        WHERE schema_name <> 'pg_temp'; END $$;
    CREATE FUNCTION note_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ddl SELECT 'DROP ' || object_identity FROM pg_event_trigger_dropped_objects()
        WHERE NOT is_temporary; END $$;
    CREATE EVENT TRIGGER note_ddl ON ddl_command_end EXECUTE FUNCTION note_ddl();
    CREATE EVENT TRIGGER note_drop ON sql_drop EXECUTE FUNCTION note_drop()";

#[test]
fn a_refresh_makes_and_drops_no_table() {
    for kind in SERVERS {
        let db = &TestDb::new(kind);
        built(db, 2_000);
        if kind == Kind::Postgres {
            db.exec(WATCH_DDL);
        }
        let before = identities(db);
        for arguments in [&["refresh"][..], &["refresh", "--full"], &["refresh", "--partition", "2023-01-01"]]
        {
            change(db);
            db.dashagg().args(arguments).run().ok();
        }
        change(db);
        let run = held(db, &["--full"], "publish=sleep(20000)");
        run.until_staged();
        run.signal("KILL");
        run.end().code(137);
        assert_ne!(left_in_scratch(db), Vec::<String>::new(), "{kind:?}: nothing to sweep proves nothing");
        db.dashagg().arg("refresh").run().ok();
        assert_eq!(left_in_scratch(db), Vec::<String>::new());
        assert_eq!(identities(db), before, "{kind:?}");
        if kind == Kind::Postgres {
            assert_eq!(db.rows("SELECT what FROM ddl"), Vec::<Vec<String>>::new());
        }
        assert_right(db);
    }
}

#[test]
fn an_old_run_whose_rows_were_swept_cannot_publish() {
    for kind in SERVERS {
        let db = &TestDb::new(kind);
        built(db, 2_000);
        change(db);
        // Alive, without the lock, its rows already there. On PostgreSQL they come all at once, on MariaDB chunk by chunk:
        // what is computed after the sweep would pass for the whole.
        let pause = if kind == Kind::Postgres { "publish=" } else { "staging=3*off->" };
        let failpoints = format!("no-lock=return;{pause}1*sleep(6000)->off");
        let older = held(db, &["--full", "--jobs", "1"], &failpoints);
        crate::run::wait_until(|| !left_in_scratch(db).is_empty(), || format!("{kind:?}: no rows to sweep"));
        let newer = held(db, &["--full"], "swept=sleep(20000)");
        crate::run::wait_until(|| left_in_scratch(db).is_empty(), || format!("not swept:\n{}", newer.log()));
        assert!(!older.log().contains("trying again"), "{kind:?}: the pause was too short to prove anything");
        newer.signal("KILL");
        newer.end().code(137);
        let older = older.end().ok();
        // Missed, or the fence.
        let said = ["another run published in between", "this connection sees"];
        assert!(said.iter().any(|words| older.stderr.contains(words)), "{kind:?}: {older:?}");
        assert_eq!(older.json()["sets"][0]["retries"], 1, "{kind:?}: {older:?}");
        assert_right(db);
    }
}

#[test]
fn what_runs_of_an_older_version_left_is_dropped() {
    for kind in SERVERS {
        let db = &TestDb::new(kind);
        built(db, 1_000);
        // Of `financials`, and of another set.
        let leave = || {
            db.exec("CREATE TABLE dashagg_delta_1576cd0123456789_0 (n INTEGER NOT NULL PRIMARY KEY)");
            db.exec("CREATE TABLE dashagg_stage_1576cd0123456789_0_1 (n INTEGER NOT NULL PRIMARY KEY)");
        };
        db.exec("CREATE TABLE dashagg_delta_ffffff0123456789_0 (n INTEGER NOT NULL PRIMARY KEY)");
        for verb in ["create", "refresh"] {
            leave();
            change(db);
            db.dashagg().arg(verb).run().ok();
            assert_eq!(left_in_scratch(db), ["dashagg_delta_ffffff0123456789_0"], "{kind:?}: {verb}");
        }
    }
}

#[test]
fn scratch_tables_that_are_gone_or_outgrown_are_made_anew_once() {
    for kind in SERVERS {
        let db = &TestDb::new(kind);
        built(db, 1_000);
        let refresh = || {
            change(db);
            let ended = Run::start(db.dashagg().args(["refresh", "--full"])).end().ok();
            ended.stderr.matches("making scratch tables anew").count()
        };
        let at_first = lasting_scratch(db);
        assert_eq!(refresh(), 0);
        for table in &at_first {
            db.exec(&format!("DROP TABLE {table}"));
        }
        assert_eq!([refresh(), refresh()], [1, 0]);
        assert_eq!(lasting_scratch(db), at_first);
        let wider = if kind == Kind::Postgres {
            "ALTER COLUMN row_count TYPE numeric(20)"
        } else {
            "MODIFY row_count DECIMAL(20) NOT NULL"
        };
        db.exec(&format!("ALTER TABLE {ASIN} {wider}"));
        assert_eq!([refresh(), refresh()], [1, 0]);
        let by_refresh = lasting_scratch(db);
        assert_ne!(by_refresh, at_first);
        db.dashagg().arg("create").run().ok();
        assert_eq!(lasting_scratch(db), by_refresh, "create and refresh want the same");
        assert_eq!(left_in_scratch(db), Vec::<String>::new());
        assert_right(db);
    }
}

#[test]
fn a_key_that_leaves_no_room_for_the_run_is_published() {
    let db = &TestDb::new(Kind::Mariadb);
    db.exec("CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(767) NOT NULL) COLLATE utf8mb4_bin");
    db.exec("INSERT INTO words VALUES (1, 'a'), (2, 'b'), (3, 'b')");
    let sets = write_set(
        db,
        "words",
        "[sources.words]\n[summaries.words_seen]\nselect = \"seen.sql\"\nkey = [\"word\"]\n",
        "CREATE TABLE words_seen (word VARCHAR(767) NOT NULL PRIMARY KEY, times BIGINT NOT NULL) COLLATE utf8mb4_bin",
        &[("seen.sql", "SELECT word, COUNT(*) AS times FROM words GROUP BY word")],
    );
    let sets = sets.to_str().unwrap();
    let run = |verb: &str| db.dashagg().args(["--sql-dir", sets, verb]).run().ok();
    run("create");
    run("refresh");
    db.exec("INSERT INTO words VALUES (4, 'c'), (5, 'a')");
    run("refresh");
    assert_eq!(
        db.rows("SELECT word, times FROM words_seen ORDER BY word"),
        [["a", "2"], ["b", "2"], ["c", "1"]]
    );
    run("verify");
}

#[test]
fn drop_takes_the_scratch_tables_away() {
    for kind in SERVERS {
        let db = &TestDb::new(kind);
        built(db, 1_000);
        assert_ne!(lasting_scratch(db), Vec::<String>::new());
        db.dashagg().args(["drop", "financials", "--yes"]).run().ok();
        assert_eq!(lasting_scratch(db), Vec::<String>::new(), "{kind:?}");
    }
}

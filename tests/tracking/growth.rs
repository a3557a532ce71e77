//! A source that nobody refreshes: its notes stop growing, its writers neither wait nor fail, `status` stays instant,
//! and the refresh that comes after all is right.

use crate::common::{Kind, TestDb, conformance};
use crate::sample::{assert_right, built, cents};
use crate::small::Tiny;

/// A set that notes keys, with room for `max` notes.
fn keyed<'a>(db: &'a TestDb, max: u32) -> Tiny<'a> {
    let tiny = Tiny::new(db);
    db.exec(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, kind VARCHAR(20) NOT NULL, n INTEGER NOT NULL)",
    );
    tiny.write(
        "summaries.toml",
        &format!(
            "[sources.raw_rows]\npartition = ['day']\ntrack_columns = ['day', 'kind']\nmax_notes = {max}\n[summaries.days]\n\
             table = 'tiny_days'\nselect = 'days.sql'\nkey = ['day', 'kind']\npartition = ['day']\nrecompute_by = ['day', 'kind']\n"
        ),
    );
    tiny.write("days.sql", "SELECT day, kind, SUM(n) AS total FROM raw_rows GROUP BY day, kind\n");
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE tiny_days (day DATE NOT NULL, kind VARCHAR(20) NOT NULL, total BIGINT NOT NULL, PRIMARY KEY (day, kind));\n",
    );
    tiny
}

fn notes(db: &TestDb) -> u64 {
    ["dashagg_log_", "dashagg_mark_", "dashagg_work_"]
        .iter()
        .map(|prefix| crate::case::notes(db, prefix, "day"))
        .sum()
}

fn assert_refreshed(db: &TestDb, tiny: &Tiny<'_>) {
    tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    assert_eq!(
        db.rows("SELECT day, kind, total + 0 FROM tiny_days ORDER BY day, kind"),
        db.rows("SELECT day, kind, SUM(n) + 0 FROM raw_rows GROUP BY day, kind ORDER BY day, kind")
    );
    assert_eq!(notes(db), 0);
}

/// Statements of a few rows, each of another key.
fn write(db: &TestDb, statements: usize, from: usize) {
    let mut client = db.client();
    for at in from..from + statements {
        client.exec(&format!(
            "INSERT INTO raw_rows VALUES ('2025-01-{:02}', 'a{at}', 1), ('2025-01-{:02}', 'b{at}', 1)",
            at % 28 + 1,
            (at + 7) % 28 + 1
        ));
    }
}

fn bounded(kind: Kind) {
    let db = &TestDb::new(kind);
    let tiny = keyed(db, 100);
    tiny.create().ok();
    tiny.refresh().ok();
    write(db, 1_000, 0);
    let after_a_thousand = notes(db);
    write(db, 1_000, 1_000);
    // Twice as many, and a few of the statements that crossed a limit.
    assert!(after_a_thousand <= 220, "{after_a_thousand}");
    assert_eq!(notes(db), after_a_thousand, "it grows on");
    assert_refreshed(db, &tiny);
    // And from there on by key again.
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 'a0', 1)");
    let report = tiny.dashagg().args(["refresh", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["mode"], "incremental", "{report:#}");
    tiny.dashagg().arg("verify").run().ok();
}

/// A connection for each statement, as a web server makes them: what tells writers apart must not add up either.
#[test]
fn notes_of_many_connections_end_in_those_of_everything_mariadb() {
    for log in ["track_columns = ['day', 'kind']", "track_columns = ['day']"] {
        let db = &TestDb::new(Kind::Mariadb);
        let tiny = keyed(db, 100);
        let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
        tiny.write("summaries.toml", &manifest.replace("track_columns = ['day', 'kind']", log));
        tiny.create().ok();
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        let statements = |from: usize, count: usize| {
            for at in from..from + count {
                db.exec(&format!("INSERT INTO raw_rows VALUES ('2025-01-{:02}', 'a{at}', 1)", at % 28 + 1));
            }
        };
        statements(0, 300);
        let after =
            crate::case::notes(db, "dashagg_log_", "day") + crate::case::notes(db, "dashagg_mark_", "day");
        assert!(after <= 201, "{after}");
        statements(300, 100);
        let later =
            crate::case::notes(db, "dashagg_log_", "day") + crate::case::notes(db, "dashagg_mark_", "day");
        assert_eq!(later, after, "it grows on");
        assert_refreshed(db, &tiny);
        statements(0, 1);
        let report = tiny.dashagg().args(["refresh", "--json"]).run().ok().json();
        assert_eq!(report["sets"][0]["mode"], "incremental", "{report:#}");
        assert_refreshed(db, &tiny);
    }
}

/// Writers in every isolation level, open while a refresh claims: what they wrote is in it or in the next one.
#[test]
fn writers_that_rely_on_a_note_lose_nothing_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = keyed(db, 100);
    tiny.create().ok();
    tiny.refresh().ok();
    let churn = || {
        for at in 0..260 {
            db.exec(&format!("INSERT INTO raw_rows VALUES ('2025-01-{:02}', 'c{at}', 1)", at % 28 + 1));
        }
    };
    churn();
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let (mut early, mut late) = (db.client(), db.client());
        for client in [&mut early, &mut late] {
            client.exec(&format!(
                "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}; SET innodb_lock_wait_timeout = 2"
            ));
        }
        early.exec("BEGIN; INSERT INTO raw_rows VALUES ('2025-01-01', 'early', 1)");
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        late.exec("BEGIN; INSERT INTO raw_rows VALUES ('2025-01-01', 'late', 1)");
        early.exec("INSERT INTO raw_rows VALUES ('2025-01-02', 'early', 1); COMMIT");
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        late.exec("COMMIT");
        assert_refreshed(db, &tiny);
        churn();
    }
}

#[test]
fn notes_end_in_one_of_everything_postgres() {
    bounded(Kind::Postgres);
}

#[test]
fn notes_end_in_one_of_everything_sqlite() {
    bounded(Kind::Sqlite);
}

/// Readers of one note of everything, at once with a refresh: what they wrote is in it or in the next one.
#[test]
fn writers_that_rely_on_a_note_lose_nothing_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = keyed(db, 100);
    tiny.create().ok();
    tiny.refresh().ok();
    write(db, 300, 0);
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let (mut early, mut late) = (db.client(), db.client());
        early.exec(&format!("BEGIN ISOLATION LEVEL {isolation}; SELECT 1 FROM raw_rows LIMIT 1"));
        early.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 'early', 1)");
        // Not visible yet: the refresh publishes what there is, and must not take the note that `early` relies on.
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        late.exec(&format!(
            "BEGIN ISOLATION LEVEL {isolation}; INSERT INTO raw_rows VALUES ('2025-01-01', 'late', 1)"
        ));
        early.exec("INSERT INTO raw_rows VALUES ('2025-01-02', 'early', 1); COMMIT");
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        late.exec("COMMIT");
        assert_refreshed(db, &tiny);
        write(db, 300, 0);
    }
}

/// An old snapshot, a note that a refresh has consumed meanwhile: the writer's statement must not fail.
#[test]
fn a_writer_with_an_older_snapshot_does_not_fail_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = keyed(db, 100);
    tiny.create().ok();
    tiny.refresh().ok();
    write(db, 300, 0);
    for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut old = db.client();
        old.exec(&format!("BEGIN ISOLATION LEVEL {isolation}; SELECT COUNT(*) FROM raw_rows"));
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        write(db, 300, 1_000);
        assert_eq!(old.try_exec("INSERT INTO raw_rows VALUES ('2025-01-09', 'old', 1); COMMIT"), Ok(()));
        assert_refreshed(db, &tiny);
        write(db, 300, 2_000);
    }
}

conformance!(claims_that_no_publish_consumes_are_told_in_fewer_words, |db: &TestDb| {
    let tiny = keyed(db, 100);
    tiny.create().ok();
    tiny.refresh().ok();
    // Each refresh claims, and fails before it publishes.
    for round in 0..4 {
        write(db, 90, round * 90);
        tiny.dashagg().env("FAILPOINTS", "publish=panic").arg("refresh").run();
    }
    let waiting = crate::case::notes(db, "dashagg_work_", "day");
    assert!(waiting <= 220, "{waiting}");
    assert_refreshed(db, &tiny);
});

/// A million notes, as an older dashagg could leave them.
fn many(db: &TestDb) -> String {
    let table = db.one(match db.kind {
        Kind::Mariadb => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'dashagg\\_log\\_%'",
        Kind::Postgres => "SELECT relname FROM pg_class WHERE relname LIKE 'dashagg\\_log\\_%' AND relkind = 'r'",
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE name LIKE 'dashagg\\_log\\_%' ESCAPE '\\' AND type = 'table'",
    });
    let rows = match db.kind {
        Kind::Mariadb => {
            "SELECT 'k', '2025-01-01' + INTERVAL seq % 36 DAY, CONCAT('k', seq % 5000) FROM (SELECT ROW_NUMBER() OVER () AS seq \
             FROM (SELECT 1 FROM information_schema.COLLATIONS a, information_schema.COLLATIONS b, information_schema.COLLATIONS c \
             LIMIT 1000000) x) numbers"
        }
        Kind::Postgres => {
            "SELECT 'k', date '2025-01-01' + s % 36, 'k' || s % 5000 FROM generate_series(1, 1000000) s"
        }
        Kind::Sqlite => {
            "WITH RECURSIVE n(s) AS (SELECT 1 UNION ALL SELECT s + 1 FROM n WHERE s < 1000000) \
             SELECT 'k', date('2025-01-01', '+' || (s % 36) || ' days'), 'k' || (s % 5000) FROM n"
        }
    };
    db.exec(&format!("INSERT INTO {table} (dashagg_grain, day, kind) {rows}"));
    if db.kind == Kind::Sqlite {
        // Else each process that opens the file first reads all of that in the write-ahead log.
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    table
}

// What counting less is worth in time, the benchmarks measure.
conformance!(status_stops_counting_however_much_waits, |db: &TestDb| {
    let tiny = keyed(db, 20_000);
    tiny.create().ok();
    tiny.refresh().ok();
    many(db);
    let report = tiny.dashagg().args(["status", "--json"]).run().ok().json();
    assert_eq!(report["summaries"][0]["pending_at_least"], true, "{report:#}");
    assert!(report["summaries"][0]["pending_partitions"].as_u64().unwrap() >= 1, "{report:#}");
});

// Bulk loads are noted by partition as ever, and a keyed change costs a keyed refresh.
conformance!(a_limit_of_its_own_changes_nothing_else, |db: &TestDb| {
    built(db, 1_000);
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 3", cents(db, 100)));
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
});

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let db = &TestDb::new(Kind::Sqlite);
    let tiny = keyed(db, 5);
    let said = tiny.create().code(2).stderr;
    assert!(said.contains("sources.raw_rows.max_notes = 5"), "{said}");
}

/// What a transaction has read, and others have changed, ends it there: the triggers read nothing.
#[test]
fn serializable_transactions_do_not_fail_by_notes_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = keyed(db, 100);
    tiny.create().ok();
    tiny.refresh().ok();
    write(db, 300, 0);
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    for round in 0..20 {
        let (mut one, mut two) = (db.client(), db.client());
        one.exec(&format!("{begin}; INSERT INTO raw_rows VALUES ('2025-01-01', 'one{round}', 1)"));
        two.exec(&format!("{begin}; INSERT INTO raw_rows VALUES ('2025-01-02', 'two{round}', 1)"));
        if round == 10 {
            tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        }
        assert_eq!((one.try_exec("COMMIT"), two.try_exec("COMMIT")), (Ok(()), Ok(())), "round {round}");
    }
    assert_refreshed(db, &tiny);
}

/// A table that has our triggers and is not the source: a partition that was detached.
#[test]
fn notes_of_what_is_not_the_source_any_more_are_few_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = keyed(db, 100);
    db.exec(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, kind VARCHAR(20) NOT NULL, n INTEGER NOT NULL) PARTITION BY RANGE (day);
         CREATE TABLE january PARTITION OF raw_rows FOR VALUES FROM ('2025-01-01') TO ('2025-02-01')",
    );
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("ALTER TABLE raw_rows DETACH PARTITION january");
    let mut client = db.client();
    for _ in 0..300 {
        client.exec("INSERT INTO january VALUES ('2025-01-01', 'a', 1)");
    }
    assert!(notes(db) <= 3, "{}", notes(db));
    assert_refreshed(db, &tiny);
}

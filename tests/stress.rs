//! Writers, a refresher that is killed at random, and a reader, all at once on every engine; and the test of the test:
//! protocols that are known to lose changes, caught at it.
//!
//! `DASHAGG_STRESS_SECONDS=60 tests/run --test stress -- --nocapture` for longer than the 15 seconds an engine gets here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[macro_use]
extern crate dashagg_test_attribute;

mod common;
#[allow(dead_code)]
#[path = "conformance/sample.rs"]
mod sample;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use common::{Client, Kind, TestDb, conformance};
use sample::{BRAND, CATEGORY, assert_right, built, cents};

const WRITERS: u64 = 3;

fn how_long() -> Duration {
    let seconds = std::env::var("DASHAGG_STRESS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

/// A small generator of our own: the same seed, the same statements.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One random statement on the source.
fn statement(db: &TestDb, dice: &mut Dice) -> String {
    let (id, month) = (dice.roll(20_000) + 1, format!("2023-{:02}-01", dice.roll(12) + 1));
    let amount = cents(db, dice.roll(10_000) as i64 - 5_000);
    let (asin, columns) = (10_000_000 + dice.roll(200), "asin, marketplace, month, metric, amount");
    let cast = if db.kind == Kind::Postgres { "CAST('{m}' AS date)" } else { "'{m}'" }.replace("{m}", &month);
    match dice.roll(10) {
        0..=2 => format!(
            "INSERT INTO financials ({columns}) VALUES ('B0{asin}', 'US', '{month}', 'sales', {amount})"
        ),
        3 | 4 => format!("UPDATE financials SET month = '{month}' WHERE id BETWEEN {id} AND {id} + 5"),
        5 => format!("UPDATE financials SET amount = {amount} WHERE id BETWEEN {id} AND {id} + 20"),
        6 | 7 => format!("DELETE FROM financials WHERE id BETWEEN {id} AND {id} + 3"),
        8 => format!("UPDATE products SET brand_id = {} WHERE asin = 'B0{asin}'", id % 50 + 1),
        _ => format!(
            "INSERT INTO financials ({columns}) SELECT asin, 'UK', {cast}, metric, amount FROM financials \
             WHERE id BETWEEN {id} AND {id} + 300"
        ),
    }
}

/// Transactions of one to four statements, some held open, some rolled back. Errors of concurrency roll back, too.
fn write(db: &TestDb, seed: u64, stop: &AtomicBool, committed: &AtomicU64) {
    let (mut dice, mut client) = (Dice(seed), db.client());
    if db.kind == Kind::Sqlite {
        client.exec("PRAGMA busy_timeout = 10000");
    }
    while !stop.load(Relaxed) {
        let begin = if db.kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let mut done = client.try_exec(begin).is_ok();
        for _ in 0..=dice.roll(4) {
            done = done && client.try_exec(&statement(db, &mut dice)).is_ok();
            if dice.roll(6) == 0 {
                std::thread::sleep(Duration::from_millis(50 + dice.roll(250)));
            }
        }
        if done && dice.roll(5) > 0 && client.try_exec("COMMIT").is_ok() {
            committed.fetch_add(1, Relaxed);
        } else {
            let _ = client.try_exec("ROLLBACK");
        }
        std::thread::sleep(Duration::from_millis(dice.roll(40)));
    }
}

/// `dashagg refresh` in a loop; every third is killed somewhere on its way.
fn refresh(db: &TestDb, stop: &AtomicBool) -> (u64, u64) {
    let (mut dice, mut finished, mut killed) = (Dice(99), 0, 0);
    while !stop.load(Relaxed) {
        if dice.roll(3) == 0 {
            let mut child = db.dashagg().args(["-q", "refresh", "--wait", "20s"]).spawn();
            std::thread::sleep(Duration::from_millis(20 + dice.roll(900)));
            if child.try_wait().unwrap().is_none() {
                killed += 1;
            }
            let _ = child.kill();
            child.wait().unwrap();
        } else {
            let out = db.dashagg().args(["-q", "refresh", "--wait", "20s"]).run();
            // Its retries may run out against so many writers; that costs time, never rows.
            assert!(out.code == 0 || out.code == 1 && out.stderr.contains("code"), "{out:?}");
            finished += u64::from(out.code == 0);
        }
    }
    (finished, killed)
}

/// How long readers waited, by stretches of time in which several refreshes publish.
#[derive(Default)]
struct Waits {
    /// Milliseconds of the slowest read of each stretch.
    slowest: Vec<u128>,
}

impl Waits {
    const STRETCH: Duration = Duration::from_secs(3);

    fn add(&mut self, since: Instant, read: Instant) {
        let stretch = (since.elapsed().as_millis() / Self::STRETCH.as_millis()) as usize;
        self.slowest.resize(self.slowest.len().max(stretch + 1), 0);
        self.slowest[stretch] = self.slowest[stretch].max(read.elapsed().as_millis());
    }

    /// The slowest read of the middling stretch: what refreshes make readers wait for, they make them wait for in
    /// every stretch; what the machine does, it does in some.
    fn usual(&self) -> u128 {
        let mut sorted = self.slowest.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    fn worst(&self) -> u128 {
        self.slowest.iter().copied().max().unwrap_or(0)
    }
}

/// Brand totals against category totals in one statement, and how many of those reads there were. Beside it, a query
/// of a table that nobody writes to: that is the machine.
fn read(db: &TestDb, stop: &AtomicBool) -> (Waits, u64, Waits) {
    let mut client = db.client();
    if db.kind == Kind::Sqlite {
        client.exec("PRAGMA busy_timeout = 5000");
    }
    let sql = format!(
        "SELECT (SELECT SUM(amount) FROM {BRAND} WHERE marketplace = 'ALL') - (SELECT SUM(amount) FROM {CATEGORY}), \
         (SELECT SUM(row_count) FROM {BRAND} WHERE marketplace <> 'ALL') - (SELECT SUM(row_count) FROM {CATEGORY})"
    );
    let (mut waits, mut reads, mut idle) = (Waits::default(), 0, Waits::default());
    let since = Instant::now();
    while !stop.load(Relaxed) {
        let start = Instant::now();
        let rows = client.rows(&sql);
        waits.add(since, start);
        assert!(rows[0].iter().all(|sum| sum.parse::<f64>() == Ok(0.0)), "the tiers disagree: {rows:?}");
        reads += 1;
        let start = Instant::now();
        client.rows("SELECT COUNT(*) FROM brands");
        idle.add(since, start);
        std::thread::sleep(Duration::from_millis(5));
    }
    (waits, reads, idle)
}

/// Two engines at a time: a third, on two cores, and readers wait for the machine.
struct Turn;

static TURNS: (Mutex<u32>, Condvar) = (Mutex::new(2), Condvar::new());

impl Turn {
    fn wait() -> Self {
        let mut free = TURNS.1.wait_while(TURNS.0.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Ok(mut free) = TURNS.0.lock() {
            *free += 1;
        }
        TURNS.1.notify_one();
    }
}

conformance!(nothing_is_lost, |db: &TestDb| {
    let _turn = Turn::wait();
    built(db, 20_000);
    let (stop, committed) = (AtomicBool::new(false), AtomicU64::new(0));
    let ((finished, killed), (waits, reads, idle)) = std::thread::scope(|scope| {
        for seed in 1..=WRITERS {
            let (stop, committed) = (&stop, &committed);
            scope.spawn(move || write(db, seed, stop, committed));
        }
        let refresher = scope.spawn(|| refresh(db, &stop));
        let reader = scope.spawn(|| read(db, &stop));
        let start = Instant::now();
        // A part that failed ends the others.
        while start.elapsed() < how_long() && !refresher.is_finished() && !reader.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Relaxed);
        (refresher.join().unwrap(), reader.join().unwrap())
    });
    println!(
        "{:?}: {} transactions, {finished} refreshes and {killed} killed, {reads} reads, the slowest of a stretch usually \
         {} ms and once {} ms (idle {} and {} ms)",
        db.kind,
        committed.load(Relaxed),
        waits.usual(),
        waits.worst(),
        idle.usual(),
        idle.worst()
    );
    assert!(finished > 0 && killed > 0 && reads > 20 && committed.load(Relaxed) > 20);
    db.dashagg().args(["refresh", "--wait", "30s"]).run().ok();
    assert_right(db);
    let full = db.dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    for summary in full["sets"][0]["summaries"].as_array().unwrap() {
        for count in ["inserted", "updated", "deleted"] {
            assert_eq!(summary[count], 0, "{full:#}");
        }
    }
    // Where even the idle table makes its readers wait, the machine is too busy to tell.
    // 250 and not 100 milliseconds: an unoptimised build and two servers full of writers share the cores here.
    let limit = 250.max(idle.usual() * 4);
    assert!(waits.usual() <= limit, "{:?}: readers waited {:?} ms", db.kind, waits.slowest);
});

/// A raw table, its sums by month, a log, and triggers that fill it by the rule under test.
fn lossy(kind: Kind, note: &str, log: &str) -> (TestDb, Client, Client, Client) {
    let db = TestDb::new(kind);
    db.exec(&format!(
        "CREATE TABLE raw (month INTEGER NOT NULL, n INTEGER NOT NULL); \
         CREATE TABLE sums (month INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL); {log}"
    ));
    match kind {
        Kind::Mariadb => {
            db.exec(&format!("CREATE TRIGGER noted AFTER INSERT ON raw FOR EACH ROW {note}"));
        }
        _ => db.exec(&format!(
            "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note}; RETURN NULL; END $$; \
             CREATE TRIGGER noted AFTER INSERT ON raw FOR EACH ROW EXECUTE FUNCTION noted()"
        )),
    }
    let (a, b, mut refresher) = (db.client(), db.client(), db.client());
    if kind == Kind::Mariadb {
        refresher
            .exec("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET innodb_lock_wait_timeout = 5");
    }
    (db, a, b, refresher)
}

fn recompute(client: &mut Client, months: &[String]) {
    for month in months {
        client.exec(&format!("DELETE FROM sums WHERE month = {month}"));
        client.exec(&format!(
            "INSERT INTO sums (month, n) SELECT month, SUM(n) FROM raw WHERE month = {month} GROUP BY month"
        ));
    }
}

fn noted_months(client: &mut Client, condition: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT month FROM log WHERE {condition}");
    client.rows(&sql).into_iter().flatten().collect()
}

/// What the stress test asks at its end, in small.
fn lost(db: &TestDb) -> bool {
    db.rows("SELECT month, SUM(n) FROM raw GROUP BY month ORDER BY month")
        != db.rows("SELECT month, n FROM sums ORDER BY month")
}

fn log_with_id(kind: Kind) -> &'static str {
    match kind {
        Kind::Mariadb => {
            "CREATE TABLE log (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, month INTEGER NOT NULL)"
        }
        _ => "CREATE TABLE log (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, month INTEGER NOT NULL)",
    }
}

const APPEND: &str = "INSERT INTO log (month) VALUES (NEW.month)";

#[test]
fn deleting_notes_by_key_after_the_recompute_is_caught() {
    for kind in [Kind::Mariadb, Kind::Postgres] {
        let (db, mut a, mut b, mut refresher) = lossy(kind, APPEND, log_with_id(kind));
        a.exec("INSERT INTO raw VALUES (1, 1)");
        refresher.exec("BEGIN");
        let months = noted_months(&mut refresher, "1 = 1");
        recompute(&mut refresher, &months);
        // Commits after the recompute, before the delete.
        b.exec("INSERT INTO raw VALUES (1, 10)");
        refresher.exec("DELETE FROM log WHERE month = 1");
        refresher.exec("COMMIT");
        let months = noted_months(&mut refresher, "1 = 1");
        recompute(&mut refresher, &months);
        assert!(lost(&db), "{kind:?}");
    }
}

#[test]
fn remembering_the_highest_note_is_caught() {
    for kind in [Kind::Mariadb, Kind::Postgres] {
        let (db, mut a, mut b, mut refresher) = lossy(kind, APPEND, log_with_id(kind));
        // Numbers are given in the order of the inserts, not of the commits.
        a.exec("BEGIN");
        a.exec("INSERT INTO raw VALUES (1, 1)");
        b.exec("INSERT INTO raw VALUES (2, 10)");
        let highest = refresher.one("SELECT MAX(id) FROM log");
        let months = noted_months(&mut refresher, &format!("id <= {highest}"));
        recompute(&mut refresher, &months);
        a.exec("COMMIT");
        let months = noted_months(&mut refresher, &format!("id > {highest}"));
        recompute(&mut refresher, &months);
        assert!(lost(&db), "{kind:?}");
    }
}

#[test]
fn ignoring_a_note_that_is_there_is_caught() {
    for kind in [Kind::Mariadb, Kind::Postgres] {
        let (note, connection) = match kind {
            Kind::Mariadb => {
                ("INSERT IGNORE INTO log VALUES (NEW.month, CONNECTION_ID())", "CONNECTION_ID()")
            }
            _ => (
                "INSERT INTO log VALUES (NEW.month, pg_backend_pid()) ON CONFLICT DO NOTHING",
                "pg_backend_pid()",
            ),
        };
        let log =
            "CREATE TABLE log (month INTEGER NOT NULL, conn BIGINT NOT NULL, PRIMARY KEY (month, conn))";
        let (db, mut a, _, mut refresher) = lossy(kind, note, log);
        assert_ne!(a.one(&format!("SELECT {connection}")), refresher.one(&format!("SELECT {connection}")));
        a.exec("INSERT INTO raw VALUES (1, 1)");
        // Held open: its note is swallowed by the one that is there already.
        a.exec("BEGIN");
        a.exec("INSERT INTO raw VALUES (1, 10)");
        let months = noted_months(&mut refresher, "1 = 1");
        recompute(&mut refresher, &months);
        match kind {
            Kind::Postgres => refresher.exec("DELETE FROM log WHERE month = 1"),
            _ => {
                // The swallowed note holds a shared lock, so that the delete waits for the commit, and then takes the note.
                std::thread::scope(|scope| {
                    let delete = scope.spawn(|| refresher.exec("DELETE FROM log WHERE month = 1"));
                    std::thread::sleep(Duration::from_millis(300));
                    a.exec("COMMIT");
                    delete.join().unwrap();
                });
            }
        }
        let _ = a.try_exec("COMMIT");
        let months = noted_months(&mut refresher, "1 = 1");
        recompute(&mut refresher, &months);
        assert!(lost(&db), "{kind:?}");
    }
}

/// The same interleavings do no harm to claims: what tells that the tests above are about the protocols.
#[test]
fn claiming_before_the_recompute_loses_nothing() {
    let kind = Kind::Postgres;
    let (db, mut a, mut b, mut refresher) = lossy(kind, APPEND, log_with_id(kind));
    a.exec("INSERT INTO raw VALUES (1, 1)");
    b.exec("BEGIN");
    b.exec("INSERT INTO raw VALUES (1, 10)");
    for _ in 0..2 {
        let claimed: Vec<String> =
            refresher.rows("DELETE FROM log RETURNING month").into_iter().flatten().collect();
        recompute(&mut refresher, &claimed);
        let _ = b.try_exec("COMMIT");
    }
    assert!(!lost(&db));
}

fn main() -> std::process::ExitCode {
    common::harness::main()
}

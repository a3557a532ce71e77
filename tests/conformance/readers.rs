//! Readers go from one complete state to the next: never empty, never partial, never waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{Client, Kind, TestDb, conformance};
use crate::sample::{ASIN, BRAND, CATEGORY, assert_right, built, cents};

/// The longest that a reader may ever wait.
const LONGEST: Duration = Duration::from_millis(100);

const REFRESHES: usize = 20;

/// Totals of every tier in one statement: brand, brand without 'ALL', category, ASIN, and the rows of each.
fn totals_sql() -> String {
    format!(
        "SELECT b.total, b.parts, c.amount, a.amount, b.n, c.n, a.n FROM \
         (SELECT SUM(CASE WHEN marketplace = 'ALL' THEN amount ELSE 0 END) AS total, \
                 SUM(CASE WHEN marketplace = 'ALL' THEN 0 ELSE amount END) AS parts, COUNT(*) AS n FROM {BRAND}) b, \
         (SELECT SUM(amount) AS amount, COUNT(*) AS n FROM {CATEGORY}) c, \
         (SELECT SUM(amount) AS amount, COUNT(*) AS n FROM {ASIN}) a"
    )
}

/// Money moves, groups appear and vanish. No total comes twice, so each tells the state that it belongs to.
fn change(db: &TestDb, round: usize) {
    let amount = cents(db, 1_000_000 + round as i64);
    db.exec(&format!(
        "UPDATE financials SET amount = amount + {amount} WHERE id = {};
         INSERT INTO financials (asin, marketplace, month, metric, amount)
         SELECT asin, 'FR{round}', month, metric, {amount} FROM financials WHERE id BETWEEN {} AND {};
         DELETE FROM financials WHERE id BETWEEN {} AND {}",
        1_500 + round,
        round * 10 + 1,
        round * 10 + 10,
        round * 10 + 501,
        round * 10 + 510,
    ));
}

struct Reading {
    row: Vec<String>,
    took: Duration,
}

/// Asks again and again until told to stop; an error is an answer of its own.
fn read_on(db: &TestDb, sql: String, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<Reading>> {
    let (mut client, stop) = (db.client(), Arc::clone(stop));
    std::thread::spawn(move || {
        let mut readings = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let start = Instant::now();
            let row = client.try_rows(&sql).unwrap_or_else(|error| vec![vec![error]]).remove(0);
            readings.push(Reading { row, took: start.elapsed() });
            std::thread::sleep(Duration::from_millis(3));
        }
        readings
    })
}

fn longest(readings: &[Reading]) -> Duration {
    readings.iter().map(|reading| reading.took).max().unwrap()
}

/// Times that the refreshes are tried: on a busy machine anything may wait once. What a refresh makes readers wait for,
/// it makes them wait for each time.
const TRIES: usize = 3;

conformance!(twenty_refreshes_are_invisible_but_for_their_result, |db: &TestDb| {
    built(db, 2_000);
    let mut waits: Vec<(Duration, Duration)> = Vec::new();
    // What a query of an untouched table waits for at the same time is the machine, too.
    while waits.last().is_none_or(|(longest, idle)| *longest > LONGEST.max(*idle * 3)) {
        assert!(waits.len() < TRIES, "a reader waited each time: {waits:?}");
        waits.push(twenty_refreshes(db, waits.len() * REFRESHES));
    }
    assert_right(db);
});

/// Every state that readers see was published as a whole; returns how long the slowest of them waited, and the slowest of
/// those that read what nobody touched.
fn twenty_refreshes(db: &TestDb, before: usize) -> (Duration, Duration) {
    let mut client = db.client();
    let mut allowed = HashMap::from([(client.rows(&totals_sql()).remove(0), 0)]);
    let stop = Arc::new(AtomicBool::new(false));
    // The dashboard's query, all tiers at once, and a table that nobody touches: how busy the machine is.
    let brand = format!("SELECT SUM(amount), COUNT(*) FROM {BRAND} WHERE marketplace = 'ALL'");
    let dashboard = read_on(db, brand.clone(), &stop);
    let tiers = read_on(db, totals_sql(), &stop);
    let idle = read_on(db, "SELECT COUNT(*) FROM dashagg_demo_numbers".into(), &stop);
    let mut brands = HashMap::from([(client.rows(&brand).remove(0), 0)]);
    for round in 1..=REFRESHES {
        change(db, before + round);
        db.dashagg().args(["refresh", "--full"]).run().ok();
        allowed.insert(client.rows(&totals_sql()).remove(0), round);
        brands.insert(client.rows(&brand).remove(0), round);
    }
    stop.store(true, Ordering::SeqCst);
    assert_eq!((allowed.len(), brands.len()), (REFRESHES + 1, REFRESHES + 1), "two states look the same");
    let (dashboard, tiers, idle) = (dashboard.join().unwrap(), tiers.join().unwrap(), idle.join().unwrap());

    for (readings, allowed) in [(&tiers, &allowed), (&dashboard, &brands)] {
        let mut last = 0;
        for reading in readings {
            let round = allowed.get(&reading.row);
            let round = *round.unwrap_or_else(|| panic!("a state that never was: {:?}", reading.row));
            assert!(round >= last, "state {round} after state {last}");
            last = round;
        }
    }
    for row in allowed.keys() {
        assert!(row[0] == row[1] && row[1] == row[2] && row[2] == row[3], "tiers disagree: {row:?}");
        assert!(row[4..].iter().all(|count| count.parse::<u64>().unwrap() > 100), "{row:?}");
    }
    println!(
        "{:?}: {} and {} readings, longest {:?} and {:?}; idle {:?}",
        db.kind,
        dashboard.len(),
        tiers.len(),
        longest(&dashboard),
        longest(&tiers),
        longest(&idle)
    );
    (longest(&dashboard).max(longest(&tiers)), longest(&idle))
}

/// A transaction whose snapshot is taken now, without touching a summary.
fn snapshot(db: &TestDb) -> Client {
    let mut client = db.client();
    client.exec(match db.kind {
        Kind::Mariadb => {
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT"
        }
        Kind::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        Kind::Sqlite => "BEGIN",
    });
    client.rows("SELECT COUNT(*) FROM brands");
    client
}

conformance!(a_snapshot_older_than_the_publish_still_sees_the_old_rows_complete, |db: &TestDb| {
    built(db, 2_000);
    let sql = totals_sql();
    let mut old: Vec<(Client, Vec<Vec<String>>)> = Vec::new();
    let waits = Mutex::new(Vec::new());
    for round in 1..=3 {
        let now = db.rows(&sql);
        old.push((snapshot(db), now.clone()));
        change(db, round);
        db.dashagg().args(["refresh", "--full"]).run().ok();
        assert_ne!(db.rows(&sql), now);
        for (client, then) in &mut old {
            let start = Instant::now();
            assert_eq!(client.rows(&sql), *then, "after {round} refreshes");
            waits.lock().unwrap().push(start.elapsed());
        }
    }
    let now = db.rows(&sql);
    for (mut client, _) in old {
        client.exec("COMMIT");
        assert_eq!(client.rows(&sql), now);
    }
    println!("{:?}: longest {:?}", db.kind, waits.lock().unwrap().iter().max().unwrap());
    assert_right(db);
});

conformance!(a_reader_is_not_held_up_by_a_publish_in_progress, |db: &TestDb| {
    built(db, 2_000);
    let before = db.rows(&totals_sql());
    change(db, 1);
    let (run, gate) = crate::run::stopped(db, &[], "publishing");
    // Who waits for the publish waits for ever, and gives up.
    let mut client = crate::conformance::isolation::application(db);
    for _ in 0..5 {
        assert_eq!(client.rows(&totals_sql()), before);
    }
    db.dashagg().args(["status"]).run().ok();
    gate.open();
    run.end().ok();
    assert_ne!(client.rows(&totals_sql()), before);
    assert_right(db);
});

//! The host application goes on writing as if nothing were there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::{Client, Kind, TestDb, conformance};
use crate::run::stopped;
use crate::sample::{assert_right, assert_tiers_agree, built, cents};

/// A session of the application that gives up a lock in the end: whoever is stopped meanwhile holds it for ever.
pub fn application(db: &TestDb) -> Client {
    let mut client = db.client();
    client.exec(match db.kind {
        Kind::Mariadb => "SET SESSION innodb_lock_wait_timeout = 10, lock_wait_timeout = 10",
        Kind::Postgres => "SET lock_timeout = '10s'",
        Kind::Sqlite => "PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF",
    });
    client
}

/// Insert, update, delete, and a month that a row leaves for another one; products too.
fn write(client: &mut Client, amount: &str, round: u64) {
    client.exec(&format!(
        "INSERT INTO financials (asin, marketplace, month, metric, amount)
         SELECT asin, marketplace, month, metric, {amount} FROM financials WHERE id BETWEEN {round} AND {round} + 2;
         UPDATE financials SET amount = amount + {amount} WHERE id = {round} + 100;
         UPDATE financials SET month = '2023-06-01' WHERE id = {round} + 200;
         DELETE FROM financials WHERE id = {round} + 300;
         UPDATE products SET brand_id = 51 - brand_id WHERE asin = (SELECT asin FROM financials WHERE id = {round} + 400)"
    ));
}

conformance!(writers_of_the_source_do_not_wait_for_staging, |db: &TestDb| {
    built(db, 2_000);
    let amount = cents(db, 100);
    write(&mut application(db), &amount, 1);
    // In the middle: what some months were computed with is still held, if anything is.
    let (run, gate) = stopped(db, &["--full"], "staging=3*off->");
    let mut client = application(db);
    for round in 2..=20 {
        write(&mut client, &amount, round);
    }
    gate.open();
    // Months were computed at different moments, each one right in itself: nothing to complain about.
    let report = run.end().ok().json();
    assert_eq!(report["sets"][0]["status"], "ok");
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
});

conformance!(
    a_write_between_staging_and_publish_breaks_nothing_and_comes_with_the_next_run,
    |db: &TestDb| {
        built(db, 2_000);
        let amount = cents(db, 100);
        write(&mut application(db), &amount, 1);
        let (run, gate) = stopped(db, &[], "publish");
        write(&mut application(db), &amount, 2);
        gate.open();
        let report = run.end().ok().json();
        assert_eq!(report["sets"][0]["retries"], 0, "{report:#}");
        // What is published agrees with itself; it is only not the newest.
        assert_tiers_agree(db);
        db.dashagg().arg("refresh").run().ok();
        assert_right(db);
    }
);

conformance!(a_long_transaction_of_the_application_does_not_stop_a_refresh, |db: &TestDb| {
    built(db, 2_000);
    let amount = cents(db, 100);
    let mut client = application(db);
    if db.kind == Kind::Sqlite {
        // One writer only: what may stay open there is a reader.
        write(&mut client, &amount, 1);
        client.exec("BEGIN");
        client.rows("SELECT SUM(amount) FROM financials");
    } else {
        client.exec("BEGIN");
        write(&mut client, &amount, 1);
    }
    db.dashagg().args(["refresh", "--full"]).run().ok();
    client.exec("COMMIT");
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
});

/// How many notes there are decides in which order a server reads log and work: whatever there is, what the application has
/// not committed yet is not waited for.
#[test]
fn an_open_transaction_stops_no_claim_however_few_notes_there_are() {
    let db = &TestDb::new(Kind::Mariadb);
    built(db, 1_000);
    let rows = |from: u32, to: u32| {
        format!("UPDATE financials SET amount = amount + 1 WHERE id BETWEEN {from} AND {to}")
    };
    let product = |which: &str| {
        let asin = db.one(&format!("SELECT {which}(asin) FROM products"));
        format!("UPDATE products SET brand_id = brand_id + 1 WHERE asin = '{asin}'")
    };
    for open in [rows(1, 1), rows(1, 3), product("MIN")] {
        for meanwhile in
            [None, Some(product("MAX")), Some(rows(100, 100)), Some(rows(100, 110)), Some(rows(100, 399))]
        {
            let mut client = application(db);
            client.exec("BEGIN");
            client.exec(&open);
            if let Some(change) = &meanwhile {
                db.exec(change);
            }
            for arguments in [&["refresh", "--json"][..], &["refresh", "--full", "--json"]] {
                let report = db.dashagg().args(arguments).run().ok().json();
                assert_eq!(
                    report["sets"][0]["retries"], 0,
                    "{open}; {meanwhile:?}; {arguments:?}: {report:#}"
                );
            }
            client.exec("COMMIT");
        }
    }
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
}

conformance!(refreshes_under_constant_writing_end_right, |db: &TestDb| {
    built(db, 2_000);
    let amount = cents(db, 100);
    let stop = Arc::new(AtomicBool::new(false));
    let (mut client, told) = (application(db), Arc::clone(&stop));
    let writer = std::thread::spawn(move || {
        let mut round = 0;
        while !told.load(Ordering::SeqCst) {
            round += 1;
            write(&mut client, &amount, round % 100);
            std::thread::sleep(Duration::from_millis(2));
        }
        round
    });
    for _ in 0..5 {
        db.dashagg().args(["refresh", "--full"]).run().ok();
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writer.join().unwrap() > 20);
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
});

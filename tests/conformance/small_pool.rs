//! A pooler in transaction mode with hardly a session to give: slower, with one warning, and nothing hangs.

use crate::common::bouncer::Bouncer;
use crate::common::{Dashagg, Kind, TestDb};
use crate::sample::{assert_right, cents, sample};

/// Above what any of this takes, below what a pooler's queue gives up at.
const STATED: f64 = 60.0;

#[test]
fn a_pool_of_two_is_enough_for_everything_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let pooler = Bouncer::new(db, 2);
    let config = db.dir().join("pool.toml");
    std::fs::write(&config, "[database]\nconnect_timeout = \"3s\"\n").unwrap();
    let dashagg =
        || -> Dashagg { db.dashagg_without_url().args(["-D", &pooler.url(db), "--config"]).arg(&config) };
    let run = |args: &[&str]| {
        let output = dashagg().args(args).run().ok();
        assert!(output.seconds < STATED, "{output:?}");
        output
    };
    sample(db, 20_000);
    run(&["create"]);
    let first = run(&["refresh", "--jobs", "4"]);
    assert_eq!(first.stderr.matches("no more connections to be had").count(), 1, "{first:?}");
    assert_right(db);
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 50", cents(db, 100)));
    let some = run(&["refresh", "--json"]).json();
    assert_eq!(some["sets"][0]["mode"], "incremental", "{some:#}");
    assert_right(db);
    run(&["refresh", "--full"]);
    run(&["verify"]);
    run(&["status"]);
    run(&["drop", "financials", "--yes"]);
}

/// The lock takes the only session: said in words, soon, and before anything is touched.
#[test]
fn a_pool_of_one_is_refused_in_words_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    sample(db, 1_000);
    db.dashagg().arg("create").run().ok();
    let pooler = Bouncer::new(db, 1);
    let config = db.dir().join("pool.toml");
    std::fs::write(&config, "[database]\nconnect_timeout = \"2s\"\n[run]\nretries = 0\n").unwrap();
    let said =
        db.dashagg_without_url().args(["-D", &pooler.url(db), "refresh", "--config"]).arg(&config).run();
    assert!(said.code != 0 && said.seconds < STATED, "{said:?}");
    assert!(said.stderr.contains("two sessions"), "{said:?}");
    assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {}", crate::sample::ASIN)), "0");
    drop(pooler);
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
}

//! Killed, terminated or interrupted at any step: readers keep the last published rows, and the next run needs no help.

use std::time::{Duration, Instant};

use crate::common::{TestDb, conformance};
use crate::run::{Run, held, states, wait_until};
use crate::sample::{BRAND, assert_right, built, cents, contents, left_in_scratch};

/// Rows inserted, updated and deleted in every tier at the next publish.
fn change(db: &TestDb) {
    let amount = cents(db, 250);
    db.exec(&format!(
        "UPDATE financials SET amount = amount + {amount} WHERE id <= 20;
         DELETE FROM financials WHERE id BETWEEN 21 AND 30;
         INSERT INTO financials (asin, marketplace, month, metric, amount)
         SELECT asin, 'FR', month, metric, {amount} FROM financials WHERE id BETWEEN 31 AND 40"
    ));
}

fn killed(db: &TestDb, failpoints: &str, until: fn(&Run, &TestDb)) {
    built(db, 2_000);
    let before = contents(db);
    change(db);
    let run = held(db, &["--full"], failpoints);
    until(&run, db);
    run.signal("KILL");
    let start = Instant::now();
    assert_ne!(db.one(&format!("SELECT SUM(amount) FROM {BRAND}")), "NULL");
    assert!(start.elapsed() < Duration::from_secs(1), "a reader waited {:?}", start.elapsed());
    assert_eq!(contents(db), before);
    run.end().code(137);
    db.dashagg().arg("refresh").run().ok();
    assert_eq!(left_in_scratch(db), Vec::<String>::new());
    assert_eq!(states(db), ["fresh"; 3]);
    assert_right(db);
}

conformance!(a_run_killed_while_staging_leaves_nothing_to_clean_up, |db: &TestDb| {
    // In the middle: some months are computed.
    killed(db, "staging=3*off->sleep(20000)", |run, _| {
        run.until_staging();
        std::thread::sleep(Duration::from_millis(700));
    });
});

conformance!(a_run_killed_before_it_publishes_leaves_nothing_to_clean_up, |db: &TestDb| {
    killed(db, "publish=sleep(20000)", |run, _| run.until_staged());
});

conformance!(a_run_killed_half_way_through_publishing_is_undone, |db: &TestDb| {
    killed(db, "applying=sleep(20000)", Run::until_publishing);
});

conformance!(a_run_killed_just_before_its_commit_is_undone, |db: &TestDb| {
    killed(db, "publishing=sleep(20000)", Run::until_publishing);
});

fn stopped(db: &TestDb, signal: &str, code: i32, failpoints: &str) {
    built(db, 2_000);
    let before = contents(db);
    change(db);
    let run = held(db, &["--full"], failpoints);
    run.until_staging();
    std::thread::sleep(Duration::from_millis(300));
    run.signal(signal);
    let start = Instant::now();
    let ended = run.end().code(code);
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?} to stop", start.elapsed());
    assert!(ended.stderr.contains("nothing was published"), "{ended:?}");
    assert_eq!(contents(db), before);
    assert_eq!(left_in_scratch(db), Vec::<String>::new());
    let last = "SELECT status FROM dashagg_run ORDER BY finished_at DESC LIMIT 1";
    assert_eq!(db.one(last), "interrupted");
    assert_eq!(states(db), ["failed"; 3]);
    db.dashagg().arg("refresh").run().ok();
    assert_eq!(db.one(last), "ok");
    assert_right(db);
}

conformance!(sigterm_while_staging_exits_143_and_publishes_nothing, |db: &TestDb| {
    stopped(db, "TERM", 143, "staging=sleep(300)");
});

conformance!(sigint_while_staging_exits_130_and_publishes_nothing, |db: &TestDb| {
    stopped(db, "INT", 130, "staging=sleep(300)");
});

conformance!(sigterm_while_publishing_tells_the_truth, |db: &TestDb| {
    built(db, 2_000);
    let before = contents(db);
    change(db);
    let run = held(db, &[], "publishing=sleep(1500)");
    run.until_publishing(db);
    run.signal("TERM");
    let ended = run.end();
    // Too late to stop is as good as in time, if the exit code says which.
    match ended.code {
        0 => assert_right(db),
        143 => assert_eq!(contents(db), before),
        other => panic!("exit code {other}: {ended:?}"),
    }
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
});

conformance!(a_statement_that_runs_in_the_server_is_cancelled_there, |db: &TestDb| {
    let set = crate::own::slow(db);
    let sets = set.to_str().unwrap();
    db.dashagg().args(["--sql-dir", sets, "create"]).run().ok();
    let run = Run::start(db.dashagg().args(["--sql-dir", sets, "refresh", "--json"]));
    run.until_staging();
    // Long enough for the statement to have begun.
    std::thread::sleep(Duration::from_millis(500));
    run.signal("TERM");
    let start = Instant::now();
    run.end().code(143);
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?} to stop", start.elapsed());
    wait_until(|| crate::own::busy(db).is_empty(), || format!("still there: {:?}", crate::own::busy(db)));
});

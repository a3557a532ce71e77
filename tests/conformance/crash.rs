//! Killed, terminated or interrupted at any step: readers keep the last published rows, and the next run needs no help.

use crate::common::{TestDb, conformance};
use crate::conformance::isolation::application;
use crate::run::{Run, held, states, stopped as stopped_at, wait_until};
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

fn killed(db: &TestDb, point: &str) {
    built(db, 2_000);
    let before = contents(db);
    change(db);
    let (run, _gate) = stopped_at(db, &["--full"], point);
    assert_ne!(application(db).one(&format!("SELECT SUM(amount) FROM {BRAND}")), "NULL");
    run.signal("KILL");
    assert_eq!(contents(db), before);
    run.end().code(137);
    db.dashagg().arg("refresh").run().ok();
    assert_eq!(left_in_scratch(db), Vec::<String>::new());
    assert_eq!(states(db), ["fresh"; 3]);
    assert_right(db);
}

conformance!(a_run_killed_while_staging_leaves_nothing_to_clean_up, |db: &TestDb| {
    // In the middle: some months are computed.
    killed(db, "staging=3*off->");
});

conformance!(a_run_killed_before_it_publishes_leaves_nothing_to_clean_up, |db: &TestDb| {
    killed(db, "publish");
});

conformance!(a_run_killed_half_way_through_publishing_is_undone, |db: &TestDb| {
    killed(db, "applying");
});

conformance!(a_run_killed_just_before_its_commit_is_undone, |db: &TestDb| {
    killed(db, "publishing");
});

fn stopped(db: &TestDb, signal: &str, code: i32, failpoints: &str) {
    built(db, 2_000);
    let before = contents(db);
    change(db);
    let run = held(db, &["--full"], failpoints);
    run.until_log("stopped at staging");
    run.signal(signal);
    let ended = run.end().code(code);
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
    wait_until(|| crate::own::is_sleeping(db), || format!("no statement:\n{}", run.log()));
    run.signal("TERM");
    run.end().code(143);
    wait_until(|| crate::own::busy(db).is_empty(), || format!("still there: {:?}", crate::own::busy(db)));
});

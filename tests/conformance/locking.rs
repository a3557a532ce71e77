//! One refresher a set: the others leave or wait. And when the lock does not hold, the fence does.

use crate::common::{TestDb, conformance};
use crate::run::{Run, changes, held, states, stopped};
use crate::sample::{assert_right, built, cents};

fn ten(db: &TestDb, arguments: &[&str], failpoints: &str) -> Vec<crate::run::Ended> {
    let runs: Vec<Run> = (0..10).map(|_| held(db, arguments, failpoints)).collect();
    runs.into_iter().map(Run::end).collect()
}

/// One group of every tier changes.
fn change(db: &TestDb) {
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id = 5", cents(db, 100)));
}

conformance!(of_ten_refreshes_at_once_one_runs_and_the_others_name_it, |db: &TestDb| {
    built(db, 1_000);
    change(db);
    let ended = ten(db, &[], "publish=sleep(2000)");
    let (done, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(|run| run.code == 0);
    assert!(!done.is_empty() && !refused.is_empty(), "{done:?} {refused:?}");
    for run in &refused {
        assert_eq!(run.code, 11, "{run:?}");
        let names = |other: &crate::run::Ended| run.stderr.contains(&format!("pid {}, since 20", other.pid));
        assert!(run.stderr.contains("is held by host ") && done.iter().any(names), "{run:?} {done:?}");
        assert!(run.stderr.contains("--wait"), "{run:?}");
    }
    // ASIN, brand, 'ALL' and category: published once, whoever it was.
    let written = done.iter().map(|run| changes(&run.json())[1]).sum::<u64>();
    assert_eq!(written, 4, "{done:?}");
    assert_right(db);
});

conformance!(ten_refreshes_that_wait_all_succeed, |db: &TestDb| {
    built(db, 1_000);
    change(db);
    let ended = ten(db, &["--wait", "60s"], "");
    let written = ended.into_iter().map(|run| changes(&run.ok().json())[1]).sum::<u64>();
    assert_eq!(written, 4);
    assert_right(db);
});

conformance!(create_waits_for_a_refresh_or_leaves, |db: &TestDb| {
    built(db, 1_000);
    let (run, gate) = stopped(db, &["--full"], "staging");
    assert_eq!(states(db), ["running"; 3]);
    db.dashagg().arg("create").run().code(11);
    let waiting = Run::start(db.dashagg().args(["create", "--wait", "60s"]));
    waiting.until_log("waiting");
    gate.open();
    waiting.end().ok();
    run.end().ok();
    assert_eq!(states(db), ["fresh"; 3]);
});

conformance!(without_the_lock_the_fence_alone_keeps_the_older_run_out, |db: &TestDb| {
    built(db, 1_000);
    change(db);
    let (older, gate) = stopped(db, &[], "no-lock=return;publish");
    change(db);
    let newer = held(db, &["--full"], "no-lock=return").end().ok().json();
    assert_eq!(changes(&newer), [0, 4, 0], "{newer:#}");
    gate.open();
    let older = older.end().ok();
    assert_eq!(older.json()["sets"][0]["retries"], 1, "{older:?}");
    assert!(older.stderr.contains("another run published in between"), "{older:?}");
    assert_eq!(changes(&older.json()), [0; 3]);
    assert_right(db);
});

conformance!(overlapping_runs_without_the_lock_leave_the_newest_state, |db: &TestDb| {
    built(db, 1_000);
    let runs: Vec<Run> = (0..4)
        .map(|n| {
            change(db);
            held(db, &[], &format!("no-lock=return;publish=1*sleep({})", 900 - 200 * n))
        })
        .collect();
    for run in runs {
        run.end().ok();
    }
    assert_right(db);
});

//! A live run is never taken for dead, and a dead one is no obstacle.

use crate::common::{Dashagg, Kind, TestDb};
use crate::run::{Run, held, wait_until};
use crate::sample::{assert_right, built, cents};

fn change(db: &TestDb) {
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 5", cents(db, 100)));
}

/// `dashagg refresh` in a container's worth of namespaces: the host name of all of them, and a process number that says
/// nothing outside. With `others`, some numbers are used up first.
fn contained(db: &TestDb, others: bool, failpoints: &str) -> Run {
    let mut unshare: Vec<&str> = vec!["--pid", "--fork", "--mount-proc", "--uts", "--kill-child"];
    if !is_root() {
        unshare.insert(0, "-r");
    }
    let inner =
        if others { "for i in 1 2 3 4 5 6 7; do sh -c true; done; \"$@\"; exit $?" } else { "exec \"$@\"" };
    let command = Dashagg::within("unshare", &db.dir().join("cwd"))
        .args(unshare)
        .args(["sh", "-c", inner, "sh", env!("CARGO_BIN_EXE_dashagg"), "-D", &db.url, "refresh", "--json"])
        .env("FAILPOINTS", failpoints);
    Run::start(command)
}

fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim() == "0"
}

/// On each of two engines.
const OVERLAPS: usize = 25;

fn overlaps(kind: Kind) {
    let db = &TestDb::new(kind);
    built(db, 1_000);
    let (mut refused, mut pids) = (0, Vec::new());
    for at in 0..50 {
        if refused == OVERLAPS {
            break;
        }
        change(db);
        let first = contained(db, at % 2 == 0, "publish=sleep(700)");
        wait_until(
            || db.one("SELECT COUNT(*) FROM dashagg_holder") == "1",
            || format!("no holder: {}", first.log()),
        );
        pids.push(db.rows("SELECT pid FROM dashagg_holder").concat().concat());
        let second = contained(db, at % 3 == 0, "").end();
        let first = first.end().ok();
        assert!(!second.stderr.contains("ending what it left"), "{second:?}");
        assert_eq!(first.json()["sets"][0]["retries"], 0, "{first:?}");
        assert!([0, 11].contains(&second.code), "{second:?}");
        refused += usize::from(second.code == 11);
    }
    assert_eq!(refused, OVERLAPS, "runs that really overlapped");
    assert!(pids.contains(&"1".to_owned()), "{pids:?}: no namespaces?");
    assert_right(db);
}

#[test]
fn two_containers_with_one_host_name_end_no_live_run_on_mariadb() {
    overlaps(Kind::Mariadb);
}

#[test]
fn two_containers_with_one_host_name_end_no_live_run_on_postgres() {
    overlaps(Kind::Postgres);
}

/// The server works on for a run that was killed. Two others find that out; the one that is late must not end the other.
#[test]
fn of_two_that_find_a_dead_run_the_late_one_ends_nobody_alive() {
    let db = &TestDb::new(Kind::Mariadb);
    built(db, 1_000);
    change(db);
    let dead = held(db, &["--full"], "publish=sleep(60000)");
    dead.until_staged();
    let mut noted =
        db.rows("SELECT session, host, pid, boot_id, namespaces, process_start, since FROM dashagg_holder");
    dead.signal("KILL");
    dead.end().code(137);
    // A session of the killed run that stays, with the lock.
    let mut ghost = db.client();
    let set = db.one("SELECT set_name FROM dashagg_set");
    let lock = format!("SELECT GET_LOCK('dashagg:{}:{set}', 0)", db.name());
    wait_until(|| ghost.one(&lock) == "1", || "the lock is not free".into());
    noted[0][0] = ghost.one("SELECT CONNECTION_ID()");
    let cells: Vec<String> = noted[0].iter().map(|cell| format!("'{cell}'")).collect();
    db.exec(&format!(
        "DELETE FROM dashagg_holder; INSERT INTO dashagg_holder \
         (session, host, pid, boot_id, namespaces, process_start, since, set_name) VALUES ({}, '{set}')",
        cells.join(", ")
    ));
    let late = held(db, &["--full", "--wait", "60s"], "judging=1*sleep(4000)");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let early = held(db, &["--full", "--wait", "60s"], "publish=sleep(6000)");
    early.until_log("ending what it left");
    let early = early.end().ok();
    assert_eq!(early.json()["sets"][0]["retries"], 0, "{early:?}");
    let late = late.end().ok();
    assert!(late.stderr.contains("ending what it left"), "{late:?}");
    assert_right(db);
}

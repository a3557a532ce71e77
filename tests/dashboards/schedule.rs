//! `refresh --due`: exactly what the schedules ask for, by a clock that the test sets.

use crate::common::{Kind, TestDb};
use crate::views::tiny;

const MANIFEST: &str = "description = \"tiny\"\nengines = [\"postgres\"]\n[sources.items]\n\
    [summaries.counts]\nkind = \"materialized_view\"\nkey = [\"grp\"]\nevery = \"5m\"\n\
    [summaries.nightly]\nkind = \"materialized_view\"\nkey = [\"grp\"]\nat = \"02:00\"\ntimezone = \"Australia/Sydney\"\n\
    [summaries.never]\nkind = \"materialized_view\"\nkey = [\"grp\"]\n";

fn script() -> String {
    ["counts", "nightly", "never"]
        .map(|name| {
            format!(
                "CREATE MATERIALIZED VIEW IF NOT EXISTS {name} AS SELECT grp, COUNT(*) AS n FROM items GROUP BY grp WITH NO DATA;\n\
                 CREATE UNIQUE INDEX IF NOT EXISTS {name}_key ON {name} (grp);\n"
            )
        })
        .concat()
}

fn set_up() -> TestDb {
    let db = TestDb::new(Kind::Postgres);
    tiny(&db, MANIFEST, &script());
    db.exec("INSERT INTO items SELECT g, 'g' || g % 3, g FROM generate_series(1, 30) g");
    own(&db).args(["create", "tiny"]).run().ok();
    db
}

fn own(db: &TestDb) -> crate::common::Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

/// One cron minute: a row changes, then `refresh --due`. Returns the views that were refreshed.
fn minute(db: &TestDb, now: &str, id: u32) -> Vec<String> {
    db.exec(&format!("INSERT INTO items VALUES ({}, 'g1', 1)", 1_000 + id));
    let report = own(db)
        .args(["refresh", "--due", "--json"])
        .env("FAILPOINTS", format!("clock=return({now})"))
        .run()
        .ok()
        .json();
    let mut names: Vec<String> = report["sets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|set| set["summaries"].as_array().unwrap())
        .map(|summary| summary["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn due_runs_exactly_what_the_schedules_ask_for_postgres() {
    let db = set_up();
    let none: [&str; 0] = [];
    // Never refreshed: both schedules are behind. What has no schedule is never due.
    assert_eq!(minute(&db, "2026-03-01T00:00:02Z", 0), ["counts", "nightly"]);
    assert_eq!(minute(&db, "2026-03-01T00:01:02Z", 1), none);
    assert_eq!(minute(&db, "2026-03-01T00:04:59Z", 2), none);
    assert_eq!(minute(&db, "2026-03-01T00:05:01Z", 3), ["counts"]);
    // Cron's jitter does not push a run to the next minute.
    assert_eq!(minute(&db, "2026-03-01T00:10:00Z", 4), ["counts"]);
    // 02:00 in Sydney is 15:00 UTC in summer time. After a gap each is caught up once.
    assert_eq!(minute(&db, "2026-03-01T14:59:59Z", 5), ["counts"]);
    assert_eq!(minute(&db, "2026-03-01T15:00:30Z", 6), ["counts", "nightly"]);
    assert_eq!(minute(&db, "2026-03-01T15:01:30Z", 7), none);
    assert_eq!(minute(&db, "2026-03-03T09:03:30Z", 8), ["counts", "nightly"]);
    assert_eq!(minute(&db, "2026-03-03T09:04:30Z", 9), none);
    assert_eq!(db.one("SELECT relispopulated::text FROM pg_class WHERE relname = 'never'"), "false");
}

#[test]
fn a_run_that_found_nothing_to_do_serves_its_schedule_too_postgres() {
    let db = set_up();
    let due = |now: &str| {
        own(&db)
            .args(["refresh", "--due", "--json"])
            .env("FAILPOINTS", format!("clock=return({now})"))
            .run()
            .ok()
            .json()
    };
    due("2026-03-01T00:00:02Z");
    assert_eq!(due("2026-03-01T00:05:02Z")["status"], "noop");
    assert_eq!(due("2026-03-01T00:06:02Z")["sets"], serde_json::json!([]));
    let status = own(&db)
        .args(["status", "tiny", "--json"])
        .env("FAILPOINTS", "clock=return(2026-03-01T00:06:02Z)")
        .run()
        .ok()
        .json();
    let next: Vec<(&str, Option<&str>)> = status["summaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["name"].as_str().unwrap(), s["next_due"].as_str()))
        .collect();
    assert!(next.contains(&("counts", Some("2026-03-01T00:10:00.000Z"))), "{next:?}");
    assert!(next.contains(&("nightly", Some("2026-03-01T15:00:00.000Z"))), "{next:?}");
    assert!(next.contains(&("never", None)), "{next:?}");
}

#[test]
fn a_failed_run_is_due_again_the_next_minute_postgres() {
    let db = set_up();
    minute(&db, "2026-03-01T00:00:02Z", 0);
    db.exec("INSERT INTO items SELECT g, 'x', 1 FROM generate_series(5000, 5001) g; ALTER TABLE items RENAME TO gone");
    let failing =
        own(&db).args(["refresh", "--due"]).env("FAILPOINTS", "clock=return(2026-03-01T00:05:02Z)").run();
    assert_ne!(failing.code, 0, "{failing:?}");
    db.exec("ALTER TABLE gone RENAME TO items");
    assert_eq!(minute(&db, "2026-03-01T00:06:02Z", 1), ["counts"]);
}

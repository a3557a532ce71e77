//! Materialized views: refreshed without stopping readers, checked before they are seen, each on its own.

use crate::common::{Kind, TestDb, copy_set};
use crate::run::{held, stopped, wait_until};
use crate::sets::{built, refresh, sample};

fn edit(db: &TestDb, set: &str, file: &str, change: impl Fn(String) -> String) {
    let path = copy_set(set, &db.dir().join("sql")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let new = change(text.clone());
    assert_ne!(text, new, "the edit of {file} did nothing");
    std::fs::write(path, new).unwrap();
}

fn own(db: &TestDb) -> crate::common::Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

/// A set of two views on one table, written for the test: `counts` per group and `biggest` per group.
pub fn tiny(db: &TestDb, manifest: &str, script: &str) {
    let folder = db.dir().join("sql/tiny/postgres");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(db.dir().join("sql/tiny/summaries.toml"), manifest).unwrap();
    std::fs::write(folder.join("0001_views.sql"), script).unwrap();
    db.exec("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, grp TEXT, amount NUMERIC(10,2))");
}

const MANIFEST: &str = "description = \"tiny\"\nengines = [\"postgres\"]\n[sources.items]\n\
    totals = { amount = \"SUM(amount)\" }\n\
    [summaries.counts]\nkind = \"materialized_view\"\nkey = [\"grp\"]\nignore = [\"refreshed_at\"]\n\
    reconcile = [{ columns = [\"amount\"] }]\n\
    [summaries.biggest]\nkind = \"materialized_view\"\nkey = [\"grp\"]\n";

const SCRIPT: &str = "CREATE MATERIALIZED VIEW IF NOT EXISTS counts AS\n\
    SELECT grp, COUNT(*) AS items, SUM(amount) AS amount, now() AS refreshed_at FROM items GROUP BY grp WITH NO DATA;\n\
    CREATE UNIQUE INDEX IF NOT EXISTS counts_key ON counts (grp);\n\
    CREATE MATERIALIZED VIEW IF NOT EXISTS biggest AS\n\
    SELECT grp, MAX(amount) AS amount, MAX(100 / NULLIF(amount, 13)) AS risky FROM items GROUP BY grp WITH NO DATA;\n\
    CREATE UNIQUE INDEX IF NOT EXISTS biggest_key ON biggest (grp);\n";

#[test]
fn one_view_that_fails_leaves_the_other_alone_and_says_why_postgres() {
    let db = TestDb::new(Kind::Postgres);
    tiny(&db, MANIFEST, SCRIPT);
    db.exec("INSERT INTO items SELECT g, 'g' || g % 3, g FROM generate_series(1, 30) g");
    own(&db).args(["create", "tiny"]).run().ok();
    own(&db).args(["refresh", "tiny"]).run().ok();
    // Division by zero in `biggest` only.
    db.exec("INSERT INTO items VALUES (99, 'g1', 0)");
    let output = own(&db).args(["refresh", "tiny", "--json"]).run().code(3);
    let report = output.json();
    assert_eq!(report["status"], "partial", "{report:#}");
    let of = |name: &str| {
        let all = report["sets"][0]["summaries"].as_array().unwrap();
        all.iter().find(|summary| summary["name"] == name).unwrap_or_else(|| panic!("{report:#}")).clone()
    };
    assert_eq!(of("counts")["status"], "ok");
    assert_eq!(of("counts")["updated"], 1);
    assert_eq!(of("biggest")["status"], "failed");
    assert!(of("biggest")["error"].as_str().unwrap().contains("division by zero"), "{report:#}");
    assert!(of("biggest")["seconds"].is_number());
    assert_eq!(db.one("SELECT items FROM counts WHERE grp = 'g1'"), "11");
    let status = own(&db).args(["status", "tiny", "--json"]).run().ok().json();
    let states: Vec<(&str, &str)> = status["summaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["name"].as_str().unwrap(), s["state"].as_str().unwrap()))
        .collect();
    assert!(states.contains(&("biggest", "failed")) && states.contains(&("counts", "fresh")), "{states:?}");
    // Mended data heals it, and only it is refreshed.
    db.exec("DELETE FROM items WHERE id = 99");
    own(&db).args(["refresh", "tiny"]).run().ok();
    own(&db).args(["verify", "tiny"]).run().ok();
}

#[test]
fn an_ignored_column_makes_no_change_by_itself_postgres() {
    let db = TestDb::new(Kind::Postgres);
    tiny(&db, MANIFEST, SCRIPT);
    db.exec("INSERT INTO items SELECT g, 'g' || g % 3, g FROM generate_series(1, 30) g");
    own(&db).args(["create", "tiny"]).run().ok();
    own(&db).args(["refresh", "tiny"]).run().ok();
    let before = db.rows("SELECT ctid, * FROM counts ORDER BY grp");
    let report = own(&db).args(["refresh", "tiny", "--full", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["summaries"][0]["updated"], 0, "{report:#}");
    assert_eq!(db.rows("SELECT ctid, * FROM counts ORDER BY grp"), before);
    own(&db).args(["verify", "tiny"]).run().ok();
}

#[test]
fn a_view_without_a_unique_index_is_refused_in_words_postgres() {
    let db = TestDb::new(Kind::Postgres);
    tiny(
        &db,
        MANIFEST,
        &SCRIPT
            .replace("CREATE UNIQUE INDEX IF NOT EXISTS counts_key", "CREATE INDEX IF NOT EXISTS counts_key"),
    );
    own(&db).args(["create", "tiny"]).run().ok();
    let said = own(&db).args(["refresh", "tiny.counts"]).run().code(1).stderr;
    assert!(said.contains("no unique index on exactly its key (grp)"), "{said}");
}

#[test]
fn a_view_that_would_be_emptied_stays_as_it_was_postgres() {
    let db = built("school", 500);
    let before = db.one("SELECT COUNT(*) FROM mv_school_students");
    assert_ne!(before, "0");
    db.exec("DELETE FROM students");
    // The view has a row for each school; it is the rows that would vanish that count.
    db.exec("DELETE FROM schools");
    let output = db.dashagg().args(["refresh", "school.mv_school_students"]).run().code(1);
    assert!(output.stderr.contains("would vanish"), "{}", output.stderr);
    assert_eq!(db.one("SELECT COUNT(*) FROM mv_school_students"), before);
    db.dashagg().args(["refresh", "school.mv_school_students", "--allow-shrink"]).run().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM mv_school_students"), "0");
}

#[test]
fn verify_names_what_a_stale_view_lacks_postgres() {
    let db = built("school", 500);
    // Unnoticed: the triggers are off for the moment.
    db.exec("ALTER TABLE students DISABLE TRIGGER ALL; DELETE FROM students WHERE id % 2 = 0; ALTER TABLE students ENABLE TRIGGER ALL");
    let output = db.dashagg().args(["verify", "school.mv_school_students", "--json"]).run();
    // Disabled triggers are a gap: either verify finds the difference, or the next refresh says why it is complete.
    assert!(output.code == 4 || output.code == 0, "{output:?}");
    let report = refresh(&db, "school").json();
    assert_eq!(report["status"], "ok", "{report:#}");
    db.dashagg().args(["verify", "school"]).run().ok();
}

#[test]
fn grants_and_dependants_of_a_view_survive_its_refresh_postgres() {
    let db = built("school", 500);
    db.exec(
        "CREATE VIEW on_top AS SELECT * FROM mv_school_students; GRANT SELECT ON mv_school_students TO PUBLIC",
    );
    db.exec("DELETE FROM students WHERE id % 2 = 0");
    refresh(&db, "school");
    assert_eq!(db.one("SELECT has_table_privilege('public', 'mv_school_students', 'SELECT')::text"), "true");
    assert_eq!(db.one("SELECT COUNT(*) FROM on_top"), db.one("SELECT COUNT(*) FROM mv_school_students"));
}

/// A reader that never pauses sees each view whole, and never waits long.
#[test]
fn readers_never_wait_for_a_view_postgres() {
    let db = built("manufacturing", 20_000);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = db.client();
            let mut slowest = 0.0f64;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let start = std::time::Instant::now();
                assert_eq!(client.one("SELECT COUNT(*) FROM mv_production_dept_status"), "4");
                assert_eq!(client.one("SELECT COUNT(*) FROM mv_mo_trends_7days"), "7");
                slowest = slowest.max(start.elapsed().as_secs_f64());
            }
            slowest
        });
        let stop = Stop(&done);
        for n in 0..5 {
            db.exec(&format!("DELETE FROM quality_inspections WHERE id % 50 = {n}"));
            db.dashagg().args(["refresh", "manufacturing", "--full"]).run().ok();
        }
        drop(stop);
        let slowest = reader.join().unwrap();
        assert!(slowest < 1.0, "the slowest reading took {slowest} s");
    });
}

/// The fence alone keeps an older result from being published over a newer one.
#[test]
fn an_overtaken_refresh_of_views_is_fenced_postgres() {
    let db = built("school", 500);
    db.exec("DELETE FROM students WHERE id % 2 = 0");
    let (slow, gate) = stopped(&db, &["school.mv_school_students"], "no-lock=return;publish");
    db.exec("DELETE FROM students WHERE id % 3 = 0");
    // The slow one holds its views: the other waits at the first of them, and what it knew of the set is old then.
    let other = held(&db, &["school"], "no-lock=return");
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_until(|| db.one(waits) == "1", || format!("it does not wait:\n{}", other.log()));
    gate.open();
    slow.end().ok();
    other.end().ok();
    db.dashagg().args(["refresh", "school"]).run().ok();
    db.dashagg().args(["verify", "school"]).run().ok();
}

#[test]
fn a_killed_refresh_of_views_leaves_them_readable_postgres() {
    let db = built("school", 500);
    db.exec("DELETE FROM students WHERE id % 2 = 0");
    let before = db.rows("SELECT * FROM mv_school_students ORDER BY school_id");
    for point in ["claimed", "publish", "publishing"] {
        let (run, _gate) = stopped(&db, &["school"], point);
        run.signal("KILL");
        run.end().code(128 + 9);
        assert_eq!(db.rows("SELECT * FROM mv_school_students ORDER BY school_id"), before, "{point}");
    }
    refresh(&db, "school");
    assert_ne!(db.rows("SELECT * FROM mv_school_students ORDER BY school_id"), before);
    db.dashagg().args(["verify", "school"]).run().ok();
}

#[test]
fn what_a_view_cannot_have_is_refused_with_the_key_postgres() {
    let db = sample("school", 200);
    edit(&db, "school", "summaries.toml", |text| {
        text.replacen("\"materialized_view\"", "\"materialized_view\"\nlive = true", 1)
    });
    let said = own(&db).args(["create", "school"]).run().code(2).stderr;
    assert!(said.contains("live: a materialized view is always refreshed as a whole"), "{said}");
}

/// Ends the reader even if what it watches panics.
struct Stop<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

//! Each bundled set that is made of materialized views, from its sample to its dashboards.

use std::path::{Path, PathBuf};

use crate::common::{Kind, Output, TestDb};

pub fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(set)
}

pub fn text(set: &str, file: &str) -> String {
    let path = folder(set).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A database with the sample of a set.
pub fn sample(set: &str, rows: u64) -> TestDb {
    let db = TestDb::new(Kind::Postgres);
    fill(&db, set, rows);
    db
}

pub fn fill(db: &TestDb, set: &str, rows: u64) {
    db.exec(&text(set, "sample/postgres.sql"));
    db.exec(&text(set, "sample/fill.sql").replace("{rows}", &rows.to_string()));
}

/// The sample, created and refreshed.
pub fn built(set: &str, rows: u64) -> TestDb {
    let db = sample(set, rows);
    db.dashagg().args(["create", set]).run().ok();
    refresh(&db, set);
    db
}

pub fn refresh(db: &TestDb, set: &str) -> Output {
    db.dashagg().args(["refresh", set, "--json"]).run().ok()
}

/// Every summary equals its independent query, by EXCEPT ALL both ways over the query's columns.
pub fn assert_equals_independent(db: &TestDb, set: &str) {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder(set).join("independent")).unwrap() {
        let path = entry.unwrap().path();
        let view = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let query = std::fs::read_to_string(&path).unwrap();
        let query = query.trim().trim_end_matches(';');
        let schema = if set == "budget" { "efir_budget." } else { "" };
        let view = format!("{schema}{view}");
        // The independent query's columns, without rows.
        db.exec(&format!(
            "DROP VIEW IF EXISTS check_columns; CREATE VIEW check_columns AS SELECT * FROM ({query}\n) q"
        ));
        let columns = db.one(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = 'check_columns'::regclass AND attnum > 0",
        );
        let limit = if view == "daily_metrics_table" {
            // Older days have left the table by retention.
            " WHERE metric_date >= (SELECT MIN(metric_date) FROM daily_metrics_table)"
        } else {
            ""
        };
        let differing = db.one(&format!(
            "SELECT (SELECT COUNT(*) FROM (SELECT {columns} FROM {view} EXCEPT ALL SELECT {columns} FROM check_columns{limit}) a) \
             + (SELECT COUNT(*) FROM (SELECT {columns} FROM check_columns{limit} EXCEPT ALL SELECT {columns} FROM {view}) b)"
        ));
        assert_eq!(differing, "0", "{view} differs from its independent query");
        db.exec("DROP VIEW check_columns");
        seen += 1;
    }
    assert!(seen > 1, "{set}: {seen} independent queries");
}

fn assert_dashboards(db: &TestDb, set: &str) {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder(set).join("dashboards")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".raw.sql") {
            let raw = db.rows(&text(set, &format!("dashboards/{name}")));
            let summary = db.rows(&text(set, &format!("dashboards/{stem}.summary.sql")));
            assert_eq!(raw, summary, "{set}: {stem}");
            seen += 1;
        }
    }
    assert!(seen > 1, "{set}: {seen} dashboards");
}

/// The whole way, twice: first build, then a change.
fn whole_way(set: &str, change: &str) {
    let db = sample(set, 5_000);
    db.dashagg().args(["create", set]).run().ok();
    let again = db.dashagg().args(["create", set]).run().ok();
    assert!(again.stdout.contains("nothing to do"), "{again:?}");
    let first = refresh(&db, set).json();
    assert_eq!(first["status"], "ok", "{first:#}");
    assert_equals_independent(&db, set);
    assert_dashboards(&db, set);
    db.dashagg().args(["verify", set]).run().ok();
    let status = db.dashagg().args(["status", set, "--json"]).run().ok().json();
    for summary in status["summaries"].as_array().unwrap() {
        assert_eq!(summary["state"], "fresh", "{summary:#}");
        assert!(summary["next_due"].is_string(), "{summary:#}");
        assert_eq!(summary["pending_partitions"], 0, "{summary:#}");
    }
    let quiet = refresh(&db, set).json();
    assert_eq!(quiet["status"], "noop", "{quiet:#}");

    db.exec(change);
    let report = refresh(&db, set).json();
    assert_eq!(report["status"], "ok", "{report:#}");
    assert_equals_independent(&db, set);
    assert_dashboards(&db, set);
    db.dashagg().args(["verify", set]).run().ok();
    let full = db.dashagg().args(["refresh", set, "--full", "--json"]).run().ok().json();
    for summary in full["sets"][0]["summaries"].as_array().unwrap() {
        let changed = ["inserted", "updated", "deleted"].map(|what| summary[what].as_u64().unwrap());
        assert_eq!(changed, [0, 0, 0], "incremental and complete differ: {summary:#}");
    }
}

#[test]
fn manufacturing_postgres() {
    whole_way(
        "manufacturing",
        "UPDATE manufacturing_orders SET state = 'cancelled' WHERE id % 7 = 0; DELETE FROM tickets WHERE id % 3 = 0",
    );
}

#[test]
fn budget_postgres() {
    whole_way(
        "budget",
        "UPDATE efir_budget.revenue_plans SET deleted_at = now() WHERE id IN (SELECT id FROM efir_budget.revenue_plans ORDER BY id LIMIT 40)",
    );
}

#[test]
fn school_postgres() {
    whole_way("school", "DELETE FROM students WHERE id % 5 = 0");
}

#[test]
fn crm_postgres() {
    whole_way(
        "crm",
        "UPDATE orders SET total = total + 1 WHERE id % 11 = 0; UPDATE jobs SET deleted_at = now() WHERE id % 9 = 0",
    );
}

/// All five in one database, told apart by what their sources are called.
#[test]
fn without_a_name_each_set_that_fits_is_created_and_refreshed_postgres() {
    let db = sample("school", 500);
    fill(&db, "manufacturing", 500);
    let created = db.dashagg().args(["create", "--json"]).run().ok().json();
    let names = |value: &serde_json::Value| -> Vec<String> {
        value["sets"].as_array().unwrap().iter().map(|set| set["set"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&created), ["manufacturing", "school"]);
    let refreshed = db.dashagg().args(["refresh", "--json"]).run().ok().json();
    assert_eq!(names(&refreshed), ["manufacturing", "school"]);
    db.dashagg().arg("verify").run().ok();
}

/// A set for PostgreSQL does not get in the way of other engines, and says so when it is named.
#[test]
fn a_set_for_another_engine_is_refused_in_words_mariadb() {
    let db = TestDb::new(Kind::Mariadb);
    let said = db.dashagg().args(["create", "crm"]).run().code(2).stderr;
    assert!(said.contains("set crm is made for postgres"), "{said}");
}

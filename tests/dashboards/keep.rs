//! Retention: older partitions leave the summary, never the source; verify and conservation know.

use crate::common::{Dashagg, Kind, TestDb, conformance, copy_set};
use crate::small::{SOURCES, Tiny};

fn own(db: &TestDb) -> Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

fn at(db: &TestDb, now: &str) -> Dashagg {
    own(db).env("FAILPOINTS", format!("clock=return({now})"))
}

const TABLES: [&str; 3] = [
    "financials_summary_monthly_asin_marketplace",
    "financials_summary_monthly_brand",
    "financials_summary_monthly_category",
];

fn months(db: &TestDb, table: &str) -> Vec<String> {
    let rows = db.rows(&format!("SELECT DISTINCT month FROM {table} ORDER BY month"));
    rows.into_iter().map(|row| row[0].clone()).collect()
}

fn with_keep(db: &TestDb) {
    db.exec(SOURCES);
    let manifest = copy_set("financials", &db.dir().join("sql")).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        text.replace("max_age      = \"26h\"", "max_age      = \"26h\"\nkeep = \"2 months\""),
    )
    .unwrap();
    own(db).arg("create").run().ok();
}

conformance!(expired_partitions_leave_the_summaries_and_not_the_source, |db: &TestDb| {
    with_keep(db);
    at(db, "2025-03-10T00:00:00Z").arg("refresh").run().ok();
    for table in TABLES {
        assert_eq!(months(db, table), ["2025-01-01", "2025-02-01"], "{table}");
    }
    at(db, "2025-03-10T00:00:00Z").arg("verify").run().ok();
    // Nothing changes but the month.
    let quiet = at(db, "2025-03-31T00:00:00Z").args(["refresh", "--json"]).run().ok().json();
    assert_eq!(quiet["status"], "noop");
    let report = at(db, "2025-04-01T00:00:00Z").args(["refresh", "--json"]).run().ok().json();
    assert_eq!(report["status"], "ok", "{report:#}");
    for table in TABLES {
        assert_eq!(months(db, table), ["2025-02-01"], "{table}");
    }
    assert_eq!(months(db, "financials"), ["2025-01-01", "2025-02-01"]);
    at(db, "2025-04-01T00:00:00Z").arg("verify").run().ok();
    let full = at(db, "2025-04-01T00:00:00Z").args(["refresh", "--full", "--json"]).run().ok().json();
    for summary in full["sets"][0]["summaries"].as_array().unwrap() {
        let changed = ["inserted", "updated", "deleted"].map(|what| summary[what].as_u64().unwrap());
        assert_eq!(changed, [0, 0, 0], "{summary:#}");
    }
});

conformance!(late_rows_of_an_expired_partition_change_nothing, |db: &TestDb| {
    with_keep(db);
    at(db, "2025-04-01T00:00:00Z").arg("refresh").run().ok();
    db.exec("INSERT INTO financials VALUES (90, 'A1', 'US', '2025-01-01', 'sales', 77), (91, 'A1', 'US', '2025-02-01', 'sales', 5)");
    at(db, "2025-04-01T00:00:00Z").arg("refresh").run().ok();
    for table in TABLES {
        assert_eq!(months(db, table), ["2025-02-01"], "{table}");
    }
    at(db, "2025-04-01T00:00:00Z").arg("verify").run().ok();
    db.exec("UPDATE products SET brand_id = 9 WHERE asin = 'A1'");
    at(db, "2025-04-01T00:00:00Z").arg("refresh").run().ok();
    at(db, "2025-04-01T00:00:00Z").arg("verify").run().ok();
});

conformance!(retention_is_no_collapse, |db: &TestDb| {
    with_keep(db);
    at(db, "2025-03-10T00:00:00Z").arg("refresh").run().ok();
    // All that is left expires.
    at(db, "2025-09-01T00:00:00Z").arg("refresh").run().ok();
    for table in TABLES {
        assert!(months(db, table).is_empty(), "{table}");
    }
    at(db, "2025-09-01T00:00:00Z").arg("verify").run().ok();
});

conformance!(only_dates_say_how_old_a_partition_is, |db: &TestDb| {
    let tiny = Tiny::new(db);
    let month = if db.kind == Kind::Sqlite { "TEXT" } else { "CHAR(7)" };
    db.exec(&format!("CREATE TABLE events (month {month} NOT NULL, n INTEGER NOT NULL); INSERT INTO events VALUES ('2020-01', 1)"));
    let manifest = "[sources.events]\npartition = ['month']\n\
         [summaries.months]\ntable = 'tiny_months'\nselect = 'months.sql'\nkey = ['month']\npartition = ['month']\n";
    tiny.write("summaries.toml", manifest);
    tiny.write("months.sql", "SELECT month, SUM(n) AS total FROM events GROUP BY month\n");
    tiny.script(
        "0001_days.sql",
        &format!("CREATE TABLE IF NOT EXISTS tiny_months (month {month} NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n"),
    );
    tiny.create().ok();
    tiny.refresh().ok();
    tiny.write("summaries.toml", &format!("{manifest}keep = '24 months'\n"));
    let said = tiny.refresh().code(2).stderr;
    assert!(said.contains("summaries.months.keep") && said.contains("month"), "{said}");
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_months"), "1");
});

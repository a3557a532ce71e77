//! A refresh of named partitions changes those, in every tier, and nothing else.

use std::path::PathBuf;

use crate::common::{Dashagg, TestDb, conformance};
use crate::own::{sales, write_set};
use crate::sample::{ASIN, BRAND, CATEGORY, assert_right, built, cents, contents, month_is_current};

const MARCH: &str = "2023-03-01";
const AUGUST: &str = "2023-08-01";

fn change(db: &TestDb, months: &[&str]) {
    for month in months {
        let amount = cents(db, 700);
        db.exec(&format!("UPDATE financials SET amount = amount + {amount} WHERE month = '{month}'"));
    }
}

conformance!(a_named_month_is_refreshed_in_every_tier_and_no_other, |db: &TestDb| {
    built(db, 2_000);
    change(db, &[MARCH, AUGUST]);
    let report = db.dashagg().args(["refresh", "--json", "--partition", MARCH]).run().ok().json();
    let set = &report["sets"][0];
    assert_eq!((&set["mode"], &set["partitions"]), (&"incremental".into(), &1.into()), "{report:#}");
    assert!(set["summaries"].as_array().unwrap().iter().all(|s| s["updated"] != 0), "{report:#}");
    assert!(month_is_current(db, MARCH));
    assert!(!month_is_current(db, AUGUST));
    // The rest of the summary is counted, not forgotten.
    let rows = db.one(&format!("SELECT COUNT(*) FROM {ASIN}"));
    assert_eq!(set["summaries"][0]["rows"].to_string(), rows);
    let status = db.dashagg().args(["status", "--json"]).run().ok().json();
    assert_eq!(status["summaries"][0]["rows"].to_string(), rows);
    assert_eq!(status["summaries"][0]["last_run"]["mode"], "incremental");

    db.dashagg().args(["refresh", "--partition", AUGUST, MARCH]).run().ok();
    assert_right(db);
});

conformance!(since_takes_that_month_and_all_later_ones, |db: &TestDb| {
    built(db, 2_000);
    change(db, &[MARCH, AUGUST, "2023-12-01"]);
    let report = db.dashagg().args(["refresh", "--json", "--since", AUGUST]).run().ok().json();
    assert_eq!(report["sets"][0]["partitions"], 5, "{report:#}");
    assert!(!month_is_current(db, MARCH));
    assert!(month_is_current(db, AUGUST) && month_is_current(db, "2023-12-01"));
    // A day that is no partition itself is a place in the order like any other.
    db.dashagg().args(["refresh", "--since", "2023-02-15"]).run().ok();
    assert_right(db);
});

conformance!(a_month_that_is_new_or_gone_in_the_source_appears_or_vanishes, |db: &TestDb| {
    built(db, 2_000);
    db.exec(&format!("DELETE FROM financials WHERE month = '{MARCH}'"));
    let amount = cents(db, 100);
    db.exec(&format!(
        "INSERT INTO financials (asin, marketplace, month, metric, amount) VALUES ('new', 'US', '2031-01-01', 'sales', {amount})"
    ));
    let named = ["refresh", "--json", "--partition", MARCH, "2031-01-01"];
    let report = db.dashagg().args(named).run().ok().json();
    for (table, summary) in
        [ASIN, BRAND, CATEGORY].iter().zip(report["sets"][0]["summaries"].as_array().unwrap())
    {
        assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {table} WHERE month = '{MARCH}'")), "0");
        assert_ne!(summary["deleted"], 0, "{summary}");
        let rows = db.one(&format!("SELECT COUNT(*) FROM {table} WHERE month = '2031-01-01'"));
        assert_eq!(summary["inserted"].to_string(), rows);
    }
    assert_right(db);
    // A month that nobody has ever heard of is published as what it is: nothing.
    db.dashagg().args(["refresh", "--partition", "1999-01-01"]).run().ok();
    assert_right(db);
});

conformance!(a_partition_that_is_no_date_is_refused_before_anything_is_done, |db: &TestDb| {
    built(db, 1_000);
    let before = contents(db);
    for bad in ["2023-13-01", "2023-02-30", "March", "", "2023-03-01'; --"] {
        let output = db.dashagg().args(["refresh", "--partition", bad]).run().code(2);
        assert!(output.stderr.contains("is not a date"), "{output:?}");
        assert!(output.stderr.contains("2023-01-01"), "no example of a right one: {output:?}");
    }
    for verb in [&["refresh", "--since"][..], &["verify", "financials", "--partition"]] {
        let output = db.dashagg().args(verb).arg("2023-3-1").run().code(2);
        assert!(output.stderr.contains("is not a date"), "{output:?}");
    }
    assert_eq!(contents(db), before);
    assert_eq!(crate::run::states(db), ["fresh"; 3]);
});

/// Two partition columns below, none above.
fn shops(db: &TestDb) -> PathBuf {
    sales(db);
    write_set(
        db,
        "shops",
        r#"
[sources.sales]
partition = ["day", "shop"]
totals    = { amount = "SUM(amount)", n = "COUNT(*)" }

[summaries.daily]
select    = "daily.sql"
key       = ["day", "shop"]
partition = ["day", "shop"]
reconcile = [{ columns = ["amount", "n"] }]

[summaries.by_day]
select    = "by_day.sql"
key       = ["day"]
partition = ["day"]
reconcile = [{ columns = ["amount", "n"] }]

[summaries.total]
select    = "total.sql"
key       = ["shop"]
partition = []
reconcile = [{ columns = ["amount", "n"] }]
"#,
        "CREATE TABLE daily (day DATE NOT NULL, shop VARCHAR(40) NOT NULL, amount DECIMAL(20,2) NOT NULL, \
         n INTEGER NOT NULL, PRIMARY KEY (day, shop));
         CREATE TABLE by_day (day DATE NOT NULL PRIMARY KEY, amount DECIMAL(20,2) NOT NULL, n INTEGER NOT NULL);
         CREATE TABLE total (shop VARCHAR(40) NOT NULL PRIMARY KEY, amount DECIMAL(20,2) NOT NULL, n INTEGER NOT NULL);",
        &[
            ("daily.sql", "SELECT day, shop, SUM(amount) AS amount, COUNT(*) AS n FROM sales GROUP BY day, shop"),
            ("by_day.sql", "SELECT day, SUM(amount) AS amount, SUM(n) AS n FROM daily GROUP BY day"),
            ("total.sql", "SELECT shop, SUM(amount) AS amount, SUM(n) AS n FROM daily GROUP BY shop"),
        ],
    )
}

/// Sums over the tiers and what they must be, given that one partition is not refreshed yet.
fn assert_sums(db: &TestDb, source: &str) {
    for (table, key) in [("daily", "day, shop"), ("by_day", "day"), ("total", "shop")] {
        let sql = format!("SELECT {key}, SUM(amount), SUM(n) FROM");
        let want = db.rows(&format!("{sql} ({source}) s GROUP BY {key} ORDER BY {key}"));
        assert_eq!(db.rows(&format!("{sql} {table} t GROUP BY {key} ORDER BY {key}")), want, "{table}");
    }
}

conformance!(one_of_two_partition_columns_values_keeps_unpartitioned_totals_right, |db: &TestDb| {
    let sets = shops(db);
    let dashagg = || -> Dashagg { db.dashagg().arg("--sql-dir").arg(&sets) };
    dashagg().arg("create").run().ok();
    dashagg().arg("refresh").run().ok();
    let raw = "SELECT day, shop, amount, 1 AS n FROM sales";
    assert_sums(db, raw);
    let frozen = "CREATE TABLE frozen AS SELECT * FROM sales";
    db.exec(frozen);
    db.exec("UPDATE sales SET amount = amount + 1000 WHERE day = '2025-01-02'");
    db.exec("DELETE FROM sales WHERE day = '2025-01-02' AND shop = 'A' AND product = 'Pen'");

    let report = dashagg()
        .args(["refresh", "--json", "--partition", "2025-01-02,O'Brien \"C\"", "2025-01-02,A"])
        .run()
        .ok();
    assert_eq!(report.json()["sets"][0]["partitions"], 2, "{report:?}");
    let mixed = "SELECT day, shop, amount, 1 AS n FROM sales WHERE NOT (day = '2025-01-02' AND shop = 'B') \
                 UNION ALL SELECT day, shop, amount, 1 FROM frozen WHERE day = '2025-01-02' AND shop = 'B'";
    assert_sums(db, mixed);
    // A group that vanishes whole, and one that is new.
    db.exec("DELETE FROM sales WHERE day = '2025-01-03' AND shop = 'A'");
    db.exec("UPDATE sales SET shop = 'D' WHERE day = '2025-01-01' AND shop = 'B'");
    let named = ["2025-01-03,A", "2025-01-01,B", "2025-01-01,D", "2025-01-02,B"];
    dashagg().args(["refresh", "--partition"]).args(named).run().ok();
    assert_sums(db, raw);
    dashagg().arg("verify").run().ok();
    dashagg().args(["refresh", "--since", "2025-01-02"]).run().ok();
    let again = dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    assert_eq!(crate::run::changes(&again), [0; 3]);
    for bad in ["2025-01-02", "2025-01-02,A,B", "A,2025-01-02"] {
        dashagg().args(["refresh", "--partition", bad]).run().code(2);
    }
});

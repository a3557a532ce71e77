//! Refreshed tiers equal what raw rows say, and running again changes nothing.

use crate::common::{TestDb, conformance};
use crate::run::{changes, states};
use crate::sample::{ASIN, assert_equals_raw, assert_right, built, built_of_months, cents, contents, sample};

conformance!(every_tier_equals_an_independent_query_over_raw, |db: &TestDb| {
    built_of_months(db, 20_000, 36);
    assert_equals_raw(db);
    assert_ne!(db.one(&format!("SELECT COUNT(*) FROM {ASIN} WHERE brand_id = 0")), "0", "no unassigned ASIN");
    let before = contents(db);
    let again = db.dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    assert_eq!(changes(&again), [0, 0, 0]);
    assert_eq!(again["sets"][0]["mode"], "complete");
    assert_eq!(again["sets"][0]["partitions"], 36);
    // Not even the moment of writing: a row that is right is not written.
    assert_eq!(contents(db), before);
    db.dashagg().arg("verify").run().ok();
});

conformance!(create_again_does_nothing, |db: &TestDb| {
    sample(db, 2_000);
    let first = db.dashagg().args(["create", "--json"]).run().ok().json();
    assert_ne!(first["sets"][0]["applied"], serde_json::json!([]));
    let again = db.dashagg().args(["create", "--json"]).run().ok().json();
    assert_eq!(again["sets"][0]["applied"], serde_json::json!([]));
    assert_eq!(again["sets"][0]["indexes"], serde_json::json!([]));
    let words = db.dashagg().arg("create").run().ok();
    assert!(words.stdout.contains("nothing to do"), "{words:?}");
    assert_eq!(states(db), ["never"; 3]);
});

conformance!(only_what_changed_is_written_and_counted, |db: &TestDb| {
    built(db, 5_000);
    let one = db.one("SELECT MIN(asin) FROM products");
    // A group that is new in every tier, one that changes, one that vanishes.
    let amount = cents(db, 12_345);
    db.exec(&format!(
        "INSERT INTO financials (asin, marketplace, month, metric, amount) VALUES ('{one}', 'JP', '2026-01-01', 'sales', {amount});
         UPDATE financials SET amount = amount + {amount} WHERE id = 77;
         DELETE FROM financials WHERE id = 78"
    ));
    let vanished = db.one(
        "SELECT COUNT(*) FROM (SELECT asin, marketplace, month, metric FROM financials_summary_monthly_asin_marketplace \
         EXCEPT SELECT asin, marketplace, month, metric FROM financials) v",
    );
    let report = db.dashagg().args(["refresh", "--json"]).run().ok().json();
    let asin = &report["sets"][0]["summaries"][0];
    assert_eq!(asin["inserted"], 1, "{report:#}");
    assert_eq!(asin["deleted"].to_string(), vanished);
    // id 77 for certain, and the group of id 78 unless it is the one that vanished.
    assert_eq!(asin["updated"].as_u64(), Some(2 - vanished.parse::<u64>().unwrap()));
    assert_right(db);
});

conformance!(a_remapped_product_moves_to_its_new_brand_and_category, |db: &TestDb| {
    built(db, 5_000);
    let one = db.one("SELECT MIN(asin) FROM products");
    db.exec(&format!("UPDATE products SET brand_id = 51, category_id = 11 WHERE asin = '{one}'"));
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
    db.exec("DELETE FROM products");
    db.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    assert_right(db);
});

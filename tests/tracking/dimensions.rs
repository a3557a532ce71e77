//! A product that is re-mapped, added or removed makes wrong exactly the months in which its ASIN occurs.

use std::collections::BTreeSet;

use crate::case::{Expect::*, after, case, insert, notes, settled};
use crate::common::{TestDb, conformance};
use crate::sample::{ASIN, BRAND, CATEGORY, built};

/// Months in which any of these ASINs has rows.
fn months_of(db: &TestDb, asins: &str) -> u64 {
    db.one(&format!("SELECT COUNT(DISTINCT month) FROM financials WHERE asin IN ({asins})")).parse().unwrap()
}

fn some(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|n| format!("'B0{}'", 10_000_000 + n)).collect::<Vec<_>>().join(", ")
}

conformance!(each_change_of_a_product, |db: &TestDb| {
    built(db, 1_500);
    let ten = some(20..30);
    db.exec(&format!("DELETE FROM financials WHERE asin IN ({ten}) AND month > '2023-05-01'"));
    db.dashagg().arg("refresh").run().ok();
    assert_eq!(months_of(db, &ten), 5, "a sample that shows something");
    let report = case(
        db,
        "ten ASINs re-mapped",
        Seen,
        &format!("UPDATE products SET brand_id = 51, category_id = 3 WHERE asin IN ({ten})"),
    );
    assert_eq!(report["sets"][0]["partitions"], 5, "{report:#}");

    // Seed 1: the products 16, 116, … are missing.
    let without = db.one("SELECT MIN(asin) FROM financials WHERE asin NOT IN (SELECT asin FROM products)");
    db.exec(&format!("DELETE FROM financials WHERE asin = '{without}' AND month > '2023-02-01'"));
    db.exec(&insert(db, &[(&without, "US", "2023-09-01", "sales", 12_345)]));
    db.dashagg().arg("refresh").run().ok();
    let expected = months_of(db, &format!("'{without}'"));
    let report = case(
        db,
        "a product for an unassigned ASIN",
        Seen,
        &format!("INSERT INTO products VALUES ('{without}', 52, 4)"),
    );
    assert_eq!(report["sets"][0]["partitions"], expected, "{report:#}");
    assert_eq!(
        db.one(&format!("SELECT COUNT(*) FROM {ASIN} WHERE brand_id = 52 AND asin <> '{without}'")),
        "0"
    );

    let report =
        case(db, "a product removed", Seen, &format!("DELETE FROM products WHERE asin = '{without}'"));
    assert_eq!(report["sets"][0]["partitions"], expected, "{report:#}");
    assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {BRAND} WHERE brand_id = 52")), "0");

    db.exec(&insert(db, &[("moves", "US", "2023-02-01", "sales", 5)]));
    db.exec("INSERT INTO products VALUES ('unsold', 7, 7)");
    db.dashagg().arg("refresh").run().ok();
    assert_eq!(notes(db, "dashagg_log_", "asin") + notes(db, "dashagg_work_", "asin"), 0);
    case(
        db,
        "a product that sold nothing",
        Nothing,
        "UPDATE products SET brand_id = 8 WHERE asin = 'unsold'",
    );
    assert_eq!(notes(db, "dashagg_log_", "asin") + notes(db, "dashagg_work_", "asin"), 0, "notes stay");
    case(
        db,
        "a product that takes another's ASIN",
        Seen,
        "UPDATE products SET asin = 'moves' WHERE asin = 'unsold'",
    );
});

conformance!(days_of_changes_at_once, |db: &TestDb| {
    built(db, 1_500);
    let (re_mapped, group) = (some(40..50), "brand_id = 9");
    let without = db.one("SELECT MIN(asin) FROM financials WHERE asin NOT IN (SELECT asin FROM products)");
    db.exec(&format!("UPDATE products SET brand_id = 60, category_id = 60 WHERE asin IN ({re_mapped})"));
    db.exec(&format!("DELETE FROM financials WHERE asin IN (SELECT asin FROM products WHERE {group})"));
    db.exec("DELETE FROM financials WHERE month = '2023-11-01'");
    db.exec(&format!("INSERT INTO products VALUES ('{without}', 61, 61)"));
    db.exec(&format!("DELETE FROM products WHERE asin IN ({})", some(70..72)));
    db.exec(&insert(
        db,
        &[("late", "US", "2023-01-01", "sales", 1), ("late", "US", "2026-01-01", "sales", 2)],
    ));
    db.exec("INSERT INTO products VALUES ('late', 61, 61)");
    db.exec(&format!("UPDATE products SET brand_id = 62 WHERE asin IN ({re_mapped})"));
    db.exec("UPDATE financials SET asin = 'late' WHERE id BETWEEN 900 AND 905");
    after(db, "all of it", Seen);
    for (table, condition) in
        [(ASIN, group), (BRAND, group), (BRAND, "brand_id = 60"), (CATEGORY, "month = '2023-11-01'")]
    {
        assert_eq!(
            db.one(&format!("SELECT COUNT(*) FROM {table} WHERE {condition}")),
            "0",
            "{table}: {condition}"
        );
    }
    let brands: BTreeSet<String> = db
        .rows(&format!("SELECT DISTINCT brand_id FROM {BRAND} WHERE brand_id > 59"))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(brands, BTreeSet::from(["61".to_owned(), "62".to_owned()]));
    settled(db, "at the end", &|| db.dashagg());
});

//! A SELECT that loses, doubles or mislabels money is refused before anybody sees its result.

use crate::common::{Kind, TestDb, conformance, copy_set};
use crate::run::states;
use crate::sample::{assert_right, built, contents};

/// Refreshes with an edited file of the set, which must fail with all of `words` and publish nothing.
fn refused(db: &TestDb, file: &str, from: &str, to: &str, words: &[&str]) {
    built(db, 2_000);
    // Two raw rows of one group, whatever the sample has.
    db.exec(
        "INSERT INTO financials (asin, marketplace, month, metric, amount) \
         SELECT asin, marketplace, month, metric, amount FROM financials WHERE id BETWEEN 1 AND 5",
    );
    let before = contents(db);
    let sets = db.dir().join("sets");
    let path = copy_set("financials", &sets).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has changed; the edit must follow:\n{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();

    let output = db.dashagg().arg("--sql-dir").arg(&sets).arg("refresh").run().code(1);
    for word in words {
        assert!(output.stderr.contains(word), "'{word}' is not in\n{}", output.stderr);
    }
    assert_eq!(contents(db), before);
    assert_eq!(states(db), ["failed"; 3]);
    // The right file again: nothing to repair.
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
}

conformance!(an_inner_join_that_loses_unassigned_rows_is_refused, |db: &TestDb| {
    let words = [
        "financials.asin: month=2023-",
        "sum of amount",
        "source financials has",
        "inner join",
        "nothing was published",
    ];
    refused(db, "asin.sql", "LEFT JOIN products", "JOIN products", &words);
});

conformance!(an_upper_tier_that_loses_rows_is_refused, |db: &TestDb| {
    let words =
        ["financials.category: month=2023-", "sum of amount", "summary asin has", "nothing was published"];
    let from = "GROUP BY month, metric, category_id";
    refused(db, "category.sql", from, &format!("WHERE category_id <> 0 {from}"), &words);
});

conformance!(a_brand_without_its_total_row_is_refused, |db: &TestDb| {
    let words = ["financials.brand: month=2023-", "where marketplace = 'ALL' is", "nothing was published"];
    let from = "GROUP BY month, metric, brand_id";
    refused(db, "brand.sql", from, &format!("{from} HAVING brand_id <> 0"), &words);
});

conformance!(duplicate_keys_are_refused, |db: &TestDb| {
    let from = "GROUP BY month, metric, marketplace, asin";
    let words = [
        "asin.sql: yields more than one row for the same key (month, metric, marketplace, asin)",
        "nothing was published",
    ];
    refused(db, "asin.sql", from, &format!("{from}, id"), &words);
});

conformance!(null_keys_are_refused, |db: &TestDb| {
    let words = [
        "asin.sql: ",
        "rows have a NULL in the key (month, metric, marketplace, asin)",
        "COALESCE",
        "nothing was published",
    ];
    refused(db, "asin.sql", "f.marketplace,", "NULLIF(f.marketplace, 'UK') AS marketplace,", &words);
});

// Text has no limit in the other engines' tables.
#[test]
fn a_value_too_long_for_its_column_is_refused_by_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let words = ["asin.sql: Data too long for column 'asin'"];
    refused(db, "asin.sql", "SELECT f.asin,", "SELECT CONCAT(REPEAT('x', 40), f.asin) AS asin,", &words);
}

conformance!(a_source_value_that_is_reserved_is_refused_in_words, |db: &TestDb| {
    built(db, 2_000);
    let before = contents(db);
    db.exec("UPDATE financials SET marketplace = 'ALL' WHERE id = 12");
    let output = db.dashagg().arg("refresh").run().code(1);
    let sentence = "check reserved_marketplace failed: the marketplace name 'ALL' is reserved";
    assert!(output.stderr.contains(sentence), "{output:?}");
    assert!(output.stderr.contains("first row: 2023-"), "{output:?}");
    assert_eq!(contents(db), before);
});

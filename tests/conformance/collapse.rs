//! A source that suddenly has much less is taken for an outage, not for the truth.

use crate::common::{TestDb, conformance};
use crate::run::states;
use crate::sample::{ASIN, BRAND, CATEGORY, assert_right, built, contents};

conformance!(an_emptied_source_is_not_published_unless_asked_for, |db: &TestDb| {
    built(db, 2_000);
    let before = contents(db);
    let rows = db.one(&format!("SELECT COUNT(*) FROM {ASIN}"));
    db.exec("DELETE FROM financials");
    for mode in [&["--full"][..], &[], &["--since", "2023-01-01"]] {
        let refused = db.dashagg().arg("refresh").args(mode).run().code(1);
        let sentence = format!("financials.asin: all {rows} rows would vanish");
        assert!(refused.stderr.contains(&sentence), "{refused:?}");
        assert!(refused.stderr.contains("nothing was published"), "{refused:?}");
        assert!(refused.stderr.contains("--allow-shrink"), "{refused:?}");
        assert_eq!(refused.stdout, "");
    }
    assert_eq!(contents(db), before);
    assert_eq!(states(db), ["failed"; 3]);
    let json = db.dashagg().args(["refresh", "--full", "--json"]).run().code(1);
    let error: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], 1, "{error}");

    db.dashagg().args(["refresh", "--full", "--allow-shrink"]).run().ok();
    for table in [ASIN, BRAND, CATEGORY] {
        assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {table}")), "0");
    }
    assert_eq!(states(db), ["fresh"; 3]);
    assert_right(db);
});

conformance!(losing_half_is_refused_and_losing_a_tenth_is_not, |db: &TestDb| {
    built(db, 2_000);
    let before = contents(db);
    db.exec("CREATE TABLE parked AS SELECT * FROM financials WHERE month >= '2023-07-01'");
    db.exec("DELETE FROM financials WHERE month >= '2023-07-01'");
    let refused = db.dashagg().args(["refresh", "--full"]).run().code(1);
    assert!(refused.stderr.contains("would vanish, more than max_shrink = 20 %"), "{refused:?}");
    let named: Vec<String> =
        (7..=12).flat_map(|month| ["--partition".into(), format!("2023-{month:02}-01")]).collect();
    db.dashagg().arg("refresh").args(&named).run().code(1);
    assert_eq!(contents(db), before);

    db.exec("INSERT INTO financials SELECT * FROM parked WHERE month < '2023-12-01'");
    db.dashagg().args(["refresh", "--full"]).run().ok();
    assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {ASIN} WHERE month = '2023-12-01'")), "0");
    assert_right(db);
});

conformance!(a_source_that_was_always_empty_is_no_collapse, |db: &TestDb| {
    crate::sample::sample(db, 1);
    db.exec("DELETE FROM financials");
    db.dashagg().arg("create").run().ok();
    db.dashagg().arg("refresh").run().ok();
    db.dashagg().arg("refresh").run().ok();
    assert_eq!(states(db), ["fresh"; 3]);
    assert_right(db);
});

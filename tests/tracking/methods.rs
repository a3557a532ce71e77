//! Without triggers: what each method promises, it keeps.

use std::path::PathBuf;

use crate::case::{Expect::*, after_by, insert};
use crate::common::{TestDb, conformance, copy_set};
use crate::sample::{cents, month_is_current, sample};

/// The founding set with another method for `financials`, in a folder of its own, created and refreshed.
fn tracked_by(db: &TestDb, method: &str) -> PathBuf {
    sample(db, 1_000);
    let sets = db.dir().join("sets");
    let manifest = copy_set("financials", &sets).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.contains("track         = \"triggers\""));
    std::fs::write(manifest, text.replace("track         = \"triggers\"", &format!("track = {method}")))
        .unwrap();
    db.dashagg().arg("--sql-dir").arg(&sets).arg("create").run().ok();
    db.dashagg().arg("--sql-dir").arg(&sets).arg("refresh").run().ok();
    sets
}

conformance!(fingerprint, |db: &TestDb| {
    let sets = tracked_by(db, "\"fingerprint\"");
    let dashagg = || db.dashagg().arg("--sql-dir").arg(&sets);
    after_by(db, "no change", Nothing, &dashagg);
    let (one, two) = (cents(db, 1), cents(db, 2));
    for (name, sql) in [
        ("insert", insert(db, &[("B010000001", "US", "2023-03-01", "sales", 5)])),
        ("update", format!("UPDATE financials SET amount = amount + {one} WHERE id = 5")),
        ("move", "UPDATE financials SET month = '2024-02-01' WHERE id = 6".to_owned()),
        ("delete", "DELETE FROM financials WHERE id = 7".to_owned()),
        ("a month emptied", "DELETE FROM financials WHERE month = '2023-12-01'".to_owned()),
        (
            "edits that cancel out",
            format!(
                "UPDATE financials SET amount = amount + CASE WHEN id = (SELECT lo FROM pair) THEN {two} ELSE -{two} END \
                 WHERE id IN (SELECT lo FROM pair UNION ALL SELECT hi FROM pair)"
            ),
        ),
        (
            "ASINs exchanged",
            "UPDATE financials SET asin = CASE WHEN id = (SELECT lo FROM pair) THEN (SELECT hi_asin FROM pair) \
             ELSE (SELECT lo_asin FROM pair) END WHERE id IN (SELECT lo FROM pair UNION ALL SELECT hi FROM pair)"
                .to_owned(),
        ),
    ] {
        db.exec(
            "DROP TABLE IF EXISTS pair; CREATE TABLE pair AS SELECT a.id AS lo, b.id AS hi, a.asin AS lo_asin, b.asin AS hi_asin \
             FROM financials a JOIN financials b ON a.month = b.month AND a.asin <> b.asin AND a.id < b.id \
             WHERE a.month = '2023-03-01' ORDER BY a.id, b.id LIMIT 1",
        );
        db.exec(&sql);
        let report = after_by(db, name, Seen, &dashagg);
        let expected = if name == "move" { 2 } else { 1 };
        assert_eq!(report["sets"][0]["partitions"], expected, "{name}: {report:#}");
    }
});

conformance!(window, |db: &TestDb| {
    let sets = tracked_by(db, "{ window = 2 }");
    let dashagg = || db.dashagg().arg("--sql-dir").arg(&sets);
    db.exec("DELETE FROM financials WHERE month = '2023-12-01' AND id % 2 = 0");
    db.exec("UPDATE financials SET month = '2023-12-01' WHERE month = '2023-11-01' AND id % 2 = 0");
    let report = after_by(db, "the last two months", Seen, &dashagg);
    assert_eq!(report["sets"][0]["partitions"], 2, "{report:#}");
    // Older months are what it does not promise.
    db.exec(&insert(db, &[("B010000001", "US", "2023-03-01", "sales", 5)]));
    dashagg().arg("refresh").run().ok();
    assert!(!month_is_current(db, "2023-03-01"));
    // A product's change is noted by triggers all the same.
    dashagg().args(["refresh", "--full"]).run().ok();
    db.exec("UPDATE products SET brand_id = 77 WHERE asin = 'B010000005'");
    after_by(db, "a product", Seen, &dashagg);
});

conformance!(watermark, |db: &TestDb| {
    let sets = tracked_by(db, "{ watermark = \"updated_at\", overlap = \"10m\" }");
    let dashagg = || db.dashagg().arg("--sql-dir").arg(&sets);
    let row = |month: &str, at: &str| {
        format!(
            "INSERT INTO financials (asin, marketplace, month, metric, amount, updated_at) \
             VALUES ('B010000001', 'US', '{month}', 'sales', {}, '{at}')",
            cents(db, 5)
        )
    };
    let move_on = |at: &str| {
        // All old rows carry the sample's one moment; only those past the mark are looked at from here on.
        db.exec(&row("2023-01-01", at));
        dashagg().arg("refresh").run().ok();
    };
    move_on("2026-02-01 00:00:00");
    db.exec(&row("2023-05-01", "2026-02-01 00:05:00"));
    db.exec("UPDATE financials SET amount = -amount, updated_at = '2026-02-01 00:06:00' WHERE month = '2023-07-01' AND id % 3 = 0");
    after_by(db, "a newer insert and newer updates", Seen, &dashagg);
    assert!(month_is_current(db, "2023-05-01") && month_is_current(db, "2023-07-01"));
    // A transaction that was open for a while brings an older moment: the overlap is for that.
    db.exec(&row("2023-08-01", "2026-02-01 00:00:30"));
    after_by(db, "a late one within the overlap", Seen, &dashagg);
    // What it does not promise.
    db.exec("DELETE FROM financials WHERE month = '2023-10-01' AND id % 2 = 0");
    dashagg().arg("refresh").run().ok();
    assert!(!month_is_current(db, "2023-10-01"));
});

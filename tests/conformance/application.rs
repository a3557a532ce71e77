//! Tracking must never be what makes the application's own statements fail.

use std::path::PathBuf;

use crate::common::{Dashagg, Kind, TestDb, conformance};
use crate::own::{sales, write_set};

conformance!(columns_may_have_the_names_that_tracking_uses_itself, |db: &TestDb| {
    db.exec(
        "CREATE TABLE entries (id INTEGER NOT NULL PRIMARY KEY, note VARCHAR(20) NOT NULL, grain VARCHAR(20) NOT NULL, \
         claim VARCHAR(20) NOT NULL, conn INTEGER NOT NULL, amount INTEGER NOT NULL);
         INSERT INTO entries VALUES (1, 'a', 'b', 'c', 1, 10), (2, 'a', 'b', 'c', 1, 20), (3, 'd', 'e', 'f', 2, 30)",
    );
    for (set, partition, log) in [
        ("whole", "", ""),
        ("parts", "\"note\", \"conn\"", ""),
        ("keys", "\"note\", \"conn\"", "track_columns = [\"note\", \"conn\", \"grain\", \"claim\"]"),
    ] {
        let sets = odd_names(db, set, partition, log);
        let dashagg = || -> Dashagg { db.dashagg().arg("--sql-dir").arg(&sets) };
        dashagg().arg("create").run().ok();
        dashagg().arg("refresh").run().ok();
        db.exec("UPDATE entries SET amount = amount + 1; DELETE FROM entries WHERE id = 2");
        dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        dashagg().arg("verify").run().ok();
        db.exec("INSERT INTO entries VALUES (2, 'a', 'b', 'c', 1, 20)");
        std::fs::remove_dir_all(sets).unwrap();
    }
});

fn odd_names(db: &TestDb, set: &str, partition: &str, log: &str) -> PathBuf {
    let manifest = format!(
        "[sources.entries]\npartition = [{partition}]\n{log}\n[summaries.{set}_sums]\nselect = \"sums.sql\"\n\
         key = [\"note\", \"conn\", \"grain\", \"claim\"]\npartition = [{partition}]\n"
    );
    let script = format!(
        "CREATE TABLE {set}_sums (note VARCHAR(20) NOT NULL, grain VARCHAR(20) NOT NULL, claim VARCHAR(20) NOT NULL, \
         conn INTEGER NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (note, conn, grain, claim))"
    );
    let select = "SELECT note, grain, claim, conn, SUM(amount) AS amount FROM entries GROUP BY note, grain, claim, conn";
    write_set(db, set, &manifest, &script, &[("sums.sql", select)])
}

/// The application makes a column wider and uses it: what was made for the old width must not refuse its rows.
/// (SQLite's columns have no width.)
fn widened(kind: Kind, alter: &str) {
    let db = &TestDb::new(kind);
    sales(db);
    let sets = write_set(
        db,
        "shops",
        "[sources.sales]\npartition = [\"shop\"]\n[summaries.best]\nselect = \"best.sql\"\nkey = [\"shop\"]\npartition = [\"shop\"]\n",
        "CREATE TABLE best (shop VARCHAR(100) NOT NULL PRIMARY KEY, amount DECIMAL(20,2) NOT NULL)",
        &[("best.sql", "SELECT shop, SUM(amount) AS amount FROM sales GROUP BY shop")],
    );
    let dashagg = || -> Dashagg { db.dashagg().arg("--sql-dir").arg(&sets) };
    dashagg().arg("create").run().ok();
    dashagg().arg("refresh").run().ok();
    db.exec(alter);
    let long = "x".repeat(60);
    let written = db.try_exec(&format!("UPDATE sales SET shop = '{long}' WHERE sale_id = 7"));
    assert_eq!(written, Ok(()), "the application can no longer write");
    dashagg().arg("refresh").run().ok();
    dashagg().arg("verify").run().ok();
    // And no change of such a row is missed from here on.
    db.exec(&format!("UPDATE sales SET amount = amount + 1 WHERE shop = '{long}'"));
    dashagg().arg("refresh").run().ok();
    assert_eq!(
        db.rows("SELECT * FROM best ORDER BY shop"),
        db.rows("SELECT shop, SUM(amount) FROM sales GROUP BY shop ORDER BY shop")
    );
}

#[test]
fn mariadb_takes_what_a_widened_column_allows() {
    widened(Kind::Mariadb, "ALTER TABLE sales MODIFY shop VARCHAR(100) NOT NULL");
}

#[test]
fn postgres_takes_what_a_widened_column_allows() {
    widened(Kind::Postgres, "ALTER TABLE sales ALTER COLUMN shop TYPE VARCHAR(100)");
}

//! What only SQLite does: conflict clauses that delete without a DELETE trigger, in each writer's own way.

use crate::case::{Expect::*, after, case};
use crate::common::{Kind, TestDb};
use crate::sample::built;

const INTO: &str = "financials (id, asin, marketplace, month, metric, amount, updated_at)";

#[test]
fn rows_evicted_by_conflict_clauses() {
    let db = &TestDb::new(Kind::Sqlite);
    built(db, 1_000);
    db.exec("UPDATE financials SET month = '2023-01-01' WHERE id BETWEEN 10 AND 40");
    db.dashagg().arg("refresh").run().ok();
    for (id, recursive) in [(10, "OFF"), (11, "ON")] {
        case(
            db,
            &format!("INSERT OR REPLACE, recursive_triggers {recursive}"),
            Seen,
            &format!(
                "PRAGMA recursive_triggers = {recursive}; INSERT OR REPLACE INTO {INTO} \
                 VALUES ({id}, 'B010000001', 'US', '2023-06-01', 'sales', 5, '')"
            ),
        );
        case(
            db,
            &format!("UPDATE OR REPLACE, recursive_triggers {recursive}"),
            Seen,
            &format!(
                "PRAGMA recursive_triggers = {recursive}; UPDATE financials SET month = '2023-09-01' WHERE id = {id} + 10; \
                 UPDATE OR REPLACE financials SET id = {id} + 20, month = '2023-10-01' WHERE id = {id} + 10"
            ),
        );
    }
    case(
        db,
        "UPDATE of the key",
        Seen,
        "UPDATE financials SET id = 70000, month = '2023-02-01' WHERE id = 35",
    );
    case(
        db,
        "REPLACE of many rows by one statement",
        Seen,
        &format!(
            "REPLACE INTO {INTO} SELECT id, asin, marketplace, '2023-04-01', metric, amount, '' FROM financials WHERE id < 100"
        ),
    );
    case(
        db,
        "INSERT OR IGNORE of what is there",
        Seen,
        &format!("INSERT OR IGNORE INTO {INTO} SELECT * FROM financials WHERE id BETWEEN 200 AND 205"),
    );
}

#[test]
fn a_unique_index_that_comes_later() {
    let db = &TestDb::new(Kind::Sqlite);
    built(db, 1_000);
    db.exec(
        "ALTER TABLE financials ADD COLUMN outside_id TEXT; UPDATE financials SET outside_id = 'o' || id",
    );
    db.exec("UPDATE financials SET month = '2023-01-01' WHERE id BETWEEN 10 AND 40");
    db.dashagg().arg("refresh").run().ok();
    db.exec("CREATE UNIQUE INDEX outside ON financials (outside_id)");
    for (id, expect) in [(20, Complete("financials")), (21, Seen)] {
        db.exec(&format!(
            "INSERT OR REPLACE INTO financials (asin, marketplace, month, metric, amount, outside_id) \
             VALUES ('B010000001', 'US', '2023-06-01', 'sales', 5, 'o{id}')"
        ));
        after(db, "a row evicted through the new index", expect);
    }
}

#[test]
fn a_cascade_is_seen() {
    let db = &TestDb::new(Kind::Sqlite);
    built(db, 1_000);
    db.exec(
        "CREATE TABLE imports (id INTEGER PRIMARY KEY); INSERT INTO imports VALUES (1); \
         ALTER TABLE financials ADD COLUMN import_id INTEGER REFERENCES imports (id) ON DELETE CASCADE; \
         UPDATE financials SET import_id = 1 WHERE id BETWEEN 100 AND 150",
    );
    after(db, "a column more", Seen);
    case(db, "ON DELETE CASCADE", Seen, "PRAGMA foreign_keys = ON; DELETE FROM imports");
    assert_eq!(db.one("SELECT COUNT(*) FROM financials WHERE id BETWEEN 100 AND 150"), "0");
}

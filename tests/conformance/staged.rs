//! What the stages wrote is what is published, or nothing is.

use crate::common::{Kind, TestDb, conformance};
use crate::small::SOURCES;

const COUNT: &str = "SELECT COUNT(*) FROM financials_summary_monthly_asin_marketplace";

// As behind a balancer that gives the second connection another server.
conformance!(rows_that_another_connection_wrote_and_nobody_sees_are_missed, |db: &TestDb| {
    if db.kind == Kind::Sqlite {
        return;
    }
    db.exec(SOURCES);
    db.dashagg().arg("create").run().ok();
    let lost = || db.dashagg().args(["refresh", "--full", "--jobs", "2"]);
    let points = "staging=sleep(500);vanishing=return";
    let said = lost().env("FAILPOINTS", points).env("DASHAGG_RETRIES", "1").run().code(1).stderr;
    assert!(said.contains("rows staged for") && said.contains("nothing was published"), "{said}");
    assert_eq!(db.one(COUNT), "0");
    lost().run().ok();
    assert_eq!(db.one(COUNT), "6");
    db.dashagg().arg("verify").run().ok();
});

/// Names of tables of dashagg's own that no key identifies the rows of. PostgreSQL never sends unlogged tables anywhere, so
/// that those need none, and a delta's rows cost half as much without.
fn keyless(db: &TestDb) -> Vec<Vec<String>> {
    db.rows(match db.kind {
        Kind::Mariadb => {
            "SELECT t.TABLE_NAME FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE' \
             AND t.TABLE_NAME LIKE 'dashagg%' AND NOT EXISTS (SELECT 1 FROM information_schema.TABLE_CONSTRAINTS c \
             WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = t.TABLE_NAME AND c.CONSTRAINT_TYPE = 'PRIMARY KEY')"
        }
        Kind::Postgres => {
            "SELECT relname::text FROM pg_class c WHERE relkind IN ('r', 'p') AND relpersistence = 'p' AND relname LIKE 'dashagg%' \
             AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
        }
        Kind::Sqlite => {
            "SELECT name FROM sqlite_master m WHERE type = 'table' AND name LIKE 'dashagg%' \
             AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE pk > 0)"
        }
    })
}

conformance!(every_table_that_stays_has_a_primary_key, |db: &TestDb| {
    db.exec(SOURCES);
    // What logical replication publishes without a key, nobody can update or delete.
    if db.kind == Kind::Postgres {
        db.exec("CREATE PUBLICATION everything FOR ALL TABLES");
    }
    let none: [Vec<String>; 0] = [];
    let sets = db.dir().join("sets");
    let manifest = crate::common::copy_set("financials", &sets).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("[summaries.brand]\n", "[summaries.brand]\nlive = true\n"))
        .unwrap();
    let run =
        |arguments: &[&str]| db.dashagg().args(["--sql-dir", sets.to_str().unwrap()]).args(arguments).run();
    for change in [
        "SELECT 1",
        "UPDATE financials SET amount = amount + 1 WHERE id = 1",
        "DELETE FROM financials WHERE id = 2",
        "UPDATE products SET brand_id = 5",
    ] {
        db.exec(change);
        run(&["create"]).ok();
        assert_eq!(keyless(db), none);
        for verb in [&["refresh", "--allow-shrink"][..], &["refresh", "--full"], &["verify"]] {
            run(verb).ok();
            assert_eq!(keyless(db), none, "{verb:?}");
        }
    }
    run(&["drop", "financials", "--yes"]).ok();
    assert_eq!(keyless(db), none);
});

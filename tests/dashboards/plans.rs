//! Partitions that no index finds are announced by `create` and `verify`; partitioned sources get their indexes online.

use crate::common::{Kind, TestDb, conformance};
use crate::small::SOURCES;

fn thirty_thousand_rows(db: &TestDb) {
    db.exec(SOURCES);
    let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let month = "CASE a.d WHEN 0 THEN '2025-01-01' WHEN 1 THEN '2025-02-01' ELSE '2025-03-01' END";
    let month = if db.kind == Kind::Postgres { format!("CAST({month} AS date)") } else { month.to_owned() };
    db.exec(&format!(
        "INSERT INTO financials SELECT 100 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d, 'A1', 'US', {month}, \
         'sales', 1 FROM {digits} a CROSS JOIN {digits} b CROSS JOIN {digits} c CROSS JOIN {digits} e \
         CROSS JOIN (SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2) f"
    ));
    match db.kind {
        Kind::Mariadb => db.exec("ANALYZE TABLE financials"),
        Kind::Postgres => db.exec("ANALYZE financials"),
        Kind::Sqlite => {}
    }
}

conformance!(a_partition_that_no_index_finds_is_announced, |db: &TestDb| {
    thirty_thousand_rows(db);
    let created = db.dashagg().args(["create", "financials", "--skip-source-indexes"]).run().ok();
    assert!(created.stderr.contains("no index on financials begins with month"), "{created:?}");
    db.dashagg().args(["refresh", "financials"]).run().ok();
    let verified = db.dashagg().args(["verify", "financials"]).run().ok();
    assert!(verified.stderr.contains("no index on financials begins with month"), "{verified:?}");
    // With the index that `create` makes there is nothing to announce.
    let created = db.dashagg().args(["create", "financials"]).run().ok();
    assert!(!created.stderr.contains("costs a reading"), "{created:?}");
    let verified = db.dashagg().args(["verify", "financials"]).run().ok();
    assert!(!verified.stderr.contains("costs a reading"), "{verified:?}");
});

#[test]
fn a_partitioned_source_gets_its_indexes_partition_by_partition_postgres() {
    let db = TestDb::new(Kind::Postgres);
    db.exec(
        &SOURCES
            .replace(
                "amount INTEGER NOT NULL);\n    CREATE TABLE products",
                "amount INTEGER NOT NULL, PRIMARY KEY (id, month)) PARTITION BY RANGE (month);\n\
         CREATE TABLE f1 PARTITION OF financials FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');\n\
         CREATE TABLE f2 PARTITION OF financials FOR VALUES FROM ('2025-02-01') TO ('2026-01-01');\n\
         CREATE TABLE products",
            )
            .replace("id INTEGER NOT NULL PRIMARY KEY", "id INTEGER NOT NULL"),
    );
    assert_eq!(db.one("SELECT COUNT(*) FROM pg_inherits WHERE inhparent = 'financials'::regclass"), "2");
    db.dashagg().args(["create", "financials"]).run().ok();
    let valid = "SELECT string_agg(c.relname || ':' || i.indisvalid, ',' ORDER BY c.relname) FROM pg_index i \
                 JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'financials'::regclass";
    assert_eq!(db.one(valid), "financials_pkey:true,idx_financials_cover:true,idx_metric_month:true");
    let again = db.dashagg().args(["create", "financials", "--json"]).run().ok().json();
    assert_eq!(again["sets"][0]["indexes"], serde_json::json!([]));
    db.dashagg().args(["refresh", "financials"]).run().ok();
    db.dashagg().args(["verify", "financials"]).run().ok();
}

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

/// Each level has its own part of the index; what an interrupted build left behind at any of them is made anew.
#[test]
fn a_source_with_partitions_of_partitions_gets_its_indexes_postgres() {
    let db = TestDb::new(Kind::Postgres);
    db.exec(
        &SOURCES
            .replace(
                "amount INTEGER NOT NULL);\n    CREATE TABLE products",
                "amount INTEGER NOT NULL, PRIMARY KEY (id, month, marketplace)) PARTITION BY RANGE (month);\n\
         CREATE SCHEMA parts;\n\
         CREATE TABLE parts.f1 PARTITION OF financials FOR VALUES FROM ('2025-01-01') TO ('2025-02-01') PARTITION BY LIST (marketplace);\n\
         CREATE TABLE parts.f1us PARTITION OF parts.f1 FOR VALUES IN ('US');\n\
         CREATE TABLE \"f1 other\" PARTITION OF parts.f1 DEFAULT;\n\
         CREATE TABLE f2 PARTITION OF financials FOR VALUES FROM ('2025-02-01') TO ('2026-01-01');\n\
         CREATE TABLE f3 PARTITION OF financials FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (marketplace);\n\
         CREATE TABLE products",
            )
            .replace("id INTEGER NOT NULL PRIMARY KEY", "id INTEGER NOT NULL"),
    );
    assert_eq!(db.one("SELECT COUNT(*) FROM pg_partition_tree('financials')"), "6");
    // Six tables, two indexes each.
    let valid = || {
        db.one(
            "SELECT COUNT(*) || ' ' || COALESCE(bool_and(i.indisvalid), false) FROM pg_partition_tree('financials') t \
             JOIN pg_index i ON i.indrelid = t.relid WHERE NOT i.indisprimary",
        )
    };
    let created = db.dashagg().args(["create", "financials", "--json"]).run().ok().json();
    assert_eq!(created["sets"][0]["indexes"].as_array().unwrap().len(), 2, "{created:#}");
    assert_eq!(valid(), "12 true");
    let again = db.dashagg().args(["create", "financials", "--json"]).run().ok().json();
    assert_eq!(again["sets"][0]["indexes"], serde_json::json!([]));
    // Half of it, then the plug is pulled: some parts are there, one is broken, the whole is not.
    for (way, sql) in [
        ("the whole is gone, a part is broken", "DROP INDEX idx_metric_month"),
        (
            "the whole was made first and is incomplete",
            "DROP INDEX idx_metric_month; \
          CREATE INDEX idx_metric_month ON ONLY financials (metric, month)",
        ),
    ] {
        db.exec(sql);
        let built = db.dashagg().args(["create", "financials", "--dry-run"]).run().ok().stdout;
        let part = built.lines().find(|line| line.starts_with("CREATE INDEX CONCURRENTLY")).unwrap();
        let (name, leaf) = part.split_once("NOT EXISTS ").unwrap().1.split_once(" ON ").unwrap();
        let leaf = leaf.split_once(" (").unwrap().0;
        let schema = if leaf.starts_with("parts.") { "parts" } else { "public" };
        db.exec(&format!("CREATE INDEX {name} ON {leaf} (metric, month)"));
        db.exec(&format!(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{schema}.{name}'::regclass"
        ));
        db.dashagg().args(["create", "financials"]).run().ok();
        assert_eq!(valid(), "12 true", "{way}");
    }
    db.dashagg().args(["refresh", "financials"]).run().ok();
    db.dashagg().args(["verify", "financials"]).run().ok();
}

/// A part that is on another server can have no index of ours, and does not keep the others from having theirs.
#[test]
fn a_foreign_partition_has_no_index_postgres() {
    let db = TestDb::new(Kind::Postgres);
    if db
        .try_exec("CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing")
        .is_err()
    {
        crate::common::harness::skip(format!("{} lacks foreign data", db.server.name));
    }
    let tiny = crate::small::Tiny::new(&db);
    db.exec(
        "CREATE TABLE sales (day date NOT NULL, n int NOT NULL) PARTITION BY RANGE (day); \
         CREATE TABLE near PARTITION OF sales FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); \
         CREATE FOREIGN TABLE away PARTITION OF sales FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') SERVER far",
    );
    tiny.write(
        "summaries.toml",
        "[sources.sales]\npartition = ['day']\n[[sources.sales.indexes]]\nname = 'sales_day'\ncolumns = ['day']\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n",
    );
    tiny.write("days.sql", "SELECT day, SUM(n) AS total FROM sales GROUP BY day\n");
    let said = tiny.create();
    // Nor a trigger that sees its rows: another method is asked for, in words.
    assert!(
        said.code == 1 && said.stderr.contains("away") && said.stderr.contains("fingerprint"),
        "{said:?}"
    );
    assert_eq!(db.one("SELECT indisvalid FROM pg_index WHERE indexrelid = 'sales_day'::regclass"), "t");
    let text = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write(
        "summaries.toml",
        &text.replace("partition = ['day']\n[[", "partition = ['day']\ntrack = 'fingerprint'\n[["),
    );
    tiny.create().ok();
}

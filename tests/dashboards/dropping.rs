//! `dashagg drop`: all of a set goes, nothing of a source, from whatever state it is in.

use crate::common::{Kind, TestDb, conformance};
use crate::sets::{built, sample};
use crate::small::{SOURCES, Tiny};

/// Everything in the database that dashagg made, by name: tables, views, triggers, functions.
fn leftovers(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() UNION ALL \
             SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"
        }
        Kind::Postgres => {
            "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND relkind IN ('r', 'v', 'm') UNION ALL \
             SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal UNION ALL \
             SELECT proname::text FROM pg_proc WHERE proname LIKE 'dashagg%'"
        }
        Kind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite_%'"
        }
    };
    let ledger = [
        "dashagg_ledger",
        "dashagg_set",
        "dashagg_script",
        "dashagg_summary",
        "dashagg_run",
        "dashagg_source",
        "dashagg_print",
        "dashagg_holder",
    ];
    let mut names: Vec<String> =
        db.rows(sql).into_iter().flatten().filter(|n| !ledger.contains(&n.as_str())).collect();
    names.sort();
    names
}

conformance!(a_dropped_set_leaves_its_sources_as_they_were, |db: &TestDb| {
    db.exec(SOURCES);
    let rows = db.rows("SELECT * FROM financials ORDER BY id");
    let before = leftovers(db);
    db.dashagg().args(["create", "financials"]).run().ok();
    db.dashagg().args(["refresh", "financials"]).run().ok();
    assert_ne!(leftovers(db), before);
    let preview = db.dashagg().args(["drop", "financials", "--dry-run"]).run().ok();
    assert!(
        preview.stdout.contains("DROP TABLE IF EXISTS") && !preview.stdout.contains("products"),
        "{preview:?}"
    );
    assert_ne!(leftovers(db), before);
    // Nobody is there to ask.
    let said = db.dashagg().args(["drop", "financials"]).run().code(2).stderr;
    assert!(said.contains("--yes"), "{said}");
    db.dashagg().args(["drop", "financials", "--yes"]).run().ok();
    assert_eq!(leftovers(db), before);
    assert_eq!(db.rows("SELECT * FROM financials ORDER BY id"), rows);
    for table in [
        "dashagg_set",
        "dashagg_script",
        "dashagg_summary",
        "dashagg_run",
        "dashagg_source",
        "dashagg_holder",
    ] {
        assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {table}")), "0", "{table}");
    }
    // Writers go on, a second drop does nothing, and the set can come back.
    db.exec("UPDATE financials SET amount = amount + 1 WHERE id = 1");
    db.dashagg().args(["drop", "financials", "--yes"]).run().ok();
    db.dashagg().args(["create", "financials"]).run().ok();
    db.dashagg().args(["refresh", "financials"]).run().ok();
    db.dashagg().args(["verify", "financials"]).run().ok();
});

conformance!(a_half_made_set_can_be_dropped, |db: &TestDb| {
    db.exec(SOURCES);
    let before = leftovers(db);
    // Nothing made at all.
    db.dashagg().args(["drop", "financials", "--yes"]).run().ok();
    db.dashagg().args(["create", "financials"]).run().ok();
    db.dashagg().args(["refresh", "financials"]).run().ok();
    db.exec("DROP TABLE financials_summary_monthly_brand; DELETE FROM dashagg_source");
    db.dashagg().args(["drop", "financials", "--yes"]).run().ok();
    assert_eq!(leftovers(db), before);
});

conformance!(what_the_manifest_no_longer_names_goes_too, |db: &TestDb| {
    let tiny = Tiny::new(db);
    db.exec("CREATE TABLE other_rows (day DATE NOT NULL, n INTEGER NOT NULL)");
    let before = leftovers(db);
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write(
        "summaries.toml",
        &format!("{manifest}live = true\n[sources.other_rows]\npartition = ['day']\n"),
    );
    let union = "SELECT day, SUM(n) AS total FROM (SELECT day, n FROM raw_rows UNION ALL SELECT day, n FROM other_rows) u \
                 GROUP BY day\n";
    let select = std::fs::read_to_string(tiny.path("days.sql")).unwrap();
    tiny.write("days.sql", union);
    tiny.create().ok();
    tiny.refresh().ok();
    let full = leftovers(db);
    assert!(full.iter().any(|name| name == "tiny_days_live"), "{full:?}");
    // `create` takes away what is not asked for any more, and a view of that name that is not ours stays.
    tiny.write("summaries.toml", &manifest);
    tiny.write("days.sql", &select);
    tiny.create().ok();
    let less = leftovers(db);
    assert!(!less.iter().any(|name| name == "tiny_days_live") && less.len() < full.len() - 2, "{less:?}");
    db.exec("INSERT INTO other_rows VALUES ('2025-01-01', 1); CREATE VIEW tiny_days_live AS SELECT day FROM raw_rows");
    tiny.create().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_days_live"), "2");
    // And `drop` does, of what `create` had not yet the time to.
    db.exec("DROP VIEW tiny_days_live");
    tiny.write(
        "summaries.toml",
        &format!("{manifest}live = true\n[sources.other_rows]\npartition = ['day']\n"),
    );
    tiny.write("days.sql", union);
    tiny.create().ok();
    tiny.refresh().ok();
    tiny.write("summaries.toml", &manifest);
    tiny.write("days.sql", &select);
    tiny.dashagg().args(["drop", "tiny", "--yes"]).run().ok();
    assert_eq!(leftovers(db), before);
});

conformance!(a_set_whose_refresh_was_killed_can_be_dropped, |db: &TestDb| {
    db.exec(SOURCES);
    let before = leftovers(db);
    db.dashagg().args(["create", "financials"]).run().ok();
    let dead = db.dashagg().args(["refresh", "financials"]).env("FAILPOINTS", "publish=panic").run();
    assert_ne!(dead.code, 0);
    db.dashagg().args(["drop", "financials", "--yes", "--wait", "30s"]).run().ok();
    assert_eq!(leftovers(db), before);
});

conformance!(only_whole_sets_are_dropped, |db: &TestDb| {
    let said = db.dashagg().args(["drop", "financials.brand", "--yes"]).run().code(2).stderr;
    assert!(said.contains("only whole sets"), "{said}");
});

#[test]
fn a_set_of_views_goes_with_its_views_postgres() {
    let empty = sample("crm", 200);
    let before = leftovers(&empty);
    let db = built("crm", 200);
    db.dashagg().args(["drop", "crm", "--yes"]).run().ok();
    assert_eq!(leftovers(&db), before);
}

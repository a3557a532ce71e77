//! `dashagg drop`: all of a set goes, nothing of a source, from whatever state it is in.

use crate::common::{Kind, TestDb, conformance};
use crate::sets::{built, sample};
use crate::small::SOURCES;

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
        "dashagg_set",
        "dashagg_script",
        "dashagg_summary",
        "dashagg_run",
        "dashagg_source",
        "dashagg_print",
        "dashagg_state",
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
    for table in
        ["dashagg_set", "dashagg_script", "dashagg_summary", "dashagg_run", "dashagg_source", "dashagg_state"]
    {
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

//! A note leaves with the publish that covers it, and not before: by partition, after a kill, after a failure.

use crate::case::{Expect::*, after, after_by, insert, pending, settled};
use crate::common::{Kind, TestDb, conformance, copy_set};
use crate::run::held;
use crate::sample::{built, month_is_current};

conformance!(a_named_partition_takes_its_own_notes_only, |db: &TestDb| {
    built(db, 1_000);
    db.exec(&insert(
        db,
        &[("B010000001", "US", "2023-03-01", "sales", 5), ("B010000001", "US", "2023-04-01", "sales", 6)],
    ));
    assert_eq!(pending(db.dashagg()), Some(2));
    db.dashagg().args(["refresh", "--partition", "2023-03-01"]).run().ok();
    assert_eq!(pending(db.dashagg()), Some(1));
    assert!(month_is_current(db, "2023-03-01") && !month_is_current(db, "2023-04-01"));
    let report = after(db, "the rest", Seen);
    assert_eq!(report["sets"][0]["partitions"], 1, "{report:#}");
    // The note of a product concerns other months, too.
    db.exec("UPDATE products SET brand_id = 77 WHERE asin = 'B010000005'");
    let status = db.dashagg().args(["status", "--json"]).run().ok().json();
    let first = &status["summaries"][0];
    assert_eq!(
        (first["pending_everything"].as_bool(), first["pending_partitions"].as_u64()),
        (Some(true), None)
    );
    let table = db.dashagg().arg("status").run().ok().stdout;
    assert!(table.contains(" all  "), "{table}");
    db.dashagg().args(["refresh", "--partition", "2023-03-01"]).run().ok();
    after(db, "the product in all other months", Seen);
});

conformance!(a_run_killed_after_its_claim, |db: &TestDb| {
    built(db, 1_000);
    for (at, point) in ["claimed", "staging", "publish"].into_iter().enumerate() {
        db.exec(&insert(db, &[("B010000001", "US", "2023-03-01", "sales", 5)]));
        db.exec(&format!("UPDATE products SET brand_id = {} WHERE asin = 'B010000005'", 70 + at));
        let before = pending(db.dashagg());
        let run = held(db, &[], &format!("{point}=sleep(20000)"));
        // Claimed: the log is empty, and the notes are in the work table.
        crate::run::wait_until(
            || crate::case::notes(db, "dashagg_work_", "dashagg_claim") >= 2,
            || run.log(),
        );
        std::thread::sleep(std::time::Duration::from_millis(300));
        run.signal("KILL");
        run.end().code(137);
        assert_eq!(pending(db.dashagg()), before, "{point}");
        // More of the same, so that claimed and new notes meet.
        db.exec("UPDATE financials SET month = '2023-06-01' WHERE id BETWEEN 100 AND 102");
        after(db, point, Seen);
        assert_eq!(pending(db.dashagg()), Some(0));
    }
});

conformance!(nothing_to_do_writes_nothing_but_the_heartbeat, |db: &TestDb| {
    built(db, 1_000);
    let runs = || db.one("SELECT COUNT(*) FROM dashagg_run");
    let generation = || db.one("SELECT generation FROM dashagg_set");
    let (before, at, checked) =
        (runs(), generation(), db.one("SELECT COALESCE(checked_at, '-') FROM dashagg_set"));
    after_noop(db);
    assert_eq!((runs(), generation()), (before, at));
    assert_ne!(db.one("SELECT checked_at FROM dashagg_set"), checked);
});

fn after_noop(db: &TestDb) {
    let report = db.dashagg().args(["refresh", "--json"]).run().ok().json();
    assert_eq!(
        (&report["status"], &report["sets"][0]["mode"]),
        (&"noop".into(), &"none".into()),
        "{report:#}"
    );
}

conformance!(a_refresh_that_fails_keeps_the_notes, |db: &TestDb| {
    built(db, 1_000);
    db.exec("CREATE TABLE kept AS SELECT * FROM financials");
    db.exec("DELETE FROM financials WHERE month >= '2023-06-01'");
    db.dashagg().arg("refresh").run().code(1);
    assert_eq!(pending(db.dashagg()), Some(7));
    db.dashagg().arg("refresh").run().code(1);
    db.exec("INSERT INTO financials SELECT * FROM kept WHERE month >= '2023-06-01' AND id % 20 <> 0");
    after(db, "when the rows are back", Seen);
});

conformance!(an_edited_set, |db: &TestDb| {
    built(db, 1_000);
    let sets = db.dir().join("sets");
    let set = copy_set("financials", &sets);
    let dashagg = || db.dashagg().arg("--sql-dir").arg(&sets);
    let edit = |file: &str, from: &str, to: &str| {
        let path = set.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    let select = std::fs::read_to_string(set.join("brand.sql")).unwrap();
    std::fs::write(
        set.join("brand.sql"),
        format!("{select}\n-- edited\nLIMIT 1000000000\n").replace(";\n", "\n"),
    )
    .unwrap();
    after_by(db, "a SELECT edited", Complete("SELECT of brand changed"), &dashagg);
    db.exec(&insert(db, &[("B010000001", "US", "2023-03-01", "sales", 5)]));
    edit(
        "summaries.toml",
        r#"["month", "metric", "marketplace", "asin"]
totals"#,
        "[\"month\"]\ntotals",
    );
    after_by(db, "log edited", Complete("tracking of financials was just set up"), &dashagg);
    db.exec("UPDATE financials SET month = '2023-06-01' WHERE id BETWEEN 100 AND 102");
    let report = after_by(db, "notes by month", Seen, &dashagg);
    assert!(report["sets"][0]["reason"].as_str().unwrap().contains("partitions"), "{report:#}");
    settled(db, "at the end", &dashagg);
});

conformance!(keys_or_partitions_as_it_costs_less, |db: &TestDb| {
    built(db, 6_000);
    let planned = || {
        let planned = db.dashagg().args(["refresh", "--dry-run"]).run().ok().stdout;
        let done = db.dashagg().args(["refresh", "--json"]).run().ok().json();
        let reason = done["sets"][0]["reason"].as_str().unwrap().to_owned();
        assert!(planned.contains(&reason), "{planned}\nbut then {reason}");
        assert_eq!(done["sets"][0]["mode"], "incremental");
        settled(db, &reason, &|| db.dashagg());
        reason
    };
    db.exec(&insert(
        db,
        &[
            ("B010000001", "US", "2023-03-01", "sales", 5),
            ("B010000002", "US", "2023-04-01", "sales", 5),
            ("B010000003", "DE", "2023-04-01", "fees", 5),
        ],
    ));
    assert!(planned().starts_with("3 keys changed"));
    db.exec("UPDATE financials SET amount = amount + 1 WHERE month = '2023-03-01' AND id % 10 < 6");
    assert!(planned().starts_with("partitions changed"));
    let idle = db.dashagg().args(["refresh", "--dry-run"]).run().ok().stdout;
    assert!(idle.contains("nothing changed"), "{idle}");
});

/// `create` ends in one error, which names the privilege and what else could be done. A refresh is complete, and says what
/// its owner has to run.
fn without_the_right(kind: Kind, grants: &str, words: &[&str]) {
    let db = &TestDb::new(kind);
    db.server.needs_users();
    built(db, 500);
    let user = format!("weak_{}", db.name().rsplit('_').next().unwrap());
    db.exec(&grants.replace("{db}", db.name()).replace("{user}", &user));
    let url = db.url.replace("dashagg:secret@", &format!("{user}:secret@"));
    let on = if kind == Kind::Postgres { " ON financials" } else { "" };
    db.exec(&format!("DROP TRIGGER {}{on}", crate::case::triggers(db, "financials")[0]));
    db.exec("UPDATE financials SET amount = amount + 1 WHERE id < 9");
    let went_on = db.dashagg_without_url().args(["-D", &url, "refresh"]).run().ok().stderr;
    assert!(went_on.contains("run `dashagg create financials`"), "{went_on}");
    db.dashagg().arg("verify").run().ok();
    let create = ["-D", &url, "create", "--skip-source-indexes"];
    let refused = db.dashagg_without_url().args(create).run().code(1);
    let said = refused.stderr.lines().filter(|line| line.starts_with("dashagg: ")).count();
    assert_eq!(said, 1, "{}", refused.stderr);
    for word in words.iter().chain(&["fingerprint", "financials"]) {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    match kind {
        Kind::Postgres => db.exec(&format!("DROP OWNED BY {user}; DROP ROLE {user}")),
        _ => db.exec(&format!("DROP USER '{user}'@'%'")),
    }
}

#[test]
fn mariadb_without_the_trigger_privilege() {
    without_the_right(
        Kind::Mariadb,
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'; \
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, CREATE TEMPORARY TABLES ON {db}.* TO '{user}'@'%'",
        &["TRIGGER"],
    );
}

#[test]
fn postgres_without_the_trigger_privilege() {
    without_the_right(
        Kind::Postgres,
        "CREATE ROLE {user} LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO {user}; \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}; REVOKE TRIGGER ON financials FROM {user}",
        &["TRIGGER"],
    );
}

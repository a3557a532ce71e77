//! `recompute_by` is a claim about the SELECT; where the data refutes it, `create` says which rows prove that.

use crate::common::{Kind, TestDb, conformance, copy_set};
use crate::small::{Tiny, dashagg, refuses, with_sources};

/// The words of a refusal for one summary of a set.
fn refuted(db: &TestDb, old: &str, new: &str, words: &[&str]) {
    let sql = db.dir().join("sql");
    let set = copy_set("financials", &sql);
    let manifest = std::fs::read_to_string(set.join("summaries.toml")).unwrap();
    assert!(manifest.contains(old), "{old}");
    let create = || dashagg(db).arg("--sql-dir").arg(&sql).arg("create").run();
    std::fs::write(set.join("summaries.toml"), manifest.replace(old, new)).unwrap();
    refuses(create(), 2, words);
    std::fs::write(set.join("summaries.toml"), manifest).unwrap();
    create().ok();
}

conformance!(a_total_over_marketplaces_is_not_made_by_marketplace, |db: &TestDb| {
    let db = &with_sources(db.kind);
    let by = "[\"month\", \"metric\", \"brand_id\"]     #";
    let wrong = "[\"month\", \"marketplace\", \"metric\", \"brand_id\"] #";
    let words = [
        "summaries.brand.recompute_by (month, marketplace, metric, brand_id) is not true of",
        "brand.sql",
        "marketplace ALL",
        "marketplace DE",
        "outside",
        "whole partitions",
    ];
    // Twice: before anything was built, and with summaries that are full.
    refuted(db, by, wrong, &words);
    dashagg(db).args(["refresh", "financials"]).run().ok();
    refuted(db, by, wrong, &words);
});

/// A summary of `events(day, kind, n)` by day and kind, as the SELECT has it.
fn by_kind<'a>(db: &'a TestDb, select: &str) -> Tiny<'a> {
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE TABLE events (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, n INTEGER NOT NULL); \
         INSERT INTO events VALUES ('2025-01-01', 'a', 1), ('2025-01-01', 'a', 2), ('2025-01-01', 'b', 3), \
         ('2025-01-02', 'a', 4), ('2025-01-02', 'c', 5), ('2025-01-03', 'b', 6); \
         CREATE TABLE calendar (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, PRIMARY KEY (day, kind)); \
         INSERT INTO calendar VALUES ('2025-01-01', 'a'), ('2025-01-02', 'a'), ('2025-01-01', 'z')",
    );
    tiny.write(
        "summaries.toml",
        "[sources.events]\npartition = ['day']\ntrack_columns = ['kind']\n\
         [sources.calendar]\n[summaries.kinds]\ntable = 'tiny_kinds'\nselect = 'kinds.sql'\nkey = ['day', 'kind']\n\
         partition = ['day']\nrecompute_by = ['day', 'kind']\n",
    );
    tiny.write("kinds.sql", select);
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE IF NOT EXISTS tiny_kinds (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, total BIGINT NOT NULL, \
         PRIMARY KEY (day, kind));\n",
    );
    tiny
}

conformance!(rows_that_depend_on_others_of_their_partition_are_named, |db: &TestDb| {
    let upper = "SELECT day, UPPER(kind) AS kind, SUM(n) AS total FROM events GROUP BY day, UPPER(kind)\n";
    let mut cases = vec![
        // A rank, a share of the day, a running total over days, a row of another kind.
        "SELECT day, kind, RANK() OVER (PARTITION BY day ORDER BY SUM(n)) AS total FROM events GROUP BY day, kind\n",
        "SELECT e.day, e.kind, (SELECT SUM(n) FROM events o WHERE o.day = e.day) AS total FROM events e \
         GROUP BY e.day, e.kind\n",
        "SELECT day, kind, SUM(SUM(n)) OVER (PARTITION BY kind ORDER BY day) AS total FROM events GROUP BY day, kind\n",
        "SELECT day, kind, SUM(n) AS total FROM events GROUP BY day, kind \
         UNION ALL SELECT day, 'any', SUM(n) FROM events GROUP BY day\n",
    ];
    // Only the last days are shown, and days without events are, too.
    cases.push(
        "SELECT day, kind, SUM(n) * 100 / SUM(SUM(n)) OVER (PARTITION BY day) AS total FROM events \
         WHERE day >= '2025-01-02' GROUP BY day, kind\n",
    );
    cases.push(
        "SELECT c.day, c.kind, COALESCE(SUM(n), 0) + COALESCE((SELECT COUNT(*) FROM events o WHERE o.day = c.day), 0) \
         AS total FROM calendar c LEFT JOIN events e ON e.day = c.day AND e.kind = c.kind GROUP BY c.day, c.kind\n",
    );
    if db.kind != Kind::Mariadb {
        // There the two spellings are equal, and a note of one finds the other.
        cases.push(upper);
    }
    for select in cases {
        let db = TestDb::new(db.kind);
        let tiny = by_kind(&db, select);
        refuses(
            tiny.create(),
            2,
            &["summaries.kinds.recompute_by (day, kind)", "kinds.sql", "day 2025-01-0"],
        );
        assert_eq!(db.one("SELECT COUNT(*) FROM tiny_kinds"), "0");
    }
});

conformance!(true_claims_are_not_refused, |db: &TestDb| {
    for select in [
        "SELECT day, kind, SUM(n) AS total FROM events GROUP BY day, kind\n",
        // Rows that are there without events, and a window that stays inside of its group.
        "SELECT c.day, c.kind, COALESCE(SUM(n), 0) AS total FROM calendar c \
         LEFT JOIN events e ON e.day = c.day AND e.kind = c.kind GROUP BY c.day, c.kind\n",
        "SELECT DISTINCT day, kind, SUM(n) OVER (PARTITION BY day, kind) AS total FROM events\n",
        "WITH e AS (SELECT * FROM events WHERE n > 1) SELECT day, kind, COUNT(*) AS total FROM e GROUP BY day, kind\n",
    ] {
        let db = TestDb::new(db.kind);
        let tiny = by_kind(&db, select);
        tiny.create().ok();
        tiny.refresh().ok();
        tiny.dashagg().arg("verify").run().ok();
    }
});

conformance!(a_false_claim_over_rows_that_came_after_create_publishes_nothing, |db: &TestDb| {
    let share = "SELECT day, kind, SUM(n) * 100 / SUM(SUM(n)) OVER (PARTITION BY day) AS total FROM events \
                 GROUP BY day, kind\n";
    let true_select = "SELECT day, kind, SUM(n) AS total FROM events GROUP BY day, kind\n";
    for (select, holds) in [(share, false), (true_select, true)] {
        let db = TestDb::new(db.kind);
        let tiny = by_kind(&db, select);
        db.exec("DELETE FROM events");
        // There is nothing yet that could speak against it.
        tiny.create().ok();
        let rows: Vec<String> = (0..100).map(|n| format!("('2025-01-01', 'k{n:02}', 10)")).collect();
        db.exec(&format!("INSERT INTO events VALUES {}", rows.join(", ")));
        tiny.refresh().ok();
        db.exec("UPDATE events SET n = 90 WHERE kind = 'k07'");
        let before = db.rows("SELECT kind, total FROM tiny_kinds ORDER BY kind");
        let checked = "SELECT COUNT(*) FROM dashagg_summary WHERE recompute_checked IS NOT NULL";
        if holds {
            tiny.refresh().ok();
            assert_eq!(db.one("SELECT SUM(total) FROM tiny_kinds"), "1080");
            assert_eq!(db.one(checked), "1");
            continue;
        }
        let said = tiny.refresh().code(1).stderr;
        assert!(said.contains("summaries.kinds.recompute_by (day, kind) is not true of"), "{said}");
        assert_eq!(db.rows("SELECT kind, total FROM tiny_kinds ORDER BY kind"), before);
        assert_eq!(db.one(checked), "0");
        // Without the claim the day is recomputed whole, and what was noted is not lost.
        let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
        tiny.write("summaries.toml", &manifest.replace("recompute_by = ['day', 'kind']\n", ""));
        tiny.refresh().ok();
        tiny.dashagg().arg("verify").run().ok();
        assert_ne!(db.rows("SELECT kind, total FROM tiny_kinds ORDER BY kind"), before);
    }
});

conformance!(what_the_select_does_not_bear_is_a_warning, |db: &TestDb| {
    let tiny = by_kind(
        db,
        "SELECT day, kind, SUM(n) * 100 / (SELECT SUM(b.n) FROM budgets b WHERE b.day = e.day) AS total FROM events e \
         GROUP BY day, kind\n",
    );
    db.exec(
        "CREATE TABLE budgets (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, n INTEGER NOT NULL); \
         INSERT INTO budgets SELECT day, 'a', 50 FROM calendar UNION ALL SELECT day, 'b', 50 FROM events",
    );
    // A source whose changes come as partitions: its rows of other kinds belong to every group.
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    let budgets = "[sources.budgets]\ntrack = 'fingerprint'\npartition = ['day']\ntrack_columns = ['kind']\n";
    tiny.write("summaries.toml", &format!("{budgets}{manifest}"));
    tiny.create().ok();
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();

    // What cannot be run over a part of the tables, or read as text, is no reason to refuse.
    let (select, bytes) = match db.kind {
        Kind::Sqlite => ("SELECT day, kind, MAX(rowid) AS total FROM events GROUP BY day, kind\n", "x'ff00'"),
        Kind::Mariadb => (
            "SELECT day, kind, SUM(n) AS total FROM events FORCE INDEX (by_day) GROUP BY day, kind\n",
            "x'ff00'",
        ),
        Kind::Postgres => (
            "SELECT e.day, e.kind, SUM(e.n) + MAX(c.extra) AS total FROM calendar d JOIN colours c ON c.id = 1 \
             JOIN events e ON e.day = d.day GROUP BY e.day, e.kind, c.id\n",
            "'x'",
        ),
    };
    db.exec(&format!(
        "CREATE INDEX by_day ON events (day); CREATE TABLE colours (id INTEGER NOT NULL PRIMARY KEY, extra INTEGER); \
         INSERT INTO colours VALUES (1, LENGTH({bytes}))"
    ));
    tiny.write("kinds.sql", select);
    tiny.write("summaries.toml", &format!("[sources.colours]\n{}", manifest));
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("UPDATE events SET n = n + 1 WHERE kind = 'a'");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
});

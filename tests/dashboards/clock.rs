//! Views whose content moves with the clock: due when it has, and never called wrong for it.

use crate::common::{Kind, TestDb};
use crate::run::wait_until;
use crate::views::tiny;

const MANIFEST: &str = "description = \"tiny\"\nengines = [\"postgres\"]\n[sources.items]\n\
    [summaries.recent]\nkind = \"materialized_view\"\nkey = [\"id\"]\ntime_dependent = \"1m\"\nmax_shrink = 1.0\n\
    [summaries.today]\nkind = \"materialized_view\"\nkey = [\"id\"]\ntime_dependent = { midnight = \"Asia/Jakarta\" }\n";

const SCRIPT: &str = "CREATE MATERIALIZED VIEW IF NOT EXISTS recent AS\n\
    SELECT id FROM items WHERE at > now() WITH NO DATA;\n\
    CREATE UNIQUE INDEX IF NOT EXISTS recent_key ON recent (id);\n\
    CREATE MATERIALIZED VIEW IF NOT EXISTS today AS\n\
    SELECT id, (CURRENT_TIMESTAMP AT TIME ZONE 'Asia/Jakarta')::date AS day FROM items WITH NO DATA;\n\
    CREATE UNIQUE INDEX IF NOT EXISTS today_key ON today (id);\n";

fn own(db: &TestDb) -> crate::common::Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

#[test]
fn content_that_the_clock_moved_is_verified_as_of_its_refresh_postgres() {
    let db = TestDb::new(Kind::Postgres);
    tiny(&db, MANIFEST, SCRIPT);
    db.exec("ALTER TABLE items ADD COLUMN at TIMESTAMPTZ; INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)");
    own(&db).args(["create", "tiny"]).run().ok();
    // The rows must still be there when they are published: a busy machine gets more time for it.
    let mut seconds = 4;
    loop {
        db.exec(&format!("UPDATE items SET at = now() + INTERVAL '{seconds} seconds'"));
        own(&db).args(["refresh", "tiny", "--allow-shrink"]).run().ok();
        if db.one("SELECT COUNT(*) FROM recent") == "2" {
            break;
        }
        seconds *= 2;
        assert!(seconds < 300, "a refresh takes more than two minutes");
    }
    wait_until(
        || db.one("SELECT COUNT(*) FROM items WHERE at > now()") == "0",
        || "the rows stay recent".to_owned(),
    );
    // A recompute as of now would be empty: that is the clock's doing.
    own(&db).args(["verify", "tiny"]).run().ok();
    // A real difference is found all the same.
    db.exec("ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET id = 7 WHERE id = 2; ALTER TABLE items ENABLE TRIGGER ALL");
    own(&db).args(["verify", "tiny"]).run().code(4);
}

#[test]
fn the_clock_alone_makes_a_view_due_again_postgres() {
    let db = TestDb::new(Kind::Postgres);
    tiny(&db, MANIFEST, SCRIPT);
    db.exec("ALTER TABLE items ADD COLUMN at TIMESTAMPTZ DEFAULT now(); INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)");
    own(&db).args(["create", "tiny"]).run().ok();
    let refresh = |now: &str| {
        let report = own(&db)
            .args(["refresh", "tiny", "--json"])
            .env("FAILPOINTS", format!("clock=return({now})"))
            .run()
            .ok()
            .json();
        let mut names: Vec<String> = report["sets"][0]["summaries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|summary| summary["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let none: [&str; 0] = [];
    assert_eq!(refresh("2026-03-01T10:00:00Z"), ["recent", "today"]);
    assert_eq!(refresh("2026-03-01T10:00:30Z"), none);
    // Looking in between does not put it off.
    assert_eq!(refresh("2026-03-01T10:01:00Z"), ["recent"]);
    // 17:00 UTC is midnight in Jakarta.
    assert_eq!(refresh("2026-03-01T16:59:59Z"), ["recent"]);
    assert_eq!(refresh("2026-03-01T17:00:00Z"), ["today"]);
}

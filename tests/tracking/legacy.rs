//! What release 0.1.0 made is taken over: no note is lost, and nothing is computed anew for it.

use sha2::{Digest, Sha256};

use crate::common::{Dashagg, Kind, TestDb, conformance};
use crate::run::changes;
use crate::small::engine_folder;

/// The script that made the summary's table.
const SCRIPT: &str = "CREATE TABLE IF NOT EXISTS tiny_s (day DATE NOT NULL, shop VARCHAR(40) NOT NULL, \
                      amount DECIMAL(20,2) NOT NULL, PRIMARY KEY (day, shop));";

/// A database as release 0.1.0 leaves it after `create` and `refresh` of a set with one keyed summary.
pub struct Legacy<'a> {
    db: &'a TestDb,
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Legacy<'a> {
    pub fn new(db: &'a TestDb) -> Self {
        // It ran on no MySQL of today: it calls MD5.
        db.server.needs_product("MariaDB", Kind::Mariadb);
        let this = Legacy { db };
        this.write_set();
        let fold = |table: &str| {
            db.exec(&format!("CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, day DATE NOT NULL, shop VARCHAR(40) NOT NULL, amount DECIMAL(10,2) NOT NULL)"));
        };
        fold("sales");
        db.exec("INSERT INTO sales VALUES (1, '2025-01-01', 'a', 10), (2, '2025-01-01', 'b', 20), (3, '2025-01-02', 'a', 30)");
        let schema = match db.kind {
            Kind::Mariadb => db.name(),
            Kind::Postgres => "public",
            Kind::Sqlite => "main",
        };
        let id = &hex(&format!("{schema}/tiny/sales/[\"day\", \"shop\"]/1/[\"\", \"\"]"))[..10];
        db.exec(&fixture(db, "sql").replace("@ID@", id));
        db.exec("INSERT INTO tiny_s SELECT day, shop, SUM(amount) FROM sales GROUP BY day, shop");
        let witness = hex(&db.one(&fixture(db, "witness.sql").replace("@ID@", id)));
        let select = hex("SELECT day, shop, SUM(amount) AS amount FROM sales GROUP BY day, shop");
        let script = hex(SCRIPT);
        db.exec(&format!(
            "INSERT INTO dashagg_set (set_name, generation) VALUES ('tiny', 1);
             INSERT INTO dashagg_source (set_name, source, track_id, witness) VALUES ('tiny', 'sales', '{id}', '{witness}');
             INSERT INTO dashagg_script (set_name, version, file_name, checksum, state, statements_done, done_checksum, applied_at,
             applied_by, seconds) VALUES ('tiny', 1, '0001_t.sql', '{script}', 'applied', 1, '', '2026-01-01T00:00:00.000Z', 'dba', 0.1);
             INSERT INTO dashagg_state (set_name, summary, changes, changes_done, status) VALUES ('tiny', 's', 0, 0, 'ok');
             INSERT INTO dashagg_summary (set_name, summary, table_name, tier, select_checksum, row_count, published_at, run_id, mode,
             seconds, inserted, updated, deleted) VALUES ('tiny', 's', 'tiny_s', 1, '{select}', 3, '2026-01-01T00:00:00.000Z', 'r', 'complete',
             0.1, 3, 0, 0)"
        ));
        this
    }

    fn write_set(&self) {
        let folder = self.db.dir().join("legacy/tiny");
        let scripts = folder.join(engine_folder(self.db.kind));
        std::fs::create_dir_all(&scripts).unwrap();
        std::fs::write(
            folder.join("summaries.toml"),
            "[sources.sales]\npartition = ['day']\ntrack_columns = ['day', 'shop']\n[summaries.s]\ntable = 'tiny_s'\nselect = 's.sql'\n\
             key = ['day', 'shop']\npartition = ['day']\nrecompute_by = ['day', 'shop']\n",
        )
        .unwrap();
        let select = "SELECT day, shop, SUM(amount) AS amount FROM sales GROUP BY day, shop";
        std::fs::write(folder.join("s.sql"), select).unwrap();
        std::fs::write(scripts.join("0001_t.sql"), SCRIPT).unwrap();
    }

    pub fn dashagg(&self) -> Dashagg {
        self.db.dashagg().arg("--sql-dir").arg(self.db.dir().join("legacy"))
    }

    fn assert_right(&self) {
        assert_eq!(
            self.db.rows("SELECT day, shop, amount + 0 FROM tiny_s ORDER BY day, shop"),
            self.db
                .rows("SELECT day, shop, SUM(amount) + 0 FROM sales GROUP BY day, shop ORDER BY day, shop")
        );
    }
}

fn fixture(db: &TestDb, what: &str) -> String {
    match (db.kind, what) {
        (Kind::Mariadb, "sql") => include_str!("../fixtures/v0_1_0/mysql.sql"),
        (Kind::Postgres, "sql") => include_str!("../fixtures/v0_1_0/postgres.sql"),
        (Kind::Sqlite, "sql") => include_str!("../fixtures/v0_1_0/sqlite.sql"),
        (Kind::Mariadb, _) => include_str!("../fixtures/v0_1_0/mysql.witness.sql"),
        (Kind::Postgres, _) => include_str!("../fixtures/v0_1_0/postgres.witness.sql"),
        (Kind::Sqlite, _) => include_str!("../fixtures/v0_1_0/sqlite.witness.sql"),
    }
    .to_owned()
}

/// One column of the names of all tables, functions aside.
fn tables(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1"
        }
        Kind::Postgres => {
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        }
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1",
    };
    db.rows(sql).into_iter().flatten().collect()
}

conformance!(notes_of_an_older_dashagg_are_refreshed_one_by_one, |db: &TestDb| {
    let legacy = Legacy::new(db);
    db.exec("INSERT INTO sales VALUES (4, '2025-01-02', 'b', 1); UPDATE sales SET amount = 11 WHERE id = 1");
    legacy.dashagg().arg("create").run().ok();
    // Noted by the old triggers, and by the new ones.
    db.exec("DELETE FROM sales WHERE id = 2");
    let report = legacy.dashagg().args(["refresh", "--allow-shrink", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["mode"], "incremental", "{report:#}");
    assert_eq!(changes(&report), [1, 1, 1], "{report:#}");
    legacy.assert_right();
    legacy.dashagg().arg("verify").run().ok();
    let again = legacy.dashagg().args(["refresh", "--json"]).run().ok().json();
    assert_eq!(again["sets"][0]["status"], "noop", "{again:#}");
    let logs: Vec<String> = tables(db).into_iter().filter(|name| name.starts_with("dashagg_log_")).collect();
    assert_eq!(logs.len(), 1, "the old log is gone: {logs:?}");
});

conformance!(a_gap_in_the_older_tracking_is_found, |db: &TestDb| {
    let legacy = Legacy::new(db);
    match db.kind {
        Kind::Sqlite => {
            let triggers =
                db.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name LIMIT 1");
            db.exec(&format!("DROP TRIGGER {}; DELETE FROM sales WHERE id = 3", triggers[0][0]));
        }
        _ => db.exec("TRUNCATE sales; INSERT INTO sales VALUES (9, '2025-02-01', 'c', 5)"),
    }
    legacy.dashagg().arg("create").run().ok();
    let report = legacy.dashagg().args(["refresh", "--allow-shrink", "--json"]).run().ok().json();
    if db.kind != Kind::Postgres {
        assert_eq!(report["sets"][0]["mode"], "complete", "{report:#}");
    }
    legacy.assert_right();
});

/// What others built on a live view, and who may read it, outlives the change.
#[test]
fn a_live_view_of_an_older_dashagg_keeps_what_was_built_on_it_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let legacy = Legacy::new(db);
    let manifest = db.dir().join("legacy/tiny/summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}live = true\n")).unwrap();
    let id = &hex("public/tiny/sales/[\"day\", \"shop\"]/1/[\"\", \"\"]")[..10];
    db.exec(&include_str!("../fixtures/v0_1_0/postgres.live.sql").replace("@ID@", id));
    db.exec(
        "CREATE VIEW boss_report AS SELECT day, SUM(amount) AS amount FROM tiny_s_live GROUP BY day; \
         GRANT SELECT ON tiny_s_live TO PUBLIC",
    );
    db.exec("INSERT INTO sales VALUES (4, '2025-01-03', 'b', 1)");
    legacy.dashagg().arg("create").run().ok();
    assert_eq!(db.one("SELECT amount FROM boss_report WHERE day = '2025-01-03'"), "1.00");
    assert_eq!(
        db.one("SELECT has_table_privilege('public', 'tiny_s_live', 'SELECT')::text || has_function_privilege('public', \
                (SELECT oid FROM pg_proc WHERE proname LIKE 'dashagg\\_waiting%'), 'EXECUTE')::text"),
        "truetrue"
    );
    let logs: Vec<String> = tables(db).into_iter().filter(|name| name.starts_with("dashagg_log_")).collect();
    assert_eq!(logs.len(), 1, "the old log is gone: {logs:?}");
    legacy.dashagg().arg("refresh").run().ok();
    legacy.assert_right();
}

conformance!(before_create_an_older_database_is_left_alone, |db: &TestDb| {
    let legacy = Legacy::new(db);
    let before = tables(db);
    let refuse = |args: &[&str]| {
        let said = legacy.dashagg().args(args).run().code(1).stderr;
        assert!(said.contains("was set up by an older dashagg"), "{args:?}: {said}");
        assert!(said.contains("run `dashagg create`"), "{args:?}: {said}");
    };
    // With nothing pending, and with something.
    refuse(&["refresh"]);
    db.exec("INSERT INTO sales VALUES (4, '2025-01-02', 'b', 1); UPDATE sales SET amount = 11 WHERE id = 1");
    refuse(&["refresh"]);
    refuse(&["refresh", "--full"]);
    refuse(&["refresh", "--dry-run"]);
    refuse(&["status"]);
    refuse(&["status", "--json"]);
    refuse(&["verify"]);
    refuse(&["drop", "tiny", "--yes"]);
    refuse(&["drop", "tiny", "--dry-run"]);
    let plan = legacy.dashagg().args(["create", "--dry-run"]).run().ok().stdout;
    assert!(plan.contains("CREATE TABLE IF NOT EXISTS dashagg_holder"), "{plan}");
    assert!(!plan.contains("CREATE TABLE IF NOT EXISTS dashagg_set"), "{plan}");
    assert!(!plan.contains("CREATE TABLE IF NOT EXISTS tiny_s"), "the script ran long ago: {plan}");
    assert_eq!(tables(db), before, "nothing was touched");
    legacy.dashagg().arg("create").run().ok();
    let report = legacy.dashagg().args(["refresh", "--allow-shrink", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["mode"], "incremental", "{report:#}");
    legacy.assert_right();
    legacy.dashagg().arg("verify").run().ok();
});

//! Live views: always equal to a recompute, whatever waits, is claimed or is being published.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Client, Dashagg, Kind, TestDb, conformance, copy_set};
use crate::small::SOURCES;

fn own(db: &TestDb) -> Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

const TABLES: [&str; 3] = [
    "financials_summary_monthly_asin_marketplace",
    "financials_summary_monthly_brand",
    "financials_summary_monthly_category",
];

fn set_up(db: &TestDb) {
    db.exec(SOURCES);
    let manifest = copy_set("financials", &db.dir().join("sql")).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("max_age      = \"26h\"", "max_age      = \"26h\"\nlive = true"))
        .unwrap();
    own(db).arg("create").run().ok();
}

/// What each live view has to be, by queries written for this test.
fn expected(at: usize) -> &'static str {
    [
        "SELECT f.asin, f.marketplace, f.month, f.metric, COALESCE(p.brand_id, 0) AS brand_id, \
         COALESCE(p.category_id, 0) AS category_id, SUM(f.amount) AS amount, COUNT(*) AS row_count FROM financials f \
         LEFT JOIN products p ON p.asin = f.asin GROUP BY f.asin, f.marketplace, f.month, f.metric, p.brand_id, p.category_id",
        "SELECT COALESCE(p.brand_id, 0) AS brand_id, f.marketplace, f.month, f.metric, SUM(f.amount) AS amount, \
         COUNT(*) AS row_count FROM financials f LEFT JOIN products p ON p.asin = f.asin \
         GROUP BY COALESCE(p.brand_id, 0), f.marketplace, f.month, f.metric \
         UNION ALL SELECT COALESCE(p.brand_id, 0), 'ALL', f.month, f.metric, SUM(f.amount), COUNT(*) FROM financials f \
         LEFT JOIN products p ON p.asin = f.asin GROUP BY COALESCE(p.brand_id, 0), f.month, f.metric",
        "SELECT COALESCE(p.category_id, 0) AS category_id, f.month, f.metric, SUM(f.amount) AS amount, COUNT(*) AS row_count \
         FROM financials f LEFT JOIN products p ON p.asin = f.asin GROUP BY COALESCE(p.category_id, 0), f.month, f.metric",
    ][at]
}

fn columns(at: usize) -> &'static str {
    [
        "asin, marketplace, month, metric, brand_id, category_id, amount, row_count",
        "brand_id, marketplace, month, metric, amount, row_count",
        "category_id, month, metric, amount, row_count",
    ][at]
}

/// One statement, so one snapshot: how many rows the view has too many or too few, with their amounts.
fn differing(client: &mut Client, at: usize) -> String {
    let (live, columns) = (format!("SELECT {} FROM {}_live", columns(at), TABLES[at]), columns(at));
    let right = format!("SELECT {columns} FROM ({}) r", expected(at));
    client.one(&format!(
        "SELECT (SELECT COUNT(*) FROM (SELECT * FROM ({live}) a EXCEPT SELECT * FROM ({right}) b) c) + \
         (SELECT COUNT(*) FROM (SELECT * FROM ({right}) a EXCEPT SELECT * FROM ({live}) b) c) + \
         (SELECT COUNT(*) FROM ({live}) a) - (SELECT COUNT(*) FROM ({right}) b)"
    ))
}

#[track_caller]
fn assert_live(db: &TestDb, when: &str) {
    let mut client = db.client();
    for (at, table) in TABLES.iter().enumerate() {
        assert_eq!(differing(&mut client, at), "0", "{table}_live {when}");
    }
}

conformance!(a_live_view_equals_a_recompute_at_every_step, |db: &TestDb| {
    set_up(db);
    assert_live(db, "before the first refresh");
    own(db).arg("refresh").run().ok();
    assert_live(db, "with nothing waiting");
    for (sql, what) in [
        ("INSERT INTO financials VALUES (10, 'A1', 'US', '2025-03-01', 'sales', 42)", "a new month"),
        ("UPDATE financials SET month = '2025-02-01' WHERE id = 1", "a row that moved"),
        ("DELETE FROM financials WHERE month = '2025-03-01'", "a month that emptied"),
        ("UPDATE products SET brand_id = 5 WHERE asin = 'A1'", "a re-mapped product"),
        ("INSERT INTO products VALUES ('A9', 7, 70)", "a product for an unassigned row"),
        ("DELETE FROM financials", "no rows at all"),
        ("INSERT INTO financials VALUES (20, 'A2', 'DE', '2025-01-01', 'fees', -3)", "rows again"),
    ] {
        db.exec(sql);
        assert_live(db, what);
        // Claimed, and then the run dies.
        let mut run = own(db).args(["refresh", "--allow-shrink"]).env("FAILPOINTS", "claimed=panic").spawn();
        run.wait().unwrap();
        assert_live(db, &format!("{what}, claimed"));
        own(db).args(["refresh", "--allow-shrink"]).run().ok();
        assert_live(db, &format!("{what}, published"));
    }
    own(db).arg("verify").run().ok();
});

conformance!(a_live_view_read_in_a_loop_under_writers_and_refreshes_never_differs, |db: &TestDb| {
    set_up(db);
    own(db).arg("refresh").run().ok();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = db.client();
            let mut read = 0;
            while !done.load(Ordering::Relaxed) {
                for (at, table) in TABLES.iter().enumerate() {
                    assert_eq!(differing(&mut client, at), "0", "{table}_live");
                }
                read += 1;
            }
            read
        });
        let writer = scope.spawn(|| {
            let mut client = db.client();
            let mut id = 100;
            while !done.load(Ordering::Relaxed) {
                id += 1;
                let month = id % 4 + 1;
                let sql = match id % 5 {
                    0 => format!("DELETE FROM financials WHERE id = {}", id - 3),
                    1 => format!("UPDATE products SET brand_id = {} WHERE asin = 'A1'", id % 3),
                    2 => format!("UPDATE financials SET month = '2025-0{month}-01' WHERE id = {}", id - 2),
                    _ => format!("INSERT INTO financials VALUES ({id}, 'A{}', 'US', '2025-0{month}-01', 'sales', {id})", id % 4),
                };
                // SQLite has one writer: a busy answer is tried again with the next row.
                let _ = client.try_exec(&sql);
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        let stop = Stop(&done);
        for _ in 0..6 {
            let code = own(db).args(["refresh", "--allow-shrink"]).run().code;
            assert!(code == 0 || db.kind == Kind::Sqlite, "{code}");
        }
        drop(stop);
        writer.join().unwrap();
        assert!(reader.join().unwrap() > 0);
    });
});

#[test]
fn a_live_view_with_nothing_pending_reads_the_summary_only_postgres() {
    let db = TestDb::new(Kind::Postgres);
    set_up(&db);
    own(&db).arg("refresh").run().ok();
    let plan = db.rows("EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT * FROM financials_summary_monthly_category_live WHERE month = '2025-01-01'");
    let text: String = plan.into_iter().flatten().collect::<Vec<_>>().join("\n");
    // The source is asked for the pending months only, of which there are none.
    for line in text.lines().filter(|line| line.contains("on financials f")) {
        assert!(line.contains("never executed") || line.contains("rows=0"), "{text}");
    }
    let functions = "SELECT COUNT(*) FROM pg_proc WHERE proname LIKE 'dashagg\\_%'";
    assert_ne!(db.one(functions), "0");
    own(&db).args(["drop", "financials", "--yes"]).run().ok();
    assert_eq!(db.one(functions), "0", "something of the live views is left");
}

#[test]
fn a_reader_may_read_the_live_view_and_nothing_else_postgres() {
    let db = TestDb::new(Kind::Postgres);
    db.server.needs_sessions(); // SET ROLE
    let role = format!("reader_{}", db.name());
    db.exec(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"));
    db.exec(SOURCES);
    let manifest = copy_set("financials", &db.dir().join("sql")).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let with = format!("max_age      = \"26h\"\nlive = true\nreaders = [\"{role}\"]");
    std::fs::write(&manifest, text.replace("max_age      = \"26h\"", &with)).unwrap();
    own(&db).arg("create").run().ok();
    own(&db).arg("refresh").run().ok();
    let as_reader = |sql: &str| db.try_exec(&format!("SET ROLE {role}; {sql}"));
    for table in TABLES {
        as_reader(&format!("SELECT * FROM {table}")).unwrap();
        as_reader(&format!("SELECT * FROM {table}_live")).unwrap();
        assert!(as_reader(&format!("DELETE FROM {table}")).unwrap_err().contains("permission denied"));
    }
    assert!(as_reader("SELECT * FROM financials").unwrap_err().contains("permission denied"));
    assert!(as_reader("SELECT * FROM dashagg_set").unwrap_err().contains("permission denied"));
    db.exec(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_reader_may_read_and_not_write_mariadb() {
    let db = TestDb::new(Kind::Mariadb);
    let user = format!("reader_{}", std::process::id());
    db.exec(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'"));
    db.exec(SOURCES);
    let manifest = copy_set("financials", &db.dir().join("sql")).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        text.replace("max_age      = \"26h\"", &format!("max_age      = \"26h\"\nreaders = [\"{user}\"]")),
    )
    .unwrap();
    own(&db).arg("create").run().ok();
    let url = db.url.replace("dashagg:secret@", &format!("{user}:secret@"));
    let mut reader = Client::connect(Kind::Mariadb, &url);
    for table in TABLES {
        reader.exec(&format!("SELECT * FROM {table}"));
        assert!(reader.try_exec(&format!("DELETE FROM {table}")).is_err());
    }
    assert!(reader.try_exec("SELECT * FROM financials").is_err());
    db.exec(&format!("DROP USER '{user}'@'%'"));
}

/// Ends the others even if what they watch panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The database's own collation is not that of our tables.
#[test]
fn live_views_in_a_database_of_any_collation_mariadb() {
    for collation in ["utf8mb4_unicode_ci", "utf8mb4_bin", "latin1_swedish_ci"] {
        let db = &TestDb::new(Kind::Mariadb);
        let charset = collation.split('_').next().unwrap();
        db.exec(&format!("ALTER DATABASE {} CHARACTER SET {charset} COLLATE {collation}", db.name()));
        set_up(db);
        own(db).arg("refresh").run().ok();
        db.exec("INSERT INTO financials VALUES (7, 'A1', 'US', '2025-03-01', 'sales', 25)");
        let live =
            format!("SELECT amount FROM {}_live WHERE month = '2025-03-01' AND asin = 'A1'", TABLES[0]);
        assert_eq!(db.one(&live), "25.00", "{collation}");
        own(db).arg("refresh").run().ok();
        assert_eq!(db.one(&live), "25.00", "{collation}");
    }
}

/// A server cuts longer names, and two of them may then be one.
#[test]
fn a_live_view_whose_name_would_be_cut_is_refused_postgres() {
    let db = TestDb::new(Kind::Postgres);
    let tiny = crate::small::Tiny::new(&db);
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    let script = std::fs::read_to_string(tiny.script_path("0001_days.sql")).unwrap();
    let with = |table: &str, live: &str| {
        tiny.write("summaries.toml", &(manifest.replace("tiny_days", table) + live));
        tiny.script("0001_days.sql", &script.replace("tiny_days", table));
        tiny.create()
    };
    // Bytes, not letters.
    for table in ["s".repeat(59), "\u{fc}".repeat(29) + "s"] {
        let said = with(&table, "live = true\n").code(2).stderr;
        assert!(said.contains("_live has 64 bytes") && said.contains("shorter name"), "{said}");
    }
    assert!(with(&"s".repeat(64), "").code(2).stderr.contains("has 64 bytes"));
    with(&"s".repeat(58), "live = true\n").ok();
    tiny.refresh().ok();
    assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {}_live", "s".repeat(58))), "2");
}

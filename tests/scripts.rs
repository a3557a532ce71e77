//! `create`, `init` and `demo`: versioned scripts, source indexes, and what they leave in the ledger.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::{Kind, TestDb, conformance, copy_set};
use crate::small::{SOURCES, Tiny, dashagg, engine_folder, refuses};

/// Names of the tables of the database, in order.
fn tables(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1"
        }
        Kind::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        Kind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        }
    };
    db.rows(sql).concat()
}

/// Triggers of the database, in order.
fn triggers(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1"
        }
        Kind::Postgres => "SELECT DISTINCT tgname::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
    };
    db.rows(sql).concat()
}

/// A name of dashagg's without the digest in it, which is of the database's own name.
fn without_digest(names: Vec<String>) -> Vec<String> {
    let is_digest = |part: &&str| part.len() == 10 && part.chars().all(|c| c.is_ascii_hexdigit());
    let mut names: Vec<String> = names
        .into_iter()
        .map(|name| name.split('_').filter(|part| !is_digest(part)).collect::<Vec<_>>().join("_"))
        .collect();
    names.sort();
    names
}

/// Indexes of `financials` other than its primary key, in order.
fn source_indexes(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() \
             AND table_name = 'financials' AND index_name <> 'PRIMARY' ORDER BY 1"
        }
        Kind::Postgres => {
            "SELECT indexname::text FROM pg_indexes WHERE tablename = 'financials' \
             AND indexname <> 'financials_pkey' ORDER BY 1"
        }
        Kind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'financials' \
             AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        }
    };
    db.rows(sql).concat()
}

fn ledger(db: &TestDb) -> Vec<Vec<String>> {
    db.rows("SELECT version, file_name, state, statements_done FROM dashagg_script ORDER BY version")
}

conformance!(create_applies_once_and_the_ledger_tells_who_and_when, |db: &TestDb| {
    db.exec(SOURCES);
    let first = dashagg(db).env("USER", "pat").arg("create").run().ok();
    assert!(first.stdout.contains("financials: applied 0001_summary_tables.sql"), "{}", first.stdout);
    assert!(first.stdout.trim_end().ends_with("next: dashagg refresh financials"), "{}", first.stdout);
    let before = db.rows("SELECT * FROM dashagg_script");
    let row = &db.rows(
        "SELECT set_name, version, file_name, checksum, state, applied_at, applied_by, seconds FROM dashagg_script \
         ORDER BY version",
    )[0];
    assert_eq!(row[..3], ["financials", "1", "0001_summary_tables.sql"]);
    assert!(row[3].len() == 64 && row[3].chars().all(|c| c.is_ascii_hexdigit()), "{row:?}");
    assert_eq!(row[4], "applied");
    assert!(row[5].starts_with("20") && row[5].ends_with('Z'), "{row:?}");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(row[6], format!("pat@{}", host.trim()));
    assert!(row[7].parse::<f64>().unwrap() < 60.0);

    let second = dashagg(db).arg("create").run().ok();
    assert!(second.stdout.contains("up to date, nothing to do"), "{}", second.stdout);
    assert_eq!(db.rows("SELECT * FROM dashagg_script"), before, "a second run must leave the ledger alone");
    let json = dashagg(db).args(["create", "--json"]).run().ok().json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["sets"][0]["set"], "financials");
    assert_eq!(json["sets"][0]["applied"].as_array().unwrap().len(), 0);
});

conformance!(an_edited_applied_script_is_drift_and_a_checkout_is_not, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.create().ok();
    let path = tiny.script_path("0001_days.sql");
    let text = std::fs::read_to_string(&path).unwrap();

    let crlf = format!("\u{feff}{}\r\n\r\n", text.replace('\n', "\r\n"));
    std::fs::write(&path, crlf).unwrap();
    let same = tiny.create().ok();
    assert!(same.stdout.contains("nothing to do"), "{}", same.stdout);

    std::fs::write(&path, text.replace("BIGINT", "INTEGER")).unwrap();
    let words = ["0001_days.sql", "edited after it was applied", "new script"];
    refuses(tiny.create(), 6, &words);
    refuses(tiny.dashagg().args(["create", "--dry-run"]).run(), 6, &words);
    // A comment is an edit too: the file on disk is no longer what ran.
    std::fs::write(&path, format!("-- harmless\n{text}")).unwrap();
    refuses(tiny.create(), 6, &words);

    std::fs::write(&path, text).unwrap();
    tiny.script("0002_more.sql", "CREATE TABLE more_rows (id INTEGER NOT NULL PRIMARY KEY);\n");
    let next = tiny.create().ok();
    assert!(
        next.stdout.contains("applied 0002_more.sql") && !next.stdout.contains("0001"),
        "{}",
        next.stdout
    );
    std::fs::remove_file(tiny.script_path("0002_more.sql")).unwrap();
    refuses(tiny.create(), 6, &["0002_more.sql", "gone"]);
});

conformance!(numbers_have_no_gaps, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.script("0003_later.sql", "SELECT 1;\n");
    refuses(tiny.create(), 2, &["number 2 is missing before 0003_later.sql"]);
    std::fs::rename(tiny.script_path("0003_later.sql"), tiny.script_path("0001_again.sql")).unwrap();
    refuses(tiny.create(), 2, &["number 1 occurs twice"]);
    std::fs::rename(tiny.script_path("0001_again.sql"), tiny.script_path("two.sql")).unwrap();
    refuses(tiny.create(), 2, &["two.sql", "0002_add_index.sql"]);
    assert_eq!(tables(db), ["raw_rows"], "a set that does not load changes nothing");
});

const HALF: &str = "CREATE TABLE marks (n INTEGER NOT NULL);\n\
    INSERT INTO marks VALUES (1);\n\
    INSERT INTO marks_misspelt VALUES (2);\n\
    INSERT INTO marks VALUES (3);\n";

conformance!(a_script_that_fails_half_way_goes_on_once_mended, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.script("0002_marks.sql", HALF);
    let said = refuses(tiny.create(), 1, &["0002_marks.sql", "statement 3 of 4", "marks_misspelt"]);
    let whole = db.kind != Kind::Mariadb;
    if whole {
        assert!(said.contains("nothing of this script was kept"), "{said}");
        assert_eq!(tables(db).iter().filter(|name| *name == "marks").count(), 0);
        assert_eq!(ledger(db), [["1", "0001_days.sql", "applied", "1"]]);
    } else {
        assert!(said.contains("after the 2 statements that have run"), "{said}");
        assert_eq!(ledger(db)[1], ["2", "0002_marks.sql", "applying", "2"]);
        // Not mended: it stops at the same place and runs nothing twice.
        refuses(tiny.create(), 1, &["statement 3 of 4"]);
        assert_eq!(db.one("SELECT COUNT(*) FROM marks"), "1");
        let rest = tiny.dashagg().args(["create", "--dry-run"]).run().ok().stdout;
        assert!(rest.contains("marks_misspelt") && !rest.contains("CREATE TABLE marks"), "{rest}");
    }
    tiny.script("0002_marks.sql", &HALF.replace("marks_misspelt", "marks"));
    tiny.create().ok();
    assert_eq!(db.rows("SELECT n FROM marks ORDER BY n"), [["1"], ["2"], ["3"]]);
    assert_eq!(ledger(db)[1], ["2", "0002_marks.sql", "applied", "4"]);
    assert!(tiny.create().ok().stdout.contains("nothing to do"));
});

conformance!(without_a_transaction_statements_that_ran_are_not_edited, |db: &TestDb| {
    let tiny = Tiny::new(db);
    let half = format!("-- no-transaction\n{HALF}");
    tiny.script("0002_marks.sql", &half);
    refuses(tiny.create(), 1, &["statement 3 of 4"]);
    assert_eq!(ledger(db)[1], ["2", "0002_marks.sql", "applying", "2"]);
    assert_eq!(db.one("SELECT COUNT(*) FROM marks"), "1", "without a transaction what ran is kept");

    let edited = half.replace("(1)", "(100)").replace("marks_misspelt", "marks");
    tiny.script("0002_marks.sql", &edited);
    refuses(tiny.create(), 6, &["0002_marks.sql", "stopped after statement 2", "restore"]);
    std::fs::remove_file(tiny.script_path("0002_marks.sql")).unwrap();
    refuses(tiny.create(), 6, &["0002_marks.sql", "half applied", "gone"]);
    assert_eq!(db.one("SELECT COUNT(*) FROM marks"), "1");

    tiny.script("0002_marks.sql", &half.replace("marks_misspelt", "marks"));
    tiny.create().ok();
    assert_eq!(db.rows("SELECT n FROM marks ORDER BY n"), [["1"], ["2"], ["3"]]);
});

#[test]
fn postgres_builds_an_index_concurrently_in_a_script() {
    let db = TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(&db);
    let sql = "CREATE INDEX CONCURRENTLY tiny_days_total ON tiny_days (total);\n";
    tiny.script("0002_index.sql", sql);
    refuses(tiny.create(), 1, &["cannot run inside a transaction block"]);
    tiny.script("0002_index.sql", &format!("-- no-transaction\n{sql}"));
    tiny.create().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'tiny_days_total'"), "1");
}

conformance!(dry_run_prints_the_sql_and_changes_nothing, |db: &TestDb| {
    db.exec(SOURCES);
    let output = dashagg(db).args(["create", "--dry-run"]).run().ok();
    assert_eq!(tables(db), ["financials", "products"]);
    assert_eq!(source_indexes(db), Vec::<String>::new());
    let printed = output.stdout;
    for word in ["dashagg_script", "financials_summary_monthly_brand", "idx_financials_cover"] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
    // What was printed is what runs: by hand it leads to the same tables.
    let copy = TestDb::new(db.kind);
    copy.exec(SOURCES);
    let mut client = copy.client();
    for statement in printed.split(";\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        client.exec(statement);
    }
    // Scratch tables have the columns of tables that were not there yet: they come second.
    assert!(!tables(&copy).iter().any(|name| name.starts_with("dashagg_scratch_")));
    let scratch = dashagg(&copy).args(["create", "--dry-run", "--json"]).run().ok().json();
    for statement in scratch["sets"][0]["sql"].as_array().unwrap() {
        let statement = statement.as_str().unwrap();
        if statement.contains("dashagg_scratch_") {
            client.exec(statement);
        }
    }
    dashagg(db).arg("create").run().ok();
    let lasting = tables(db).iter().filter(|name| name.starts_with("dashagg_scratch_")).count();
    assert_eq!(lasting > 0, db.kind != Kind::Sqlite);
    assert_eq!(without_digest(tables(&copy)), without_digest(tables(db)));
    assert_eq!(source_indexes(&copy), source_indexes(db));
    assert!(!triggers(db).is_empty());
    assert_eq!(without_digest(triggers(&copy)), without_digest(triggers(db)));

    let again = dashagg(db).args(["create", "--dry-run"]).run().ok().stdout;
    assert_eq!(again, "-- financials: nothing to do\n");
    let json = dashagg(&copy).args(["create", "--dry-run", "--json"]).run().ok().json();
    assert!(json["sets"][0]["sql"][0].as_str().unwrap().contains("CREATE TABLE"), "{json}");
    // And dashagg goes on from there as if it had done it itself.
    for verb in ["create", "refresh", "verify"] {
        dashagg(&copy).arg(verb).run().ok();
    }
});

conformance!(source_indexes_are_added_only_where_none_serves, |db: &TestDb| {
    db.exec(SOURCES);
    let skipped = dashagg(db).args(["create", "--skip-source-indexes"]).run().ok();
    assert_eq!(source_indexes(db), Vec::<String>::new());
    assert!(!skipped.stdout.contains("index"), "{}", skipped.stdout);
    // Another name, and wider: it leads with the same columns, so it counts.
    db.exec("CREATE INDEX their_own ON financials (metric, month, asin)");
    let output = dashagg(db).arg("create").run().ok();
    assert_eq!(source_indexes(db), ["idx_financials_cover", "their_own"]);
    assert!(output.stdout.contains("added index idx_financials_cover"), "{}", output.stdout);
    assert!(output.stderr.contains("expect about") && output.stderr.contains("--skip-source-indexes"));
    assert!(dashagg(db).arg("create").run().ok().stdout.contains("nothing to do"));
});

conformance!(somebody_elses_index_of_that_name_is_left_alone, |db: &TestDb| {
    db.exec(SOURCES);
    db.exec("CREATE INDEX idx_metric_month ON financials (amount)");
    refuses(
        dashagg(db).arg("create").run(),
        1,
        &["another index named idx_metric_month", "--skip-source-indexes"],
    );
    refuses(dashagg(db).args(["create", "--dry-run"]).run(), 1, &["idx_metric_month"]);
    assert_eq!(source_indexes(db), ["idx_metric_month"], "nothing is dropped, nothing added");
});

#[test]
fn postgres_rebuilds_an_invalid_leftover() {
    let db = TestDb::new(Kind::Postgres);
    db.exec(SOURCES);
    db.exec("CREATE INDEX idx_metric_month ON financials (metric, month)");
    // What an interrupted CREATE INDEX CONCURRENTLY leaves behind.
    db.exec("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_metric_month'::regclass");
    let valid =
        || db.one("SELECT indisvalid::int FROM pg_index WHERE indexrelid = 'idx_metric_month'::regclass");
    let before = db.one("SELECT 'idx_metric_month'::regclass::oid");
    let printed = dashagg(&db).args(["create", "--dry-run"]).run().ok().stdout;
    assert!(printed.contains("DROP INDEX CONCURRENTLY"), "{printed}");
    assert_eq!(db.one("SELECT 'idx_metric_month'::regclass::oid"), before, "--dry-run changes nothing");
    dashagg(&db).arg("create").run().ok();
    assert_eq!(valid(), "1");
    assert_ne!(db.one("SELECT 'idx_metric_month'::regclass::oid"), before);
}

fn finish(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.code(), said)
}

conformance!(many_first_creates_at_once_apply_once, |db: &TestDb| {
    let tiny = Tiny::new(db);
    // Fails if it runs twice.
    tiny.script(
        "0002_once.sql",
        "CREATE TABLE once_only (n INTEGER NOT NULL);\nINSERT INTO once_only VALUES (1);\n",
    );
    let children: Vec<Child> =
        (0..6).map(|_| tiny.dashagg().args(["create", "--wait", "60s"]).spawn()).collect();
    for (code, said) in children.into_iter().map(finish) {
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(db.one("SELECT COUNT(*) FROM once_only"), "1");
    assert_eq!(ledger(db).len(), 2);
    assert_eq!(db.one("SELECT COUNT(*) FROM dashagg_set"), "1");
});

/// PostgreSQL's IF NOT EXISTS fails when another transaction is making the same table.
#[test]
fn postgres_survives_another_first_create() {
    let db = TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(&db);
    let printed = tiny.dashagg().args(["create", "--dry-run"]).run().ok().stdout;
    let first_table = printed.split(";\n\n").next().unwrap();
    assert!(first_table.starts_with("CREATE TABLE IF NOT EXISTS dashagg_"), "{first_table}");
    let mut other = db.client();
    other.exec("BEGIN");
    other.exec(first_table);
    let create = tiny.dashagg().arg("create").spawn();
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND wait_event_type = 'Lock'";
    let deadline = Instant::now() + Duration::from_secs(120);
    while db.one(waiting) == "0" {
        assert!(Instant::now() < deadline, "create does not wait for the other one's table");
        std::thread::sleep(Duration::from_millis(10));
    }
    other.exec("COMMIT");
    let (code, said) = finish(create);
    assert_eq!(code, Some(0), "{said}");
}

conformance!(create_holds_the_lock_and_is_named_by_the_next, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.create().ok();
    let slow = match db.kind {
        Kind::Mariadb => "DO SLEEP(3)",
        Kind::Postgres => "SELECT pg_sleep(3)",
        Kind::Sqlite => {
            "CREATE TABLE counted AS WITH RECURSIVE c(n) AS \
             (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000000) SELECT COUNT(*) AS n FROM c"
        }
    };
    tiny.script("0002_slow.sql", &format!("{slow};\n"));
    let first = tiny.dashagg().arg("create").spawn();
    let pid = first.id().to_string();
    let deadline = Instant::now() + Duration::from_secs(120);
    while db.one("SELECT COUNT(*) FROM dashagg_holder") != "1" {
        assert!(Instant::now() < deadline, "the first create never took the lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    let words = ["set tiny is held by host", &format!("pid {pid}"), "since 20", "--wait"];
    refuses(tiny.create(), 11, &words);
    assert_eq!(finish(first).0, Some(0));
    assert!(tiny.create().ok().stdout.contains("nothing to do"));
});

#[test]
fn one_failing_set_leaves_the_others_created() {
    let db = TestDb::new(Kind::Sqlite);
    db.exec(SOURCES);
    let tiny = Tiny::new(&db);
    copy_set("financials", tiny.sql_dir());
    tiny.script("0002_wrong.sql", "INSERT INTO no_such_table VALUES (1);\n");
    let partly = tiny.create().code(3);
    assert!(partly.stdout.contains("financials: applied 0001_summary_tables.sql"), "{}", partly.stdout);
    assert!(
        partly.stdout.contains("tiny: failed: ") && partly.stdout.contains("no_such_table"),
        "{}",
        partly.stdout
    );
    assert!(partly.stdout.trim_end().ends_with("next: dashagg refresh financials"), "{}", partly.stdout);
    let json = tiny.dashagg().args(["create", "--json"]).run().code(3).json();
    assert!(json["sets"][1]["error"].as_str().unwrap().contains("no_such_table"), "{json}");
}

conformance!(init_writes_what_create_runs, |db: &TestDb| {
    db.exec(SOURCES);
    let dir = db.dir().join("mine");
    let written = db.dashagg_without_url().arg("init").arg(&dir).run().ok();
    for file in
        ["config.toml", "crontab.example", "sql/financials/summaries.toml", "sql/financials/brand.sql"]
    {
        assert!(dir.join(file).is_file(), "{file}");
        assert!(written.stdout.contains(file), "{}", written.stdout);
    }
    for folder in ["sample", "independent", "founding"] {
        assert!(!dir.join("sql/financials").join(folder).exists(), "{folder} is nothing to edit");
    }
    let kept = std::fs::read_to_string(dir.join("config.toml")).unwrap();
    std::fs::remove_file(dir.join("sql/financials/brand.sql")).unwrap();
    refuses(db.dashagg_without_url().arg("init").arg(&dir).run(), 1, &["already there; nothing was written"]);
    assert!(!dir.join("sql/financials/brand.sql").exists());
    assert_eq!(std::fs::read_to_string(dir.join("config.toml")).unwrap(), kept);
    std::fs::remove_dir_all(&dir).unwrap();
    db.dashagg_without_url().args(["-q", "init"]).arg(&dir).run().ok();

    // An edited copy is what runs: here the ASIN tier is called otherwise.
    let manifest = dir.join("sql/financials/summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("[summaries.category]", "[summaries.kind]")).unwrap();
    let here = || dashagg(db).arg("--sql-dir").arg(dir.join("sql"));
    here().arg("create").run().ok();
    let report = here().args(["refresh", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["summaries"][2]["name"], "kind", "{report}");
    // The written configuration works as it is.
    here().arg("-c").arg(dir.join("config.toml")).arg("verify").run().ok();
    assert!(dir.join("sql/financials").join(engine_folder(db.kind)).is_dir());
});

conformance!(demo_works_and_takes_only_its_own_database, |db: &TestDb| {
    db.exec("CREATE TABLE precious (n INTEGER NOT NULL); INSERT INTO precious VALUES (7)");
    let rows = ["demo", "--rows", "20000"];
    refuses(dashagg(db).args(["-D", &db.url]).args(rows).run(), 2, &["not the demo's own", "empty database"]);
    assert_eq!(tables(db), ["precious"]);
    // Tables that were made by `create` are not the demo's own either.
    db.exec(SOURCES);
    dashagg(db).args(["create", "--skip-source-indexes"]).run().ok();
    refuses(dashagg(db).args(["-D", &db.url]).args(rows).run(), 2, &["not the demo's own"]);
    assert_eq!(db.one("SELECT n FROM precious"), "7");

    let own = TestDb::new(db.kind);
    let demo = || dashagg(&own).args(["-D", &own.url]).args(rows);
    let first = demo().run().ok();
    for word in ["financials.asin", "Refreshed 36 partitions", "conservation", "on raw", "profitability"] {
        assert!(first.stdout.contains(word), "{word}: {}", first.stdout);
    }
    assert_eq!(own.one("SELECT COUNT(*) FROM financials"), "20000");
    // Its own again: another size is made afresh, and the same seed makes the same rows on every engine.
    let smaller = || dashagg(&own).args(["-D", &own.url, "-q", "demo", "--rows", "1000"]).run().ok().stdout;
    assert_eq!(smaller(), "");
    let cents = if db.kind == Kind::Sqlite { "-10175" } else { "-101.75" };
    assert_eq!(own.rows("SELECT COUNT(*), SUM(amount) FROM financials"), [["1000", cents]]);
    // And the very same sample is used as it is.
    own.exec("UPDATE financials SET amount = amount + 1 WHERE id = 1");
    let before = own.one("SELECT SUM(amount) FROM financials");
    assert_eq!(smaller(), "");
    assert_eq!(own.one("SELECT SUM(amount) FROM financials"), before);
    if db.kind == Kind::Sqlite {
        // Without -D it makes its file, here and under this name only.
        own.dashagg_without_url().args(["demo", "--rows", "1000"]).run().ok();
        assert!(own.dir().join("cwd/dashagg-demo.db").is_file());
    }
});

// What a column takes where nothing is said is no computed column, whatever the server calls it; and one that the SELECT
// has forgotten is not passed over for it.
#[test]
fn a_default_is_no_computed_column() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    let table = |more: &str| {
        format!(
            "CREATE TABLE tiny_days (day DATE NOT NULL DEFAULT (CURRENT_DATE) PRIMARY KEY, total BIGINT NOT NULL DEFAULT (1 + 2), \
             twice BIGINT GENERATED ALWAYS AS (total * 2) VIRTUAL, half BIGINT GENERATED ALWAYS AS (total / 2) STORED{more});\n"
        )
    };
    tiny.script("0001_days.sql", &table(""));
    tiny.create().ok();
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
    db.exec("ALTER TABLE tiny_days ADD COLUMN seen_at DATETIME DEFAULT CURRENT_TIMESTAMP");
    refuses(tiny.dashagg().args(["refresh", "--full"]).run(), 1, &["does not produce column seen_at"]);
    // A primary key that some servers add by themselves.
    db.exec(
        "ALTER TABLE tiny_days DROP COLUMN seen_at, ADD UNIQUE KEY (day), DROP PRIMARY KEY, \
         ADD COLUMN my_row_id BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY FIRST",
    );
    tiny.create().ok();
    db.exec("UPDATE raw_rows SET n = n + 1");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

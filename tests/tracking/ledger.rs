//! The ledger says its version: an older one is upgraded by `create` and nothing else goes on with it, a newer one is
//! left alone by every verb.

use std::process::Child;

use crate::common::{Dashagg, Kind, TestDb, conformance};
use crate::legacy::Legacy;
use crate::run::changes;
use crate::small::engine_folder;

const LEDGER: &str = include_str!("../../src/ledger/ledger.sql");

/// A set with a source for each method of tracking, created and refreshed, in a database of its own.
struct Four<'a> {
    db: &'a TestDb,
}

const SOURCES: [(&str, &str); 4] = [
    ("noted", "'triggers'"),
    ("stamped", "{ watermark = 'at', overlap = '1h' }"),
    ("recent", "{ window = 2 }"),
    ("printed", "'fingerprint'"),
];

impl<'a> Four<'a> {
    fn new(db: &'a TestDb) -> Self {
        let this = Four { db };
        let folder = db.dir().join("sets/four");
        let scripts = folder.join(engine_folder(db.kind));
        std::fs::create_dir_all(&scripts).unwrap();
        let (mut manifest, mut script) = (String::new(), String::new());
        for (name, method) in SOURCES {
            db.exec(&format!(
                "CREATE TABLE {name} (day DATE NOT NULL, n INTEGER NOT NULL, at TIMESTAMP NOT NULL); \
                 INSERT INTO {name} VALUES ('2025-01-01', 1, '2025-01-01 00:00:00'), ('2025-01-02', 2, '2025-01-02 00:00:00'), \
                 ('2025-01-03', 3, '2025-01-03 00:00:00')"
            ));
            manifest += &format!("[sources.{name}]\npartition = ['day']\ntrack = {method}\n");
            manifest += &format!(
                "[summaries.of_{name}]\ntable = 'of_{name}'\nselect = '{name}.sql'\nkey = ['day']\npartition = ['day']\nevery = '1m'\n"
            );
            let select = format!("SELECT day, SUM(n) AS total FROM {name} GROUP BY day\n");
            std::fs::write(folder.join(format!("{name}.sql")), select).unwrap();
            script +=
                &format!("CREATE TABLE of_{name} (day DATE NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n");
        }
        std::fs::write(folder.join("summaries.toml"), manifest).unwrap();
        std::fs::write(scripts.join("0001_tables.sql"), script).unwrap();
        this.dashagg().arg("create").run().ok();
        this.dashagg().arg("refresh").run().ok();
        this
    }

    fn dashagg(&self) -> Dashagg {
        self.db.dashagg().arg("--sql-dir").arg(self.db.dir().join("sets"))
    }

    fn write(&self) {
        for (name, _) in SOURCES {
            self.db.exec(&format!("INSERT INTO {name} VALUES ('2025-01-03', 5, '2025-01-03 00:10:00')"));
        }
    }

    /// Every verb that must not go on, with what it says on stderr.
    fn refused(&self, also: &[&[&str]], words: &[&str]) {
        let config = self.db.dir().join("config.toml");
        std::fs::write(&config, format!("[database]\nurl = '{}'\n", self.db.url)).unwrap();
        let verbs: [&[&str]; 13] = [
            &["refresh"],
            &["refresh", "--full"],
            &["refresh", "--partition", "day=2025-01-01"],
            &["refresh", "--due"],
            &["refresh", "--dry-run"],
            &["refresh", "--watch"],
            &["status"],
            &["status", "--json"],
            &["verify"],
            &["verify", "--totals"],
            &["drop", "four", "--yes"],
            &["drop", "four", "--dry-run"],
            &["demo", "--rows", "1000"],
        ];
        let before = dump(self.db);
        for verb in verbs.iter().chain(also) {
            let said = self.dashagg().args(*verb).run().code(1).stderr;
            for word in words {
                assert!(said.contains(word), "{verb:?}: '{word}' is missing in: {said}");
            }
            assert_eq!(dump(self.db), before, "{verb:?} touched something");
        }
        let cron = self.db.dashagg_without_url().arg("-c").arg(&config).arg("--sql-dir");
        let said = cron.arg(self.db.dir().join("sets")).args(["cron", "install"]).run().code(1).stderr;
        assert!(words.iter().all(|word| said.contains(word)), "cron: {said}");
        assert_eq!(dump(self.db), before, "cron touched something");
    }

    /// Makes the ledger one as it was before it had a version.
    fn without_a_version(&self) {
        let suffix = match self.db.kind {
            Kind::Mariadb => " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
            _ => "",
        };
        self.db.exec(&format!(
            "CREATE TABLE dashagg_state (set_name VARCHAR(128) NOT NULL, summary VARCHAR(128) NOT NULL, served_at VARCHAR(32), \
             changes BIGINT NOT NULL, changes_done BIGINT NOT NULL, as_of VARCHAR(64), status VARCHAR(16), error VARCHAR(2000), \
             computed_at VARCHAR(32), PRIMARY KEY (set_name, summary)){suffix}; \
             INSERT INTO dashagg_state SELECT set_name, summary, served_at, changes, changes_done, as_of, status, error, computed_at \
             FROM dashagg_summary; \
             DELETE FROM dashagg_summary WHERE published_at IS NULL"
        ));
        for column in ["served_at", "changes", "changes_done", "as_of", "status", "error", "computed_at"] {
            // Else its row stays as long as it was.
            let copy = if self.db.kind == Kind::Mariadb { ", ALGORITHM = COPY" } else { "" };
            self.db.exec(&format!("ALTER TABLE dashagg_summary DROP COLUMN {column}{copy}"));
        }
        self.db.exec(
            "UPDATE dashagg_source SET track_id = CASE method WHEN 'window' THEN 'Window(2)' WHEN 'fingerprint' THEN 'Fingerprint' \
             WHEN 'watermark' THEN 'Watermark { column: \"at\", overlap: 3600s }' ELSE track_id END; \
             ALTER TABLE dashagg_source DROP COLUMN method; DROP TABLE dashagg_ledger",
        );
        if !dump(self.db).iter().any(|line| line.contains(" holder_host ")) {
            self.db.exec(
                "ALTER TABLE dashagg_set ADD COLUMN holder_host VARCHAR(255); \
                 ALTER TABLE dashagg_set ADD COLUMN holder_pid BIGINT; \
                 ALTER TABLE dashagg_set ADD COLUMN holder_since VARCHAR(32)",
            );
        }
    }

    /// After a change of every source, only what changed is computed, and all is right.
    fn goes_on(&self) {
        self.write();
        let report = self.dashagg().args(["refresh", "--json"]).run().ok().json();
        assert_eq!(report["sets"][0]["mode"], "incremental", "{report:#}");
        assert_eq!(changes(&report).iter().sum::<u64>(), 4, "{report:#}");
        self.dashagg().arg("verify").run().ok();
    }
}

/// The tables of `ledger.sql` with their columns.
fn tables_of_the_ledger() -> Vec<(String, Vec<String>)> {
    let parts = LEDGER.split("CREATE TABLE IF NOT EXISTS ").skip(1);
    parts
        .map(|part| {
            let lines = part.lines().skip(1).take_while(|line| !line.starts_with(')'));
            let columns = lines
                .filter_map(|line| line.split_whitespace().next())
                .filter(|word| *word != "--" && *word != "PRIMARY");
            (part.split_whitespace().next().unwrap().to_owned(), columns.map(str::to_owned).collect())
        })
        .collect()
}

/// All that the ledger holds, by the columns of today; not who did what to it when.
fn held(db: &TestDb) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in tables_of_the_ledger().iter().filter(|(table, _)| table != "dashagg_ledger") {
        let rows = db.rows(&format!("SELECT {} FROM {table} ORDER BY 1, 2", columns.join(", ")));
        all.extend(rows.into_iter().map(|row| format!("{table}: {}", row.join(" | "))));
    }
    all
}

/// Every table with its columns and rows.
fn dump(db: &TestDb) -> Vec<String> {
    let columns = match db.kind {
        Kind::Mariadb => {
            "SELECT table_name, column_name, column_type FROM information_schema.columns \
             WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
        }
        Kind::Postgres => {
            "SELECT table_name, column_name, data_type FROM information_schema.columns \
             WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        }
        Kind::Sqlite => {
            "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' ORDER BY m.name, c.cid"
        }
    };
    let columns = db.rows(columns);
    let mut all: Vec<String> = columns.iter().map(|row| row.join(" ")).collect();
    let mut tables: Vec<&String> = columns.iter().map(|row| &row[0]).collect();
    tables.dedup();
    for table in tables {
        let names: Vec<&str> =
            columns.iter().filter(|row| row[0] == *table).map(|row| row[1].as_str()).collect();
        let quote = if db.kind == Kind::Mariadb { '`' } else { '"' };
        let cells: Vec<String> = names.iter().map(|name| format!("{quote}{name}{quote}")).collect();
        let from = format!("{quote}{table}{quote}");
        let cells: Vec<String> = match db.kind {
            // Its driver gives no text for the types of notes.
            Kind::Postgres => cells.iter().map(|cell| format!("{cell}::text")).collect(),
            _ => cells,
        };
        let mut rows: Vec<String> = db
            .rows(&format!("SELECT {} FROM {from}", cells.join(", ")))
            .into_iter()
            .map(|row| format!("{table}: {}", row.join(" | ")))
            .collect();
        rows.sort();
        all.extend(rows);
    }
    all
}

const OLDER: [&str; 2] = ["was set up by an older dashagg", "run `dashagg create`"];

conformance!(an_older_ledger_is_upgraded_by_create_alone, |db: &TestDb| {
    let four = Four::new(db);
    let before = held(db);
    let fresh = dump(db);
    four.without_a_version();
    four.refused(&[], &OLDER);
    let older = dump(db);
    let plan = four.dashagg().args(["create", "--dry-run"]).run().ok().stdout;
    assert!(plan.contains("ALTER TABLE dashagg_summary ADD COLUMN served_at"), "{plan}");
    assert!(plan.contains("INSERT INTO dashagg_ledger"), "{plan}");
    assert!(!plan.contains("TRIGGER") && !plan.contains("of_noted"), "only the ledger is older: {plan}");
    assert_eq!(dump(db), older, "--dry-run touched something");
    // What never was published has a state all the same.
    db.exec(
        "INSERT INTO dashagg_state (set_name, summary, changes, changes_done, error) VALUES ('four', 'zz', 3, 1, 'why')",
    );
    four.dashagg().arg("create").run().ok();
    let mut rest = held(db);
    let waiting = rest.iter().position(|row| row.contains("| zz |")).expect("a state was lost");
    let waiting = rest.remove(waiting);
    assert!(waiting.contains("| 3 | 1 |") && waiting.contains("| why |"), "{waiting}");
    assert_eq!(rest, before);
    let columns = |dump: &[String]| -> Vec<String> {
        let of_ledger = |line: &&String| {
            line.starts_with("dashagg_") && !line.contains(':') && !line.contains(" holder_")
        };
        let mut columns: Vec<String> = dump.iter().filter(of_ledger).cloned().collect();
        columns.sort();
        columns
    };
    assert_eq!(columns(&dump(db)), columns(&fresh), "an upgraded ledger is like a new one");
    assert_eq!(db.rows("SELECT version, program FROM dashagg_ledger"), [["2", env!("CARGO_PKG_VERSION")]]);
    let again = dump(db);
    let plan = four.dashagg().args(["create", "--dry-run"]).run().ok().stdout;
    assert!(!plan.contains("dashagg_summary"), "{plan}");
    four.dashagg().arg("create").run().ok();
    assert_eq!(dump(db), again, "there is nothing left to do");
    four.goes_on();
});

conformance!(a_ledger_of_release_0_1_0_keeps_what_it_holds, |db: &TestDb| {
    let legacy = Legacy::new(db);
    db.exec(
        "INSERT INTO dashagg_run (run_id, set_name, mode, status, started_at, finished_at, seconds, partitions, inserted, updated, \
         deleted, retries, error, host, pid) VALUES ('r', 'tiny', 'complete', 'ok', '2026-01-01T00:00:00.000Z', \
         '2026-01-01T00:00:01.000Z', 1.5, 2, 3, 0, 0, 1, NULL, 'h', 7); \
         UPDATE dashagg_state SET served_at = '2026-01-01T00:00:00.000Z', error = 'why', computed_at = '2026-01-02T00:00:00.000Z'; \
         UPDATE dashagg_set SET checked_at = '2026-01-03T00:00:00.000Z'",
    );
    let held = || {
        [
            "SELECT set_name, generation, checked_at, origin FROM dashagg_set",
            "SELECT * FROM dashagg_run",
            "SELECT set_name, version, file_name, checksum, state, statements_done, applied_at, applied_by, seconds FROM dashagg_script",
            "SELECT set_name, summary, table_name, tier, select_checksum, row_count, bytes, published_at, run_id, mode, seconds, \
             inserted, updated, deleted FROM dashagg_summary",
        ]
        .map(|sql| db.rows(sql))
    };
    let before = held();
    let state = |table: &str| {
        db.rows(&format!(
            "SELECT summary, served_at, changes, changes_done, as_of, status, error, computed_at FROM {table}"
        ))
    };
    let states = state("dashagg_state");
    legacy.dashagg().arg("create").run().ok();
    assert_eq!(held(), before);
    assert_eq!(state("dashagg_summary"), states);
});

conformance!(a_newer_ledger_is_left_alone_by_every_verb, |db: &TestDb| {
    let four = Four::new(db);
    db.exec("INSERT INTO dashagg_ledger VALUES (99, '9.8.7', '2040-01-01T00:00:00.000Z')");
    let creates: [&[&str]; 2] = [&["create"], &["create", "--dry-run"]];
    let words = ["was set up by dashagg 9.8.7", "use dashagg 9.8.7 or a later one"];
    // With nothing to do, and with something.
    four.refused(&creates, &words);
    four.write();
    four.refused(&creates, &words);
    db.exec("DELETE FROM dashagg_ledger WHERE version = 99");
    four.dashagg().arg("refresh").run().ok();
    four.dashagg().arg("verify").run().ok();
});

conformance!(an_upgrade_that_stops_half_way_is_gone_on_with, |db: &TestDb| {
    let four = Four::new(db);
    let before = held(db);
    let mut stops = 0;
    loop {
        four.without_a_version();
        let older = dump(db);
        let stop = format!("upgrading={stops}*off->panic");
        let run = four.dashagg().arg("create").env("FAILPOINTS", stop).run();
        if run.code == 0 {
            break;
        }
        assert!(run.stderr.contains("upgrading"), "{run:?}");
        if db.kind != Kind::Mariadb {
            assert_eq!(dump(db), older, "nothing was kept");
        }
        let said = four.dashagg().arg("refresh").run().code(1).stderr;
        assert!(OLDER.iter().all(|word| said.contains(word)), "after {stops}: {said}");
        four.dashagg().arg("create").run().ok();
        assert_eq!(held(db), before, "after {stops}");
        // All or nothing, where DDL is part of a transaction: then some of the steps are enough.
        stops += if db.kind == Kind::Mariadb { 1 } else { 4 };
    }
    assert!(stops > 10, "only {stops} steps");
    four.goes_on();
});

conformance!(many_creates_at_once_upgrade_once, |db: &TestDb| {
    let four = Four::new(db);
    let before = held(db);
    four.without_a_version();
    let children: Vec<Child> =
        (0..4).map(|_| four.dashagg().args(["create", "--wait", "60s"]).spawn()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(held(db), before);
    assert_eq!(db.one("SELECT COUNT(*) FROM dashagg_ledger"), "1");
    four.goes_on();
});

/// It may be a run of the older dashagg.
#[test]
fn an_upgrade_waits_for_a_set_that_is_held_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let four = Four::new(db);
    four.without_a_version();
    let older = dump(db);
    let mut other = db.client();
    assert_eq!(other.one(&format!("SELECT GET_LOCK('dashagg:{}:four', 5)", db.name())), "1");
    let said = four.dashagg().args(["create", "--wait", "1s"]).run().code(11).stderr;
    assert!(said.contains("set four is held by another run"), "{said}");
    assert_eq!(dump(db), older);
    drop(other);
    four.dashagg().args(["create", "--wait", "30s"]).run().ok();
    four.goes_on();
}

conformance!(a_word_that_the_ledger_does_not_know_is_named, |db: &TestDb| {
    let four = Four::new(db);
    db.exec("UPDATE dashagg_summary SET mode = 'Complete' WHERE summary = 'of_noted'");
    four.write();
    let before = dump(db);
    for verb in [&["refresh"][..], &["status"], &["verify"]] {
        let said = four.dashagg().args(verb).run().code(1).stderr;
        assert!(said.contains("table dashagg_summary: column mode is 'Complete'"), "{verb:?}: {said}");
    }
    // The run that failed is on record; nothing else is.
    let published: Vec<String> = before.into_iter().filter(|row| row.starts_with("of_")).collect();
    let now: Vec<String> = dump(db).into_iter().filter(|row| row.starts_with("of_")).collect();
    assert_eq!(now, published);
});

/// Where a column takes any value.
#[test]
fn a_fence_that_is_no_number_is_refused_sqlite() {
    let db = &TestDb::new(Kind::Sqlite);
    let four = Four::new(db);
    db.exec("UPDATE dashagg_set SET generation = 'many'");
    four.write();
    let said = four.dashagg().arg("refresh").run().code(1).stderr;
    assert!(
        said.contains("table dashagg_set: column generation is 'many', which is not a whole number"),
        "{said}"
    );
}

conformance!(another_window_drops_nothing, |db: &TestDb| {
    let four = Four::new(db);
    let manifest = db.dir().join("sets/four/summaries.toml");
    // As long as the ids of triggers, by its older spelling.
    for (from, to) in [("window = 2", "window = 30"), ("window = 30", "window = 31")] {
        let now = std::fs::read_to_string(&manifest).unwrap();
        std::fs::write(&manifest, now.replace(from, to)).unwrap();
        let said = four.dashagg().arg("create").args(["-v", "-v"]).run().ok().stderr;
        assert!(said.contains("UPDATE dashagg_source"), "no SQL is seen: {said}");
        assert!(!said.contains("DROP TABLE"), "{said}");
    }
    assert_eq!(
        db.rows("SELECT method, track_id FROM dashagg_source WHERE source = 'recent'"),
        [["window", "31"]]
    );
    four.dashagg().arg("refresh").run().ok();
    four.dashagg().arg("verify").run().ok();
});

#[test]
fn the_page_about_the_ledger_tells_of_every_table_and_column() {
    let page = include_str!("../../docs/ledger.md");
    for (table, columns) in tables_of_the_ledger() {
        let section = page.split(&format!("\n### {table}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/ledger.md has no section {table}"));
        let section = section.split("\n#").next().unwrap();
        for column in &columns {
            assert!(section.contains(&format!("`{column}`")), "docs/ledger.md: {table}.{column} is missing");
        }
        let told =
            section.lines().filter_map(|line| line.strip_prefix("| `")).map(|line| line.split("` |").next());
        for names in told.flatten() {
            for name in names.split("`, `") {
                assert!(columns.iter().any(|column| column == name), "docs/ledger.md: {table} has no {name}");
            }
        }
    }
}

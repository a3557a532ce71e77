//! A small sample and a tiny set, for tests that look at behaviour and not at amounts of data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::path::{Path, PathBuf};

use crate::common::{Dashagg, Kind, Output, TestDb};

/// The sources of the `financials` set with six rows in two months; amounts in cents on every engine.
pub const SOURCES: &str = "
    CREATE TABLE financials (id INTEGER NOT NULL PRIMARY KEY, asin VARCHAR(32) NOT NULL,
        marketplace VARCHAR(32) NOT NULL, month DATE NOT NULL, metric VARCHAR(32) NOT NULL, amount INTEGER NOT NULL);
    CREATE TABLE products (asin VARCHAR(32) NOT NULL PRIMARY KEY, brand_id INTEGER NOT NULL,
        category_id INTEGER NOT NULL);
    INSERT INTO products VALUES ('A1', 1, 10), ('A2', 2, 10);
    INSERT INTO financials VALUES (1, 'A1', 'US', '2025-01-01', 'sales', 1000), (2, 'A1', 'DE', '2025-01-01', 'sales', 500),
        (3, 'A2', 'US', '2025-01-01', 'fees', -70), (4, 'A1', 'US', '2025-02-01', 'sales', 900),
        (5, 'A2', 'US', '2025-02-01', 'sales', 300), (6, 'A9', 'US', '2025-02-01', 'sales', 11)";

/// What each tier holds for [`SOURCES`].
pub const TIERS: [(&str, u64); 3] = [("asin", 6), ("brand", 11), ("category", 4)];

/// A database with [`SOURCES`].
pub fn with_sources(kind: Kind) -> TestDb {
    let db = TestDb::new(kind);
    db.exec(SOURCES);
    db
}

/// The folder of an engine's scripts.
pub fn engine_folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Mariadb => "mysql",
        Kind::Postgres => "postgres",
        Kind::Sqlite => "sqlite",
    }
}

/// `dashagg` on this database with the URL in the environment, so that nothing is said about passwords.
pub fn dashagg(db: &TestDb) -> Dashagg {
    db.dashagg_without_url().env("DASHAGG_DATABASE_URL", &db.url)
}

/// Whether a line is dashagg's log and not its message.
pub fn is_log(line: &str) -> bool {
    line.starts_with("20")
        && [" INFO ", " WARN ", " ERROR ", " DEBUG ", " TRACE "].iter().any(|l| line.contains(l))
}

/// Bad input: this code, nothing on stdout, exactly one message on stderr that holds all of `words`, and no panic.
#[track_caller]
pub fn refuses(output: Output, code: i32, words: &[&str]) -> String {
    let output = output.code(code);
    assert_eq!(output.stdout, "", "data on stdout for a run that failed");
    let said: Vec<&str> = output.stderr.lines().filter(|line| !is_log(line)).collect();
    let (first, rest) = said.split_first().expect("no message at all");
    assert!(first.starts_with("dashagg: "), "{}", output.stderr);
    assert!(rest.len() <= 1 && rest.iter().all(|line| line.starts_with("  hint: ")), "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is missing in:\n{}", output.stderr);
    }
    output.stderr
}

/// A set of one summary over one source `raw_rows(day, n)`, in files that a test edits.
pub struct Tiny<'a> {
    pub db: &'a TestDb,
    sql: PathBuf,
}

impl<'a> Tiny<'a> {
    /// The files with one script, and the source with two rows.
    pub fn new(db: &'a TestDb) -> Self {
        let tiny = Tiny { db, sql: db.dir().join("sql") };
        db.exec(
            "CREATE TABLE raw_rows (day DATE NOT NULL, n INTEGER NOT NULL); \
             INSERT INTO raw_rows VALUES ('2025-01-01', 1), ('2025-01-02', 2)",
        );
        tiny.write(
            "summaries.toml",
            "description = 'one row a day'\n\
             [sources.raw_rows]\npartition = ['day']\n\
             [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n",
        );
        tiny.write("days.sql", "SELECT day, SUM(n) AS total FROM raw_rows GROUP BY day\n");
        tiny.script(
            "0001_days.sql",
            "CREATE TABLE IF NOT EXISTS tiny_days (day DATE NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n",
        );
        tiny
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.sql.join("tiny").join(file)
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a versioned script for this engine.
    pub fn script(&self, file: &str, text: &str) {
        self.write(&format!("{}/{file}", engine_folder(self.db.kind)), text);
    }

    pub fn script_path(&self, file: &str) -> PathBuf {
        self.path(&format!("{}/{file}", engine_folder(self.db.kind)))
    }

    pub fn sql_dir(&self) -> &Path {
        &self.sql
    }

    pub fn dashagg(&self) -> Dashagg {
        dashagg(self.db).arg("--sql-dir").arg(&self.sql)
    }

    pub fn create(&self) -> Output {
        self.dashagg().arg("create").run()
    }

    pub fn refresh(&self) -> Output {
        self.dashagg().arg("refresh").run()
    }
}

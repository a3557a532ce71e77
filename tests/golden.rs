//! The SQL that dashagg sends, to be read: for each engine one file of everything that the bundled set `financials` makes it
//! say, from `create` to `verify`. A change of SQL shows there as a difference.
//!
//! `DASHAGG_BLESS=1 tests/run --quick golden::` writes the files anew; with `-- --nocapture` the test says how many messages
//! each step sent.

#[path = "golden/layout.rs"]
mod layout;

use std::path::Path;

use crate::common::{Kind, TestDb, conformance, copy_set};
use dashagg::engine::Spelling;
use dashagg::engine::mysql::MARIADB;
use dashagg::engine::postgres::POSTGRES;
use dashagg::engine::sqlite::SQLITE;
use dashagg::sql_text;

/// Few rows, since `create` tries every key that it finds; amounts whole on every engine.
const ROWS: &str = "INSERT INTO products (asin, brand_id, category_id) VALUES ('A1', 1, 10), ('A2', 2, 10);
    INSERT INTO financials (id, asin, marketplace, month, metric, amount) VALUES \
    (1, 'A1', 'US', '2025-01-01', 'sales', 1000), (2, 'A1', 'DE', '2025-01-01', 'sales', 500)";

/// The ledger's tables.
const LEDGER: [&str; 8] = [
    "dashagg_ledger",
    "dashagg_set",
    "dashagg_source",
    "dashagg_summary",
    "dashagg_print",
    "dashagg_run",
    "dashagg_holder",
    "dashagg_script",
];

/// What the files say of themselves.
const HEAD: &str = "\
-- What dashagg sends for the set financials on this engine, with `live = true` for the summary brand.
-- Made by tests/golden.rs. Left out: session settings, SELECTs from the server's catalog or for the names of columns, the
-- set's own scripts, and of the ledger all but what a refresh writes there.
-- <such> words stand for what differs from run to run.
";

conformance!(the_sql_of_the_financials_set, |db: &TestDb| {
    // Types have other names on MySQL.
    db.server.needs_product("MariaDB", Kind::Mariadb);
    let (engine, rules) = match db.kind {
        Kind::Mariadb => ("mysql", MARIADB.lex_rules()),
        Kind::Postgres => ("postgres", POSTGRES.lex_rules()),
        Kind::Sqlite => ("sqlite", SQLITE.lex_rules()),
    };
    let scripts = set_up(db, engine);
    let mut text = HEAD.to_owned();
    let mut names = Names::of(db);
    let steps: [(&str, &str, &[&str]); 4] = [
        ("create", "", &["create"]),
        ("refresh, the first", "", &["refresh", "--jobs", "1"]),
        (
            "refresh, one changed row",
            "UPDATE financials SET amount = amount + 1 WHERE id = 1",
            &["refresh", "--jobs", "1"],
        ),
        ("verify", "", &["verify"]),
    ];
    for (step, before, arguments) in steps {
        if !before.is_empty() {
            db.exec(before);
        }
        let messages = traced(db, arguments);
        println!("{engine}: {step}: {} messages", messages.len());
        text.push_str(&format!("\n-- ---- {step} ----\n"));
        let statements = messages.iter().flat_map(|message| sql_text::statements(message, rules));
        let told: Vec<String> = statements.map(|sql| names.masked(&sql)).collect();
        let kept = told.iter().filter(|sql| !is_left_out(sql, &scripts, step == "create"));
        for sql in without_empty_transactions(kept) {
            text.push_str(&format!("\n{};\n", layout::laid_out(sql)));
        }
    }
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{engine}.sql")), &text);
});

/// The source tables as the sample has them, and the set with a live view. Returns the text of the set's scripts.
fn set_up(db: &TestDb, engine: &str) -> String {
    let sets = db.dir().join("sql");
    let set = copy_set("financials", &sets);
    let sample = std::fs::read_to_string(set.join(format!("sample/{engine}.sql"))).unwrap();
    let tables: Vec<&str> = ["financials", "products"]
        .iter()
        .map(|table| {
            let from = sample.find(&format!("CREATE TABLE {table} (")).expect("no such table in the sample");
            sample[from..].split_inclusive(";\n").next().unwrap()
        })
        .collect();
    db.exec(&tables.concat());
    db.exec(ROWS);
    let manifest = set.join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let live = text.replace("[summaries.brand]\n", "[summaries.brand]\nlive = true\n");
    assert_ne!(live, text, "the manifest has no summary brand");
    std::fs::write(&manifest, live).unwrap();
    let scripts = std::fs::read_dir(set.join(engine)).unwrap().map(|entry| entry.unwrap().path());
    scripts.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The messages that a run sends, in order: it traces each.
fn traced(db: &TestDb, arguments: &[&str]) -> Vec<String> {
    let sets = db.dir().join("sql");
    let output = db
        .dashagg_without_url()
        .env("DASHAGG_DATABASE_URL", &db.url)
        .args(["-vv", "--sql-dir", sets.to_str().unwrap()])
        .args(arguments)
        .run()
        .ok();
    let mut messages: Vec<String> = Vec::new();
    let mut in_trace = false;
    for line in output.stderr.lines() {
        // What follows a line's first one is indented by four.
        match (line.strip_prefix("    "), line.split_once(" TRACE ")) {
            (Some(more), _) if in_trace => {
                let message = messages.last_mut().unwrap();
                message.push('\n');
                message.push_str(more);
            }
            (None, Some((_, first))) => {
                in_trace = true;
                messages.push(first.to_owned());
            }
            (None, None) => in_trace = false,
            _ => {}
        }
    }
    assert!(!messages.is_empty(), "{arguments:?} traced nothing:\n{}", output.stderr);
    messages
}

/// Whether a statement says nothing about what this set is computed by.
fn is_left_out(sql: &str, scripts: &str, in_create: bool) -> bool {
    if is_setting(sql) || (in_create && sql.starts_with("CREATE") && scripts.contains(sql)) {
        return true;
    }
    let catalog = ["information_schema.", "pg_catalog.pg_", "sqlite_master", "pragma_", "dbstat"];
    let from = |table: &str| sql.contains(&format!("FROM {table}")) || sql.contains(&format!("JOIN {table}"));
    let reads = sql.starts_with("SELECT") || sql.starts_with("WITH RECURSIVE tree");
    // Its tables are spelled without quotes, unlike a column of scratch tables that has such a name too.
    let of_ledger = sql.split([' ', '(', ')', ',']).any(|word| LEDGER.contains(&word));
    let writes = ["CREATE TABLE", "INSERT", "UPDATE", "DELETE"].iter().any(|word| sql.starts_with(word));
    let of_who_runs = ["dashagg_holder", "dashagg_script"].iter().any(|table| sql.contains(table));
    let asks_names = sql.starts_with("SELECT q.* FROM (SELECT 1 AS ");
    // Not the lock, without which the BEGIN before it would stand alone.
    (reads && catalog.iter().any(|table| from(table)) && !sql.contains("pg_try_advisory"))
        || asks_names
        || (of_ledger && (reads || of_who_runs || (in_create && writes)))
}

/// Leaves out transactions of which nothing is left.
fn without_empty_transactions<'a>(sql: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::new();
    for statement in sql {
        let ends = ["COMMIT", "ROLLBACK"].contains(&statement.as_str());
        let begins = |sql: &&str| sql.starts_with("BEGIN") || sql.starts_with("START TRANSACTION");
        if ends && out.last().is_some_and(begins) {
            out.pop();
        } else {
            out.push(statement);
        }
    }
    out
}

fn is_setting(statement: &str) -> bool {
    ["SET LOCAL", "SET SESSION", "SET TRANSACTION", "PRAGMA", "SELECT 1 WHERE pg_catalog.set_config"]
        .iter()
        .any(|word| statement.starts_with(word))
}

/// What stands for the names that differ from run to run.
struct Names {
    database: String,
    host: String,
    /// The ids of change tracking, by the order in which `create` makes them: that of the sources' names.
    tracking: Vec<String>,
}

impl Names {
    fn of(db: &TestDb) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
        Self { database: db.name().to_owned(), host, tracking: Vec::new() }
    }

    /// The text with `<word>` for each name, moment, number and hash of its run.
    fn masked(&mut self, sql: &str) -> String {
        if sql.starts_with("CREATE TABLE IF NOT EXISTS ")
            && let Some(id) = sql.split("dashagg_log_").nth(1).and_then(|rest| rest.get(..10))
            && !self.tracking.iter().any(|known| known == id)
        {
            self.tracking.push(id.to_owned());
        }
        let mut text =
            sql.replace(&self.database, "<database>").replace(&format!("'{}'", self.host), "'<host>'");
        for (id, source) in self.tracking.iter().zip(["<financials>", "<products>"]) {
            text = text.replace(id, source);
        }
        let mut out = String::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
            let (word, more) = rest.split_at(end.max(rest.chars().next().map_or(0, char::len_utf8)));
            out.push_str(&masked_word(word, &out));
            rest = more;
        }
        measured_alike(out)
    }
}

/// What was measured is one value where all summaries have the same, and a CASE where they do not.
fn measured_alike(mut sql: String) -> String {
    for (column, mark) in [("seconds", "<seconds>"), ("bytes", "<number>")] {
        let (begin, end) = (format!("{column} = CASE "), format!(" ELSE {column} END"));
        if let (Some(from), Some(to)) = (sql.find(&begin), sql.find(&end)) {
            sql.replace_range(from..to + end.len(), &format!("{column} = {mark}"));
        }
    }
    sql
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:-".contains(c)
}

/// A word as it is, or what stands for it, given what precedes it.
fn masked_word(word: &str, before: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let moment = |text: &str| {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape.starts_with("0000-00-00T00:00:00") || shape.starts_with("00000000T000000Z")
    };
    if moment(word) {
        return if word.contains("Z-") { "<run>" } else { "<moment>" }.to_owned();
    }
    if word.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part) && part.len() == 3) {
        return "<seconds>".to_owned();
    }
    if digits(word) && ["bytes = ", "pid = ", "'<host>', "].iter().any(|label| before.ends_with(label)) {
        return "<number>".to_owned();
    }
    let parts = word.split('_').map(|part| {
        let hash = part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let long = if word.starts_with("dashagg_") { 10 } else { 12 };
        if hash && part.len() >= long { "<hash>" } else { part }
    });
    parts.collect::<Vec<_>>().join("_")
}

/// Compares whole, and shows where the two part.
#[track_caller]
fn compare(file: &Path, text: &str) {
    if std::env::var_os("DASHAGG_BLESS").is_some() {
        std::fs::write(file, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(file).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(&golden), lines(text));
    let Some(at) = (0..old.len().max(new.len())).find(|at| old.get(*at) != new.get(*at)) else { return };
    let around =
        |lines: &[String]| lines[at.saturating_sub(3).min(lines.len())..(at + 6).min(lines.len())].join("\n");
    panic!(
        "{} line {}: the program says something else now.\n--- the file\n{}\n--- the program\n{}\n\
         If that is meant: DASHAGG_BLESS=1 tests/run --quick golden::, and look at the difference before the commit.",
        file.display(),
        at + 1,
        around(&old),
        around(&new)
    );
}

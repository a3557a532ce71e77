//! The rules of the house that a compiler cannot know: where a database may be named, where dynamic SQL may reach
//! a driver, how long a file may grow.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

/// The one match on the engine kind, to the letter.
const THE_MATCH: [&str; 3] = [
    r#""mysql" => Ok(driver!(mysql::MYSQL, mysql::Mysql)),"#,
    r#""postgres" => Ok(driver!(postgres::POSTGRES, postgres::Postgres)),"#,
    r#""sqlite" => Ok(driver!(sqlite::SQLITE, sqlite::Sqlite)),"#,
];

/// Names of drivers, and words that occur in one database's SQL only.
const DIALECT_WORDS: [&str; 13] = [
    "MySql",
    "Mysql",
    "Postgres",
    "Sqlite",
    "AssertSqlSafe",
    "sqlx::",
    "information_schema",
    "pg_catalog",
    "sqlite_master",
    "PRAGMA",
    "GET_LOCK",
    "AUTO_INCREMENT",
    "ON CONFLICT",
];

const MOST_LINES: usize = 450;
/// Longer than the rule allows, each for a reason.
const LONG_FILES: [&str; 4] = [
    // One database each, in one place: what is true of it is found by reading one file.
    "engine/mysql.rs",
    "engine/postgres.rs",
    "engine/sqlite.rs",
    // What every statement of refresh and verify is made of.
    "engine/statements.rs",
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `src/` by its path there.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let name = path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned();
                out.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut out = Vec::new();
    walk(&src(), &mut out);
    out.sort();
    assert!(out.len() > 20, "found only {} files: is this test looking at the right folder?", out.len());
    out
}

#[test]
fn only_the_engine_folder_names_a_database() {
    let mut found = Vec::new();
    let mut matched: Vec<String> = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !name.starts_with("engine/")) {
        for (at, line) in text.lines().enumerate() {
            if name == "lib.rs" && THE_MATCH.contains(&line.trim()) {
                matched.push(line.trim().to_owned());
            } else if let Some(word) = DIALECT_WORDS.iter().find(|word| line.contains(**word)) {
                found.push(format!("src/{name}:{}: {word}: {}", at + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "move this behind src/engine/:\n{}", found.join("\n"));
    assert_eq!(matched, THE_MATCH, "src/lib.rs has the one match on the engine kind, once");
}

/// Also not in a comment: what an object is called is told where it is made.
#[test]
fn only_ledger_and_engine_spell_objects_of_our_own() {
    let mut found = Vec::new();
    let elsewhere = |name: &str| !name.starts_with("engine/") && !name.starts_with("ledger/");
    for (name, text) in sources().iter().filter(|(name, _)| elsewhere(name)) {
        let spelled = text.lines().enumerate().filter(|(_, line)| line.contains("dashagg_"));
        found.extend(spelled.map(|(at, line)| format!("src/{name}:{}: {}", at + 1, line.trim())));
    }
    let rooms =
        "tables of the ledger belong to src/ledger, names of notes and scratch tables to src/engine/names.rs";
    assert!(found.is_empty(), "{rooms}:\n{}", found.join("\n"));
}

#[test]
fn dynamic_sql_passes_one_gate() {
    let gates: Vec<String> = sources()
        .iter()
        .flat_map(|(name, text)| {
            text.lines()
                .filter(|line| line.contains("AssertSqlSafe(") && !line.trim_start().starts_with("//"))
                .map(|line| format!("src/{name}: {}", line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(gates.len(), 1, "audit surface of dynamic SQL: {gates:#?}");
    assert!(gates[0].starts_with("src/engine/"), "{gates:?}");
}

#[test]
fn files_stay_readable() {
    let mut long: Vec<String> = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > MOST_LINES && !LONG_FILES.contains(&name.as_str()) {
            long.push(format!("src/{name}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "split these (the limit is {MOST_LINES}):\n{}", long.join("\n"));
    for name in LONG_FILES {
        assert!(src().join(name).is_file(), "{name} is gone: take it off LONG_FILES");
    }
}

/// A `.unwrap()` or `panic!` in a run at 03:00 has no reader; clippy warns of them, an `allow` would hide that.
#[test]
fn lints_are_silenced_in_tests_only() {
    let mut found = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| !name.ends_with("/tests.rs")) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let silences = line.contains("allow(clippy::unwrap_used")
                || line.contains("allow(clippy::expect_used")
                || line.contains("allow(clippy::panic");
            let near_test = lines[at.saturating_sub(2)..=at].iter().any(|line| line.contains("cfg(test)"));
            if silences && !near_test {
                found.push(format!("src/{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

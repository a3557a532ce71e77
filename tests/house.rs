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
const DIALECT_WORDS: [&str; 17] = [
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
    "SAVEPOINT ",
    " EXCEPT ",
    "DROP MATERIALIZED",
    "REFRESH MATERIALIZED",
];

const MOST_LINES: usize = 450;
/// The engine room keeps to the limit that all rooms should have.
const MOST_LINES_OF_ENGINE: usize = 400;

/// The rooms that the engine room stands on: they know nothing of a database, and nothing of what it is used for.
const BELOW_ENGINE: [&str; 7] = ["checksum", "config", "error", "exit_code", "read", "renamed", "sql_text"];

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

/// Where a file is: `engine/mysql/notes.rs` and `drop.rs` are in `engine` and `drop`.
fn room(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or(name)
}

/// The rooms that a text names as `crate::<room>`, each with its line.
fn named_rooms(text: &str) -> Vec<(usize, &str)> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(at, line)| {
        line.split("crate::").skip(1).map(move |rest| {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (at + 1, &rest[..end])
        })
    })
    .collect()
}

#[test]
fn the_engine_room_stands_on_rooms_below_it() {
    let mut found = Vec::new();
    let mut seen = 0;
    for (name, text) in sources() {
        let here = room(&name);
        let may_name = |other: &str| other == here || BELOW_ENGINE.contains(&other);
        if here != "engine" && !BELOW_ENGINE.contains(&here) {
            continue;
        }
        seen += 1;
        for (line, other) in named_rooms(&text) {
            // `use crate::{a, b}` is refused too: it names rooms where this test does not look.
            if !may_name(other) {
                found.push(format!("src/{name}:{line}: crate::{other}"));
            }
        }
    }
    assert!(seen > 30, "looked at {seen} files only");
    assert!(
        found.is_empty(),
        "the engine room and what it stands on name rooms above:\n{}",
        found.join("\n")
    );
}

#[test]
fn each_engine_has_the_same_files() {
    let of = |engine: &str| -> Vec<String> {
        let prefix = format!("engine/{engine}/");
        sources().iter().filter_map(|(name, _)| name.strip_prefix(&prefix).map(str::to_owned)).collect()
    };
    let mysql = of("mysql");
    assert!(mysql.len() > 5, "{mysql:?}");
    for engine in ["postgres", "sqlite"] {
        assert_eq!(of(engine), mysql, "the files of src/engine/{engine} and src/engine/mysql");
    }
}

#[test]
fn files_stay_readable() {
    let mut long: Vec<String> = Vec::new();
    for (name, text) in sources() {
        let most = if room(&name) == "engine" { MOST_LINES_OF_ENGINE } else { MOST_LINES };
        let lines = text.lines().count();
        if lines > most {
            long.push(format!("src/{name}: {lines} lines, {most} at most"));
        }
    }
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
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

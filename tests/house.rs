//! The rules of the house that a compiler cannot know: where a database may be named, where dynamic SQL may reach
//! a driver, which room may know of which, how long a file may grow.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
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

/// The rooms of `src/`, from the top down: a room names only rooms of layers below its own.
const LAYERS: [(&str, &[&str]); 12] = [
    ("one command line to its verb, and what is made of several verbs", &["lib", "main"]),
    (
        "the verbs: none knows another",
        &["create", "cron", "demo", "drop", "init", "refresh", "status", "verify"],
    ),
    (
        "what follows a publish; live views and grants; what publishes together",
        &["hooks", "objects", "publish_group"],
    ),
    (
        "what the manifest claims; totals that must agree; what changed in the sources",
        &["claims", "reconcile", "tracking"],
    ),
    ("tables as they are", &["inspect"]),
    (
        "scratch tables that last; what is to be done (pure); connections and locks",
        &["lasting", "plan", "session"],
    ),
    ("what dashagg remembers in the database", &["ledger"]),
    ("the manifest and its sets; signals", &["catalog", "interrupt"]),
    ("the only room that knows a database", &["engine"]),
    ("the settings; what is said to people and programs", &["config", "progress", "report"]),
    ("failures, and the words for numbers and times", &["error", "words"]),
    (
        "what stands on nothing",
        &["checksum", "cli", "exit_code", "pause", "read", "renamed", "schedule", "sql_text", "terminal"],
    ),
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

/// Where a file is: `engine/mysql/notes.rs` and `drop.rs` are in `engine` and `drop`.
fn room(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or(name)
}

/// A file's code: without comments, and without what `#[cfg(test)]` stands before.
fn code(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    while let Some((at, line)) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let item = lines.by_ref().map(|(_, line)| line).find(|line| !line.trim_start().starts_with("#["));
            if item.is_some_and(|item| item.ends_with('{')) {
                lines.by_ref().find(|(_, line)| *line == end);
            }
        } else if !line.trim_start().starts_with("//") {
            out.push((at, line));
        }
    }
    out
}

/// The rooms that a file names, each with its line: `crate::room`, and `super::` as often as leads out of its own.
/// `use crate::{a, b}` would hide what it names, and yields "".
fn named_rooms<'a>(name: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let depth = name.trim_end_matches("/mod.rs").split('/').count();
    let outwards = "super::".repeat(depth);
    let head = |rest: &'a str| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    };
    let of_line = |line: &'a str| {
        let paths = line.split("crate::").skip(1).chain(line.split(outwards.as_str()).skip(1));
        paths.map(head).collect::<Vec<_>>()
    };
    let named = code(text).into_iter().map(|(at, line)| (at, of_line(line)));
    named.flat_map(|(at, rooms)| rooms.into_iter().map(move |room| (at, room))).collect()
}

#[test]
fn rooms_are_read_from_paths() {
    let text = "\
use crate::ledger::{self, Fence};
// crate::comment
use super::catalog::Set;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::never;
}
fn f(report: crate::report::Mode) -> crate::plan::Plan {
    use crate::{a, b};
}
";
    let of =
        |name: &str| -> Vec<&str> { named_rooms(name, text).into_iter().map(|(_, room)| room).collect() };
    assert_eq!(of("drop.rs"), ["ledger", "catalog", "report", "plan", ""]);
    assert_eq!(of("drop/mod.rs"), ["ledger", "catalog", "report", "plan", ""]);
    // Here `super` is the room itself.
    assert_eq!(of("drop/sql.rs"), ["ledger", "report", "plan", ""]);
    assert_eq!(named_rooms("drop.rs", text).last(), Some(&(10, "")));
}

#[test]
fn every_room_has_a_layer() {
    let files = sources();
    let mut rooms: Vec<&str> = files.iter().map(|(name, _)| room(name)).collect();
    rooms.dedup();
    let mut listed: Vec<&str> = LAYERS.iter().flat_map(|(_, rooms)| rooms.iter().copied()).collect();
    listed.sort_unstable();
    assert_eq!(rooms, listed, "rooms of src/ and those in LAYERS");
    let (_, lib) = files.iter().find(|(name, _)| name == "lib.rs").unwrap();
    for (_, rooms) in &LAYERS[1..] {
        let line = format!("//! {}", rooms.join("  "));
        assert!(lib.contains(&line), "src/lib.rs draws the layers of this test; it lacks {line:?}");
    }
}

#[test]
fn rooms_point_down() {
    let layer = |wanted: &str| LAYERS.iter().position(|(_, rooms)| rooms.contains(&wanted));
    let mut found = Vec::new();
    let mut arrows = 0;
    for (name, text) in sources().iter().filter(|(name, _)| !name.ends_with("/tests.rs")) {
        let here = room(name);
        for (line, other) in named_rooms(name, text).into_iter().filter(|(_, other)| *other != here) {
            arrows += 1;
            if layer(other) <= layer(here) {
                let why = match layer(other) {
                    None => "no room; write one `use crate::room` for each",
                    same if same == layer(here) => "of the same layer",
                    Some(_) => "above",
                };
                found.push(format!("src/{name}:{line}: {here} names {other:?} ({why})"));
            }
        }
    }
    assert!(arrows > 300, "found {arrows} paths only: is this test reading them?");
    assert!(found.is_empty(), "a room names rooms of layers below its own:\n{}", found.join("\n"));
}

/// What follows a path's beginning, wherever that stands in a code: `a` and `b` for `from::{a::X, b}`.
fn named_after(code: &str, from: &str) -> Vec<String> {
    let head = |path: &str| path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut found: Vec<String> = Vec::new();
    let pieces: Vec<&str> = code.split(from).collect();
    for (at, rest) in pieces.iter().enumerate().skip(1) {
        // `super::super::x` is not beside this file.
        if at > 1 && pieces[at - 1].is_empty() {
            continue;
        }
        let Some(tree) = rest.strip_prefix('{') else {
            found.push(head(rest));
            continue;
        };
        let (mut depth, mut start) = (1, 0);
        for (here, c) in tree.char_indices() {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            if depth == 0 || (depth == 1 && c == ',') {
                found.push(head(&tree[start..here]));
                start = here + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn neighbours_are_read_from_paths() {
    let code = "use super::{a::{X, Y}, b, c as d};\nfn f(e: super::e::E) { super::super::g::h() }";
    assert_eq!(named_after(code, "super::"), ["a", "b", "c", "e"]);
}

/// A room's `mod.rs` is not looked at: it declares the files, and holds what they share.
#[test]
fn files_of_a_room_name_each_other_one_way() {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let files = sources();
    let files = || files.iter().filter(|(name, _)| !name.ends_with("mod.rs") && !name.ends_with("tests.rs"));
    for (name, text) in files() {
        let Some((folder, _)) = name.rsplit_once('/') else { continue };
        let code = code(text).into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let whole = format!("crate::{}::", folder.replace('/', "::"));
        let beside = named_after(&code, "super::").into_iter().chain(named_after(&code, &whole));
        let beside = beside.map(|other| format!("{folder}/{other}.rs"));
        let files = beside.filter(|other| other != name && files().any(|(name, _)| name == other));
        names.insert(name.clone(), files.collect());
    }
    assert!(names.values().map(BTreeSet::len).sum::<usize>() > 80, "are these paths read? {names:#?}");
    // Who names nobody that is left is in no circle.
    while let Some(done) = names.iter().find(|(_, others)| others.is_empty()).map(|(name, _)| name.clone()) {
        names.remove(&done);
        names.values_mut().for_each(|others| {
            others.remove(&done);
        });
    }
    assert!(names.is_empty(), "in circles, or naming files that are: {names:#?}");
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
        for (line, other) in named_rooms(&name, &text) {
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

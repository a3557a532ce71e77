//! What is in the tree of dependencies, by `deny.toml`, as far as Cargo alone can tell it offline: `cargo deny` does
//! more, and is not there everywhere.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// In this repository.
const OURS: [&str; 2] = ["dashagg", "dashagg-test-attribute"];

fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Every package of other people's that is built here, tests' own among them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let about = run("rustc", &["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let args = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host];
    let all: Value = serde_json::from_str(&run(&cargo, &args)).unwrap();
    let built: BTreeSet<&str> =
        all["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let packages: Vec<Value> = all["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| {
            built.contains(package["id"].as_str().unwrap()) && !OURS.contains(&text(package, "name"))
        })
        .cloned()
        .collect();
    assert!(
        packages.len() > 100,
        "only {} packages: is this test looking at the right tree?",
        packages.len()
    );
    packages
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or("")
}

fn deny() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The texts of a list, or the `crate` of each of its tables.
fn list(section: &str, key: &str) -> BTreeSet<String> {
    let deny = deny();
    let entries = deny[section][key].as_array().unwrap();
    entries.iter().map(|entry| entry.get("crate").unwrap_or(entry).as_str().unwrap().to_owned()).collect()
}

/// The parts between `word`s that stand in no parentheses.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && at >= start && expression[at..].starts_with(word) => {
                parts.push(&expression[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

/// Whether one may choose licences from the list, by an SPDX expression.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.trim();
    let any = split(expression, " OR ");
    if any.len() > 1 {
        return any.iter().any(|part| is_allowed(part, allowed));
    }
    let all = split(expression, " AND ");
    if all.len() > 1 {
        return all.iter().all(|part| is_allowed(part, allowed));
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(expression),
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed: BTreeSet<String> = ["MIT", "ISC"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("ISC AND (GPL-3.0 OR MIT)", true),
        ("GPL-3.0 AND (ISC OR MIT)", false),
        ("GPL-3.0 AND ISC OR MIT", true),
        ("MIT WITH something", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn licences_are_on_the_list_and_all_of_the_list_is_needed() {
    let allowed = list("licenses", "allow");
    let mut wrong = Vec::new();
    let mut seen = String::new();
    for package in packages() {
        // Before SPDX, `/` was written for OR.
        let license = text(&package, "license").replace('/', " OR ");
        if !is_allowed(&license, &allowed) {
            wrong.push(format!("{} {}: {license:?}", text(&package, "name"), text(&package, "version")));
        }
        seen.push_str(&format!(" {license} "));
    }
    assert!(wrong.is_empty(), "not in deny.toml: {wrong:#?}");
    for license in allowed {
        assert!(seen.contains(&license), "no package has {license}: take it off deny.toml");
    }
}

#[test]
fn everything_comes_from_the_registry() {
    for package in packages() {
        assert_eq!(text(&package, "source"), REGISTRY, "{}", text(&package, "name"));
    }
    // What the lock file has for other systems, too; a checksum is what makes a version that version.
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let lock: toml::Table = toml::from_str(&lock).unwrap();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let pinned = package.get("checksum").is_some()
            && package.get("source").and_then(toml::Value::as_str) == Some(REGISTRY);
        assert!(pinned || OURS.contains(&name), "{name} is not pinned to a version of the registry");
    }
}

#[test]
fn there_is_one_tls_stack() {
    let denied = list("bans", "deny");
    assert!(denied.contains("native-tls") && denied.contains("aws-lc-rs"), "{denied:?}");
    let names: BTreeSet<String> = packages().iter().map(|package| text(package, "name").to_owned()).collect();
    for name in denied {
        assert!(!names.contains(&name), "{name} is in the tree: a second TLS stack");
    }
    assert!(names.contains("rustls") && names.contains("ring"), "is this test looking at the right tree?");
}

#[test]
fn second_versions_are_on_the_list_with_a_reason() {
    let skipped = list("bans", "skip");
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let (name, version) = (text(&package, "name").to_owned(), text(&package, "version").to_owned());
        versions.entry(name).or_default().insert(version);
    }
    for (name, versions) in &versions {
        let unknown: Vec<&String> =
            versions.iter().filter(|version| !skipped.contains(&format!("{name}@{version}"))).collect();
        assert!(unknown.len() < 2, "{name} {unknown:?}: let one do, or give a reason in deny.toml");
    }
    for entry in skipped {
        let (name, version) = entry.split_once('@').unwrap();
        let there = versions.get(name).is_some_and(|all| all.len() > 1 && all.contains(version));
        assert!(there, "{entry} is no second version any more: take it off deny.toml");
    }
}

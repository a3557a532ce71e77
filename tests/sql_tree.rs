//! A walk over `sql/`: every set is complete for every engine, and what was released stays as it was.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dashagg::catalog::Catalog;
use dashagg::checksum;
use dashagg::engine::Dialect;
use dashagg::engine::mysql::MYSQL;
use dashagg::engine::postgres::POSTGRES;
use dashagg::engine::sqlite::SQLITE;

const DIALECTS: [&dyn Dialect; 3] = [&MYSQL, &POSTGRES, &SQLITE];

/// Scripts that were released. Databases out there have applied them, so they are never edited: add a line for each
/// new script, and never change one.
const RELEASED: [(&str, &str); 10] = [
    (
        "budget/postgres/0001_materialized_views.sql",
        "ee3508f45e2132c0a565395e2678abc2cd1c215a126e33f0310020e13b0511cc",
    ),
    (
        "crm/postgres/0001_materialized_views.sql",
        "eb917a95d0c1e9f8ff601d8328190bae51b2c8c339d7c9c8ef1aef995eef3653",
    ),
    (
        "crm/postgres/0002_source_indexes.sql",
        "a4eda147efe4da18547f2ab3d68d7aa12ae0c5c35b0af3b2b27866904cfc42a5",
    ),
    (
        "crm/postgres/0003_daily_metrics_table.sql",
        "afdb922b539bce95c70de8a5eec3c101180acbf13dbe8295015aef710846b4a2",
    ),
    (
        "financials/mysql/0001_summary_tables.sql",
        "526d2dcb03ac268a2da1f66a5120db58302f77667830755bd358cde84c9b81e8",
    ),
    (
        "financials/postgres/0001_summary_tables.sql",
        "af37520d61483e0c8b4812690ede44a0aa49cb931fa53fbd0608c1044d1dad12",
    ),
    (
        "financials/postgres/0002_room_for_updates.sql",
        "ef35eefdb2aeba01f59d578a64e681b0364b4e6740287d92740b9a7ef6675045",
    ),
    (
        "financials/sqlite/0001_summary_tables.sql",
        "0bf9f50145185d32b2a33cf5f5ff3d2383b659254e7925acfa2b2e5a99fe2e71",
    ),
    (
        "manufacturing/postgres/0001_materialized_views.sql",
        "ae2097c5d8ec7df6ae70593bcc1366d385e5c3739a8315d7c47b0fcef2ca54b2",
    ),
    (
        "school/postgres/0001_materialized_views.sql",
        "3ae712e8ca51f7eb5c5d430b353510e80900ffb03a1af8ab046e072af5729309",
    ),
];

/// Scripts about something that only one engine has; the others' numbers go without.
const OF_ONE_ENGINE: [&str; 1] = ["financials/postgres/0002_room_for_updates.sql"];

fn sql() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")
}

/// Names of the entries of a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn sets() -> Vec<String> {
    let sets: Vec<String> = names(&sql()).into_iter().filter(|name| sql().join(name).is_dir()).collect();
    assert!(sets.contains(&"financials".to_owned()), "{sets:?}");
    sets
}

/// Whether a set's manifest names the engine, or none at all.
fn is_for(set: &str, dialect: &dyn Dialect) -> bool {
    let text = std::fs::read_to_string(sql().join(set).join("summaries.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    manifest.get("engines").is_none_or(|engines| {
        engines.as_array().unwrap().iter().any(|engine| engine.as_str() == Some(dialect.name()))
    })
}

#[test]
fn every_set_has_scripts_for_every_engine_without_gaps() {
    for set in sets() {
        let mut numbers = BTreeSet::new();
        for dialect in DIALECTS.into_iter().filter(|dialect| is_for(&set, *dialect)) {
            let folder = sql().join(&set).join(dialect.name());
            let files = names(&folder);
            let versions: Vec<u32> = files
                .iter()
                .map(|file| {
                    let (number, rest) = file.split_once('_').unwrap_or_else(|| panic!("{set}: {file}"));
                    assert!(number.len() == 4 && rest.ends_with(".sql"), "{set}/{}: {file}", dialect.name());
                    number.parse().unwrap()
                })
                .collect();
            let expected: Vec<u32> = (1..=versions.len() as u32).collect();
            assert_eq!(versions, expected, "{set}/{}: numbered from 0001 without gaps", dialect.name());
            assert!(!versions.is_empty(), "{set}/{}: no script", dialect.name());
            let own =
                |file: &String| OF_ONE_ENGINE.contains(&format!("{set}/{}/{file}", dialect.name()).as_str());
            numbers.insert(files.iter().filter(|file| !own(file)).count());
        }
        assert_eq!(numbers.len(), 1, "{set}: an engine lacks a script that another has");
    }
}

#[test]
fn every_manifest_loads_for_every_engine_and_uses_every_select_file() {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for dialect in DIALECTS {
        let catalog = Catalog::load(None, dialect).unwrap_or_else(|e| panic!("{}: {e:#}", dialect.name()));
        let loaded: Vec<String> = catalog.sets.iter().map(|set| set.name.clone()).collect();
        let expected: Vec<String> = sets().into_iter().filter(|set| is_for(set, dialect)).collect();
        assert_eq!(loaded, expected, "{}: a folder without summaries.toml?", dialect.name());
        for set in &catalog.sets {
            assert!(!set.description.is_empty(), "{}: describe the set in one line", set.name);
            for summary in &set.summaries {
                used.insert(summary.select_file.trim_start_matches("bundled/").to_owned());
                assert!(!summary.select.trim().is_empty(), "{}", summary.select_file);
            }
        }
    }
    for set in sets() {
        for name in names(&sql().join(&set)).into_iter().filter(|name| name.ends_with(".sql")) {
            let file = format!("{set}/{name}");
            let replaced = used.contains(&file)
                || DIALECTS
                    .iter()
                    .all(|d| used.contains(&file.replace(".sql", &format!(".{}.sql", d.name()))));
            assert!(replaced, "{file}: no summary uses it");
        }
    }
}

/// The same tiers everywhere that a set is for: it must not depend on the engine.
#[test]
fn engines_agree_on_keys_tiers_and_checks() {
    let describe = |dialect: &dyn Dialect| {
        let catalog = Catalog::load(None, dialect).unwrap();
        let mut lines = Vec::new();
        for set in catalog.sets.iter().filter(|set| DIALECTS.iter().all(|d| is_for(&set.name, *d))) {
            for s in &set.summaries {
                lines.push(format!("{} {} {} {:?} {:?}", set.name, s.name, s.tier, s.key, s.against));
            }
        }
        lines
    };
    assert_eq!(describe(&MYSQL), describe(&POSTGRES));
    assert_eq!(describe(&POSTGRES), describe(&SQLITE));
}

#[test]
fn released_scripts_are_never_edited() {
    let mut found = Vec::new();
    for set in sets() {
        for dialect in DIALECTS.into_iter().filter(|dialect| is_for(&set, *dialect)) {
            for file in names(&sql().join(&set).join(dialect.name())) {
                let path = format!("{set}/{}/{file}", dialect.name());
                let text = std::fs::read_to_string(sql().join(&path)).unwrap();
                found.push((path, checksum::of_file(&text)));
            }
        }
    }
    let lines: Vec<String> =
        found.iter().map(|(path, sum)| format!("    (\"{path}\", \"{sum}\"),")).collect();
    for (path, sum) in &found {
        match RELEASED.iter().find(|(known, _)| known == path) {
            None => panic!("{path} is new: add it to RELEASED. All lines as of now:\n{}", lines.join("\n")),
            Some((_, pinned)) => {
                assert!(
                    pinned == sum,
                    "{path} was edited after its release: put the change into a new script. It has {sum} now"
                )
            }
        }
    }
    for (path, _) in RELEASED {
        assert!(found.iter().any(|(have, _)| have == path), "{path} was released and is gone");
    }
}

/// A checkout with CRLF line ends would still work, but pinned files should not depend on it.
#[test]
fn files_are_plain_utf8_with_unix_line_ends() {
    fn walk(folder: &Path) {
        for name in names(folder) {
            let path = folder.join(&name);
            if path.is_dir() {
                walk(&path);
            } else {
                let text =
                    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                assert!(!text.contains('\r') && !text.starts_with('\u{feff}'), "{}", path.display());
                assert!(text.ends_with('\n'), "{}: no newline at the end", path.display());
            }
        }
    }
    walk(&sql());
}

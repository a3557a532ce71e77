//! `max_age`, `max_duration`, `max_bytes`: shown by `status`, exit code 5 with `--strict`.

use crate::common::{Dashagg, TestDb, conformance, copy_set};
use crate::small::SOURCES;

fn own(db: &TestDb) -> Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

conformance!(a_threshold_that_is_passed_is_stale_and_says_which, |db: &TestDb| {
    db.exec(SOURCES);
    let manifest = copy_set("financials", &db.dir().join("sql")).join("summaries.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    own(db).arg("create").run().ok();
    own(db).arg("refresh").run().ok();
    own(db).args(["status", "--strict"]).run().ok();
    for (limit, words) in [
        ("max_bytes = \"1 kB\"", "max_bytes"),
        ("max_duration = \"1us\"", "max_duration"),
        ("max_age = \"1us\"", "max_age"),
    ] {
        let edited = match limit.starts_with("max_age") {
            true => text.replacen("max_age      = \"26h\"", limit, 1),
            false => text.replacen("max_age      = \"26h\"", &format!("max_age = \"26h\"\n{limit}"), 1),
        };
        assert_ne!(edited, text);
        std::fs::write(&manifest, edited).unwrap();
        let output = own(db).args(["status", "--strict", "--json"]).run().code(5);
        let asin = output.json()["summaries"][0].clone();
        assert_eq!(asin["state"], "stale", "{asin:#}");
        assert!(asin["note"].as_str().unwrap().contains(words), "{asin:#}");
        let table = own(db).arg("status").run().ok().stdout;
        assert!(table.contains(words), "{table}");
    }
    std::fs::write(&manifest, text.replacen("max_age      = \"26h\"", "max_bytes = \"big\"", 1)).unwrap();
    let said = own(db).arg("status").run().code(2).stderr;
    assert!(said.contains("summaries.asin") && said.contains("50 MB"), "{said}");
});

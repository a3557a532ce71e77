//! `dashagg cron`: one line put in, shown, and taken out; the rest of the crontab stays as it was.
//!
//! `crontab` is a program of three lines here, which keeps its table in a file: the developer's own must stay alone.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::common::{Dashagg, TestDb};
use crate::sets::sample;

struct Cron {
    db: TestDb,
    bin: PathBuf,
    table: PathBuf,
    config: PathBuf,
}

const BEFORE: &str = "MAILTO=dba@example.org\n5 4 * * * /usr/bin/backup --all 100\\%\n";

fn set_up() -> Cron {
    let db = sample("school", 200);
    let bin = db.dir().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let table = db.dir().join("crontab");
    let program = bin.join("crontab");
    let script = format!(
        "#!/bin/sh\nT='{}'\ncase \"$1\" in\n-l) [ -f \"$T\" ] && cat \"$T\" || {{ echo 'no crontab for you' >&2; exit 1; }} ;;\n-) cat >\"$T\" ;;\nesac\n",
        table.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = db.dir().join("my config.toml");
    std::fs::write(&config, format!("[database]\nurl = \"{}\"\n", db.url)).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    Cron { db, bin, table, config }
}

impl Cron {
    fn dashagg(&self) -> Dashagg {
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        self.db.dashagg_without_url().env("PATH", path).arg("-c").arg(&self.config)
    }
}

#[test]
fn the_line_is_installed_once_tried_and_removed_cleanly_postgres() {
    let cron = set_up();
    std::fs::write(&cron.table, BEFORE).unwrap();
    let said = cron.dashagg().args(["cron", "install"]).run().code(1).stderr;
    assert!(said.contains("dashagg create"), "{said}");
    assert_eq!(
        std::fs::read_to_string(&cron.table).unwrap(),
        BEFORE,
        "a check that failed changed the crontab"
    );

    cron.dashagg().arg("create").run().ok();
    let preview = cron.dashagg().args(["cron", "install", "--dry-run"]).run().ok().stdout;
    assert_eq!(std::fs::read_to_string(&cron.table).unwrap(), BEFORE);
    let installed = cron.dashagg().args(["cron", "install", "--log", "refresh.log"]).run().ok();
    assert!(installed.stdout.contains("school"), "{installed:?}");
    let after = std::fs::read_to_string(&cron.table).unwrap();
    let line = after.strip_prefix(BEFORE).unwrap_or_else(|| panic!("{after}"));
    assert!(
        line.starts_with("* * * * * ") && line.contains("refresh --due") && line.contains("refresh.log"),
        "{line}"
    );
    assert!(preview.starts_with("* * * * * ") && preview.lines().count() == 1, "{preview}");
    // The first refresh has been tried.
    assert_ne!(cron.db.one("SELECT COUNT(*) FROM mv_school_students"), "0");
    // The crontab before is beside.
    let cwd = cron.db.dir().join("cwd");
    let saved: Vec<PathBuf> = std::fs::read_dir(&cwd)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "bak"))
        .collect();
    assert_eq!(saved.len(), 1, "{saved:?}");
    assert_eq!(std::fs::read_to_string(&saved[0]).unwrap(), BEFORE);
    assert_eq!(std::fs::metadata(&saved[0]).unwrap().permissions().mode() & 0o777, 0o600);

    // Again: still one line.
    cron.dashagg().args(["cron", "install", "--log", "refresh.log"]).run().ok();
    assert_eq!(std::fs::read_to_string(&cron.table).unwrap(), after);
    let shown = cron.dashagg().args(["cron", "show"]).run().ok().stdout;
    assert_eq!(shown, line);
    // What cron would run does run.
    let command = line.trim_end().strip_prefix("* * * * * ").unwrap().replace("\\%", "%");
    let status = std::process::Command::new("sh").arg("-c").arg(&command).current_dir("/").status().unwrap();
    assert!(status.success(), "{command}");

    cron.dashagg().args(["cron", "remove"]).run().ok();
    assert_eq!(std::fs::read_to_string(&cron.table).unwrap(), BEFORE);
    let nothing = cron.dashagg().args(["cron", "remove"]).run().ok().stdout;
    assert!(nothing.contains("nothing to remove"), "{nothing}");
}

#[test]
fn without_a_configuration_file_cron_would_see_nothing_postgres() {
    let cron = set_up();
    let said = cron.db.dashagg().args(["cron", "install"]).run().code(2).stderr;
    assert!(said.contains("configuration file"), "{said}");
    let said = cron.dashagg().args(["-D", &cron.db.url, "cron", "install"]).run().code(2).stderr;
    assert!(said.contains("[database]"), "{said}");
    let (ca, _) = cron.db.server.authorities();
    for (name, value) in
        [("DASHAGG_TLS", "prefer"), ("DASHAGG_TLS_CA", ca), ("PGPASSWORD", "x"), ("DASHAGG_PASSWORD", "x")]
    {
        let said =
            cron.dashagg().env(name, value).args(["cron", "install", "--dry-run"]).run().code(2).stderr;
        assert!(said.contains(name) && said.contains("cron's runs do not see"), "{said}");
    }
    assert!(!cron.table.exists());
}

#[test]
fn no_crontab_at_all_is_an_empty_one_postgres() {
    let cron = set_up();
    cron.dashagg().arg("create").run().ok();
    cron.dashagg().args(["cron", "install"]).run().ok();
    assert_eq!(std::fs::read_to_string(&cron.table).unwrap().lines().count(), 1);
}

//! What README.md promises: its commands are there, its numbers are the program's, and the rights that it tells a DBA
//! to grant are enough.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Kind, Output, TestDb};
use crate::small::{SOURCES, TIERS};

const README: &str = include_str!("../README.md");

/// The SQL block behind `<!-- rights: NAME -->`.
fn rights(name: &str) -> String {
    let marker = format!("<!-- rights: {name} -->\n```sql\n");
    let (_, after) = README.split_once(&marker).unwrap_or_else(|| panic!("README.md has no {marker}"));
    after.split_once("\n```").unwrap().0.to_owned()
}

#[test]
fn the_two_commands_stand_on_lines_of_their_own() {
    for command in ["cargo run --release -- demo", "./tests/run"] {
        assert!(README.contains(&format!("\n```\n{command}\n```\n")), "{command}");
    }
    assert!(README.lines().count() < 300, "README.md is a first page, not a manual");
}

#[test]
fn every_verb_and_exit_code_is_in_the_readme() {
    let db = TestDb::new(Kind::Sqlite);
    let help = db.dashagg_without_url().arg("--help").run().ok().stdout;
    let verbs = help.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    for verb in verbs.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '))
    {
        let verb = verb.split_whitespace().next().unwrap();
        if verb != "help" {
            assert!(README.contains(&format!("| `{verb}")), "{verb} is missing in the table of commands");
        }
    }
    let codes = help.split_once("Exit codes:").unwrap().1;
    for code in codes.lines().filter_map(|line| line.split_whitespace().next()) {
        let there = [format!("| {code} |"), format!("| {code}, ")].iter().any(|cell| README.contains(cell));
        assert!(there, "exit code {code} is missing");
    }
}

/// Files and folders that it points to exist.
#[test]
fn links_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let links: Vec<&str> = README
        .split("](")
        .skip(1)
        .map(|rest| rest.split_once(')').unwrap().0)
        .filter(|l| !l.starts_with('#'))
        .collect();
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        assert!(root.join(link).exists(), "{link}");
    }
}

struct Users {
    db: TestDb,
    run: String,
    read: String,
    owner: String,
}

impl Users {
    fn new(kind: Kind, block: &str) -> Self {
        let db = TestDb::new(kind);
        let name = |role: &str| format!("{role}_{}", db.name().trim_start_matches("dashagg_test_"));
        let users = Users { run: name("run"), read: name("read"), owner: name("owner"), db };
        let sql = rights(block)
            .replace("dashagg_run", &users.run)
            .replace("dashagg_read", &users.read)
            .replace("app_owner", &users.owner)
            .replace("app.*", &format!("{}.*", users.db.name()));
        if kind == Kind::Postgres {
            let owner = &users.owner;
            users.db.exec(&format!(
                "CREATE ROLE {owner} NOLOGIN; {SOURCES}; ALTER TABLE financials OWNER TO {owner}; \
                 ALTER TABLE products OWNER TO {owner}"
            ));
        } else {
            users.db.exec(SOURCES);
        }
        users.db.exec(&sql);
        users
    }

    fn dashagg(&self, user: &str, args: &[&str]) -> Output {
        let url = self.db.url.replace("dashagg:secret@", &format!("{user}@"));
        let run = self.db.dashagg_without_url().env("DASHAGG_PASSWORD", "change-me");
        run.args(["-D", &url]).args(args).run()
    }

    fn tables(&self) -> Vec<Vec<String>> {
        let schema = if self.db.kind == Kind::Mariadb { "DATABASE()" } else { "'public'" };
        self.db.rows(&format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = {schema} ORDER BY 1"
        ))
    }

    fn are_enough(&self) {
        self.dashagg(&self.run, &["create"]).ok();
        let tables = self.tables();
        self.dashagg(&self.run, &["refresh"]).ok();
        // A writer of the application knows nothing of dashagg's tables, and its change arrives.
        self.db.exec("INSERT INTO financials VALUES (7, 'A1', 'US', '2025-03-01', 'sales', 5)");
        self.db.exec("UPDATE products SET brand_id = 3 WHERE asin = 'A2'");
        let report = self.dashagg(&self.run, &["refresh", "--json"]).ok().json();
        assert_eq!(report["status"], "ok");
        self.dashagg(&self.run, &["refresh", "--full"]).ok();
        self.dashagg(&self.run, &["refresh", "--partition", "2025-01-01"]).ok();
        assert_eq!(self.tables(), tables, "scratch tables were left behind");
        for args in [vec!["status"], vec!["status", "--exact"], vec!["verify"], vec!["verify", "--totals"]] {
            self.dashagg(&self.read, &args).ok();
        }
        let rows = self.db.one("SELECT COUNT(*) FROM financials_summary_monthly_asin_marketplace");
        assert_eq!(rows, (TIERS[0].1 + 1).to_string());
        // Reading is reading: the reader can do no more than that.
        for args in [["refresh", "--full"], ["create", "--skip-source-indexes"]] {
            let said = self.dashagg(&self.read, &args).code(1).stderr;
            assert!(said.contains("denied"), "{said}");
        }
        assert_eq!(self.tables(), tables);
    }
}

#[test]
fn the_rights_are_enough_on_mariadb() {
    let users = Users::new(Kind::Mariadb, "mysql");
    users.are_enough();
    users.db.exec(&format!("DROP USER {}, {}", users.run, users.read));
}

/// Without PROCESS all else works.
#[test]
fn process_is_optional_on_mariadb() {
    let users = Users::new(Kind::Mariadb, "mysql");
    users.db.exec(&format!("REVOKE PROCESS ON *.* FROM {}", users.run));
    users.are_enough();
    users.db.exec(&format!("DROP USER {}, {}", users.run, users.read));
}

#[test]
fn the_rights_are_enough_on_postgres() {
    let users = Users::new(Kind::Postgres, "postgres");
    users.are_enough();
    let Users { db, run, read, owner } = users;
    for role in [run, read, owner] {
        db.exec(&format!("DROP OWNED BY {role} CASCADE"));
        db.exec(&format!("DROP ROLE {role}"));
    }
}

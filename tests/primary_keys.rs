//! A server that refuses tables without a primary key. A program of its own, because the setting is the server's, and
//! other tests make such tables.
#![allow(clippy::unwrap_used, clippy::panic, unused_macros)]

#[macro_use]
extern crate dashagg_test_attribute;

mod common;

use common::{Kind, TestDb};

/// Refuses such tables as long as it lives.
struct Strict<'d>(&'d TestDb);

impl<'d> Strict<'d> {
    fn new(db: &'d TestDb) -> Self {
        db.server.needs_setting("innodb_force_primary_key");
        db.exec("SET GLOBAL innodb_force_primary_key = 1");
        assert!(db.try_exec("CREATE TABLE keyless (n INTEGER)").is_err());
        Strict(db)
    }
}

impl Drop for Strict<'_> {
    fn drop(&mut self) {
        self.0.exec("SET GLOBAL innodb_force_primary_key = 0");
    }
}

/// A summary with a long text, which no stage in memory takes.
fn notes(db: &TestDb) -> String {
    let set = db.dir().join("sets/notes");
    std::fs::create_dir_all(set.join("mysql")).unwrap();
    let manifest = "[sources.notes]\n[summaries.last_notes]\nselect = \"last.sql\"\nkey = [\"author\"]\n";
    std::fs::write(set.join("summaries.toml"), manifest).unwrap();
    std::fs::write(set.join("last.sql"), "SELECT author, MAX(note) AS note FROM notes GROUP BY author")
        .unwrap();
    let script = "CREATE TABLE last_notes (author VARCHAR(40) NOT NULL PRIMARY KEY, note TEXT NOT NULL)";
    std::fs::write(set.join("mysql/0001_tables.sql"), script).unwrap();
    db.exec("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, author VARCHAR(40) NOT NULL, note TEXT NOT NULL)");
    db.exec("INSERT INTO notes VALUES (1, 'Ada', 'one'), (2, 'Ada', 'two'), (3, 'Bo', 'three')");
    db.dir().join("sets").to_str().unwrap().to_owned()
}

#[test]
fn every_table_that_dashagg_makes_has_a_primary_key() {
    let (db, own) = (&TestDb::new(Kind::Mariadb), &TestDb::new(Kind::Mariadb));
    let sets = notes(own);
    let _strict = Strict::new(db);
    db.dashagg().args(["demo", "--rows", "2000"]).run().ok();
    db.exec("UPDATE financials SET amount = amount + 1 WHERE id <= 20");
    for arguments in [&["refresh"][..], &["refresh", "--full"], &["verify"]] {
        db.dashagg().args(arguments).run().ok();
    }
    for change in ["SELECT 1", "INSERT INTO notes VALUES (4, 'Cy', 'four')", "DELETE FROM notes WHERE id = 2"]
    {
        own.exec(change);
        for verb in ["create", "refresh", "verify"] {
            own.dashagg().args(["--sql-dir", &sets, verb]).run().ok();
        }
    }
    assert_eq!(own.one("SELECT GROUP_CONCAT(note ORDER BY author) FROM last_notes"), "one,three,four");
}

fn main() -> std::process::ExitCode {
    common::harness::main()
}

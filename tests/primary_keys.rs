//! Settings of a server as a whole: tables without a primary key refused, no writes taken, a replica. A program of its own,
//! because other tests would not like them.
#![allow(clippy::unwrap_used, clippy::panic, unused_macros)]

#[macro_use]
extern crate dashagg_test_attribute;

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{Kind, TestDb};

/// Refuses such tables as long as it lives.
struct Strict<'d>(&'d TestDb, &'static str);

impl<'d> Strict<'d> {
    fn new(db: &'d TestDb) -> Self {
        let this =
            Strict(db, if is_mysql(db) { "sql_require_primary_key" } else { "innodb_force_primary_key" });
        db.server.needs_setting(this.1);
        db.exec(&format!("SET GLOBAL {} = 1", this.1));
        assert!(db.try_exec("CREATE TABLE keyless (n INTEGER)").is_err());
        this
    }
}

impl Drop for Strict<'_> {
    fn drop(&mut self) {
        self.0.exec(&format!("SET GLOBAL {} = 0", self.1));
    }
}

fn is_mysql(db: &TestDb) -> bool {
    db.server.about().product == "MySQL"
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
    let _alone = alone();
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

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was changed, and how it is changed back.
struct Changed<'d>(&'d TestDb, &'static str);

impl<'d> Changed<'d> {
    fn new(db: &'d TestDb, sql: &str, back: &'static str) -> Self {
        let this = Changed(db, back);
        db.exec(sql);
        this
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.0.exec(self.1);
    }
}

/// A user who may no more than is needed: others may write a read-only server.
fn small_user(db: &TestDb) -> String {
    let name = format!("small_{}", db.name().trim_start_matches("dashagg_test_"));
    db.exec(&format!(
        "CREATE USER {name} IDENTIFIED BY 'change-me'; \
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, TRIGGER, CREATE TEMPORARY TABLES ON {}.* TO {name}",
        db.name()
    ));
    name
}

#[test]
fn a_read_only_server_says_where_to_go() {
    let db = &TestDb::new(Kind::Mariadb);
    let _alone = alone();
    db.dashagg().args(["demo", "--rows", "2000"]).run().ok();
    let user = small_user(db);
    let url = db.url.replace("dashagg:secret@", &format!("{user}@"));
    let run = |verb: &str| {
        db.dashagg_without_url().env("DASHAGG_PASSWORD", "change-me").args(["-D", &url, verb]).run()
    };
    run("refresh").ok();
    {
        let _closed = Changed::new(db, "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0");
        run("status").ok();
        run("verify").ok();
        db.exec("UPDATE financials SET amount = amount + 1 WHERE id <= 20");
        for verb in ["create", "refresh"] {
            let said = run(verb).code(1).stderr;
            assert!(said.contains("read-only; create, refresh and drop run on the primary"), "{said}");
        }
    }
    run("refresh").ok();
    db.exec(&format!("DROP USER {user}"));
}

#[test]
fn a_replica_is_warned_of() {
    let db = &TestDb::new(Kind::Mariadb);
    let _alone = alone();
    db.dashagg().args(["demo", "--rows", "2000"]).run().ok();
    let warned = "financials: rows that replication brings to this server fire no triggers here";
    let create = || db.dashagg().arg("create").run().ok().stderr;
    assert!(!create().contains(warned));
    {
        // Of a primary that is not there.
        let _replica = if is_mysql(db) {
            Changed::new(
                db,
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1 FOR CHANNEL 'nobody'",
                "RESET REPLICA ALL FOR CHANNEL 'nobody'",
            )
        } else {
            Changed::new(
                db,
                "CHANGE MASTER 'nobody' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1; START SLAVE 'nobody'",
                "STOP SLAVE 'nobody'; RESET SLAVE 'nobody' ALL",
            )
        };
        assert!(create().contains(warned));
        assert!(db.dashagg().arg("status").run().ok().stdout.contains(warned));
        if !is_mysql(db) {
            let _fires = Changed::new(
                db,
                "SET GLOBAL slave_run_triggers_for_rbr = 'YES'",
                "SET GLOBAL slave_run_triggers_for_rbr = 'NO'",
            );
            assert!(!create().contains(warned));
        }
    }
    assert!(!create().contains(warned));
}

fn main() -> std::process::ExitCode {
    common::harness::main()
}

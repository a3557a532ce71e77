//! Triggers and views of MySQL and MariaDB run as the account that made them; it may be gone: dropped, or unknown on
//! the server that a dump was restored on.

use crate::common::{Dashagg, Kind, TestDb};
use crate::small::Tiny;

/// An account for a test, gone with it.
struct Account<'a> {
    db: &'a TestDb,
    name: String,
}

impl<'a> Account<'a> {
    fn new(db: &'a TestDb, suffix: &str, rights: &str) -> Self {
        let number = db.name().rsplit('_').next().unwrap();
        let this = Account { db, name: format!("d_{number}_{suffix}") };
        db.exec(&format!(
            "CREATE USER '{0}'@'%' IDENTIFIED BY 'secret'; GRANT {rights} ON {1}.* TO '{0}'@'%'",
            this.name,
            db.name()
        ));
        this
    }

    fn dashagg(&self, tiny: &Tiny<'_>) -> Dashagg {
        let (_, place) = self.db.url.rsplit_once('@').unwrap();
        let url = format!("mysql://{}:secret@{place}", self.name);
        self.db.dashagg_without_url().env("DASHAGG_DATABASE_URL", url).arg("--sql-dir").arg(tiny.sql_dir())
    }

    fn gone(&self) {
        self.db.exec(&format!("DROP USER '{}'@'%'", self.name));
    }
}

const WRITE: &str = "INSERT INTO raw_rows VALUES ('2025-01-03', 3)";

fn live(db: &TestDb) -> Tiny<'_> {
    db.server.needs_users();
    let tiny = Tiny::new(db);
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write("summaries.toml", &format!("{manifest}live = true\n"));
    tiny
}

fn assert_mended(db: &TestDb) {
    db.exec(WRITE);
    assert_eq!(db.one("SELECT CAST(SUM(total) AS CHAR) FROM tiny_days_live"), "6");
    db.exec("DELETE FROM raw_rows WHERE n = 3");
}

#[test]
fn create_takes_over_from_an_account_that_is_gone() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = live(db);
    let first = Account::new(db, "a", "ALL");
    first.dashagg(&tiny).arg("create").run().ok();
    first.dashagg(&tiny).arg("refresh").run().ok();
    first.gone();
    assert!(db.try_exec(WRITE).unwrap_err().contains("1449"), "what this is about");
    // One who cannot see which accounts there are.
    let second = Account::new(db, "b", "ALL");
    second.dashagg(&tiny).arg("create").run().ok();
    assert_mended(db);
    let report = second.dashagg(&tiny).args(["refresh", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["mode"], "complete", "{report:#}");
    let again = second.dashagg(&tiny).args(["create", "--json"]).run().ok();
    assert!(!again.stderr.contains("anew"), "{}", again.stderr);
    assert_eq!(
        second.dashagg(&tiny).args(["refresh", "--json"]).run().ok().json()["sets"][0]["status"],
        "noop"
    );
    // One who can, and who leaves alone what works.
    let third = Account::new(db, "c", "ALL");
    db.exec(&format!("GRANT SELECT ON mysql.* TO '{}'@'%'", third.name));
    let works = third.dashagg(&tiny).arg("create").run().ok();
    assert!(!works.stderr.contains("anew"), "{}", works.stderr);
    assert_eq!(
        third.dashagg(&tiny).args(["refresh", "--json"]).run().ok().json()["sets"][0]["status"],
        "noop"
    );
    second.gone();
    let mended = third.dashagg(&tiny).arg("create").run().ok();
    assert!(mended.stderr.contains(&second.name), "{}", mended.stderr);
    assert_mended(db);
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
    third.gone();
}

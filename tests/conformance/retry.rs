//! What fails for a moment is tried again, from the beginning and with the right end.

use crate::common::{Kind, TestDb, conformance};
use crate::own::others;
use crate::run::{Run, held};
use crate::sample::{BRAND, assert_right, built, cents, left_in_scratch};

fn change(db: &TestDb) {
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 5", cents(db, 100)));
}

/// Ends every session of the run in the server. SQLite has no server: there, the file is held by somebody else for
/// longer than the run waits.
fn disturb(db: &TestDb) -> Option<crate::common::Client> {
    let mut client = db.client();
    match db.kind {
        Kind::Sqlite => {
            client.exec("BEGIN IMMEDIATE");
            return Some(client);
        }
        Kind::Mariadb => {
            let own = client.one("SELECT CONNECTION_ID()");
            for id in others(db).iter().filter(|id| **id != own) {
                // One may have ended by itself.
                let _ = client.try_exec(&format!("KILL {id}"));
            }
        }
        Kind::Postgres => client.exec(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ),
    }
    None
}

fn survives(db: &TestDb, failpoints: &str, until: fn(&Run, &TestDb)) {
    built(db, 1_000);
    change(db);
    let config = db.dir().join("config.toml");
    std::fs::write(&config, "[database]\nlock_timeout = \"1s\"\n").unwrap();
    let run = held(db, &["--full", "--config", config.to_str().unwrap()], failpoints);
    until(&run, db);
    let client = disturb(db);
    run.until_log("trying again");
    drop(client);
    let report = run.end().ok().json();
    assert!(report["sets"][0]["retries"].as_u64().unwrap() >= 1, "{report:#}");
    let summaries = report["sets"][0]["summaries"].as_array().unwrap();
    assert!(summaries.iter().all(|summary| summary["updated"] != 0), "{report:#}");
    assert_ne!(db.one("SELECT MAX(retries) FROM dashagg_run"), "0");
    assert_eq!(left_in_scratch(db), Vec::<String>::new());
    assert_right(db);
}

conformance!(a_connection_lost_before_the_publish_is_made_again, |db: &TestDb| {
    db.server.needs_sessions(); // ended by name
    survives(db, "publish=1*sleep(1500)", |run, _| run.until_staged());
});

// SQLite has no connection to lose, needs no lock to stage, and holds the only one while it publishes.
#[test]
fn a_connection_to_mariadb_lost_while_staging_is_made_again() {
    survives(&TestDb::new(Kind::Mariadb), "staging=1*sleep(1500)", |run, _| run.until_staging());
}

#[test]
fn a_connection_to_postgres_lost_while_staging_is_made_again() {
    survives(&TestDb::new(Kind::Postgres), "staging=1*sleep(1500)", |run, _| run.until_staging());
}

#[test]
fn a_connection_to_mariadb_lost_inside_the_publish_is_made_again() {
    survives(&TestDb::new(Kind::Mariadb), "publishing=1*sleep(1500)", Run::until_publishing);
}

#[test]
fn a_connection_to_postgres_lost_inside_the_publish_is_made_again() {
    survives(&TestDb::new(Kind::Postgres), "publishing=1*sleep(1500)", Run::until_publishing);
}

conformance!(a_summary_changed_by_hand_under_a_refresh_is_computed_again, |db: &TestDb| {
    built(db, 1_000);
    change(db);
    let run = held(db, &["--full"], "publish=1*sleep(2500)");
    run.until_staged();
    // The refresh means to update these rows.
    let month = db.one("SELECT month FROM financials WHERE id = 3");
    db.exec(&format!("DELETE FROM {BRAND} WHERE month = '{month}'"));
    let ended = run.end().ok();
    assert_eq!(ended.json()["sets"][0]["retries"], 1, "{ended:?}");
    assert!(ended.stderr.contains("changed by another program"), "{ended:?}");
    assert_right(db);
});

conformance!(what_stays_broken_ends_with_its_error, |db: &TestDb| {
    built(db, 1_000);
    change(db);
    let config = db.dir().join("config.toml");
    std::fs::write(&config, "[database]\nlock_timeout = \"1s\"\n[run]\nretries = 1\n").unwrap();
    let mut blocker = db.client();
    // Somebody edits the summaries by hand and went to lunch.
    blocker.exec(if db.kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" });
    blocker.exec(&format!("UPDATE {BRAND} SET row_count = row_count + 1"));
    let output = db.dashagg().arg("--config").arg(&config).arg("refresh").run().code(1);
    assert!(output.stderr.to_lowercase().contains("lock"), "{output:?}");
    blocker.exec("ROLLBACK");
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
});

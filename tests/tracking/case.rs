//! One change, one refresh, and everything that must be true afterwards.

use serde_json::Value;

use crate::common::{Dashagg, TestDb};
use crate::run::changes;
use crate::sample::{assert_equals_raw, cents};

/// What a plain `refresh` makes of a change.
pub enum Expect {
    /// Noted by triggers: incremental.
    Seen,
    /// Not to be seen by triggers: complete, for a reason that holds this text.
    Complete(&'static str),
    /// No change at all.
    Nothing,
}

/// The statements on one connection of their own, then [`after`].
#[track_caller]
pub fn case(db: &TestDb, name: &str, expect: Expect, sql: &str) -> Value {
    println!("{:?}: {name}", db.kind);
    db.exec(sql);
    after(db, name, expect)
}

/// One plain refresh does what is expected; then the tiers equal raw. After an incremental one `verify` is clean, too,
/// and a complete one finds nothing left to do.
#[track_caller]
pub fn after(db: &TestDb, name: &str, expect: Expect) -> Value {
    after_by(db, name, expect, &|| db.dashagg())
}

/// The same with options of the caller's.
#[track_caller]
pub fn after_by(db: &TestDb, name: &str, expect: Expect, dashagg: &dyn Fn() -> Dashagg) -> Value {
    // Several cases remove a good part of the rows, and that is not what they are about.
    let report = dashagg().args(["refresh", "--allow-shrink", "--json"]).run().ok().json();
    let set = &report["sets"][0];
    let (mode, status) = (set["mode"].as_str().unwrap(), set["status"].as_str().unwrap());
    match &expect {
        Expect::Seen => assert_eq!((mode, status), ("incremental", "ok"), "{name}: {set:#}"),
        Expect::Nothing => assert_eq!((mode, status), ("none", "noop"), "{name}: {set:#}"),
        Expect::Complete(why) => {
            assert_eq!((mode, status), ("complete", "ok"), "{name}: {set:#}");
            assert!(set["reason"].as_str().unwrap().contains(*why), "{name}: {set:#}");
        }
    }
    assert_equals_raw(db);
    if matches!(expect, Expect::Seen) {
        settled(db, name, dashagg);
    }
    report
}

/// Tiers equal raw, whoever looks; a complete refresh changes nothing.
#[track_caller]
pub fn settled(db: &TestDb, name: &str, dashagg: &dyn Fn() -> Dashagg) {
    assert_equals_raw(db);
    dashagg().arg("verify").run().ok();
    let full = dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    assert_eq!(changes(&full), [0; 3], "{name}: {full:#}");
}

/// Partitions that wait, as `status` says; `None` if it cannot tell which.
#[track_caller]
pub fn pending(dashagg: Dashagg) -> Option<u64> {
    dashagg.args(["status", "--json"]).run().ok().json()["summaries"][0]["pending_partitions"].as_u64()
}

/// An INSERT of `(asin, marketplace, month, metric, amount in cents)`.
pub fn insert(db: &TestDb, rows: &[(&str, &str, &str, &str, i64)]) -> String {
    insert_into(db, "financials", rows)
}

/// The same into another table of that shape.
pub fn insert_into(db: &TestDb, table: &str, rows: &[(&str, &str, &str, &str, i64)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(asin, marketplace, month, metric, amount)| {
            format!("('{asin}', '{marketplace}', '{month}', '{metric}', {})", cents(db, *amount))
        })
        .collect();
    format!("INSERT INTO {table} (asin, marketplace, month, metric, amount) VALUES {}", rows.join(", "))
}

/// Of a table in the sample: its CREATE TABLE.
pub fn source_ddl(db: &TestDb, table: &str) -> String {
    use crate::common::Kind;
    let text = match db.kind {
        Kind::Mariadb => include_str!("../../sql/financials/sample/mysql.sql"),
        Kind::Postgres => include_str!("../../sql/financials/sample/postgres.sql"),
        Kind::Sqlite => include_str!("../../sql/financials/sample/sqlite.sql"),
    };
    let start = text.find(&format!("CREATE TABLE {table} (")).unwrap();
    let end = start + text[start..].find(';').unwrap();
    text[start..end].to_owned()
}

/// The triggers of tracking on a table.
pub fn triggers(db: &TestDb, table: &str) -> Vec<String> {
    use crate::common::Kind;
    let sql = match db.kind {
        Kind::Mariadb => format!(
            "SELECT trigger_name FROM information_schema.triggers WHERE event_object_schema = DATABASE() \
             AND event_object_table = '{table}' AND trigger_name LIKE 'dashagg%' ORDER BY 1"
        ),
        Kind::Postgres => format!(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND tgname LIKE 'dashagg%' ORDER BY 1"
        ),
        Kind::Sqlite => format!(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}' \
             AND name LIKE 'dashagg%' ORDER BY 1"
        ),
    };
    db.rows(&sql).into_iter().flatten().collect()
}

/// Waiting notes of a source, by grain; those of the finest kind first. Found by the columns that their table has.
pub fn notes(db: &TestDb, prefix: &str, column: &str) -> u64 {
    use crate::common::Kind;
    let sql = match db.kind {
        Kind::Mariadb => format!(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND table_name LIKE '{prefix}%' AND column_name = '{column}'"
        ),
        Kind::Postgres => format!(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' \
             AND table_name LIKE '{prefix}%' AND column_name = '{column}'"
        ),
        Kind::Sqlite => format!(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = '{column}' \
             WHERE m.type = 'table' AND m.name LIKE '{prefix}%'"
        ),
    };
    let tables: Vec<String> = db.rows(&sql).into_iter().flatten().collect();
    tables.iter().map(|table| db.one(&format!("SELECT COUNT(*) FROM {table}")).parse::<u64>().unwrap()).sum()
}

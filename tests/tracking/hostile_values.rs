//! A value is data, whatever it holds and whatever the server's settings make of its characters: in every column that
//! becomes a literal (partitions, keys, keys of dimensions), on every engine.

use crate::common::{Kind, TestDb, conformance};
use crate::small::Tiny;

/// Ends of literals as one setting or another sees them, and characters that some client would cut or change.
const VALUES: [&str; 14] = [
    "\\'; DROP TABLE victim; -- ",
    "'; DROP TABLE victim; -- ",
    "\\\\'; DROP TABLE victim; -- ",
    "\\",
    "\\\\",
    "'",
    "''",
    "\"; DROP TABLE victim; -- ",
    "`; DROP TABLE victim; -- ",
    "$$; DROP TABLE victim; -- ",
    "$dashagg$; DROP TABLE victim; -- ",
    "/* */ -- #",
    "%s %% {0} ? :name \u{1b}[31m",
    "\u{bf27}\u{a5}\u{20a9}\u{5c}\u{fe68}\u{ff07}\u{ff3c}'",
];

fn quoted(db: &TestDb, value: &str) -> String {
    match db.kind {
        // Spelled in no one's convention but the bytes'.
        Kind::Mariadb => format!("CONVERT(X'{}' USING utf8mb4)", bytes(value)),
        Kind::Postgres => format!("convert_from(decode('{}', 'hex'), 'UTF8')", bytes(value)),
        Kind::Sqlite => format!("CAST(X'{}' AS TEXT)", bytes(value)),
    }
}

fn bytes(value: &str) -> String {
    value.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// A set whose partition and key hold such values, with a dimension whose key does.
fn hostile(db: &TestDb) -> Tiny<'_> {
    let tiny = Tiny::new(db);
    let collated = if db.kind == Kind::Mariadb { " COLLATE utf8mb4_bin" } else { "" };
    db.exec(&format!(
        "CREATE TABLE victim (n INTEGER); DROP TABLE raw_rows;
         CREATE TABLE raw_rows (shop VARCHAR(80){collated} NOT NULL, kind VARCHAR(80){collated} NOT NULL, n INTEGER NOT NULL);
         CREATE TABLE kinds (kind VARCHAR(80){collated} NOT NULL PRIMARY KEY, factor INTEGER NOT NULL)"
    ));
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['shop']\ntrack_columns = ['shop', 'kind']\n\
         [sources.kinds]\ninvalidates = { summary = 'days', on = ['kind'] }\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['shop', 'kind']\npartition = ['shop']\nrecompute_by = ['shop', 'kind']\n",
    );
    tiny.write(
        "days.sql",
        "SELECT r.shop, r.kind, SUM(r.n * COALESCE(k.factor, 1)) AS total FROM raw_rows r LEFT JOIN kinds k ON k.kind = r.kind \
         GROUP BY r.shop, r.kind\n",
    );
    tiny.script(
        "0001_days.sql",
        &format!(
            "CREATE TABLE tiny_days (shop VARCHAR(80){collated} NOT NULL, kind VARCHAR(80){collated} NOT NULL, total BIGINT NOT NULL, \
             PRIMARY KEY (shop, kind));\n"
        ),
    );
    tiny
}

fn assert_right(db: &TestDb) {
    assert_eq!(
        db.rows("SELECT shop, kind, total + 0 FROM tiny_days ORDER BY shop, kind"),
        db.rows(
            "SELECT r.shop, r.kind, SUM(r.n * COALESCE(k.factor, 1)) + 0 FROM raw_rows r LEFT JOIN kinds k ON k.kind = r.kind \
             GROUP BY r.shop, r.kind ORDER BY r.shop, r.kind"
        )
    );
    assert_eq!(db.one("SELECT COUNT(*) FROM victim"), "0", "the table is still there");
}

/// Every value in every place, by every road that a value takes: notes, `--partition`, complete, verify, status, drop.
fn all_roads(db: &TestDb) {
    let tiny = hostile(db);
    tiny.create().ok();
    tiny.refresh().ok();
    for value in VALUES {
        let value = quoted(db, value);
        db.exec(&format!(
            "INSERT INTO raw_rows VALUES ({value}, {value}, 1), ('plain', {value}, 2), ({value}, 'plain', 3)"
        ));
    }
    tiny.refresh().ok();
    assert_right(db);
    for value in VALUES {
        db.exec(&format!("INSERT INTO kinds VALUES ({}, 5)", quoted(db, value)));
    }
    tiny.refresh().ok();
    assert_right(db);
    db.exec("UPDATE kinds SET factor = 6; UPDATE raw_rows SET n = n + 1");
    tiny.dashagg().arg("status").run().ok();
    tiny.refresh().ok();
    assert_right(db);
    for value in VALUES {
        db.exec(&format!("UPDATE raw_rows SET n = n + 1 WHERE shop = {}", quoted(db, value)));
        tiny.dashagg().args(["refresh", "--partition", value]).run().ok();
    }
    assert_right(db);
    tiny.dashagg().args(["refresh", "--full"]).run().ok();
    tiny.dashagg().arg("verify").run().ok();
    db.exec("DELETE FROM raw_rows WHERE kind = 'plain'");
    tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    assert_right(db);
}

conformance!(values_cannot_become_sql, |db: &TestDb| all_roads(db));

#[test]
fn whatever_a_backslash_means_in_the_database_postgres() {
    for setting in [
        "standard_conforming_strings = off",
        "quote_all_identifiers = on",
        "bytea_output = 'escape'",
        "backslash_quote = on",
    ] {
        let db = &TestDb::new(Kind::Postgres);
        db.exec(&format!("ALTER DATABASE {} SET {setting}", db.name()));
        println!("{setting}");
        all_roads(db);
    }
}

/// A script that leaves the session in another mode than it found it in.
#[test]
fn whatever_a_script_leaves_behind_mariadb() {
    for mode in
        ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH", "ORACLE"]
    {
        let db = &TestDb::new(Kind::Mariadb);
        if mode == "ORACLE" && db.server.about().product == "MySQL" {
            continue; // MariaDB's alone
        }
        println!("{mode}");
        let tiny = hostile(db);
        tiny.script("0002_mode.sql", &format!("SET sql_mode = '{mode}';\n"));
        tiny.create().ok();
        all_roads_from(db, &tiny);
    }
}

/// The same where the set is created already.
fn all_roads_from(db: &TestDb, tiny: &Tiny<'_>) {
    tiny.refresh().ok();
    for value in VALUES {
        let value = quoted(db, value);
        db.exec(&format!("INSERT INTO raw_rows VALUES ({value}, {value}, 1)"));
        // Writers, too, may be in any mode.
        db.exec(&format!("SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; INSERT INTO raw_rows VALUES ({value}, 'plain', 3)"));
    }
    tiny.refresh().ok();
    assert_right(db);
    tiny.dashagg().arg("verify").run().ok();
}

/// SQLite's text may hold a NUL byte, where a statement's text would end.
#[test]
fn a_value_with_a_nul_byte_sqlite() {
    let db = &TestDb::new(Kind::Sqlite);
    let tiny = hostile(db);
    tiny.create().ok();
    db.exec("INSERT INTO raw_rows VALUES (CAST(X'61003B' AS TEXT), CAST(X'610027' AS TEXT), 1)");
    tiny.refresh().ok();
    db.exec("UPDATE raw_rows SET n = 2");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days"), "2");
    tiny.dashagg().arg("verify").run().ok();
}

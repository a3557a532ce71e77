//! `verify` names exactly what is wrong, needs only SELECT, and writes nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{Dashagg, Kind, Output, TestDb, conformance};
use crate::own::{sales, write_set};
use crate::sample::{BRAND, CATEGORY, assert_right, built, cents, contents};

/// `(summary, kind, key in the order of the columns' names, column)` of every sample.
fn named(report: &Value) -> BTreeSet<(String, String, String, String)> {
    let mut found = BTreeSet::new();
    for summary in report["summaries"].as_array().unwrap() {
        for sample in summary["samples"].as_array().unwrap() {
            let key = sample["key"].as_object().unwrap().iter();
            let key: Vec<String> =
                key.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
            found.insert((
                summary["name"].as_str().unwrap().to_owned(),
                sample["kind"].as_str().unwrap().to_owned(),
                key.join(" "),
                sample["column"].as_str().unwrap_or("").to_owned(),
            ));
        }
    }
    found
}

fn verify_json(db: &TestDb, code: i32) -> Value {
    db.dashagg().args(["verify", "--json"]).run().code(code).json()
}

conformance!(rows_changed_deleted_and_inserted_by_hand_are_each_named, |db: &TestDb| {
    built(db, 2_000);
    let keys = db.rows(&format!(
        "SELECT month, marketplace, metric, brand_id FROM {BRAND} WHERE marketplace = 'US' \
         ORDER BY month, metric, brand_id LIMIT 4"
    ));
    let mut expected = BTreeSet::new();
    for (at, row) in keys.iter().enumerate() {
        let place = format!(
            "month = '{}' AND marketplace = '{}' AND metric = '{}' AND brand_id = {}",
            row[0], row[1], row[2], row[3]
        );
        let (sql, kind, column) = match at {
            3 => (format!("DELETE FROM {BRAND} WHERE {place}"), "missing", ""),
            _ => (
                format!("UPDATE {BRAND} SET amount = amount + {} WHERE {place}", cents(db, 1)),
                "different",
                "amount",
            ),
        };
        db.exec(&sql);
        let key = format!("brand_id={} marketplace={} metric={} month={}", row[3], row[1], row[2], row[0]);
        expected.insert(("financials.brand".to_owned(), kind.to_owned(), key, column.to_owned()));
    }
    db.exec(&format!(
        "INSERT INTO {CATEGORY} (month, metric, category_id, amount, row_count) VALUES ('2023-02-01', 'sales', 99, 0, 0)"
    ));
    let bogus = "category_id=99 metric=sales month=2023-02-01";
    expected.insert(("financials.category".into(), "extra".into(), bogus.into(), String::new()));

    let report = verify_json(db, 4);
    assert_eq!(report["status"], "differs");
    assert_eq!(named(&report), expected, "{report:#}");
    let count = |summary: usize, what: &str| report["summaries"][summary][what].as_u64().unwrap();
    assert_eq!((count(1, "different"), count(1, "missing"), count(1, "extra")), (3, 1, 0));
    assert_eq!((count(2, "different"), count(2, "missing"), count(2, "extra")), (0, 0, 1));
    assert!(!report["conservation"].as_array().unwrap().is_empty(), "{report:#}");

    let words = db.dashagg().arg("verify").run().code(4).stdout;
    for row in &keys {
        let key = format!("month={} marketplace={} metric={} brand_id={}", row[0], row[1], row[2], row[3]);
        assert!(words.contains(&key), "{key} is not in\n{words}");
    }
    assert!(words.contains("category_id=99"), "{words}");
    // A month without a fault is right on its own.
    db.dashagg().args(["verify", "financials", "--partition", "2023-11-01"]).run().ok();

    db.dashagg().args(["refresh", "--full"]).run().ok();
    assert_right(db);
});

conformance!(totals_alone_find_money_that_vanished, |db: &TestDb| {
    built(db, 2_000);
    db.exec(&format!("UPDATE {CATEGORY} SET amount = amount - {} WHERE month = '2023-05-01'", cents(db, 1)));
    let report = db.dashagg().args(["verify", "--totals", "--json"]).run().code(4).json();
    let wrong = report["conservation"].as_array().unwrap();
    assert_eq!(wrong.len(), 1, "{report:#}");
    assert_eq!(wrong[0]["partition"], "month=2023-05-01");
    assert_eq!(wrong[0]["column"], "amount");
});

conformance!(a_change_of_case_or_a_trailing_space_is_a_difference, |db: &TestDb| {
    sales(db);
    // As most applications' text is: equal to the database whatever the case, and on MariaDB the spaces.
    let soft = match db.kind {
        Kind::Mariadb => "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        Kind::Postgres => "VARCHAR(40)",
        Kind::Sqlite => "TEXT COLLATE NOCASE",
    };
    let sets = write_set(
        db,
        "shops",
        "[sources.sales]\n[summaries.best]\nselect = \"best.sql\"\nkey = [\"shop\"]\n",
        &format!(
            "CREATE TABLE best (shop {soft} NOT NULL PRIMARY KEY, last {soft} NOT NULL, amount DECIMAL(20,2))"
        ),
        &[(
            "best.sql",
            "SELECT shop, MAX(product) AS last, SUM(amount) AS amount FROM sales GROUP BY shop;\n",
        )],
    );
    let dashagg = || -> Dashagg { db.dashagg().arg("--sql-dir").arg(&sets) };
    dashagg().arg("create").run().ok();
    dashagg().arg("refresh").run().ok();
    dashagg().arg("verify").run().ok();
    let right = db.rows("SELECT shop, last, amount FROM best ORDER BY shop");
    for (column, value) in [("last", "pen"), ("last", "Pen "), ("shop", "a"), ("shop", "A ")] {
        db.exec(&format!("UPDATE best SET {column} = '{value}' WHERE shop = 'A'"));
        let report: Output = dashagg().args(["verify", "--json"]).run().code(4);
        let found = named(&report.json());
        let expected: BTreeSet<_> = match column {
            "last" => [("different", "A", "last")].into(),
            _ => [("missing", "A", ""), ("extra", value, "")].into(),
        };
        let expected = expected.iter().map(|(kind, key, column)| {
            ("shops.best".to_owned(), (*kind).to_owned(), format!("shop={key}"), (*column).to_owned())
        });
        assert_eq!(found, expected.collect(), "{column} = '{value}'");
        dashagg().args(["refresh", "--full"]).run().ok();
        dashagg().arg("verify").run().ok();
        assert_eq!(
            db.rows("SELECT shop, last, amount FROM best ORDER BY shop"),
            right,
            "{column} = '{value}'"
        );
    }
});

conformance!(verify_and_status_need_only_select_and_write_nothing, |db: &TestDb| {
    db.server.needs_users();
    built(db, 2_000);
    let state = |db: &TestDb| {
        let ledger = ["dashagg_set", "dashagg_summary", "dashagg_run", "dashagg_script"];
        (contents(db), ledger.map(|table| db.rows(&format!("SELECT * FROM {table}"))))
    };
    let before = state(db);
    let url = reader(db);
    let reader = || db.dashagg_without_url().args(["-D", &url]).env("DASHAGG_PASSWORD", "only-select");
    for arguments in [&["verify"][..], &["verify", "--totals"], &["verify", "--sample", "2"], &["status"]] {
        reader().args(arguments).run().ok();
    }
    let shown = reader().args(["status", "--exact", "--json"]).run().ok().json();
    assert_eq!(shown["summaries"][0]["state"], "fresh", "{shown:#}");
    db.exec(&format!("DELETE FROM {BRAND} WHERE month = '2023-03-01' AND marketplace = 'UK'"));
    reader().arg("verify").run().code(4);
    if db.kind != Kind::Sqlite {
        let refused = reader().arg("refresh").run();
        assert_eq!(refused.code, 1, "a user with only SELECT has refreshed: {refused:?}");
    }
    db.dashagg().args(["refresh", "--full"]).run().ok();
    let after = state(db);
    assert_eq!(after.1[3], before.1[3]);
    assert_eq!(after.1[2].len(), before.1[2].len() + 1, "only the refresh is a run: {:?}", after.1[2]);
    drop_reader(db);
});

/// The URL of a user who may SELECT and nothing else.
fn reader(db: &TestDb) -> String {
    let name = db.name();
    let host = db.url.rsplit_once('@').map(|(_, host)| host.to_owned());
    match db.kind {
        Kind::Mariadb => {
            db.exec(&format!(
                "CREATE USER '{name}'@'%' IDENTIFIED BY 'only-select'; GRANT SELECT ON {name}.* TO '{name}'@'%'"
            ));
            format!("mysql://{name}@{}", host.unwrap())
        }
        Kind::Postgres => {
            db.exec(&format!(
                "CREATE ROLE {name} LOGIN PASSWORD 'only-select';
                 REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
                 GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name};
                 ALTER ROLE {name} SET default_transaction_read_only = on"
            ));
            format!("postgres://{name}@{}", host.unwrap())
        }
        Kind::Sqlite => format!("{}?mode=ro", db.url),
    }
}

fn drop_reader(db: &TestDb) {
    let name = db.name();
    match db.kind {
        Kind::Mariadb => db.exec(&format!("DROP USER '{name}'@'%'")),
        Kind::Postgres => db.exec(&format!("DROP OWNED BY {name}; DROP ROLE {name}")),
        Kind::Sqlite => {}
    }
}

//! Names are only names: any text that the database takes must work, on every engine.

use std::path::PathBuf;

use crate::common::{Dashagg, Kind, TestDb, conformance};
use crate::own::write_set;
use crate::run::{changes, states};

const SET: &str = "my \"odd\" set's v1.0";
const RAW: &str = "raw \"sales\" of O'Brien; -- 1";
const SHOP: &str = "the \"shop\"";
const NET: &str = "net amount (€)";
const DAILY: &str = "daily \"sums\"";
const TOTAL: &str = "order"; // a word of SQL

fn day_name(db: &TestDb) -> &'static str {
    // MySQL 9.7 makes no trigger that compares a column whose name has a letter such as ö after a backtick (error 3507),
    // whoever makes it.
    if db.server.about().product == "MySQL" { "d'ay `x` Grosse" } else { "d'ay `x` Größe" }
}

/// A name as this engine's SQL has it.
fn quoted(db: &TestDb, name: &str) -> String {
    match db.kind {
        Kind::Mariadb => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn odd_set(db: &TestDb) -> PathBuf {
    let [raw, shop, day, net, daily, total] =
        [RAW, SHOP, day_name(db), NET, DAILY, TOTAL].map(|name| quoted(db, name));
    let text = if db.kind == Kind::Mariadb { "VARCHAR(40) COLLATE utf8mb4_bin" } else { "VARCHAR(40)" };
    db.exec(&format!(
        "CREATE TABLE {raw} (id INTEGER NOT NULL PRIMARY KEY, {day} DATE NOT NULL, {shop} {text} NOT NULL, {net} DECIMAL(12,2) NOT NULL)"
    ));
    let path = match db.kind {
        Kind::Mariadb => r"'C:\\new'",
        _ => r"'C:\new'",
    };
    db.exec(&format!(
        "INSERT INTO {raw} VALUES (1, '2025-01-01', 'O''Brien', 10), (2, '2025-01-01', {path}, 20),
         (3, '2025-02-01', '', 30), (4, '2025-02-01', ' \"x\" ', 40), (5, '2025-02-01', 'O''Brien', -50)"
    ));
    // TOML's basic strings spell quotes as JSON does.
    let toml = |name: &str| serde_json::Value::from(name).to_string();
    let sum = toml(&format!("SUM({net})"));
    let [raw_t, shop_t, day_t, net_t, daily_t, total_t] =
        [RAW, SHOP, day_name(db), NET, DAILY, TOTAL].map(toml);
    let manifest = format!(
        "[sources.\"the raw one\"]\ntable = {raw_t}\npartition = [{day_t}, {shop_t}]\ntotals = {{ {net_t} = {sum} }}\n\
         [[sources.\"the raw one\".indexes]]\nname = \"my 'index'\"\ncolumns = [{day_t}, {shop_t}, {net_t}]\n\
         [summaries.\"tier one\"]\ntable = {daily_t}\nselect = \"tier 'one'.sql\"\nkey = [{day_t}, {shop_t}]\n\
         partition = [{day_t}, {shop_t}]\nreconcile = [{{ columns = [{net_t}] }}]\n\
         [summaries.\"tier.two\"]\ntable = {total_t}\nselect = \"tier.two.sql\"\nkey = [{shop_t}]\n\
         reconcile = [{{ columns = [{net_t}] }}]\n"
    );
    let script = format!(
        "CREATE TABLE {daily} ({shop} {text} NOT NULL, {day} DATE NOT NULL, {net} DECIMAL(20,2) NOT NULL, PRIMARY KEY ({day}, {shop}));
         CREATE TABLE {total} ({shop} {text} NOT NULL PRIMARY KEY, {net} DECIMAL(20,2) NOT NULL);"
    );
    let one = format!(
        "SELECT {day}, {shop}, SUM({net}) AS {net} FROM {raw} -- it's \"odd\"; isn't it?\nGROUP BY {day}, {shop};\n"
    );
    let two = format!("SELECT {shop}, SUM({net}) AS {net} FROM {daily} GROUP BY {shop}");
    write_set(db, SET, &manifest, &script, &[("tier 'one'.sql", &one), ("tier.two.sql", &two)])
}

conformance!(names_with_quotes_spaces_and_signs_simply_work, |db: &TestDb| {
    let sets = odd_set(db);
    let dashagg = || -> Dashagg { db.dashagg().arg("--sql-dir").arg(&sets) };
    let [raw, shop, day, net, total] = [RAW, SHOP, day_name(db), NET, TOTAL].map(|name| quoted(db, name));
    let created = dashagg().args(["create", "--json"]).run().ok().json();
    assert_eq!(created["sets"][0]["indexes"][0], "my 'index'");
    assert!(dashagg().arg("create").run().ok().stdout.contains("nothing to do"));
    let first = dashagg().args(["refresh", SET, "--json"]).run().ok().json();
    assert_eq!(changes(&first), [5 + 4, 0, 0], "{first:#}");
    assert_eq!(first["sets"][0]["set"], SET);
    dashagg().arg("verify").run().ok();

    db.exec(&format!("UPDATE {raw} SET {net} = {net} + 1"));
    db.exec(&format!("DELETE FROM {raw} WHERE id = 3"));
    let names = ["2025-02-01,", "2025-02-01,O'Brien", "2025-01-01,C:\\new"];
    let part =
        dashagg().args(["refresh", "--json", "--allow-shrink", "--partition"]).args(names).run().ok().json();
    // Below: one gone, two changed. Above: the shop without a name is gone, O'Brien and the path changed.
    assert_eq!(changes(&part), [0, 2 + 2, 1 + 1], "{part:#}");
    // What is wrong by hand, not by waiting for a refresh.
    dashagg().args(["refresh", "--full"]).run().ok();
    let daily = quoted(db, DAILY);
    db.exec(&format!("UPDATE {daily} SET {net} = {net} - 3 WHERE {shop} IN ('O''Brien', ' \"x\" ')"));
    let wrong = dashagg().args(["verify", &format!("{SET}.tier one"), "--json"]).run().code(4).json();
    let samples = wrong["summaries"][0]["samples"].as_array().unwrap();
    assert!(samples.iter().all(|sample| sample["column"] == NET), "{wrong:#}");
    let mut keys: Vec<_> = samples.iter().map(|sample| sample["key"][SHOP].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, [" \"x\" ", "O'Brien", "O'Brien"], "{wrong:#}");

    dashagg().args(["refresh", "--full", &format!("{SET}.tier.two")]).run().ok();
    dashagg().arg("verify").run().ok();
    let sql =
        |table: &str| format!("SELECT {shop}, SUM({net}) FROM {table} t GROUP BY {shop} ORDER BY {shop}");
    assert_eq!(db.rows(&sql(&total)), db.rows(&sql(&raw)));
    assert_eq!(db.one(&format!("SELECT COUNT(*) FROM {daily} WHERE {day} = '2025-02-01'")), "2");
    let status = dashagg().args(["status", "--json", "--exact"]).run().ok().json();
    assert_eq!(status["summaries"][0]["name"], "tier one");
    assert_eq!(status["summaries"][1]["rows"], 3);
    assert!(dashagg().arg("status").run().ok().stdout.contains(SET));
    assert_eq!(states_of(&status), ["fresh"; 2]);
});

fn states_of(status: &serde_json::Value) -> Vec<&str> {
    status["summaries"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect()
}

conformance!(two_sets_in_one_database_live_side_by_side, |db: &TestDb| {
    crate::sample::sample(db, 1_000);
    let sets = odd_set(db);
    crate::common::copy_set("financials", &sets);
    let dashagg = || -> Dashagg { db.dashagg().arg("--sql-dir").arg(&sets) };
    dashagg().arg("create").run().ok();
    dashagg().arg("refresh").run().ok();
    dashagg().arg("verify").run().ok();
    assert_eq!(states(db), ["fresh"; 3], "the bundled set alone");
    // One is broken: the other is published all the same, and the exit code says so.
    db.exec(&format!("ALTER TABLE {} RENAME TO away", quoted(db, RAW)));
    let half = dashagg().args(["refresh", "--full", "--json"]).run().code(3).json();
    assert_eq!(half["status"], "partial", "{half:#}");
    let status = |name: &str| {
        half["sets"].as_array().unwrap().iter().find(|set| set["set"] == name).unwrap()["status"].clone()
    };
    assert_eq!((status("financials"), status(SET)), ("ok".into(), "failed".into()));
});

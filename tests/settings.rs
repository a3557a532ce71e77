//! What a DBA, or a hosting company, may set for a whole server. A program of its own, because the settings are the server's:
//! every session variable that can be set globally, with hostile values, changes no number that is published. Which
//! variables there are is asked of the server, so that no list of ours leaves one out.
#![allow(clippy::unwrap_used, clippy::panic, unused_macros, missing_docs)]

#[macro_use]
extern crate dashagg_test_attribute;

mod common;

use common::{Client, Kind, TestDb};

/// Not tried, and why.
const LEFT_OUT: [(&str, &str); 8] = [
    ("gtid", "replication's own numbers"),
    ("wsrep", "a cluster's, where there is none"),
    ("server_id", "replication's own numbers"),
    ("redirect_url", "sends every client to another server"),
    ("max_user_connections", "keeps the test's own connections out"),
    ("authentication_policy", "the form of CREATE USER"),
    ("default_collation_for_utf8mb4", "may only be set to one of two, by special right"),
    ("pseudo_", "the replication applier's own"),
];

const MANIFEST: &str = "[sources.sales]\npartition = [\"day\"]\ntotals = { amount = \"SUM(amount)\", n = \"COUNT(*)\" }\n\
    [summaries.by_day]\nselect = \"by_day.sql\"\nkey = [\"day\", \"shop\"]\npartition = [\"day\"]\n\
    reconcile = [{ columns = [\"amount\", \"n\"] }]\n\
    [summaries.by_shop]\nselect = \"by_shop.sql\"\nkey = [\"shop\"]\n";

/// Asks for what variables change: the scale of a division, weeks, names of days, how long a concatenation gets, a recursion.
const BY_DAY: &str = "WITH RECURSIVE twice AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM twice WHERE i < 1200) \
    SELECT day, shop, SUM(amount) AS amount, COUNT(*) AS n, ROUND(SUM(amount) / COUNT(*), 5) AS mean, MAX(WEEK(day)) AS week, \
    MAX(DAYNAME(day)) AS weekday, SHA2(GROUP_CONCAT(note ORDER BY id), 256) AS notes, \
    MAX((SELECT COUNT(*) FROM twice)) AS rounds FROM sales GROUP BY day, shop";
const BY_SHOP: &str = "SELECT b.shop, SUM(b.amount) AS amount, SUM(b.n) AS n FROM by_day b GROUP BY b.shop";
const SCRIPT: &str = "CREATE TABLE by_day (day DATE NOT NULL, shop VARCHAR(20) NOT NULL, amount DECIMAL(20,2) NOT NULL, \
    n BIGINT NOT NULL, mean DECIMAL(20,8) NOT NULL, week INTEGER NOT NULL, weekday VARCHAR(20) NOT NULL, \
    notes CHAR(64) NOT NULL, rounds INTEGER NOT NULL, PRIMARY KEY (day, shop));\n\
    CREATE TABLE by_shop (shop VARCHAR(20) NOT NULL PRIMARY KEY, amount DECIMAL(20,2) NOT NULL, n BIGINT NOT NULL);\n";

/// One variable and a value that is not its own.
#[derive(Clone, Debug)]
struct Setting {
    name: String,
    value: String,
    own: String,
}

/// Those of the server, each with what it takes.
fn settings(admin: &mut Client, product: &str) -> Vec<Setting> {
    let sql = if product == "MariaDB" {
        "SELECT LOWER(VARIABLE_NAME), VARIABLE_TYPE, COALESCE(GLOBAL_VALUE, ''), COALESCE(NUMERIC_MIN_VALUE, ''), \
         COALESCE(NUMERIC_MAX_VALUE, '') FROM information_schema.SYSTEM_VARIABLES \
         WHERE VARIABLE_SCOPE = 'SESSION' AND READ_ONLY = 'NO' ORDER BY VARIABLE_NAME"
    } else {
        "SELECT m.VARIABLE_NAME, m.DATA_TYPE, g.VARIABLE_VALUE, m.MIN_VALUE, m.MAX_VALUE \
         FROM performance_schema.variables_metadata m JOIN performance_schema.global_variables g \
         ON g.VARIABLE_NAME = m.VARIABLE_NAME WHERE m.VARIABLE_SCOPE = 'SESSION' ORDER BY m.VARIABLE_NAME"
    };
    let mut found = Vec::new();
    for row in admin.rows(sql) {
        let [name, kind, own, least, most] = <[String; 5]>::try_from(row).unwrap();
        if LEFT_OUT.iter().any(|(left, _)| name.starts_with(left)) {
            continue;
        }
        for value in values(&name, &kind, &own, least, most) {
            found.push(Setting { name: name.clone(), value, own: own.clone() });
        }
    }
    found
}

/// Hostile values. An enumeration takes the number of a word; what a server does not take is found by trying.
fn values(name: &str, kind: &str, own: &str, least: String, most: String) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| format!("'{word}'")).collect();
    match name {
        "time_zone" => return words(&["+14:00", "-12:00"]),
        "system_versioning_asof" => return words(&["2001-01-01 00:00:00"]),
        "lc_time_names" | "lc_messages" => return words(&["de_DE", "ja_JP"]),
        "default_storage_engine"
        | "default_tmp_storage_engine"
        | "storage_engine"
        | "enforce_storage_engine" => {
            return words(&["MyISAM", "MEMORY"]);
        }
        "collation_connection" | "collation_server" | "collation_database" => {
            return words(&["utf8mb4_bin", "latin1_german1_ci"]);
        }
        "character_set_client"
        | "character_set_results"
        | "character_set_connection"
        | "character_set_server"
        | "character_set_database" => return words(&["latin1", "utf8mb4"]),
        "sql_mode" => {
            return words(&[
                "",
                "ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION",
                "TRADITIONAL,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,HIGH_NOT_PRECEDENCE,NO_AUTO_VALUE_ON_ZERO",
                "ORACLE",
                "TIME_TRUNCATE_FRACTIONAL,REAL_AS_FLOAT,IGNORE_SPACE",
            ]);
        }
        "optimizer_switch" => {
            let all = |on: &str| {
                own.split(',')
                    .map(|pair| format!("{}={on}", pair.split('=').next().unwrap()))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            return vec![format!("'{}'", all("off")), format!("'{}'", all("on"))];
        }
        _ => {}
    }
    let numeric = !least.is_empty() && least != "NULL";
    match kind.to_ascii_uppercase().as_str() {
        "BOOLEAN" => vec![if ["ON", "1"].contains(&own) { "0" } else { "1" }.to_owned()],
        "ENUM" | "ENUMERATION" => (0..5).map(|at| at.to_string()).collect(),
        "SET" | "FLAGSET" => vec!["''".to_owned(), "3".to_owned()],
        // A large buffer is a matter of memory, not of meaning.
        _ if numeric
            && ["size", "buffer", "alloc", "mem", "space"].iter().any(|word| name.contains(word)) =>
        {
            vec![least]
        }
        _ if numeric => vec![least, "1".to_owned(), most],
        _ => Vec::new(),
    }
}

/// How a run under hostile settings ended.
#[derive(Debug, PartialEq)]
enum Ended {
    Right,
    /// In words, and nothing wrong is published.
    Refused(String),
    Wrong(String),
}

struct World<'d> {
    db: &'d TestDb,
    /// Its sessions began before anything was set.
    judge: Client,
    admin: Client,
    sets: String,
    /// The URL of another account for dashagg and the application.
    as_user: Option<String>,
    round: u32,
}

impl<'d> World<'d> {
    fn new(db: &'d TestDb) -> Self {
        let set = db.dir().join("sets/shops");
        std::fs::create_dir_all(set.join("mysql")).unwrap();
        std::fs::write(set.join("summaries.toml"), MANIFEST).unwrap();
        std::fs::write(set.join("by_day.sql"), BY_DAY).unwrap();
        std::fs::write(set.join("by_shop.sql"), BY_SHOP).unwrap();
        std::fs::write(set.join("mysql/0001_tables.sql"), SCRIPT).unwrap();
        let mut judge = db.client();
        judge.exec("SET SESSION group_concat_max_len = 10000000");
        let rounds = if db.server.about().product == "MariaDB" {
            "max_recursive_iterations"
        } else {
            "cte_max_recursion_depth"
        };
        judge.exec(&format!("SET SESSION {rounds} = 100000"));
        judge.exec(
            "CREATE TABLE sales (id INTEGER NOT NULL PRIMARY KEY AUTO_INCREMENT, day DATE NOT NULL, shop VARCHAR(20) NOT NULL, \
             amount DECIMAL(12,2) NOT NULL, note VARCHAR(800) NOT NULL)",
        );
        for id in 1..=120 {
            judge.exec(&format!(
                "INSERT INTO sales (day, shop, amount, note) VALUES ('2025-01-{:02}', 'S{}', {id}.37, REPEAT('{id}x', 150))",
                1 + id % 8,
                id % 3
            ));
        }
        let admin = db.client();
        let sets = db.dir().join("sets").to_str().unwrap().to_owned();
        let mut world = World { db, judge, admin, sets, as_user: None, round: 0 };
        for verb in ["create", "refresh", "verify"] {
            world.dashagg(&[verb]).ok();
        }
        assert_eq!(world.difference(), None);
        world
    }

    fn dashagg(&self, arguments: &[&str]) -> common::Output {
        let url = self.as_user.as_ref().unwrap_or(&self.db.url);
        self.db.dashagg_without_url().args(["-D", url, "--sql-dir", &self.sets]).args(arguments).run()
    }

    /// Rows of the summaries that are not what an independent query says, the first of each.
    fn difference(&mut self) -> Option<String> {
        let by_shop = BY_SHOP.replace("FROM by_day b", &format!("FROM ({BY_DAY}) b"));
        for (table, columns, query) in [
            ("by_day", "day, shop, amount, n, mean, week, weekday, notes, rounds", BY_DAY),
            ("by_shop", "shop, amount, n", by_shop.as_str()),
        ] {
            // As stored: the table's own types round what the query computes.
            self.judge.exec(&format!("CREATE TEMPORARY TABLE expected LIKE {table}"));
            self.judge.exec(&format!("INSERT INTO expected ({columns}) {query}"));
            let text =
                columns.split(", ").map(|c| format!("CAST({c} AS CHAR)")).collect::<Vec<_>>().join(", ");
            let rows = |judge: &mut Client, from: &str| {
                judge.rows(&format!("SELECT {text} FROM {from} ORDER BY 1, 2"))
            };
            let (expected, actual) = (rows(&mut self.judge, "expected"), rows(&mut self.judge, table));
            self.judge.exec("DROP TEMPORARY TABLE expected");
            if expected != actual {
                let first = expected.iter().zip(&actual).find(|(e, a)| e != a);
                return Some(format!(
                    "{table}: {} rows, expected {}; {first:?}",
                    actual.len(),
                    expected.len()
                ));
            }
        }
        None
    }

    /// One change, in a session of the application's own; it commits, whatever its session is like.
    fn change(client: &mut Client, round: u32) -> Result<(), String> {
        client.try_exec("BEGIN")?;
        client.try_exec(&format!("UPDATE sales SET amount = amount + 1 WHERE id = {}", 1 + round % 100))?;
        client.try_exec(&format!(
            "UPDATE sales SET shop = CONCAT('S', {}) WHERE id = {}",
            round % 4,
            1 + round * 7 % 100
        ))?;
        client.try_exec(&format!(
            "INSERT INTO sales (day, shop, amount, note) VALUES ('2025-02-{:02}', 'S1', 5, REPEAT('n', 700))",
            1 + round % 20
        ))?;
        client.try_exec("COMMIT")
    }

    fn restore(&mut self, settings: &[Setting]) {
        for Setting { name, own, .. } in settings {
            let quoted = format!("'{}'", own.replace('\'', "''"));
            let spellings = [quoted.as_str(), own.as_str(), "NULL"];
            let done = spellings
                .iter()
                .any(|value| self.admin.try_exec(&format!("SET GLOBAL {name} = {value}")).is_ok());
            assert!(done, "{name} cannot be set back to {own:?}");
        }
    }

    fn set(&mut self, settings: &[Setting]) {
        for Setting { name, value, .. } in settings {
            let _ = self.admin.try_exec(&format!("SET GLOBAL {name} = {value}"));
        }
    }

    /// A change and what dashagg makes of it, all under these settings.
    fn tried(&mut self, settings: &[Setting]) -> Ended {
        self.round += 1;
        Self::change(&mut self.judge, self.round).unwrap();
        self.set(settings);
        let ended = self.run();
        self.restore(settings);
        ended
    }

    fn run(&mut self) -> Ended {
        // Fails or not: what it has written is what counts.
        if let Ok(mut application) =
            Client::try_connect(Kind::Mariadb, self.as_user.as_ref().unwrap_or(&self.db.url))
        {
            self.round += 1;
            let _ = Self::change(&mut application, self.round);
        }
        let mut refused = None;
        for verb in [&["create"][..], &["refresh"], &["refresh", "--full"], &["verify"]] {
            let output = self.dashagg(verb);
            if output.stderr.contains("panicked") {
                return Ended::Wrong(output.stderr);
            }
            match (output.code, verb[0]) {
                (0, "refresh") => {
                    if let Some(difference) = self.difference() {
                        return Ended::Wrong(format!("{verb:?} says it is done: {difference}"));
                    }
                }
                (0, _) => {}
                (4, "verify") => return Ended::Wrong(format!("{}{}", output.stdout, output.stderr)),
                _ => {
                    refused.get_or_insert(format!("{verb:?} {}: {}", output.code, output.stderr));
                }
            }
        }
        refused.map_or(Ended::Right, Ended::Refused)
    }

    /// Tries them together, and by themselves where that does not end right: a refusal would hide what others do.
    fn try_all(&mut self, settings: &[Setting], refused: &mut Vec<String>, wrong: &mut Vec<String>) {
        let ended = self.tried(settings);
        // Whatever became of it, the next run under ordinary settings is right; what was wrong must not pass for the next one's.
        let full = matches!(ended, Ended::Wrong(_));
        self.dashagg(if full { &["refresh", "--full"] } else { &["refresh"] }).ok();
        assert_eq!(self.difference(), None, "after {settings:?}: {ended:?}");
        match ended {
            Ended::Right => {}
            Ended::Refused(why) if settings.len() == 1 => refused.push(format!("{:?}: {why}", settings[0])),
            Ended::Wrong(why) if settings.len() == 1 => wrong.push(format!("{:?}: {why}", settings[0])),
            _ => {
                let (one, other) = settings.split_at(settings.len() / 2);
                self.try_all(one, refused, wrong);
                self.try_all(other, refused, wrong);
            }
        }
    }
}

#[test]
fn global_settings_change_no_number_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let mut world = World::new(db);
    let all = settings(&mut world.admin, db.server.about().product);
    // What the server does not take is no setting.
    let mut taken = Vec::new();
    for setting in all {
        let one = std::slice::from_ref(&setting);
        if world.admin.try_exec(&format!("SET GLOBAL {} = {}", setting.name, setting.value)).is_ok() {
            world.restore(one);
            taken.push(setting);
        }
    }
    let names: std::collections::BTreeSet<&str> = taken.iter().map(|setting| setting.name.as_str()).collect();
    let (mut refused, mut wrong) = (Vec::new(), Vec::new());
    // Of one variable only one value at a time.
    let mut batches: Vec<Vec<Setting>> = Vec::new();
    for setting in &taken {
        match batches
            .iter_mut()
            .find(|batch| batch.len() < 16 && batch.iter().all(|other| other.name != setting.name))
        {
            Some(batch) => batch.push(setting.clone()),
            None => batches.push(vec![setting.clone()]),
        }
    }
    for batch in &batches {
        world.try_all(batch, &mut refused, &mut wrong);
    }
    println!(
        "{}: {} settings, {} values, {} refused, {} wrong",
        db.server.describe(),
        names.len(),
        taken.len(),
        refused.len(),
        wrong.len()
    );
    for line in &refused {
        println!("refused: {line}");
    }
    assert!(names.len() > 100, "asked for few settings only: {names:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a server has every client say that has no right to be above it: people who come from other databases switch
/// autocommit off there.
#[test]
fn init_connect_changes_no_number_mariadb() {
    const SAID: &str = "SET autocommit = 0, completion_type = 2, sql_select_limit = 1, sql_safe_updates = 1, \
        transaction_isolation = 'SERIALIZABLE', time_zone = '+11:00', group_concat_max_len = 8, unique_checks = 0";
    let db = &TestDb::new(Kind::Mariadb);
    let mut world = World::new(db);
    let user = format!("u{}", db.name().trim_start_matches("dashagg_test_"));
    let said = SAID.replace(
        "transaction_isolation",
        if db.server.about().product == "MariaDB" { "tx_isolation" } else { "transaction_isolation" },
    );
    world.admin.exec(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'; GRANT ALL PRIVILEGES ON `{}`.* TO '{user}'@'%'",
        db.name()
    ));
    let own = world.admin.one("SELECT @@init_connect");
    let setting =
        [Setting { name: "init_connect".to_owned(), value: format!("'{}'", said.replace('\'', "''")), own }];
    world.as_user = Some(db.url.replace("//dashagg:", &format!("//{user}:")));
    let ended: Vec<Ended> = (0..3).map(|_| world.tried(&setting)).collect();
    world.admin.exec(&format!("DROP USER '{user}'@'%'"));
    assert!(ended.iter().all(|ended| *ended == Ended::Right), "{ended:?}");
}

fn main() -> std::process::ExitCode {
    common::harness::main()
}

//! Tracking signatures on MySQL and MariaDB: whatever a table is called, and however much there is to tell of it.

use crate::common::{Client, Dashagg, Kind, TestDb};
use crate::small::Tiny;

/// A database of any name, and a set with a summary for each of the tables in it.
struct Odd<'a> {
    db: &'a TestDb,
    name: String,
    client: Client,
    tables: Vec<String>,
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl<'a> Odd<'a> {
    /// `definitions`: the tables, and what follows their columns.
    fn new(db: &'a TestDb, suffix: &str, definitions: &[(&str, &str)]) -> Self {
        let name = format!("{}{suffix}", db.name());
        db.exec(&format!("CREATE DATABASE IF NOT EXISTS {}", quoted(&name)));
        let client = Client::connect(Kind::Mariadb, &Self::url(db, &name));
        let tables = definitions.iter().map(|(table, _)| (*table).to_owned()).collect();
        let mut odd = Odd { db, name, client, tables };
        let folder = db.dir().join("odd_sql/odd");
        std::fs::create_dir_all(folder.join("mysql")).unwrap();
        let mut manifest = String::new();
        let mut script = String::new();
        for (at, (table, definition)) in definitions.iter().enumerate() {
            let table_quoted = quoted(table);
            odd.client.exec(&format!(
                "CREATE TABLE {table_quoted} (day DATE NOT NULL, n INTEGER NOT NULL) {definition}; \
                 INSERT INTO {table_quoted} VALUES ('2025-01-01', 1), ('2025-01-02', 2), ('2025-02-01', 4)"
            ));
            let toml = serde_json::to_string(table).unwrap();
            manifest.push_str(&format!(
                "[sources.r{at}]\ntable = {toml}\npartition = ['day']\n[summaries.s{at}]\ntable = 'odd_{at}'\n\
                 select = 's{at}.sql'\nkey = ['day']\npartition = ['day']\n"
            ));
            let select = format!("SELECT day, SUM(n) AS total FROM {table_quoted} GROUP BY day\n");
            std::fs::write(folder.join(format!("s{at}.sql")), select).unwrap();
            script.push_str(&format!(
                "CREATE TABLE odd_{at} (day DATE NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n"
            ));
        }
        std::fs::write(folder.join("summaries.toml"), manifest).unwrap();
        std::fs::write(folder.join("mysql/0001_tables.sql"), script).unwrap();
        odd.dashagg("create").run().ok();
        odd.dashagg("refresh").run().ok();
        odd
    }

    fn url(db: &TestDb, name: &str) -> String {
        let bytes = name.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        db.url.replace(db.name(), &bytes.collect::<String>())
    }

    fn dashagg(&self, verb: &str) -> Dashagg {
        self.db
            .dashagg_without_url()
            .args(["-D", &Self::url(self.db, &self.name), "--sql-dir"])
            .arg(self.db.dir().join("odd_sql"))
            .arg(verb)
    }

    /// What no trigger sees is seen, and once only.
    #[track_caller]
    fn seen(&mut self, at: usize, what: &str, sql: &str) {
        let table = &self.tables[at];
        self.client.exec(&sql.replace("{t}", &quoted(table)));
        let name = format!("{what} of {table:?} in {:?}", self.name);
        let report = self.dashagg("refresh").args(["--allow-shrink", "--json"]).run().ok().json();
        let set = &report["sets"][0];
        assert_eq!(set["mode"], "complete", "{name}: {set:#}");
        assert!(set["reason"].as_str().unwrap().contains(table.as_str()), "{name}: {set:#}");
        let rows = |client: &mut Client, sql: String| client.rows(&sql);
        let raw = rows(
            &mut self.client,
            format!(
                "SELECT CAST(day AS CHAR), CAST(SUM(n) AS CHAR) FROM {} GROUP BY day ORDER BY 1",
                quoted(table)
            ),
        );
        let summary = format!("SELECT CAST(day AS CHAR), CAST(total AS CHAR) FROM odd_{at} ORDER BY 1");
        assert_eq!(rows(&mut self.client, summary), raw, "{name}");
        let again = self.dashagg("refresh").arg("--json").run().ok().json();
        assert_eq!(again["sets"][0]["status"], "noop", "{name}: {again:#}");
    }

    fn done(mut self) {
        if self.name == self.db.name() {
            return;
        }
        let name = quoted(&self.name);
        self.client.exec(&format!("DROP DATABASE {name}"));
    }
}

const TRUNCATE: &str = "TRUNCATE TABLE {t}; INSERT INTO {t} VALUES ('2025-01-01', 7)";

#[test]
fn truncate_in_a_database_whose_name_is_no_file_name() {
    let db = &TestDb::new(Kind::Mariadb);
    for suffix in ["-ü.x", " 'q' \"%_\\ #P#", "日本 мир ﷺ", "_ÄÉß.Ωé"] {
        let mut odd = Odd::new(db, suffix, &[("raw-rows", ""), ("raw_rows", ""), ("Größe", "")]);
        for at in 0..odd.tables.len() {
            odd.seen(at, "TRUNCATE", TRUNCATE);
        }
        odd.done();
        std::fs::remove_dir_all(db.dir().join("odd_sql")).unwrap();
    }
}

#[test]
fn truncate_of_a_table_whose_name_is_no_file_name() {
    let names = [
        "a.b c-d'e",
        "o\"100%\\a_b",
        "UPPER",
        "a#P#b",
        "x@y$z",
        "Größe",
        "€日本語мирİıⅧÅﬁ\u{a0}x",
        "a/b?(c)[d]*+|{1}^$",
        "con",
    ];
    let db = &TestDb::new(Kind::Mariadb);
    let mut odd = Odd::new(db, "", &names.map(|name| (name, "")));
    for at in 0..names.len() {
        odd.seen(at, "TRUNCATE", TRUNCATE);
    }
    // A neighbour whose name begins alike is none of ours.
    odd.client.exec(
        "CREATE TABLE `a.b c-d` (id INTEGER); TRUNCATE TABLE `a.b c-d`; CREATE TABLE `Größer` (id INTEGER)",
    );
    let quiet = odd.dashagg("refresh").arg("--json").run().ok().json();
    assert_eq!(quiet["sets"][0]["status"], "noop", "{quiet:#}");
    odd.done();
}

#[test]
fn partitions_of_any_name_are_watched() {
    let range = "PARTITION BY RANGE COLUMNS (day) (PARTITION `P-ü.1` VALUES LESS THAN ('2025-01-15'), \
                 PARTITION `Rest` VALUES LESS THAN (MAXVALUE))";
    let nested = "PARTITION BY RANGE (TO_DAYS(day)) SUBPARTITION BY HASH (n) SUBPARTITIONS 2 \
                  (PARTITION `P-ü.1` VALUES LESS THAN (TO_DAYS('2025-01-15')), PARTITION `Rest` VALUES LESS THAN MAXVALUE)";
    let truncate = "ALTER TABLE {t} TRUNCATE PARTITION `P-ü.1`";
    let db = &TestDb::new(Kind::Mariadb);
    let mut odd =
        Odd::new(db, "-x", &[("parts", range), ("Pärts.2", range), ("nested", nested), ("n #P#", nested)]);
    for at in 0..2 {
        odd.seen(
            at,
            "EXCHANGE PARTITION",
            "CREATE TABLE other LIKE {t}; ALTER TABLE other REMOVE PARTITIONING; \
             INSERT INTO other VALUES ('2025-01-03', 50); ALTER TABLE {t} EXCHANGE PARTITION `P-ü.1` WITH TABLE other; \
             DROP TABLE other",
        );
    }
    for at in 0..4 {
        odd.seen(at, "TRUNCATE PARTITION", truncate);
        odd.seen(at, "DROP PARTITION", "ALTER TABLE {t} DROP PARTITION `P-ü.1`");
    }
    odd.done();
}

/// MySQL gives 1,024 bytes of a GROUP_CONCAT unless told otherwise.
#[test]
fn the_last_of_many_partitions_is_watched() {
    let db = &TestDb::new(Kind::Mariadb);
    let mut parts: Vec<String> = (1..=80)
        .map(|at| {
            let (year, month) = (2018 + at / 12, at % 12 + 1);
            format!("PARTITION partition_{year}{month:02} VALUES LESS THAN ('{year}-{month:02}-01')")
        })
        .collect();
    parts.push("PARTITION z_rest VALUES LESS THAN (MAXVALUE)".to_owned());
    let many = format!("PARTITION BY RANGE COLUMNS (day) ({})", parts.join(", "));
    let mut odd = Odd::new(db, "", &[("raw_rows", &many)]);
    odd.seen(0, "TRUNCATE PARTITION", "ALTER TABLE {t} TRUNCATE PARTITION z_rest");
    odd.done();
}

#[test]
fn a_new_cascade_among_many_is_seen() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE TABLE zz_grand (id INTEGER NOT NULL PRIMARY KEY); INSERT INTO zz_grand VALUES (1); \
         CREATE TABLE zz_parent (id INTEGER NOT NULL PRIMARY KEY, grand INTEGER NOT NULL, KEY (grand)); \
         INSERT INTO zz_parent VALUES (1, 1); ALTER TABLE raw_rows ADD COLUMN parent INTEGER NOT NULL DEFAULT 1, \
         ADD CONSTRAINT zz_raw FOREIGN KEY (parent) REFERENCES zz_parent (id) ON DELETE CASCADE",
    );
    for at in 0..40 {
        db.exec(&format!(
            "CREATE TABLE an_other_table_{at} (id INTEGER NOT NULL, CONSTRAINT a_rather_long_constraint_{at} \
             FOREIGN KEY (id) REFERENCES zz_grand (id) ON DELETE CASCADE)"
        ));
    }
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec(
        "ALTER TABLE zz_parent ADD CONSTRAINT zz_parent_grand FOREIGN KEY (grand) REFERENCES zz_grand (id) \
         ON DELETE CASCADE",
    );
    let report = tiny.dashagg().args(["refresh", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["mode"], "complete", "{report:#}");
    db.exec("DELETE FROM zz_grand");
    tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    assert_eq!(db.one("SELECT CAST(COUNT(*) AS CHAR) FROM tiny_days"), "0");
}

/// What a server allows, and MySQL allows little, does not decide what is published.
#[test]
fn a_long_group_concat_is_published_whole() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    tiny.write("days.sql", "SELECT day, GROUP_CONCAT(n ORDER BY n) AS total FROM raw_rows GROUP BY day\n");
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE tiny_days (day DATE NOT NULL PRIMARY KEY, total LONGTEXT NOT NULL);\n",
    );
    tiny.create().ok();
    let digits = "(SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 \
                  UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
    db.exec(&format!(
        "INSERT INTO raw_rows SELECT '2025-01-03', a.n * 1000 + b.n * 100 + c.n * 10 + d.n FROM {digits} a, {digits} b, \
         {digits} c, {digits} d"
    ));
    tiny.refresh().ok();
    // 10 + 90 * 2 + 900 * 3 + 9,000 * 4 digits, and commas between 10,000 numbers.
    assert_eq!(db.one("SELECT CAST(LENGTH(total) AS CHAR) FROM tiny_days WHERE day = '2025-01-03'"), "48889");
    tiny.dashagg().arg("verify").run().ok();
}

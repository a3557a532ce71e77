//! The application's session is what it would be without dashagg: what a statement says of itself, and what it leaves
//! behind for the next one, is the same with tracking and without.

use crate::common::{Client, Kind, TestDb};
use crate::small::Tiny;

/// Statements and questions about them, in one session; the answers.
fn answers(client: &mut Client, statements: &[&str], questions: &[&str]) -> Vec<(String, Vec<Vec<String>>)> {
    let mut all = Vec::new();
    for statement in statements {
        for question in questions {
            let _ = client.try_exec(statement);
            let rows = client.try_rows(question).unwrap_or_else(|error| vec![vec![error]]);
            all.push((format!("{statement} / {question}"), rows));
        }
    }
    all
}

/// The source `raw_rows` with a number that the server gives, filled as the application would.
fn source(db: &TestDb) -> Tiny<'_> {
    let tiny = Tiny::new(db);
    db.exec(match db.kind {
        Kind::Mariadb => {
            "DROP TABLE raw_rows; CREATE TABLE raw_rows (id INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY, day DATE NOT NULL, \
             kind VARCHAR(10) NOT NULL, n INTEGER NOT NULL)"
        }
        Kind::Postgres => {
            "DROP TABLE raw_rows; CREATE TABLE raw_rows (id serial PRIMARY KEY, day date NOT NULL, kind text NOT NULL, n integer NOT NULL)"
        }
        Kind::Sqlite => {
            "DROP TABLE raw_rows; CREATE TABLE raw_rows (id INTEGER PRIMARY KEY, day TEXT NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL)"
        }
    });
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['day']\ntrack_columns = ['day', 'kind']\nmax_notes = 100\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day', 'kind']\npartition = ['day']\nrecompute_by = ['day', 'kind']\n",
    );
    tiny.write("days.sql", "SELECT day, kind, SUM(n) AS total FROM raw_rows GROUP BY day, kind\n");
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE tiny_days (day DATE NOT NULL, kind VARCHAR(10) NOT NULL, total BIGINT NOT NULL, PRIMARY KEY (day, kind));\n",
    );
    tiny
}

/// The same twice, on databases that differ in tracking only; then again where more notes wait than are kept.
fn no_difference(kind: Kind, statements: &[&str], questions: &[&str]) {
    let (without, with) = (TestDb::new(kind), TestDb::new(kind));
    source(&without);
    let tiny = source(&with);
    tiny.create().ok();
    let plain = answers(&mut without.client(), statements, questions);
    let tracked = answers(&mut with.client(), statements, questions);
    for (plain, tracked) in plain.iter().zip(&tracked) {
        assert_eq!(plain, tracked);
    }
    let many: Vec<String> =
        (0..300).map(|at| format!("('2025-02-{:02}', 'k{at}', 1)", at % 28 + 1)).collect();
    for db in [&without, &with] {
        for row in many.chunks(5) {
            db.exec(&format!("INSERT INTO raw_rows (day, kind, n) VALUES {}", row.join(", ")));
        }
    }
    let plain = answers(&mut without.client(), statements, questions);
    let tracked = answers(&mut with.client(), statements, questions);
    for (plain, tracked) in plain.iter().zip(&tracked) {
        assert_eq!(plain, tracked);
    }
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

#[test]
fn statements_say_the_same_of_themselves_mariadb() {
    no_difference(
        Kind::Mariadb,
        &[
            "INSERT INTO raw_rows (day, kind, n) VALUES ('2025-01-01', 'a', 1), ('2025-01-02', 'b', 2)",
            "INSERT INTO raw_rows (day, kind, n) SELECT day, kind, n FROM raw_rows WHERE id < 3",
            "INSERT IGNORE INTO raw_rows (id, day, kind, n) VALUES (1, '2025-01-01', 'a', 1)",
            "INSERT INTO raw_rows (id, day, kind, n) VALUES (1, '2025-01-01', 'a', 1) ON DUPLICATE KEY UPDATE n = n + 1",
            // Of another row each time: one that is there to the last digit counts 1, and 2 once a table has any trigger on
            // DELETE (docs/operations.md).
            "REPLACE INTO raw_rows (id, day, kind, n) VALUES (2, '2025-01-03', 'c', UUID_SHORT() % 1000000)",
            "UPDATE raw_rows SET n = n + 1 WHERE id < 5",
            "UPDATE raw_rows SET n = n WHERE id < 5",
            "UPDATE raw_rows SET n = 1 WHERE id < 0",
            "INSERT INTO raw_rows (day, kind, n) VALUES ('2025-01-01', 'a', 1 / 3)",
            "INSERT INTO raw_rows (day, kind, n) VALUES ('2025-01-01', 'far too long for it', 1)",
            "INSERT INTO raw_rows (day, kind, n) SELECT '2025-01-04', CONCAT('k', seq % 40), seq FROM (SELECT ROW_NUMBER() OVER () AS seq \
             FROM (SELECT 1 FROM information_schema.COLLATIONS a, information_schema.COLLATIONS b LIMIT 6000) x) numbers",
            "SELECT SQL_CALC_FOUND_ROWS * FROM raw_rows LIMIT 1",
            "DELETE FROM raw_rows WHERE id = 3",
            "DELETE FROM raw_rows WHERE n < 0",
        ],
        &[
            "SELECT LAST_INSERT_ID()",
            "SELECT ROW_COUNT()",
            "SELECT FOUND_ROWS()",
            "SELECT @@warning_count, @@error_count",
            "SHOW WARNINGS",
            "SELECT @@in_transaction, @@autocommit, @@sql_mode, @@time_zone, @@identity",
        ],
    );
}

#[test]
fn statements_say_the_same_of_themselves_postgres() {
    no_difference(
        Kind::Postgres,
        &[
            "INSERT INTO raw_rows (day, kind, n) VALUES ('2025-01-01', 'a', 1), ('2025-01-02', 'b', 2)",
            "INSERT INTO raw_rows (day, kind, n) SELECT day, kind, n FROM raw_rows WHERE id < 3",
            "INSERT INTO raw_rows (id, day, kind, n) VALUES (1, '2025-01-01', 'a', 1) ON CONFLICT (id) DO UPDATE SET n = 7",
            "UPDATE raw_rows SET n = n + 1 WHERE id < 5",
            "DELETE FROM raw_rows WHERE id = 3",
            "SELECT setseed(0.5)",
        ],
        &[
            "SELECT lastval()",
            "SELECT currval('raw_rows_id_seq')",
            "SELECT random() IS NULL",
            "SELECT current_setting('timezone'), current_setting('search_path'), current_setting('standard_conforming_strings')",
            "SELECT current_user, session_user, pg_my_temp_schema()",
        ],
    );
}

/// The next random number of a session that has set its seed.
#[test]
fn random_numbers_stay_the_same_postgres() {
    let draw = |tracked: bool| {
        let db = TestDb::new(Kind::Postgres);
        let tiny = source(&db);
        if tracked {
            tiny.create().ok();
        }
        let mut client = db.client();
        client
            .exec("SELECT setseed(0.25); INSERT INTO raw_rows (day, kind, n) VALUES ('2025-01-01', 'a', 1)");
        client.one("SELECT random()")
    };
    assert_eq!(draw(true), draw(false));
}

/// `total_changes()` counts what triggers do, whoever made them; nothing else differs.
#[test]
fn statements_say_the_same_of_themselves_sqlite() {
    no_difference(
        Kind::Sqlite,
        &[
            "INSERT INTO raw_rows (day, kind, n) VALUES ('2025-01-01', 'a', 1), ('2025-01-02', 'b', 2)",
            "INSERT INTO raw_rows (day, kind, n) SELECT day, kind, n FROM raw_rows WHERE id < 3",
            "INSERT OR REPLACE INTO raw_rows (id, day, kind, n) VALUES (1, '2025-01-03', 'c', 1)",
            "INSERT OR IGNORE INTO raw_rows (id, day, kind, n) VALUES (1, '2025-01-03', 'c', 1)",
            "UPDATE raw_rows SET n = n + 1 WHERE id < 5",
            "DELETE FROM raw_rows WHERE id = 3",
        ],
        &["SELECT last_insert_rowid()", "SELECT changes()"],
    );
}

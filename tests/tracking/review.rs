//! Faults that a hostile reader found: changes that were lost, or that stopped the application.

use crate::common::{Kind, TestDb, conformance};
use crate::small::Tiny;

#[test]
fn a_writer_in_another_time_zone_notes_the_day_that_a_refresh_finds_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(db);
    db.exec("CREATE TABLE events (at timestamptz NOT NULL, n integer NOT NULL)");
    tiny.write(
        "summaries.toml",
        "[sources.events]\npartition = { day = 'at::date' }\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n",
    );
    tiny.write("days.sql", "SELECT at::date AS day, SUM(n) AS total FROM events GROUP BY at::date\n");
    db.exec("INSERT INTO events VALUES ('2025-01-01 12:00+00', 1), ('2025-01-02 12:00+00', 1)");
    tiny.create().ok();
    tiny.refresh().ok();
    // The second of January there, the first in UTC.
    db.exec("SET timezone = 'Australia/Sydney'; INSERT INTO events VALUES ('2025-01-01 20:00+00', 5)");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-01'"), "6");
    tiny.dashagg().arg("verify").run().ok();
}

#[test]
fn an_expression_over_a_timestamp_needs_its_zone_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    db.exec("CREATE TABLE events (at TIMESTAMP NOT NULL, n INTEGER NOT NULL)");
    let with = |day: &str| {
        tiny.write(
            "summaries.toml",
            &format!(
                "[sources.events]\npartition = {{ day = \"{day}\" }}\n\
                 [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n"
            ),
        );
        tiny.write("days.sql", &format!("SELECT {day} AS day, SUM(n) AS total FROM events GROUP BY {day}\n"));
    };
    with("DATE(at)");
    let said = tiny.create().code(2).stderr;
    assert!(said.contains("sources.events.partition.day") && said.contains("CONVERT_TZ(at"), "{said}");
    with("DATE(CONVERT_TZ(at, @@session.time_zone, '+00:00'))");
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("SET time_zone = '+10:00'; INSERT INTO events VALUES ('2025-01-02 06:00:00', 5)");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-01'"), "5");
    tiny.dashagg().arg("verify").run().ok();
}

conformance!(a_finer_partition_is_tracked_anew, |db: &TestDb| {
    let tiny = Tiny::new(db);
    db.exec("CREATE TABLE events (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, n INTEGER NOT NULL)");
    let with = |partition: &str| {
        tiny.write(
            "summaries.toml",
            &format!(
                "[sources.events]\npartition = {partition}\ntrack_columns = ['day', 'kind']\n\
                 [summaries.kinds]\ntable = 'tiny_kinds'\nselect = 'kinds.sql'\nkey = ['day', 'kind']\n\
                 partition = {partition}\nrecompute_by = ['day', 'kind']\n"
            ),
        );
    };
    with("['day']");
    tiny.write("kinds.sql", "SELECT day, kind, SUM(n) AS total FROM events GROUP BY day, kind\n");
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE IF NOT EXISTS tiny_kinds (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, total BIGINT NOT NULL, \
         PRIMARY KEY (day, kind));\n",
    );
    db.exec("INSERT INTO events VALUES ('2025-01-01', 'a', 1), ('2025-01-01', 'b', 1)");
    tiny.create().ok();
    tiny.refresh().ok();
    with("['day', 'kind']");
    tiny.refresh().ok();
    // More rows than are noted one by one: by partition, which is finer now.
    let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let day = if db.kind == Kind::Postgres { "DATE '2025-01-01'" } else { "'2025-01-01'" };
    db.exec(&format!(
        "INSERT INTO events SELECT {day}, 'a', 1 FROM {digits} a, {digits} b, {digits} c, {digits} e"
    ));
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_kinds WHERE kind = 'a'"), "10001");
    tiny.dashagg().arg("verify").run().ok();
});

conformance!(partitions_that_no_source_tells_of_are_computed, |db: &TestDb| {
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE TABLE calendar (day DATE NOT NULL PRIMARY KEY); \
         INSERT INTO calendar VALUES ('2025-01-01'), ('2025-01-02'), ('2025-01-03')",
    );
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['day']\n[sources.calendar]\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n",
    );
    tiny.write(
        "days.sql",
        "SELECT c.day, COALESCE(SUM(r.n), 0) AS total FROM calendar c LEFT JOIN raw_rows r ON r.day = c.day GROUP BY c.day\n",
    );
    tiny.create().ok();
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_days"), "3");
    db.exec("INSERT INTO calendar VALUES ('2025-01-04')");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_days"), "4");
    tiny.dashagg().arg("verify").run().ok();
    // And verify sees one that is missing.
    db.exec("DELETE FROM tiny_days WHERE day = '2025-01-03'");
    tiny.dashagg().arg("verify").run().code(4);
});

#[test]
fn triggers_on_parents_go_with_the_set_though_the_foreign_key_went_before_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE TABLE owners (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO owners VALUES (1), (2); \
         ALTER TABLE raw_rows ADD COLUMN owner BIGINT NULL, \
         ADD CONSTRAINT of_owner FOREIGN KEY (owner) REFERENCES owners (id) ON DELETE CASCADE",
    );
    tiny.create().ok();
    db.exec("ALTER TABLE raw_rows DROP FOREIGN KEY of_owner");
    tiny.dashagg().args(["drop", "tiny", "--yes"]).run().ok();
    db.exec("DELETE FROM owners WHERE id = 1");
    assert_eq!(
        db.one("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()"),
        "0"
    );
}

conformance!(old_runs_are_forgotten_and_the_last_one_is_known, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec(
        "INSERT INTO dashagg_run (run_id, set_name, mode, status, started_at, finished_at, seconds, partitions, inserted, \
         updated, deleted, retries, host, pid) VALUES ('20200101T000000Z-1-1', 'tiny', 'complete', 'ok', \
         '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z', 1, 1, 1, 0, 0, 0, 'h', 1)",
    );
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 3)");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM dashagg_run WHERE run_id LIKE '2020%'"), "0");
    let status = tiny.dashagg().args(["status", "--json"]).run().ok().json();
    let last = &status["summaries"][0]["last_run"];
    assert_eq!(last["mode"], "incremental", "{status:#}");
});

#[test]
fn a_parent_can_be_written_when_its_foreign_key_and_column_are_gone_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE TABLE owners (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO owners VALUES (1), (2); \
         CREATE TABLE makers (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO makers VALUES (1), (2); \
         ALTER TABLE raw_rows ADD COLUMN owner BIGINT NULL, ADD COLUMN maker BIGINT NULL, \
         ADD CONSTRAINT a_owner FOREIGN KEY (owner) REFERENCES owners (id) ON DELETE CASCADE, \
         ADD CONSTRAINT b_maker FOREIGN KEY (maker) REFERENCES makers (id) ON DELETE CASCADE; \
         UPDATE raw_rows SET maker = 1 WHERE n = 1",
    );
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("ALTER TABLE raw_rows DROP FOREIGN KEY a_owner; ALTER TABLE raw_rows DROP COLUMN owner");
    tiny.refresh().ok();
    db.exec("DELETE FROM owners WHERE id = 1; UPDATE owners SET id = 3 WHERE id = 2");
    // The other one's is seen as before.
    db.exec("DELETE FROM makers WHERE id = 1");
    tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    assert_eq!(db.one("SELECT SUM(total) FROM tiny_days"), "2");
}

conformance!(a_log_that_somebody_dropped_is_made_anew, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.create().ok();
    tiny.refresh().ok();
    let id = db.one("SELECT track_id FROM dashagg_source");
    for (at, table) in ["log", "work", "log"].into_iter().enumerate() {
        db.exec(&format!("DROP TABLE dashagg_{table}_{id}"));
        let healed = if at == 2 { tiny.create() } else { tiny.refresh() };
        healed.ok();
        db.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 1)");
        tiny.refresh().ok();
        assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-01'"), (at + 2).to_string());
    }
    tiny.dashagg().arg("verify").run().ok();
});

#[test]
fn a_trigger_that_somebody_edited_is_made_anew_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    tiny.create().ok();
    tiny.refresh().ok();
    let all = "SELECT trigger_name, action_statement FROM information_schema.triggers \
               WHERE trigger_schema = DATABASE() AND event_manipulation = 'UPDATE'";
    let [name, text] = db.rows(all).remove(0).try_into().unwrap();
    // What it says of itself stays, what it does comes to be conditional.
    let (head, tail) = text.split_once("END IF;").unwrap();
    let edited = format!("{head}END IF; IF @bulk IS NULL THEN {} END IF; END", tail.trim_end_matches("END"));
    db.exec(&format!("DROP TRIGGER {name}"));
    db.exec(&format!("CREATE TRIGGER {name} AFTER UPDATE ON raw_rows FOR EACH ROW {edited}"));
    tiny.refresh().ok();
    assert_eq!(db.rows(all), [[name, text]]);
    db.exec("SET @bulk = 1; UPDATE raw_rows SET n = 5 WHERE n = 1");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

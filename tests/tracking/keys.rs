//! Keys as real tables have them: spelled in several ways, of other types than they were, NULL, computed.

use crate::common::{Kind, TestDb, conformance};
use crate::small::Tiny;

/// Rows of so many kinds that one of them is refreshed by its key, not with all of its day.
fn many_kinds(day: &str) -> String {
    let rows: Vec<String> = (0..100).map(|n| format!("('{day}', 'K{n:02}', 1)")).collect();
    format!("INSERT INTO events (day, kind, n) VALUES {}", rows.join(", "))
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS tiny_kinds (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, \
    total BIGINT NOT NULL, PRIMARY KEY (day, kind));\n";

/// What has to be made first, and a type whose values are equal in upper and lower case.
fn loose(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Mariadb => ("", "VARCHAR(9) COLLATE utf8mb4_general_ci"),
        Kind::Postgres => (
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ",
            "VARCHAR(9) COLLATE nocase",
        ),
        Kind::Sqlite => ("", "VARCHAR(9) COLLATE NOCASE"),
    }
}

/// A summary by day and kind, over `events(day, kind, n)`.
fn by_kind(tiny: &Tiny<'_>, select: &str, script: &str) {
    tiny.write(
        "summaries.toml",
        "[sources.events]\npartition = ['day']\ntrack_columns = ['day', 'kind']\n\
         [summaries.kinds]\ntable = 'tiny_kinds'\nselect = 'kinds.sql'\nkey = ['day', 'kind']\n\
         partition = ['day']\nrecompute_by = ['day', 'kind']\n",
    );
    tiny.write("kinds.sql", select);
    tiny.script("0001_days.sql", script);
}

conformance!(a_key_that_the_source_spells_in_two_ways_is_counted_once, |db: &TestDb| {
    let tiny = Tiny::new(db);
    let (prepare, loose) = loose(db.kind);
    let strict = if db.kind == Kind::Mariadb { "VARCHAR(9) COLLATE utf8mb4_bin" } else { "VARCHAR(9)" };
    db.exec(&format!(
        "{prepare}CREATE TABLE events (day DATE NOT NULL, kind {loose} NOT NULL, n INTEGER NOT NULL)"
    ));
    by_kind(
        &tiny,
        "SELECT day, kind, SUM(n) AS total FROM events GROUP BY day, kind\n",
        &format!(
            "CREATE TABLE IF NOT EXISTS tiny_kinds (day DATE NOT NULL, kind {strict} NOT NULL, total BIGINT NOT NULL, \
             PRIMARY KEY (day, kind));\n"
        ),
    );
    db.exec(&many_kinds("2025-01-01"));
    db.exec("INSERT INTO events VALUES ('2025-01-01', 'B01', 5)");
    tiny.create().ok();
    tiny.refresh().ok();
    let total = "SELECT SUM(total) FROM tiny_kinds";
    assert_eq!(db.one(total), "105");
    db.exec("INSERT INTO events VALUES ('2025-01-01', 'b01', 1)");
    tiny.refresh().ok();
    assert_eq!(db.one(total), "106");
    db.exec("UPDATE events SET kind = 'b01' WHERE n = 5");
    tiny.refresh().ok();
    assert_eq!(db.one(total), "106");
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_kinds"), "101");
    tiny.dashagg().arg("verify").run().ok();
    let full = tiny.dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    assert_eq!(full["sets"][0]["summaries"][0]["updated"], 0, "{full:#}");
});

conformance!(a_dimension_that_spells_its_key_in_another_way_reaches_its_rows, |db: &TestDb| {
    let tiny = Tiny::new(db);
    let (prepare, loose) = loose(db.kind);
    db.exec(&format!(
        "{prepare}CREATE TABLE events (day DATE NOT NULL, kind {loose} NOT NULL, n INTEGER NOT NULL); \
         CREATE TABLE kinds (kind {loose} NOT NULL PRIMARY KEY, grp INTEGER NOT NULL)"
    ));
    by_kind(
        &tiny,
        "SELECT e.day, e.kind, e.total, COALESCE(k.grp, 0) AS grp FROM (SELECT day, kind, SUM(n) AS total FROM events \
         GROUP BY day, kind) e LEFT JOIN kinds k ON k.kind = e.kind\n",
        "CREATE TABLE IF NOT EXISTS tiny_kinds (day DATE NOT NULL, kind VARCHAR(9) NOT NULL, total BIGINT NOT NULL, \
         grp BIGINT NOT NULL, PRIMARY KEY (day, kind));\n",
    );
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write(
        "summaries.toml",
        &manifest.replace(
            "[summaries.kinds]",
            "[sources.kinds]\ninvalidates = { summary = 'kinds', on = ['kind'] }\n[summaries.kinds]",
        ),
    );
    db.exec("INSERT INTO events VALUES ('2025-01-01', 'b01', 1), ('2025-01-02', 'other', 1)");
    db.exec("INSERT INTO kinds VALUES ('B01', 1)");
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("UPDATE kinds SET grp = 7 WHERE kind = 'B01'");
    // What waits is left out of the comparison, and nothing else is.
    tiny.dashagg().arg("verify").run().ok();
    db.exec("UPDATE tiny_kinds SET total = 99 WHERE kind = 'other'");
    let said = tiny.dashagg().arg("verify").run().code(4).stdout;
    assert!(said.contains("2025-01-02") && !said.contains("2025-01-01"), "{said}");
    db.exec("UPDATE tiny_kinds SET total = 1 WHERE kind = 'other'");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT grp FROM tiny_kinds WHERE kind = 'b01'"), "7");
    tiny.dashagg().arg("verify").run().ok();
});

conformance!(rows_without_a_partition_get_the_one_that_the_select_gives_them, |db: &TestDb| {
    let tiny = Tiny::new(db);
    let none = if db.kind == Kind::Sqlite { "'1970-01-01'" } else { "DATE '1970-01-01'" };
    db.exec("CREATE TABLE events (day DATE NULL, kind VARCHAR(9) NULL, n INTEGER NOT NULL)");
    by_kind(
        &tiny,
        &format!(
            "SELECT COALESCE(day, {none}) AS day, COALESCE(kind, '?') AS kind, SUM(n) AS total FROM events \
             GROUP BY COALESCE(day, {none}), COALESCE(kind, '?')\n"
        ),
        TABLE,
    );
    db.exec(&many_kinds("2025-01-01"));
    db.exec("INSERT INTO events VALUES (NULL, 'a', 5)");
    tiny.create().ok();
    tiny.refresh().ok();
    let total = "SELECT SUM(total) FROM tiny_kinds";
    assert_eq!(db.one(total), "105");
    for (rows, sum) in
        [("(NULL, 'b', 1)", "106"), ("('2025-01-01', NULL, 1)", "107"), ("('2025-01-09', 'c', 1)", "108")]
    {
        db.exec(&format!("INSERT INTO events VALUES {rows}"));
        tiny.refresh().ok();
        assert_eq!(db.one(total), sum, "{rows}");
    }
    tiny.dashagg().arg("verify").run().ok();
});

conformance!(single_keys_of_a_computed_partition_keep_their_sums, |db: &TestDb| {
    let tiny = Tiny::new(db);
    // On MariaDB with the server's default, which ignores case, in both tables: then keys are told apart alike.
    let (moment, day) = match db.kind {
        Kind::Mariadb => ("DATETIME", "DATE(at)"),
        Kind::Postgres => ("timestamp", "at::date"),
        Kind::Sqlite => ("DATETIME", "date(at)"),
    };
    db.exec(&format!(
        "CREATE TABLE events (at {moment} NOT NULL, kind VARCHAR(9) NOT NULL, n INTEGER NOT NULL)"
    ));
    by_kind(
        &tiny,
        &format!("SELECT {day} AS day, kind, SUM(n) AS total FROM events GROUP BY {day}, kind\n"),
        TABLE,
    );
    tiny.write(
        "summaries.toml",
        &format!(
            "[sources.events]\npartition = {{ day = '{day}' }}\ntrack_columns = ['day', 'kind']\ntotals = {{ total = 'SUM(n)' }}\n\
             [summaries.kinds]\ntable = 'tiny_kinds'\nselect = 'kinds.sql'\nkey = ['day', 'kind']\n\
             partition = ['day']\nrecompute_by = ['day', 'kind']\nreconcile = [{{ columns = ['total'] }}]\n"
        ),
    );
    db.exec(&many_kinds("2025-01-01 10:00:00").replace("(day, kind, n)", "(at, kind, n)"));
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("UPDATE events SET n = 4 WHERE kind = 'K07'");
    let said = tiny.dashagg().args(["refresh", "--dry-run"]).run().ok().stdout;
    assert!(said.contains("1 key changed") && said.contains("kinds: 1 key in 1 step"), "{said}");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT SUM(total) FROM tiny_kinds"), "103");
    tiny.dashagg().arg("verify").run().ok();
});

conformance!(a_partition_by_itself_does_not_make_the_summary_fresh, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.create().ok();
    tiny.refresh().ok();
    let refreshed = || {
        let status = tiny.dashagg().args(["status", "--json"]).run().ok().json();
        status["summaries"][0]["refreshed_at"].as_str().unwrap().to_owned()
    };
    let before = refreshed();
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 3), ('2025-01-02', 3)");
    tiny.dashagg().args(["refresh", "--partition", "2025-01-02"]).run().ok();
    assert_eq!(db.one("SELECT SUM(total) FROM tiny_days"), "6");
    assert_eq!(refreshed(), before, "the other day still waits");
    tiny.refresh().ok();
    assert_ne!(refreshed(), before);
});

/// A note that does not fit the log would fail the application's write.
fn outgrown(db: &TestDb, cast: &str, alter: &str) {
    let tiny = Tiny::new(db);
    db.exec("CREATE TABLE events (day DATE NOT NULL, kind INTEGER NOT NULL, n INTEGER NOT NULL)");
    by_kind(
        &tiny,
        &format!("SELECT day, {cast} AS kind, SUM(n) AS total FROM events GROUP BY day, {cast}\n"),
        TABLE,
    );
    db.exec("INSERT INTO events VALUES ('2025-01-01', 7, 1)");
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec(alter);
    tiny.create().ok();
    db.exec("INSERT INTO events VALUES ('2025-01-01', 'seven', 5)");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_kinds WHERE kind = 'seven'"), "5");
    db.exec("UPDATE events SET n = 6 WHERE kind = 'seven'");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

#[test]
fn a_source_whose_key_became_text_takes_writes_postgres() {
    outgrown(&TestDb::new(Kind::Postgres), "kind::text", "ALTER TABLE events ALTER kind TYPE text");
}

#[test]
fn a_source_whose_key_became_text_takes_writes_mariadb() {
    outgrown(
        &TestDb::new(Kind::Mariadb),
        "CAST(kind AS CHAR(9))",
        "ALTER TABLE events MODIFY kind VARCHAR(9) COLLATE utf8mb4_bin NOT NULL",
    );
}

#[test]
fn an_expression_that_fails_in_a_trigger_is_refused_before_a_write_fails_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE FUNCTION local_day(timestamptz) RETURNS date LANGUAGE sql IMMUTABLE \
         AS 'SELECT ($1 AT TIME ZONE ''UTC'')::date'; \
         CREATE TABLE events (at timestamptz NOT NULL, n integer NOT NULL)",
    );
    let with = |day: &str| {
        tiny.write(
            "summaries.toml",
            &format!(
                "[sources.events]\npartition = {{ day = '{day}' }}\n\
                 [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n"
            ),
        );
        tiny.write("days.sql", &format!("SELECT {day} AS day, SUM(n) AS total FROM events GROUP BY {day}\n"));
    };
    with("local_day(at)");
    let said = tiny.create().code(2).stderr;
    assert!(said.contains("sources.events.partition") && said.contains("with their schema"), "{said}");
    db.exec("INSERT INTO events VALUES ('2025-01-01 12:00+00', 1)");
    with("public.local_day(at)");
    tiny.create().ok();
    db.exec("INSERT INTO events VALUES ('2025-01-01 12:00+00', 1)");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days"), "2");
}

#[test]
fn partitions_may_be_of_types_without_a_least_value_postgres() {
    for (kind, values) in [
        ("uuid", ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]),
        ("boolean", ["f", "t"]),
    ] {
        let db = &TestDb::new(Kind::Postgres);
        let tiny = Tiny::new(db);
        db.exec(&format!("CREATE TABLE events (tenant {kind} NOT NULL, n integer NOT NULL); CREATE INDEX ON events (tenant)"));
        tiny.write(
            "summaries.toml",
            "[sources.events]\npartition = ['tenant']\n\
             [summaries.tenants]\ntable = 'tiny_tenants'\nselect = 'tenants.sql'\nkey = ['tenant']\npartition = ['tenant']\n",
        );
        tiny.write("tenants.sql", "SELECT tenant, SUM(n) AS total FROM events GROUP BY tenant\n");
        tiny.script(
            "0001_days.sql",
            &format!("CREATE TABLE tiny_tenants (tenant {kind} PRIMARY KEY, total bigint NOT NULL);\n"),
        );
        db.exec(&format!("INSERT INTO events VALUES ('{}', 1), ('{}', 2)", values[0], values[1]));
        tiny.create().ok();
        tiny.refresh().ok();
        db.exec(&format!("INSERT INTO events VALUES ('{}', 5)", values[1]));
        tiny.refresh().ok();
        assert_eq!(
            db.one(&format!("SELECT total FROM tiny_tenants WHERE tenant = '{}'", values[1])),
            "7",
            "{kind}"
        );
        tiny.dashagg().arg("verify").run().ok();
    }
}

#[test]
fn labels_may_have_the_name_of_a_type_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    let kind = "ENUM('print', 'online') NOT NULL";
    db.exec(&format!("CREATE TABLE events (day DATE NOT NULL, kind {kind}, n INTEGER NOT NULL)"));
    by_kind(
        &tiny,
        "SELECT day, kind, SUM(n) AS total FROM events GROUP BY day, kind\n",
        &format!(
            "CREATE TABLE tiny_kinds (day DATE NOT NULL, kind {kind}, total BIGINT NOT NULL, PRIMARY KEY (day, kind));\n"
        ),
    );
    db.exec("INSERT INTO events VALUES ('2025-01-01', 'print', 1), ('2025-01-01', 'online', 2)");
    tiny.create().ok();
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

//! Columns that PostgreSQL 18 computes when they are read: triggers do not see them, and changes are noted all the same.

use crate::case::Expect::*;
use crate::common::{Kind, TestDb, harness};
use crate::small::Tiny;

/// A database of a server that has such columns.
fn database() -> TestDb {
    let db = TestDb::new(Kind::Postgres);
    let there = db.try_exec("CREATE TABLE v (a int, b int GENERATED ALWAYS AS (a) VIRTUAL); DROP TABLE v");
    if there.is_err() {
        harness::skip(format!("{} lacks virtual columns", db.server.name));
    }
    db
}

/// What a plain refresh made of it; then the summary equals `expected`, whoever looks, and a live view does.
#[track_caller]
fn refreshed(tiny: &Tiny<'_>, expect: &crate::case::Expect, expected: &str) {
    let set = tiny.dashagg().args(["refresh", "--json", "--allow-shrink"]).run().ok().json();
    let mode = set["sets"][0]["mode"].as_str().unwrap().to_owned();
    let wanted = match expect {
        Seen => "incremental",
        Complete(_) => "complete",
        Nothing => "none",
    };
    assert_eq!(mode, wanted, "{set:#}");
    let table = tiny.db.one("SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM tiny_days t");
    assert_eq!(table, expected);
    tiny.dashagg().arg("verify").run().ok();
}

#[test]
fn a_dimension_whose_key_is_computed_when_read_postgres() {
    for kind in ["VIRTUAL", "STORED"] {
        let db = &database();
        let tiny = Tiny::new(db);
        // Names that the trigger's own variables have, and a type that an expression names.
        db.exec(&format!(
            "CREATE TABLE sales (day date NOT NULL, sku text NOT NULL, n int NOT NULL); \
             CREATE TABLE dim (id int PRIMARY KEY, waiting text, brand int, text text, \
             sku varchar(20) GENERATED ALWAYS AS (upper(waiting) || COALESCE(text, '')) {kind}); \
             INSERT INTO dim VALUES (1, 'a-1', 7, NULL), (2, 'b-2', 8, ''); \
             INSERT INTO sales VALUES ('2025-01-01', 'A-1', 1), ('2025-01-02', 'B-2', 2), ('2025-01-02', 'C-3', 4)"
        ));
        tiny.write(
            "summaries.toml",
            "[sources.sales]\npartition = ['day']\n\
             [sources.dim]\ntrack_columns = ['sku']\ninvalidates = { summary = 'days', on = ['sku'] }\n\
             [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day', 'sku']\npartition = ['day']\n",
        );
        tiny.write(
            "days.sql",
            "SELECT s.day, s.sku, COALESCE(d.brand, 0) AS brand, SUM(s.n) AS total FROM sales s \
             LEFT JOIN dim d ON d.sku = s.sku GROUP BY s.day, s.sku, COALESCE(d.brand, 0)\n",
        );
        tiny.script(
            "0001_days.sql",
            "CREATE TABLE tiny_days (day date NOT NULL, sku text NOT NULL, brand int NOT NULL, total bigint NOT NULL, \
             PRIMARY KEY (day, sku));\n",
        );
        tiny.create().ok();
        refreshed(&tiny, &Complete(""), "(2025-01-01,A-1,7,1) (2025-01-02,B-2,8,2) (2025-01-02,C-3,0,4)");
        db.exec("UPDATE dim SET brand = 70 WHERE id = 1");
        refreshed(&tiny, &Seen, "(2025-01-01,A-1,70,1) (2025-01-02,B-2,8,2) (2025-01-02,C-3,0,4)");
        db.exec("INSERT INTO dim VALUES (3, 'c', 9, '-3')");
        refreshed(&tiny, &Seen, "(2025-01-01,A-1,70,1) (2025-01-02,B-2,8,2) (2025-01-02,C-3,9,4)");
        db.exec("UPDATE dim SET waiting = 'x' WHERE id = 2; DELETE FROM dim WHERE id = 3");
        refreshed(&tiny, &Seen, "(2025-01-01,A-1,70,1) (2025-01-02,B-2,0,2) (2025-01-02,C-3,0,4)");
        // Touches no row and fires no trigger.
        db.exec(
            "ALTER TABLE dim ALTER COLUMN sku SET EXPRESSION AS (CASE id WHEN 2 THEN 'B-2' ELSE upper(waiting) END)",
        );
        refreshed(&tiny, &Complete(""), "(2025-01-01,A-1,70,1) (2025-01-02,B-2,8,2) (2025-01-02,C-3,0,4)");
        db.exec("UPDATE dim SET brand = 80 WHERE id = 2");
        refreshed(&tiny, &Seen, "(2025-01-01,A-1,70,1) (2025-01-02,B-2,80,2) (2025-01-02,C-3,0,4)");
        refreshed(&tiny, &Nothing, "(2025-01-01,A-1,70,1) (2025-01-02,B-2,80,2) (2025-01-02,C-3,0,4)");
    }
}

/// The server's expression goes with a column that gets another name; the application's writes go on, and are seen.
#[test]
fn a_column_that_one_computed_when_read_is_made_of_gets_another_name_postgres() {
    let db = &database();
    let tiny = Tiny::new(db);
    db.exec(
        "CREATE TABLE sales (day date NOT NULL, sku text NOT NULL, n int NOT NULL); \
         CREATE TABLE dim (id int PRIMARY KEY, code text, brand int, sku text GENERATED ALWAYS AS (upper(code)) VIRTUAL); \
         INSERT INTO dim VALUES (1, 'a', 7); INSERT INTO sales VALUES ('2025-01-01', 'A', 1)",
    );
    tiny.write(
        "summaries.toml",
        "[sources.sales]\npartition = ['day']\n\
         [sources.dim]\ntrack_columns = ['sku']\ninvalidates = { summary = 'days', on = ['sku'] }\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day', 'sku']\npartition = ['day']\n",
    );
    tiny.write(
        "days.sql",
        "SELECT s.day, s.sku, MAX(d.brand) AS brand, SUM(s.n) AS total FROM sales s LEFT JOIN dim d ON d.sku = s.sku \
         GROUP BY s.day, s.sku\n",
    );
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE tiny_days (day date NOT NULL, sku text NOT NULL, brand int, total bigint NOT NULL, PRIMARY KEY (day, sku));\n",
    );
    tiny.create().ok();
    refreshed(&tiny, &Complete(""), "(2025-01-01,A,7,1)");
    db.exec("ALTER TABLE dim RENAME COLUMN code TO article");
    db.exec("UPDATE dim SET brand = 8; INSERT INTO dim VALUES (2, 'b', 9); DELETE FROM dim WHERE id = 2");
    refreshed(&tiny, &Complete(""), "(2025-01-01,A,8,1)");
    db.exec("UPDATE dim SET brand = 9");
    refreshed(&tiny, &Seen, "(2025-01-01,A,9,1)");
    // Nobody has written to it: that it would be noted otherwise is seen all the same.
    db.exec("ALTER TABLE dim RENAME COLUMN article TO code");
    refreshed(&tiny, &Complete(""), "(2025-01-01,A,9,1)");
    db.exec("UPDATE dim SET brand = 10");
    refreshed(&tiny, &Seen, "(2025-01-01,A,10,1)");
    refreshed(&tiny, &Nothing, "(2025-01-01,A,10,1)");
}

/// As the partition, in an expression of the partition, as a key and as an amount; with a live view.
fn partitioned(partition: &str, computed: &str, leaves: bool) {
    let db = &database();
    let tiny = Tiny::new(db);
    db.exec(&format!(
        "CREATE TABLE events (id int NOT NULL, at timestamp NOT NULL, code text NOT NULL, n int NOT NULL, \
         day date GENERATED ALWAYS AS (at::date) VIRTUAL, \
         shop text GENERATED ALWAYS AS (upper(code)) VIRTUAL, \
         doubled int GENERATED ALWAYS AS (n * 2) VIRTUAL) {}; {} \
         INSERT INTO events VALUES (1, '2025-01-01 10:00', 'a', 1), (2, '2025-01-02 10:00', 'b', 2)",
        if leaves { "PARTITION BY RANGE (id)" } else { "" },
        if leaves {
            "CREATE TABLE low PARTITION OF events FOR VALUES FROM (0) TO (100); \
             CREATE TABLE high PARTITION OF events FOR VALUES FROM (100) TO (200);"
        } else {
            ""
        }
    ));
    tiny.write(
        "summaries.toml",
        &format!(
            "[sources.events]\npartition = {partition}\ntrack_columns = ['{computed}', 'shop']\n\
             [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['{computed}', 'shop']\n\
             partition = ['{computed}']\nrecompute_by = ['{computed}', 'shop']\nlive = true\n"
        ),
    );
    let expression = if computed == "day" { "day" } else { "(day + 1)" };
    tiny.write(
        "days.sql",
        &format!(
            "SELECT {expression} AS {computed}, shop, SUM(doubled) AS total FROM events GROUP BY {expression}, shop\n"
        ),
    );
    tiny.script(
        "0001_days.sql",
        &format!(
            "CREATE TABLE tiny_days ({computed} date NOT NULL, shop text NOT NULL, total bigint NOT NULL, \
             PRIMARY KEY ({computed}, shop));\n"
        ),
    );
    tiny.create().ok();
    tiny.refresh().ok();
    let right = format!(
        "SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM (SELECT (at::date + {}) AS d, upper(code) AS s, \
         SUM(n * 2) AS t FROM events GROUP BY 1, 2) x",
        i32::from(computed != "day")
    );
    let check = |what: &str| {
        db.exec(what);
        let expected = db.one(&right);
        let live = db.one("SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM tiny_days_live x");
        assert_eq!(live, expected, "{what}");
        refreshed(&tiny, &Seen, &expected);
    };
    check(
        "INSERT INTO events VALUES (3, '2025-01-01 12:00', 'a', 4), (104, '2025-01-03 12:00', 'c', 8)"
            .replace("104", if leaves { "104" } else { "4" })
            .as_str(),
    );
    check("UPDATE events SET at = at + interval '1 day' WHERE id = 1");
    check("UPDATE events SET code = 'Z' WHERE id = 2");
    check("DELETE FROM events WHERE id = 3");
    if leaves {
        check("INSERT INTO low VALUES (5, '2025-01-05', 'a', 1)");
        check("UPDATE high SET n = n + 1");
    }
    let status = tiny.dashagg().args(["status", "--json"]).run().ok().json();
    assert_eq!(status["summaries"][0]["pending_partitions"], 0, "{status:#}");
    db.exec("INSERT INTO events VALUES (6, '2025-01-01', 'a', 1), (7, '2025-01-02', 'a', 1)");
    let status = tiny.dashagg().args(["status", "--json"]).run().ok().json();
    assert_eq!(status["summaries"][0]["pending_partitions"], 2, "{status:#}");
}

#[test]
fn a_partition_that_is_computed_when_read_postgres() {
    partitioned("['day']", "day", false);
}

#[test]
fn a_partition_that_is_an_expression_of_one_computed_when_read_postgres() {
    partitioned("{ later = '(day + 1)' }", "later", false);
}

#[test]
fn leaves_of_a_table_with_columns_computed_when_read_postgres() {
    partitioned("['day']", "day", true);
}

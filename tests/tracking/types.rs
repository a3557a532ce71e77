//! Every type of every engine as a partition column, as a key and as an amount: right, or refused before anything is
//! touched. A value is read as text, spelled as a constant, and must find its own rows again.

use crate::common::{Kind, TestDb, conformance};
use crate::small::{Tiny, engine_folder};

/// A type: as DDL spells it, some of its values as SQL spells them (the extremes among them), and what one of them is
/// compared by.
struct Type {
    ddl: &'static str,
    values: &'static [&'static str],
    /// Several values are equal in it: only how many groups there are, and their sum, are compared.
    loose: bool,
    /// Of the server's product, where only that has it.
    product: Option<&'static str>,
}

const fn of(ddl: &'static str, values: &'static [&'static str]) -> Type {
    Type { ddl, values, loose: false, product: None }
}

const fn loose(ddl: &'static str, values: &'static [&'static str]) -> Type {
    Type { ddl, values, loose: true, product: None }
}

const fn only(product: &'static str, ddl: &'static str, values: &'static [&'static str]) -> Type {
    Type { ddl, values, loose: false, product: Some(product) }
}

const MYSQL: &[Type] = &[
    of("TINYINT", &["-128", "0", "127"]),
    of("TINYINT(1)", &["0", "1"]),
    of("SMALLINT UNSIGNED", &["0", "65535"]),
    of("MEDIUMINT", &["-8388608", "8388607"]),
    of("INT ZEROFILL", &["0", "7", "4294967295"]),
    of("BIGINT", &["-9223372036854775808", "0", "9223372036854775807", "9223372036854775806"]),
    of(
        "BIGINT UNSIGNED",
        &["0", "18446744073709551615", "18446744073709551614", "9007199254740993", "9007199254740992"],
    ),
    of("DECIMAL(10,2)", &["-0.01", "0", "1.50", "99999999.99"]),
    of(
        "DECIMAL(39,0)",
        &["42540766411282592856903984951653826561", "42540766411282592856903984951653826560", "-1"],
    ),
    of(
        "DECIMAL(65,0)",
        &[
            "99999999999999999999999999999999999999999999999999999999999999999",
            "99999999999999999999999999999999999999999999999999999999999999998",
            "0",
        ],
    ),
    of(
        "DECIMAL(65,30)",
        &[
            "99999999999999999999999999999999999.999999999999999999999999999999",
            "0.000000000000000000000000000001",
            "-1.5",
        ],
    ),
    of(
        "DOUBLE",
        &[
            "0.1",
            "0.1e0 + 0.2e0",
            "-1.7976931348623157e308",
            "2.2250738585072014e-308",
            "1e300",
            "1234567.89",
        ],
    ),
    of("DOUBLE(10,2)", &["0.1", "1234567.89"]),
    of("BIT(1)", &["b'0'", "b'1'"]),
    of("BIT(8)", &["0", "65", "200", "255"]),
    of("BIT(64)", &["0", "18446744073709551615", "18446744073709551614", "9223372036854775808"]),
    of("DATE", &["'1000-01-01'", "'2024-02-29'", "'9999-12-31'"]),
    of("DATETIME", &["'1000-01-01 00:00:00'", "'2024-02-29 12:00:00'", "'9999-12-31 23:59:59'"]),
    of("DATETIME(6)", &["'2024-02-29 00:00:00'", "'2024-02-29 12:00:00.000001'", "'2024-02-29 12:00:00.5'"]),
    of("TIMESTAMP NULL", &["'1970-01-01 00:00:01'", "'2024-03-31 02:30:00'", "'2038-01-19 03:14:07'"]),
    of("TIMESTAMP(6) NULL", &["'2024-02-29 12:00:00.999999'", "'2024-02-29 12:00:00'"]),
    of("TIME", &["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"]),
    of("TIME(6)", &["'-838:59:58.999999'", "'12:00:00.000001'"]),
    of("YEAR", &["1901", "2155", "0"]),
    of("CHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", &["''", "'a'", "'A'", "'ä'", "'😀'"]),
    of(
        "VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        &["''", "'a'", "'A'", "'0x41'", "'😀'", "'a,b'", "'\\\\'"],
    ),
    of("VARCHAR(80) CHARACTER SET latin1 COLLATE latin1_bin", &["''", "'ä'", "'Ä'", "'ß'"]),
    of("VARCHAR(80) CHARACTER SET utf16 COLLATE utf16_bin", &["''", "'ä'", "'😀'", "'a'"]),
    of("VARCHAR(80) CHARACTER SET ucs2 COLLATE ucs2_bin", &["'ä'", "'a'"]),
    of("VARCHAR(80) CHARACTER SET cp1251 COLLATE cp1251_bin", &["'я'", "'Я'", "'a'"]),
    loose(
        "VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        &["'Red'", "'red'", "'RED'", "'blue'", "'Blüe'"],
    ),
    loose(
        "VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        &["'straße'", "'STRASSE'", "'strasse'", "'é'", "'E'"],
    ),
    loose("VARCHAR(80) CHARACTER SET latin1 COLLATE latin1_swedish_ci", &["'ä'", "'Ä'", "'a'", "'A'"]),
    of("ENUM('', 'b', 'a', 'int')", &["''", "'a'", "'int'"]),
    of("SET('a', 'b', 'c')", &["''", "'a'", "'a,b'", "'c'"]),
    of("BINARY(3)", &["X'414243'", "X'FF0001'", "X'000000'", "X'800000'"]),
    of(
        "BINARY(16)",
        &[
            "X'41414141414141414141414141414141'",
            "X'FF112233445566778899AABBCCDDEEFF'",
            "X'FE112233445566778899AABBCCDDEEFF'",
        ],
    ),
    of("VARBINARY(40)", &["''", "'0x41'", "'A'", "X'FF'", "X'FF00'", "'a '", "'a'", "X'5C'"]),
    only(
        "MariaDB",
        "UUID",
        &["'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000001'"],
    ),
    only("MariaDB", "INET6", &["'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.128'"]),
    only("MariaDB", "VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", &["'a'", "'a '", "'A'"]),
    only(
        "MySQL",
        "VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
        &["'a'", "'a '", "'A'", "'😀'"],
    ),
];

const POSTGRES: &[Type] = &[
    of("smallint", &["-32768", "0", "32767"]),
    of("integer", &["-2147483648", "2147483647"]),
    of("bigint", &["-9223372036854775808", "9223372036854775807", "9223372036854775806"]),
    of("numeric(10,2)", &["-0.01", "0", "99999999.99"]),
    of(
        "numeric(39,0)",
        &["42540766411282592856903984951653826561", "42540766411282592856903984951653826560"],
    ),
    loose("numeric", &["1", "1.0", "1.00", "2.50", "2.5", "'NaN'", "1e-30", "1e60"]),
    of("real", &["'0.1'", "'3.4e38'", "'NaN'", "'Infinity'", "'-Infinity'", "'1e-45'", "'0.3'"]),
    of(
        "double precision",
        &["'0.1'", "0.1::float8 + 0.2::float8", "'NaN'", "'Infinity'", "'1e-300'", "1e22"],
    ),
    loose("double precision", &["'0'", "'-0'", "'1'"]),
    of("money", &["'-1.00'", "'92233720368547758.07'"]),
    of("boolean", &["true", "false"]),
    of("date", &["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'10000-01-01'", "'2024-02-29'"]),
    of(
        "timestamp",
        &["'infinity'", "'10000-01-01'", "'2024-02-29 12:00:00.000001'", "'0044-03-15 BC'", "'2024-02-29'"],
    ),
    of("timestamptz", &["'infinity'", "'-infinity'", "'10000-01-01 00:00+00'", "'2024-03-31 02:30:00.5+02'"]),
    of("time", &["'00:00'", "'24:00'", "'12:00:00.000001'"]),
    of("timetz", &["'12:00+02'", "'10:00+00'"]),
    loose("interval", &["'1 day'", "'24:00:00'", "'-1 mon'", "'30 days'", "'1 mon'", "'178000000 years'"]),
    of("text", &["''", "'a'", "'A'", "'a '", "'0x41'", "'😀'", "E'\\\\'", "E'a\\tb'"]),
    of("varchar(80)", &["''", "'a'", "'ä'"]),
    of("character(5)", &["''", "'a'", "'abcde'"]),
    of("\"char\"", &["'a'", "'b'"]),
    of("name", &["'a'", "'B'"]),
    of("text COLLATE \"C\"", &["'a'", "'A'", "'ä'"]),
    loose("text COLLATE ci", &["'Red'", "'red'", "'RED'", "'blue'"]),
    loose("citext", &["'Red'", "'red'", "'RED'", "'blue'"]),
    of("mood", &["'sad'", "'Happy'"]),
    of("shortish", &["'a'", "'ab'"]),
    of("uuid", &["'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000001'"]),
    of("bytea", &["'\\x'", "'\\xff00'", "'\\x41'", "'\\x5c'"]),
    of("bit(3)", &["B'000'", "B'101'"]),
    of("bit varying(10)", &["B''", "B'0'", "B'00'"]),
    loose("jsonb", &["'1'", "'1.0'", "'null'", "'{\"a\": 1}'", "'{\"a\": 1.00}'", "'[]'"]),
    of("inet", &["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"]),
    of("cidr", &["'10.0.0.0/8'"]),
    of("macaddr", &["'08:00:2b:01:02:03'"]),
    of("oid", &["'0'", "'4294967295'"]),
    of("int4range", &["'[1,5)'", "'empty'", "'(,)'"]),
    of("tsrange", &["'[2024-01-01,2025-01-01)'"]),
    of("integer[]", &["'{}'", "'{1,2}'", "'{NULL}'"]),
    of("text[]", &["'{}'", "'{a,\"b,c\"}'"]),
    of("tsvector", &["'a b'", "''"]),
    of("pg_lsn", &["'0/0'", "'16/B374D848'"]),
    of("xid8", &["'1'", "'18446744073709551615'"]),
];

const SQLITE: &[Type] = &[
    of(
        "INTEGER",
        &["-9223372036854775808", "0", "9223372036854775807", "9007199254740993", "9007199254740992"],
    ),
    of("TEXT", &["''", "'a'", "'A'", "'5'", "'5.0'", "'0x41'", "'😀'", "X'42'", "X'FF'", "'inf'"]),
    of("VARCHAR(20)", &["'a'", "'a '", "'007'", "'7'"]),
    of(
        "REAL",
        &["0.1", "0.1 + 0.2", "1e300", "-2.5e-300", "9e999", "-9e999", "5", "1.0e15", "123456789.123456789"],
    ),
    of("NUMERIC", &["5", "0.1 + 0.2", "'abc'", "X'00FF'"]),
    of("DECIMAL(10,2)", &["5", "0.1", "10.25"]),
    of("BLOB", &["X''", "X'FF'", "X'00'", "X'41'", "'A'", "'0x42'", "5", "'6'", "0.1 + 0.2"]),
    of("ANY", &["X'FF'", "'5'", "6", "0.30000000000000004"]),
    of("DATE", &["'2024-02-29'", "'10000-01-01'"]),
    of("BOOLEAN", &["0", "1", "TRUE"]),
    loose("TEXT COLLATE NOCASE", &["'Red'", "'red'", "'RED'", "'blue'"]),
    loose("TEXT COLLATE RTRIM", &["'a'", "'a '", "'b'"]),
];

/// The types that an engine has, on this server.
fn types(db: &TestDb) -> Vec<&'static Type> {
    let all = match db.kind {
        Kind::Mariadb => MYSQL,
        Kind::Postgres => POSTGRES,
        Kind::Sqlite => SQLITE,
    };
    all.iter().filter(|one| one.product.is_none_or(|product| product == db.server.about().product)).collect()
}

fn declare(db: &TestDb) {
    if db.kind == Kind::Postgres {
        db.exec(
            "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'Happy'); CREATE DOMAIN shortish AS text CHECK (length(value) < 9);
             CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        );
    }
}

/// A value's bytes, whatever the type.
fn shown(db: &TestDb, column: &str) -> String {
    match db.kind {
        Kind::Mariadb => format!("HEX(CAST({column} AS CHAR CHARACTER SET binary))"),
        Kind::Postgres => format!("{column}::text"),
        Kind::Sqlite => format!("quote({column})"),
    }
}

/// Two sources of each type: in one it is the partition, in the other a key that is noted.
fn set_of(db: &TestDb, all: &[&Type]) -> Vec<String> {
    let tiny = Tiny::new(db);
    let (mut manifest, mut script) = (String::new(), String::new());
    let mut names = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let not_null =
            if one.ddl.ends_with(" NULL") { one.ddl.replace(" NULL", "") } else { one.ddl.to_owned() };
        // Partition columns of one name are those of one kind of partition.
        let (own, both) = (format!("k{at}"), format!("day, k{at}"));
        let by_key = format!("recompute_by = ['day', '{own}']\n");
        for (letter, keys, recompute) in [("p", &own, ""), ("q", &both, by_key.as_str())] {
            let name = format!("{letter}{at}");
            let list: Vec<String> = keys.split(", ").map(|key| format!("'{key}'")).collect();
            let (first, list) = (list[0].clone(), list.join(", "));
            manifest.push_str(&format!(
                "[sources.raw_{name}]\npartition = [{first}]\ntrack_columns = [{list}]\ntotals = {{ total = 'SUM(n)' }}\n\
                 [summaries.{name}]\ntable = 'sum_{name}'\nselect = '{name}.sql'\nkey = [{list}]\npartition = [{first}]\n\
                 {recompute}reconcile = [{{ columns = ['total'] }}]\n"
            ));
            tiny.write(
                &format!("{name}.sql"),
                &format!("SELECT {keys}, SUM(n) AS total FROM raw_{name} GROUP BY {keys}\n"),
            );
            let day = if letter == "q" { "day DATE NOT NULL, " } else { "" };
            script.push_str(&format!("CREATE TABLE sum_{name} ({day}{own} {not_null} NOT NULL, total BIGINT NOT NULL, PRIMARY KEY ({keys}));\n"));
            db.exec(&format!("CREATE TABLE raw_{name} (id INTEGER NOT NULL PRIMARY KEY, day DATE NOT NULL, {own} {}, n INTEGER NOT NULL)", one.ddl));
            names.push(name);
        }
    }
    tiny.write("summaries.toml", &manifest);
    tiny.script("0001_days.sql", &script);
    names
}

fn fill(db: &TestDb, all: &[&Type], from: usize) {
    for (at, one) in all.iter().enumerate() {
        for letter in ["p", "q"] {
            let rows: Vec<String> = one
                .values
                .iter()
                .enumerate()
                .map(|(nth, value)| {
                    format!("({}, '2024-0{}-01', {value}, {})", from + nth, nth % 2 + 1, 1 << nth)
                })
                .collect();
            db.exec(&format!("INSERT INTO raw_{letter}{at} (id, day, k{at}, n) VALUES {}", rows.join(", ")));
        }
    }
}

/// What is not right, in words; every type is looked at before anything is said.
fn wrong(db: &TestDb, all: &[&Type], when: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let (own, both) = (format!("k{at}"), format!("day, k{at}"));
        for (letter, keys) in [("p", &own), ("q", &both)] {
            let (raw, sum) = (format!("raw_{letter}{at}"), format!("sum_{letter}{at}"));
            let (want, have) = if one.loose {
                (
                    format!("SELECT COUNT(*), SUM(s) FROM (SELECT SUM(n) AS s FROM {raw} GROUP BY {keys}) x"),
                    format!("SELECT COUNT(*), SUM(total) FROM {sum}"),
                )
            } else {
                let shown = shown(db, &own);
                let day = if letter == "q" { "day, " } else { "" };
                (
                    format!(
                        "SELECT {day}{shown}, s + 0 AS s FROM (SELECT {keys}, SUM(n) AS s FROM {raw} GROUP BY {keys}) x ORDER BY s"
                    ),
                    format!("SELECT {day}{shown}, total + 0 AS s FROM {sum} ORDER BY s"),
                )
            };
            let (want, have) = (db.rows(&want), db.rows(&have));
            if want != have {
                found.push(format!("{when}: {} as {keys}: want {want:?}, have {have:?}", one.ddl));
            }
        }
    }
    found
}

fn every_type(db: &TestDb) {
    declare(db);
    let all = types(db);
    let names = set_of(db, &all);
    let dashagg = || crate::small::dashagg(db).arg("--sql-dir").arg(db.dir().join("sql"));
    dashagg().arg("create").run().ok();
    let mut found = Vec::new();
    fill(db, &all, 1);
    dashagg().arg("refresh").run().ok();
    found.extend(wrong(db, &all, "first rows"));
    for name in &names {
        db.exec(&format!("UPDATE raw_{name} SET n = n + 100"));
    }
    fill(db, &all, 101);
    for name in &names {
        db.exec(&format!("DELETE FROM raw_{name} WHERE id = 1"));
    }
    dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    found.extend(wrong(db, &all, "every row changed, rows came and went"));
    for name in &names {
        db.exec(&format!("DELETE FROM raw_{name} WHERE id IN (101, 102)"));
    }
    dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    found.extend(wrong(db, &all, "values went"));
    assert_eq!(found, Vec::<String>::new());
    let full = dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    assert_eq!(crate::run::changes(&full)[..2], [0; 2], "{full:#}");
    dashagg().arg("verify").run().ok();
}

conformance!(every_type_is_right_as_partition_and_as_key, |db: &TestDb| every_type(db));

/// Types that cannot be found again: column, table and what to do are said, and the application goes on writing.
fn refused(db: &TestDb) -> &'static [(&'static str, &'static str)] {
    match (db.kind, db.server.about().product) {
        (Kind::Mariadb, "MySQL") => &[
            ("FLOAT", "1.5"),
            ("FLOAT(10,2)", "1.5"),
            ("JSON", "'{}'"),
            ("POINT", "POINT(1, 2)"),
            ("GEOMETRY", "POINT(1, 2)"),
        ],
        (Kind::Mariadb, _) => {
            &[("FLOAT", "1.5"), ("FLOAT(10,2)", "1.5"), ("POINT", "POINT(1, 2)"), ("GEOMETRY", "POINT(1, 2)")]
        }
        (Kind::Postgres, _) => &[
            ("json", "'{}'"),
            ("json[]", "'{}'"),
            ("xml", "'<a/>'"),
            ("point", "'(1,2)'"),
            ("box", "'(1,2),(3,4)'"),
            ("polygon", "'((0,0),(1,1))'"),
            ("circle", "'<(0,0),1>'"),
            ("jsondomain", "'{}'"),
        ],
        (Kind::Sqlite, _) => &[],
    }
}

conformance!(a_type_that_cannot_be_found_again_is_refused, |db: &TestDb| {
    if db.kind == Kind::Postgres {
        db.exec("CREATE DOMAIN jsondomain AS json");
    }
    for (ddl, value) in refused(db) {
        for (partition, noted) in [("k", "'k'"), ("day", "'day', 'k'")] {
            println!("{ddl} by {partition}");
            let tiny = Tiny::new(db);
            db.exec(&format!("DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, k {ddl} NOT NULL, n INTEGER NOT NULL)"));
            tiny.write(
                "summaries.toml",
                &format!(
                    "[sources.raw_rows]\npartition = ['{partition}']\ntrack_columns = [{noted}]\n\
                     [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['{partition}']\npartition = ['{partition}']\n"
                ),
            );
            // The summary itself may have a type that would do.
            let stored = if partition == "k" { "VARCHAR(40)" } else { "DATE" };
            tiny.write(
                "days.sql",
                &format!("SELECT {partition}, SUM(n) AS total FROM raw_rows GROUP BY {partition}\n"),
            );
            tiny.script("0001_days.sql", &format!("CREATE TABLE tiny_days ({partition} {stored} NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n"));
            let said = tiny.create().code(2).stderr;
            for word in ["raw_rows", "column k", "sources.raw_rows"] {
                assert!(said.contains(word), "{word:?} is missing in:\n{said}");
            }
            db.exec(&format!("INSERT INTO raw_rows VALUES ('2025-01-03', {value}, 3)"));
            assert_eq!(db.one("SELECT COUNT(*) FROM raw_rows"), "1");
            tiny.dashagg().args(["drop", "tiny", "--yes"]).run();
            db.exec("DROP TABLE IF EXISTS tiny_days; DROP TABLE raw_rows");
        }
    }
    let _ = engine_folder(db.kind);
});

/// Types of floating-point amounts, and of exact ones that are made of them: (source, summary).
fn floats(db: &TestDb) -> &'static [(&'static str, &'static str)] {
    match db.kind {
        Kind::Mariadb => &[
            ("FLOAT", "FLOAT"),
            ("FLOAT", "DOUBLE"),
            ("DOUBLE", "DOUBLE"),
            ("DOUBLE", "FLOAT"),
            ("FLOAT", "DECIMAL(30,2)"),
            ("DOUBLE", "DECIMAL(30,6)"),
        ],
        Kind::Postgres => &[
            ("real", "real"),
            ("real", "double precision"),
            ("double precision", "double precision"),
            ("double precision", "numeric(30,6)"),
            ("real", "numeric(30,2)"),
        ],
        Kind::Sqlite => &[("REAL", "REAL"), ("DECIMAL(20,2)", "DECIMAL(20,2)"), ("NUMERIC", "REAL")],
    }
}

// Amounts that add up to something else in another order.
conformance!(floats_add_up_within_their_tolerance, |db: &TestDb| {
    for (from, to) in floats(db) {
        println!("{from} in {to}");
        let tiny = Tiny::new(db);
        db.exec(&format!("DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, shop INTEGER NOT NULL, n {from} NOT NULL)"));
        tiny.write(
            "summaries.toml",
            "[sources.raw_rows]\npartition = ['day']\ntotals = { total = 'SUM(n)' }\n\
             [summaries.shops]\ntable = 'tiny_shops'\nselect = 'shops.sql'\nkey = ['day', 'shop']\npartition = ['day']\nreconcile = [{ columns = ['total'] }]\n\
             [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\nreconcile = [{ columns = ['total'] }]\n",
        );
        tiny.write("shops.sql", "SELECT day, shop, SUM(n) AS total FROM raw_rows GROUP BY day, shop\n");
        tiny.write("days.sql", "SELECT day, SUM(total) AS total FROM tiny_shops GROUP BY day\n");
        tiny.script(
            "0001_days.sql",
            &format!(
                "CREATE TABLE tiny_shops (day DATE NOT NULL, shop INTEGER NOT NULL, total {to}, PRIMARY KEY (day, shop));
                 CREATE TABLE tiny_days (day DATE NOT NULL PRIMARY KEY, total {to});\n"
            ),
        );
        let amounts = ["0.1", "0.2", "1234567.89", "9.52e9", "0.7", "1e-3", "33333.333"];
        let rows: Vec<String> = (0..210)
            .map(|at| format!("('2025-01-0{}', {}, {})", at % 3 + 1, at % 10, amounts[at % amounts.len()]))
            .collect();
        db.exec(&format!("INSERT INTO raw_rows VALUES {}", rows.join(", ")));
        tiny.create().ok();
        tiny.refresh().ok();
        tiny.dashagg().arg("verify").run().ok();
        db.exec("UPDATE raw_rows SET n = n + 1 WHERE shop = 3");
        tiny.refresh().ok();
        tiny.dashagg().arg("verify").run().ok();
        // What is wrong is wrong.
        db.exec("UPDATE tiny_days SET total = total * 1.001 WHERE day = '2025-01-02'");
        tiny.dashagg().arg("verify").run().code(4);
        tiny.dashagg().args(["refresh", "--full"]).run().ok();
        tiny.write(
            "shops.sql",
            "SELECT day, shop, SUM(n) AS total FROM raw_rows WHERE shop <> 3 GROUP BY day, shop\n",
        );
        let said = tiny.dashagg().args(["refresh", "--allow-shrink"]).run().code(1).stderr;
        assert!(said.contains("floating-point"), "{said}");
        tiny.dashagg().args(["drop", "tiny", "--yes"]).run().ok();
        db.exec("DROP TABLE IF EXISTS tiny_days; DROP TABLE IF EXISTS tiny_shops; DROP TABLE raw_rows");
    }
});

// Texts that read as numbers are texts, and no number is near to infinity.
conformance!(verify_tells_apart_what_only_looks_near, |db: &TestDb| {
    let tiny = Tiny::new(db);
    let (text, double) = match db.kind {
        Kind::Mariadb => ("VARCHAR(20)", "DOUBLE"),
        _ => ("VARCHAR(20)", "DOUBLE PRECISION"),
    };
    db.exec(&format!(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, version {text} NOT NULL, n {double} NOT NULL);
         INSERT INTO raw_rows VALUES ('2025-01-01', '1.10', 1.5), ('2025-01-02', '007', 2.5)"
    ));
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['day']\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n",
    );
    tiny.write(
        "days.sql",
        "SELECT day, MAX(version) AS version, MAX(n) AS total FROM raw_rows GROUP BY day\n",
    );
    tiny.script(
        "0001_days.sql",
        &format!(
            "CREATE TABLE tiny_days (day DATE NOT NULL PRIMARY KEY, version {text} NOT NULL, total {double});\n"
        ),
    );
    tiny.create().ok();
    let mut wrong = vec!["version = '1.1'", "version = '01.10'", "total = 1.6"];
    match db.kind {
        Kind::Mariadb => {}
        Kind::Postgres => wrong.extend(["total = 'Infinity'", "total = '-Infinity'", "total = 'NaN'"]),
        Kind::Sqlite => wrong.extend(["total = 9e999", "total = -9e999"]),
    }
    for change in wrong {
        println!("{change}");
        tiny.dashagg().args(["refresh", "--full"]).run().ok();
        tiny.dashagg().arg("verify").run().ok();
        db.exec(&format!("UPDATE tiny_days SET {change} WHERE day = '2025-01-01'"));
        tiny.dashagg().arg("verify").run().code(4);
    }
});

/// What a column makes of a value as it is stored is no difference.
#[test]
fn verify_compares_rows_as_their_table_stores_them_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    let tiny = Tiny::new(db);
    db.exec(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (shop VARCHAR(10) NOT NULL, at DATETIME(6) NOT NULL, n DECIMAL(20,6) NOT NULL);
         INSERT INTO raw_rows VALUES ('ab ', '2025-01-01 10:00:00.7', 1.000001), ('cd', '2025-01-02 10:00:00.123456', 2)",
    );
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\n[summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['shop']\n",
    );
    tiny.write(
        "days.sql",
        "SELECT shop, MAX(at) AS last_at, MAX(at) AS last_of, CAST(MAX(at) AS TIME(6)) AS t, SUM(n) AS total FROM raw_rows GROUP BY shop\n",
    );
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE tiny_days (shop CHAR(10) NOT NULL PRIMARY KEY, last_at TIMESTAMP NULL, last_of DATETIME(3), t TIME, total DECIMAL(30,6));\n",
    );
    tiny.create().ok();
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

/// Columns that notes may hold, and what the application may write to them: a note never fails that.
const NOTED: &[(&str, &[&str])] = &[
    ("DECIMAL(39,0)", &["42540766411282592856903984951653826561"]),
    ("DECIMAL(65,0)", &["99999999999999999999999999999999999999999999999999999999999999999"]),
    (
        "DECIMAL(65,30)",
        &[
            "99999999999999999999999999999999999.999999999999999999999999999999",
            "-0.000000000000000000000000000001",
        ],
    ),
    ("BIGINT UNSIGNED", &["18446744073709551615"]),
    ("BIGINT", &["-9223372036854775808"]),
    ("BIT(64)", &["18446744073709551615"]),
    ("BIT(1)", &["1"]),
    ("DOUBLE", &["1.7976931348623157e308", "-1e-300"]),
    ("YEAR", &["0", "2155"]),
    ("TIME", &["'838:59:59'", "'-838:59:59'"]),
    ("TIME(6)", &["'-838:59:58.999999'"]),
    ("DATE", &["'0000-00-00'", "'2025-00-00'", "'9999-12-31'"]),
    ("DATETIME(6)", &["'0000-00-00'", "'9999-12-31 23:59:59.999999'"]),
    ("TIMESTAMP NULL", &["0", "NULL"]),
    ("ENUM('a', 'b')", &["'a'", "''"]),
    ("SET('a', 'b')", &["'a,b'", "''"]),
    ("VARCHAR(200) CHARACTER SET utf8mb4", &["REPEAT('😀', 200)"]),
    ("LONGTEXT CHARACTER SET utf8mb4", &["REPEAT('x', 200000)"]),
    ("VARCHAR(20) CHARACTER SET latin1", &["'ä'"]),
    ("BINARY(16)", &["X'FF'"]),
    ("VARBINARY(400)", &["REPEAT(X'FF', 400)"]),
    ("LONGBLOB", &["REPEAT(X'FF', 200000)"]),
];

#[test]
fn a_note_takes_whatever_its_column_may_hold_mariadb() {
    let db = &TestDb::new(Kind::Mariadb);
    for partition in [false, true] {
        for (ddl, values) in NOTED {
            // Neither can be in a key.
            if partition && ddl.starts_with("LONG") {
                continue;
            }
            println!("{ddl}, as partition: {partition}");
            let tiny = Tiny::new(db);
            db.exec(&format!(
                "DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, k {ddl}, n INTEGER NOT NULL)"
            ));
            let (stored, by) = if partition { (ddl.trim_end_matches(" NULL"), "k") } else { ("DATE", "day") };
            tiny.write(
                "summaries.toml",
                &format!(
                    "[sources.raw_rows]\npartition = ['{by}']\ntrack_columns = ['{by}', 'k']\n\
                     [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['{by}']\npartition = ['{by}']\n"
                ),
            );
            tiny.write(
                "days.sql",
                &format!("SELECT {by}, SUM(n) AS total FROM raw_rows WHERE k IS NOT NULL GROUP BY {by}\n"),
            );
            tiny.script(
                "0001_days.sql",
                &format!(
                    "CREATE TABLE tiny_days ({by} {stored} NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n"
                ),
            );
            tiny.create().ok();
            tiny.refresh().ok();
            for value in *values {
                let mode = "SET sql_mode = ''";
                db.exec(&format!("{mode}; INSERT INTO raw_rows VALUES ('2025-01-01', {value}, 1)"));
                db.exec("UPDATE raw_rows SET n = n + 1");
            }
            tiny.refresh().ok();
            assert_eq!(
                db.one("SELECT COALESCE(SUM(total), 0) + 0 FROM tiny_days"),
                db.one("SELECT COALESCE(SUM(n), 0) + 0 FROM raw_rows WHERE k IS NOT NULL")
            );
            tiny.dashagg().arg("verify").run().ok();
            tiny.dashagg().args(["drop", "tiny", "--yes"]).run().ok();
            db.exec("DROP TABLE IF EXISTS tiny_days; DROP TABLE raw_rows");
        }
    }
}

// One group in the source, and two in the summary, or the other way round.
conformance!(a_partition_that_is_spelled_apart_in_one_table_only_is_refused, |db: &TestDb| {
    declare(db);
    let (exact, loose): (&str, &[(&str, &str)]) = match db.kind {
        Kind::Mariadb => (
            "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            &[
                ("VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "utf8mb4_general_ci"),
                ("VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_swedish_ci", "latin1_swedish_ci"),
            ],
        ),
        Kind::Postgres => ("text", &[("citext", "citext"), ("text COLLATE ci", "ci")]),
        Kind::Sqlite => ("TEXT", &[("TEXT COLLATE NOCASE", "NOCASE"), ("TEXT COLLATE RTRIM", "RTRIM")]),
    };
    for (loose, name) in loose {
        for (raw, stored) in [(exact, *loose), (*loose, exact)] {
            println!("{raw} into {stored}");
            let tiny = Tiny::new(db);
            db.exec(&format!(
                "DROP TABLE raw_rows; CREATE TABLE raw_rows (shop {raw} NOT NULL, n INTEGER NOT NULL)"
            ));
            tiny.write(
                "summaries.toml",
                "[sources.raw_rows]\npartition = ['shop']\n\
                 [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['shop']\npartition = ['shop']\n",
            );
            tiny.write("days.sql", "SELECT shop, SUM(n) AS total FROM raw_rows GROUP BY shop\n");
            tiny.script(
                "0001_days.sql",
                &format!(
                    "CREATE TABLE tiny_days (shop {stored} NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n"
                ),
            );
            let said = tiny.create().code(2).stderr;
            for word in ["column shop", "raw_rows", "tiny_days", *name] {
                assert!(said.contains(word), "{word:?} is missing in:\n{said}");
            }
            tiny.dashagg().args(["drop", "tiny", "--yes"]).run();
            db.exec("DROP TABLE IF EXISTS tiny_days; DROP TABLE raw_rows");
        }
    }
    // A collation of its own that tells texts apart is none of this.
    if db.kind == Kind::Postgres {
        let tiny = Tiny::new(db);
        db.exec("DROP TABLE raw_rows; CREATE TABLE raw_rows (shop text COLLATE \"POSIX\" NOT NULL, n INTEGER NOT NULL);
                 CREATE COLLATION german (provider = icu, locale = 'de')");
        tiny.write(
            "summaries.toml",
            "[sources.raw_rows]\npartition = ['shop']\n\
             [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['shop']\npartition = ['shop']\n",
        );
        tiny.write("days.sql", "SELECT shop, SUM(n) AS total FROM raw_rows GROUP BY shop\n");
        tiny.script("0001_days.sql", "CREATE TABLE tiny_days (shop text COLLATE german NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n");
        tiny.create().ok();
        tiny.refresh().ok();
    }
});

// A value that is stored as another one: its rows would be looked for under a name that no source row has.
conformance!(a_partition_that_its_summary_stores_as_another_fails_the_refresh, |db: &TestDb| {
    let (raw, stored, value) = match db.kind {
        Kind::Mariadb => ("DATETIME(6)", "DATETIME", "'2025-01-01 10:00:00.7'"),
        Kind::Postgres => ("timestamp", "timestamp(0)", "'2025-01-01 10:00:00.7'"),
        Kind::Sqlite => ("TEXT", "DATE", "'0x10'"),
    };
    let tiny = Tiny::new(db);
    db.exec(&format!(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (at {raw} NOT NULL, n INTEGER NOT NULL); INSERT INTO raw_rows VALUES ({value}, 3)"
    ));
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['at']\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['at']\npartition = ['at']\n",
    );
    tiny.write("days.sql", "SELECT at, SUM(n) AS total FROM raw_rows GROUP BY at\n");
    tiny.script(
        "0001_days.sql",
        &format!("CREATE TABLE tiny_days (at {stored} NOT NULL PRIMARY KEY, total BIGINT NOT NULL);\n"),
    );
    tiny.create().ok();
    if db.kind == Kind::Sqlite {
        // A text stays one there, whatever the column was declared as.
        tiny.refresh().ok();
    } else {
        let said = tiny.refresh().code(1).stderr;
        assert!(said.contains("would be stored under at=") && said.contains("tiny_days"), "{said}");
        assert_eq!(db.one("SELECT COUNT(*) FROM tiny_days"), "0");
    }
});

// Bytes that are no text, wherever a value goes: notes, keys of a dimension, `--partition`, what verify says, JSON.
conformance!(bytes_go_where_values_go, |db: &TestDb| {
    let (ddl, bytes): (&str, fn(&str) -> String) = match db.kind {
        Kind::Mariadb => ("BINARY(4)", |hex| format!("X'{hex}'")),
        Kind::Postgres => ("BYTEA", |hex| format!("'\\x{hex}'::bytea")),
        Kind::Sqlite => ("BLOB", |hex| format!("X'{hex}'")),
    };
    let tiny = Tiny::new(db);
    db.exec(&format!(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (shop {ddl} NOT NULL, kind {ddl} NOT NULL, n INTEGER NOT NULL);
         CREATE TABLE kinds (kind {ddl} NOT NULL, factor INTEGER NOT NULL, PRIMARY KEY (kind))"
    ));
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['shop']\ntrack_columns = ['shop', 'kind']\n\
         [sources.kinds]\ninvalidates = { summary = 'days', on = ['kind'] }\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['shop', 'kind']\npartition = ['shop']\nrecompute_by = ['shop', 'kind']\n",
    );
    let select = "SELECT r.shop, r.kind, SUM(r.n * COALESCE(k.factor, 1)) AS total FROM raw_rows r LEFT JOIN kinds k ON k.kind = r.kind \
                  GROUP BY r.shop, r.kind";
    tiny.write("days.sql", select);
    tiny.script(
        "0001_days.sql",
        &format!("CREATE TABLE tiny_days (shop {ddl} NOT NULL, kind {ddl} NOT NULL, total BIGINT NOT NULL, PRIMARY KEY (shop, kind));\n"),
    );
    let right = |when: &str| {
        let sums = |from: &str| db.rows(&format!("SELECT COUNT(*), COALESCE(SUM(total), 0) + 0 FROM {from}"));
        assert_eq!(sums("tiny_days"), sums(&format!("({select}) x")), "{when}");
    };
    tiny.create().ok();
    let values = ["FF00FE01", "41424344", "30783431", "00000000", "E4F6FC80", "5C275C27"];
    for (at, value) in values.iter().enumerate() {
        let (one, other) = (bytes(value), bytes(values[(at + 1) % values.len()]));
        db.exec(&format!("INSERT INTO raw_rows VALUES ({one}, {one}, 1), ({one}, {other}, 20)"));
    }
    tiny.refresh().ok();
    right("first");
    for value in values {
        db.exec(&format!("INSERT INTO kinds VALUES ({}, 3)", bytes(value)));
    }
    tiny.refresh().ok();
    right("a dimension's rows");
    db.exec("UPDATE kinds SET factor = 5; UPDATE raw_rows SET n = n + 1");
    tiny.dashagg().args(["status", "--json"]).run().ok();
    tiny.refresh().ok();
    right("both changed");
    for value in values {
        db.exec(&format!("UPDATE raw_rows SET n = n + 1 WHERE shop = {}", bytes(value)));
        let named = if db.kind == Kind::Postgres { format!("\\x{value}") } else { format!("0x{value}") };
        tiny.dashagg().args(["refresh", "--partition", &named]).run().ok();
        right(&named);
        tiny.dashagg().args(["verify", "--partition", &named]).run().ok();
    }
    db.exec(&format!("UPDATE tiny_days SET total = 0 WHERE shop = {0} AND kind = {0}", bytes("FF00FE01")));
    for args in [&["verify"][..], &["verify", "--json"]] {
        let said = tiny.dashagg().args(args).run().code(4).stdout;
        assert!(said.to_ascii_uppercase().contains("FF00FE01"), "{said}");
    }
    tiny.dashagg().args(["refresh", "--full"]).run().ok();
    right("complete");
    tiny.dashagg().arg("verify").run().ok();
});

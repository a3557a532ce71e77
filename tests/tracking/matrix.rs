//! Kinds of statement that every engine has, one after the other on one database.

use crate::case::{Expect::*, case, insert, notes, source_ddl, triggers};
use crate::common::{Kind, TestDb, conformance};
use crate::sample::{built, cents};

conformance!(single_statements, |db: &TestDb| {
    built(db, 1_000);
    let cent = cents(db, 1);
    case(db, "INSERT", Seen, &insert(db, &[("B010000001", "US", "2023-03-01", "sales", 1234)]));
    case(
        db,
        "multi-row INSERT, with a new month, a new ASIN and a new marketplace",
        Seen,
        &insert(
            db,
            &[
                ("B010000001", "US", "2023-03-01", "sales", 1),
                ("B010000002", "US", "2024-06-01", "fees", -7),
                ("new one", "FR", "2023-04-01", "sales", 100),
                ("new one", "FR", "2023-04-01", "sales", 100),
            ],
        ),
    );
    case(
        db,
        "UPDATE of amounts",
        Seen,
        &format!("UPDATE financials SET amount = amount + {cent} WHERE id IN (5, 6, 7)"),
    );
    case(
        db,
        "UPDATE that moves rows to another month",
        Seen,
        "UPDATE financials SET month = '2023-07-01' WHERE id BETWEEN 10 AND 40 AND month <> '2023-07-01'",
    );
    case(
        db,
        "UPDATE that moves rows to another marketplace",
        Seen,
        "UPDATE financials SET marketplace = 'MX' WHERE id BETWEEN 50 AND 59",
    );
    case(
        db,
        "UPDATE that moves rows to another ASIN",
        Seen,
        "UPDATE financials SET asin = 'B010000117' WHERE id BETWEEN 60 AND 69",
    );
    case(
        db,
        "UPDATE that moves rows to another metric",
        Seen,
        "UPDATE financials SET metric = 'other' WHERE id BETWEEN 70 AND 74",
    );
    case(db, "DELETE", Seen, "DELETE FROM financials WHERE id IN (1, 2, 3)");
    case(db, "DELETE of a whole month", Seen, "DELETE FROM financials WHERE month = '2023-12-01'");
    case(db, "UPDATE that changes nothing", Seen, "UPDATE financials SET amount = amount WHERE id = 100");
    case(
        db,
        "rollback",
        Nothing,
        "BEGIN; DELETE FROM financials WHERE id < 500; UPDATE financials SET month = '2023-01-01'; ROLLBACK",
    );
    case(
        db,
        "several statements in one transaction that end where they began",
        Seen,
        "BEGIN; UPDATE financials SET month = '2025-01-01' WHERE id = 200; \
         UPDATE financials SET month = '2023-02-01' WHERE id = 200; COMMIT",
    );
    case(
        db,
        "rollback to a savepoint",
        Seen,
        "BEGIN; UPDATE financials SET month = '2023-08-01' WHERE id = 201; SAVEPOINT here; \
         DELETE FROM financials WHERE id > 210; ROLLBACK TO SAVEPOINT here; COMMIT",
    );
});

conformance!(upserts_and_bulk, |db: &TestDb| {
    built(db, 1_000);
    let (values, on_conflict, replace) = (
        format!("(400, 'B010000003', 'US', '2023-09-01', 'sales', {}, '2026-01-02 00:00:00')", cents(db, 99)),
        match db.kind {
            Kind::Mariadb => "ON DUPLICATE KEY UPDATE month = VALUES(month), amount = VALUES(amount)",
            _ => "ON CONFLICT (id) DO UPDATE SET month = excluded.month, amount = excluded.amount",
        },
        db.kind != Kind::Postgres,
    );
    let into = "INTO financials (id, asin, marketplace, month, metric, amount, updated_at) VALUES";
    db.exec("UPDATE financials SET month = '2023-01-01' WHERE id IN (400, 401)");
    db.dashagg().arg("refresh").run().ok();
    case(db, "upsert that moves a row", Seen, &format!("INSERT {into} {values} {on_conflict}"));
    let (both, fresh) = (values.replace("400", "401"), values.replace("400", "900400"));
    case(
        db,
        "upsert that inserts one and moves one",
        Seen,
        &format!("INSERT {into} {both}, {fresh} {on_conflict}"),
    );
    if replace {
        let evicting = values.replace("400", "402").replace("2023-09", "2023-10");
        db.exec("UPDATE financials SET month = '2023-01-01' WHERE id = 402");
        db.dashagg().arg("refresh").run().ok();
        case(db, "REPLACE of a row of another month", Seen, &format!("REPLACE {into} {evicting}"));
    }
    case(
        db,
        "INSERT … SELECT",
        Seen,
        "INSERT INTO financials (asin, marketplace, month, metric, amount) \
         SELECT asin, marketplace, '2023-11-01', metric, amount FROM financials WHERE id BETWEEN 500 AND 519",
    );

    let bulk = format!(
        "INSERT INTO financials (asin, marketplace, month, metric, amount) \
         SELECT REPLACE('B0#', '#', CAST(10000000 + n % 200 AS CHAR(8))), 'US', \
         CASE WHEN n % 2 = 0 THEN '2023-05-01' ELSE '2023-06-01' END{}, 'sales', {} \
         FROM dashagg_demo_numbers WHERE n < 7000",
        if db.kind == Kind::Postgres { "::date" } else { "" },
        cents(db, 3)
    );
    db.exec(&bulk);
    let waiting = notes(db, "dashagg_log_", "month") + notes(db, "dashagg_mark_", "month");
    assert!((1..=5_100).contains(&waiting), "{waiting} notes for 7000 rows");
    let report = case(db, "7,000 rows in one statement", Seen, "SELECT 1");
    assert_eq!(report["sets"][0]["partitions"], 2, "{report:#}");
    let report = case(
        db,
        "7,000 rows moved in one statement",
        Seen,
        "UPDATE financials SET month = '2023-07-01' WHERE month IN ('2023-05-01', '2023-06-01')",
    );
    assert_eq!(report["sets"][0]["partitions"], 3, "{report:#}");
    case(db, "bulk DELETE", Seen, "DELETE FROM financials WHERE month = '2023-07-01'");
});

conformance!(gaps_in_tracking, |db: &TestDb| {
    built(db, 1_000);
    db.exec(
        "CREATE TABLE kept AS SELECT * FROM financials; CREATE TABLE kept_products AS SELECT * FROM products",
    );
    let on = if db.kind == Kind::Postgres { " ON financials" } else { "" };
    for (at, trigger) in triggers(db, "financials").into_iter().enumerate() {
        let one = |n: usize| format!("DELETE FROM financials WHERE id = {}", 300 + 2 * at + n);
        case(
            db,
            &format!("{trigger} dropped, then changes of all kinds"),
            Complete("triggers on financials were missing"),
            &format!(
                "DROP TRIGGER {trigger}{on}; {}; UPDATE financials SET month = '2023-05-01' WHERE id BETWEEN 100 AND 110; \
                 {}",
                insert(db, &[("B010000009", "US", "2023-08-01", "sales", 77)]),
                one(1)
            ),
        );
        db.exec(&insert(db, &[("B010000009", "US", "2023-08-01", "sales", 78)]));
        db.exec("UPDATE financials SET month = '2023-03-01' WHERE month = '2023-08-01'");
        case(db, "and all of them work again", Seen, &one(0));
    }

    let ddl = source_ddl(db, "financials");
    let columns = "id, asin, marketplace, month, metric, amount, updated_at";
    let fill = format!("INSERT INTO financials ({columns}) SELECT {columns} FROM kept WHERE id % 17 <> 0");
    case(
        db,
        "the source dropped and made again",
        Complete("financials"),
        &format!("DROP TABLE financials; {ddl}; {fill}"),
    );
    case(db, "which is tracked again", Seen, "DELETE FROM financials WHERE id = 30");
    case(
        db,
        "the source replaced by renaming",
        Complete("financials"),
        &format!("ALTER TABLE financials RENAME TO financials_before; {ddl}; {fill}"),
    );
    case(db, "which is tracked, too", Seen, "DELETE FROM financials WHERE id = 31");
    case(db, "the one put aside concerns nobody", Nothing, "DELETE FROM financials_before WHERE id = 32");

    if db.kind == Kind::Sqlite {
        case(db, "DELETE without WHERE", Seen, "DELETE FROM financials");
        case(db, "and everything back", Seen, &fill);
        case(db, "all products gone", Seen, "DELETE FROM products");
    } else {
        case(db, "TRUNCATE", Complete("financials"), "TRUNCATE TABLE financials");
        case(db, "and everything back", Seen, &fill);
        let again = format!("TRUNCATE TABLE financials; {fill} AND id > 60");
        case(db, "TRUNCATE and loaded again at once", Complete("financials"), &again);
        case(db, "TRUNCATE of a dimension", Complete("products"), "TRUNCATE TABLE products");
    }
    case(db, "products back", Seen, "INSERT INTO products SELECT * FROM kept_products");
});

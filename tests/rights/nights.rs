//! A week of nights by a user who may do no more than docs/rights.md says: whatever the application did by day.

use super::shop::{Shop, sold};
use crate::common::{Kind, TestDb, conformance};
use crate::conformance::run::{stopped_at, wait_until};

/// A night: all that cron runs, and no number is wrong in the morning. Returns what refresh said.
#[track_caller]
fn night(shop: &Shop<'_>, day: &str, change: &str) -> String {
    if !change.is_empty() {
        shop.db.exec(change);
    }
    let said = shop.night(&["refresh", "--allow-shrink"]).run().ok().stderr;
    shop.night(&["status"]).run().ok();
    shop.night(&["verify"]).run().ok();
    shop.is_right(day);
    said
}

fn truncate_and_reload(kind: Kind) -> String {
    let empty = if kind == Kind::Sqlite { "DELETE FROM sales" } else { "TRUNCATE TABLE sales" };
    // The first day does not come back: nothing but the signature tells of it.
    format!("{empty}; {}", sold("sales", "2025-01-02", 200, 25))
}

fn new_partition(kind: Kind) -> String {
    let rows = sold(if kind == Kind::Postgres { "sales_3" } else { "sales" }, "2025-01-03", 300, 12);
    match kind {
        Kind::Mariadb => {
            format!("ALTER TABLE sales ADD PARTITION (PARTITION p3 VALUES LESS THAN ('2025-01-04')); {rows}")
        }
        Kind::Postgres => format!(
            "CREATE TABLE sales_3 (LIKE sales INCLUDING ALL); {rows}; \
             ALTER TABLE sales ATTACH PARTITION sales_3 FOR VALUES FROM ('2025-01-03') TO ('2025-01-04')"
        ),
        Kind::Sqlite => rows,
    }
}

fn exchanged_partition(kind: Kind) -> String {
    match kind {
        Kind::Mariadb => format!(
            "CREATE TABLE spare LIKE sales; ALTER TABLE spare REMOVE PARTITIONING; {}; \
             ALTER TABLE sales EXCHANGE PARTITION p3 WITH TABLE spare; ALTER TABLE sales TRUNCATE PARTITION p2",
            sold("spare", "2025-01-03", 400, 9)
        ),
        // As it was before the night with the new one.
        Kind::Postgres => "ALTER TABLE sales DETACH PARTITION sales_3".to_owned(),
        Kind::Sqlite => "DELETE FROM sales WHERE day = '2025-01-03'".to_owned(),
    }
}

fn altered_source(kind: Kind) -> String {
    let change = match kind {
        Kind::Mariadb => {
            "ALTER TABLE sales ADD COLUMN note VARCHAR(20) NULL, MODIFY shop VARCHAR(60) NOT NULL, MODIFY n BIGINT NOT NULL; \
             ALTER TABLE shops MODIFY shop VARCHAR(60) NOT NULL"
        }
        Kind::Postgres => {
            "ALTER TABLE sales ADD COLUMN note VARCHAR(20), ALTER COLUMN shop TYPE VARCHAR(60), ALTER COLUMN n TYPE BIGINT; \
             ALTER TABLE shops ALTER COLUMN shop TYPE VARCHAR(60)"
        }
        Kind::Sqlite => "ALTER TABLE sales ADD COLUMN note VARCHAR(20)",
    };
    let shop = "a shop whose name is longer than twenty letters";
    format!(
        "{change}; INSERT INTO shops VALUES ('{shop}', 'east'); \
         INSERT INTO sales (id, day, shop, n) VALUES (500, '2025-01-02', '{shop}', 4)"
    )
}

/// All sessions of the night's user end while it publishes.
fn cut_off(shop: &Shop<'_>) {
    shop.db.exec("UPDATE sales SET n = n + 2");
    let (run, gate) = stopped_at(shop.db, shop.night(&["refresh"]), "publish");
    let user = shop.user("dashagg_night");
    if shop.db.kind == Kind::Mariadb {
        let ids = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{user}'");
        for id in shop.db.rows(&ids).concat() {
            let _ = shop.db.try_exec(&format!("KILL {id}"));
        }
    } else if shop.db.kind == Kind::Postgres {
        shop.db.rows(&format!(
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE usename = '{user}'"
        ));
    }
    gate.open();
    run.end().ok();
    night(shop, "cut off", "");
}

fn warns(said: &str) -> bool {
    said.contains("run `dashagg create shop`")
}

conformance!(a_week_of_nights_with_the_rights_of_the_docs, |db: &TestDb| {
    let shop = Shop::new(db);
    shop.create();
    let (kind, made) = (db.kind, shop.triggers());
    night(&shop, "the first night", "");
    night(
        &shop,
        "an ordinary day",
        "UPDATE sales SET n = n + 1 WHERE id < 5; DELETE FROM sales WHERE id = 9",
    );
    night(&shop, "a moved shop", "UPDATE shops SET region = 'north' WHERE shop = 'S2'");
    night(&shop, "TRUNCATE", &truncate_and_reload(kind));
    assert_eq!(shop.triggers(), made, "a refresh made triggers");
    let said = night(&shop, "a new partition", &new_partition(kind));
    // On PostgreSQL a statement on the partition itself fires no trigger of its parent.
    assert_eq!(warns(&said), kind == Kind::Postgres, "{said}");
    let status = shop.night(&["status", "--json"]).run().ok().json();
    assert_eq!(
        status["warnings"].to_string().contains("dashagg create shop"),
        kind == Kind::Postgres,
        "{status}"
    );
    night(&shop, "another partition", &exchanged_partition(kind));
    night(&shop, "ALTER", &altered_source(kind));
    assert_eq!(shop.triggers(), made, "a refresh made triggers");
    cut_off(&shop);
    wait_until(
        || shop.night(&["refresh"]).run().ok().stdout.contains("Nothing to do"),
        || "never current".to_owned(),
    );
});

// What the nightly user may not make, its owner makes; until then the numbers are right all the same.
conformance!(triggers_that_are_gone_come_back_with_create, |db: &TestDb| {
    if db.kind == Kind::Sqlite {
        return;
    }
    let shop = Shop::new(db);
    shop.create();
    night(&shop, "the first night", "");
    let gone = match db.kind {
        Kind::Postgres => "ALTER TABLE sales_1 DISABLE TRIGGER ALL".to_owned(),
        _ => format!("DROP TRIGGER {}", db.one("SELECT MIN(TRIGGER_NAME) FROM information_schema.TRIGGERS \
                     WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = 'sales' AND TRIGGER_NAME LIKE '%ai'")),
    };
    let insert = |id: u32| {
        let table = if db.kind == Kind::Postgres { "sales_1" } else { "sales" };
        format!("INSERT INTO {table} (id, day, shop, n) VALUES ({id}, '2025-01-01', 'S1', 5)")
    };
    for (day, id) in [("dropped", 900), ("still dropped", 901)] {
        let change = if id == 900 { format!("{gone}; {}", insert(id)) } else { insert(id) };
        let said = night(&shop, day, &change);
        assert!(warns(&said), "{said}");
    }
    shop.create();
    let said = night(&shop, "made again", &insert(902));
    assert!(!warns(&said), "{said}");
    db.exec(&insert(903));
    let report = shop.night(&["refresh", "--json"]).run().ok().json();
    assert_eq!(report["sets"][0]["mode"], "incremental", "{report}");
    shop.is_right("noted again");
    let status = shop.night(&["status", "--json"]).run().ok().json();
    assert!(!status["warnings"].to_string().contains("dashagg create"), "{status}");
});

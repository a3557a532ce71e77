//! The founding source tables with deterministic rows, and what the tiers must hold, written by hand.

use crate::common::{Kind, TestDb};

pub const ASIN: &str = "financials_summary_monthly_asin_marketplace";
pub const BRAND: &str = "financials_summary_monthly_brand";
pub const CATEGORY: &str = "financials_summary_monthly_category";

/// ASINs in a sample; two of them have no product.
const ASINS: u64 = 200;

/// The host application's tables, with `rows` rows in the twelve months of 2023: a refresh costs by the month.
pub fn sample(db: &TestDb, rows: u64) {
    sample_of_months(db, rows, 12);
}

/// The same in `months` months, at most 36.
pub fn sample_of_months(db: &TestDb, rows: u64, months: u64) {
    let tables = match db.kind {
        Kind::Mariadb => include_str!("../../sql/financials/sample/mysql.sql"),
        Kind::Postgres => include_str!("../../sql/financials/sample/postgres.sql"),
        Kind::Sqlite => include_str!("../../sql/financials/sample/sqlite.sql"),
    };
    let fill = format!(
        "{}\n{}",
        include_str!("../../sql/financials/sample/dimensions.sql"),
        include_str!("../../sql/financials/sample/fill.sql")
    );
    let fill = fill
        .replace("{lo}", "0")
        .replace("{hi}", &rows.to_string())
        .replace("{alo}", "0")
        .replace("{ahi}", &((rows - 1) / 10_000).to_string())
        .replace("{asins}", &ASINS.to_string())
        .replace("{seed}", "1")
        .replace("% 36", &format!("% {months}"));
    let mut client = db.client();
    if db.kind == Kind::Sqlite {
        // What a sample needs is speed; the setting ends with this connection.
        client.exec("PRAGMA synchronous = OFF");
    }
    client.exec(tables);
    client.exec(&fill);
    assert_eq!(client.one("SELECT COUNT(*) FROM financials"), rows.to_string());
}

/// A sample, and `create` and the first `refresh` on it.
pub fn built(db: &TestDb, rows: u64) {
    built_of_months(db, rows, 12);
}

/// The same in `months` months.
pub fn built_of_months(db: &TestDb, rows: u64, months: u64) {
    sample_of_months(db, rows, months);
    db.dashagg().arg("create").run().ok();
    db.dashagg().arg("refresh").run().ok();
}

/// An amount as the source stores it.
pub fn cents(db: &TestDb, cents: i64) -> String {
    match db.kind {
        Kind::Sqlite => cents.to_string(),
        _ => format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100),
    }
}

/// Raw rows with their brand and category; an ASIN without a product is unassigned (0).
const RAW: &str = "SELECT f.asin, f.marketplace, f.month, f.metric, f.amount, \
     CASE WHEN p.asin IS NULL THEN 0 ELSE p.brand_id END AS brand_id, \
     CASE WHEN p.asin IS NULL THEN 0 ELSE p.category_id END AS category_id \
     FROM financials f LEFT JOIN products p ON p.asin = f.asin";

const EVERYTHING: &str = "1 = 1";

/// Each tier: table, columns, and the same rows computed straight from raw; shares nothing with the set's own SELECTs.
fn expectations() -> [(&'static str, &'static str, String); 3] {
    [
        (
            ASIN,
            "asin, marketplace, month, metric, brand_id, category_id, amount, row_count",
            format!(
                "SELECT asin, marketplace, month, metric, brand_id, category_id, SUM(amount), COUNT(*) FROM ({RAW}) r \
                 GROUP BY asin, marketplace, month, metric, brand_id, category_id"
            ),
        ),
        (
            BRAND,
            "brand_id, marketplace, month, metric, amount, row_count",
            format!(
                "SELECT brand_id, CASE w.whole WHEN 1 THEN 'ALL' ELSE marketplace END, month, metric, \
                 SUM(amount), COUNT(*) FROM ({RAW}) r CROSS JOIN (SELECT 0 AS whole UNION ALL SELECT 1) w \
                 GROUP BY brand_id, CASE w.whole WHEN 1 THEN 'ALL' ELSE marketplace END, month, metric"
            ),
        ),
        (
            CATEGORY,
            "category_id, month, metric, amount, row_count",
            format!(
                "SELECT category_id, month, metric, SUM(amount), COUNT(*) FROM ({RAW}) r \
                 GROUP BY category_id, month, metric"
            ),
        ),
    ]
}

/// Rows that are in a tier and not in raw, or the other way round, for the rows that meet `condition`.
fn differences(db: &TestDb, condition: &str) -> Vec<String> {
    let mut client = db.client();
    let mut found = Vec::new();
    for (table, columns, raw) in expectations() {
        let have = format!("SELECT {columns} FROM {table} WHERE {condition}");
        let want = match condition {
            EVERYTHING => raw,
            _ => raw.replace(RAW, &format!("{RAW} WHERE f.{condition}")),
        };
        for (label, left, right) in [("extra", &have, &want), ("missing", &want, &have)] {
            for row in client.rows(&format!("{left} EXCEPT {right}")) {
                found.push(format!("{table}: {label}: {}", row.join(", ")));
            }
        }
        let rows = client.one(&format!("SELECT COUNT(*) FROM ({have}) h"));
        let distinct =
            client.one(&format!("SELECT COUNT(*) FROM (SELECT DISTINCT {columns} FROM ({have}) h) d"));
        assert_eq!(rows, distinct, "{table} holds a row twice");
    }
    found
}

/// Every tier equals raw, by EXCEPT both ways.
#[track_caller]
pub fn assert_equals_raw(db: &TestDb) {
    let found = differences(db, EVERYTHING);
    assert!(found.is_empty(), "{} differences, first: {:#?}", found.len(), &found[..found.len().min(5)]);
}

/// Whether every tier equals raw in one month.
pub fn month_is_current(db: &TestDb, month: &str) -> bool {
    differences(db, &format!("month = '{month}'")).is_empty()
}

/// Independent query and `verify` agree that all is right.
#[track_caller]
pub fn assert_right(db: &TestDb) {
    assert_equals_raw(db);
    db.dashagg().arg("verify").run().ok();
}

/// The money is the same in every tier, month by month, whatever the source has by now.
#[track_caller]
pub fn assert_tiers_agree(db: &TestDb) {
    let sums = |table: &str, condition: &str| {
        db.rows(&format!(
            "SELECT month, metric, SUM(amount), SUM(row_count) FROM {table} WHERE {condition} \
             GROUP BY month, metric ORDER BY month, metric"
        ))
    };
    let want = sums(ASIN, EVERYTHING);
    assert_eq!(sums(CATEGORY, EVERYTHING), want);
    assert_eq!(sums(BRAND, "marketplace = 'ALL'"), want);
    assert_eq!(sums(BRAND, "marketplace <> 'ALL'"), want);
}

/// Every row of every tier as text.
pub fn contents(db: &TestDb) -> Vec<Vec<Vec<String>>> {
    let mut client = db.client();
    expectations()
        .iter()
        .map(|(table, columns, _)| {
            let mut rows = client.rows(&format!("SELECT {columns}, updated_at FROM {table}"));
            rows.sort();
            rows
        })
        .collect()
}

/// Names of the database's tables, also of those that other sessions have for themselves.
fn table_names(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
        Kind::Postgres => "SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY 1",
        Kind::Sqlite => "SELECT name FROM sqlite_master",
    };
    db.rows(sql).into_iter().flatten().collect()
}

/// Names of the scratch tables that `create` makes: with a summary that others read, two on PostgreSQL.
pub fn lasting_scratch(db: &TestDb) -> Vec<String> {
    table_names(db).into_iter().filter(|name| name.starts_with("dashagg_scratch_")).collect()
}

/// Whatever a run left in scratch: rows in the tables that stay, and any other scratch table that other connections
/// can see.
pub fn left_in_scratch(db: &TestDb) -> Vec<String> {
    let mut left = table_names(db);
    left.retain(|name| name.starts_with("dashagg_delta_") || name.starts_with("dashagg_stage_"));
    let tables = lasting_scratch(db);
    let expected = match db.kind {
        // The stage of the first tier is a table, too: MySQL cannot read a temporary one twice in a statement.
        Kind::Mariadb if db.server.about().product == "MySQL" => 4,
        Kind::Mariadb => 3,
        Kind::Postgres => 4,
        Kind::Sqlite => 0,
    };
    assert_eq!(tables.len(), expected, "{tables:?}");
    let mut client = db.client();
    for table in tables {
        let rows = client.one(&format!("SELECT COUNT(*) FROM {table}"));
        if rows != "0" {
            left.push(format!("{rows} rows in {table}"));
        }
    }
    left
}

//! The two databases and their sample rows.

use std::time::{Duration, Instant};

use crate::common::{Client, Kind};
use crate::measure::timed;
use crate::say;
use crate::server::Server;

/// Rows of one INSERT, as `dashagg demo` makes them.
const BATCH: u64 = 250_000;

macro_rules! set_file {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/financials/", $path))
    };
}

/// The sample that `dashagg demo` makes.
pub struct Site {
    asins: u64,
}

impl Site {
    pub fn new(rows: u64) -> Self {
        Site { asins: (rows / 5_000).clamp(10, 2_000) }
    }

    /// The source tables and the dimensions, without rows in `financials`.
    pub fn tables(&self, db: &Db) {
        let mut client = db.client();
        for sql in statements(match db.kind {
            Kind::Mariadb => set_file!("sample/mysql.sql"),
            _ => set_file!("sample/postgres.sql"),
        }) {
            client.exec(&sql);
        }
        for sql in statements(set_file!("sample/dimensions.sql")) {
            client.exec(&self.put_in(&sql));
        }
    }

    fn put_in(&self, sql: &str) -> String {
        sql.replace("{asins}", &self.asins.to_string()).replace("{seed}", "1")
    }

    /// The sample's rows `low..high`, into a table of that shape.
    pub fn fill(&self, db: &Db, table: &str, mut low: u64, high: u64) {
        let mut client = db.client();
        let start = Instant::now();
        let [sql] = &statements(set_file!("sample/fill.sql"))[..] else {
            panic!("fill.sql is one statement")
        };
        let sql = self.put_in(sql).replace("INSERT INTO financials ", &format!("INSERT INTO {table} "));
        while low < high {
            let next = (low + BATCH).min(high);
            client.exec(
                &sql.replace("{lo}", &low.to_string())
                    .replace("{hi}", &next.to_string())
                    .replace("{alo}", &(low / 10_000).to_string())
                    .replace("{ahi}", &((next - 1) / 10_000).to_string()),
            );
            low = next;
            if low.is_multiple_of(2_000_000) {
                say(&format!("{table}: {} rows, {:.0} s", thousands(low), start.elapsed().as_secs_f64()));
            }
        }
    }
}

/// One of the benchmark's databases; dropped at the end.
pub struct Db {
    pub kind: Kind,
    pub name: &'static str,
    pub url: String,
    server: Server,
}

impl Db {
    /// An empty one. One of that name that is there already is left alone: on a given server it may be anybody's.
    pub fn create(server: &Server, name: &'static str) -> Self {
        Self::make(server, name, "")
    }

    fn make(server: &Server, name: &'static str, how: &str) -> Self {
        let sql = format!("CREATE DATABASE {name}{how}");
        if let Err(e) = server.admin().and_then(|mut admin| admin.try_exec(&sql)) {
            panic!("cannot create the database {name}: {e}. If it is left from an earlier run, drop it");
        }
        Db { kind: server.kind, name, url: server.url(name), server: server.clone() }
    }

    /// The same rows again, with the founding indexes and the summary tables, for the script.
    pub fn copy(server: &Server, name: &'static str, from: &Db, site: &Site) -> Self {
        let db = match from.kind {
            Kind::Mariadb => {
                let db = Self::create(server, name);
                let mut client = db.client();
                site.tables(&db);
                let last: u64 = from.one("SELECT MAX(id) FROM financials").parse().unwrap();
                let time = timed(|| {
                    for low in (0..last).step_by(1_000_000) {
                        client.exec(&format!(
                            "INSERT INTO financials SELECT * FROM {}.financials WHERE id > {low} AND id <= {}",
                            from.name,
                            low + 1_000_000
                        ));
                    }
                });
                say(&format!("copied in {time:.0} s"));
                db
            }
            _ => {
                let version: u32 = from.one("SHOW server_version_num").parse().unwrap();
                let strategy = if version >= 150_000 { " STRATEGY FILE_COPY" } else { "" };
                Self::make(server, name, &format!(" TEMPLATE {}{strategy}", from.name))
            }
        };
        db.for_script();
        db
    }

    /// The founding indexes, and the summary tables.
    pub fn for_script(&self) {
        let mut client = self.client();
        match self.kind {
            Kind::Mariadb => client.exec(
                "ALTER TABLE financials ADD INDEX idx_month_metric_marketplace (month, metric, marketplace), \
                 ADD INDEX idx_metric_month (metric, month)",
            ),
            _ => client.exec(
                "CREATE INDEX idx_month_metric_marketplace ON financials (month, metric, marketplace); \
                 CREATE INDEX idx_metric_month ON financials (metric, month)",
            ),
        }
        for sql in statements(match self.kind {
            Kind::Mariadb => set_file!("mysql/0001_summary_tables.sql"),
            _ => set_file!("postgres/0001_summary_tables.sql"),
        }) {
            client.exec(&sql);
        }
        self.settle(true);
    }

    pub fn client(&self) -> Client {
        Client::connect(self.kind, &self.url)
    }

    pub fn exec(&self, sql: &str) {
        self.client().exec(sql);
    }

    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.client().rows(sql)
    }

    pub fn one(&self, sql: &str) -> String {
        self.client().one(sql)
    }

    /// Seconds of a query on a connection that is open and has run it before.
    pub fn warm(&self, sql: &str, runs: usize) -> Vec<f64> {
        let mut client = self.client();
        client.rows(sql);
        (0..runs).map(|_| timed(|| drop(client.rows(sql)))).collect()
    }

    /// The founding refresh, connecting included, as a cron job would run it.
    pub fn founding_script(&self) {
        let mut client = self.client();
        for sql in statements(match self.kind {
            Kind::Mariadb => set_file!("founding/mysql.sql"),
            _ => set_file!("founding/postgres.sql"),
        }) {
            client.exec(&sql);
        }
    }

    /// Adds a cent to that many rows of one month, and says to how many. The ids of a month are spread over all its
    /// keys, so nearly every row is another group. Each `turn` takes other rows.
    pub fn change(&self, month: &str, turn: usize, rows: u64, count: u64) -> u64 {
        let after = if count * 36 < rows { turn as u64 * 7_919 * 36 % (rows - count * 36) } else { 0 };
        let mut client = self.client();
        let chosen = format!("month = '{month}' AND id > {after} AND id <= {rows} ORDER BY id LIMIT {count}");
        let changed = match self.kind {
            Kind::Mariadb => {
                client.exec(&format!("UPDATE financials SET amount = amount + 0.01 WHERE {chosen}"));
                client.one("SELECT ROW_COUNT()")
            }
            _ => client.one(&format!(
                "WITH changed AS (UPDATE financials SET amount = amount + 0.01 \
                 WHERE id IN (SELECT id FROM financials WHERE {chosen}) RETURNING 1) SELECT COUNT(*) FROM changed"
            )),
        };
        changed.parse().unwrap()
    }

    /// Lets the server finish what earlier steps left it to do, so that no step pays for another's.
    /// `loaded`: statistics are due too.
    pub fn settle(&self, loaded: bool) {
        let mut client = self.client();
        if self.kind == Kind::Postgres {
            if loaded {
                client.exec("VACUUM ANALYZE");
            }
            // Needs a right that a given server may not grant.
            client.try_exec("CHECKPOINT").ok();
            return;
        }
        if loaded {
            client.exec("ANALYZE TABLE financials, products");
        }
        // Purging of deleted and updated rows. MySQL has no such counter.
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline
            && client
                .rows("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'")
                .first()
                .is_some_and(|row| row[1].parse::<u64>().is_ok_and(|length| length > 100))
        {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes the source's indexes those of another database, for a fair load.
    pub fn same_source_indexes(&self, other: &Db) {
        match self.kind {
            Kind::Mariadb => self.exec(
                "ALTER TABLE financials DROP INDEX idx_month_metric_marketplace, \
                 ADD INDEX idx_financials_cover (month, metric, marketplace, asin, amount)",
            ),
            _ => {
                self.exec("DROP INDEX idx_month_metric_marketplace, idx_metric_month");
                let sql = "SELECT indexdef FROM pg_indexes WHERE tablename = 'financials' \
                           AND indexname <> 'financials_pkey'";
                for row in other.rows(sql) {
                    self.exec(&row[0]);
                }
            }
        }
        let indexes = match self.kind {
            Kind::Mariadb => {
                "SELECT index_name, seq_in_index, column_name FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND table_name = 'financials' ORDER BY 1, 2"
            }
            _ => "SELECT indexdef FROM pg_indexes WHERE tablename = 'financials' ORDER BY 1",
        };
        assert_eq!(self.rows(indexes), other.rows(indexes), "the two sources have other indexes");
    }

    /// What the summaries would be as materialized views, with the same indexes.
    pub fn matviews(&self) {
        let mut client = self.client();
        for sql in [
            &format!("CREATE MATERIALIZED VIEW mv_asin AS {}", group_by()),
            "CREATE UNIQUE INDEX ON mv_asin (month, metric, marketplace, asin)",
            "CREATE INDEX ON mv_asin (asin, month)",
            "CREATE INDEX ON mv_asin (brand_id, month)",
            "CREATE INDEX ON mv_asin (category_id, month)",
            "CREATE MATERIALIZED VIEW mv_brand AS \
             SELECT brand_id, marketplace, month, metric, SUM(amount) AS amount, SUM(row_count) AS row_count \
             FROM mv_asin GROUP BY brand_id, marketplace, month, metric \
             UNION ALL SELECT brand_id, 'ALL', month, metric, SUM(amount), SUM(row_count) \
             FROM mv_asin GROUP BY brand_id, month, metric",
            "CREATE UNIQUE INDEX ON mv_brand (month, marketplace, metric, brand_id)",
            "CREATE INDEX ON mv_brand (brand_id, marketplace, month)",
            "CREATE MATERIALIZED VIEW mv_category AS \
             SELECT category_id, month, metric, SUM(amount) AS amount, SUM(row_count) AS row_count \
             FROM mv_asin GROUP BY category_id, month, metric",
            "CREATE UNIQUE INDEX ON mv_category (month, metric, category_id)",
        ] {
            client.exec(sql);
        }
    }

    pub fn version(&self) -> String {
        match self.kind {
            Kind::Mariadb => format!("MariaDB {}", self.one("SELECT VERSION()")),
            _ => format!("PostgreSQL {}", self.one("SHOW server_version")),
        }
    }

    /// The settings that shape the figures.
    pub fn settings(&self) -> String {
        let names: &[&str] = match self.kind {
            Kind::Mariadb => &[
                "innodb_buffer_pool_size",
                "innodb_log_file_size",
                "innodb_flush_log_at_trx_commit",
                "tmp_table_size",
                "max_heap_table_size",
                "log_bin",
            ],
            _ => &[
                "shared_buffers",
                "work_mem",
                "maintenance_work_mem",
                "max_wal_size",
                "synchronous_commit",
                "fsync",
            ],
        };
        let values: Vec<String> = names
            .iter()
            .map(|name| match self.kind {
                Kind::Mariadb => format!("{name} = {}", self.one(&format!("SELECT @@GLOBAL.{name}"))),
                _ => format!("{name} = {}", self.one(&format!("SHOW {name}"))),
            })
            .collect();
        format!("Settings: {}.", values.join(", "))
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let force = if self.kind == Kind::Postgres { " WITH (FORCE)" } else { "" };
        let sql = format!("DROP DATABASE {}{force}", self.name);
        // No panic here: this may run because of one, or because the server is gone.
        if let Err(e) = self.server.admin().and_then(|mut admin| admin.try_exec(&sql)) {
            say(&format!("could not drop {}: {e}", self.name));
        }
    }
}

/// The statements of one of the set's scripts: none has a semicolon inside of a statement.
fn statements(script: &str) -> Vec<String> {
    let lines: Vec<&str> =
        script.lines().map(|line| line.split_once("--").map_or(line, |(before, _)| before)).collect();
    lines.join("\n").split(';').map(|sql| sql.trim().to_owned()).filter(|sql| !sql.is_empty()).collect()
}

/// The script's first GROUP BY.
pub fn group_by() -> &'static str {
    "SELECT f.asin, f.marketplace, f.month, f.metric, COALESCE(p.brand_id, 0) AS brand_id, \
     COALESCE(p.category_id, 0) AS category_id, SUM(f.amount) AS amount, COUNT(*) AS row_count \
     FROM financials f LEFT JOIN products p ON p.asin = f.asin \
     GROUP BY f.asin, f.marketplace, f.month, f.metric, COALESCE(p.brand_id, 0), COALESCE(p.category_id, 0)"
}

/// The three dashboard queries, and the drill-down that needs the ASIN tier: name, on raw, on summaries.
pub fn dashboards() -> [(&'static str, String, String); 4] {
    [
        (
            "brand totals",
            set_file!("dashboards/01_brand_totals.raw.sql"),
            set_file!("dashboards/01_brand_totals.summary.sql"),
        ),
        (
            "category totals",
            set_file!("dashboards/02_category_totals.raw.sql"),
            set_file!("dashboards/02_category_totals.summary.sql"),
        ),
        (
            "profitability",
            set_file!("dashboards/03_profitability.raw.sql"),
            set_file!("dashboards/03_profitability.summary.sql"),
        ),
        (
            "drill-down: brand by category",
            set_file!("dashboards/04_brand_by_category.raw.sql"),
            set_file!("dashboards/04_brand_by_category.summary.sql"),
        ),
    ]
    .map(|(name, raw, summary)| (name, raw.to_owned(), summary.to_owned()))
}

/// The sample's months, round and round.
pub fn month(at: usize) -> String {
    let at = at % 36;
    format!("{}-{:02}-01", 2023 + at / 12, at % 12 + 1)
}

pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

//! A set with a partitioned source, a dimension and two tiers, and the users of docs/rights.md.

use std::fmt::Write as _;

use crate::common::{Dashagg, Kind, TestDb};
use crate::small::engine_folder;

const RIGHTS: &str = include_str!("../../docs/rights.md");
const README: &str = include_str!("../../README.md");

/// The SQL block behind `<!-- rights: NAME -->`.
fn block(text: &str, name: &str) -> String {
    let marker = format!("<!-- rights: {name} -->\n```sql\n");
    let (_, after) = text.split_once(&marker).unwrap_or_else(|| panic!("there is no {marker}"));
    after.split_once("\n```").unwrap().0.to_owned()
}

const MANIFEST: &str = r#"
[sources.sales]
partition     = ["day"]
track_columns = ["day", "shop"]
totals        = { n = "SUM(n)" }

[sources.shops]
invalidates = { summary = "by_shop", on = ["shop"] }

[summaries.by_shop]
table        = "sales_by_shop"
select       = "by_shop.sql"
key          = ["day", "shop"]
partition    = ["day"]
recompute_by = ["day", "shop"]
reconcile    = [{ columns = ["n"] }]

[summaries.by_region]
table     = "sales_by_region"
select    = "by_region.sql"
key       = ["day", "region"]
partition = ["day"]
reconcile = [{ columns = ["n"] }]
"#;

const BY_SHOP: &str = "SELECT s.day, s.shop, p.region, SUM(s.n) AS n FROM sales s JOIN shops p ON p.shop = s.shop \
                       GROUP BY s.day, s.shop, p.region";

const TABLES: &str =
    "CREATE TABLE sales_by_shop (day DATE NOT NULL, shop VARCHAR(80) NOT NULL, region VARCHAR(20) NOT NULL, \
     n BIGINT NOT NULL, PRIMARY KEY (day, shop));
     CREATE TABLE sales_by_region (day DATE NOT NULL, region VARCHAR(20) NOT NULL, n BIGINT NOT NULL, \
     PRIMARY KEY (day, region));";

/// A day's rows: `day`, the first id, and how many.
pub fn sold(table: &str, day: &str, first: u32, rows: u32) -> String {
    let rows: Vec<String> = (0..rows)
        .map(|n| format!("({}, '{day}', 'S{}', {})", first + n, n % 3 + 1, n * 7 % 11 + 1))
        .collect();
    format!("INSERT INTO {table} (id, day, shop, n) VALUES {}", rows.join(", "))
}

fn sources(kind: Kind) -> String {
    let columns = "id INTEGER NOT NULL, day DATE NOT NULL, shop VARCHAR(20) NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (id, day)";
    let mut sql = match kind {
        Kind::Mariadb => format!(
            "CREATE TABLE sales ({columns}) PARTITION BY RANGE COLUMNS(day) \
             (PARTITION p1 VALUES LESS THAN ('2025-01-02'), PARTITION p2 VALUES LESS THAN ('2025-01-03'))"
        ),
        Kind::Postgres => format!(
            "CREATE TABLE sales ({columns}) PARTITION BY RANGE (day); \
             CREATE TABLE sales_1 PARTITION OF sales FOR VALUES FROM ('2025-01-01') TO ('2025-01-02'); \
             CREATE TABLE sales_2 PARTITION OF sales FOR VALUES FROM ('2025-01-02') TO ('2025-01-03')"
        ),
        Kind::Sqlite => format!("CREATE TABLE sales ({columns})"),
    };
    write!(
        sql,
        "; CREATE TABLE shops (shop VARCHAR(20) NOT NULL PRIMARY KEY, region VARCHAR(20) NOT NULL); \
         INSERT INTO shops VALUES ('S1', 'north'), ('S2', 'south'), ('S3', 'south'); {}; {}",
        sold("sales", "2025-01-01", 1, 30),
        sold("sales", "2025-01-02", 101, 20)
    )
    .unwrap();
    sql
}

/// The set, its sources, and users who may no more than the docs say. Dropped with all of them.
pub struct Shop<'d> {
    pub db: &'d TestDb,
    tag: String,
    sets: String,
}

impl<'d> Shop<'d> {
    pub fn new(db: &'d TestDb) -> Self {
        db.server.needs_users();
        let sets = db.dir().join("sets");
        let folder = sets.join("shop");
        std::fs::create_dir_all(folder.join(engine_folder(db.kind))).unwrap();
        for (file, text) in [
            ("summaries.toml", MANIFEST),
            ("by_shop.sql", BY_SHOP),
            ("by_region.sql", "SELECT day, region, SUM(n) AS n FROM sales_by_shop GROUP BY day, region"),
            (&format!("{}/0001_tables.sql", engine_folder(db.kind)), TABLES),
        ] {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let tag = db.name().trim_start_matches("dashagg_test_").to_owned();
        let shop = Shop { db, tag, sets: sets.to_str().unwrap().to_owned() };
        db.exec(&sources(db.kind));
        match db.kind {
            Kind::Mariadb => {
                db.exec(&shop.named(&block(README, "mysql")));
                db.exec(&shop.named(&block(RIGHTS, "mysql night")));
            }
            Kind::Postgres => {
                db.exec(&shop.named("CREATE ROLE app_owner NOLOGIN"));
                for table in ["sales", "sales_1", "sales_2", "shops"] {
                    db.exec(&shop.named(&format!("ALTER TABLE {table} OWNER TO app_owner")));
                }
                db.exec(&shop.named(&block(README, "postgres")));
                db.exec(&shop.named(&block(RIGHTS, "postgres night")));
            }
            Kind::Sqlite => {}
        }
        shop
    }

    /// A statement of the docs, about this database and its users.
    pub fn named(&self, sql: &str) -> String {
        let mut sql = sql.replace("app.*", &format!("{}.*", self.db.name()));
        for user in ["dashagg_run", "dashagg_read", "dashagg_night", "app_owner"] {
            sql = sql.replace(user, &self.user(user));
        }
        sql
    }

    pub fn user(&self, name: &str) -> String {
        format!("{}_{}", name.trim_start_matches("dashagg_"), self.tag)
    }

    pub fn dashagg(&self, user: &str, arguments: &[&str]) -> Dashagg {
        let url = self.db.url.replace("dashagg:secret@", &format!("{}@", self.user(user)));
        let run = self.db.dashagg_without_url().env("DASHAGG_PASSWORD", "change-me");
        run.args(["-D", &url, "--sql-dir", &self.sets]).args(arguments)
    }

    /// What the user of the nights runs.
    pub fn night(&self, arguments: &[&str]) -> Dashagg {
        self.dashagg("dashagg_night", arguments)
    }

    pub fn create(&self) {
        self.dashagg("dashagg_run", &["create"]).run().ok();
    }

    /// An independent client finds in the summaries what the sources say.
    #[track_caller]
    pub fn is_right(&self, when: &str) {
        let region = "SELECT s.day, p.region, SUM(s.n) FROM sales s JOIN shops p ON p.shop = s.shop GROUP BY s.day, p.region";
        for (truth, table) in [
            (
                format!("{BY_SHOP} ORDER BY 1, 2"),
                "SELECT day, shop, region, n FROM sales_by_shop ORDER BY 1, 2",
            ),
            (format!("{region} ORDER BY 1, 2"), "SELECT day, region, n FROM sales_by_region ORDER BY 1, 2"),
        ] {
            assert_eq!(self.db.rows(table), self.db.rows(&truth), "{when}: {table}");
        }
    }

    /// Which triggers there are, and since when.
    pub fn triggers(&self) -> Vec<Vec<String>> {
        self.db.rows(match self.db.kind {
            Kind::Mariadb => {
                "SELECT TRIGGER_NAME, CREATED FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1"
            }
            Kind::Postgres => "SELECT tgrelid::regclass::text, oid::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
            Kind::Sqlite => "SELECT name, rootpage FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
        })
    }
}

impl Drop for Shop<'_> {
    fn drop(&mut self) {
        let users = ["dashagg_night", "dashagg_read", "dashagg_run", "app_owner"];
        for user in users.map(|user| self.user(user)) {
            let _ = match self.db.kind {
                Kind::Mariadb => self.db.try_exec(&format!("DROP USER IF EXISTS {user}")),
                Kind::Postgres => {
                    self.db.try_exec(&format!("DROP OWNED BY {user} CASCADE; DROP ROLE {user}"))
                }
                Kind::Sqlite => Ok(()),
            };
        }
    }
}

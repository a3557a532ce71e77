//! A crash of the server empties UNLOGGED tables, and no trigger sees it. Refresh and status do.

use crate::common::private::PrivatePostgres;
use crate::common::{Client, Dashagg, Kind, TestDb};
use crate::run::wait_until;
use crate::small::Tiny;

/// How the server crashes.
enum Crash {
    /// It starts again from nothing.
    Server,
    /// One session is killed: all others end, and the server goes on.
    Session,
}

struct Case {
    server: PrivatePostgres,
    db: TestDb,
}

impl Case {
    /// A set whose source, dimension or summary is UNLOGGED.
    fn new(unlogged: &str, manifest: &str) -> Self {
        let server = PrivatePostgres::new();
        // A folder for the set; the database of its own is only for that.
        let db = TestDb::new(Kind::Sqlite);
        let tiny = Tiny::new(&db);
        let write = |file: &str, text: &str| tiny.write(file, text);
        write("summaries.toml", manifest);
        write(
            "days.sql",
            "SELECT r.day, SUM(r.n * COALESCE(d.factor, 1)) AS total FROM raw_rows r LEFT JOIN dim d ON d.day = r.day \
             GROUP BY r.day\n",
        );
        let is = |name: &str| if unlogged == name { "UNLOGGED" } else { "" };
        let (parts, leaf) = match unlogged {
            "leaves" => (
                "PARTITION BY RANGE (day)",
                "CREATE UNLOGGED TABLE tiny_2025 PARTITION OF tiny_days FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n",
            ),
            _ => ("", ""),
        };
        write(
            "postgres/0001_days.sql",
            &format!(
                "CREATE {} TABLE tiny_days (day date NOT NULL PRIMARY KEY, total bigint NOT NULL) {parts};\n{leaf}",
                is("summary")
            ),
        );
        Client::connect(Kind::Postgres, &server.url()).exec(&format!(
            "CREATE {} TABLE raw_rows (day date NOT NULL, n int NOT NULL); \
             CREATE {} TABLE dim (day date PRIMARY KEY, factor int NOT NULL); \
             INSERT INTO dim VALUES ('2025-01-01', 10); \
             INSERT INTO raw_rows VALUES ('2025-01-01', 1), ('2025-01-02', 2)",
            is("source"),
            is("dimension")
        ));
        Case { server, db }
    }

    fn dashagg(&self) -> Dashagg {
        self.db
            .dashagg_without_url()
            .env("DASHAGG_DATABASE_URL", self.server.url())
            .args(["--sql-dir", self.db.dir().join("sql").to_str().unwrap()])
    }

    fn client(&self) -> Client {
        Client::connect(Kind::Postgres, &self.server.url())
    }

    /// Until the table is empty, which shows that it was one.
    fn crash(&mut self, how: &Crash, table: &str) {
        // What a checkpoint has not written is not what this is about.
        self.client().exec("CHECKPOINT");
        match how {
            Crash::Server => {
                self.server.kill();
                self.server.start();
            }
            Crash::Session => {
                let mut client = self.client();
                let began = client.one("SELECT pg_postmaster_start_time()");
                let pid = client.one("SELECT pg_backend_pid()");
                std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
                let sql = format!("SELECT COUNT(*), pg_postmaster_start_time() FROM {table}");
                let found = || Client::try_connect(Kind::Postgres, &self.server.url())?.try_rows(&sql);
                let wanted = vec![vec!["0".to_owned(), began]];
                wait_until(|| found().is_ok_and(|rows| rows == wanted), || "no crash".into());
            }
        }
        assert_eq!(
            self.client().one(&format!("SELECT COUNT(*) FROM {table}")),
            "0",
            "a crash that shows something"
        );
    }

    fn right(&self) {
        let mut client = self.client();
        let expected = client.one(
            "SELECT COALESCE(string_agg(x::text, ' ' ORDER BY x::text), '') FROM (SELECT r.day, \
             SUM(r.n * COALESCE(d.factor, 1)) FROM raw_rows r LEFT JOIN dim d ON d.day = r.day GROUP BY r.day) x",
        );
        let published =
            client.one("SELECT COALESCE(string_agg(t::text, ' ' ORDER BY t::text), '') FROM tiny_days t");
        assert_eq!(published, expected);
    }
}

const TRIGGERS: &str = "[sources.raw_rows]\npartition = ['day']\n[sources.dim]\n\
    [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n";

fn crashes(unlogged: &str, manifest: &str) {
    let mut case = Case::new(unlogged, manifest);
    case.dashagg().arg("create").run().ok();
    case.dashagg().arg("refresh").run().ok();
    case.right();
    for how in [Crash::Server, Crash::Session] {
        let table =
            [("source", "raw_rows"), ("dimension", "dim"), ("summary", "tiny_days"), ("leaves", "tiny_days")]
                .into_iter()
                .find(|(name, _)| *name == unlogged)
                .unwrap()
                .1;
        case.crash(&how, table);
        let mut client = case.client();
        // The application goes on before anybody refreshes.
        client.exec("INSERT INTO raw_rows VALUES ('2025-01-03', 3)");
        let status = case.dashagg().args(["status", "--json"]).run().ok().json();
        let one = &status["summaries"][0];
        assert!(one["pending_everything"] == true || one["state"] == "stale", "{status:#}");
        let report = case.dashagg().args(["refresh", "--json", "--allow-shrink"]).run().ok().json();
        assert_eq!(report["sets"][0]["mode"], "complete", "{report:#}");
        case.right();
        case.dashagg().arg("verify").run().ok();
        let again = case.dashagg().args(["refresh", "--json"]).run().ok().json();
        if manifest == TRIGGERS {
            assert_eq!(again["sets"][0]["mode"], "none", "{again:#}");
        }
        let status = case.dashagg().args(["status", "--json"]).run().ok().json();
        assert_eq!(status["summaries"][0]["state"], "fresh", "{status:#}");
        assert_ne!(status["summaries"][0]["pending_everything"], true, "{status:#}");
        // For the next round.
        let refill = match unlogged {
            "source" => "INSERT INTO raw_rows VALUES ('2025-01-01', 1)",
            "dimension" => "INSERT INTO dim VALUES ('2025-01-01', 10)",
            _ => "SELECT 1",
        };
        case.client().exec(refill);
        case.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        case.right();
    }
}

#[test]
fn a_source_that_a_crash_has_emptied_postgres() {
    crashes("source", TRIGGERS);
}

#[test]
fn a_dimension_that_a_crash_has_emptied_postgres() {
    crashes("dimension", TRIGGERS);
}

#[test]
fn a_summary_that_a_crash_has_emptied_postgres() {
    crashes("summary", TRIGGERS);
    crashes("summary", &TRIGGERS.replace("[sources.dim]", "track = 'fingerprint'\n[sources.dim]"));
}

#[test]
fn a_summary_whose_leaves_a_crash_has_emptied_postgres() {
    crashes("leaves", TRIGGERS);
}

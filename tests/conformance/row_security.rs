//! Row-level security: dashagg sees every row, or fails in words. It never publishes, or calls right, a part.

use crate::common::{Dashagg, Kind, TestDb};
use crate::small::Tiny;

/// A built set, and a role that may do all that a refresh does, without owning anything.
struct Case<'a> {
    tiny: Tiny<'a>,
    role: String,
}

impl<'a> Case<'a> {
    fn new(db: &'a TestDb) -> Self {
        db.server.needs_users();
        let tiny = Tiny::new(db);
        tiny.create().ok();
        tiny.refresh().ok();
        let role = format!("r_{}", db.name());
        db.exec(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO {role}; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; INSERT INTO raw_rows VALUES ('2025-01-01', 600)"
        ));
        Case { tiny, role }
    }

    fn as_role(&self) -> Dashagg {
        let url = self.tiny.db.url.replacen("dashagg:secret@", &format!("{}:secret@", self.role), 1);
        self.tiny
            .db
            .dashagg_without_url()
            .env("DASHAGG_DATABASE_URL", url)
            .arg("--sql-dir")
            .arg(self.tiny.sql_dir())
    }

    /// Each of these verbs, as that role, says what to do and changes nothing.
    #[track_caller]
    fn refused(&self, verbs: &[&[&str]]) {
        let before = self.summary();
        for verb in verbs {
            let said = self.as_role().args(*verb).run();
            assert!(said.code != 0, "{verb:?}: {said:?}");
            assert!(
                said.stderr.contains("row-level security") && said.stderr.contains("BYPASSRLS"),
                "{said:?}"
            );
            assert!(!said.stderr.contains("grant SELECT"), "{said:?}");
            assert_eq!(self.summary(), before, "{verb:?}");
        }
    }

    fn summary(&self) -> String {
        self.tiny.db.one("SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM tiny_days t")
    }

    fn done(self) {
        let Case { tiny, role } = self;
        tiny.db.exec(&format!("REASSIGN OWNED BY {role} TO dashagg; DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

const HIDE: &str = "CREATE POLICY few ON {} USING (n < 2)";
const WHOLE: &[&[&str]] = &[
    &["refresh"],
    &["refresh", "--full", "--allow-shrink"],
    &["refresh", "--full", "--jobs", "3"],
    &["verify"],
];

fn hide(table: &str) -> String {
    format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; {}", HIDE.replace("{}", table))
}

#[test]
fn a_source_with_policies_is_seen_as_a_whole_or_not_at_all_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let case = Case::new(db);
    db.exec(&hide("raw_rows"));
    case.refused(WHOLE);
    case.refused(&[&["refresh", "--full", "--dry-run"], &["create"]]);
    // The owner, and whoever may bypass, see all.
    db.exec(&format!("ALTER ROLE {} BYPASSRLS", case.role));
    case.as_role().arg("refresh").run().ok();
    assert_eq!(case.summary(), "(2025-01-01,601) (2025-01-02,2)");
    case.as_role().arg("verify").run().ok();
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-02', 5)");
    case.tiny.refresh().ok();
    assert_eq!(case.summary(), "(2025-01-01,601) (2025-01-02,7)");
    case.done();
}

#[test]
fn an_owner_whom_policies_bind_is_refused_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let case = Case::new(db);
    db.exec(&format!("ALTER TABLE raw_rows OWNER TO {0}; {1}", case.role, hide("raw_rows")));
    case.as_role().arg("verify").run().ok();
    db.exec("ALTER TABLE raw_rows FORCE ROW LEVEL SECURITY");
    case.refused(WHOLE);
    case.done();
}

#[test]
fn a_summary_or_a_ledger_with_policies_is_seen_as_a_whole_or_not_at_all_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let case = Case::new(db);
    db.exec(
        "ALTER TABLE tiny_days ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON tiny_days USING (day < '2025-01-02')",
    );
    case.refused(WHOLE);
    db.exec("ALTER TABLE tiny_days DISABLE ROW LEVEL SECURITY");
    for table in ["dashagg_source", "dashagg_summary", "dashagg_set"] {
        db.exec(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
        case.refused(&[&["refresh"], &["refresh", "--full"], &["status"], &["create"]]);
        db.exec(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"));
    }
    case.done();
}

/// Tables behind a view are read with its owner's eyes, or with the reader's.
#[test]
fn a_source_that_is_a_view_over_policies_is_refused_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let case = Case::new(db);
    db.exec(&format!(
        "CREATE TABLE hidden (day date NOT NULL, n integer NOT NULL); INSERT INTO hidden VALUES ('2025-01-01', 1), ('2025-01-01', 9); \
         {}; GRANT SELECT ON hidden TO {role}; \
         CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM hidden; ALTER VIEW barrier OWNER TO {role}",
        hide("hidden"),
        role = case.role
    ));
    case.tiny.write(
        "summaries.toml",
        "[sources.barrier]\npartition = ['day']\ntrack = 'fingerprint'\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day']\npartition = ['day']\n",
    );
    case.tiny.write("days.sql", "SELECT day, SUM(n) AS total FROM barrier GROUP BY day\n");
    // Whoever runs it: the superuser reads through the view's owner, too.
    case.refused(&[&["refresh", "--full", "--allow-shrink"], &["verify"], &["create"]]);
    let said = case.tiny.refresh();
    assert!(said.code != 0 && said.stderr.contains("BYPASSRLS"), "{said:?}");
    case.done();
}

//! Who may do what through what tracking makes: the objects in the database run with rights that their callers lack.

use crate::common::{Client, Kind, TestDb};
use crate::small::Tiny;

/// A login role with nothing but what PUBLIC has; dropped with its objects.
struct Role<'a> {
    db: &'a TestDb,
    name: String,
}

impl<'a> Role<'a> {
    fn new(db: &'a TestDb) -> Self {
        Self::called(db, "mallory")
    }

    fn called(db: &'a TestDb, first: &str) -> Self {
        let name = format!("{first}_{}", &db.name()["dashagg_test_".len()..]);
        db.exec(&format!("CREATE ROLE {name} LOGIN PASSWORD 'm'"));
        Role { db, name }
    }

    fn client(&self) -> Client {
        let host = self.db.url.split_once('@').unwrap().1;
        Client::connect(Kind::Postgres, &format!("postgres://{}:m@{host}", self.name))
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let _ = self.db.try_exec(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.name));
    }
}

fn function(db: &TestDb) -> String {
    db.one("SELECT oid::regproc::text FROM pg_proc WHERE proname LIKE 'dashagg\\_%\\_note'")
}

/// A table of the attacker's own whose column has a type that is cast to the noted one by a function of the attacker's.
fn lure(schema: &str, table: &str) -> String {
    format!(
        "CREATE TYPE {schema}.bait AS (x integer);
         CREATE FUNCTION {schema}.spring({schema}.bait) RETURNS date LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.proof VALUES (current_user); RETURN '2025-01-01'; END $$;
         CREATE CAST ({schema}.bait AS date) WITH FUNCTION {schema}.spring({schema}.bait) AS ASSIGNMENT;
         {table} (day {schema}.bait, n integer)"
    )
}

fn set_trap(client: &mut Client, table: &str, function: &str) -> Result<(), String> {
    client.try_exec(&format!(
        "CREATE TRIGGER trap AFTER INSERT ON {table} REFERENCING NEW TABLE AS dashagg_new
         FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    ))
}

/// Everybody may write who it was that ran; the attacker's own name proves nothing.
fn proof(db: &TestDb) {
    db.exec("CREATE TABLE public.proof (who text); GRANT ALL ON public.proof TO PUBLIC");
}

fn ran_as(db: &TestDb, role: &str) -> Vec<Vec<String>> {
    db.rows(&format!("SELECT who FROM public.proof WHERE who <> '{role}'"))
}

#[test]
fn nobody_may_hang_a_trigger_of_the_note_function_on_a_table_of_his_own_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let tiny = Tiny::new(db);
    tiny.create().ok();
    proof(db);
    let mallory = Role::new(db);
    let mut client = mallory.client();
    client.exec(&lure("pg_temp", "CREATE TEMP TABLE lure"));
    let refused = set_trap(&mut client, "pg_temp.lure", &function(db)).unwrap_err();
    assert!(refused.contains("permission denied for function"), "{refused}");
    // Even where somebody was let in by hand: a relation that is not the source is not looked at.
    db.exec(&format!("GRANT EXECUTE ON FUNCTION {}() TO {}", function(db), mallory.name));
    set_trap(&mut client, "pg_temp.lure", &function(db)).unwrap();
    let _ = client.try_exec("INSERT INTO pg_temp.lure VALUES (ROW(1)::pg_temp.bait, 1)");
    assert_eq!(ran_as(db, &mallory.name), Vec::<Vec<String>>::new());
    // What it costs at worst is a complete refresh.
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
}

#[test]
fn a_child_of_the_source_is_noted_and_a_detached_one_is_not_looked_at_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(db);
    db.exec(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (day DATE NOT NULL, n INTEGER NOT NULL) PARTITION BY RANGE (day);
         CREATE TABLE january PARTITION OF raw_rows FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
         INSERT INTO raw_rows VALUES ('2025-01-01', 1), ('2025-01-02', 2)",
    );
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec("INSERT INTO january VALUES ('2025-01-01', 5)");
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-01'"), "6");
    // Away, changed and back between two refreshes: the change is not lost.
    db.exec(
        "ALTER TABLE raw_rows DETACH PARTITION january; INSERT INTO january VALUES ('2025-01-01', 7);
         ALTER TABLE raw_rows ATTACH PARTITION january FOR VALUES FROM ('2025-01-01') TO ('2025-02-01')",
    );
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-01'"), "13");
}

#[test]
fn the_notes_are_out_of_reach_of_who_writes_the_source_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let tiny = Tiny::new(db);
    let writer = Role::new(db);
    // What a DBA sets so that the application may use whatever comes.
    db.exec(&format!(
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {}; GRANT ALL ON raw_rows TO {0}",
        writer.name
    ));
    tiny.create().ok();
    tiny.refresh().ok();
    let mut client = writer.client();
    client.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 10)");
    for table in ["log", "work"] {
        let name = db.one(&format!(
            "SELECT relname FROM pg_class WHERE relname LIKE 'dashagg\\_{table}\\_%' AND relkind = 'r'"
        ));
        for sql in [
            format!("SELECT * FROM {name}"),
            format!("DELETE FROM {name}"),
            format!("INSERT INTO {name} (dashagg_grain) VALUES ('a')"),
        ] {
            let refused = client.try_exec(&sql).unwrap_err();
            assert!(refused.contains("permission denied"), "{sql}: {refused}");
        }
    }
    tiny.refresh().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-01'"), "11");
    db.exec(&format!("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {}", writer.name));
}

#[test]
fn the_owner_of_the_source_owns_the_note_function_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let tiny = Tiny::new(db);
    let owner = Role::new(db);
    db.exec(&format!("ALTER TABLE raw_rows OWNER TO {}", owner.name));
    tiny.create().ok();
    tiny.refresh().ok();
    assert_eq!(
        db.one("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname LIKE 'dashagg\\_%\\_note'"),
        owner.name
    );
    owner.client().exec("INSERT INTO raw_rows VALUES ('2025-01-01', 10); UPDATE raw_rows SET n = n + 1");
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-05', 10)");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
    // And what was made for it can be made anew and taken away.
    db.exec("TRUNCATE raw_rows");
    tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    tiny.dashagg().args(["drop", "tiny", "--yes"]).run().ok();
}

/// Functions and operators that fit our calls better than the server's own, in a schema that everybody may create in.
fn hijack(db: &TestDb) {
    db.exec(
        "CREATE TABLE public.hijacked (what text); GRANT ALL ON public.hijacked TO PUBLIC;
         GRANT CREATE ON SCHEMA public TO PUBLIC;
         DO $do$
         DECLARE f text; a text; b text; o text;
           types text[] := ARRAY['name', 'varchar', 'text', 'oid', 'regclass', 'int2', 'int4', 'int8', '\"char\"', 'date'];
         BEGIN
           FOREACH f IN ARRAY ARRAY['left', 'count', 'sum', 'bool_and', 'string_agg', 'format', 'quote_ident', 'to_regclass',
             'pg_relation_filenode', 'pg_relation_size', 'pg_total_relation_size', 'strpos', 'hashtextextended', 'format_type',
             'pg_notify', 'has_table_privilege', 'pg_get_userbyid', 'acldefault', 'lower', 'upper', 'length', 'replace',
             'pg_terminate_backend', 'pg_cancel_backend', 'pg_try_advisory_xact_lock', 'current_setting', 'set_config', 'md5'] LOOP
             FOREACH a IN ARRAY types LOOP
               EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS
                 $f$ BEGIN INSERT INTO public.hijacked VALUES (%L); RETURN NULL; END $f$', f, a, f || '(' || a || ')');
               FOREACH b IN ARRAY types LOOP
                 EXECUTE format('CREATE FUNCTION public.%I(%s, %s) RETURNS text LANGUAGE plpgsql AS
                   $f$ BEGIN INSERT INTO public.hijacked VALUES (%L); RETURN NULL; END $f$', f, a, b, f || '(' || a || ',' || b || ')');
               END LOOP;
             END LOOP;
           END LOOP;
           FOREACH a IN ARRAY types LOOP FOREACH b IN ARRAY types LOOP
             FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '>=', '<=', '~~', '||', '+', '-'] LOOP
               EXECUTE format('CREATE FUNCTION public.%I(%s, %s) RETURNS bool LANGUAGE plpgsql AS
                 $f$ BEGIN INSERT INTO public.hijacked VALUES (%L); RETURN true; END $f$',
                 'op_' || encode(o::bytea, 'hex'), a, b, a || ' ' || o || ' ' || b);
               EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)',
                 o, a, b, 'op_' || encode(o::bytea, 'hex'));
             END LOOP;
           END LOOP; END LOOP;
         END $do$",
    );
}

#[test]
fn functions_and_operators_of_others_are_never_called_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(db);
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['day']\ntrack_columns = ['day', 'kind']\ntotals = { total = 'SUM(n)' }\n\
         [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day', 'kind']\npartition = ['day']\n\
         recompute_by = ['day', 'kind']\nlive = true\n[[summaries.days.reconcile]]\ncolumns = ['total']\n",
    );
    tiny.write("days.sql", "SELECT day, kind, SUM(n) AS total FROM raw_rows GROUP BY day, kind\n");
    tiny.script(
        "0001_days.sql",
        "CREATE TABLE tiny_days (day DATE NOT NULL, kind text NOT NULL, total BIGINT NOT NULL, PRIMARY KEY (day, kind));\n",
    );
    db.exec("ALTER TABLE raw_rows ADD kind text NOT NULL DEFAULT 'a'");
    hijack(db);
    let untouched = |step: &str| {
        let called = db.rows("SELECT DISTINCT what FROM public.hijacked");
        assert_eq!(called, Vec::<Vec<String>>::new(), "after {step}");
    };
    let told = tiny.dashagg().arg("status").run().ok().stdout;
    assert!(told.contains("REVOKE CREATE ON SCHEMA public FROM PUBLIC"), "{told}");
    untouched("the first status");
    tiny.create().ok();
    untouched("create");
    tiny.refresh().ok();
    untouched("the first refresh");
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 3, 'b'); UPDATE raw_rows SET n = n + 1; DELETE FROM raw_rows WHERE n = 2");
    untouched("writes");
    for verb in
        [&["status"][..], &["refresh"], &["verify"], &["refresh", "--full"], &["refresh"], &["create"]]
    {
        tiny.dashagg().args(verb).run().ok();
        untouched(verb[0]);
    }
    db.rows("SELECT * FROM tiny_days_live");
    untouched("the live view");
    tiny.dashagg().args(["drop", "tiny", "--yes"]).run().ok();
    untouched("drop");
}

#[test]
fn a_database_of_an_older_dashagg_is_mended_after_an_attack_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let legacy = crate::legacy::Legacy::new(db);
    proof(db);
    let mallory = Role::new(db);
    db.exec(&format!("CREATE SCHEMA lair AUTHORIZATION {}", mallory.name));
    let mut client = mallory.client();
    client.exec(&lure("lair", "CREATE TABLE lair.lure"));
    let open = function(db);
    set_trap(&mut client, "lair.lure", &open).unwrap();
    // The function notes other columns, too; where it fails the attack has run before.
    client.exec("ALTER TABLE lair.lure ADD shop text");
    let sprung = client.try_exec("INSERT INTO lair.lure VALUES (ROW(1)::lair.bait, 1, 'x')");
    assert_eq!(sprung, Ok(()), "the fixture is what it was");
    assert_eq!(ran_as(db, &mallory.name).len(), 1, "0.1.0 could be attacked so");
    db.exec("TRUNCATE public.proof");
    let status = legacy.dashagg().arg("status").run().code(1).stderr;
    assert!(status.contains(&format!("owner of function {open}")), "{status}");
    legacy.dashagg().arg("create").run().ok();
    let _ = client.try_exec("INSERT INTO lair.lure VALUES (ROW(1)::lair.bait, 1, 'x')");
    assert!(set_trap(&mut client, "lair.lure", &function(db)).is_err());
    assert_eq!(ran_as(db, &mallory.name), Vec::<Vec<String>>::new());
    let status = legacy.dashagg().arg("status").run().ok().stdout;
    assert!(!status.contains("owner of function"), "{status}");
}

/// Changes of owners and rights that a DBA makes without a thought of dashagg.
#[test]
fn the_application_can_write_whoever_owns_what_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let tiny = Tiny::new(db);
    let (owner, other) = (Role::called(db, "first"), Role::called(db, "second"));
    db.exec(&format!("ALTER TABLE raw_rows OWNER TO {}", owner.name));
    tiny.create().ok();
    tiny.refresh().ok();
    db.exec(&format!("REASSIGN OWNED BY {} TO {}", owner.name, other.name));
    other.client().exec("INSERT INTO raw_rows VALUES ('2025-01-03', 10)");
    tiny.refresh().ok();
    // The owner of the source changes hands alone, and everything is set up anew.
    db.exec(&format!("ALTER TABLE raw_rows OWNER TO {}; TRUNCATE raw_rows", owner.name));
    tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
    owner.client().exec("INSERT INTO raw_rows VALUES ('2025-01-04', 10)");
    tiny.refresh().ok();
    // Rights are taken from the owner, and some given back: said, and mended.
    db.exec(&format!(
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {0}; GRANT ALL ON raw_rows TO {0}",
        owner.name
    ));
    let said = tiny.dashagg().arg("status").run().ok().stdout;
    assert!(said.contains("writes to its source fail") && said.contains("dashagg create"), "{said}");
    tiny.create().ok();
    owner.client().exec("INSERT INTO raw_rows VALUES ('2025-01-05', 10)");
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
    let said = tiny.dashagg().arg("status").run().ok().stdout;
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn default_privileges_let_nobody_in_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_users();
    let tiny = Tiny::new(db);
    let guest = Role::new(db);
    db.exec(&format!("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO {}", guest.name));
    tiny.create().ok();
    let mut client = guest.client();
    client.exec("CREATE TEMP TABLE lure (day date, n integer)");
    let refused = set_trap(&mut client, "pg_temp.lure", &function(db)).unwrap_err();
    assert!(refused.contains("permission denied for function"), "{refused}");
    db.exec(&format!("GRANT EXECUTE ON FUNCTION {}() TO {}", function(db), guest.name));
    let said = tiny.dashagg().arg("status").run().ok().stdout;
    assert!(said.contains("as the owner of function"), "{said}");
    db.exec(&format!(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON FUNCTIONS FROM {}",
        guest.name
    ));
}

/// A migration, or a restore, that brings another function of that name; or one that takes its settings away.
#[test]
fn a_function_that_somebody_replaced_is_seen_and_made_anew_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let tiny = Tiny::new(db);
    tiny.create().ok();
    tiny.refresh().ok();
    let name = function(db);
    let made = db.one(&format!(
        "SELECT prosrc || proconfig::text || prosecdef FROM pg_proc WHERE oid = '{name}()'::regprocedure"
    ));
    for (at, change) in [
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        ),
        format!("ALTER FUNCTION {name}() RESET ALL"),
        format!("ALTER FUNCTION {name}() SECURITY INVOKER"),
    ]
    .iter()
    .enumerate()
    {
        println!("{change}");
        db.exec(&format!("{change}; INSERT INTO raw_rows VALUES ('2025-02-0{}', 10)", at + 1));
        let status = tiny.dashagg().args(["status", "--json"]).run().ok().json();
        assert_eq!(status["summaries"][0]["pending_everything"], true, "{status:#}");
        tiny.refresh().ok();
        tiny.dashagg().arg("verify").run().ok();
        let now = db.one(&format!(
            "SELECT prosrc || proconfig::text || prosecdef FROM pg_proc WHERE oid = '{name}()'::regprocedure"
        ));
        assert_eq!(now, made);
        db.exec("INSERT INTO raw_rows VALUES ('2025-01-01', 10)");
        let report = tiny.dashagg().args(["refresh", "--json"]).run().ok().json();
        assert_eq!(report["sets"][0]["mode"], "incremental", "{report:#}");
        tiny.dashagg().arg("verify").run().ok();
    }
}

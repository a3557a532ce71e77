//! Settings that a database (or a role) carries were made for the application. Whatever they are: dashagg publishes what a
//! plain session finds, or refuses and publishes nothing; and a write is never hindered.
//!
//! The settings are asked from the server: each that a role or database can carry, with every value of an enumeration, both
//! of a switch, the ends of a range, and odd texts where we know some. Values that should harm nothing go together, one of
//! each setting at a time; where a batch goes wrong, halving it names the culprits. In every
//! run the part that decides about results, with `DASHAGG_ALL_SETTINGS=1` (`tests/run --all-servers` and `--server` set it)
//! all of them.

use std::collections::BTreeSet;

use crate::common::{Client, Dashagg, Kind, TestDb};
use crate::small::Tiny;

/// One setting at a value.
type Pair = (String, String);

const DAYS: &str = "SELECT (at + position('\\n' IN path) * interval '1 day')::date AS day, shop, SUM(n) AS total, COUNT(*) AS events, \
    SUM(CASE WHEN note = NULL THEN 1 ELSE 0 END) AS nulls, SUM(cardinality(array_remove(list::text[], NULL))) AS listed, \
    SUM(position('\\n' IN path)) AS escaped, string_agg(concat_ws('|', f, span, raw, to_char(n, 'FM990D00'), \
    to_char(at, 'TMMonth'), written::date, at), ';' ORDER BY id) AS label FROM events \
    GROUP BY (at + position('\\n' IN path) * interval '1 day')::date, shop";
const TAGGED: &str = "SELECT (at + position('\\n' IN path) * interval '1 day')::date AS day, COUNT(*) AS tagged FROM events \
    WHERE tags @> ARRAY['x'] GROUP BY (at + position('\\n' IN path) * interval '1 day')::date";
const MONTHS: &str = "SELECT date_trunc('month', day)::date AS month, shop, SUM(total) AS total, SUM(events) AS events \
    FROM tiny_days GROUP BY date_trunc('month', day)::date, shop";

const MANIFEST: &str = "[sources.events]\npartition = { day = \"(at + position('\\\\n' IN path) * interval '1 day')::date\" }\n\
    \
    [summaries.days]\ntable = 'tiny_days'\nselect = 'days.sql'\nkey = ['day', 'shop']\npartition = ['day']\n\
    [summaries.tagged]\ntable = 'tiny_tagged'\nselect = 'tagged.sql'\nkey = ['day']\npartition = ['day']\n\
    [summaries.months]\ntable = 'tiny_months'\nselect = 'months.sql'\nkey = ['month', 'shop']\n";

const TABLES: &str = "CREATE TABLE tiny_days (day date NOT NULL, shop text NOT NULL, total numeric NOT NULL, \
    events bigint NOT NULL, nulls bigint, listed bigint, escaped bigint, label text, PRIMARY KEY (day, shop));\n\
    CREATE TABLE tiny_tagged (day date NOT NULL PRIMARY KEY, tagged bigint NOT NULL);\n\
    CREATE TABLE tiny_months (month date NOT NULL, shop text NOT NULL, total numeric NOT NULL, events bigint NOT NULL, \
    PRIMARY KEY (month, shop));\n";

const SOURCE: &str = "(id int PRIMARY KEY, at timestamptz NOT NULL, shop text NOT NULL, n numeric NOT NULL, note text, \
    list text, path text, f float8, span interval, raw bytea, written text, tags text[])";

/// Rows whose meaning no setting touches; their times are near midnight, where a zone decides about the day.
fn rows(table: &str, first: usize, count: usize) -> String {
    format!(
        "INSERT INTO {table} SELECT i, timestamptz '2025-01-01 23:30:00+00' + i % 7 * interval '25 hours', \
         CASE i % 3 WHEN 0 THEN 'a' ELSE 'B' END, i * 1.25, NULL, '{{NULL,a}}', concat('x', chr(92), 'n'), \
         i / 7::float8, i * interval '25 hours 1 second', decode('00ff5c27', 'hex'), '02/03/2025', ARRAY['x', 'y'] \
         FROM generate_series({first}, {first} + {count} - 1) i"
    )
}

struct Walk<'a> {
    db: &'a TestDb,
    tiny: Tiny<'a>,
    admin: Client,
    next: usize,
    tried: usize,
    runs: usize,
    refused: Vec<String>,
    unset: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn new(db: &'a TestDb) -> Self {
        let tiny = Tiny::new(db);
        tiny.write("summaries.toml", MANIFEST);
        for (file, text) in [("days.sql", DAYS), ("tagged.sql", TAGGED), ("months.sql", MONTHS)] {
            tiny.write(file, text);
        }
        tiny.script("0001_days.sql", TABLES);
        db.exec(&format!(
            "CREATE TABLE events {SOURCE}; CREATE TABLE twin {SOURCE}; CREATE INDEX ON events USING gin (tags); {}",
            rows("events", 1, 1_000)
        ));
        let admin = db.server.admin();
        let (refused, unset) = (Vec::new(), BTreeSet::new());
        Walk { db, tiny, admin, next: 10_000, tried: 0, runs: 0, refused, unset }
    }

    fn dashagg(&self) -> Dashagg {
        self.tiny.dashagg()
    }

    fn reset(&mut self) {
        self.admin.exec(&format!("ALTER DATABASE {} RESET ALL", self.db.name()));
    }

    /// What a plain session finds.
    fn tables(&self) -> [String; 2] {
        let mut client = self.db.client();
        client.exec(
            "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET lc_numeric = 'C'; SET lc_time = 'C'; \
             SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET enable_bitmapscan = off",
        );
        let mut hash = |parts: [&str; 3]| {
            let each = parts.map(|sql| {
                format!(
                    "(SELECT COALESCE(md5(string_agg(x::text, '/' ORDER BY x::text)), '') FROM ({sql}) x)"
                )
            });
            client.one(&format!("SELECT concat_ws(' ', {})", each.join(", ")))
        };
        let months = MONTHS.replace("tiny_days", &format!("({DAYS}) d"));
        let columns = "day, shop, total, events, nulls, listed, escaped, label";
        [
            hash([DAYS, TAGGED, &months]),
            hash([
                &format!("SELECT {columns} FROM tiny_days"),
                "SELECT day, tagged FROM tiny_tagged",
                "SELECT month, shop, total, events FROM tiny_months",
            ]),
        ]
    }

    /// All of it under these settings. What went against the promise; or `Err`, what a clear refusal said.
    fn under(&mut self, pairs: &[Pair], whole: bool) -> Result<Option<String>, String> {
        self.runs += 1;
        let before = self.tables()[1].clone();
        for (name, value) in pairs {
            let value = match name.as_str() {
                "search_path" | "DateStyle" | "temp_tablespaces" => value.clone(),
                _ => format!("'{}'", value.replace('\'', "''")),
            };
            let sql = format!("ALTER DATABASE {} SET {name} = {value}", self.db.name());
            if let Err(error) = self.admin.try_exec(&sql) {
                self.unset.insert(format!("{name} = {value}: {error}"));
            }
        }
        let mut wrong = self.write();
        let mut verbs: Vec<&[&str]> = vec![&["create"], &["refresh"]];
        if whole {
            verbs.push(&["refresh", "--full", "--jobs", "2"]);
        }
        verbs.push(&["verify"]);
        let mut refused = None;
        for verb in verbs {
            let output = self.dashagg().args(verb).run();
            if output.code != 0 {
                let said =
                    output.stderr.lines().find(|line| line.starts_with("dashagg: ")).unwrap_or_default();
                refused = Some(format!("{verb:?}: exit {}: {said}", output.code));
                if verb[0] == "verify" && output.code != 1 {
                    wrong.get_or_insert(format!("verify: {output:?}"));
                }
                break;
            }
        }
        self.reset();
        let [expected, found] = self.tables();
        match &refused {
            None if found != expected => {
                wrong.get_or_insert_with(|| "exit 0, and wrong".to_owned());
            }
            // An earlier of the runs may have published: then all of it, and right.
            Some(_) if found != before && found != expected => {
                wrong.get_or_insert_with(|| "refused, and published".to_owned());
            }
            _ => {}
        }
        self.dashagg().arg("create").run().ok();
        self.dashagg().arg("refresh").run().ok();
        let [expected, found] = self.tables();
        if found != expected {
            wrong.get_or_insert_with(|| "a change was lost".to_owned());
            self.dashagg().args(["refresh", "--full"]).run().ok();
        }
        match (wrong, refused) {
            (Some(wrong), _) => Ok(Some(wrong)),
            (None, Some(refused)) => Err(refused),
            (None, None) => Ok(None),
        }
    }

    /// A write of the application, which fails only if it would without triggers.
    fn write(&mut self) -> Option<String> {
        let first = self.next;
        self.next += 10;
        let write = |table: &str| {
            let mut client = Client::try_connect(self.db.kind, &self.db.url)?;
            client.try_exec(&format!(
                "{}; DELETE FROM {table} WHERE id % 50 = {}",
                rows(table, first, 5),
                first / 10 % 50
            ))
        };
        // Limits of a millisecond hold for the application; a slower one would hit them on either table.
        let (twin, tracked) = (write("twin"), write("events"));
        match (&twin, &tracked) {
            (Ok(()), Err(error)) if !error.contains("timeout") => Some(format!("a write failed: {error}")),
            _ => None,
        }
    }

    /// A batch, and its halves where it does not simply pass.
    fn batch(&mut self, pairs: &[Pair], whole: bool, wrong: &mut Vec<String>) {
        if pairs.is_empty() {
            return;
        }
        let outcome = self.under(pairs, whole);
        let text = |what: &str| {
            let settings: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            format!("{}: {what}", settings.join(", "))
        };
        match outcome {
            Ok(None) => {}
            _ if pairs.len() > 1 && !self.together(pairs) => {
                let (low, high) = pairs.split_at(pairs.len() / 2);
                self.batch(low, whole, wrong);
                self.batch(high, whole, wrong);
            }
            Ok(Some(what)) => wrong.push(text(&what)),
            Err(said) => self.refused.push(text(&said)),
        }
    }

    /// Pairs that mean something only together.
    fn together(&self, pairs: &[Pair]) -> bool {
        pairs.iter().any(|(name, _)| name == "gin_fuzzy_search_limit")
    }
}

/// What refuses at once, and may: the DBA has said that this database is not to be written, or where nothing is.
const MAY_REFUSE: [&str; 5] = [
    "default_transaction_read_only",
    "search_path",
    "idle_session_timeout",
    "statement_timeout",
    "transaction_timeout",
];

/// Those that decide about results, limits, locks or what is seen, with values of which each goes alone.
fn alone() -> Vec<Vec<Pair>> {
    let one = |name: &str, values: &[&str]| -> Vec<Vec<Pair>> {
        values.iter().map(|value| vec![(name.to_owned(), (*value).to_owned())]).collect()
    };
    let mut all = Vec::new();
    all.extend(one("default_transaction_read_only", &["on"]));
    all.extend(one("default_transaction_isolation", &["serializable"]));
    all.extend(one("search_path", &["pg_catalog", "nowhere", "public, pg_catalog", "''"]));
    all.extend(one("statement_timeout", &["1ms"]));
    all.extend(one("transaction_timeout", &["1ms", "200ms"]));
    all.extend(one("idle_session_timeout", &["1ms"]));
    all.extend(one("session_replication_role", &["replica"]));
    all.extend(one("exit_on_error", &["on"]));
    all.push(vec![
        ("gin_fuzzy_search_limit".to_owned(), "1".to_owned()),
        ("enable_seqscan".to_owned(), "off".to_owned()),
    ]);
    all
}

/// Those of which one value of each goes together with the others': in rounds.
fn together() -> Vec<Vec<Pair>> {
    let each: [(&str, &[&str]); 28] = [
        ("DateStyle", &["German, DMY", "SQL, DMY", "Postgres, YMD"]),
        ("IntervalStyle", &["sql_standard", "iso_8601", "postgres_verbose"]),
        ("TimeZone", &["Pacific/Kiritimati", "America/St_Johns", "Etc/GMT+12"]),
        ("timezone_abbreviations", &["Australia", "India", "Default"]),
        ("extra_float_digits", &["-15", "0", "3"]),
        ("bytea_output", &["escape", "hex", "escape"]),
        ("lc_numeric", &["de_DE.UTF-8", "C.UTF-8", "POSIX"]),
        ("lc_time", &["de_DE.UTF-8", "C.UTF-8", "POSIX"]),
        ("lc_monetary", &["de_DE.UTF-8", "C.UTF-8", "POSIX"]),
        ("lc_messages", &["de_DE.UTF-8", "C", "POSIX"]),
        ("client_encoding", &["LATIN1", "SQL_ASCII", "UTF8"]),
        ("transform_null_equals", &["on", "off", "on"]),
        ("array_nulls", &["off", "on", "off"]),
        ("standard_conforming_strings", &["off", "on", "off"]),
        ("backslash_quote", &["on", "off", "safe_encoding"]),
        ("escape_string_warning", &["off", "on", "off"]),
        ("quote_all_identifiers", &["on", "off", "on"]),
        ("row_security", &["off", "on", "off"]),
        ("default_transaction_isolation", &["repeatable read", "read uncommitted", "read committed"]),
        ("default_transaction_deferrable", &["on", "off", "on"]),
        ("default_tablespace", &["nowhere", "pg_default", ""]),
        ("temp_tablespaces", &["''", "pg_default", "''"]),
        ("default_toast_compression", &["pglz", "lz4", "pglz"]),
        ("lock_timeout", &["1ms", "0", "1ms"]),
        ("idle_in_transaction_session_timeout", &["1ms", "0", "1ms"]),
        ("check_function_bodies", &["off", "on", "off"]),
        ("plpgsql.variable_conflict", &["use_column", "use_variable", "error"]),
        ("plpgsql.extra_errors", &["all", "none", "all"]),
    ];
    let round =
        |at: usize| each.iter().map(|(name, values)| ((*name).to_owned(), values[at].to_owned())).collect();
    let mut rounds: Vec<Vec<Pair>> = (0..3).map(round).collect();
    // Other plans: parallel where it does not pay, and without what would be chosen.
    let plans = [
        ("debug_parallel_query", "regress"),
        ("force_parallel_mode", "regress"),
        ("parallel_setup_cost", "0"),
        ("parallel_tuple_cost", "0"),
        ("min_parallel_table_scan_size", "0"),
        ("work_mem", "64kB"),
        ("enable_hashagg", "off"),
        ("enable_hashjoin", "off"),
        ("enable_indexscan", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("geqo_threshold", "2"),
        ("jit_above_cost", "0"),
    ];
    rounds.push(plans.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
    rounds
}

/// Not to be tried: they stop or flood the server for everybody, name files, or wait on purpose.
fn is_none_of_ours(name: &str) -> bool {
    let starts =
        ["log_", "debug_print", "debug_discard", "jit_d", "jit_p", "trace_", "vacuum_cost", "wal_", "ssl_"];
    let names = [
        "post_auth_delay",
        "pre_auth_delay",
        "session_preload_libraries",
        "local_preload_libraries",
        "temp_buffers",
        "max_stack_depth",
        "dynamic_library_path",
        "debug_logical_replication_streaming",
        "logical_replication_mode",
        "ignore_system_indexes",
        "track_activity_query_size",
        "backtrace_functions",
        "commit_delay",
        "temp_file_limit",
        "transaction_isolation",
        "transaction_read_only",
        "transaction_deferrable",
        "in_hot_standby",
        "role",
    ];
    starts.iter().any(|start| name.starts_with(start)) || names.contains(&name)
}

/// Every setting that the server says a role or database can carry; the n-th value of each makes the n-th batch.
fn all(admin: &mut Client, skip: &BTreeSet<String>) -> Vec<Vec<Pair>> {
    let rows = admin.rows(
        "SELECT name, vartype, array_to_string(enumvals, chr(9)), min_val, max_val FROM pg_settings \
         WHERE context IN ('user', 'superuser', 'backend', 'superuser-backend') ORDER BY name",
    );
    let mut batches: Vec<Vec<Pair>> = Vec::new();
    for row in rows.iter().filter(|row| !is_none_of_ours(&row[0]) && !skip.contains(&row[0].to_lowercase())) {
        let values: Vec<String> = match row[1].as_str() {
            "bool" => vec!["on".to_owned(), "off".to_owned()],
            "enum" => row[2].split('\t').map(str::to_owned).collect(),
            "integer" | "real" => vec![row[3].clone(), row[4].clone()],
            _ => Vec::new(),
        };
        for (at, value) in values.into_iter().enumerate() {
            if batches.len() <= at {
                batches.push(Vec::new());
            }
            batches[at].push((row[0].clone(), value));
        }
    }
    batches
}

#[test]
fn whatever_settings_a_database_carries_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    db.server.needs_sessions();
    let everything = std::env::var_os("DASHAGG_ALL_SETTINGS").is_some();
    let mut walk = Walk::new(db);
    walk.dashagg().arg("create").run().ok();
    walk.dashagg().arg("refresh").run().ok();
    let [expected, found] = walk.tables();
    assert_eq!(found, expected);
    let (singles, rounds) = (alone(), together());
    let known: BTreeSet<String> = singles
        .iter()
        .chain(&rounds)
        .flatten()
        .map(|(name, _)| name.to_lowercase())
        .filter(|name| !name.starts_with("enable_"))
        .collect();
    let mut batches: Vec<Vec<Pair>> = singles.into_iter().chain(rounds).collect();
    if everything {
        batches.extend(all(&mut walk.admin, &known));
    }
    let there: BTreeSet<String> =
        walk.admin.rows("SELECT lower(name) FROM pg_settings").into_iter().flatten().collect();
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for batch in &batches {
        let batch: Vec<Pair> = batch
            .iter()
            .filter(|(name, _)| name.contains('.') || there.contains(&name.to_lowercase()))
            .cloned()
            .collect();
        walk.tried += batch.len();
        names.extend(batch.iter().map(|(name, _)| name.clone()));
        walk.batch(&batch, true, &mut wrong);
    }
    println!(
        "{}: {} settings, {} of them with a value, {} runs; {} values are not to be had; refused in words: {:#?}",
        db.server.describe(),
        names.len(),
        walk.tried,
        walk.runs,
        walk.unset.len(),
        walk.refused
    );
    println!("not to be had: {:#?}", walk.unset);
    assert!(wrong.is_empty(), "{wrong:#?}");
    for refused in &walk.refused {
        assert!(MAY_REFUSE.iter().any(|name| refused.starts_with(name)), "{refused}");
    }
}

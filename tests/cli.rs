//! The command line as a contract: exit codes, streams, JSON, and what bad input is told.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{Kind, Output, TestDb, conformance, copy_set};
use crate::small::{SOURCES, TIERS, Tiny, dashagg, is_log, refuses, with_sources};
use serde_json::Value;

const VERBS: [&str; 6] = ["create", "refresh", "status", "verify", "demo", "init"];

// --- Help and usage --------------------------------------------------------------------------------------------------

#[test]
fn help_names_the_exit_codes() {
    let db = TestDb::new(Kind::Sqlite);
    let all = db.dashagg_without_url().arg("--help").run().ok().stdout;
    for line in
        ["Exit codes:", "0    done", "2    wrong usage", "6    drift", "11   another run", "143: terminated"]
    {
        assert!(all.contains(line), "{line}: {all}");
    }
    for verb in VERBS {
        let help = db.dashagg_without_url().args([verb, "--help"]).run().ok();
        assert!(help.stdout.contains("Exit codes: 0 "), "{verb}: {}", help.stdout);
        assert!(all.contains(&format!("  {verb} ")), "{verb} is missing in --help");
        assert_eq!(help.stderr, "");
    }
}

#[test]
fn wrong_usage_exits_2_on_stderr_also_as_json() {
    let db = TestDb::new(Kind::Sqlite);
    for args in [
        vec!["frobnicate"],
        vec!["refresh", "--full", "--since", "2025-01-01"],
        vec!["refresh", "--wait", "soon"],
        vec!["demo", "--rows", "3"],
        vec!["init"],
    ] {
        let plain = db.dashagg_without_url().args(&args).run().code(2);
        assert_eq!(plain.stdout, "", "{args:?}");
        assert!(plain.stderr.starts_with("error: "), "{}", plain.stderr);
        let json = db.dashagg_without_url().args(&args).arg("--json").run().code(2);
        assert_eq!(json.stdout, "");
        let error = json_error(&json);
        assert_eq!(error["code"], 2, "{error}");
        assert!(error["message"].as_str().unwrap().lines().count() == 1, "{error}");
    }
}

// --- Streams and JSON ------------------------------------------------------------------------------------------------

/// The error object on stderr: the last line, and the only one that is not log.
#[track_caller]
fn json_error(output: &Output) -> Value {
    let lines: Vec<&str> = output.stderr.lines().filter(|line| !is_log(line)).collect();
    assert_eq!(lines.len(), 1, "{}", output.stderr);
    let object: Value = serde_json::from_str(lines[0]).unwrap_or_else(|e| panic!("{e}: {}", lines[0]));
    assert_eq!(object["schema"], 1);
    object["error"].clone()
}

/// All of these fields, and of a type that a reader can use.
#[track_caller]
fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(*field).is_some(), "{field} is missing in {object}");
    }
}

conformance!(json_is_the_contract, |db: &TestDb| {
    db.exec(SOURCES);
    dashagg(db).args(["create", "--json"]).run().ok().json();

    let refresh = dashagg(db).args(["refresh", "--json"]).run().ok();
    assert_eq!(refresh.stdout.lines().count(), 1, "one object on one line");
    let refresh = refresh.json();
    has(&refresh, &["schema", "run_id", "status", "seconds", "sets"]);
    assert_eq!((&refresh["schema"], &refresh["status"]), (&1.into(), &"ok".into()));
    let set = &refresh["sets"][0];
    has(set, &["set", "mode", "status", "seconds", "partitions", "summaries", "error"]);
    assert_eq!(
        (&set["set"], &set["mode"], &set["status"]),
        (&"financials".into(), &"complete".into(), &"ok".into())
    );
    assert_eq!(set["partitions"], 2);
    assert!(set["seconds"].is_f64() && set["error"].is_null());
    for (at, (name, rows)) in TIERS.iter().enumerate() {
        let summary = &set["summaries"][at];
        has(
            summary,
            &["name", "table", "status", "rows", "inserted", "updated", "deleted", "seconds", "error"],
        );
        assert_eq!(summary["name"], *name);
        assert_eq!((&summary["rows"], &summary["inserted"]), (&(*rows).into(), &(*rows).into()), "{summary}");
        assert_eq!((&summary["updated"], &summary["deleted"]), (&0.into(), &0.into()));
    }

    let status = dashagg(db).args(["status", "--json"]).run().ok().json();
    has(&status, &["schema", "summaries"]);
    for (at, (name, rows)) in TIERS.iter().enumerate() {
        let summary = &status["summaries"][at];
        has(
            summary,
            &["set", "name", "table", "kind", "tier", "rows", "bytes", "refreshed_at", "age_seconds"],
        );
        has(summary, &["pending_partitions", "state", "tracking", "last_run"]);
        assert_eq!((&summary["name"], &summary["rows"]), (&(*name).into(), &(*rows).into()));
        assert_eq!((&summary["kind"], &summary["state"]), (&"table".into(), &"fresh".into()));
        assert_eq!(summary["tier"], if at == 0 { 1 } else { 2 });
        assert!(summary["bytes"].as_u64().unwrap() > 0 && summary["age_seconds"].is_u64(), "{summary}");
        assert!(summary["refreshed_at"].as_str().unwrap().ends_with('Z'));
        let run = &summary["last_run"];
        has(run, &["run_id", "mode", "status", "seconds", "inserted", "updated", "deleted"]);
        assert_eq!((&run["status"], &run["inserted"]), (&"ok".into(), &(*rows).into()));
    }

    let verify = dashagg(db).args(["verify", "--json"]).run().ok().json();
    has(&verify, &["schema", "status", "conservation", "summaries"]);
    assert_eq!((&verify["status"], &verify["conservation"]), (&"ok".into(), &Value::Array(vec![])));
    has(
        &verify["summaries"][0],
        &["name", "table", "partitions_checked", "pending", "missing", "extra", "different", "samples"],
    );
    db.exec("UPDATE financials_summary_monthly_category SET amount = amount + 1 WHERE month = '2025-02-01' AND category_id = 0");
    let wrong = dashagg(db).args(["verify", "--json"]).run().code(4);
    assert!(wrong.stderr.lines().all(is_log), "differences are data, not an error: {}", wrong.stderr);
    let wrong = wrong.json();
    assert_eq!(wrong["status"], "differs");
    let category = wrong["summaries"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&category["missing"], &category["extra"], &category["different"]),
        (&0.into(), &0.into(), &1.into())
    );
    let sample = &category["samples"][0];
    has(sample, &["key", "column", "expected", "actual"]);
    assert_eq!(sample["column"], "amount");
    assert_eq!(sample["key"]["category_id"], "0");
    assert!(
        sample["expected"].as_str().unwrap().starts_with("11")
            && sample["actual"].as_str().unwrap().starts_with("12")
    );
    has(&wrong["conservation"][0], &["partition", "column", "expected", "actual"]);

    let failed = dashagg(db).args(["refresh", "no_such_set", "--json"]).run().code(2);
    assert_eq!(failed.stdout, "");
    let error = json_error(&failed);
    has(&error, &["code", "message", "hint"]);
    assert_eq!(error["code"], 2);
    assert!(error["hint"].as_str().unwrap().contains("financials"));
});

conformance!(a_dry_run_says_what_and_why_and_writes_nothing, |db: &TestDb| {
    db.exec(SOURCES);
    dashagg(db).args(["-q", "create"]).run().ok();
    let runs = || db.one("SELECT COUNT(*) FROM dashagg_run");
    let plain = |args: &[&str]| dashagg(db).args(["refresh", "--dry-run"]).args(args).run().ok().stdout;
    let first = plain(&[]);
    assert!(
        first.contains("financials: complete refresh of 2 partitions: asin has never been built"),
        "{first}"
    );
    assert_eq!(runs(), "0");
    dashagg(db).args(["-q", "refresh"]).run().ok();
    let before = runs();
    assert!(plain(&[]).starts_with("financials: nothing to do: "), "{}", plain(&[]));
    assert!(plain(&["--partition", "2025-01-01"]).contains("incremental refresh of 1 partition: "));
    let json = dashagg(db).args(["refresh", "--dry-run", "--full", "--json"]).run().ok().json();
    assert_eq!(json["schema"], 1);
    has(&json["sets"][0], &["set", "mode", "partitions", "reason"]);
    assert_eq!((&json["sets"][0]["mode"], &json["sets"][0]["partitions"]), (&"complete".into(), &2.into()));
    assert_eq!(runs(), before);
});

conformance!(data_on_stdout_and_the_rest_on_stderr, |db: &TestDb| {
    db.exec(SOURCES);
    for verb in ["create", "refresh", "status", "verify"] {
        let output = dashagg(db).args([verb, "-v"]).run().ok();
        assert!(!output.stdout.is_empty(), "{verb} says what it did");
        assert!(!output.stdout.lines().any(is_log), "{verb}: log on stdout: {}", output.stdout);
        assert!(output.stderr.lines().all(is_log), "{verb}: more than log on stderr: {}", output.stderr);
        for stream in [&output.stdout, &output.stderr] {
            assert!(
                !stream.contains('\u{1b}') && !stream.contains('\r'),
                "{verb}: colour or a bar in a pipe"
            );
        }
    }
});

conformance!(quiet_is_silent_on_success_only, |db: &TestDb| {
    db.exec(SOURCES);
    for verb in ["create", "refresh", "status", "verify", "create", "refresh"] {
        let output = dashagg(db).args(["-q", verb]).run().ok();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""), "{verb}");
    }
    db.exec("DELETE FROM financials_summary_monthly_brand WHERE brand_id = 2");
    let wrong = dashagg(db).args(["-q", "verify"]).run().code(4);
    assert!(wrong.stdout.contains("financials.brand"), "{}", wrong.stdout);
    refuses(dashagg(db).args(["-q", "refresh", "nobody"]).run(), 2, &["nobody"]);
});

// --- Bad input: before any database ----------------------------------------------------------------------------------

#[test]
fn configuration_errors_exit_2() {
    let db = TestDb::new(Kind::Sqlite);
    let bare = || db.dashagg_without_url();
    refuses(bare().arg("status").run(), 2, &["no database is named", "-D", "config.toml"]);
    refuses(
        bare().args(["-c", "none.toml", "status"]).run(),
        2,
        &["none.toml does not exist", "dashagg init"],
    );
    refuses(bare().args(["-D", "oracle://h/d", "status"]).run(), 2, &["oracle", "postgres://"]);

    let config = db.dir().join("config.toml");
    let with = |text: &str| {
        std::fs::write(&config, text).unwrap();
        bare().arg("-c").arg(&config).args(["-D", &db.url, "status"]).run()
    };
    refuses(with("[run]\njobs = 2\nretrys = 1\n"), 2, &["config.toml:3:1", "run.retrys", "unknown field"]);
    refuses(with("[run]\nmax_shrink = 20\n"), 2, &["run.max_shrink is 20", "0.0 to 1.0"]);
    refuses(with("[database]\nlock_timeout = \"soon\"\n"), 2, &["config.toml:2:", "database.lock_timeout"]);
    refuses(with("[run\n"), 2, &["config.toml:1:"]);
    // Found where nobody named it: the folder that dashagg runs in.
    std::fs::write(db.dir().join("cwd/config.toml"), "[nonsense]\n").unwrap();
    refuses(bare().args(["-D", &db.url, "status"]).run(), 2, &["config.toml:1:2", "nonsense"]);
}

#[test]
fn manifest_errors_exit_2_and_name_the_place() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    let good = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    let with = |text: &str| {
        tiny.write("summaries.toml", text);
        tiny.create()
    };
    refuses(with(&good.replace("table = ", "tabel = ")), 2, &["tiny/summaries.toml:5", "tabel"]);
    refuses(with(&format!("{good}max_ages = '1h'\n")), 2, &["tiny/summaries.toml:9", "max_ages"]);
    for (old, new) in [
        ("grain = ['day']", "recompute_by"),
        ("conserve = []", "reconcile"),
        ("clock = '1m'", "time_dependent"),
    ] {
        let word = old.split(' ').next().unwrap();
        let told = format!("`{word}` is called `{new}` now");
        refuses(with(&format!("{good}{old}\n")), 2, &["tiny/summaries.toml:9", "unknown field", &told]);
    }
    let noted = good.replace("partition = ['day']", "partition = ['day']\nlog = ['day']");
    refuses(with(&noted), 2, &["tiny/summaries.toml:4", "`log` is called `track_columns` now"]);
    refuses(
        with(&good.replace("select = 'days.sql'", "select = 'none.sql'")),
        2,
        &["summaries.days", "none.sql"],
    );
    refuses(
        with(&good.replace("key = ['day']", "key = ['total']")),
        2,
        &["partition column 'day'", "part of the key"],
    );
    refuses(
        with(&good.replace("[sources.raw_rows]\npartition = ['day']", "[sources.raw_rows]")),
        2,
        &["summaries.days", "no source", "partition columns (day)"],
    );
    refuses(with(&good.replace("key = ['day']", "key = []")), 2, &["summaries.days", "key is empty"]);
    refuses(with(&format!("{good}max_shrink = 20\n")), 2, &["max_shrink", "between 0 and 1"]);
    refuses(with(&format!("{good}max_age = 'soon'\n")), 2, &["max_age", "26h"]);
    refuses(
        with(&good.replace("[sources.raw_rows]", "[sources.other]")),
        2,
        &["days.sql", "'raw_rows'", "[sources.raw_rows]"],
    );
    let twice = "[summaries.again]\ntable = 'TINY_days'\nselect = 'days.sql'\nkey = ['day']\n";
    refuses(with(&format!("{good}{twice}")), 2, &["again", "days", "same table"]);
    refuses(with("description = 'nothing'\n"), 2, &["summaries.toml", "summaries"]);

    tiny.write("a.sql", "SELECT day, total FROM b_table\n");
    tiny.write("b.sql", "SELECT day, total FROM a_table\n");
    let circle = "[summaries.a]\ntable = 'a_table'\nselect = 'a.sql'\nkey = ['day']\n\
                  [summaries.b]\ntable = 'b_table'\nselect = 'b.sql'\nkey = ['day']\n";
    refuses(with(&format!("{good}{circle}")), 2, &["a, b", "circle"]);

    tiny.write("summaries.toml", &good);
    tiny.write("days.sql", "SELECT 1; SELECT 2;\n");
    refuses(tiny.create(), 2, &["tiny/days.sql", "exactly one SELECT"]);
    std::fs::write(tiny.path("days.sql"), b"SELECT '\xff'\n").unwrap();
    refuses(tiny.create(), 2, &["days.sql", "UTF-8"]);
}

#[test]
fn names_that_do_not_exist_exit_2() {
    let db = with_sources(Kind::Sqlite);
    for verb in ["create", "refresh", "status", "verify"] {
        refuses(dashagg(&db).args([verb, "nobody"]).run(), 2, &["no set 'nobody'", "sets: financials"]);
        let words = ["no summary 'financials.bramd'", "financials.brand"];
        refuses(dashagg(&db).args([verb, "financials.bramd"]).run(), 2, &words);
    }
    let gone = |dir: &Path| dashagg(&db).arg("--sql-dir").arg(dir).arg("create").run();
    refuses(gone(Path::new("/none/such")), 2, &["/none/such", "No such file", "--sql-dir"]);
    refuses(gone(db.dir()), 2, &["no set found", "summaries.toml"]);
}

// --- Bad input: seen by the database ---------------------------------------------------------------------------------

#[test]
fn a_sqlite_file_is_never_made_by_mistake() {
    let db = TestDb::new(Kind::Sqlite);
    let url = format!("sqlite://{}", db.dir().join("typo.db").display());
    for verb in ["create", "refresh", "status", "verify"] {
        refuses(
            db.dashagg_without_url().args(["-D", &url, verb]).run(),
            1,
            &["typo.db", "check that the file exists"],
        );
    }
    assert!(!db.dir().join("typo.db").exists());
    let text = db.dir().join("text.db");
    std::fs::write(&text, "this is no database, it is a text that somebody wrote\n").unwrap();
    let url = format!("sqlite://{}", text.display());
    refuses(db.dashagg_without_url().args(["-D", &url, "create"]).run(), 1, &["not a database"]);
}

#[test]
fn a_host_that_does_not_answer_fails_quickly() {
    let db = TestDb::new(Kind::Sqlite);
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf_port = deaf.local_addr().unwrap().port();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed_port = closed.local_addr().unwrap().port();
    drop(closed);
    let config = db.dir().join("config.toml");
    std::fs::write(&config, "[database]\nconnect_timeout = \"1s\"\n").unwrap();
    for scheme in ["mysql", "mariadb", "postgres"] {
        for (port, words) in [(deaf_port, "no answer within 1 s"), (closed_port, "refused")] {
            let url = format!("{scheme}://u@127.0.0.1:{port}/d");
            for verb in ["status", "refresh"] {
                let output = db.dashagg_without_url().arg("-c").arg(&config).args(["-D", &url, verb]).run();
                // Transient errors are retried, but not while connecting for the first time.
                assert!(output.seconds < 4.0, "{url} {verb}: {} s", output.seconds);
                refuses(
                    output,
                    1,
                    &["cannot connect to", &format!("127.0.0.1:{port}/d"), words, "check host"],
                );
            }
        }
        let url = format!("{scheme}://u@no-such-host.invalid/d");
        refuses(db.dashagg_without_url().args(["-D", &url, "status"]).run(), 1, &["no-such-host.invalid"]);
    }
}

conformance!(before_create_there_is_nothing_but_advice, |db: &TestDb| {
    refuses(
        dashagg(db).args(["create", "financials"]).run(),
        1,
        &["source table financials does not exist", "your application"],
    );
    db.exec(SOURCES);
    // The failed create above has made the tables; this is about a database that has none.
    let db = &with_sources(db.kind);
    refuses(dashagg(db).arg("refresh").run(), 1, &["not been set up", "hint: run `dashagg create` first"]);
    refuses(dashagg(db).arg("verify").run(), 1, &["does not exist", "hint: run `dashagg create` first"]);
    let status = dashagg(db).args(["status", "--json"]).run().ok();
    assert!(status.stderr.contains("run `dashagg create`"), "{}", status.stderr);
    for summary in status.json()["summaries"].as_array().unwrap() {
        assert_eq!(summary["state"], "never");
        assert!(summary["rows"].is_null() && summary["refreshed_at"].is_null());
    }
    dashagg(db).args(["status", "--strict"]).run().code(5);
    dashagg(db).arg("create").run().ok();
    assert_eq!(dashagg(db).args(["status", "--json"]).run().ok().json()["summaries"][0]["state"], "never");
    dashagg(db).arg("refresh").run().ok();
    dashagg(db).args(["status", "--strict"]).run().ok();
});

conformance!(a_source_that_is_gone_is_named, |db: &TestDb| {
    db.exec(SOURCES);
    dashagg(db).args(["-q", "create"]).run().ok();
    dashagg(db).args(["-q", "refresh"]).run().ok();
    db.exec("ALTER TABLE products RENAME TO products_away");
    for verb in ["refresh", "verify"] {
        refuses(
            dashagg(db).arg(verb).run(),
            1,
            &["source table products does not exist", "sources.products"],
        );
    }
    let status = dashagg(db).args(["status", "--json"]).run().ok().json();
    assert_eq!(status["summaries"][0]["rows"], TIERS[0].1, "what was published stays readable");
    assert_eq!(status["summaries"][0]["state"], "failed");
    assert_eq!(status["summaries"][0]["last_run"]["status"], "failed");
    db.exec("ALTER TABLE products_away RENAME TO products");
    dashagg(db).arg("refresh").run().ok();
});

conformance!(a_select_that_does_not_fit_is_named, |db: &TestDb| {
    let tiny = Tiny::new(db);
    tiny.create().ok();
    let with = |select: &str| {
        tiny.write("days.sql", select);
        tiny.refresh()
    };
    refuses(
        with("SELECT day, SUM(no_such) AS total FROM raw_rows GROUP BY day\n"),
        1,
        &["tiny/days.sql", "no_such"],
    );
    refuses(
        with("SELECT day, SUM(n) AS total, 1 AS more FROM raw_rows GROUP BY day\n"),
        1,
        &["tiny/days.sql", "more", "tiny_days"],
    );
    refuses(
        with("SELECT day FROM raw_rows GROUP BY day\n"),
        1,
        &["tiny/days.sql", "does not produce column total"],
    );
    refuses(with("SELECT day, SUM(n) AS total FROM raw_rows GROPU BY day\n"), 1, &["tiny/days.sql"]);
    let twice = "SELECT day, n AS total FROM raw_rows UNION ALL SELECT day, n + 1 FROM raw_rows\n";
    refuses(with(twice), 1, &["tiny/days.sql", "more than one row for the same key (day)", "GROUP BY"]);
    // As a whole, so that the row without a day is computed at all.
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write("summaries.toml", &manifest.replace("key = ['day']\npartition = ['day']", "key = ['day']"));
    let null = "SELECT CASE WHEN n > 1 THEN day END AS day, n AS total FROM raw_rows\n";
    refuses(with(null), 1, &["tiny/days.sql", "NULL in the key (day)", "COALESCE"]);
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_days"), "0", "nothing of it was published");
    with("SELECT day, SUM(n) AS total FROM raw_rows GROUP BY day\n").ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM tiny_days"), "2");
});

conformance!(partitions_are_read_strictly, |db: &TestDb| {
    db.exec(SOURCES);
    dashagg(db).args(["-q", "create"]).run().ok();
    dashagg(db).args(["-q", "refresh"]).run().ok();
    for wrong in ["2025-13-01", "2025-02-30", "yesterday", "2025-1-1", "", "2025-01-01; DROP TABLE x"] {
        refuses(dashagg(db).args(["refresh", "--partition", wrong]).run(), 2, &["not a date", "2025-01-01"]);
        refuses(dashagg(db).args(["verify", "--partition", wrong]).run(), 2, &["not a date"]);
        refuses(dashagg(db).args(["refresh", "--since", wrong]).run(), 2, &["not a date"]);
    }
    let one = dashagg(db).args(["refresh", "--json", "--partition", "2025-02-01"]).run().ok().json();
    assert_eq!((&one["sets"][0]["partitions"], &one["sets"][0]["mode"]), (&1.into(), &"incremental".into()));
    // A month that nobody knows holds no rows: done, and nothing lost.
    dashagg(db).args(["refresh", "--partition", "1999-01-01"]).run().ok();
    assert_eq!(db.one("SELECT COUNT(*) FROM financials_summary_monthly_brand"), TIERS[1].1.to_string());
});

conformance!(names_with_quotes_and_spaces_simply_work, |db: &TestDb| {
    let quote = |name: &str| match db.kind {
        Kind::Mariadb => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    };
    let [source, table, day, total] =
        ["raw \"rows\" `x`", "it's a \"sum\" `y`", "the \"day\"", "to`t`al, all"].map(quote);
    db.exec(&format!(
        "CREATE TABLE {source} ({day} DATE NOT NULL, n INTEGER NOT NULL); \
         INSERT INTO {source} VALUES ('2025-01-01', 1), ('2025-01-01', 2), ('2025-02-01', 4)"
    ));
    let tiny = Tiny::new(db);
    tiny.write(
        "summaries.toml",
        "[sources.'raw \"rows\" `x`']\npartition = ['the \"day\"']\n\
         [sources.'raw \"rows\" `x`'.totals]\n'to`t`al, all' = 'SUM(n)'\n\
         [[sources.'raw \"rows\" `x`'.indexes]]\nname = 'an \"index\" `z`'\ncolumns = ['the \"day\"']\n\
         [summaries.'a b']\ntable = \"it's a \\\"sum\\\" `y`\"\nselect = 'days.sql'\n\
         key = ['the \"day\"']\npartition = ['the \"day\"']\nreconcile = [{ columns = ['to`t`al, all'] }]\n",
    );
    tiny.write("days.sql", &format!("SELECT {day}, SUM(n) AS {total} FROM {source} GROUP BY {day}\n"));
    tiny.script(
        "0001_days.sql",
        &format!("CREATE TABLE {table} ({day} DATE NOT NULL PRIMARY KEY, {total} BIGINT NOT NULL);\n"),
    );
    std::fs::rename(tiny.sql_dir().join("tiny"), tiny.sql_dir().join("it's \"my\" set")).unwrap();
    let set = "it's \"my\" set";
    tiny.dashagg().args(["create", set]).run().ok();
    tiny.dashagg().args(["refresh", set]).run().ok();
    let sums = format!("SELECT {day}, {total} FROM {table} ORDER BY 1");
    assert_eq!(db.rows(&sums), [["2025-01-01", "3"], ["2025-02-01", "4"]]);
    db.exec(&format!("UPDATE {source} SET n = 5 WHERE n = 4"));
    tiny.dashagg().args(["refresh", "--partition", "2025-02-01"]).run().ok();
    assert_eq!(db.rows(&sums)[1], ["2025-02-01", "5"]);
    tiny.dashagg().args(["verify", "it's \"my\" set.a b"]).run().ok();
    let status = tiny.dashagg().args(["status", "--json", "--exact"]).run().ok().json();
    assert_eq!((&status["summaries"][0]["set"], &status["summaries"][0]["rows"]), (&set.into(), &2.into()));
});

#[test]
fn a_set_folder_of_another_name_needs_no_code() {
    let db = with_sources(Kind::Sqlite);
    let sql = db.dir().join("sql");
    let copy = copy_set("financials", &sql);
    std::fs::rename(copy, sql.join("our_money")).unwrap();
    let run = |args: &[&str]| dashagg(&db).arg("--sql-dir").arg(&sql).args(args).run().ok();
    run(&["create", "our_money"]);
    run(&["refresh", "our_money.category"]);
    assert!(run(&["status"]).stdout.contains("our_money.category"));
}

/// `dashagg status | head -1` must not end in an error about a pipe.
#[test]
fn a_closed_pipe_is_the_readers_choice() {
    let db = with_sources(Kind::Sqlite);
    let mut child = dashagg(&db).args(["-q", "--json", "create", "--dry-run"]).spawn();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("pipe") && !said.contains("panicked"), "{said}");
}

#[test]
fn a_config_file_that_holds_no_password_may_be_world_readable() {
    let db = with_sources(Kind::Sqlite);
    let config = db.dir().join("config.toml");
    std::fs::write(&config, format!("[database]\nurl = \"{}\"\n", db.url)).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = db.dashagg_without_url().arg("-c").arg(&config).args(["-q", "create"]).run().ok();
    assert_eq!(output.stderr, "");
}

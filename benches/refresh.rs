//! `cargo bench --bench refresh`: dashagg against the founding TRUNCATE + INSERT script, on real servers.
//!
//! BENCHMARKS.md says how to run it and what it measures; the environment variables are in `Settings`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    unused_macros,
    missing_docs
)]
#![allow(clippy::too_many_lines, clippy::too_many_arguments)] // A measurement reads from top to bottom.

// The tests' client: it shares no code with dashagg.
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "refresh/measure.rs"]
mod measure;
#[path = "refresh/report.rs"]
mod report;
#[path = "refresh/sample.rs"]
mod sample;
#[path = "refresh/server.rs"]
mod server;

use std::str::FromStr;

use common::Kind;
use measure::{Costs, Reading, Runner, Step, median, seconds, timed};
use report::{Report, duration};
use sample::{Db, Site, month, thousands};
use server::{Server, Servers};

/// What the environment asks for.
pub struct Settings {
    /// Rows of the source.
    rows: u64,
    /// Runs of each measurement.
    runs: usize,
    only: Option<Kind>,
    matviews: bool,
    growth: bool,
    /// One database, on whose rows the script runs first and dashagg then; no readers, no bulk load.
    brief: bool,
}

impl Settings {
    fn read() -> Self {
        Settings {
            rows: number("DASHAGG_BENCH_ROWS", 10_000_000),
            runs: number("DASHAGG_BENCH_RUNS", 3),
            only: match text("DASHAGG_BENCH_ONLY").as_deref() {
                None => None,
                Some("mariadb") => Some(Kind::Mariadb),
                Some("postgres") => Some(Kind::Postgres),
                Some(other) => panic!("DASHAGG_BENCH_ONLY is mariadb or postgres, not {other}"),
            },
            matviews: number("DASHAGG_BENCH_MATVIEW", 1) != 0,
            growth: number("DASHAGG_BENCH_GROWTH", 0) != 0,
            brief: number("DASHAGG_BENCH_BRIEF", 0) != 0,
        }
    }

    /// Rows of the bulk load: a tenth of the founding case's source, and never more than the source.
    fn load(&self) -> u64 {
        self.rows.min(1_000_000)
    }
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number<T: FromStr>(name: &str, default: T) -> T {
    text(name).map_or(default, |value| {
        value.replace('_', "").parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}"))
    })
}

/// Progress goes to stderr, so that stdout is what BENCHMARKS.md takes.
pub fn say(line: &str) {
    eprintln!("bench: {line}");
}

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|arg| arg == "--bench") {
        eprintln!("nothing measured: use `cargo bench --bench refresh`");
        return;
    }
    let settings = Settings::read();
    assert!(settings.runs > 0, "DASHAGG_BENCH_RUNS is at least 1");
    let servers = Servers::new();
    let mut tables = Vec::new();
    for kind in [Kind::Mariadb, Kind::Postgres] {
        if settings.only.is_none_or(|only| only == kind) {
            let server = servers.start(kind);
            let text = if settings.growth {
                growth(&settings, &server)
            } else if settings.brief {
                brief(&settings, &server).to_string()
            } else {
                compare(&settings, &server).to_string()
            };
            say(&format!("{kind:?} done:\n{text}"));
            tables.push(text);
        }
    }
    drop(servers);
    println!("{}", report::machine());
    for table in tables {
        println!("{table}");
    }
}

/// 1,000 changed rows at three sizes of the source.
fn growth(settings: &Settings, server: &Server) -> String {
    let sizes = [settings.rows / 10, settings.rows, settings.rows * 2];
    let site = Site::new(sizes[2]);
    let db = Db::create(server, "bench_dashagg");
    let runner = Runner::new(&db);
    let mut lines = String::new();
    let mut first = None;
    let mut low = 0;
    for (at, size) in sizes.into_iter().enumerate() {
        if at == 0 {
            site.tables(&db);
        }
        site.fill(&db, "financials", low, size);
        low = size;
        db.settle(true);
        if at == 0 {
            runner.run(&["create"]);
            db.settle(true);
        }
        runner.run(&["refresh", "--full"]);
        let mut step = Step::new("1,000 rows in one month");
        for run in 0..settings.runs.max(3) {
            step.changed(db.change(&month(run * 7 + at), run, size, 1_000));
            db.settle(false);
            step.add(runner.refresh(&[]));
        }
        let time = median(step.seconds());
        let first = *first.get_or_insert(time);
        lines +=
            &format!("| {} | {} | {} | {:.2} |\n", thousands(size), step.how(), duration(time), time / first);
    }
    format!(
        "### {}: 1,000 changed rows, by size of the source\n\n{}\n\n\
         | source rows | refreshed by | dashagg | against the smallest |\n|---|---|---|---|\n{lines}",
        db.version(),
        db.settings(),
    )
}

/// Everything else, on one engine.
fn compare(settings: &Settings, server: &Server) -> Report {
    let site = Site::new(settings.rows);
    let ours = Db::create(server, "bench_dashagg");
    let filling = timed(|| {
        site.tables(&ours);
        site.fill(&ours, "financials", 0, settings.rows);
    });
    say(&format!("{} rows in {}", thousands(settings.rows), duration(filling)));
    ours.settle(true);
    let script = Db::copy(server, "bench_script", &ours, &site);
    let runner = Runner::new(&ours);
    let mut report = Report::new(&ours, settings.rows);

    let create = runner.run(&["create"]);
    say(&format!("create: {}", duration(create.seconds)));
    ours.settle(true);
    let mut first = Step::new("complete, into empty summaries (once)");
    first.add(runner.refresh(&["--full"]));
    report.costs = Costs { create: create.seconds, ..Costs::default() };
    ours.settle(false);

    // The script and dashagg take turns, so that neither gets the quieter half of the machine's time.
    let mut whole = Vec::new();
    let mut noop = Step::new("nothing changed");
    let mut some = Step::new("1,000 rows in one month");
    let mut many = Step::new("100,000 rows in three months");
    let mut complete = Step::new("complete");
    for run in 0..settings.runs {
        script.settle(false);
        whole.push(timed(|| script.founding_script()));
        script.settle(false);
        say(&format!("run {}: script {}", run + 1, duration(whole[run])));
        for _ in 0..5 {
            noop.add(runner.refresh(&[]));
        }
        some.changed(ours.change(&month(run * 5), run, settings.rows, 1_000));
        ours.settle(false);
        some.add(runner.refresh(&[]));
        let changed = (0..3).map(|at| {
            ours.change(&month(12 + run * 3 + at), run, settings.rows, if at == 0 { 33_334 } else { 33_333 })
        });
        many.changed(changed.sum());
        ours.settle(false);
        many.add(runner.refresh(&[]));
        ours.settle(false);
        complete.add(runner.refresh(&["--full"]));
        for step in [&noop, &some, &many, &complete] {
            say(&format!("run {}: {} {}", run + 1, step.name, duration(*step.seconds().last().unwrap())));
        }
    }
    report.asin_rows = ours.one("SELECT COUNT(*) FROM financials_summary_monthly_asin_marketplace");
    report.script = whole.clone();
    report.steps = vec![noop, some, many, complete, first];

    baselines(settings, &ours, &script, &mut report);
    report.status = (0..settings.runs.max(5)).map(|_| runner.run(&["status"]).seconds).collect();
    report.dashboards = sample::dashboards()
        .into_iter()
        .map(|(name, raw, summary)| {
            say(&format!("dashboard: {name}"));
            assert_eq!(ours.rows(&raw), ours.rows(&summary), "{name}: summaries differ from raw");
            [
                seconds(settings.runs, || drop(script.rows(&raw))),
                seconds(settings.runs, || drop(ours.rows(&raw))),
                ours.warm(&summary, settings.runs.max(9)),
            ]
            .into_iter()
            .fold((name, Vec::new()), |(name, mut times), more| {
                times.push(median(&more));
                (name, times)
            })
        })
        .collect();
    readers(settings, &runner, &ours, &script, &mut report);
    load(settings, &site, &runner, &ours, &script, &mut report);
    finish(&runner, &mut report);
    report
}

fn finish(runner: &Runner, report: &mut Report) {
    let verify = runner.try_run(&["verify"]);
    report.verify = format!(
        "`dashagg verify` after all of it: {} ({})",
        if verify.code == 0 { "no difference" } else { "DIFFERENCES, the figures above do not count" },
        duration(verify.seconds)
    );
    report.memory = runner.memory();
}

/// What counts at a size at which the script takes half an hour and two copies of the source do not fit: the script on
/// the rows first, then dashagg on the very same.
fn brief(settings: &Settings, server: &Server) -> Report {
    let site = Site::new(settings.rows);
    let db = Db::create(server, "bench_dashagg");
    let filling = timed(|| {
        site.tables(&db);
        site.fill(&db, "financials", 0, settings.rows);
    });
    say(&format!("{} rows in {}", thousands(settings.rows), duration(filling)));
    let indexing = timed(|| db.for_script());
    say(&format!("founding indexes in {}", duration(indexing)));
    let mut report = Report::new(&db, settings.rows);
    for _ in 0..settings.runs {
        report.script.push(timed(|| db.founding_script()));
        say(&format!("script {}", duration(*report.script.last().unwrap())));
    }
    let mut times = Vec::new();
    for (name, raw, _) in sample::dashboards() {
        times.push(median(&seconds(settings.runs, || drop(db.rows(&raw)))));
        say(&format!("{name} on raw {}", duration(*times.last().unwrap())));
    }

    let runner = Runner::new(&db);
    let create = runner.run(&["create"]);
    report.costs = Costs { create: create.seconds, ..Costs::default() };
    say(&format!("create: {}", duration(create.seconds)));
    db.settle(true);
    let mut first = Step::new("complete, the first after the script");
    first.add(runner.refresh(&["--full"]));
    say(&format!("{}: {}", first.name, duration(first.seconds()[0])));
    let mut noop = Step::new("nothing changed");
    let mut some = Step::new("1,000 rows in one month");
    let mut many = Step::new("100,000 rows in three months");
    let mut complete = Step::new("complete");
    for run in 0..settings.runs.max(3) {
        for _ in 0..5 {
            noop.add(runner.refresh(&[]));
        }
        some.changed(db.change(&month(run * 5), run, settings.rows, 1_000));
        db.settle(false);
        some.add(runner.refresh(&[]));
        let changed = (0..3).map(|at| db.change(&month(12 + run * 3 + at), run, settings.rows, 33_334));
        many.changed(changed.sum());
        db.settle(false);
        many.add(runner.refresh(&[]));
        for step in [&noop, &some, &many] {
            say(&format!("run {}: {} {}", run + 1, step.name, duration(*step.seconds().last().unwrap())));
        }
    }
    for _ in 0..settings.runs {
        db.settle(false);
        complete.add(runner.refresh(&["--full"]));
    }
    report.asin_rows = db.one("SELECT COUNT(*) FROM financials_summary_monthly_asin_marketplace");
    report.steps = vec![noop, some, many, complete, first];
    report.status = (0..5).map(|_| runner.run(&["status"]).seconds).collect();
    for ((name, raw, summary), founding) in sample::dashboards().into_iter().zip(times) {
        say(&format!("dashboard: {name}"));
        let mut answer = Vec::new();
        let again = timed(|| answer = db.rows(&raw));
        assert_eq!(answer, db.rows(&summary), "{name}: summaries differ from raw");
        report.dashboards.push((name, vec![founding, again, median(&db.warm(&summary, 9))]));
    }
    finish(&runner, &mut report);
    report
}

/// What the server alone needs, and PostgreSQL's own answer to the problem.
fn baselines(settings: &Settings, ours: &Db, script: &Db, report: &mut Report) {
    for (name, db) in [
        ("the script's first `SELECT … GROUP BY`, founding indexes", script),
        ("the same `SELECT`, with dashagg's covering index", ours),
    ] {
        say(name);
        // Summed on the server: neither the wire nor the client's memory is in the figure.
        let sql = format!("SELECT COUNT(*), SUM(amount), SUM(row_count) FROM ({}) t", sample::group_by());
        report.baselines.push((name.to_owned(), median(&seconds(settings.runs, || drop(db.rows(&sql))))));
    }
    if settings.matviews && script.kind == Kind::Postgres {
        say("materialized views");
        script.matviews();
        let views = ["mv_asin", "mv_brand", "mv_category"];
        for (name, how) in [
            ("`REFRESH MATERIALIZED VIEW`", ""),
            ("`REFRESH MATERIALIZED VIEW CONCURRENTLY`", "CONCURRENTLY "),
        ] {
            script.settle(false);
            let time = timed(|| {
                let mut client = script.client();
                for view in views {
                    client.exec(&format!("REFRESH MATERIALIZED VIEW {how}{view}"));
                }
            });
            report.baselines.push((format!("{name}, three views (once)"), time));
        }
        script.exec("DROP MATERIALIZED VIEW mv_category, mv_brand, mv_asin");
    }
}

/// What a dashboard sees meanwhile.
fn readers(settings: &Settings, runner: &Runner, ours: &Db, script: &Db, report: &mut Report) {
    let mut reading = Reading::default();
    for run in 0..settings.runs {
        say("reader during a complete refresh");
        for at in 0..3 {
            ours.change(&month(run * 3 + at), run + 100, settings.rows, 33_333);
        }
        reading.merge(Reading::during(ours, || {
            runner.refresh(&["--full"]);
        }));
    }
    report.readers.push(("`dashagg refresh --full`".to_owned(), reading));
    say("reader during the script");
    let during_script = Reading::during(script, || script.founding_script());
    report.readers.push(("the script, statement by statement (once)".to_owned(), during_script));
}

/// A bulk load into the tracked source and into one like it without triggers.
fn load(settings: &Settings, site: &Site, runner: &Runner, ours: &Db, script: &Db, report: &mut Report) {
    let (from, count) = (settings.rows, settings.load());
    say("bulk load: preparing");
    script.same_source_indexes(ours);
    for db in [ours, script] {
        db.exec("CREATE TABLE bench_load AS SELECT * FROM financials WHERE 1 = 0");
        site.fill(db, "bench_load", from, from + count);
        db.settle(true);
    }
    let costs = &mut report.costs;
    costs.load_rows = count;
    for run in 0..settings.runs {
        for (db, times) in [(script, &mut costs.plain), (ours, &mut costs.tracked)] {
            db.settle(false);
            times.push(timed(|| db.exec("INSERT INTO financials SELECT * FROM bench_load ORDER BY id")));
            say(&format!("run {}: load into {} {}", run + 1, db.name, duration(*times.last().unwrap())));
        }
        ours.settle(false);
        costs.after_load.push(runner.refresh(&[]).seconds);
        for db in [ours, script] {
            db.exec(&format!("DELETE FROM financials WHERE id > {from}"));
            db.settle(true);
        }
        costs.after_delete.push(runner.refresh(&[]).seconds);
    }
}

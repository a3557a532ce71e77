//! `cargo bench --bench dashboards`: the bundled PostgreSQL dashboards on raw rows and on their views.
//!
//! BENCHMARKS.md says what it measures. `DASHAGG_BENCH_RECORDS` is the number of rows of a set's main tables.
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

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "refresh/server.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::time::Instant;

use common::{Client, Dashagg, Kind};
use server::{Server, Servers};

const SETS: [&str; 4] = ["manufacturing", "budget", "school", "crm"];
const RUNS: usize = 5;

pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Progress goes to stderr, so that stdout is what BENCHMARKS.md takes.
pub fn say(line: &str) {
    eprintln!("bench: {line}");
}

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|arg| arg == "--bench") {
        eprintln!("nothing measured: use `cargo bench --bench dashboards`");
        return;
    }
    let records: u64 = text("DASHAGG_BENCH_RECORDS")
        .map_or(500_000, |value| value.replace('_', "").parse().expect("DASHAGG_BENCH_RECORDS is a number"));
    let servers = Servers::new();
    let server = servers.start(Kind::Postgres);
    println!(
        "| set, {records} records | dashboard query | on raw rows | on summaries | ratio |\n|---|---|---|---|---|"
    );
    let mut refreshes = String::from(
        "\n| set | first build | nothing changed | 1 % of the rows of a source changed | `--full` |\n|---|---|---|---|---|\n",
    );
    for set in SETS {
        refreshes += &measure(&server, set, records);
    }
    println!("{refreshes}");
}

fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(set)
}

fn read(set: &str, file: &str) -> String {
    let path = folder(set).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn timed(what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Milliseconds of a query on an open connection, the first run not counted; the median.
fn query(client: &mut Client, sql: &str) -> f64 {
    client.rows(sql);
    median((0..RUNS).map(|_| timed(|| drop(client.rows(sql)))).collect())
}

/// A change that each set's own application makes.
fn change(set: &str, run: usize) -> String {
    let some = format!("id % 100 = {run}");
    match set {
        "manufacturing" => format!(
            "UPDATE work_orders SET output_qty = output_qty WHERE {some}; UPDATE quality_inspections SET result = result WHERE {some}"
        ),
        "budget" => format!(
            "UPDATE efir_budget.operating_cost_plans SET amount_sar = amount_sar + 1 WHERE abs(hashtext(id::text)) % 100 = {run}"
        ),
        "school" => format!("DELETE FROM attendance WHERE {some}"),
        _ => format!("UPDATE orders SET total = total + 1 WHERE {some}"),
    }
}

fn measure(server: &Server, set: &str, records: u64) -> String {
    let name = format!("bench_{set}");
    server.admin().unwrap().exec(&format!("CREATE DATABASE {name}"));
    let url = server.url(&name);
    let mut client = Client::connect(Kind::Postgres, &url);
    say(&format!("{set}: filling"));
    client.exec(&read(set, "sample/postgres.sql"));
    client.exec(&read(set, "sample/fill.sql").replace("{rows}", &records.to_string()));
    client.exec("VACUUM ANALYZE");
    let cwd = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        timed(|| {
            let out = Dashagg::new(cwd.path()).args(args).env("DASHAGG_DATABASE_URL", &url).run();
            assert!(out.code == 0, "dashagg {args:?}: {out:?}");
        })
    };
    // What the dashboards asked before there were views, with the application's own indexes.
    let mut raws: Vec<(String, f64)> = Vec::new();
    let mut files: Vec<String> = std::fs::read_dir(folder(set).join("dashboards"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".raw.sql").map(str::to_owned))
        .collect();
    files.sort();
    for file in &files {
        say(&format!("{set}: {file} on raw"));
        raws.push((file.clone(), query(&mut client, &read(set, &format!("dashboards/{file}.raw.sql")))));
    }
    say(&format!("{set}: create and refresh"));
    run(&["create", set]);
    let first = run(&["refresh", set]);
    client.exec("ANALYZE");
    let (mut raw_sum, mut view_sum) = (0.0, 0.0);
    for (file, raw) in &raws {
        let sql = read(set, &format!("dashboards/{file}.summary.sql"));
        let (a, b) = (client.rows(&read(set, &format!("dashboards/{file}.raw.sql"))), client.rows(&sql));
        assert_eq!(a, b, "{set}: {file} differs");
        let view = query(&mut client, &sql);
        raw_sum += raw;
        view_sum += view;
        println!("| {set} | {file} | {raw:.1} ms | {view:.2} ms | {:.0}× |", raw / view);
    }
    println!(
        "| {set} | **all** | **{raw_sum:.1} ms** | **{view_sum:.2} ms** | **{:.0}×** |",
        raw_sum / view_sum
    );
    let quiet = median((0..RUNS).map(|_| run(&["refresh", set])).collect());
    let changed = median(
        (0..3)
            .map(|n| {
                client.exec(&change(set, n));
                run(&["refresh", set])
            })
            .collect(),
    );
    let full = median((0..3).map(|_| run(&["refresh", set, "--full"])).collect());
    let mut lines = format!("| {set} | {first:.0} ms | {quiet:.0} ms | {changed:.0} ms | {full:.0} ms |\n");
    if set == "crm" {
        for (one, what) in [
            ("crm.mv_daily_metrics", "as a materialized view"),
            ("crm.daily_metrics_table", "as a table by day"),
        ] {
            let few = median(
                (0..3)
                    .map(|n| {
                        client.exec(&format!(
                            "UPDATE orders SET total = total + 1 WHERE id IN (SELECT id FROM orders WHERE \
                             created_at > now() - INTERVAL '3 days' AND deleted_at IS NULL ORDER BY id LIMIT 50 OFFSET {})",
                            n * 50
                        ));
                        let time = run(&["refresh", one]);
                        run(&["refresh", set]);
                        time
                    })
                    .collect(),
            );
            lines += &format!("| {one}, {what}: 50 recent orders changed | | | {few:.0} ms | |\n");
        }
    }
    assert_eq!(
        Dashagg::new(cwd.path()).args(["verify", set]).env("DASHAGG_DATABASE_URL", &url).run().code,
        0,
        "{set}"
    );
    drop(client);
    server.admin().unwrap().exec(&format!("DROP DATABASE {name} WITH (FORCE)"));
    lines
}

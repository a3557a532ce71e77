//! `dashagg demo`, without the verbs that it runs in between: a deterministic sample, and what summaries of it buy: the
//! dashboard queries on raw rows and on summaries, side by side.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use comfy_table::{Table, presets};

use crate::catalog::files;
use crate::catalog::lexer;
use crate::cli::DemoArgs;
use crate::engine::Engine;
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;
use crate::report;
use crate::session::Context;
use crate::words;

/// The set that the sample belongs to.
pub const SET: &str = "financials";
/// Marks a database as the demo's own.
const ORIGIN: &str = "demo";
/// Rows of one INSERT: long enough to be fast, short enough to show progress.
const BATCH: u64 = 250_000;

/// Connects to a database that holds the sample, making that first where it does not.
///
/// # Errors
/// A database with tables that are not the demo's own is left alone (exit code 2).
pub async fn sample(context: &Context, args: &DemoArgs, quiet: bool) -> Result<Box<dyn Engine>> {
    let mut engine = context.connect().await?;
    let say = |line: String| {
        if !quiet {
            context.progress.suspend(|| eprintln!("{}", words::safe::escaped(&line)));
        }
    };
    let ready = is_ready(context, engine.as_mut(), args).await?;
    say(format!(
        "sample of {} rows in {} ({})",
        words::thousands(args.rows),
        context.config.database.display(),
        engine.server().product
    ));
    if !ready {
        let start = Instant::now();
        make(context, engine.as_mut(), args).await?;
        say(format!("sample made in {}", words::duration_in_words(start.elapsed().as_secs_f64())));
    }
    Ok(engine)
}

/// Times the dashboard queries on raw rows and on summaries, and prints what that buys.
///
/// # Errors
/// Rows on summaries that are not those on raw (exit code 4); whatever the server says.
pub async fn compare(engine: &mut dyn Engine, json: bool, out: &mut dyn Write) -> Result<()> {
    let timings = dashboards(engine).await?;
    print_timings(&timings, json, out)
}

/// What the ledger calls the origin of the set when the sample is complete.
fn mark(args: &DemoArgs) -> String {
    format!("{ORIGIN} {} {}", args.rows, args.seed)
}

/// Whether the database already holds this very sample. Another sample is cleared away; anything else is refused.
async fn is_ready(context: &Context, engine: &mut dyn Engine, args: &DemoArgs) -> Result<bool> {
    let tables: u64 = engine
        .scalar(engine.dialect().table_count_sql().as_str())
        .await?
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    if tables > 0 {
        let origin = origin(engine).await?;
        if origin.as_deref() == Some(mark(args).as_str()) {
            return Ok(true);
        }
        if !origin.is_some_and(|origin| origin.starts_with(ORIGIN)) {
            return Err(Failure::usage(format!(
                "{} holds tables that are not the demo's own",
                context.config.database.display()
            ))
            .hint("give it an empty database (-D), or another file (--file)")
            .into());
        }
        clear(engine).await?;
    }
    Ok(false)
}

/// Makes the sample in a database that is empty.
async fn make(context: &Context, engine: &mut dyn Engine, args: &DemoArgs) -> Result<()> {
    if let Some(note) = engine.prepare_database().await? {
        tracing::debug!("{note}");
    }
    // The mark comes first: a demo that is stopped half-way must know its own tables again.
    ledger::make(engine).await?;
    ledger::set::register_sample(engine, SET, ORIGIN).await?;
    fill(context, engine, args).await?;
    ledger::set::set_origin(engine, SET, &mark(args)).await
}

async fn origin(engine: &mut dyn Engine) -> Result<Option<String>> {
    if !ledger::exists_or_none(engine).await? {
        return Ok(None);
    }
    ledger::set::origin(engine, SET).await
}

/// Drops every table of a database that is the demo's own.
async fn clear(engine: &mut dyn Engine) -> Result<()> {
    let d = engine.dialect();
    for row in engine.query(&d.tables_like_sql("")).await? {
        if let Some(name) = row.into_iter().next().flatten()
            && !name.starts_with("sqlite_")
        {
            engine.execute(&format!("DROP TABLE IF EXISTS {}", d.quote(&name))).await?;
        }
    }
    Ok(())
}

fn bundled(path: &str) -> Result<String> {
    files::bundled_files()
        .into_iter()
        .find(|(name, _)| name == path)
        .map(|(_, text)| text)
        .with_context(|| format!("{path} is missing from this build"))
}

async fn fill(context: &Context, engine: &mut dyn Engine, args: &DemoArgs) -> Result<()> {
    let d = engine.dialect();
    let rules = d.lex_rules();
    for sql in lexer::statements(&bundled(&format!("{SET}/sample/{}.sql", d.name()))?, rules) {
        engine.execute(&sql).await.with_context(|| format!("making the sample's tables: {sql}"))?;
    }
    let asins = (args.rows / 5_000).clamp(10, 2_000).to_string();
    let seed = (args.seed % 1_000_001).to_string();
    let dimensions =
        bundled(&format!("{SET}/sample/dimensions.sql"))?.replace("{asins}", &asins).replace("{seed}", &seed);
    for sql in lexer::statements(&dimensions, rules) {
        engine.execute(&sql).await.context("filling the sample's dimensions")?;
    }
    let fill = bundled(&format!("{SET}/sample/fill.sql"))?;
    context.progress.start("making the sample", args.rows.div_ceil(BATCH));
    let mut low = 0;
    while low < args.rows {
        context.interrupt.check()?;
        let high = (low + BATCH).min(args.rows);
        let batch = fill
            .replace("{lo}", &low.to_string())
            .replace("{hi}", &high.to_string())
            .replace("{alo}", &(low / 10_000).to_string())
            .replace("{ahi}", &((high - 1) / 10_000).to_string())
            .replace("{asins}", &asins)
            .replace("{seed}", &seed);
        for sql in lexer::statements(&batch, rules) {
            engine.execute(&sql).await.context("filling the sample")?;
        }
        context.progress.step(1);
        low = high;
    }
    context.progress.finish("sample made");
    for table in ["financials", "products", "brands", "categories"] {
        if let Some(sql) = d.analyze_first(table) {
            engine.execute(&sql).await?;
        }
    }
    Ok(())
}

/// One dashboard query, timed on raw rows and on summaries.
#[derive(Debug, serde::Serialize)]
struct Timing {
    query: String,
    rows: usize,
    raw_seconds: f64,
    summary_seconds: f64,
    equal: bool,
}

async fn dashboards(engine: &mut dyn Engine) -> Result<Vec<Timing>> {
    let mut timings = Vec::new();
    let prefix = format!("{SET}/dashboards/");
    let mut raw_files: Vec<String> = files::bundled_files()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(&prefix) && path.ends_with(".raw.sql"))
        .collect();
    raw_files.sort();
    for raw_file in raw_files {
        let (raw_rows, raw) = timed(engine, &bundled(&raw_file)?).await?;
        let summary_file = raw_file.replace(".raw.sql", ".summary.sql");
        let (rows, summary) = timed(engine, &bundled(&summary_file)?).await?;
        timings.push(Timing {
            query: raw_file
                .trim_start_matches(&prefix)
                .trim_end_matches(".raw.sql")
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '_')
                .replace('_', " "),
            rows: rows.len(),
            raw_seconds: raw.as_secs_f64(),
            summary_seconds: summary.as_secs_f64(),
            equal: rows == raw_rows,
        });
    }
    Ok(timings)
}

/// The best of three runs: both sides get a warm cache.
async fn timed(engine: &mut dyn Engine, sql: &str) -> Result<(Vec<crate::engine::Row>, Duration)> {
    let mut best = Duration::MAX;
    let mut rows = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        rows = engine.query(sql).await?;
        best = best.min(start.elapsed());
    }
    Ok((rows, best))
}

fn print_timings(timings: &[Timing], json: bool, out: &mut dyn Write) -> Result<()> {
    if json {
        let object = serde_json::json!({ "schema": report::SCHEMA, "dashboards": timings });
        writeln!(out, "{object}")?;
    } else {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["dashboard query", "rows", "on raw", "on summary", "faster"]);
        for timing in timings {
            table.add_row([
                timing.query.clone(),
                timing.rows.to_string(),
                format!("{:.1} ms", timing.raw_seconds * 1000.0),
                format!("{:.2} ms", timing.summary_seconds * 1000.0),
                format!("{:.0}×", timing.raw_seconds / timing.summary_seconds.max(1e-9)),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    if let Some(wrong) = timings.iter().find(|timing| !timing.equal) {
        return Err(Failure::new(
            ExitCode::Differs,
            format!("the {} query gives other rows on summaries than on raw", wrong.query),
        )
        .into());
    }
    Ok(())
}

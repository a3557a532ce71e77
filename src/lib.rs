//! dashagg keeps summary tables beside raw tables: always right, and cheap to keep right.
//!
//! Rooms point down: a room names only rooms of lines below its own. `tests/house.rs` has the same list, and reads every
//! path of every file.
//!
//! ```text
//! main  lib                        one command line to its verb, and what is made of several verbs
//! create  cron  demo  drop  init  refresh  status  verify
//!                                  the verbs: none knows another
//! hooks  objects  publish_group    what follows a publish; live views and grants; what publishes together
//! claims  reconcile  tracking      what the manifest claims; totals that must agree; what changed in the sources
//! inspect                          tables as they are
//! lasting  plan  session           scratch tables that last; what is to be done (pure); connections and locks
//! ledger                           what dashagg remembers in the database
//! catalog  interrupt               the manifest and its sets; signals
//! engine                           the only room that knows a database
//! config  progress  report         the settings; what is said to people and programs
//! error  words                     failures, and the words for numbers and times
//! checksum  cli  exit_code  pause  read  renamed  schedule  sql_text  terminal
//!                                  what stands on nothing
//! ```

#[cfg(not(unix))]
compile_error!("dashagg handles signals and file locks the Unix way");

pub mod catalog;
pub mod checksum;
mod claims;
pub mod cli;
pub mod config;
pub mod create;
pub mod cron;
pub mod demo;
pub mod drop;
pub mod engine;
pub mod error;
pub mod exit_code;
pub mod hooks;
pub mod init;
pub mod inspect;
pub mod interrupt;
mod lasting;
pub mod ledger;
mod objects;
mod pause;
pub mod plan;
pub mod progress;
mod publish_group;
pub mod read;
mod reconcile;
pub mod refresh;
pub mod renamed;
pub mod report;
pub mod schedule;
pub mod session;
pub mod sql_text;
pub mod status;
pub mod terminal;
pub mod tracking;
pub mod verify;
pub mod words;

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;

use catalog::Catalog;
use cli::{
    Cli, Command, CreateArgs, CronArgs, DemoArgs, GlobalArgs, InitArgs, RefreshArgs, StatusArgs, VerifyArgs,
};
use config::{Config, Inputs};
use engine::Engine;
use error::Failure;
use exit_code::ExitCode;
use interrupt::Interrupt;
use progress::Progress;
use report::Report;
use session::{Context, Driver};
use words::safe::{self, Safe};

/// The one place that chooses between databases.
///
/// # Errors
/// A scheme that is none of the three (exit code 2).
pub fn driver(scheme: &str) -> Result<Driver, Failure> {
    use engine::{mysql, postgres, sqlite};
    macro_rules! driver {
        ($dialect:expr, $engine:ty) => {
            Driver {
                dialect: &$dialect,
                connect: |target| {
                    Box::pin(async move {
                        let engine = <$engine>::connect(target).await?;
                        Ok(Box::new(engine) as Box<dyn Engine>)
                    })
                },
            }
        };
    }
    match scheme {
        "mysql" => Ok(driver!(mysql::MYSQL, mysql::Mysql)),
        "postgres" => Ok(driver!(postgres::POSTGRES, postgres::Postgres)),
        "sqlite" => Ok(driver!(sqlite::SQLITE, sqlite::Sqlite)),
        other => Err(Failure::usage(format!("no engine for {other}://"))),
    }
}

/// Runs one command line to its exit code. Errors are printed here, once, on stderr.
pub async fn run(cli: Cli) -> ExitCode {
    let json = cli.global.json;
    match dispatch(cli).await {
        Ok(code) => code,
        Err(error) => {
            // A closed pipe (`dashagg status | head`) is the reader's choice.
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
                return ExitCode::Ok;
            }
            let (code, message, hint) = Failure::of(&error);
            let _ = report::write_error(json, code, &message, hint.as_deref(), &mut io::stderr());
            code
        }
    }
}

/// A message of the command line's parser as the JSON of the contract; returns exit code 2.
pub fn usage_as_json(text: &str) -> ExitCode {
    // The first paragraph says what is wrong, the others how to do it right.
    let first = text.split("\n\n").next().unwrap_or(text).trim_start_matches("error: ");
    let hint = Some("`dashagg --help` and `dashagg VERB --help` show what is known");
    let _ = report::write_error(true, ExitCode::Usage, &error::one_line(first), hint, &mut io::stderr());
    ExitCode::Usage
}

/// The same message as text; returns exit code 2.
pub fn usage_as_text(error: &clap::Error) -> ExitCode {
    let colour = io::IsTerminal::is_terminal(&io::stderr()) && terminal::colour_allowed();
    let text = if colour { error.render().ansi().to_string() } else { error.to_string() };
    let _ = write!(Safe::new(io::stderr(), false).with_colour(colour), "{text}");
    ExitCode::Usage
}

/// One command line to its verb. Verbs do not know each other: what is made of several is put together here.
async fn dispatch(cli: Cli) -> Result<ExitCode> {
    let global = cli.global.with_environment();
    // SQL and crontabs go to other programs as they are; everything else is for reading.
    let script = match &cli.command {
        Command::Create(args) => args.dry_run,
        Command::Drop(args) => args.dry_run,
        Command::Cron(_) => true,
        _ => false,
    };
    let out = &mut Safe::stdout(global.json, script);
    let ready = || set_up(&global, None);
    match cli.command {
        Command::Init(args) => init(&args, &global, out),
        Command::Demo(args) => demo(&args, &global, out).await,
        Command::Create(args) => {
            let (context, catalog) = ready()?;
            let (report, code) = create::run(&context, &catalog, &args).await?;
            if !global.quiet || args.dry_run || code != ExitCode::Ok {
                report.print(global.json, args.dry_run, out)?;
            }
            Ok(code)
        }
        Command::Refresh(args) => {
            let (context, catalog) = ready()?;
            if args.dry_run {
                return refresh::dry_run::run(&context, &catalog, &args, global.json, out).await;
            }
            if args.watch {
                return refresh::watch::run(&context, &catalog, &args).await;
            }
            let (request, spare) = refresh::Request::new(&context, &catalog, &args).await?;
            finish(refresh::run(&context, &request, spare).await?, &global, out)
        }
        Command::Status(args) => {
            let (context, catalog) = ready()?;
            finish(status::run(&context, &catalog, &args).await?, &global, out)
        }
        Command::Verify(args) => {
            let (context, catalog) = ready()?;
            finish(verify::run(&context, &catalog, &args).await?, &global, out)
        }
        Command::Drop(args) => {
            let (context, catalog) = ready()?;
            drop::run(&context, &catalog, &args, out).await
        }
        Command::Cron(args) => cron(&args, &global, out).await,
    }
}

/// The end of a verb that has a report: shown, unless all is well and nobody wants to hear of it.
fn finish(
    (report, code): (impl Report, ExitCode),
    global: &GlobalArgs,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    if !global.quiet || code != ExitCode::Ok {
        show(&report, global, out)?;
    }
    Ok(code)
}

fn init(args: &InitArgs, global: &GlobalArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let written = init::run(&args.dir)?;
    if !global.quiet {
        for path in written {
            writeln!(out, "{}", args.dir.join(path).display())?;
        }
    }
    Ok(ExitCode::Ok)
}

/// The crontab, and after an installation the refresh that the new line asks for.
async fn cron(args: &CronArgs, global: &GlobalArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let (context, catalog) = set_up(global, None)?;
    let Some(first) = cron::run(&context, &catalog, &args.action, global, out).await? else {
        return Ok(ExitCode::Ok);
    };
    let (request, spare) = refresh::Request::new(&context, &catalog, &first).await?;
    let tried = refresh::run(&context, &request, spare).await;
    let (report, code) = tried.context("the line is installed, but a first refresh failed")?;
    show(&report, global, out)?;
    Ok(code)
}

/// The sample, then the main job on it, verb by verb, then what that buys. With --quiet it is told only if it fails.
async fn demo(args: &DemoArgs, global: &GlobalArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let (context, _) = set_up(global, Some(config::sqlite_url(&args.file)))?;
    if !global.quiet {
        return demo_shown(&context, args, global, out).await;
    }
    let mut kept = Vec::new();
    let result = demo_shown(&context, args, global, &mut kept).await;
    if !matches!(result, Ok(ExitCode::Ok)) {
        out.write_all(&kept)?;
    }
    result
}

async fn demo_shown(
    context: &Context,
    args: &DemoArgs,
    global: &GlobalArgs,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    // Always the bundled set: the sample's tables are made for it.
    let catalog = Catalog::load(None, context.driver.dialect)?;
    let mut engine = demo::sample(context, args, global.quiet).await?;
    let select = vec![demo::SET.to_owned()];
    let create_args = CreateArgs { select: select.clone(), ..CreateArgs::default() };
    let (created, _) = create::run(context, &catalog, &create_args).await?;
    // The demo is one report on stdout; with --json only the parts that have a contract are printed.
    if !global.json {
        created.print(false, false, out)?;
    }
    let refresh_args = RefreshArgs { select: select.clone(), full: true, ..RefreshArgs::default() };
    let (request, spare) = refresh::Request::new(context, &catalog, &refresh_args).await?;
    let (refreshed, _) = refresh::run(context, &request, spare).await?;
    show(&refreshed, global, out)?;
    let status_args = StatusArgs { select: select.clone(), ..StatusArgs::default() };
    let (status, _) = status::run(context, &catalog, &status_args).await?;
    show(&status, global, out)?;
    let verify_args = VerifyArgs { select, ..VerifyArgs::default() };
    let (verified, code) = verify::run(context, &catalog, &verify_args).await?;
    show(&verified, global, out)?;
    demo::compare(engine.as_mut(), global.json, out).await?;
    Ok(code)
}

/// Configuration, log, signals and sets: what every verb starts from.
fn set_up(global: &GlobalArgs, own_file: Option<String>) -> Result<(Context, Catalog)> {
    config::check_process_env()?;
    let (mut config, warnings) = Config::load(&Inputs {
        config: global.config.clone(),
        database_url: global.database_url.clone().or_else(|| own_file.clone()),
        sql_dir: global.sql_dir.clone(),
        env: &config::process_env,
    })?;
    // `demo` makes its own file, and only that one.
    config.database.create_if_missing = own_file.is_some() && global.database_url.is_none();
    start_log(&config, global);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let driver = driver(&config.database.scheme)?;
    let catalog = Catalog::load(config.sql_dir.as_deref(), driver.dialect)?;
    let context = Context {
        config,
        driver,
        interrupt: Interrupt::listen(global.json)?,
        connected: AtomicBool::new(false),
        progress: Progress::new(global.quiet, global.json),
        quiet: global.quiet,
    };
    Ok((context, catalog))
}

fn start_log(config: &Config, global: &GlobalArgs) {
    let filter = match (global.quiet, global.verbose) {
        (true, _) => "warn".to_owned(),
        // The driver repeats the server's notices, which are about our scratch tables.
        (_, 0) => format!("{},sqlx=error", config.log),
        (_, 1) => "dashagg=debug".to_owned(),
        _ => "dashagg=trace".to_owned(),
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .fmt_fields(debug_fn(safe::log_field).delimited(" "))
        .with_target(false)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()) && terminal::colour_allowed())
        .try_init();
}

fn show(report: &dyn Report, global: &GlobalArgs, out: &mut dyn Write) -> io::Result<()> {
    report::render(report, global.json, terminal::colour_on_stdout(), out)
}

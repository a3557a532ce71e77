//! dashagg keeps summary tables beside raw tables: always right, and cheap to keep right.
//!
//! ```text
//! cli → config ─┐
//!     catalog ──┼→ plan (pure) → create · refresh · verify · status → report → exit code
//!     ledger ───┘                     │                       └ progress (stderr)
//!                                     └ engine (the only place where a database is known)
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

use anyhow::Result;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;

use catalog::Catalog;
use cli::{Cli, Command, GlobalArgs};
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
    if let Command::Init(args) = &cli.command {
        let written = init::run(&args.dir)?;
        if !global.quiet {
            for path in written {
                writeln!(out, "{}", args.dir.join(path).display())?;
            }
        }
        return Ok(ExitCode::Ok);
    }
    let own_file = match &cli.command {
        Command::Demo(args) => Some(config::sqlite_url(&args.file)),
        _ => None,
    };
    let (context, catalog) = set_up(&global, own_file)?;
    match cli.command {
        Command::Create(args) => {
            let (report, code) = create::run(&context, &catalog, &args).await?;
            if !global.quiet || args.dry_run || code != ExitCode::Ok {
                report.print(global.json, args.dry_run, out)?;
            }
            Ok(code)
        }
        Command::Refresh(args) if args.dry_run => {
            refresh::dry_run::run(&context, &catalog, &args, global.json, out).await
        }
        Command::Refresh(args) if args.watch => refresh::watch::run(&context, &catalog, &args).await,
        Command::Refresh(args) => {
            let (request, spare) = refresh::Request::new(&context, &catalog, &args).await?;
            let (report, code) = refresh::run(&context, &request, spare).await?;
            if !global.quiet || code != ExitCode::Ok {
                show(&report, &global, out)?;
            }
            Ok(code)
        }
        Command::Status(args) => {
            let (report, code) = status::run(&context, &catalog, &args).await?;
            if !global.quiet || code != ExitCode::Ok {
                show(&report, &global, out)?;
            }
            Ok(code)
        }
        Command::Verify(args) => {
            let (report, code) = verify::run(&context, &catalog, &args).await?;
            if !global.quiet || code != ExitCode::Ok {
                show(&report, &global, out)?;
            }
            Ok(code)
        }
        Command::Drop(args) => drop::run(&context, &catalog, &args, out).await,
        Command::Cron(args) => cron::run(&context, &catalog, &args.action, &global, out).await,
        Command::Demo(args) => demo::run(context, &args, &global, out).await,
        Command::Init(_) => Ok(ExitCode::Ok),
    }
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
    report::render(report, global.json, crate::terminal::colour_on_stdout(), out)
}

//! The command line: clap types only. Their doc comments are the help text.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, value_parser};

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or nothing to do
  1    failed, nothing published
  2    wrong usage, configuration or manifest
  3    partly done: some sets failed, or a hook did
  4    verify found differences
  5    stale (status --strict)
  6    drift: an applied script was edited or is gone
  11   another run holds the lock
  130  interrupted, rolled back (143: terminated)";

/// Keeps dashboard summary tables next to raw tables: always right, cheap to keep right.
///
/// Data goes to stdout; log lines, progress and errors go to stderr.
/// Bars and colour appear only on a terminal, and no colour if NO_COLOR is set.
#[derive(Debug, Parser)]
#[command(name = "dashagg", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// Options that every verb accepts.
    #[command(flatten)]
    pub global: GlobalArgs,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every verb accepts, before or after it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    // No `env` here and below: clap takes an empty variable for an empty path, and refuses that.
    /// Read the configuration from FILE instead of ./config.toml or /etc/dashagg/config.toml.
    ///
    /// The environment variable DASHAGG_CONFIG does the same.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    // No `env` here: clap would print the variable's value, password included, in the help and in its errors.
    /// Connect to this database: mysql://, mariadb://, postgres:// or sqlite://.
    ///
    /// The environment variables DASHAGG_DATABASE_URL and DATABASE_URL do the same. Leave the password
    /// out: the process list shows it. DASHAGG_PASSWORD, password_file and password_command are safe.
    #[arg(short = 'D', long, global = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Take the sets from the folders in DIR instead of those bundled in the program.
    ///
    /// The environment variable DASHAGG_SQL_DIR does the same.
    #[arg(long, global = true, value_name = "DIR")]
    pub sql_dir: Option<PathBuf>,

    /// Print one JSON object on stdout (and errors as JSON on stderr).
    #[arg(long, global = true)]
    pub json: bool,

    /// Print nothing on success; warnings and errors still appear.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Log more; -vv also logs the SQL that is run.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

impl GlobalArgs {
    /// With DASHAGG_CONFIG and DASHAGG_SQL_DIR where the options are not given; an empty variable counts as unset.
    #[must_use]
    pub fn with_environment(mut self) -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        self.config = self.config.or_else(|| path("DASHAGG_CONFIG"));
        self.sql_dir = self.sql_dir.or_else(|| path("DASHAGG_SQL_DIR"));
        self
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the summary tables, or bring them up to date, by running the versioned SQL scripts.
    ///
    /// Scripts that were applied before are skipped, so a second run does nothing.
    #[command(after_help = "Exit codes: 0 done or nothing to do, 1 failed, 2 usage, 3 partly done, \
        6 an applied script was edited, 11 locked by another run.")]
    Create(CreateArgs),

    /// Bring the summaries up to date with their sources; readers never see a gap.
    ///
    /// What changed is computed in scratch tables, checked, and published in one transaction.
    #[command(
        after_help = "Exit codes: 0 published or already current, 1 failed, nothing published, 2 usage, \
        3 partly done, 6 drift, 11 locked by another run, 130/143 interrupted and rolled back."
    )]
    Refresh(RefreshArgs),

    /// Show size, freshness, last run and state of each summary; needs only SELECT.
    #[command(after_help = "Exit codes: 0 shown, 1 failed, 2 usage, 5 stale (with --strict).")]
    Status(StatusArgs),

    /// Recompute every summary from the raw rows and report each difference; needs only SELECT.
    #[command(after_help = "Exit codes: 0 all equal, 1 failed, 2 usage, 4 differences found.")]
    Verify(VerifyArgs),

    /// Make a sample database, run create, refresh, status and verify on it, and time its dashboard queries.
    ///
    /// With -D the sample goes to that server, into a database that is empty or the demo's own.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage, 4 verify found differences.")]
    Demo(DemoArgs),

    /// Remove a set from the database: its summaries, triggers and ledger rows; never a source.
    #[command(after_help = "Exit codes: 0 dropped, 1 failed (run it again), 2 usage or not confirmed, \
        11 locked by another run.")]
    Drop(DropArgs),

    /// Have cron run `refresh --due` every minute, for all sets with a schedule.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage.")]
    Cron(CronArgs),

    /// Write the bundled sets and an example configuration to a folder, for editing.
    #[command(after_help = "Exit codes: 0 written, 1 failed, 2 usage.")]
    Init(InitArgs),
}

/// Options of `create`.
#[derive(Args, Clone, Debug, Default)]
pub struct CreateArgs {
    /// Sets to create (`financials`); all sets if none is named.
    #[arg(value_name = "SELECT")]
    pub select: Vec<String>,

    /// Print the SQL that would run, and run nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Leave the source tables as they are: add no indexes to them.
    #[arg(long)]
    pub skip_source_indexes: bool,

    /// Wait this long for another run to finish, such as 60s or 5m [default: run.wait of the configuration, 0s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,
}

/// Options of `refresh`.
#[derive(Args, Clone, Debug, Default)]
pub struct RefreshArgs {
    /// Sets (`financials`) or summaries (`financials.brand`) to refresh; all if none is named.
    ///
    /// Name them before --partition, which takes every value that follows it.
    #[arg(value_name = "SELECT")]
    pub select: Vec<String>,

    /// Recompute everything, not only the partitions that changed.
    #[arg(long)]
    pub full: bool,

    /// Recompute these partitions, such as 2025-03-01; may be repeated.
    #[arg(long, value_name = "VALUE", num_args = 1.., conflicts_with_all = ["full", "since"])]
    pub partition: Vec<String>,

    /// Recompute this partition and all later ones, such as 2025-01-01.
    #[arg(long, value_name = "VALUE", conflicts_with = "full")]
    pub since: Option<String>,

    /// Print what would be recomputed, and write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Wait this long for another run to finish, such as 60s or 5m [default: run.wait of the configuration, 0s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,

    /// Compute on at most N connections at once, 1 to 64 [default: run.jobs of the configuration, which chooses].
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,

    /// Refresh only what its schedule (`every` or `at` in the manifest) asks for now; a missed run is made up once.
    #[arg(long, conflicts_with_all = ["full", "partition", "since"])]
    pub due: bool,

    /// Keep running: refresh within a second of each change, until SIGINT or SIGTERM.
    #[arg(long, conflicts_with_all = ["full", "partition", "since", "due", "dry_run"])]
    pub watch: bool,

    /// Publish even if a summary becomes empty or loses more rows than `max_shrink` allows; once only.
    #[arg(long)]
    pub allow_shrink: bool,
}

/// Options of `status`.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusArgs {
    /// Sets (`financials`) or summaries (`financials.brand`) to show; all if none is named.
    #[arg(value_name = "SELECT")]
    pub select: Vec<String>,

    /// Count the rows and measure the size again instead of showing what the last run recorded.
    #[arg(long)]
    pub exact: bool,

    /// Exit with code 5 if any summary shown is stale.
    #[arg(long)]
    pub strict: bool,
}

/// Options of `verify`.
#[derive(Args, Clone, Debug, Default)]
pub struct VerifyArgs {
    /// Sets (`financials`) or summaries (`financials.brand`) to verify; all if none is named.
    ///
    /// Name them before --partition, which takes every value that follows it.
    #[arg(value_name = "SELECT")]
    pub select: Vec<String>,

    /// Verify only these partitions, such as 2025-03-01; may be repeated.
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    pub partition: Vec<String>,

    /// Verify N partitions chosen at random.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..), conflicts_with = "partition")]
    pub sample: Option<u32>,

    /// Compare only the totals of source and tiers, not each row.
    #[arg(long)]
    pub totals: bool,
}

/// Options of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Number of raw rows, 1,000 to 1,000,000,000; underscores are allowed.
    #[arg(long, value_name = "N", default_value = "1_000_000", value_parser = parse_demo_rows)]
    pub rows: u64,

    /// Seed of the sample: the same seed makes the same rows.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// SQLite file to create; not used when -D names a database.
    #[arg(long, value_name = "PATH", default_value = "dashagg-demo.db")]
    pub file: PathBuf,
}

/// Options of `drop`.
#[derive(Args, Clone, Debug)]
pub struct DropArgs {
    /// The set to remove, such as `financials`.
    #[arg(value_name = "SET")]
    pub set: String,

    /// Do not ask.
    #[arg(long)]
    pub yes: bool,

    /// Print the SQL that would run, and run nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Wait this long for another run to finish, such as 60s or 5m [default: run.wait of the configuration, 0s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,
}

/// Options of `cron`.
#[derive(Args, Clone, Debug)]
pub struct CronArgs {
    /// What to do with the crontab.
    #[command(subcommand)]
    pub action: CronAction,
}

/// What to do with the crontab of the current user.
#[derive(Clone, Debug, Subcommand)]
pub enum CronAction {
    /// Check connection and sets, save the crontab, add one line to it, and try one refresh.
    Install(CronInstallArgs),
    /// Print the line that is installed.
    Show,
    /// Take the line out again, and nothing else.
    Remove(CronRemoveArgs),
}

/// Options of `cron install`.
#[derive(Args, Clone, Debug)]
pub struct CronInstallArgs {
    /// File that cron's runs append their warnings and errors to.
    #[arg(long, value_name = "FILE", default_value = "dashagg.log")]
    pub log: PathBuf,

    /// Print the line, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `cron remove`.
#[derive(Args, Clone, Debug)]
pub struct CronRemoveArgs {
    /// Print the crontab as it would become, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `init`.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Folder to write to; created if missing. Files that exist are never overwritten.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

fn parse_demo_rows(text: &str) -> Result<u64, String> {
    let rows: u64 = text.replace('_', "").parse().map_err(|_| "not a whole number".to_owned())?;
    if (1_000..=1_000_000_000).contains(&rows) {
        Ok(rows)
    } else {
        Err("must be between 1000 and 1000000000".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn refresh(args: &[&str]) -> Result<RefreshArgs, clap::Error> {
        let cli = Cli::try_parse_from(["dashagg", "refresh"].iter().chain(args))?;
        match cli.command {
            Command::Refresh(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn selection_before_partitions() {
        let args =
            refresh(&["financials", "--partition", "2025-03-01", "2025-04-01", "--partition", "2025-05-01"])
                .unwrap();
        assert_eq!(args.select, ["financials"]);
        assert_eq!(args.partition, ["2025-03-01", "2025-04-01", "2025-05-01"]);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(refresh(&["--full", "--partition", "2025-03-01"]).is_err());
        assert!(refresh(&["--since", "2025-03-01", "--partition", "2025-03-01"]).is_err());
        assert!(refresh(&["--full", "--since", "2025-03-01"]).is_err());
        assert!(refresh(&["--jobs", "0"]).is_err());
        assert!(refresh(&["--jobs", "65"]).is_err());
        assert!(refresh(&["-q", "-v"]).is_err());
    }

    #[test]
    fn global_options_after_the_verb() {
        let cli = Cli::try_parse_from(["dashagg", "status", "--json", "-D", "sqlite:x.db", "-vv"]).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.database_url.as_deref(), Some("sqlite:x.db"));
        assert_eq!(cli.global.verbose, 2);
    }

    #[test]
    fn demo_rows() {
        assert_eq!(parse_demo_rows("1_000_000"), Ok(1_000_000));
        assert!(parse_demo_rows("999").is_err());
        assert!(parse_demo_rows("1e6").is_err());
    }
}

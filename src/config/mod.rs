//! `config.toml`, the environment and the command line become one [`Config`].
//!
//! Which database: `-D`, then `DASHAGG_DATABASE_URL`, `DATABASE_URL`, the file's `url`.
//! Which password: `DASHAGG_PASSWORD` or `DASHAGG_PASSWORD_FILE`, then one inside a URL from `-D` or the environment,
//! then the file's `password`, `password_file` or `password_command`, then one inside the file's `url`.
//! A password in the file belongs to the file's database, so an explicit URL with its own must win over it.

mod env;
mod file;
pub mod hooks;
mod secret;
mod span;
mod tls;
mod trust;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

pub use self::env::{check_process_env, process_env, secret_variables};
use self::file::File;
pub use self::secret::Secret;
use self::secret::non_empty;
pub use self::tls::TlsMode;
use self::url::DatabaseUrl;
pub use self::url::sqlite_url;
use crate::error::Failure;

/// What configuration is loaded from, besides the files it finds.
pub struct Inputs<'a> {
    /// `--config`; must exist if given.
    pub config: Option<PathBuf>,
    /// `--database-url`. `demo` passes the URL of its own file here ([`sqlite_url`]).
    pub database_url: Option<String>,
    /// `--sql-dir`.
    pub sql_dir: Option<PathBuf>,
    /// Looks up an environment variable; [`process_env`] outside tests. An empty value counts as unset.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Everything a run needs to know before it connects.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// The database to connect to.
    pub database: DatabaseTarget,
    /// That database is named in `file`, not by `-D` or the environment.
    pub database_from_file: bool,
    /// Folder of the sets; `None` means those bundled in the binary.
    pub sql_dir: Option<PathBuf>,
    /// How runs behave.
    pub run: RunConfig,
    /// What happens after a publish that changed something.
    pub hooks: Vec<hooks::Hook>,
    /// Log filter, `info` or `dashagg=debug`: valid for tracing's `EnvFilter`.
    pub log: String,
}

/// How runs behave.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    /// Connections that compute at once, 1 to 64; `None` means that dashagg chooses.
    pub jobs: Option<u16>,
    /// How long to wait for another run; zero means not at all.
    pub wait: Duration,
    /// How often a transient error (deadlock, lost connection) is retried.
    pub retries: u32,
    /// How long a run that was connected before tries to connect again; zero means once.
    pub reconnect: Duration,
    /// Share of its rows, 0 to 1, that a summary may lose in one refresh.
    pub max_shrink: f64,
}

/// Where to connect and how. `Debug` shows no secrets.
#[derive(Clone)]
pub struct DatabaseTarget {
    /// `mysql` (also for MariaDB), `postgres` or `sqlite`.
    pub scheme: String,
    /// The password, wherever it came from; always `None` for SQLite.
    pub password: Option<Secret>,
    /// Encryption and trust.
    pub tls: TlsMode,
    /// PEM file of the authorities to trust; `None` means the bundled roots.
    pub tls_ca: Option<PathBuf>,
    /// PEM file of the client certificate; given together with `tls_key`.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the client certificate's key.
    pub tls_key: Option<PathBuf>,
    /// Limit for one attempt to connect; never zero.
    pub connect_timeout: Duration,
    /// Server-side limit for one statement; zero means none.
    pub statement_timeout: Duration,
    /// Limit for waiting on one lock in the database; never zero.
    pub lock_timeout: Duration,
    /// How long a server that nothing reaches may stay silent before a connection to it counts as lost; never zero.
    pub network_timeout: Duration,
    /// SQLite only: whether connecting may create the file. Always false after loading, because a mistyped path
    /// must be an error; `demo` sets it for its own file.
    pub create_if_missing: bool,
    url_without_password: String,
    display: String,
    sqlite_path: Option<PathBuf>,
}

impl DatabaseTarget {
    /// The URL for the driver: normalised scheme, other parameters kept, password and TLS parameters taken out
    /// (the fields are the only truth about those).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url_without_password
    }

    /// `scheme://user@host:port/db` for people: no password, no parameters.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The database file; `None` unless the scheme is `sqlite`.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.sqlite_path.as_deref()
    }
}

impl fmt::Debug for DatabaseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseTarget")
            .field("url", &self.display)
            .field("password", &self.password)
            .field("tls", &self.tls)
            .field("tls_ca", &self.tls_ca)
            .field("tls_cert", &self.tls_cert)
            .field("tls_key", &self.tls_key)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("network_timeout", &self.network_timeout)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Finds the file, merges all sources and fetches the password; returns warnings for the log beside it.
    ///
    /// # Errors
    /// A usage [`Failure`] with a hint: file unreadable or wrong, no database named, two passwords at one level,
    /// a value out of range. Never quotes a secret.
    pub fn load(inputs: &Inputs<'_>) -> Result<(Self, Vec<String>)> {
        let env = |name: &str| (inputs.env)(name).filter(|value| !value.is_empty());
        let mut warnings = Vec::new();
        let named = inputs.config.clone().or_else(|| env("DASHAGG_CONFIG").map(PathBuf::from));
        let found = trust::find(named, &mut warnings)?;
        let file = match &found {
            Some(found) => {
                let file = file::parse(&found.text, &found.path)?;
                found.judge(&file, &mut warnings)?;
                file
            }
            None => File::default(),
        };
        let path = found.map(|found| found.path);
        // Under cron the working directory is not where the file is, so its paths count from its own folder.
        let folder = path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));

        let file_url =
            non_empty(file.database.url.as_ref()).map(|url| DatabaseUrl::parse(url.expose())).transpose()?;
        if let Some(path) = &path {
            let holds_password = non_empty(file.database.password.as_ref()).is_some()
                || file_url.as_ref().is_some_and(|url| url.password.is_some());
            if holds_password && secret::others_can_read(path) {
                warnings.push(format!(
                    "{0} holds a password and other users can read it: run `chmod 600 {0}`",
                    path.display()
                ));
            }
        }

        let given = match inputs.database_url.as_deref() {
            Some(text) => Some((DatabaseUrl::parse(text)?, true)),
            None => env("DASHAGG_DATABASE_URL")
                .or_else(|| env("DATABASE_URL"))
                .map(|text| DatabaseUrl::parse(&text))
                .transpose()?
                .map(|url| (url, false)),
        };
        if let Some((DatabaseUrl { password: Some(_), .. }, true)) = &given {
            warnings.push(
                "the password in -D is visible in the process list; use DASHAGG_PASSWORD, password_file or password_command"
                    .to_owned(),
            );
        }
        let (url, url_from_file) = match (given, file_url) {
            (Some((url, _)), _) => (url, false),
            (None, Some(url)) => (url.relative_to(folder), true),
            (None, None) => return Err(no_database(&warnings).into()),
        };

        let run = run_config(&file, &env)?;
        let log = env("DASHAGG_LOG").unwrap_or_else(|| file.log.level.clone());
        if tracing_subscriber::EnvFilter::try_new(&log).is_err() {
            return Err(Failure::usage(format!("{log:?} is not a log level"))
                .hint("set log.level or DASHAGG_LOG to error, warn, info, debug or trace")
                .into());
        }
        let sql_dir = inputs
            .sql_dir
            .clone()
            .or_else(|| env("DASHAGG_SQL_DIR").map(PathBuf::from))
            .or_else(|| file.run.sql_dir.as_ref().map(|dir| folder.join(dir)));
        warnings.extend(sql_dir.as_deref().and_then(trust::doubt_sets));
        let database = database_target(&file, folder, &env, url, url_from_file, &mut warnings)?;
        let hooks = file
            .hooks
            .into_iter()
            .enumerate()
            .map(|(at, hook)| hooks::Hook::read(at, hook))
            .collect::<Result<_, _>>()?;
        if let Some(path) = database.sqlite_path() {
            refuse_special(path)?;
        }
        let database_from_file = url_from_file;
        Ok((Self { file: path, database, database_from_file, sql_dir, run, hooks, log }, warnings))
    }
}

/// SQLite would wait for the other end of a FIFO, and write to a device.
fn refuse_special(path: &Path) -> Result<(), Failure> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() && !meta.is_dir() => Err(Failure::usage(format!(
            "the database {} is {}, not a file",
            path.display(),
            crate::read::kind(meta.file_type())
        ))
        .hint("correct the path in the URL")),
        _ => Ok(()),
    }
}

/// The warnings go with it: the file that names the database may be the one that was passed over.
fn no_database(warnings: &[String]) -> Failure {
    let message: String = warnings.iter().map(|warning| format!("; {warning}")).collect();
    Failure::usage(format!("no database is named{message}")).hint(
        "give -D URL, set DASHAGG_DATABASE_URL, or write url under [database] in config.toml; \
         to look around without a database, run `dashagg demo`",
    )
}

fn run_config(file: &File, env: &dyn Fn(&str) -> Option<String>) -> Result<RunConfig, Failure> {
    let jobs = match env("DASHAGG_JOBS") {
        Some(text) => text.parse().map_err(|_| {
            Failure::usage(format!("DASHAGG_JOBS is {text:?}, not a whole number"))
                .hint("use 0 to 64; 0 chooses")
        })?,
        None => file.run.jobs,
    };
    if jobs > 64 {
        return Err(Failure::usage(format!("run.jobs is {jobs}")).hint("use 0 to 64; 0 chooses"));
    }
    if !(0.0..=1.0).contains(&file.run.max_shrink) {
        return Err(Failure::usage(format!("run.max_shrink is {}", file.run.max_shrink))
            .hint("use a share from 0.0 to 1.0"));
    }
    if file.run.retries > 100 {
        return Err(Failure::usage(format!("run.retries is {}", file.run.retries)).hint("use 0 to 100"));
    }
    Ok(RunConfig {
        jobs: (jobs > 0).then_some(jobs),
        wait: file.run.wait.0,
        retries: file.run.retries,
        reconnect: file.run.reconnect.0,
        max_shrink: file.run.max_shrink,
    })
}

fn database_target(
    file: &File,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    url: DatabaseUrl,
    url_from_file: bool,
    warnings: &mut Vec<String>,
) -> Result<DatabaseTarget, Failure> {
    let db = &file.database;
    let spans = [
        ("connect_timeout", db.connect_timeout),
        ("lock_timeout", db.lock_timeout),
        ("network_timeout", db.network_timeout),
    ];
    for (key, span) in spans {
        if span.0.is_zero() {
            return Err(
                Failure::usage(format!("database.{key} is zero")).hint("use a duration such as \"5s\"")
            );
        }
    }
    let password = match url.scheme.as_str() {
        "sqlite" => None,
        _ => secret::find(db, folder, env, (url.password, url_from_file), warnings)?,
    };

    let in_folder = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
    let tls_ca = env("DASHAGG_TLS_CA").map(PathBuf::from).or(url.tls_ca).or_else(|| in_folder(&db.tls_ca));
    let named = match env("DASHAGG_TLS") {
        Some(word) => Some(TlsMode::from_driver_word(&word).ok_or_else(|| {
            Failure::usage(format!("DASHAGG_TLS is {word:?}"))
                .hint("use disable, prefer, require, verify-ca or verify-full")
        })?),
        None => url.tls.or(db.tls),
    };
    // Who names an authority wants it checked; falling back to `prefer` would silently trust anyone.
    let tls = named.unwrap_or(if tls_ca.is_some() { TlsMode::VerifyFull } else { TlsMode::Prefer });
    // A URL's client certificate comes as a pair, so it must not be mixed with the file's.
    let (tls_cert, tls_key) = if url.tls_cert.is_some() || url.tls_key.is_some() {
        (url.tls_cert, url.tls_key)
    } else {
        (in_folder(&db.tls_cert), in_folder(&db.tls_key))
    };
    if url.scheme != "sqlite" {
        if tls_cert.is_some() != tls_key.is_some() {
            return Err(Failure::usage("only one of tls_cert and tls_key is given")
                .hint("a client certificate needs both"));
        }
        for (key, path) in [("tls_ca", &tls_ca), ("tls_cert", &tls_cert), ("tls_key", &tls_key)] {
            if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
                let what = match std::fs::metadata(path) {
                    Ok(meta) => format!("is {}", crate::read::kind(meta.file_type())),
                    Err(_) => "does not exist".to_owned(),
                };
                return Err(Failure::usage(format!("{key}: the file {} {what}", path.display()))
                    .hint("name a PEM file"));
            }
        }
        if tls_ca.is_some() && !tls.verifies() {
            warnings.push(format!(
                "tls = \"{tls}\" does not check the certificate, so tls_ca has no effect; use verify-full"
            ));
        }
    }

    Ok(DatabaseTarget {
        scheme: url.scheme,
        password,
        tls,
        tls_ca,
        tls_cert,
        tls_key,
        connect_timeout: db.connect_timeout.0,
        statement_timeout: db.statement_timeout.0,
        lock_timeout: db.lock_timeout.0,
        network_timeout: db.network_timeout.0,
        create_if_missing: false,
        url_without_password: url.text,
        display: url.display,
        sqlite_path: url.path,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

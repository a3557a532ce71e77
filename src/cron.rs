//! `dashagg cron`: one line in the user's crontab, put in, shown and taken out again.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::catalog::Catalog;
use crate::cli::{CronAction, CronInstallArgs, GlobalArgs, RefreshArgs};
use crate::config;
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;
use crate::session::Context;

/// Runs one of the actions. Returns what to refresh now, where a line was installed: what it will do from now on, done
/// once.
///
/// # Errors
/// No `crontab` program; a configuration that cron's runs could not see.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    action: &CronAction,
    global: &GlobalArgs,
    out: &mut dyn Write,
) -> Result<Option<RefreshArgs>> {
    let mark = mark(context)?;
    match action {
        CronAction::Install(args) => install(context, catalog, args, global, &mark, out).await,
        CronAction::Show => {
            let table = read()?;
            match table.lines().find(|line| line.ends_with(&mark)) {
                Some(line) => writeln!(out, "{line}")?,
                None => writeln!(out, "# no line of dashagg for this configuration: dashagg cron install")?,
            }
            Ok(None)
        }
        CronAction::Remove(args) => {
            let table = read()?;
            let rest = without(&table, &mark);
            if args.dry_run {
                write!(out, "{rest}")?;
            } else if rest == table {
                writeln!(out, "nothing to remove: no line of dashagg for this configuration")?;
            } else {
                let saved = save(&table)?;
                write(&rest)?;
                writeln!(out, "removed; the crontab before is in {}", saved.display())?;
            }
            Ok(None)
        }
    }
}

/// What the line ends with, so that it is found again: one for each configuration file.
fn mark(context: &Context) -> Result<String> {
    let Some(file) = &context.config.file else {
        return Err(Failure::usage("cron's runs see neither your environment nor -D")
            .hint("write the database into a configuration file and name that with -c; `dashagg init DIR` writes an example")
            .into());
    };
    let file = std::fs::canonicalize(file).with_context(|| file.display().to_string())?;
    // As it stands in the table, where `%` is escaped.
    Ok(format!("# dashagg {}", file.display()).replace('%', "\\%"))
}

async fn install(
    context: &Context,
    catalog: &Catalog,
    args: &CronInstallArgs,
    global: &GlobalArgs,
    mark: &str,
    out: &mut dyn Write,
) -> Result<Option<RefreshArgs>> {
    refuse_unseen(context)?;
    let line = line(context, args, global, mark)?;
    if args.dry_run {
        writeln!(out, "{line}")?;
        return Ok(None);
    }
    // Check first: a line that fails every minute helps nobody.
    let scheduled = scheduled(context, catalog).await?;
    let table = read()?;
    let saved = save(&table)?;
    write(&with(&table, mark, &line))?;
    if !global.json {
        writeln!(out, "installed: {line}")?;
        writeln!(out, "the crontab before is in {}", saved.display())?;
        writeln!(out, "due by it: {}", scheduled.join(", "))?;
    }
    Ok(Some(RefreshArgs { due: true, ..RefreshArgs::default() }))
}

/// What cron's runs would not see must not be needed.
fn refuse_unseen(context: &Context) -> Result<(), Failure> {
    if !context.config.database_from_file {
        return Err(Failure::usage(
            "the database is named by -D or the environment, which cron's runs do not see",
        )
        .hint("write url under [database] in the configuration file"));
    }
    for (names, what, instead) in [
        (
            &["DASHAGG_PASSWORD", "DASHAGG_PASSWORD_FILE", "PGPASSWORD"][..],
            "the password comes",
            "password_file or password_command",
        ),
        (&["DASHAGG_TLS", "DASHAGG_TLS_CA"], "the protection of the connection comes", "tls and tls_ca"),
    ] {
        for name in names {
            if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
                return Err(Failure::usage(format!("{what} from {name}, which cron's runs do not see"))
                    .hint(format!(
                        "write {instead} under [database] in the configuration file, and unset {name}"
                    )));
            }
        }
    }
    Ok(())
}

/// The sets that `refresh --due` would do something for; at least one.
async fn scheduled<'a>(context: &Context, catalog: &'a Catalog) -> Result<Vec<&'a str>> {
    let mut engine = context.connect().await?;
    ledger::require(engine.as_mut()).await?;
    let registered = ledger::registered(engine.as_mut()).await?;
    let scheduled: Vec<&str> = catalog
        .sets
        .iter()
        .filter(|set| registered.contains(&set.name) && set.summaries.iter().any(|s| s.schedule.is_some()))
        .map(|set| set.name.as_str())
        .collect();
    if scheduled.is_empty() {
        return Err(Failure::usage("no set here has a schedule, so `refresh --due` would never do anything")
            .hint("give summaries `every = \"5m\"` or `at = \"02:00\"` in their manifest, or see crontab.example")
            .into());
    }
    Ok(scheduled)
}

/// The line: absolute paths, since cron starts in the home folder, and `%` escaped, since cron ends the line there.
fn line(context: &Context, args: &CronInstallArgs, global: &GlobalArgs, mark: &str) -> Result<String> {
    let program = std::env::current_exe()?;
    let absolute = |path: &Path| std::path::absolute(path);
    let config = mark.trim_start_matches("# dashagg ").replace("\\%", "%");
    let mut words =
        vec![quoted(&program.display().to_string()), "-q".to_owned(), "-c".to_owned(), quoted(&config)];
    if let Some(folder) = global.sql_dir.as_ref().filter(|_| context.config.sql_dir.is_some()) {
        words.push("--sql-dir".to_owned());
        words.push(quoted(&absolute(folder)?.display().to_string()));
    }
    words.push("refresh --due".to_owned());
    let log = quoted(&absolute(&args.log)?.display().to_string());
    let command = format!("{} >> {log} 2>&1", words.join(" ")).replace('%', "\\%");
    Ok(format!("* * * * * {command} {mark}"))
}

/// A word as the shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn without(table: &str, mark: &str) -> String {
    table.lines().filter(|line| !line.ends_with(mark)).map(|line| format!("{line}\n")).collect()
}

/// The table with the line in place of the one that had its mark.
fn with(table: &str, mark: &str, line: &str) -> String {
    let mut new = without(table, mark);
    if !new.is_empty() && !new.ends_with('\n') {
        new.push('\n');
    }
    new.push_str(line);
    new.push('\n');
    new
}

fn crontab(argument: &str) -> Command {
    let mut command = Command::new("crontab");
    for name in config::secret_variables() {
        command.env_remove(name);
    }
    command.arg(argument);
    command
}

/// The user's crontab; empty if there is none.
fn read() -> Result<String> {
    let out = crontab("-l").stdin(Stdio::null()).output().map_err(no_crontab)?;
    if out.status.success() {
        return String::from_utf8(out.stdout).map_err(|_| {
            Failure::new(
                ExitCode::Failed,
                "the crontab is not UTF-8, and other people's lines must stay as they are",
            )
            .hint("add the line of `dashagg cron install --dry-run` by hand")
            .into()
        });
    }
    let said = String::from_utf8_lossy(&out.stderr);
    if said.contains("no crontab") {
        return Ok(String::new());
    }
    Err(Failure::new(ExitCode::Failed, format!("crontab -l: {}", crate::words::printable(said.trim())))
        .into())
}

fn write(table: &str) -> Result<()> {
    let mut child = crontab("-").stdin(Stdio::piped()).spawn().map_err(no_crontab)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(table.as_bytes())?;
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(ExitCode::Failed, format!("crontab -: {status}")).hint("nothing was changed").into())
}

fn no_crontab(error: std::io::Error) -> Failure {
    Failure::new(ExitCode::Failed, format!("crontab: {error}"))
        .hint("install cron (apt-get install cron), or let a systemd timer run `dashagg refresh --due`: see the README")
}

/// Writes the crontab as it was into a new file in the current folder.
fn save(table: &str) -> Result<PathBuf> {
    let stamp: String =
        ledger::stamp(std::time::SystemTime::now()).chars().filter(char::is_ascii_alphanumeric).collect();
    let path = std::path::absolute(format!("crontab-{stamp}.bak"))?;
    // Crontabs hold secrets; the table itself is for its owner only.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
        .open(&path)
        .and_then(|mut file| file.write_all(table.as_bytes()))
        .with_context(|| format!("saving the crontab to {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_with_the_mark_goes() {
        let table = "MAILTO=dba\n* * * * * other # dashagg\n* * * * * x # dashagg /a b.toml\n";
        assert_eq!(without(table, "# dashagg /a b.toml"), "MAILTO=dba\n* * * * * other # dashagg\n");
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("/etc/dashagg/config.toml"), "/etc/dashagg/config.toml");
        assert_eq!(quoted("a b's"), "'a b'\\''s'");
    }
}

//! After the commit: what follows a publish that changed something. A hook that fails is reported and gives exit
//! code 3; it cannot undo a publish, nor keep another hook from running.

mod redis;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::config;
use crate::config::hooks::{Action, Hook};
use crate::report::{self, HookReport, RefreshReport, RunStatus, Values};
use crate::session::Context;

/// More values of one column than this stand for all of them.
pub const MOST_VALUES: usize = 1_000;

/// One summary that changed.
struct Changed<'a> {
    set: &'a str,
    summary: &'a report::SummaryRefresh,
}

/// Runs every hook that is about something that changed.
pub async fn run(context: &Context, report: &RefreshReport) -> Vec<HookReport> {
    let mut done = Vec::new();
    for (at, hook) in context.config.hooks.iter().enumerate() {
        let changed: Vec<Changed<'_>> = report
            .sets
            .iter()
            .flat_map(|set| set.summaries.iter().map(move |summary| Changed { set: &set.set, summary }))
            .filter(|changed| {
                let summary = changed.summary;
                summary.inserted + summary.updated + summary.deleted > 0
                    && hook.is_about(changed.set, &summary.name)
            })
            .collect();
        if changed.is_empty() {
            continue;
        }
        let name = format!("{} (hooks, section {})", kind(hook), at + 1);
        let error = match tokio::time::timeout(hook.timeout, one(context, hook, report, &changed)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some(format!("no end within {}", humantime::format_duration(hook.timeout))),
        };
        if let Some(error) = &error {
            tracing::error!("{name} failed: {error}; what was published stays");
        }
        let status = if error.is_some() { RunStatus::Failed } else { RunStatus::Ok };
        done.push(HookReport { hook: name, status, error });
    }
    done
}

fn kind(hook: &Hook) -> &'static str {
    match hook.action {
        Action::Command(_) => "command",
        Action::Webhook(_) => "webhook",
        Action::Notify(_) => "notify",
        Action::Redis(_) => "redis",
    }
}

async fn one(context: &Context, hook: &Hook, report: &RefreshReport, changed: &[Changed<'_>]) -> Result<()> {
    match &hook.action {
        Action::Command(command) => run_command(command, &message(report, changed)).await,
        Action::Webhook(url) => post(url.expose().to_owned(), message(report, changed), hook.timeout).await,
        Action::Notify(channel) => {
            let names: Vec<String> =
                changed.iter().map(|one| format!("{}.{}", one.set, one.summary.name)).collect();
            let mut engine = context.connect().await?;
            let sql = engine
                .dialect()
                .notify_sql(channel, &names.join(" "))
                .ok_or_else(|| anyhow!("{} has no NOTIFY", engine.server().product))?;
            engine.query(&sql).await?;
            Ok(())
        }
        Action::Redis(cache) => {
            let mut values = Values::new();
            let mut foreign = BTreeSet::new();
            for column in hook.columns() {
                let have = changed.iter().filter(|one| one.summary.changed.contains_key(&column)).count();
                if have == 0 {
                    // About other summaries, or misspelled: nothing here says what it means.
                    foreign.insert(column);
                } else if have < changed.len() {
                    // A summary that has no such column may be part of anything that is named by it.
                    values.insert(column, None);
                }
            }
            for one in changed {
                for (column, found) in &one.summary.changed {
                    match (values.entry(column.clone()).or_insert_with(|| Some(Vec::new())), found) {
                        (Some(all), Some(more)) => all.extend(more.iter().cloned()),
                        (entry, _) => *entry = None,
                    }
                }
            }
            for all in values.values_mut().flatten() {
                all.sort();
                all.dedup();
            }
            redis::run(context, cache, &values, &foreign).await
        }
    }
}

/// What commands and web hooks are told.
fn message(report: &RefreshReport, changed: &[Changed<'_>]) -> Value {
    let summaries: Vec<Value> = changed
        .iter()
        .map(|one| {
            let summary = one.summary;
            json!({
                "set": one.set,
                "name": summary.name,
                "table": summary.table,
                "rows": summary.rows,
                "inserted": summary.inserted,
                "updated": summary.updated,
                "deleted": summary.deleted,
            })
        })
        .collect();
    json!({ "schema": report::SCHEMA, "run_id": report.run_id, "changed": summaries })
}

async fn run_command(command: &[String], message: &Value) -> Result<()> {
    let (program, args) = command.split_first().ok_or_else(|| anyhow!("the command is empty"))?;
    let mut hook = tokio::process::Command::new(program);
    for name in config::secret_variables() {
        hook.env_remove(name);
    }
    let mut child = hook
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read is none the worse for it.
        let _ = stdin.write_all(format!("{message}\n").as_bytes()).await;
    }
    let out = child.wait_with_output().await?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    Err(anyhow!("{program}: {}: {}", out.status, crate::words::printable(last)))
}

async fn post(url: String, message: Value, timeout: Duration) -> Result<()> {
    let sending = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(timeout)).build().into();
        agent.post(&url).header("content-type", "application/json").send(message.to_string())
    });
    match sending.await? {
        Ok(_) => Ok(()),
        Err(ureq::Error::StatusCode(code)) => Err(anyhow!("answered {code}")),
        // Its own words could repeat the URL, which may hold a token.
        Err(error) => Err(anyhow!("{}", words_of(&error))),
    }
}

fn words_of(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "its host is not known",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "cannot connect",
        _ => "cannot be posted to; check its URL",
    }
}

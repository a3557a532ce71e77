//! `dashagg drop`: takes a set out of the database again: its summaries, its tracking and its rows in the ledger,
//! never a source. Every statement may find its object gone already, so that a half-made or half-dropped set goes too.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context as _, Result};

use crate::catalog::{Catalog, Kind, Set};
use crate::cli::DropArgs;
use crate::engine::Engine;
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::lasting;
use crate::ledger;
use crate::objects::{self, live};
use crate::session::{self, Context};
use crate::tracking;
use crate::words::safe::escaped;

/// Removes one set.
///
/// # Errors
/// A database of an older dashagg, before `create`; not confirmed (exit code 2); another run at work (11); whatever the server says, after which it can be run again.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    args: &DropArgs,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let selected = catalog.select(std::slice::from_ref(&args.set))?;
    let set = match selected.as_slice() {
        [one] if one.summaries.is_empty() => one.set,
        _ => {
            return Err(
                Failure::usage(format!("'{}' is not a set: only whole sets are dropped", args.set)).into()
            );
        }
    };
    let mut engine = context.connect().await?;
    let engine = engine.as_mut();
    // Names prove nothing: another program's table may have the name of one of ours.
    let ours = ledger::exists_or_none(engine).await? && ledger::registered(engine).await?.contains(&set.name);
    if !ours {
        if !context.quiet {
            writeln!(out, "{}: nothing of it is in {}", set.name, engine.server().database)?;
        }
        return Ok(ExitCode::Ok);
    }
    let statements = statements(engine, set).await?;
    if args.dry_run {
        for sql in &statements {
            writeln!(out, "{sql};")?;
        }
        return Ok(ExitCode::Ok);
    }
    if !args.yes {
        confirm(set, &engine.server().database.clone())?;
    }
    session::lock(context, engine, &set.name, args.wait.unwrap_or(context.config.run.wait)).await?;
    let result = apply(context, engine, &statements).await;
    session::unlock(engine, &set.name).await;
    result?;
    if !context.quiet {
        writeln!(out, "{}: dropped; its sources, and the indexes on them, are as they were", set.name)?;
    }
    Ok(ExitCode::Ok)
}

async fn apply(context: &Context, engine: &mut dyn Engine, statements: &[String]) -> Result<()> {
    for sql in statements {
        context.interrupt.check()?;
        // In a transaction that gives up waiting: behind a reader that stays, the application would queue up.
        ledger::in_write(engine, std::slice::from_ref(sql)).await.with_context(|| sql.clone())?;
    }
    Ok(())
}

/// Readers' views first, then what writes to the logs, then the tables, and the ledger's memory last.
async fn statements(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let mut sql = Vec::new();
    let own = engine.server().schema.clone();
    let d = engine.dialect();
    // Without a script that ran, its tables are not of our making.
    let made = !ledger::scripts::read(engine, &set.name).await?.is_empty();
    for summary in set.summaries.iter().rev().filter(|summary| summary.live && made) {
        sql.extend(live::drop_sql(d, &own, summary));
    }
    sql.extend(objects::forgotten_sql(engine, set).await?);
    for source in &set.sources {
        sql.extend(tracking::untrack_sql(engine, set, source).await?);
    }
    sql.extend(lasting::drop_all_sql(engine, &set.name).await?);
    let d = engine.dialect();
    for summary in set.summaries.iter().rev().filter(|_| made) {
        let target = summary.target(d, &own);
        sql.push(match summary.kind {
            Kind::Table => format!("DROP TABLE IF EXISTS {target}"),
            Kind::MaterializedView => d.drop_materialized_view(&target),
        });
    }
    sql.extend(ledger::forget_set(d, &set.name));
    Ok(sql)
}

fn confirm(set: &Set, database: &str) -> Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage(format!("drop {} is not confirmed", set.name))
            .hint("say --yes, or see first what it does with --dry-run")
            .into());
    }
    eprint!(
        "Remove the {} summaries of {} from {}? Sources stay. Type the set's name: ",
        set.summaries.len(),
        escaped(&set.name),
        escaped(database)
    );
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if answer.trim() == set.name {
        return Ok(());
    }
    Err(Failure::usage(format!("drop {} is not confirmed; nothing was done", set.name)).into())
}

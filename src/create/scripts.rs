//! Versioned scripts against the ledger: what was applied, what drifted, what comes next.

use std::time::Instant;

use anyhow::Result;

use crate::catalog::script::Script;
use crate::catalog::{Set, lexer};
use crate::checksum;
use crate::engine::{Dialect, Engine, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;

/// A script as the ledger knows it.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its number.
    pub version: u32,
    /// Its file name then.
    pub file: String,
    /// Its checksum then.
    pub checksum: String,
    /// It ran to its end.
    pub complete: bool,
    /// Statements that ran, if it did not.
    pub statements_done: usize,
    /// Checksum of those statements.
    pub done_checksum: String,
}

/// Scripts that the ledger knows, in order; none if there is no ledger.
///
/// # Errors
/// Whatever the server says.
pub async fn applied_scripts(engine: &mut dyn Engine, set: &str) -> Result<Vec<Applied>> {
    let sql = format!(
        "SELECT version, file_name, checksum, state, statements_done, done_checksum FROM dashagg_script \
         WHERE set_name = {} ORDER BY version",
        engine.dialect().literal(set)
    );
    let rows = engine.query(&sql).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            Applied {
                version: next().parse().unwrap_or(0),
                file: next(),
                checksum: next(),
                complete: next() == "applied",
                statements_done: next().parse().unwrap_or(0),
                done_checksum: next(),
            }
        })
        .collect())
}

/// Whether the scripts on disk are still the ones that were applied.
///
/// # Errors
/// Exit code 6, naming the first script that was edited, renumbered or removed.
pub fn refuse_drift(set: &Set, applied: &[Applied]) -> Result<(), Failure> {
    for known in applied {
        match set.scripts.iter().find(|script| script.version == known.version) {
            None => {
                let how = if known.complete { "applied" } else { "half applied" };
                return Err(Failure::new(
                    ExitCode::Drift,
                    format!("{}: script {} was {how} but is gone", set.location, known.file),
                )
                .hint("put it back: applied scripts are history"));
            }
            Some(script) if known.complete && script.checksum != known.checksum => {
                return Err(Failure::new(
                    ExitCode::Drift,
                    format!("{}: script {} was edited after it was applied", set.location, script.file),
                )
                .hint("undo the edit and put the change into a new script with the next number"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Runs a script, or the rest of it, and records it statement by statement where nothing can be undone.
///
/// # Errors
/// The statement that failed, with how to go on.
pub(super) async fn apply(
    engine: &mut dyn Engine,
    set: &Set,
    script: &Script,
    known: Option<&Applied>,
) -> Result<()> {
    let dialect = engine.dialect();
    let statements = lexer::statements(&script.sql, dialect.lex_rules());
    let start = Instant::now();
    let at = ledger::stamp(ledger::clock(engine).await?);
    let whole = dialect.transactional_ddl() && !script.no_transaction;
    let skip = match known {
        Some(known) => resume_at(set, script, known, &statements)?,
        None => 0,
    };
    let row = ScriptRow { set: &set.name, script, at };
    if whole {
        engine.begin(Tx::Write).await?;
    }
    if !whole && known.is_none() {
        engine.execute(&row.insert(engine.dialect(), "applying", &[], start)).await?;
    }
    for (index, statement) in statements.iter().enumerate().skip(skip) {
        if let Err(error) = engine.execute(statement).await {
            let _ = engine.rollback().await;
            let first_line = statement.lines().next().unwrap_or("").trim();
            let failure = Failure::new(
                ExitCode::Failed,
                format!(
                    "{}/{}: statement {} of {} ({first_line} …): {error}",
                    set.location,
                    script.file,
                    index + 1,
                    statements.len()
                ),
            );
            return Err(if whole {
                failure.hint("nothing of this script was kept; mend it and run `dashagg create` again")
            } else {
                failure.hint(format!(
                    "mend this statement and run `dashagg create` again: it goes on here, after the {index} statements that have run"
                ))
            }
            .into());
        }
        if !whole {
            let sql = row.progress(engine.dialect(), "applying", &statements[..=index], start);
            engine.execute(&sql).await?;
        }
    }
    let sql = if whole && known.is_none() {
        row.insert(engine.dialect(), "applied", &statements, start)
    } else {
        row.progress(engine.dialect(), "applied", &statements, start)
    };
    engine.execute(&sql).await?;
    engine.commit().await?;
    Ok(())
}

/// Where a half-applied script goes on.
///
/// # Errors
/// Exit code 6 if the statements that have run are not the script's first ones any more.
pub(super) fn resume_at(
    set: &Set,
    script: &Script,
    known: &Applied,
    statements: &[String],
) -> Result<usize, Failure> {
    let done = known.statements_done;
    let same =
        statements.get(..done).is_some_and(|head| checksum::hex(&head.join(";\n")) == known.done_checksum);
    if same {
        return Ok(done);
    }
    Err(Failure::new(
        ExitCode::Drift,
        format!(
            "{}: script {} stopped after statement {done}, and the statements before that were edited since",
            set.location, script.file
        ),
    )
    .hint("restore those statements, which have run; edit only what comes after them"))
}

/// A script's row in the ledger.
struct ScriptRow<'a> {
    set: &'a str,
    script: &'a Script,
    at: String,
}

impl ScriptRow<'_> {
    fn insert(&self, d: &dyn Dialect, state: &str, done: &[String], start: Instant) -> String {
        format!(
            "INSERT INTO dashagg_script (set_name, version, file_name, checksum, state, statements_done, \
             done_checksum, applied_at, applied_by, seconds) VALUES ({}, {}, {}, '{}', '{state}', {}, '{}', '{}', {}, {:.3})",
            d.literal(self.set),
            self.script.version,
            d.literal(&self.script.file),
            self.script.checksum,
            done.len(),
            checksum::hex(&done.join(";\n")),
            self.at,
            d.literal(&who()),
            start.elapsed().as_secs_f64(),
        )
    }

    fn progress(&self, d: &dyn Dialect, state: &str, done: &[String], start: Instant) -> String {
        format!(
            "UPDATE dashagg_script SET file_name = {}, checksum = '{}', state = '{state}', statements_done = {}, \
             done_checksum = '{}', applied_at = '{}', applied_by = {}, seconds = {:.3} \
             WHERE set_name = {} AND version = {}",
            d.literal(&self.script.file),
            self.script.checksum,
            done.len(),
            checksum::hex(&done.join(";\n")),
            self.at,
            d.literal(&who()),
            start.elapsed().as_secs_f64(),
            d.literal(self.set),
            self.script.version,
        )
    }
}

/// The person (as the operating system knows them) and host that ran `create`.
fn who() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    format!("{user}@{}", ledger::host())
}

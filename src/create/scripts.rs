//! Versioned scripts against the ledger: what was applied, what drifted, what comes next.

use std::time::Instant;

use anyhow::Result;

use crate::catalog::script::Script;
use crate::catalog::{Set, lexer};
use crate::checksum;
use crate::engine::{Engine, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger::scripts::{self, Applied, Progress};
use crate::ledger::{self, ScriptState};

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
    let row = ScriptRow { set: &set.name, script, at, by: who(), start };
    if whole {
        engine.begin(Tx::Write).await?;
    }
    if !whole && known.is_none() {
        engine.execute(&scripts::insert(dialect, &row.after(ScriptState::Applying, &[]))).await?;
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
            let done = row.after(ScriptState::Applying, &statements[..=index]);
            engine.execute(&scripts::update(dialect, &done)).await?;
        }
    }
    let done = row.after(ScriptState::Applied, &statements);
    let first = whole && known.is_none();
    let sql = if first { scripts::insert(dialect, &done) } else { scripts::update(dialect, &done) };
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
    by: String,
    start: Instant,
}

impl ScriptRow<'_> {
    fn after(&self, state: ScriptState, done: &[String]) -> Progress<'_> {
        Progress {
            set: self.set,
            version: self.script.version,
            file: &self.script.file,
            checksum: &self.script.checksum,
            state,
            statements_done: done.len(),
            done_checksum: checksum::hex(&done.join(";\n")),
            at: &self.at,
            by: &self.by,
            seconds: self.start.elapsed().as_secs_f64(),
        }
    }
}

/// The person (as the operating system knows them) and host that ran `create`.
fn who() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    format!("{user}@{}", ledger::host())
}

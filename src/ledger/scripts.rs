//! Which versioned scripts were applied, and how far one came that stopped half-way.

use anyhow::Result;

use super::row::Columns;
use super::words::ScriptState;
use crate::catalog::Set;
use crate::engine::{Dialect, Engine};
use crate::error::Failure;
use crate::exit_code::ExitCode;

const SCRIPTS: Columns = Columns {
    table: "dashagg_script",
    names: &["version", "file_name", "checksum", "state", "statements_done", "done_checksum"],
};

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

/// How far a script has come, to be recorded.
#[derive(Debug)]
pub struct Progress<'a> {
    /// The set.
    pub set: &'a str,
    /// The script's number.
    pub version: u32,
    /// Its file name.
    pub file: &'a str,
    /// Its checksum.
    pub checksum: &'a str,
    /// How far.
    pub state: ScriptState,
    /// Statements that have run.
    pub statements_done: usize,
    /// Checksum of those.
    pub done_checksum: String,
    /// Server's clock when it began (RFC 3339).
    pub at: &'a str,
    /// Who runs it.
    pub by: &'a str,
    /// For how long it has run.
    pub seconds: f64,
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

/// Scripts that the ledger knows, in order.
///
/// # Errors
/// Whatever the server says; a row that cannot be read.
pub async fn read(engine: &mut dyn Engine, set: &str) -> Result<Vec<Applied>> {
    let sql = SCRIPTS.select(&format!("WHERE set_name = {} ORDER BY version", engine.dialect().literal(set)));
    SCRIPTS.decode(engine.query(&sql).await?, |row| {
        Ok(Applied {
            version: row.value("version", "a script's number", |text| text.parse().ok())?,
            file: row.text("file_name")?,
            checksum: row.text("checksum")?,
            complete: row.value("state", ScriptState::WHAT, ScriptState::parse)? == ScriptState::Applied,
            statements_done: row.value("statements_done", "a count", |text| text.parse().ok())?,
            done_checksum: row.text("done_checksum")?,
        })
    })
}

/// The statement that records a script for the first time.
pub fn insert(d: &dyn Dialect, script: &Progress<'_>) -> String {
    let values: Vec<String> = cells(d, script).into_iter().map(|(_, value)| value).collect();
    let names: Vec<&str> = cells(d, script).into_iter().map(|(name, _)| name).collect();
    format!(
        "INSERT INTO dashagg_script (set_name, version, {}) VALUES ({}, {}, {})",
        names.join(", "),
        d.literal(script.set),
        script.version,
        values.join(", ")
    )
}

/// The statement that records how far a known script has come.
pub fn update(d: &dyn Dialect, script: &Progress<'_>) -> String {
    let set: Vec<String> =
        cells(d, script).into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!(
        "UPDATE dashagg_script SET {} WHERE set_name = {} AND version = {}",
        set.join(", "),
        d.literal(script.set),
        script.version
    )
}

fn cells(d: &dyn Dialect, script: &Progress<'_>) -> [(&'static str, String); 8] {
    [
        ("file_name", d.literal(script.file)),
        ("checksum", d.literal(script.checksum)),
        ("state", d.literal(script.state.as_str())),
        ("statements_done", script.statements_done.to_string()),
        ("done_checksum", d.literal(&script.done_checksum)),
        ("applied_at", d.literal(script.at)),
        ("applied_by", d.literal(script.by)),
        ("seconds", format!("{:.3}", script.seconds)),
    ]
}

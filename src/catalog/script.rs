//! Versioned scripts: `0001_summary_tables.sql`, per engine, append-only.

use anyhow::Result;

use crate::checksum;
use crate::error::Failure;
use crate::exit_code::ExitCode;

/// One script file.
#[derive(Debug, Clone)]
pub struct Script {
    /// Number in front of the file's name.
    pub version: u32,
    /// The file's name without folder.
    pub file: String,
    /// What the script does, without byte order mark and carriage returns.
    pub sql: String,
    /// Blind to CRLF, byte order mark and trailing blank space.
    pub checksum: String,
    /// The first line asks to run outside a transaction (`-- no-transaction`).
    pub no_transaction: bool,
}

impl Script {
    /// Reads one file of a script folder.
    ///
    /// # Errors
    /// A name that is not `NNNN_words.sql`.
    pub fn parse(folder: &str, file: &str, text: &str) -> Result<Self> {
        let version = file
            .strip_suffix(".sql")
            .and_then(|stem| stem.split_once('_'))
            .and_then(|(number, _)| number.parse::<u32>().ok())
            .filter(|version| *version > 0);
        let Some(version) = version else {
            return Err(Failure::new(
                ExitCode::Usage,
                format!("{folder}/{file}: a script's name is a number, an underline and words, like 0002_add_index.sql"),
            )
            .into());
        };
        let sql = checksum::normalised(text);
        Ok(Self {
            version,
            file: file.to_owned(),
            checksum: checksum::of_file(text),
            no_transaction: sql.starts_with("-- no-transaction"),
            sql,
        })
    }
}

/// Scripts in order, with no number missing or twice.
///
/// # Errors
/// A gap or a repetition.
pub fn in_order(folder: &str, mut scripts: Vec<Script>) -> Result<Vec<Script>> {
    scripts.sort_by_key(|script| script.version);
    for (at, script) in scripts.iter().enumerate() {
        let expected = at as u32 + 1;
        if script.version != expected {
            let what = if script.version < expected {
                format!("number {} occurs twice", script.version)
            } else {
                format!("number {expected} is missing before {}", script.file)
            };
            return Err(Failure::new(
                ExitCode::Usage,
                format!("{folder}: {what}; scripts are numbered 0001, 0002, … without gaps"),
            )
            .into());
        }
    }
    Ok(scripts)
}

//! How each source of a set is tracked, and up to where its changes were published.

use std::collections::BTreeMap;

use anyhow::Result;

use super::row::{Columns, Record};
use crate::engine::{Dialect, Engine, Row};

const SOURCES: Columns =
    Columns { table: "dashagg_source", names: &["source", "track_id", "witness", "watermark"] };

const PRINTS: Columns = Columns { table: "dashagg_print", names: &["part", "print"] };

/// What the ledger remembers of one source.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// Name in the manifest.
    pub source: String,
    /// How it is tracked.
    pub track_id: String,
    /// What would differ if a change had gone unnoticed.
    pub witness: Option<String>,
    /// The newest value that was published, where a watermark tells changes.
    pub watermark: Option<String>,
}

impl Remembered {
    fn of(row: &Record) -> Result<Self> {
        Ok(Self {
            source: row.text("source")?,
            track_id: row.text("track_id")?,
            witness: row.maybe_text("witness")?,
            watermark: row.maybe_text("watermark")?,
        })
    }
}

/// The query for all sources of a set, which [`remembered`] reads.
pub fn query(d: &dyn Dialect, set: &str) -> String {
    SOURCES.select(&format!("WHERE set_name = {}", d.literal(set)))
}

/// The query for one source, which [`remembered`] reads.
pub fn query_one(d: &dyn Dialect, set: &str, source: &str) -> String {
    SOURCES.select(&this(d, set, source))
}

/// Reads the answer to [`query`] or [`query_one`].
///
/// # Errors
/// A row that cannot be read.
pub fn remembered(rows: Vec<Row>) -> Result<Vec<Remembered>> {
    SOURCES.decode(rows, Remembered::of)
}

/// What is remembered of one source; `None`: nothing was set up for it.
///
/// # Errors
/// Whatever the server says; a row that cannot be read.
pub async fn read(engine: &mut dyn Engine, set: &str, source: &str) -> Result<Option<Remembered>> {
    let sql = query_one(engine.dialect(), set, source);
    Ok(remembered(engine.query(&sql).await?)?.into_iter().next())
}

/// What is remembered of every source of a set, also of those that its manifest no longer has.
///
/// # Errors
/// Whatever the server says; a row that cannot be read.
pub async fn read_all(engine: &mut dyn Engine, set: &str) -> Result<Vec<Remembered>> {
    let sql = query(engine.dialect(), set);
    remembered(engine.query(&sql).await?)
}

/// Notes that a source is tracked anew, from the beginning. `known`: it has a row.
pub fn set_up(d: &dyn Dialect, set: &str, source: &str, known: bool, id: &str) -> String {
    let id = d.literal(id);
    if known {
        return format!(
            "UPDATE dashagg_source SET track_id = {id}, witness = NULL, watermark = NULL {}",
            this(d, set, source)
        );
    }
    let (set, source) = (d.literal(set), d.literal(source));
    format!("INSERT INTO dashagg_source (set_name, source, track_id) VALUES ({set}, {source}, {id})")
}

/// Notes a witness.
pub fn witnessed(d: &dyn Dialect, set: &str, source: &str, witness: &str) -> String {
    format!("UPDATE dashagg_source SET witness = {} {}", d.literal(witness), this(d, set, source))
}

/// Notes up to where a publish covers a source.
pub fn seen(
    d: &dyn Dialect,
    set: &str,
    source: &str,
    witness: Option<&str>,
    watermark: Option<&str>,
) -> String {
    let value = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| d.literal(text));
    format!(
        "UPDATE dashagg_source SET witness = {}, watermark = {} {}",
        value(witness),
        value(watermark),
        this(d, set, source)
    )
}

/// Forgets a source.
pub fn forget(d: &dyn Dialect, set: &str, source: &str) -> String {
    format!("DELETE FROM dashagg_source {}", this(d, set, source))
}

/// The fingerprints of a source's partitions as of its last publish, by partition.
///
/// # Errors
/// Whatever the server says; a row that cannot be read.
pub async fn prints(engine: &mut dyn Engine, set: &str, source: &str) -> Result<BTreeMap<String, String>> {
    let sql = PRINTS.select(&this(engine.dialect(), set, source));
    let rows = PRINTS.decode(engine.query(&sql).await?, |row| Ok((row.text("part")?, row.text("print")?)))?;
    Ok(rows.into_iter().collect())
}

/// Fingerprints in one statement.
const AT_ONCE: usize = 200;

/// Notes the fingerprints that have changed; `None`: the partition is gone.
pub fn printed(
    d: &dyn Dialect,
    set: &str,
    source: &str,
    changed: &[(String, Option<String>)],
) -> Vec<String> {
    let mut sql = Vec::new();
    let (set_name, name) = (d.literal(set), d.literal(source));
    for some in changed.chunks(AT_ONCE) {
        let parts: Vec<String> = some.iter().map(|(part, _)| d.literal(part)).collect();
        sql.push(format!(
            "DELETE FROM dashagg_print {} AND part IN ({})",
            this(d, set, source),
            parts.join(", ")
        ));
        let rows: Vec<String> = some
            .iter()
            .filter_map(|(part, print)| {
                let print = d.literal(print.as_deref()?);
                Some(format!("({set_name}, {name}, {}, {print})", d.literal(part)))
            })
            .collect();
        if !rows.is_empty() {
            sql.push(format!(
                "INSERT INTO dashagg_print (set_name, source, part, print) VALUES {}",
                rows.join(", ")
            ));
        }
    }
    sql
}

fn this(d: &dyn Dialect, set: &str, source: &str) -> String {
    format!("WHERE set_name = {} AND source = {}", d.literal(set), d.literal(source))
}

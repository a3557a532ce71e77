//! How each source of a set is tracked, and up to where its changes were published.

use std::collections::BTreeMap;

use anyhow::Result;

use super::row::{Columns, Record};
use super::words::TrackMethod;
use crate::catalog::Method;
use crate::engine::{Dialect, Engine, Row, Shape};

const SOURCES: Columns =
    Columns { table: "dashagg_source", names: &["source", "method", "track_id", "witness", "watermark"] };

/// What an upgrade reads, and what version 1 has of it.
pub(super) const LEGACY: Columns =
    Columns { table: SOURCES.table, names: &["set_name", "source", "track_id"] };
const VERSION_1: Columns =
    Columns { table: SOURCES.table, names: &["source", "track_id", "witness", "watermark"] };

const PRINTS: Columns = Columns { table: "dashagg_print", names: &["part", "print"] };

/// How a source is tracked, in what the ledger stores of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracking {
    /// The method.
    pub method: TrackMethod,
    /// Of triggers: what the names of what they need have in common. Else the settings of the method.
    pub id: String,
}

impl Tracking {
    /// By triggers under this id.
    pub fn by_triggers(id: &str) -> Self {
        Self { method: TrackMethod::Triggers, id: id.to_owned() }
    }

    /// By another method; `None` for triggers.
    pub fn without_triggers(method: &Method) -> Option<Self> {
        let (method, id) = match method {
            Method::Triggers => return None,
            Method::Watermark { column, overlap } => {
                (TrackMethod::Watermark, watermark(column, overlap.as_secs_f64()))
            }
            Method::Window(count) => (TrackMethod::Window, count.to_string()),
            Method::Fingerprint => (TrackMethod::Fingerprint, String::new()),
            Method::Untracked => (TrackMethod::None, String::new()),
        };
        Some(Self { method, id })
    }

    /// By what version 1 stored, which told all methods by one text: that of the compiler for the others. Where it was
    /// cut, or cannot be read, the settings are empty, and everything counts as changed once.
    pub(super) fn of_version_1(text: &str) -> Self {
        let within =
            |start: &str, end: &str| text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        let (method, id) = if text == "Fingerprint" {
            (TrackMethod::Fingerprint, String::new())
        } else if text == "Untracked" {
            (TrackMethod::None, String::new())
        } else if let Some(count) = within("Window(", ")") {
            (TrackMethod::Window, count.to_owned())
        } else if text.starts_with("Watermark {") {
            let parts = within("Watermark { column: ", "s }").and_then(|rest| rest.split_once(", overlap: "));
            let column = parts.and_then(|(column, _)| serde_json::from_str::<String>(column).ok());
            let overlap = parts.and_then(|(_, overlap)| overlap.parse::<f64>().ok());
            let id = column.zip(overlap).map(|(column, overlap)| watermark(&column, overlap));
            (TrackMethod::Watermark, id.unwrap_or_default())
        } else {
            (TrackMethod::Triggers, text.to_owned())
        };
        Self { method, id }
    }
}

/// The overlap comes first: a long name is cut.
fn watermark(column: &str, overlap: f64) -> String {
    format!("{overlap}s {column}").chars().take(64).collect()
}

/// What the ledger remembers of one source.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// Name in the manifest.
    pub source: String,
    /// How it is tracked.
    pub tracking: Tracking,
    /// What would differ if a change had gone unnoticed.
    pub witness: Option<String>,
    /// The newest value that was published, where a watermark tells changes.
    pub watermark: Option<String>,
}

impl Remembered {
    /// What the names of its triggers and of their tables have in common, if it has any.
    pub fn trigger_id(&self) -> Option<&str> {
        (self.tracking.method == TrackMethod::Triggers).then_some(self.tracking.id.as_str())
    }

    /// Whether triggers are missing that the last refresh had no right to make.
    pub fn is_unwatched(&self) -> bool {
        self.witness.as_deref() == Some(UNWATCHED)
    }

    fn of(row: &Record) -> Result<Self> {
        Ok(Self {
            source: row.text("source")?,
            tracking: Tracking {
                method: row.value("method", TrackMethod::WHAT, TrackMethod::parse)?,
                id: row.text("track_id")?,
            },
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

/// The same of a ledger that may be of version 1 still.
///
/// # Errors
/// Whatever the server says; a row that cannot be read.
pub async fn read_all_of_any(engine: &mut dyn Engine, set: &str) -> Result<Vec<Remembered>> {
    let shape = Shape::read(engine, None, SOURCES.table).await?.unwrap_or_default();
    if shape.column("method").is_some() {
        return read_all(engine, set).await;
    }
    let sql = VERSION_1.select(&format!("WHERE set_name = {}", engine.dialect().literal(set)));
    VERSION_1.decode(engine.query(&sql).await?, |row| {
        Ok(Remembered {
            source: row.text("source")?,
            tracking: Tracking::of_version_1(&row.text("track_id")?),
            witness: row.maybe_text("witness")?,
            watermark: row.maybe_text("watermark")?,
        })
    })
}

/// Notes that a source is tracked anew, from the beginning. `known`: it has a row.
pub fn set_up(d: &dyn Dialect, set: &str, source: &str, known: bool, tracking: &Tracking) -> String {
    let (method, id) = (tracking.method.as_str(), d.literal(&tracking.id));
    if known {
        return format!(
            "UPDATE dashagg_source SET method = '{method}', track_id = {id}, witness = NULL, watermark = NULL {}",
            this(d, set, source)
        );
    }
    let (set, source) = (d.literal(set), d.literal(source));
    format!(
        "INSERT INTO dashagg_source (set_name, source, method, track_id) VALUES ({set}, {source}, '{method}', {id})"
    )
}

/// Stands for the witness where changes may go unseen, and whoever refreshes has no right to mend that: no witness equals it.
pub const UNWATCHED: &str = "unwatched";

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_version_1_stored_is_what_is_stored_now() {
        let watermark = |column: &str, seconds: f64| Method::Watermark {
            column: column.to_owned(),
            overlap: Duration::from_secs_f64(seconds),
        };
        let methods = [
            Method::Window(30),
            Method::Fingerprint,
            Method::Untracked,
            watermark("updated_at", 3600.0),
            watermark("the \"last\" write", 1.5),
        ];
        for method in methods {
            // As version 1 did.
            let stored: String = format!("{method:?}").chars().take(64).collect();
            let tracking = Tracking::of_version_1(&stored);
            assert_eq!(Some(tracking), Tracking::without_triggers(&method), "{stored}");
        }
        assert_eq!(Tracking::of_version_1("0123456789"), Tracking::by_triggers("0123456789"));
    }

    #[test]
    fn settings_that_version_1_cut_are_not_known() {
        let method = Method::Watermark { column: "a".repeat(60), overlap: Duration::from_secs(60) };
        let stored: String = format!("{method:?}").chars().take(64).collect();
        let tracking = Tracking::of_version_1(&stored);
        assert_eq!((tracking.method, tracking.id.as_str()), (TrackMethod::Watermark, ""));
    }
}

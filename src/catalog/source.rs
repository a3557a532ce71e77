//! A raw table as the manifest describes it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::manifest::{IndexEntry, Partition, SourceEntry, SummaryEntry, TrackEntry};
use crate::engine::Dialect;

/// A raw table.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name in the manifest.
    pub name: String,
    /// Its schema; `None`: found as an unqualified name would be.
    pub schema: Option<String>,
    /// Name in the database.
    pub table: String,
    /// Partition columns: name, and an expression where it is not a plain column.
    pub partition: Vec<(String, Option<String>)>,
    /// How changes are noticed.
    pub track: Method,
    /// Columns that a note of a change holds: the partition columns first.
    pub track_columns: Vec<String>,
    /// For a dimension: name of a summary and the columns that both have.
    pub invalidates: Option<(String, Vec<String>)>,
    /// Reconciled column → aggregate over this source.
    pub totals: Vec<(String, String)>,
    /// Notes of changes beyond this many name partitions only, and beyond twice as many everything; never zero.
    pub max_notes: u32,
    /// Indexes that refresh needs.
    pub indexes: Vec<IndexEntry>,
}

/// As many changed keys as a refresh takes one by one: a finer note beyond them would be of no use.
pub const MAX_NOTES: u32 = 20_000;

/// How changes of a source are noticed.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Triggers write notes in the writer's own transaction.
    Triggers,
    /// Rows whose column is not older than the last value seen, less an overlap.
    Watermark {
        /// The column.
        column: String,
        /// Overlap.
        overlap: Duration,
    },
    /// Always the last partitions.
    Window(usize),
    /// Count and row hashes of every partition.
    Fingerprint,
    /// Not at all: each refresh is complete.
    Untracked,
}

impl Source {
    /// The table's name, as statements spell it.
    pub fn sql(&self, dialect: &dyn Dialect) -> String {
        match &self.schema {
            Some(schema) => dialect.qualify(schema, &self.table),
            None => dialect.quote(&self.table),
        }
    }

    pub(super) fn load(
        name: String,
        entry: SourceEntry,
        summaries: &BTreeMap<String, SummaryEntry>,
    ) -> Result<Self, String> {
        let partition: Vec<(String, Option<String>)> = match entry.partition {
            Partition::Columns(columns) => columns.into_iter().map(|column| (column, None)).collect(),
            Partition::Expressions(map) => map.into_iter().map(|(column, e)| (column, Some(e))).collect(),
        };
        let at = format!("sources.{name}");
        let track = match entry.track {
            None => Method::Triggers,
            Some(TrackEntry::Word(word)) => match word.as_str() {
                "triggers" => Method::Triggers,
                "fingerprint" => Method::Fingerprint,
                "none" => Method::Untracked,
                other => {
                    return Err(format!(
                        "{at}.track = \"{other}\": expected \"triggers\", \"fingerprint\", \"none\", \
                         {{ watermark = \"column\", overlap = \"1h\" }} or {{ window = 3 }}"
                    ));
                }
            },
            Some(TrackEntry::Window { window: 0 }) => {
                return Err(format!("{at}.track: window = 0 would never refresh anything"));
            }
            Some(TrackEntry::Window { window }) => Method::Window(window),
            Some(TrackEntry::Watermark { watermark, overlap }) => {
                let overlap = overlap.unwrap_or_else(|| "1h".to_owned());
                let overlap = humantime::parse_duration(&overlap).map_err(|_| {
                    format!("{at}.track: overlap = \"{overlap}\": write a duration such as \"1h\"")
                })?;
                Method::Watermark { column: watermark, overlap }
            }
        };
        if partition.is_empty() && !matches!(track, Method::Triggers | Method::Untracked) {
            return Err(format!("{at}.track: only triggers can watch a source without partition columns"));
        }
        let max_notes = entry.max_notes.unwrap_or(MAX_NOTES);
        if !(100..=1_000_000).contains(&max_notes) {
            return Err(format!("{at}.max_notes = {max_notes}: write a number from 100 to 1000000"));
        }
        let invalidates = entry.invalidates.map(|entry| (entry.summary, entry.on));
        if let Some((summary, on)) = &invalidates {
            if !summaries.contains_key(summary) {
                return Err(format!("{at}.invalidates names summary '{summary}', which does not exist"));
            }
            if on.is_empty() {
                return Err(format!("{at}.invalidates.on is empty: name the columns that both have"));
            }
        }
        let mut track_columns: Vec<String> = match &invalidates {
            Some((_, on)) if partition.is_empty() => on.clone(),
            _ => partition.iter().map(|(column, _)| column.clone()).collect(),
        };
        for column in entry.track_columns.unwrap_or_default() {
            if !track_columns.contains(&column) {
                track_columns.push(column);
            }
        }
        Ok(Self {
            table: entry.table.unwrap_or_else(|| name.clone()),
            schema: None,
            partition,
            track,
            track_columns,
            invalidates,
            totals: entry.totals.into_iter().collect(),
            max_notes,
            indexes: entry.indexes,
            name,
        })
    }
}

//! What the DBA wrote, loaded and validated: sets, their sources, summaries in tier order, and scripts.
//! Reads files, never a database.

pub mod files;
pub mod lexer;
pub mod manifest;
pub mod script;
mod tiers;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::engine::Dialect;
use crate::error::Failure;
use files::{Files, MANIFEST, Tree};
use manifest::{
    CheckEntry, ConserveEntry, IndexEntry, ManifestFile, Partition, SourceEntry, SummaryEntry, TrackEntry,
};
use script::Script;
use tiers::{Draft, in_tier_order};

/// Columns that dashagg sets on its own when the table has them, whether or not the manifest says so.
const STAMPS: [&str; 1] = ["updated_at"];

/// All sets.
#[derive(Debug)]
pub struct Catalog {
    /// In order of their names.
    pub sets: Vec<Set>,
}

/// One dashboard's summaries, maintained together.
#[derive(Debug)]
pub struct Set {
    /// The folder's name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Tables of the host application.
    pub sources: Vec<Source>,
    /// In tier order: what a summary reads comes before it.
    pub summaries: Vec<Summary>,
    /// This engine's scripts, in order.
    pub scripts: Vec<Script>,
    /// Where the set was read, for messages.
    pub location: String,
}

/// A raw table.
#[derive(Debug)]
pub struct Source {
    /// Name in the manifest.
    pub name: String,
    /// Name in the database.
    pub table: String,
    /// Partition columns: name, and an expression where it is not a plain column.
    pub partition: Vec<(String, Option<String>)>,
    /// How changes are noticed.
    pub track: Method,
    /// Columns that a note of a change holds: the partition columns first.
    pub log: Vec<String>,
    /// For a dimension: name of a summary and the columns that both have.
    pub invalidates: Option<(String, Vec<String>)>,
    /// Conserved column → aggregate over this source.
    pub totals: Vec<(String, String)>,
    /// Indexes that refresh needs.
    pub indexes: Vec<IndexEntry>,
}

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

/// What a summary's conserved sums are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Nothing to compare with.
    Nothing,
    /// The totals of a source (index into [`Set::sources`]).
    Source(usize),
    /// The conserved sums of a lower tier (index into [`Set::summaries`]).
    Summary(usize),
}

/// A table whose content one SELECT defines.
#[derive(Debug)]
pub struct Summary {
    /// Name in the manifest.
    pub name: String,
    /// Name in the database.
    pub table: String,
    /// Distance from the source, from 1.
    pub tier: u32,
    /// The SELECT without its semicolon.
    pub select: String,
    /// File that holds it, for messages.
    pub select_file: String,
    /// Checksum of the SELECT.
    pub checksum: String,
    /// Unique key.
    pub key: Vec<String>,
    /// Partition columns, all of them part of the key.
    pub partition: Vec<String>,
    /// Columns by which single rows can be recomputed; empty: none.
    pub grain: Vec<String>,
    /// Sums that must agree.
    pub conserve: Vec<ConserveEntry>,
    /// With what.
    pub against: Against,
    /// SELECTs over staged rows that must return nothing.
    pub checks: Vec<CheckEntry>,
    /// Share of rows (0 to 1) that a refresh may take away, if the manifest says so.
    pub max_shrink: Option<f64>,
    /// Columns never compared.
    pub ignore: Vec<String>,
    /// Older than this is stale.
    pub max_age: Option<Duration>,
    /// Lower tiers that it reads (indexes into [`Set::summaries`]).
    pub reads_summaries: Vec<usize>,
    /// Sources that it reads (indexes into [`Set::sources`]).
    pub reads_sources: Vec<usize>,
}

impl Catalog {
    /// Loads every set for one engine.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 that names file and key.
    pub fn load(folder: Option<&Path>, dialect: &dyn Dialect) -> Result<Self> {
        let tree = Tree::load(folder)?;
        let sets = tree
            .sets
            .iter()
            .map(|(name, files)| {
                let location = format!("{}/{name}", tree.origin);
                Set::load(name, &location, files, dialect)
            })
            .collect::<Result<_>>()?;
        Ok(Self { sets })
    }

    /// The sets that the arguments name (`set` or `set.summary`), all if there are none.
    ///
    /// Naming a summary selects the set: connected tiers publish together.
    ///
    /// # Errors
    /// A name that does not exist; the message lists those that do.
    pub fn select(&self, arguments: &[String]) -> Result<Vec<Selected<'_>>> {
        if arguments.is_empty() {
            return Ok(self.sets.iter().map(|set| Selected { set, summaries: Vec::new() }).collect());
        }
        let mut chosen: Vec<Selected<'_>> = Vec::new();
        for argument in arguments {
            let (set_name, summary) = match self.sets.iter().find(|set| set.name == *argument) {
                Some(_) => (argument.as_str(), None),
                // Either name may have dots of its own.
                None => argument
                    .match_indices('.')
                    .map(|(at, _)| (&argument[..at], Some(&argument[at + 1..])))
                    .find(|(name, _)| self.sets.iter().any(|set| set.name == *name))
                    .or_else(|| argument.split_once('.').map(|(set, summary)| (set, Some(summary))))
                    .unwrap_or((argument.as_str(), None)),
            };
            let Some(set) = self.sets.iter().find(|set| set.name == set_name) else {
                let known: Vec<&str> = self.sets.iter().map(|set| set.name.as_str()).collect();
                return Err(Failure::usage(format!("there is no set '{set_name}'"))
                    .hint(format!("sets: {}", known.join(", ")))
                    .into());
            };
            let index = match summary {
                None => None,
                Some(name) => {
                    let Some(index) = set.summaries.iter().position(|s| s.name == name) else {
                        let known: Vec<String> =
                            set.summaries.iter().map(|s| format!("{}.{}", set.name, s.name)).collect();
                        return Err(Failure::usage(format!("there is no summary '{argument}'"))
                            .hint(format!("summaries: {}", known.join(", ")))
                            .into());
                    };
                    Some(index)
                }
            };
            match chosen.iter_mut().find(|selected| selected.set.name == set.name) {
                Some(selected) => match index {
                    Some(index) if !selected.summaries.is_empty() => selected.summaries.push(index),
                    _ => selected.summaries.clear(),
                },
                None => chosen.push(Selected { set, summaries: index.into_iter().collect() }),
            }
        }
        Ok(chosen)
    }
}

/// A set that the command line chose.
#[derive(Debug)]
pub struct Selected<'a> {
    /// The set.
    pub set: &'a Set,
    /// Summaries named one by one; empty: the whole set.
    pub summaries: Vec<usize>,
}

impl Selected<'_> {
    /// Whether a summary was asked for.
    pub fn includes(&self, index: usize) -> bool {
        self.summaries.is_empty() || self.summaries.contains(&index)
    }
}

impl Set {
    fn load(name: &str, location: &str, files: &Files, dialect: &dyn Dialect) -> Result<Self> {
        let manifest_path = format!("{location}/{MANIFEST}");
        let text = files.get(MANIFEST).map(String::as_str).unwrap_or_default();
        let manifest: ManifestFile = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| format!(":{}", text[..span.start.min(text.len())].matches('\n').count() + 1))
                .unwrap_or_default();
            Failure::usage(format!("{manifest_path}{line}: {}", error.message().trim()))
        })?;
        let bad = |message: String| Failure::usage(format!("{manifest_path}: {message}"));

        let mut sources = Vec::new();
        for (name, entry) in manifest.sources {
            sources.push(Source::load(name, entry, &manifest.summaries).map_err(&bad)?);
        }
        if manifest.summaries.is_empty() {
            return Err(bad("no [summaries.…] section: there is nothing to keep".into()).into());
        }
        let tables: Vec<(String, String)> = manifest
            .summaries
            .iter()
            .map(|(name, entry)| (name.clone(), entry.table.clone().unwrap_or_else(|| name.clone())))
            .collect();
        for (at, (name, table)) in tables.iter().enumerate() {
            if let Some((other, _)) = tables[..at].iter().find(|(_, t)| t.eq_ignore_ascii_case(table)) {
                return Err(bad(format!("summaries {other} and {name} name the same table {table}")).into());
            }
        }
        let mut pending = Vec::new();
        for (name, entry) in manifest.summaries {
            pending.push(Draft::load(&name, entry, location, files, dialect, &sources, &tables)?);
        }
        let summaries = in_tier_order(pending, &sources).map_err(bad)?;

        let folder = format!("{}/", dialect.name());
        let mut scripts = Vec::new();
        for (path, text) in files {
            if let Some(file) = path.strip_prefix(&folder)
                && !file.contains('/')
            {
                scripts.push(Script::parse(&format!("{location}/{}", dialect.name()), file, text)?);
            }
        }
        let scripts = script::in_order(&format!("{location}/{}", dialect.name()), scripts)?;
        for summary in &summaries {
            if !has_partitions(summary, &summaries, &sources) {
                return Err(bad(format!(
                    "summaries.{}: no source that it reads has the partition columns ({})",
                    summary.name,
                    summary.partition.join(", ")
                ))
                .hint("give the source the same `partition`, or leave it out of the summary")
                .into());
            }
        }
        Ok(Self {
            name: name.to_owned(),
            description: manifest.description,
            sources,
            summaries,
            scripts,
            location: location.to_owned(),
        })
    }
}

/// Whether the partitions of a summary can be found in a source that it reads, be it through lower tiers:
/// without one, a new partition would never be computed.
fn has_partitions(summary: &Summary, all: &[Summary], sources: &[Source]) -> bool {
    let columns = &summary.partition;
    let mut reads = vec![summary];
    while let Some(reader) = reads.pop() {
        let found = reader.reads_sources.iter().any(|source| {
            let known = &sources[*source].partition;
            columns.iter().all(|name| known.iter().any(|(column, _)| column == name))
        });
        if found {
            return true;
        }
        reads.extend(reader.reads_summaries.iter().map(|lower| &all[*lower]));
    }
    columns.is_empty()
}

impl Source {
    fn load(
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
        let invalidates = entry.invalidates.map(|entry| (entry.summary, entry.on));
        if let Some((summary, on)) = &invalidates {
            if !summaries.contains_key(summary) {
                return Err(format!("{at}.invalidates names summary '{summary}', which does not exist"));
            }
            if on.is_empty() {
                return Err(format!("{at}.invalidates.on is empty: name the columns that both have"));
            }
        }
        let mut log: Vec<String> = match &invalidates {
            Some((_, on)) if partition.is_empty() => on.clone(),
            _ => partition.iter().map(|(column, _)| column.clone()).collect(),
        };
        for column in entry.log.unwrap_or_default() {
            if !log.contains(&column) {
                log.push(column);
            }
        }
        Ok(Self {
            table: entry.table.unwrap_or_else(|| name.clone()),
            partition,
            track,
            log,
            invalidates,
            totals: entry.totals.into_iter().collect(),
            indexes: entry.indexes,
            name,
        })
    }
}

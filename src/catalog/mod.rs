//! What the DBA wrote, loaded and validated: sets, their sources, summaries in tier order, and scripts.
//! Reads files, never a database.

pub mod files;
pub mod lexer;
pub mod manifest;
pub mod script;
mod tiers;
mod views;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::engine::{self, Dialect};
use crate::error::Failure;
use files::{Files, MANIFEST, Tree};
pub use manifest::Kind;
use manifest::{
    CheckEntry, ConserveEntry, IndexEntry, ManifestFile, Partition, SourceEntry, SummaryEntry, TrackEntry,
};
use script::Script;

use crate::schedule::{Clock, Keep, Schedule};
use tiers::{Around, Draft, in_tier_order};

/// Columns that dashagg sets on its own when the table has them, whether or not the manifest says so.
const STAMPS: [&str; 1] = ["updated_at"];

/// All sets.
#[derive(Debug)]
pub struct Catalog {
    /// In order of their names.
    pub sets: Vec<Set>,
    /// Sets that are made for other engines: name and those engines.
    pub elsewhere: Vec<(String, Vec<String>)>,
}

/// One dashboard's summaries, maintained together.
#[derive(Debug, Clone)]
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
    /// Change triggers wake `refresh --watch`.
    pub notify: bool,
}

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

/// A table, or a materialized view, whose content one SELECT defines.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Name in the manifest.
    pub name: String,
    /// What it is in the database.
    pub kind: Kind,
    /// Its schema; `None`: the connection's own.
    pub schema: Option<String>,
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
    /// A refresh that takes longer is stale.
    pub max_duration: Option<Duration>,
    /// Larger than this many bytes is stale.
    pub max_bytes: Option<u64>,
    /// When `refresh --due` refreshes it.
    pub schedule: Option<Schedule>,
    /// How its content moves with the clock, if it does.
    pub clock: Option<Clock>,
    /// How far back its partitions reach.
    pub keep: Option<Keep>,
    /// The first partition value that is kept, once a run has fixed its date.
    pub kept_from: Option<String>,
    /// Has a view that is always equal to the SELECT as of now.
    pub live: bool,
    /// Users or roles that may read it.
    pub readers: Vec<String>,
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
        let mut catalog = Self { sets: Vec::new(), elsewhere: Vec::new() };
        for (name, files) in &tree.sets {
            let location = format!("{}/{name}", tree.origin);
            let manifest = read_manifest(&location, files)?;
            if manifest.engines.is_empty() || manifest.engines.iter().any(|engine| engine == dialect.name()) {
                catalog.sets.push(Set::load(name, &location, manifest, files, dialect)?);
            } else {
                catalog.elsewhere.push((name.clone(), manifest.engines));
            }
        }
        Ok(catalog)
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
                if let Some((name, engines)) = self.elsewhere.iter().find(|(name, _)| name == set_name) {
                    return Err(Failure::usage(format!("set {name} is made for {}", engines.join(", ")))
                        .hint("connect to such a database, or add this engine to the set's manifest and scripts")
                        .into());
                }
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
#[derive(Debug, Clone)]
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

    /// The units of the set of which any summary was asked for: what publishes together is selected together.
    pub fn units(&self) -> Vec<Vec<usize>> {
        let mut units = self.set.units();
        units.retain(|unit| unit.iter().any(|index| self.includes(*index)));
        units
    }
}

fn read_manifest(location: &str, files: &Files) -> Result<ManifestFile, Failure> {
    let text = files.get(MANIFEST).map(String::as_str).unwrap_or_default();
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| format!(":{}", text[..span.start.min(text.len())].matches('\n').count() + 1))
            .unwrap_or_default();
        Failure::usage(format!("{location}/{MANIFEST}{line}: {}", error.message().trim()))
    })
}

impl Set {
    fn load(
        name: &str,
        location: &str,
        manifest: ManifestFile,
        files: &Files,
        dialect: &dyn Dialect,
    ) -> Result<Self> {
        let manifest_path = format!("{location}/{MANIFEST}");
        let bad = |message: String| Failure::usage(format!("{manifest_path}: {message}"));
        for engine in &manifest.engines {
            if !engine::NAMES.contains(&engine.as_str()) {
                return Err(
                    bad(format!("engines: '{engine}' is none of {}", engine::NAMES.join(", "))).into()
                );
            }
        }
        if manifest.schema.is_some() && !dialect.has_schemas() {
            return Err(bad(format!("schema: {} has no schemas inside a database", dialect.name())).into());
        }
        let schema = manifest.schema.clone();

        let mut sources = Vec::new();
        for (name, entry) in manifest.sources {
            let source = Source::load(name, entry, &manifest.summaries).map_err(&bad)?;
            sources.push(Source { schema: schema.clone(), ..source });
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
        let views: Vec<String> = manifest
            .summaries
            .iter()
            .filter(|(_, entry)| entry.kind == Kind::MaterializedView)
            .map(|(name, _)| name.clone())
            .collect();
        let around = Around {
            location,
            files,
            scripts: &scripts,
            dialect,
            sources: &sources,
            tables: &tables,
            schema,
            views: &views,
        };
        let mut pending = Vec::new();
        for (name, entry) in manifest.summaries {
            pending.push(Draft::load(&name, entry, &around)?);
        }
        let summaries = in_tier_order(pending, &sources).map_err(bad)?;
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
            notify: manifest.notify,
        })
    }

    /// The groups of summaries that publish together: all tables, then each materialized view with those that it
    /// is connected to. Indexes into [`Set::summaries`], in tier order.
    pub fn units(&self) -> Vec<Vec<usize>> {
        let of_kind =
            |kind: Kind| (0..self.summaries.len()).filter(move |at| self.summaries[*at].kind == kind);
        let tables: Vec<usize> = of_kind(Kind::Table).collect();
        let mut units: Vec<Vec<usize>> = Vec::new();
        for index in of_kind(Kind::MaterializedView) {
            let reads = &self.summaries[index].reads_summaries;
            let (mut joined, rest): (Vec<_>, Vec<_>) =
                units.into_iter().partition(|unit| unit.iter().any(|member| reads.contains(member)));
            let mut unit: Vec<usize> = joined.drain(..).flatten().collect();
            unit.push(index);
            units = rest;
            units.push(unit);
        }
        for unit in &mut units {
            unit.sort_unstable();
        }
        units.sort();
        if !tables.is_empty() {
            units.insert(0, tables);
        }
        units
    }

    /// The set as if it had only these summaries, and the sources that they need.
    pub fn part(&self, members: &[usize]) -> Set {
        let names: Vec<&str> = members.iter().map(|at| self.summaries[*at].name.as_str()).collect();
        let kept: Vec<usize> = (0..self.sources.len())
            .filter(|at| {
                members.iter().any(|member| self.summaries[*member].reads_sources.contains(at))
                    || self.sources[*at]
                        .invalidates
                        .as_ref()
                        .is_some_and(|(name, _)| names.contains(&name.as_str()))
            })
            .collect();
        let place = |list: &[usize], old: usize| list.iter().position(|other| *other == old);
        let summaries = members
            .iter()
            .map(|at| {
                let summary = &self.summaries[*at];
                Summary {
                    reads_summaries: summary
                        .reads_summaries
                        .iter()
                        .filter_map(|old| place(members, *old))
                        .collect(),
                    reads_sources: summary
                        .reads_sources
                        .iter()
                        .filter_map(|old| place(&kept, *old))
                        .collect(),
                    against: match summary.against {
                        Against::Source(old) => place(&kept, old).map_or(Against::Nothing, Against::Source),
                        Against::Summary(old) => {
                            place(members, old).map_or(Against::Nothing, Against::Summary)
                        }
                        Against::Nothing => Against::Nothing,
                    },
                    ..summary.clone()
                }
            })
            .collect();
        Set { summaries, sources: kept.iter().map(|at| self.sources[*at].clone()).collect(), ..self.clone() }
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

impl Summary {
    /// The table's full name, as statements spell it.
    pub fn target(&self, dialect: &dyn Dialect, own_schema: &str) -> String {
        dialect.qualify(self.schema_in(own_schema), &self.table)
    }

    /// Whether a partition has left the summary.
    pub fn has_expired(&self, partition: &[Option<String>]) -> bool {
        let first = partition.first().and_then(|value| value.as_deref());
        self.kept_from.as_deref().zip(first).is_some_and(|(kept, value)| value < kept)
    }

    /// Its schema, given the connection's own.
    pub fn schema_in<'a>(&'a self, own_schema: &'a str) -> &'a str {
        self.schema.as_deref().unwrap_or(own_schema)
    }
}

impl Source {
    /// The table's name, as statements spell it.
    pub fn sql(&self, dialect: &dyn Dialect) -> String {
        match &self.schema {
            Some(schema) => dialect.qualify(schema, &self.table),
            None => dialect.quote(&self.table),
        }
    }

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
            schema: None,
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

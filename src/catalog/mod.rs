//! What the DBA wrote, loaded and validated: sets, their sources, summaries in tier order, and scripts.
//! Reads files, never a database.

mod draft;
pub mod files;
pub mod manifest;
mod parts;
pub mod script;
mod source;
mod tiers;
mod views;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::checksum;
use crate::engine::{self, Dialect};
use crate::error::Failure;
use crate::renamed;
use files::{Files, MANIFEST, Tree};
pub use manifest::Kind;
use manifest::{CheckEntry, ManifestFile, ReconcileEntry, SummaryEntry};
pub use parts::Selected;
use script::Script;
pub use source::{MAX_NOTES, Method, Source};

use crate::schedule::{Clock, Keep, Schedule};
pub(crate) use crate::sql_text as lexer;
use draft::{Around, Draft};
use tiers::in_tier_order;

/// What a live view's name adds to its table's.
pub const LIVE: &str = "_live";

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

/// What a summary's reconciled sums are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Nothing to compare with.
    Nothing,
    /// The totals of a source (index into [`Set::sources`]).
    Source(usize),
    /// The reconciled sums of a lower tier (index into [`Set::summaries`]).
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
    pub recompute_by: Vec<String>,
    /// Sums that must agree.
    pub reconcile: Vec<ReconcileEntry>,
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
    pub time_dependent: Option<Clock>,
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

fn read_manifest(location: &str, files: &Files) -> Result<ManifestFile, Failure> {
    let text = files.get(MANIFEST).map(String::as_str).unwrap_or_default();
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| format!(":{}", text[..span.start.min(text.len())].matches('\n').count() + 1))
            .unwrap_or_default();
        let message = error.message().trim();
        let failure = Failure::usage(format!("{location}/{MANIFEST}{line}: {message}"));
        match renamed::hint(message, renamed::MANIFEST) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
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
        let bad = |message: String| Failure::usage(format!("{location}/{MANIFEST}: {message}"));
        fits_engine(&manifest, dialect).map_err(bad)?;
        let schema = manifest.schema.clone();
        let mut sources = Vec::new();
        for (name, entry) in manifest.sources {
            let source = Source::load(name, entry, &manifest.summaries).map_err(bad)?;
            sources.push(Source { schema: schema.clone(), ..source });
        }
        let tables = tables(&manifest.summaries).map_err(bad)?;
        let scripts = scripts(location, files, dialect)?;
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
        if let Some(summary) = summaries.iter().find(|summary| !has_partitions(summary, &summaries, &sources))
        {
            return Err(bad(format!(
                "summaries.{}: no source that it reads has the partition columns ({})",
                summary.name,
                summary.partition.join(", ")
            ))
            .hint("give the source the same `partition`, or leave it out of the summary")
            .into());
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
}

/// What the manifest asks of the engine as a whole.
fn fits_engine(manifest: &ManifestFile, dialect: &dyn Dialect) -> Result<(), String> {
    for engine in &manifest.engines {
        if !engine::NAMES.contains(&engine.as_str()) {
            return Err(format!("engines: '{engine}' is none of {}", engine::NAMES.join(", ")));
        }
    }
    if manifest.schema.is_some() && !dialect.has_schemas() {
        return Err(format!("schema: {} has no schemas inside a database", dialect.name()));
    }
    Ok(())
}

/// Name and table of every summary; no two have the same table.
fn tables(summaries: &BTreeMap<String, SummaryEntry>) -> Result<Vec<(String, String)>, String> {
    if summaries.is_empty() {
        return Err("no [summaries.…] section: there is nothing to keep".to_owned());
    }
    let tables: Vec<(String, String)> = summaries
        .iter()
        .map(|(name, entry)| (name.clone(), entry.table.clone().unwrap_or_else(|| name.clone())))
        .collect();
    for (at, (name, table)) in tables.iter().enumerate() {
        if let Some((other, _)) = tables[..at].iter().find(|(_, t)| t.eq_ignore_ascii_case(table)) {
            return Err(format!("summaries {other} and {name} name the same table {table}"));
        }
    }
    Ok(tables)
}

/// The scripts of a set for this engine, in order.
fn scripts(location: &str, files: &Files, dialect: &dyn Dialect) -> Result<Vec<Script>> {
    let folder = format!("{}/", dialect.name());
    let at = format!("{location}/{}", dialect.name());
    let mut scripts = Vec::new();
    for (path, text) in files {
        if let Some(file) = path.strip_prefix(&folder)
            && !file.contains('/')
        {
            scripts.push(Script::parse(&at, file, text)?);
        }
    }
    script::in_order(&at, scripts)
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
    /// What `recompute_by` claims, as a hash; `None`: it claims nothing.
    pub fn claim(&self) -> Option<String> {
        let text = format!("{}\n{}", self.checksum, self.recompute_by.join("\n"));
        (!self.recompute_by.is_empty()).then(|| checksum::hex(&text))
    }

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

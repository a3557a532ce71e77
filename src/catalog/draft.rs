//! A summary's section of the manifest and its SELECT, read and checked: all but its place among the tiers.

use std::time::Duration;

use anyhow::Result;

use super::files::{Files, MANIFEST};
use super::manifest::{ClockEntry, SummaryEntry};
use super::script::Script;
use super::{Against, Kind, LIVE, STAMPS, Source, Summary, lexer, views};
use crate::checksum;
use crate::engine::Dialect;
use crate::error::Failure;
use crate::schedule::{Clock, Keep, Schedule, bytes};

/// What a summary's section is read against.
pub(super) struct Around<'a> {
    /// Where the set is, for messages.
    pub location: &'a str,
    /// Its files.
    pub files: &'a Files,
    /// This engine's scripts.
    pub scripts: &'a [Script],
    /// The engine.
    pub dialect: &'a dyn Dialect,
    /// The set's sources.
    pub sources: &'a [Source],
    /// Name and table of every summary.
    pub tables: &'a [(String, String)],
    /// Schema of the set.
    pub schema: Option<String>,
    /// Names of the summaries that are materialized views.
    pub views: &'a [String],
}

/// A summary whose place among the tiers is not known yet.
pub(super) struct Draft {
    /// Name in the manifest.
    pub name: String,
    /// Its section.
    pub entry: SummaryEntry,
    /// How far back it reaches.
    pub keep: Option<Keep>,
    /// What its SELECT reads.
    pub reads: Reads,
    table: String,
    schema: Option<String>,
    select: String,
    select_file: String,
    limits: Limits,
    schedule: Option<Schedule>,
    clock: Option<Clock>,
}

impl Draft {
    /// Reads one section.
    ///
    /// # Errors
    /// What is wrong with it (exit code 2), naming file and key.
    pub fn load(name: &str, entry: SummaryEntry, around: &Around<'_>) -> Result<Self, Failure> {
        let Around { location, dialect, .. } = *around;
        let at = format!("{location}/{MANIFEST}: summaries.{name}");
        let bad = |message: String| Failure::usage(format!("{at}: {message}"));
        let table = entry.table.clone().unwrap_or_else(|| name.to_owned());
        if let Some(long) = dialect.too_long(&table) {
            return Err(bad(format!("table: {long}")));
        }
        if let Some(long) = entry.live.then(|| dialect.too_long(&format!("{table}{LIVE}"))).flatten() {
            return Err(bad(format!("live: the view's name {long}")).hint("give the table a shorter name"));
        }
        let (file, select) = defining_select(&entry, &table, around).map_err(bad)?;
        check_columns(&entry).map_err(bad)?;
        let limits = Limits::read(&entry).map_err(bad)?;
        let schedule =
            Schedule::parse(entry.every.as_deref(), entry.at.as_deref(), entry.timezone.as_deref())
                .map_err(bad)?;
        let clock = clock(&entry).map_err(bad)?;
        let keep = keep(&entry).map_err(bad)?;
        if entry.kind == Kind::MaterializedView {
            refuse_on_a_view(&entry, dialect).map_err(bad)?;
        }
        let select_file = format!("{location}/{file}");
        let reads = Reads::of(&select, &select_file, around)?;
        refuse_mixed_kinds(entry.kind, &reads, around)
            .map_err(|message| bad(message).hint("make both tables, or both materialized views"))?;
        let has_with = || lexer::has_with(&select, dialect.lex_rules());
        if !reads.summaries.is_empty() && has_with() && !dialect.nested_with_sees_shadow() {
            return Err(Failure::usage(format!(
                "{select_file}: reads another summary and has a WITH clause of its own; on this engine the \
                 inner WITH would read the published rows instead of the staged ones"
            ))
            .hint("write the WITH parts as subqueries"));
        }
        let (name, schema) = (name.to_owned(), around.schema.clone());
        Ok(Self { name, entry, keep, reads, table, schema, select, select_file, limits, schedule, clock })
    }

    /// The summary, once its place is known: its tier, the summaries that it reads there, and what its sums are
    /// measured against.
    pub fn placed(self, tier: u32, reads_summaries: Vec<usize>, against: Against) -> Summary {
        let entry = self.entry;
        Summary {
            checksum: checksum::of_file(&self.select),
            name: self.name,
            kind: entry.kind,
            schema: self.schema,
            table: self.table,
            tier,
            select: self.select,
            select_file: self.select_file,
            key: entry.key,
            partition: entry.partition,
            recompute_by: entry.recompute_by,
            reconcile: entry.reconcile,
            against,
            checks: entry.checks,
            max_shrink: self.limits.max_shrink,
            ignore: entry.ignore.into_iter().chain(STAMPS.iter().map(|name| (*name).to_owned())).collect(),
            max_age: self.limits.max_age,
            max_duration: self.limits.max_duration,
            max_bytes: self.limits.max_bytes,
            schedule: self.schedule,
            time_dependent: self.clock,
            keep: self.keep,
            kept_from: None,
            live: entry.live,
            readers: entry.readers,
            reads_summaries,
            reads_sources: self.reads.sources,
        }
    }
}

/// What a SELECT reads.
pub(super) struct Reads {
    /// Indexes into [`super::Set::sources`].
    pub sources: Vec<usize>,
    /// Names of summaries.
    pub summaries: Vec<String>,
}

impl Reads {
    /// Finds it in a SELECT.
    ///
    /// # Errors
    /// A table that the set does not know, or that is named in a way that it cannot be replaced by.
    fn of(select: &str, file: &str, around: &Around<'_>) -> Result<Self, Failure> {
        let mut reads = Self { sources: Vec::new(), summaries: Vec::new() };
        for (schema, table) in lexer::tables_read(select, around.dialect.lex_rules()) {
            let as_summary = around.tables.iter().find(|(_, t)| t.eq_ignore_ascii_case(&table));
            let as_source = around.sources.iter().position(|s| s.table.eq_ignore_ascii_case(&table));
            if as_summary.is_none()
                && let Some(wanted) = around.schema.as_ref().filter(|_| schema.is_none())
            {
                return Err(Failure::usage(format!(
                    "{file}: reads {table} without its schema; write {wanted}.{table}"
                )));
            }
            match (as_summary, as_source) {
                (Some((other, _)), _) if schema.is_some() => {
                    return Err(Failure::usage(format!(
                        "{file}: reads {}.{table}, the table of summary {other}, by its qualified name; \
                         name it plainly, so that it can be computed from staged rows",
                        schema.unwrap_or_default()
                    )));
                }
                (Some((other, _)), _) => reads.summaries.push(other.clone()),
                (None, Some(index)) => reads.sources.push(index),
                (None, None) => {
                    return Err(Failure::usage(format!(
                        "{file}: reads table '{table}', which {MANIFEST} does not declare"
                    ))
                    .hint(format!("add [sources.{table}], so that its changes are not missed")));
                }
            }
        }
        Ok(reads)
    }
}

/// How much a refresh may take away, and how old, long and large a summary may become.
struct Limits {
    max_shrink: Option<f64>,
    max_age: Option<Duration>,
    max_duration: Option<Duration>,
    max_bytes: Option<u64>,
}

impl Limits {
    fn read(entry: &SummaryEntry) -> Result<Self, String> {
        if let Some(share) = entry.max_shrink
            && !(0.0..=1.0).contains(&share)
        {
            return Err(format!("max_shrink = {share}: a share lies between 0 and 1"));
        }
        let span = |key: &str, text: &Option<String>| text.as_ref().map(|text| span(key, text)).transpose();
        Ok(Self {
            max_shrink: entry.max_shrink,
            max_age: span("max_age", &entry.max_age)?,
            max_duration: span("max_duration", &entry.max_duration)?,
            max_bytes: entry.max_bytes.as_deref().map(bytes).transpose()?,
        })
    }
}

fn span(key: &str, text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("{key} = \"{text}\": write a duration such as \"26h\""))
}

/// How a summary's content moves with the clock.
fn clock(entry: &SummaryEntry) -> Result<Option<Clock>, String> {
    match &entry.time_dependent {
        None => Ok(None),
        Some(ClockEntry::Every(text)) => Ok(Some(Clock::Every(span("time_dependent", text)?))),
        Some(ClockEntry::Midnight { midnight }) => Clock::midnight(midnight).map(Some),
    }
}

fn keep(entry: &SummaryEntry) -> Result<Option<Keep>, String> {
    let keep = entry.keep.as_deref().map(Keep::parse).transpose()?;
    if keep.is_some() && (entry.partition.is_empty() || entry.kind != Kind::Table) {
        return Err("keep needs a summary table with a partition column of dates".to_owned());
    }
    Ok(keep)
}

/// The columns that identify rows, partitions and groups must fit each other.
fn check_columns(entry: &SummaryEntry) -> Result<(), String> {
    if entry.key.is_empty() {
        return Err("key is empty: name the columns that identify a row".to_owned());
    }
    if let Some(column) = entry.partition.iter().find(|column| !entry.key.contains(column)) {
        return Err(format!(
            "partition column '{column}' is not part of the key: a row must not move between partitions"
        ));
    }
    if let Some(column) = entry.recompute_by.iter().find(|column| !entry.key.contains(column)) {
        return Err(format!("recompute_by column '{column}' is not part of the key"));
    }
    if let Some(column) = entry
        .partition
        .iter()
        .find(|column| !entry.recompute_by.is_empty() && !entry.recompute_by.contains(column))
    {
        return Err(format!("recompute_by lacks the partition column '{column}'"));
    }
    Ok(())
}

/// Tables and materialized views do not read each other.
fn refuse_mixed_kinds(kind: Kind, reads: &Reads, around: &Around<'_>) -> Result<(), String> {
    let is_view = |name: &String| around.views.contains(name);
    if kind == Kind::Table && reads.summaries.iter().any(is_view) {
        return Err(
            "a summary table cannot read a materialized view: the two would not publish together".to_owned()
        );
    }
    if kind == Kind::MaterializedView && !reads.summaries.iter().all(is_view) {
        return Err(
            "a materialized view cannot read a summary table: the two would not publish together".to_owned()
        );
    }
    Ok(())
}

/// The SELECT that defines a summary, and the file that holds it.
fn defining_select(
    entry: &SummaryEntry,
    table: &str,
    around: &Around<'_>,
) -> Result<(String, String), String> {
    let Around { location, dialect, .. } = *around;
    let rules = dialect.lex_rules();
    let Some(name) = &entry.select else {
        if entry.kind == Kind::Table {
            return Err("select is missing: name the file of its SELECT".to_owned());
        }
        return views::definition(around.scripts, around.schema.as_deref(), table, rules)
            .map(|(file, select)| (format!("{}/{file}", dialect.name()), select))
            .ok_or_else(|| {
                format!(
                    "no script in {location}/{} says CREATE MATERIALIZED VIEW {table} AS …",
                    dialect.name()
                )
            });
    };
    if entry.kind == Kind::MaterializedView {
        return Err(
            "select: leave it out; the SELECT of a materialized view is the one in its script".to_owned()
        );
    }
    let own = name
        .strip_suffix(".sql")
        .map(|stem| format!("{stem}.{}.sql", dialect.name()))
        .filter(|file| around.files.contains_key(file));
    let file = own.unwrap_or_else(|| name.clone());
    let Some(text) = around.files.get(&file) else {
        return Err(format!("select = \"{file}\": there is no such file in {location}"));
    };
    let select = lexer::without_semicolon(&checksum::normalised(text), rules)
        .ok_or_else(|| format!("{location}/{file}: must hold exactly one SELECT"))?;
    Ok((file, select))
}

/// Keys of a section that mean nothing for a materialized view.
fn refuse_on_a_view(entry: &SummaryEntry, dialect: &dyn Dialect) -> Result<(), String> {
    if !dialect.has_materialized_views() {
        return Err(format!("kind: {} has no materialized views; list the set's `engines`", dialect.name()));
    }
    let meaningless = [
        ("partition", !entry.partition.is_empty()),
        ("recompute_by", !entry.recompute_by.is_empty()),
        ("live", entry.live),
    ];
    match meaningless.iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(format!("{key}: a materialized view is always refreshed as a whole")),
        None => Ok(()),
    }
}

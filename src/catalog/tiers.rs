//! Summaries as they are read: each SELECT and what it names, then all of them in tier order.

use std::time::Duration;

use anyhow::Result;

use super::files::{Files, MANIFEST};
use super::manifest::{ClockEntry, SummaryEntry};
use super::script::Script;
use super::{Against, Kind, STAMPS, Source, Summary, lexer, views};
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

impl Around<'_> {
    fn is_view(&self, name: &String) -> bool {
        self.views.contains(name)
    }
}

/// A summary whose place among the tiers is not known yet.
pub(super) struct Draft {
    name: String,
    table: String,
    entry: SummaryEntry,
    select: String,
    select_file: String,
    schema: Option<String>,
    max_age: Option<Duration>,
    max_duration: Option<Duration>,
    max_bytes: Option<u64>,
    schedule: Option<Schedule>,
    clock: Option<Clock>,
    keep: Option<Keep>,
    reads_sources: Vec<usize>,
    reads: Vec<String>,
}

impl Draft {
    pub(super) fn load(name: &str, entry: SummaryEntry, around: &Around<'_>) -> Result<Self> {
        let Around { location, dialect, sources, tables, .. } = *around;
        let at = format!("{location}/{MANIFEST}: summaries.{name}");
        let bad = |message: String| Failure::usage(format!("{at}: {message}"));
        let rules = dialect.lex_rules();
        let table = entry.table.clone().unwrap_or_else(|| name.to_owned());
        let (file, select) = defining_select(&entry, &table, around).map_err(&bad)?;
        if entry.key.is_empty() {
            return Err(bad("key is empty: name the columns that identify a row".into()).into());
        }
        if let Some(column) = entry.partition.iter().find(|column| !entry.key.contains(column)) {
            return Err(bad(format!(
                "partition column '{column}' is not part of the key: a row must not move between partitions"
            ))
            .into());
        }
        if let Some(column) = entry.recompute_by.iter().find(|column| !entry.key.contains(column)) {
            return Err(bad(format!("recompute_by column '{column}' is not part of the key")).into());
        }
        if let Some(column) = entry
            .partition
            .iter()
            .find(|column| !entry.recompute_by.is_empty() && !entry.recompute_by.contains(column))
        {
            return Err(bad(format!("recompute_by lacks the partition column '{column}'")).into());
        }
        if let Some(share) = entry.max_shrink
            && !(0.0..=1.0).contains(&share)
        {
            return Err(bad(format!("max_shrink = {share}: a share lies between 0 and 1")).into());
        }
        let span = |key: &str, text: Option<&String>| {
            text.map(|text| {
                humantime::parse_duration(text)
                    .map_err(|_| bad(format!("{key} = \"{text}\": write a duration such as \"26h\"")))
            })
            .transpose()
        };
        let max_age = span("max_age", entry.max_age.as_ref())?;
        let max_duration = span("max_duration", entry.max_duration.as_ref())?;
        let max_bytes = entry.max_bytes.as_deref().map(bytes).transpose().map_err(&bad)?;
        let schedule =
            Schedule::parse(entry.every.as_deref(), entry.at.as_deref(), entry.timezone.as_deref())
                .map_err(&bad)?;
        let clock = match &entry.time_dependent {
            None => None,
            Some(ClockEntry::Every(text)) => {
                Some(Clock::Every(span("time_dependent", Some(text))?.unwrap_or_default()))
            }
            Some(ClockEntry::Midnight { midnight }) => Some(Clock::midnight(midnight).map_err(&bad)?),
        };
        let keep = entry.keep.as_deref().map(Keep::parse).transpose().map_err(&bad)?;
        if keep.is_some() && (entry.partition.is_empty() || entry.kind != Kind::Table) {
            return Err(bad("keep needs a summary table with a partition column of dates".into()).into());
        }
        if entry.kind == Kind::MaterializedView {
            refuse_on_a_view(&entry, dialect).map_err(&bad)?;
        }

        let mut reads_sources = Vec::new();
        let mut reads = Vec::new();
        for (schema, table) in lexer::tables_read(&select, rules) {
            let as_summary = tables.iter().find(|(_, t)| t.eq_ignore_ascii_case(&table));
            let as_source = sources.iter().position(|s| s.table.eq_ignore_ascii_case(&table));
            if as_summary.is_none()
                && let Some(wanted) = around.schema.as_ref().filter(|_| schema.is_none())
            {
                return Err(Failure::usage(format!(
                    "{location}/{file}: reads {table} without its schema; write {wanted}.{table}"
                ))
                .into());
            }
            match (as_summary, as_source) {
                (Some((other, _)), _) if schema.is_some() => {
                    return Err(Failure::usage(format!(
                        "{location}/{file}: reads {}.{table}, the table of summary {other}, by its qualified name; \
                         name it plainly, so that it can be computed from staged rows",
                        schema.unwrap_or_default()
                    ))
                    .into());
                }
                (Some((other, _)), _) => reads.push(other.clone()),
                (None, Some(index)) => reads_sources.push(index),
                (None, None) => {
                    return Err(Failure::usage(format!(
                        "{location}/{file}: reads table '{table}', which {MANIFEST} does not declare"
                    ))
                    .hint(format!("add [sources.{table}], so that its changes are not missed"))
                    .into());
                }
            }
        }
        let views = |name: &String| around.is_view(name);
        if entry.kind == Kind::Table && reads.iter().any(views) {
            return Err(bad(
                "a summary table cannot read a materialized view: the two would not publish together".into(),
            )
            .hint("make both tables, or both materialized views")
            .into());
        }
        if entry.kind == Kind::MaterializedView && !reads.iter().all(views) {
            return Err(bad(
                "a materialized view cannot read a summary table: the two would not publish together".into(),
            )
            .hint("make both tables, or both materialized views")
            .into());
        }
        if !reads.is_empty() && lexer::has_with(&select, rules) && !dialect.nested_with_sees_shadow() {
            return Err(Failure::usage(format!(
                "{location}/{file}: reads another summary and has a WITH clause of its own; on this engine the \
                 inner WITH would read the published rows instead of the staged ones"
            ))
            .hint("write the WITH parts as subqueries")
            .into());
        }
        Ok(Self {
            table,
            schema: around.schema.clone(),
            name: name.to_owned(),
            select,
            select_file: format!("{location}/{file}"),
            max_age,
            max_duration,
            max_bytes,
            schedule,
            clock,
            keep,
            reads_sources,
            reads,
            entry,
        })
    }
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

/// Lowest tier first; inside a tier by name.
pub(super) fn in_tier_order(mut pending: Vec<Draft>, sources: &[Source]) -> Result<Vec<Summary>, String> {
    let mut done: Vec<Summary> = Vec::new();
    let mut tier = 1;
    while !pending.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|draft| draft.reads.iter().all(|r| done.iter().any(|s| s.name == *r)));
        if ready.is_empty() {
            let names: Vec<String> = rest.iter().map(|draft| draft.name.clone()).collect();
            return Err(format!("summaries {} read each other in a circle", names.join(", ")));
        }
        for draft in ready {
            let reads_summaries: Vec<usize> =
                draft.reads.iter().filter_map(|name| done.iter().position(|s| s.name == *name)).collect();
            for lower in reads_summaries.iter().map(|lower| &done[*lower]) {
                if let Some(below) = lower.keep
                    && !draft.keep.is_some_and(|own| below.covers(own))
                {
                    return Err(format!(
                        "summaries.{}.keep: it reads {}, which keeps less; what that has dropped would be lost here",
                        draft.name, lower.name
                    ));
                }
            }
            let against = if draft.entry.reconcile.is_empty() {
                Against::Nothing
            } else if let Some(lower) =
                reads_summaries.iter().find(|lower| !done[**lower].reconcile.is_empty())
            {
                Against::Summary(*lower)
            } else {
                draft
                    .reads_sources
                    .iter()
                    .find(|index| !sources[**index].totals.is_empty())
                    .map_or(Against::Nothing, |index| Against::Source(*index))
            };
            done.push(Summary {
                checksum: checksum::of_file(&draft.select),
                name: draft.name,
                kind: draft.entry.kind,
                schema: draft.schema,
                table: draft.table,
                tier,
                select: draft.select,
                select_file: draft.select_file,
                key: draft.entry.key,
                partition: draft.entry.partition,
                recompute_by: draft.entry.recompute_by,
                reconcile: draft.entry.reconcile,
                against,
                checks: draft.entry.checks,
                max_shrink: draft.entry.max_shrink,
                ignore: draft
                    .entry
                    .ignore
                    .into_iter()
                    .chain(STAMPS.iter().map(|name| (*name).to_owned()))
                    .collect(),
                max_age: draft.max_age,
                max_duration: draft.max_duration,
                max_bytes: draft.max_bytes,
                schedule: draft.schedule,
                time_dependent: draft.clock,
                keep: draft.keep,
                kept_from: None,
                live: draft.entry.live,
                readers: draft.entry.readers,
                reads_summaries,
                reads_sources: draft.reads_sources,
            });
        }
        pending = rest;
        tier += 1;
    }
    Ok(done)
}

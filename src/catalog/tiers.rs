//! Summaries as they are read: each SELECT and what it names, then all of them in tier order.

use std::time::Duration;

use anyhow::Result;

use super::files::{Files, MANIFEST};
use super::manifest::SummaryEntry;
use super::{Against, STAMPS, Source, Summary, lexer};
use crate::checksum;
use crate::engine::Dialect;
use crate::error::Failure;

/// A summary whose place among the tiers is not known yet.
pub(super) struct Draft {
    name: String,
    table: String,
    entry: SummaryEntry,
    select: String,
    select_file: String,
    max_age: Option<Duration>,
    reads_sources: Vec<usize>,
    reads: Vec<String>,
}

impl Draft {
    pub(super) fn load(
        name: &str,
        entry: SummaryEntry,
        location: &str,
        files: &Files,
        dialect: &dyn Dialect,
        sources: &[Source],
        tables: &[(String, String)],
    ) -> Result<Self> {
        let at = format!("{location}/{MANIFEST}: summaries.{name}");
        let bad = |message: String| Failure::usage(format!("{at}: {message}"));
        let own = entry
            .select
            .strip_suffix(".sql")
            .map(|stem| format!("{stem}.{}.sql", dialect.name()))
            .filter(|file| files.contains_key(file));
        let file = own.unwrap_or_else(|| entry.select.clone());
        let Some(text) = files.get(&file) else {
            return Err(bad(format!("select = \"{file}\": there is no such file in {location}")).into());
        };
        let rules = dialect.lex_rules();
        let text = checksum::normalised(text);
        let Some(select) = lexer::without_semicolon(&text, rules) else {
            return Err(Failure::usage(format!("{location}/{file}: must hold exactly one SELECT")).into());
        };
        if entry.key.is_empty() {
            return Err(bad("key is empty: name the columns that identify a row".into()).into());
        }
        if let Some(column) = entry.partition.iter().find(|column| !entry.key.contains(column)) {
            return Err(bad(format!(
                "partition column '{column}' is not part of the key: a row must not move between partitions"
            ))
            .into());
        }
        if let Some(column) = entry.grain.iter().find(|column| !entry.key.contains(column)) {
            return Err(bad(format!("grain column '{column}' is not part of the key")).into());
        }
        if let Some(column) =
            entry.partition.iter().find(|column| !entry.grain.is_empty() && !entry.grain.contains(column))
        {
            return Err(bad(format!("grain lacks the partition column '{column}'")).into());
        }
        if let Some(share) = entry.max_shrink
            && !(0.0..=1.0).contains(&share)
        {
            return Err(bad(format!("max_shrink = {share}: a share lies between 0 and 1")).into());
        }
        let max_age = entry
            .max_age
            .as_deref()
            .map(|text| {
                humantime::parse_duration(text)
                    .map_err(|_| bad(format!("max_age = \"{text}\": write a duration such as \"26h\"")))
            })
            .transpose()?;

        let mut reads_sources = Vec::new();
        let mut reads = Vec::new();
        for (schema, table) in lexer::tables_read(&select, rules) {
            let as_summary = tables.iter().find(|(_, t)| t.eq_ignore_ascii_case(&table));
            let as_source = sources.iter().position(|s| {
                s.table.eq_ignore_ascii_case(&table)
                    || schema
                        .as_ref()
                        .is_some_and(|schema| s.table.eq_ignore_ascii_case(&format!("{schema}.{table}")))
            });
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
        if !reads.is_empty() && lexer::has_with(&select, rules) && !dialect.nested_with_sees_shadow() {
            return Err(Failure::usage(format!(
                "{location}/{file}: reads another summary and has a WITH clause of its own; on this engine the \
                 inner WITH would read the published rows instead of the staged ones"
            ))
            .hint("write the WITH parts as subqueries")
            .into());
        }
        Ok(Self {
            table: entry.table.clone().unwrap_or_else(|| name.to_owned()),
            name: name.to_owned(),
            select,
            select_file: format!("{location}/{file}"),
            max_age,
            reads_sources,
            reads,
            entry,
        })
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
            let against = if draft.entry.conserve.is_empty() {
                Against::Nothing
            } else if let Some(lower) =
                reads_summaries.iter().find(|lower| !done[**lower].conserve.is_empty())
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
                table: draft.table,
                tier,
                select: draft.select,
                select_file: draft.select_file,
                key: draft.entry.key,
                partition: draft.entry.partition,
                grain: draft.entry.grain,
                conserve: draft.entry.conserve,
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
                reads_summaries,
                reads_sources: draft.reads_sources,
            });
        }
        pending = rest;
        tier += 1;
    }
    Ok(done)
}

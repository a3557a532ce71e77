//! Live views: `<table>_live` returns the published rows of every partition that nothing waits for, and the SELECT
//! over raw rows for those that something waits for. One statement sees one snapshot, in which each committed change
//! has either a note or a publish that covers it: so the view always equals a recompute, whatever is claimed or being
//! published meanwhile.

use anyhow::Result;

use crate::catalog::{Kind, LIVE, Method, Set, Source, Summary};
use crate::engine::names::{self, GRAIN};
use crate::engine::{Column, Dialect, Engine, ErrorClass, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect::{self, BoundSummary};
use crate::ledger::publication;
use crate::tracking;

/// The view's name.
pub(crate) fn name(summary: &Summary) -> String {
    format!("{}{LIVE}", summary.table)
}

/// Whether every live view of a set is there and can be read.
pub(crate) async fn all_work(engine: &mut dyn Engine, set: &Set) -> bool {
    let own = engine.server().schema.clone();
    for summary in set.summaries.iter().filter(|summary| summary.live) {
        let view = engine.dialect().qualify(summary.schema_in(&own), &name(summary));
        if engine.query(&format!("SELECT 1 FROM {view} WHERE 1 = 0")).await.is_err() {
            return false;
        }
    }
    true
}

/// Makes, or makes anew, the live views of a set.
///
/// # Errors
/// A summary that cannot have one (exit code 2); whatever the server says.
pub(crate) async fn apply(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let mut made = Vec::new();
    for (view, statements) in sql(engine, set).await? {
        // In a transaction that gives up waiting: behind a reader that stays, all others would queue up.
        let whole = engine.dialect().transactional_ddl();
        if whole {
            engine.begin(Tx::Write).await?;
        }
        for statement in statements {
            if let Err(error) = engine.execute(&statement).await {
                let _ = engine.rollback().await;
                return Err(match error.class {
                    ErrorClass::Transient => error.into(),
                    _ => Failure::new(ExitCode::Failed, format!("making view {view}: {error}")).into(),
                });
            }
        }
        if whole {
            engine.commit().await?;
        }
        made.push(view);
    }
    Ok(made)
}

/// Name and statements of each live view.
///
/// # Errors
/// A summary that cannot have one (exit code 2).
pub(crate) async fn sql(engine: &mut dyn Engine, set: &Set) -> Result<Vec<(String, Vec<String>)>> {
    let mut all = Vec::new();
    let tables: Vec<usize> =
        (0..set.summaries.len()).filter(|at| set.summaries[*at].kind == Kind::Table).collect();
    if !set.summaries.iter().any(|summary| summary.live) {
        return Ok(all);
    }
    let part = set.subset(&tables);
    let prepared = inspect::inspect(engine, &part).await?;
    let d = engine.dialect();
    let own = engine.server().schema.clone();
    for (index, item) in prepared.iter().enumerate().filter(|(_, item)| item.summary.live) {
        all.push((name(item.summary), definition(d, &own, &part, &prepared, index)?));
    }
    Ok(all)
}

/// What removes a summary's live view and all that belongs to it.
pub(crate) fn drop_sql(d: &dyn Dialect, own: &str, summary: &Summary) -> Vec<String> {
    let view = d.drop_view(&d.qualify(summary.schema_in(own), &name(summary)));
    std::iter::once(view).chain(d.drop_pending_list(&pending_list(d, own, summary))).collect()
}

/// What removes the live views of summaries that are to have none any more. A view of that name which is somebody
/// else's stays.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn forgotten_sql(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let own = engine.server().schema.clone();
    let d = engine.dialect();
    let mut sql = Vec::new();
    for summary in set.summaries.iter().filter(|summary| summary.kind == Kind::Table && !summary.live) {
        let asked = d.own_view_sql(summary.schema_in(&own), &name(summary));
        if engine.scalar(&asked).await?.is_some() {
            sql.extend(drop_sql(d, &own, summary));
        }
    }
    Ok(sql)
}

/// What lets a reader of a live view call the function that it calls, where there is one.
pub(super) fn grant_sql(d: &dyn Dialect, own: &str, summary: &Summary, reader: &str) -> Option<String> {
    let known = !summary.partition.is_empty();
    d.grant_pending_list(&pending_list(d, own, summary), reader).filter(|_| known)
}

/// Full name of the function that lists the partitions which wait, on engines that want one. By a hash, because a
/// name that is one suffix too long would be cut, and meet another.
fn pending_list(d: &dyn Dialect, own: &str, summary: &Summary) -> String {
    let hash = crate::checksum::hex(&summary.table);
    d.qualify(summary.schema_in(own), &names::pending(&hash[..10]))
}

/// The statements that make a live view.
fn definition(
    d: &'static dyn Dialect,
    own: &str,
    set: &Set,
    prepared: &[BoundSummary<'_>],
    index: usize,
) -> Result<Vec<String>, Failure> {
    let summary = &set.summaries[index];
    let sources = set.sources_below(index);
    refuse_unfit(set, index, &sources)?;
    let mut pending = Pending { d, own, set, summary, sources: &sources, list: None };
    let view = d.qualify(summary.schema_in(own), &name(summary));
    let mut statements = pending.make_list(&view, &prepared[index]);
    statements.extend(d.replace_view(&view, &body(&pending, prepared, index)));
    Ok(statements)
}

/// A view can follow only what triggers note: not the clock, and not what another method of tracking finds later.
fn refuse_unfit(set: &Set, index: usize, sources: &[usize]) -> Result<(), Failure> {
    let summary = &set.summaries[index];
    let refuse = |why: String| {
        Failure::usage(format!("{}/summaries.toml: summaries.{}.live: {why}", set.location, summary.name))
    };
    if summary.kind != Kind::Table || summary.keep.is_some() || summary.time_dependent.is_some() {
        return Err(refuse("needs a summary table without `keep` and `time_dependent`".to_owned()));
    }
    let below = set.below(index);
    let moves =
        below.iter().map(|at| &set.summaries[*at]).find(|s| s.keep.is_some() || s.time_dependent.is_some());
    if let Some(lower) = moves {
        return Err(refuse(format!("it reads {}, which has `keep` or `time_dependent`", lower.name)));
    }
    if let Some(source) = sources.iter().map(|at| &set.sources[*at]).find(|s| s.track != Method::Triggers) {
        return Err(refuse(format!("changes of {} are not noted by triggers", source.name)));
    }
    Ok(())
}

/// The view's SELECT: published rows of what does not wait, and the summary's own SELECT for what does.
fn body(pending: &Pending<'_>, prepared: &[BoundSummary<'_>], index: usize) -> String {
    let Pending { d, summary, .. } = *pending;
    let item = &prepared[index];
    let below = pending.set.below(index);
    let each = pending.each(&below);
    let waits = |alias: &str| if each.is_some() { pending.is_this(alias) } else { pending.is_pending(alias) };
    let lower: Vec<&BoundSummary<'_>> =
        below.iter().filter(|at| **at != index).map(|at| &prepared[*at]).collect();
    let with = lower_tiers(d, summary, &lower, &waits);
    let raw = format!("{with}SELECT * FROM (\n{}\n) s", summary.select);
    let from = match each {
        Some(list) => format!("{list} w CROSS JOIN LATERAL ({raw} WHERE {}) l", waits("s")),
        None => format!("({raw}) l WHERE {}", waits("l")),
    };
    let published: Vec<String> =
        item.columns.iter().map(|column| format!("t.{}", d.quote(&column.name))).collect();
    // The list's own columns, so that what a query asks of them spares it partitions.
    let listed = |column: &Column| each.is_some() && summary.partition.contains(&column.name);
    format!(
        "SELECT {} FROM {} t WHERE NOT ({}) UNION ALL SELECT {} FROM {from}",
        published.join(", "),
        summary.target(d, pending.own),
        pending.is_pending("t"),
        as_stored(d, item, &|column| if listed(column) { "w" } else { "l" }),
    )
}

/// CTEs that let a SELECT see the tiers below as their SELECTs make them, instead of what is published of them;
/// `waits`: the condition by which rows of an alias are in what waits.
fn lower_tiers(
    d: &dyn Dialect,
    summary: &Summary,
    lower: &[&BoundSummary<'_>],
    waits: &dyn Fn(&str) -> String,
) -> String {
    let shadows: Vec<String> = lower
        .iter()
        .map(|item| {
            let has_all = summary.partition.iter().all(|name| item.summary.partition.contains(name));
            let condition = if has_all { waits("q") } else { "1 = 1".to_owned() };
            format!(
                "{} AS (SELECT {} FROM (\n{}\n) q WHERE {condition})",
                d.quote(&item.summary.table),
                as_stored(d, item, &|_| "q"),
                item.summary.select
            )
        })
        .collect();
    if shadows.is_empty() { String::new() } else { format!("WITH {} ", shadows.join(", ")) }
}

/// A summary's columns as its table stores them, each out of the alias that it is asked for.
fn as_stored(d: &dyn Dialect, item: &BoundSummary<'_>, alias: &dyn Fn(&Column) -> &'static str) -> String {
    let cells = item.columns.iter().map(|column| {
        let name = d.quote(&column.name);
        format!("{} AS {name}", d.cast(&format!("{}.{name}", alias(column)), column))
    });
    cells.collect::<Vec<_>>().join(", ")
}

/// What waits for a publish, as SQL.
struct Pending<'a> {
    d: &'static dyn Dialect,
    own: &'a str,
    set: &'a Set,
    summary: &'a Summary,
    sources: &'a [usize],
    /// The call that lists what waits, where there is a function for it.
    list: Option<String>,
}

impl Pending<'_> {
    /// Makes the function that lists the partitions which wait, on engines that want one.
    fn make_list(&mut self, view: &str, item: &BoundSummary<'_>) -> Vec<String> {
        let summary = self.summary;
        let column = |part: &String| item.columns.iter().find(|column| column.name == *part);
        let parts: Vec<&Column> = summary.partition.iter().filter_map(column).collect();
        if parts.is_empty() || parts.len() < summary.partition.len() {
            return Vec::new();
        }
        let function = pending_list(self.d, self.own, summary);
        let Some(made) = self.d.pending_list(&function, view, &parts, &self.selects()) else {
            return Vec::new();
        };
        self.list = Some(format!("{function}()"));
        made
    }

    /// The call that lists what waits, where rows are computed partition by partition: then each is found by index,
    /// and estimated as one. `below`: the summary and every tier below it.
    fn each(&self, below: &[usize]) -> Option<&str> {
        let has_all = |at: &usize| {
            let lower = &self.set.summaries[*at];
            self.summary.partition.iter().all(|part| lower.partition.contains(part))
        };
        self.list.as_deref().filter(|_| below.iter().all(has_all))
    }

    fn notes(&self, source: &Source) -> (String, Vec<String>) {
        let spec = tracking::outline(self.set, source, self.own);
        let notes = tracking::pending_rows(self.d, &spec);
        (notes, spec.columns.iter().map(|column| column.name.clone()).collect())
    }

    fn parts(&self) -> Vec<String> {
        self.summary.partition.iter().map(|name| self.d.quote(name)).collect()
    }

    /// Whether a row of `alias` is in a partition that waits.
    fn is_pending(&self, alias: &str) -> String {
        let parts = self.parts();
        if parts.is_empty() {
            return self.anything();
        }
        let own: Vec<String> = parts.iter().map(|name| format!("{alias}.{name}")).collect();
        let waiting = match &self.list {
            Some(list) => format!("SELECT {} FROM {list} w", parts.join(", ")),
            None => self.selects(),
        };
        self.d.among(&own, &waiting)
    }

    /// Whether a row of `alias` is in the partition `w`.
    fn is_this(&self, alias: &str) -> String {
        let same: Vec<String> =
            self.parts().iter().map(|name| format!("{alias}.{name} = w.{name}")).collect();
        same.join(" AND ")
    }

    /// The SELECT of the partitions that wait, each once.
    fn selects(&self) -> String {
        let (d, parts) = (self.d, self.parts());
        let whole = self.everything();
        let target = self.summary.target(d, self.own);
        let list = parts.join(", ");
        let mut selects = vec![format!("SELECT {list} FROM {target} WHERE {whole}")];
        for at in self.sources {
            let source = &self.set.sources[*at];
            let (notes, columns) = self.notes(source);
            if source.invalidates.is_none()
                && self.summary.partition.iter().all(|name| columns.contains(name))
            {
                let known: Vec<String> = parts.iter().map(|name| format!("n.{name} IS NOT NULL")).collect();
                selects.push(format!(
                    "SELECT {} FROM {notes} n WHERE n.{GRAIN} <> 'a' AND {}",
                    parts.iter().map(|name| format!("n.{name}")).collect::<Vec<_>>().join(", "),
                    known.join(" AND ")
                ));
                // When everything waits, partitions that are not published yet count too.
                let expressions: Option<Vec<String>> = self
                    .summary
                    .partition
                    .iter()
                    .map(|name| crate::inspect::partition_expression(d, source, name))
                    .collect();
                if let Some(expressions) = expressions {
                    let from = source.sql(d);
                    selects.push(format!("SELECT {} FROM {from} WHERE {whole}", expressions.join(", ")));
                }
            } else if let Some((name, on)) = &source.invalidates
                && let Some(occurs) = self.set.summaries.iter().find(|summary| summary.name == *name)
                && on.iter().all(|name| columns.contains(name))
                && self.summary.partition.iter().all(|name| occurs.partition.contains(name))
            {
                let same: Vec<String> =
                    on.iter().map(|name| format!("o.{0} = n.{0}", d.quote(name))).collect();
                selects.push(format!(
                    "SELECT {} FROM {} o JOIN {notes} n ON {}",
                    parts.iter().map(|name| format!("o.{name}")).collect::<Vec<_>>().join(", "),
                    occurs.target(d, self.own),
                    same.join(" AND ")
                ));
            }
        }
        // The same for those that no source tells of.
        if self.summary.reads_summaries.is_empty() && inspect::may_hide_partitions(self.set, self.summary) {
            selects.push(format!("SELECT {list} FROM (\n{}\n) q WHERE {whole}", self.summary.select));
        }
        selects.join(" UNION ")
    }

    /// Whether everything waits: never built by this SELECT, or a note that names no partition.
    fn everything(&self) -> String {
        let d = self.d;
        let mut any = vec![publication::never_built(d, self.own, &self.set.name, self.summary)];
        for at in self.sources {
            let source = &self.set.sources[*at];
            let (notes, columns) = self.notes(source);
            let named = match &source.invalidates {
                Some((name, on)) => {
                    on.iter().all(|name| columns.contains(name))
                        && self.set.summaries.iter().any(|summary| {
                            summary.name == *name
                                && self.summary.partition.iter().all(|part| summary.partition.contains(part))
                        })
                }
                None => self.summary.partition.iter().all(|name| columns.contains(name)),
            };
            any.push(if named && !columns.is_empty() {
                format!("EXISTS (SELECT 1 FROM {notes} n WHERE n.{GRAIN} = 'a')")
            } else {
                self.noted(source)
            });
        }
        format!("({})", any.join(" OR "))
    }

    /// Whether anything at all waits, for a summary without partitions.
    fn anything(&self) -> String {
        let mut any = vec![self.everything()];
        any.extend(self.sources.iter().map(|at| self.noted(&self.set.sources[*at])));
        format!("({})", any.join(" OR "))
    }

    /// Whether a source has any note.
    fn noted(&self, source: &Source) -> String {
        format!("({}) = 1", self.d.noted_sql(&tracking::outline(self.set, source, self.own)))
    }
}

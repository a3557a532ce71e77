//! Claiming notes, and forgetting them in the transaction that publishes what they were about.

use anyhow::Result;

use super::coalesce::coalesce;
use super::{Changes, claimed, outline, with_any_column};
use crate::catalog::{Kind, Method, Set};
use crate::engine::names::GRAIN;
use crate::engine::statements::Slice;
use crate::engine::track::TrackSpec;
use crate::engine::{Column, Engine, Tx};
use crate::ledger::{self, publication, sources};
use crate::plan::Tuple;

/// Claims every note of every source under `token`. Commits: a run that dies afterwards leaves them claimed,
/// and the next run finds them in the work table.
///
/// # Errors
/// Whatever the server says.
pub async fn claim(
    engine: &mut dyn Engine,
    set: &Set,
    tracked: &[(Option<String>, Option<String>)],
    token: &str,
) -> Result<()> {
    let schema = engine.server().schema.clone();
    for (at, source) in set.sources.iter().enumerate().filter(|(_, source)| source.track == Method::Triggers)
    {
        let spec = outline(set, source, &schema);
        let spec = with_any_column(engine, spec, source).await?;
        let sql = engine.dialect().claim_sql(&spec, token);
        let views = readers(set, at, Kind::MaterializedView);
        if views.is_empty() {
            ledger::in_write(engine, &sql).await?;
            tidy(engine, &spec, token).await?;
            continue;
        }
        engine.begin(Tx::Write).await?;
        let told = tell_views(engine, set, at, &spec, &sql, &views, &tracked[at], token).await;
        if let Err(error) = told {
            let _ = engine.rollback().await;
            return Err(error);
        }
        engine.commit().await?;
        tidy(engine, &spec, token).await?;
    }
    Ok(())
}

/// Claims of this many notes leave room behind that is worth giving back.
const MANY: u32 = 5_000;

/// Keeps the tables of notes small.
async fn tidy(engine: &mut dyn Engine, spec: &TrackSpec, token: &str) -> Result<()> {
    let d = engine.dialect();
    if let Some(sql) = d.shrink_log_sql(spec) {
        let ours = claimed(d, &[token.to_owned()]);
        let work = d.qualify(&spec.schema, &spec.work());
        let many = MANY.min(spec.max_notes);
        let more = format!("SELECT 1 FROM {work} WHERE {ours} LIMIT 1 OFFSET {many}");
        if !engine.query(&more).await?.is_empty()
            && let Err(error) = engine.execute(&sql).await
        {
            tracing::debug!("{}: {error}", spec.log());
        }
    }
    coalesce(engine, spec, token).await
}

/// Names of the summaries of one kind that read a source.
fn readers(set: &Set, source: usize, kind: Kind) -> Vec<&str> {
    set.summaries
        .iter()
        .filter(|summary| summary.kind == kind && summary.reads_sources.contains(&source))
        .map(|summary| summary.name.as_str())
        .collect()
}

/// Claims, and counts the claim for every materialized view that reads the source: each is due until a publish
/// that began after the count has covered it. Notes that no table needs end here.
#[allow(clippy::too_many_arguments)]
async fn tell_views(
    engine: &mut dyn Engine,
    set: &Set,
    at: usize,
    spec: &TrackSpec,
    claim: &[String],
    views: &[&str],
    (witness, gap): &(Option<String>, Option<String>),
    token: &str,
) -> Result<()> {
    let d = engine.dialect();
    for sql in claim {
        engine.execute(sql).await?;
    }
    let work = d.qualify(&spec.schema, &spec.work());
    let ours = format!("FROM {work} WHERE {}", claimed(d, &[token.to_owned()]));
    let any = !engine.query(&format!("SELECT 1 {ours} LIMIT 1")).await?.is_empty();
    let left = !engine.query(&format!("SELECT 1 FROM ({}) n LIMIT 1", d.notes_sql(spec))).await?.is_empty();
    if any || left || gap.is_some() {
        engine.execute(&publication::due(d, &set.name, views)).await?;
    }
    let invalidates_table = set.sources[at].invalidates.as_ref().is_some_and(|(name, _)| {
        set.summaries.iter().any(|summary| summary.name == *name && summary.kind == Kind::Table)
    });
    let for_tables = invalidates_table || !readers(set, at, Kind::Table).is_empty();
    if !for_tables {
        if any {
            engine.execute(&format!("DELETE {ours}")).await?;
        }
        if let (Some(witness), Some(_)) = (witness, gap) {
            let sql = sources::witnessed(d, &set.name, &set.sources[at].name, witness);
            engine.execute(&sql).await?;
        }
    }
    Ok(())
}

/// Statements for the publish transaction that forget what it publishes. `only`: the partitions that were
/// published, if not all of them; notes that such a publish does not cover stay.
pub fn consume_sql(
    engine: &dyn Engine,
    set: &Set,
    changes: &[Changes],
    only: Option<(&[String], &[Tuple])>,
) -> Vec<String> {
    let d = engine.dialect();
    let mut sql = Vec::new();
    for (source, changes) in set.sources.iter().zip(changes) {
        if source.track == Method::Triggers && !changes.claims.is_empty() {
            let spec = outline(set, source, &engine.server().schema);
            let work = d.qualify(&spec.schema, &spec.work());
            let among = claimed(d, &changes.claims);
            match only {
                None => sql.push(format!("DELETE FROM {work} WHERE {among}")),
                Some((columns, tuples)) => {
                    // A dimension's note may concern partitions that were not published.
                    let covered = source.invalidates.is_none()
                        && !columns.is_empty()
                        && columns.iter().all(|name| source.track_columns.contains(name));
                    if covered {
                        let slice = Slice::Tuples {
                            columns: columns
                                .iter()
                                .map(|name| Column {
                                    name: name.clone(),
                                    sql_type: String::new(),
                                    text: false,
                                    integer: false,
                                    generated: false,
                                    nullable: true,
                                })
                                .collect(),
                            rows: tuples.to_vec(),
                        };
                        let condition = slice.condition(d, &|name| d.quote(name));
                        sql.push(format!(
                            "DELETE FROM {work} WHERE {among} AND {GRAIN} <> 'a' AND {condition}"
                        ));
                    }
                }
            }
        }
        if only.is_some() {
            continue;
        }
        if changes.witness.is_some() || changes.watermark.is_some() {
            let (witness, watermark) = (changes.witness.as_deref(), changes.watermark.as_deref());
            sql.push(sources::seen(d, &set.name, &source.name, witness, watermark));
        }
        sql.extend(sources::printed(d, &set.name, &source.name, &changes.prints));
    }
    sql
}

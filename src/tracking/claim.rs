//! Claiming notes, and forgetting them in the transaction that publishes what they were about.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};

use super::coalesce::coalesce;
use super::{Changes, Tracked, claimed, outline, with_first_column};
use crate::catalog::{Kind, Method, Set};
use crate::engine::names::{CLAIM, GRAIN};
use crate::engine::statements::Slice;
use crate::engine::track::TrackSpec;
use crate::engine::{Column, Engine, Row, Tables, Tx, count_at};
use crate::ledger::{publication, sources};
use crate::plan::Tuple;

/// The notes of one source that are claimed, by this run or one before it.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// Under which names.
    pub claims: BTreeSet<String>,
    /// How fine they are: `k` names keys, `p` partitions, `a` everything.
    pub grains: BTreeSet<String>,
    /// There are notes that a claim had to leave, because a writer still relies on them.
    pub left: bool,
}

/// Claims the notes of every source under `token`. Commits: a run that dies afterwards leaves them claimed,
/// and the next run finds them in the work table. Returns what is claimed, a source after the other.
///
/// # Errors
/// Whatever the server says.
pub async fn claim(
    engine: &mut dyn Engine,
    set: &Set,
    tables: &Tables,
    tracked: &[Tracked],
    token: &str,
) -> Result<Vec<Claimed>> {
    let schema = engine.server().schema.clone();
    let mut all = Vec::new();
    for (at, (source, tracked)) in set.sources.iter().zip(tracked).enumerate() {
        if source.track != Method::Triggers || !tracked.noted {
            all.push(Claimed::default());
            continue;
        }
        let shape = tables.get(source.schema.as_deref(), &source.table);
        let spec = with_first_column(engine.dialect(), outline(set, source, &schema), shape);
        let claim = Claim { set, at, spec: &spec, token };
        engine.begin(Tx::Write).await?;
        let told = claim.make(engine, tracked).await;
        if let Err(error) = told {
            let _ = engine.rollback().await;
            return Err(error);
        }
        engine.commit().await?;
        all.push(claimed_notes(engine, &spec, token).await?);
    }
    Ok(all)
}

/// Claims of this many notes leave room behind that is worth giving back.
const MANY: u32 = 5_000;

/// What the work table holds now; its tables are kept small.
async fn claimed_notes(engine: &mut dyn Engine, spec: &TrackSpec, token: &str) -> Result<Claimed> {
    let d = engine.dialect();
    let work = d.qualify(&spec.schema, &spec.work());
    let most = u64::from(spec.max_notes) * 2;
    let left = format!("SELECT 1 FROM ({}) n", d.notes_sql(spec));
    let ours = claimed(d, &BTreeSet::from([token.to_owned()]));
    let many = MANY.min(spec.max_notes);
    let asked = [
        format!("SELECT DISTINCT {CLAIM}, {GRAIN} FROM {work}"),
        format!(
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM {work} LIMIT {}) n), \
             CASE WHEN EXISTS ({left}) THEN 1 ELSE 0 END, \
             (SELECT COUNT(*) FROM (SELECT 1 FROM {work} WHERE {ours} LIMIT {}) m)",
            most + 1,
            many + 1
        ),
    ];
    let mut answers = engine.query_each(&asked).await?.into_iter();
    let notes = answers.next().unwrap_or_default();
    let counts = answers.next().and_then(|rows| rows.into_iter().next()).context("counting notes")?;
    if count_at(&counts, 2)? > u64::from(many)
        && let Some(sql) = d.shrink_log_sql(spec)
        && let Err(error) = engine.execute(&sql).await
    {
        tracing::debug!("{}: {error}", spec.log());
    }
    let mut found = Claimed { left: count_at(&counts, 1)? > 0, ..Claimed::default() };
    found.add(notes);
    if count_at(&counts, 0)? > most && coalesce(engine, spec, token).await? {
        found = Claimed { left: found.left, ..Claimed::default() };
        found.add(engine.query(&asked[0]).await?);
    }
    Ok(found)
}

impl Claimed {
    fn add(&mut self, rows: Vec<Row>) {
        for row in rows {
            let mut cells = row.into_iter();
            self.claims.extend(cells.next().flatten());
            self.grains.extend(cells.next().flatten());
        }
    }
}

/// Names of the summaries of one kind that read a source.
fn readers(set: &Set, source: usize, kind: Kind) -> Vec<&str> {
    set.summaries
        .iter()
        .filter(|summary| summary.kind == kind && summary.reads_sources.contains(&source))
        .map(|summary| summary.name.as_str())
        .collect()
}

/// The claim of one source's notes.
struct Claim<'a> {
    set: &'a Set,
    at: usize,
    spec: &'a TrackSpec,
    token: &'a str,
}

impl Claim<'_> {
    /// Claims, and counts the claim for every materialized view that reads the source: each is due until a publish
    /// that began after the count has covered it. Notes that no table needs end here.
    async fn make(&self, engine: &mut dyn Engine, tracked: &Tracked) -> Result<()> {
        let (set, source, spec) = (self.set, &self.set.sources[self.at], self.spec);
        let d = engine.dialect();
        engine.execute_each(&d.claim_sql(spec, self.token)).await?;
        let views = readers(set, self.at, Kind::MaterializedView);
        if views.is_empty() {
            return Ok(());
        }
        let work = d.qualify(&spec.schema, &spec.work());
        let ours = format!("FROM {work} WHERE {}", claimed(d, &BTreeSet::from([self.token.to_owned()])));
        let any = !engine.query(&format!("SELECT 1 {ours} LIMIT 1")).await?.is_empty();
        let left =
            !engine.query(&format!("SELECT 1 FROM ({}) n LIMIT 1", d.notes_sql(spec))).await?.is_empty();
        if any || left || tracked.gap.is_some() {
            engine.execute(&publication::due(d, &set.name, &views)).await?;
        }
        let invalidates_table = source.invalidates.as_ref().is_some_and(|(name, _)| {
            set.summaries.iter().any(|summary| summary.name == *name && summary.kind == Kind::Table)
        });
        let for_tables = invalidates_table || !readers(set, self.at, Kind::Table).is_empty();
        if !for_tables {
            if any {
                engine.execute(&format!("DELETE {ours}")).await?;
            }
            if let (Some(signature), Some(_)) = (&tracked.signature, &tracked.gap) {
                engine.execute(&sources::witnessed(d, &set.name, &source.name, signature)).await?;
            }
        }
        Ok(())
    }
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

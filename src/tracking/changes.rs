//! What changed in a source, by notes or by another method.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::seen::witness;
use super::{
    Changes, Claimed, MOST_KEYS, Tracked, claimed, claimed_and_pending_rows, outline, pending_rows,
    with_first_column,
};
use crate::catalog::{Method, Set, Source};
use crate::checksum;
use crate::engine::names::GRAIN;
use crate::engine::{Dialect, Engine, Shape, Tables};
use crate::inspect::partition_expression;
use crate::ledger::sources::{self, Remembered};
use crate::plan::Tuple;

/// What is known of one source when its changes are asked for.
pub struct Evidence<'a> {
    /// Its shape.
    pub shape: &'a Shape,
    /// How its tracking was found.
    pub tracked: &'a Tracked,
    /// Its claimed notes; `None`: nothing is claimed, and what waits is asked for.
    pub claimed: Option<&'a Claimed>,
    /// What the ledger remembers of it.
    pub remembered: Option<&'a Remembered>,
}

/// What a refresh would find to do, without claiming or setting up anything.
///
/// # Errors
/// Whatever the server says.
pub async fn foresee(
    engine: &mut dyn Engine,
    set: &Set,
    tables: &Tables,
    known: &[Remembered],
) -> Result<Vec<Changes>> {
    let schema = engine.server().schema.clone();
    let mut all = Vec::new();
    let none = Shape::default();
    for source in &set.sources {
        let mut tracked = Tracked { noted: true, ..Tracked::default() };
        let remembered = known.iter().find(|known| known.source == source.name);
        if source.track == Method::Triggers {
            let spec = outline(set, source, &schema);
            let same = remembered.filter(|known| known.trigger_id() == Some(&spec.id));
            let now = if same.is_some() { witness(engine, &spec).await? } else { None };
            if now.is_none() || same.is_none_or(|known| known.witness != now) {
                tracked.gap = Some(format!("changes of {} may have gone unseen", source.table));
            }
            if same.is_none() {
                all.push(Changes { all: tracked.gap, ..Changes::default() });
                continue;
            }
        }
        let shape = tables.get(source.schema.as_deref(), &source.table).unwrap_or(&none);
        let evidence = Evidence { shape, tracked: &tracked, claimed: None, remembered };
        all.push(changes(engine, set, source, &evidence).await?);
    }
    Ok(all)
}

/// What changed in one source, from its claimed notes (to [`foresee`]: from all that wait) or by its own method.
///
/// # Errors
/// Whatever the server says.
pub async fn changes(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    evidence: &Evidence<'_>,
) -> Result<Changes> {
    let mut changes = match &source.track {
        Method::Triggers => noted(engine, set, source, evidence).await?,
        Method::Untracked => {
            Changes { all: Some(format!("changes of {} are not tracked", source.name)), ..Changes::default() }
        }
        Method::Window(count) => {
            let mut partitions = partitions_where(engine, source, evidence.shape, None).await?;
            partitions.sort();
            let keep = partitions.len().saturating_sub(*count);
            Changes { partitions: partitions.split_off(keep).into_iter().collect(), ..Changes::default() }
        }
        Method::Watermark { column, overlap } => {
            since_watermark(engine, source, evidence, column, overlap.as_secs_f64()).await?
        }
        Method::Fingerprint => fingerprinted(engine, set, source, evidence.shape).await?,
    };
    if let Some(gap) = &evidence.tracked.gap {
        changes.all = Some(gap.clone());
        // Without a gap it is what is remembered.
        changes.witness.clone_from(&evidence.tracked.signature);
    }
    changes.columns.clone_from(&source.track_columns);
    changes.partition = source.partition.len();
    Ok(changes)
}

/// The notes that are claimed, or, to foresee a refresh, all that are waiting.
async fn noted(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    evidence: &Evidence<'_>,
) -> Result<Changes> {
    let d = engine.dialect();
    let spec = outline(set, source, &engine.server().schema.clone());
    let any = with_first_column(d, spec.clone(), Some(evidence.shape));
    let mut changes = Changes::default();
    let (mut work, mut among) = (pending_rows(d, &any), "1 = 1".to_owned());
    let mut grains: Option<BTreeSet<String>> = None;
    if let Some(notes) = evidence.claimed {
        changes.claims.clone_from(&notes.claims);
        let ours = claimed(d, &notes.claims);
        // What a claim had to leave, because a writer still relies on it, is about changes that can be seen all the same.
        if notes.left {
            work = claimed_and_pending_rows(d, &any, &ours);
        } else if notes.claims.is_empty() {
            return Ok(changes);
        } else {
            (work, among) = (d.qualify(&spec.schema, &spec.work()), ours);
            grains = Some(notes.grains.clone());
        }
    }
    let grains = match grains {
        Some(grains) => grains,
        None => {
            let sql = format!("SELECT DISTINCT {GRAIN} FROM {work} w WHERE {among}");
            engine.query(&sql).await?.into_iter().flatten().flatten().collect()
        }
    };
    let has = |grain: &str| grains.contains(grain);
    if has("a") || source.track_columns.is_empty() {
        changes.all = Some(format!(
            "all of {} changed (TRUNCATE, or rows that no partition tells apart)",
            source.table
        ));
        return Ok(changes);
    }
    let names: Vec<String> = source.track_columns.iter().map(|name| d.quote(name)).collect();
    let parts = &names[..spec.partition];
    if has("p") {
        let sql =
            format!("SELECT DISTINCT {} FROM {work} w WHERE {among} AND {GRAIN} = 'p'", parts.join(", "));
        changes.partitions = engine.query(&sql).await?.into_iter().collect();
    }
    if has("k") {
        let sql = format!(
            "SELECT DISTINCT {} FROM {work} w WHERE {among} AND {GRAIN} = 'k' LIMIT {}",
            names.join(", "),
            MOST_KEYS + 1
        );
        let keys: BTreeSet<Tuple> = engine.query(&sql).await?.into_iter().collect();
        changes.loose = loose_in(d, source, evidence.shape);
        if keys.len() <= MOST_KEYS {
            changes.keys = keys;
        } else if parts.is_empty() {
            changes.all = Some(format!("more than {MOST_KEYS} rows of {} changed", source.table));
        } else {
            let sql = format!("SELECT DISTINCT {} FROM {work} w WHERE {among}", parts.join(", "));
            changes.partitions = engine.query(&sql).await?.into_iter().collect();
        }
    }
    Ok(changes)
}

/// The columns of a source's notes by which it equates texts that differ, and how ([`Changes::loose`]).
///
/// # Errors
/// Whatever the server says.
pub async fn loose(engine: &mut dyn Engine, source: &Source) -> Result<BTreeMap<String, String>> {
    let shape = Shape::read(engine, source.schema.as_deref(), &source.table).await?.unwrap_or_default();
    Ok(loose_in(engine.dialect(), source, &shape))
}

fn loose_in(d: &dyn Dialect, source: &Source, shape: &Shape) -> BTreeMap<String, String> {
    let own = source.track_columns.iter().filter_map(|name| shape.column(name).map(|column| (name, column)));
    own.filter_map(|(name, column)| d.loose(column).map(|how| (name.clone(), how.to_owned()))).collect()
}

/// Partition values of a source, of all rows or of those that meet a condition.
async fn partitions_where(
    engine: &mut dyn Engine,
    source: &Source,
    shape: &Shape,
    condition: Option<&str>,
) -> Result<Vec<Tuple>> {
    let d = engine.dialect();
    let expressions: Vec<String> =
        source.partition.iter().filter_map(|(name, _)| partition_expression(d, source, name)).collect();
    let table = source.sql(d);
    let sql = match condition {
        Some(condition) => {
            format!("SELECT DISTINCT {} FROM {table} WHERE {condition}", expressions.join(", "))
        }
        None => {
            let plain: Option<Vec<String>> = source
                .partition
                .iter()
                .map(|(name, expression)| expression.is_none().then(|| name.clone()))
                .collect();
            let led = plain.is_some_and(|columns| shape.index_led_by(&columns).is_some());
            engine.dialect().distinct_sql(&table, &expressions, led)
        }
    };
    Ok(engine.query(&sql).await?)
}

async fn since_watermark(
    engine: &mut dyn Engine,
    source: &Source,
    evidence: &Evidence<'_>,
    column: &str,
    overlap_seconds: f64,
) -> Result<Changes> {
    let d = engine.dialect();
    let quoted = d.quote(column);
    // Read before the rows: what is written in between is found again next time.
    let newest = engine.scalar(&format!("SELECT MAX({quoted}) FROM {}", source.sql(d))).await?;
    let Some(seen) = evidence.remembered.and_then(|known| known.watermark.clone()) else {
        return Ok(Changes {
            all: Some(format!("no watermark of {} is known yet", source.name)),
            watermark: newest,
            ..Changes::default()
        });
    };
    let condition = format!("{quoted} >= {}", d.seconds_before(&d.literal(&seen), overlap_seconds));
    let partitions = partitions_where(engine, source, evidence.shape, Some(&condition)).await?;
    Ok(Changes {
        partitions: partitions.into_iter().collect(),
        watermark: newest.or(Some(seen)),
        ..Changes::default()
    })
}

async fn fingerprinted(
    engine: &mut dyn Engine,
    set: &Set,
    source: &Source,
    shape: &Shape,
) -> Result<Changes> {
    let d = engine.dialect();
    let expressions: Vec<String> =
        source.partition.iter().filter_map(|(name, _)| partition_expression(d, source, name)).collect();
    let parts = expressions.len();
    let table = source.sql(d);
    let mut now: Vec<(Tuple, String)> = Vec::new();
    match d.fingerprint_sql(&table, &expressions, &shape.columns) {
        Some(sql) => {
            for mut row in engine.query(&sql).await? {
                let print: Vec<String> =
                    row.split_off(parts).into_iter().map(Option::unwrap_or_default).collect();
                now.push((row, print.join("/").chars().take(255).collect()));
            }
        }
        None => {
            let mut cells = expressions.clone();
            cells.extend(shape.columns.iter().map(|column| d.quote(&column.name)));
            let sql = format!("SELECT {} FROM {table}", cells.join(", "));
            let mut sums: BTreeMap<Tuple, (u64, i64)> = BTreeMap::new();
            engine
                .for_each(&sql, &mut |mut row| {
                    let rest = row.split_off(parts);
                    let sum = sums.entry(row).or_default();
                    sum.0 += 1;
                    sum.1 = sum.1.wrapping_add(checksum::number(&spelled(&rest)));
                })
                .await?;
            now.extend(sums.into_iter().map(|(tuple, (count, sum))| (tuple, format!("{count}/{sum}"))));
        }
    }
    let mut before = sources::prints(engine, &set.name, &source.name).await?;
    let mut changes = Changes::default();
    for (tuple, print) in now {
        let part = serde_json::to_string(&tuple).unwrap_or_default();
        if before.remove(&part).as_ref() != Some(&print) {
            changes.prints.push((part, Some(print)));
            changes.partitions.insert(tuple);
        }
    }
    for (part, _) in before {
        if let Ok(tuple) = serde_json::from_str::<Tuple>(&part) {
            changes.partitions.insert(tuple);
        }
        changes.prints.push((part, None));
    }
    Ok(changes)
}

/// A row as fingerprints take it: as the first release had the compiler spell it, which is not for ever.
fn spelled(row: &[Option<String>]) -> String {
    let cell = |cell: &Option<String>| {
        let Some(text) = cell else { return "None".to_owned() };
        let mut out = String::from("Some(\"");
        for c in text.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0' => out.push_str("\\0"),
                other => out.push(other),
            }
        }
        out + "\")"
    };
    format!("[{}]", row.iter().map(cell).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn a_row_has_the_fingerprint_that_it_had() {
        let row = ["a", "", "ÄÖ €", "'", "say \"so\"", "tab\tline\r\nzero\0 back\\slash"];
        let row: Vec<Option<String>> =
            row.iter().map(|text| Some((*text).to_owned())).chain([None]).collect();
        assert_eq!(spelled(&row), format!("{row:?}"));
        assert_eq!(spelled(&[]), "[]");
    }
}

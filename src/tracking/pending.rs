//! How much waits, told in no time however much it is: for `status`.

use std::collections::BTreeSet;

use anyhow::Result;

use super::seen::witness;
use super::{outline, with_any_column};
use crate::catalog::{Method, Set};
use crate::engine::Engine;
use crate::engine::names::GRAIN;
use crate::ledger::sources;
use crate::plan::Tuple;

/// Notes that are looked at in each table of them: some milliseconds on every engine.
const LOOKED_AT: u64 = 2_000;

/// Partitions that wait for a refresh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Those that were found.
    pub partitions: BTreeSet<Tuple>,
    /// A note says that everything waits, or does not say which partition.
    pub everything: bool,
    /// There are more notes than were looked at, so perhaps more partitions.
    pub more: bool,
}

impl Pending {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && !self.everything
    }
}

/// What waits in the notes on a set's sources, as far as the first of them tell.
///
/// # Errors
/// Whatever the server says.
pub async fn pending(engine: &mut dyn Engine, set: &Set) -> Result<Pending> {
    let d = engine.dialect();
    let schema = engine.server().schema.clone();
    let mut found = Pending::default();
    let remembered = match d.witness_is_anybodys() {
        true => sources::read_all(engine, &set.name).await?,
        false => Vec::new(),
    };
    for source in set.sources.iter().filter(|source| source.track == Method::Triggers) {
        let spec = with_any_column(engine, outline(set, source, &schema), source).await?;
        let known = remembered.iter().find(|known| known.trigger_id() == Some(&spec.id));
        // Changed behind the triggers' back: truncated with them off, altered, emptied by a crash.
        if let Some(known) = known.filter(|known| known.witness.is_some()) {
            found.everything |= witness(engine, &spec).await? != known.witness;
        }
        let parts: Vec<String> =
            spec.columns[..spec.partition].iter().map(|column| d.quote(&column.name)).collect();
        for (table, grain) in d.note_tables(&spec) {
            let mut cells = vec![grain.map_or(GRAIN.to_owned(), |grain| format!("'{grain}' AS {GRAIN}"))];
            cells.extend(parts.iter().cloned());
            let mut groups = vec![GRAIN.to_owned()];
            groups.extend(parts.iter().cloned());
            let sql = format!(
                "SELECT COUNT(*), {groups} FROM (SELECT {} FROM {table} LIMIT {}) n GROUP BY {groups}",
                cells.join(", "),
                LOOKED_AT + 1,
                groups = groups.join(", ")
            );
            let mut seen = 0;
            for mut row in engine.query(&sql).await? {
                let tuple = row.split_off(2);
                seen += row[0].as_deref().and_then(|count| count.parse::<u64>().ok()).unwrap_or(1);
                if row[1].as_deref() == Some("a") || tuple.is_empty() {
                    found.everything = true;
                } else {
                    found.partitions.insert(tuple);
                }
            }
            found.more |= seen > LOOKED_AT;
        }
    }
    Ok(found)
}

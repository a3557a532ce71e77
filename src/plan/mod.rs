//! What a refresh will do, decided without touching a database: catalog × ledger × request → [`Plan`].

mod alike;
mod chosen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::catalog::Set;
use crate::engine::statements::Value;
use crate::error::Failure;
use crate::ledger::SetState;
use crate::words::count;

pub use self::alike::{Alike, plain};
pub use self::chosen::Chosen;
use self::chosen::{chunks, finest};

/// Values of the partition columns, one tuple a partition.
pub type Tuple = Vec<Value>;

/// What the caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Whatever is not current.
    Current,
    /// Everything.
    Full,
    /// These partitions, as written on the command line (`a` or `a,b`).
    Partitions(Vec<String>),
    /// Every partition from this value on.
    Since(String),
}

/// How much is recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All partitions.
    Complete,
    /// Some partitions.
    Incremental,
}

impl Mode {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incremental => "incremental",
        }
    }
}

/// The partitions that exist, in sources or summaries, under one list of partition columns.
#[derive(Debug, Clone)]
pub struct Known {
    /// Partition columns.
    pub columns: Vec<String>,
    /// Some source has NULL in them.
    pub nameless: bool,
    /// Every value tuple, sorted; none with a NULL.
    pub tuples: Vec<Tuple>,
    /// Which values of any column are alike.
    pub alike: Arc<Alike>,
}

/// Which values are alike, as is known with the partitions.
fn alike(known: &[Known]) -> &Alike {
    static NONE: LazyLock<Alike> = LazyLock::new(Alike::default);
    known.first().map_or(&NONE, |known| &known.alike)
}

/// Summaries that are computed together, chunk by chunk: the tiers of one chunk follow each other on one
/// connection, so an upper tier reads the rows just staged below it.
#[derive(Debug, Clone)]
pub struct Wave {
    /// Indexes into [`Set::summaries`], in tier order.
    pub members: Vec<usize>,
    /// Partition columns that the members share; empty: one chunk that is everything.
    pub columns: Vec<String>,
    /// Tuples of each chunk; `None`: the whole summary.
    pub chunks: Vec<Option<Vec<Tuple>>>,
    /// The tuples are single rows' keys (under the summary's grain), not partitions.
    pub by_key: bool,
}

/// What has to be recomputed of one summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Everything.
    pub all: bool,
    /// These partitions, under the summary's partition columns.
    pub partitions: BTreeSet<Tuple>,
    /// These rows, under the summary's grain.
    pub keys: BTreeSet<Tuple>,
}

impl Scope {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        !self.all && self.partitions.is_empty() && self.keys.is_empty()
    }
}

/// What changed, as the plan sees it: per summary, what its own sources and dimensions ask of it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Everything may have changed, and why.
    pub all: Option<String>,
    /// Per summary.
    pub scopes: Vec<Scope>,
}

/// What a plan computes.
#[derive(Debug, Clone)]
pub enum Work {
    /// Chunk by chunk through all tiers at once: possible when no single rows are recomputed.
    Waves(Vec<Wave>),
    /// Tier by tier: what changes below decides what is recomputed above.
    Cascade {
        /// Known beforehand: the summaries that read sources alone.
        first: Vec<Wave>,
        /// The others, which follow.
        follow: Vec<usize>,
        /// What the sources ask of each summary.
        scopes: Vec<Scope>,
    },
    /// So many materialized views, each as a whole.
    Views(usize),
}

/// The work of one set.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How much; `None`: nothing to do.
    pub mode: Option<Mode>,
    /// Why, in words.
    pub reason: String,
    /// What to compute.
    pub work: Work,
    /// Partitions recomputed, counted on the finest partition columns.
    pub partitions: usize,
    /// Partitions that `--partition` or `--since` chose: the notes of others are kept.
    pub only: Option<(Vec<String>, Vec<Tuple>)>,
}

/// A key costs as much as this many rows of its partition: looking rows up one by one is slower than reading
/// them in order.
const KEY_COST: u64 = 8;

impl Plan {
    /// Decides.
    ///
    /// # Errors
    /// A `--partition` or `--since` value that cannot be one (exit code 2).
    pub fn make(
        set: &Set,
        state: &SetState,
        ask: &Ask,
        known: &[Known],
        asked: &Asked,
    ) -> Result<Self, Failure> {
        if let Some(reason) = complete_because(set, state, ask, asked) {
            return Ok(Self::pipelined(set, Mode::Complete, reason, &Chosen::everything(known)));
        }
        if matches!(ask, Ask::Partitions(_) | Ask::Since(_)) {
            let chosen = Chosen::new(&set.name, ask, known)?;
            let reason = "partitions were named".to_owned();
            return Ok(Self::pipelined(set, Mode::Incremental, reason, &chosen));
        }
        if asked.scopes.iter().all(Scope::is_empty) {
            return Ok(Self::nothing("nothing changed".to_owned()));
        }
        let scopes: Vec<Scope> = set
            .summaries
            .iter()
            .zip(&asked.scopes)
            .map(|(summary, scope)| {
                let rows = state.summary(&summary.name).and_then(|known| known.rows).unwrap_or(0);
                cheaper(summary, scope, rows, known)
            })
            .collect();
        let keys: usize = scopes.iter().map(|scope| scope.keys.len()).sum();
        let mut touched: BTreeSet<Tuple> = BTreeSet::new();
        for (summary, scope) in set.summaries.iter().zip(&scopes) {
            touched.extend(scope.partitions.iter().cloned());
            touched.extend(
                scope.keys.iter().filter_map(|key| project(key, &summary.recompute_by, &summary.partition)),
            );
        }
        let whole: usize = scopes.iter().map(|scope| scope.partitions.len()).sum();
        let can_choose = set
            .summaries
            .iter()
            .zip(&scopes)
            .any(|(summary, scope)| !scope.is_empty() && !summary.recompute_by.is_empty());
        let reason = reason(keys, whole, can_choose);
        let aligned = set.summaries.iter().zip(&scopes).all(|(summary, scope)| {
            scope.is_empty() || finest(known).is_some_and(|f| f.columns == summary.partition)
        });
        if keys == 0 && aligned && scopes.iter().all(|scope| !scope.all) {
            // Every tier follows the same partitions, so they can go through all tiers in one pass.
            let tuples: Vec<Tuple> = touched.into_iter().collect();
            let chosen = Chosen { known, finest: finest(known), tuples: Some(tuples) };
            let mut plan = Self::pipelined(set, Mode::Incremental, reason, &chosen);
            plan.only = None;
            return Ok(plan);
        }
        let first = (0..set.summaries.len()).filter(|at| set.summaries[*at].reads_summaries.is_empty());
        let first = merged(first.flat_map(|at| scope_waves(at, &set.summaries[at], &scopes[at], known)));
        let work = Work::Cascade { first, follow: followers(set, &scopes), scopes };
        let partitions = touched.len().max(1);
        Ok(Self { mode: Some(Mode::Incremental), reason, partitions, work, only: None })
    }

    /// Nothing to do, for a reason.
    pub fn nothing(reason: String) -> Self {
        Self { mode: None, reason, work: Work::Waves(Vec::new()), partitions: 0, only: None }
    }

    /// The refresh of so many materialized views, if there is a reason for it.
    pub fn views(count: usize, reason: Option<String>) -> Self {
        let Some(reason) = reason else { return Self::nothing("nothing changed".to_owned()) };
        Self { mode: Some(Mode::Complete), reason, work: Work::Views(count), partitions: count, only: None }
    }

    /// Whole partitions, chunk by chunk through all tiers.
    fn pipelined(set: &Set, mode: Mode, reason: String, chosen: &Chosen<'_>) -> Self {
        let mut waves: Vec<Wave> = Vec::new();
        for (index, summary) in set.summaries.iter().enumerate() {
            match waves.last_mut().filter(|wave| wave.columns == summary.partition) {
                Some(wave) => wave.members.push(index),
                None => waves.push(Wave {
                    members: vec![index],
                    columns: summary.partition.clone(),
                    chunks: chosen.chunks(&summary.partition),
                    by_key: false,
                }),
            }
        }
        let only =
            chosen.tuples.clone().zip(chosen.finest).map(|(tuples, finest)| (finest.columns.clone(), tuples));
        Self { mode: Some(mode), reason, work: Work::Waves(waves), partitions: chosen.count(), only }
    }

    /// The waves that are known beforehand.
    pub fn waves(&self) -> &[Wave] {
        match &self.work {
            Work::Waves(waves) | Work::Cascade { first: waves, .. } => waves,
            Work::Views(_) => &[],
        }
    }

    /// Whether tiers above follow what changes below.
    pub fn follows(&self) -> bool {
        matches!(self.work, Work::Cascade { .. })
    }

    /// Number of steps that are known beforehand.
    pub fn steps(&self) -> usize {
        match &self.work {
            Work::Views(count) => *count,
            _ => self.waves().iter().map(|wave| wave.chunks.len()).sum(),
        }
    }
}

/// Why an incremental refresh does what it does. `can_choose`: some summary could be recomputed row by row.
fn reason(keys: usize, partitions: usize, can_choose: bool) -> String {
    let keys_changed = count(keys as u64, "key");
    match (keys, partitions) {
        (0, _) if can_choose => {
            "partitions changed; recomputing them whole is cheaper than row by row".to_owned()
        }
        (0, _) => format!("{} changed", count(partitions as u64, "partition")),
        (1, 0) => "1 key changed; recomputing it is cheaper than its partition".to_owned(),
        (_, 0) => format!("{keys_changed} changed; recomputing those is cheaper than their partitions"),
        _ => format!("{keys_changed} and {} changed", count(partitions as u64, "whole partition")),
    }
}

/// The summaries above others that something is, or may be, recomputed of.
fn followers(set: &Set, scopes: &[Scope]) -> Vec<usize> {
    let mut moves: Vec<bool> = scopes.iter().map(|scope| !scope.is_empty()).collect();
    let mut found = Vec::new();
    for (at, summary) in set.summaries.iter().enumerate().filter(|(_, s)| !s.reads_summaries.is_empty()) {
        moves[at] |= summary.reads_summaries.iter().any(|lower| moves[*lower]);
        if moves[at] {
            found.push(at);
        }
    }
    found
}

/// Waves of one tier: summaries that recompute the same chunks share them, and what they read.
pub fn merged(all: impl Iterator<Item = Wave>) -> Vec<Wave> {
    let mut waves: Vec<Wave> = Vec::new();
    for wave in all {
        match waves.iter_mut().find(|other| other.columns == wave.columns && other.chunks == wave.chunks) {
            Some(other) => other.members.extend(wave.members),
            None => waves.push(wave),
        }
    }
    waves
}

fn complete_because(set: &Set, state: &SetState, ask: &Ask, asked: &Asked) -> Option<String> {
    for summary in &set.summaries {
        match state.summary(&summary.name) {
            Some(known) if known.lost => {
                return Some(format!("{} lost its rows when the server crashed", summary.name));
            }
            Some(known) if known.published_at.is_some() => {
                if known.select_checksum != summary.checksum {
                    return Some(format!("the SELECT of {} changed", summary.name));
                }
            }
            _ => return Some(format!("{} has never been built", summary.name)),
        }
    }
    match ask {
        Ask::Full => Some("asked for".to_owned()),
        Ask::Current => asked.all.clone(),
        Ask::Partitions(_) | Ask::Since(_) => None,
    }
}

/// The values of some columns out of a tuple of others; `None` if a column is not among them.
pub fn project(tuple: &Tuple, from: &[String], to: &[String]) -> Option<Tuple> {
    to.iter()
        .map(|name| from.iter().position(|other| other == name).and_then(|at| tuple.get(at).cloned()))
        .collect()
}

/// Keys that one statement recomputes.
pub const KEYS_A_CHUNK: usize = 500;

/// The waves that recompute one summary's scope: whole partitions first, then single rows.
pub fn scope_waves(
    index: usize,
    summary: &crate::catalog::Summary,
    scope: &Scope,
    known: &[Known],
) -> Vec<Wave> {
    let wave = |columns: &[String], chunks: Vec<Option<Vec<Tuple>>>, by_key: bool| Wave {
        members: vec![index],
        columns: columns.to_vec(),
        chunks,
        by_key,
    };
    if scope.all {
        let chosen = Chosen::everything(known);
        return vec![wave(&summary.partition, chosen.chunks(&summary.partition), false)];
    }
    let mut waves = Vec::new();
    if !scope.partitions.is_empty() {
        let tuples: Vec<Tuple> = scope.partitions.iter().cloned().collect();
        let parts = chunks(Some(tuples), &summary.partition, alike(known));
        waves.push(wave(&summary.partition, parts, false));
    }
    if !scope.keys.is_empty() {
        let keys: Vec<Tuple> = scope.keys.iter().cloned().collect();
        let parts = alike(known).cut(&summary.recompute_by, keys, KEYS_A_CHUNK);
        let parts = parts.into_iter().map(Some).collect();
        waves.push(wave(&summary.recompute_by, parts, true));
    }
    waves
}

/// Replaces keys by their partition where a partition has so many that reading it whole is cheaper.
pub fn cheaper(summary: &crate::catalog::Summary, scope: &Scope, rows: u64, known: &[Known]) -> Scope {
    let partitions = known
        .iter()
        .find(|known| known.columns == summary.partition)
        .map_or(1, |known| known.tuples.len().max(1)) as u64;
    let per_partition = rows / partitions;
    let mut by_partition: BTreeMap<Tuple, Vec<Tuple>> = BTreeMap::new();
    for key in &scope.keys {
        if let Some(partition) = project(key, &summary.recompute_by, &summary.partition) {
            by_partition.entry(partition).or_default().push(key.clone());
        }
    }
    let mut out = Scope { all: scope.all, partitions: scope.partitions.clone(), keys: BTreeSet::new() };
    for (partition, keys) in by_partition {
        if out.partitions.contains(&partition) {
            continue;
        }
        if !summary.partition.is_empty() && keys.len() as u64 * KEY_COST > per_partition {
            out.partitions.insert(partition);
        } else {
            out.keys.extend(keys);
        }
    }
    out
}

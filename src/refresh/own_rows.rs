//! The rows in scratch tables that are a run's own: each says which run it belongs to, so that runs which overlap do not
//! mix theirs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::Result;

use crate::checksum;
use crate::engine::dialect::{SOME, Scratch};
use crate::engine::statements::{KIND, Marks, RUN};
use crate::engine::{Dialect, Engine};
use crate::lasting;

/// Numbers of its own that a run has: two for each connection that stages.
pub(super) const NUMBERS: i64 = 4096;

/// The rows in scratch tables that are one attempt's own: how they are told from another's, and where they are.
pub struct OwnRows {
    /// Its name among those that claim notes.
    pub token: String,
    /// Whether the set's lock is really held, which is always, except in a test that forces it open.
    pub held: bool,
    pub(super) number: i64,
    pub(super) deltas: Vec<String>,
    /// The stage of each summary that has one which connections share.
    pub(super) stages: Vec<Option<String>>,
    pub(super) used: Vec<(String, Scratch)>,
    /// Private stages that are there, by connection and summary.
    pub(super) open: Mutex<BTreeMap<(usize, usize), (String, Scratch)>>,
}

impl OwnRows {
    /// Another attempt (`nth`, unique within `run_id`) at the run of a set.
    pub fn new(set: &str, run_id: &str, nth: &str, held: bool) -> Self {
        let name = format!("{run_id}/{nth}");
        // Positive, with room for the numbers of its connections.
        let number = (checksum::number(&name) & (i64::MAX >> 1)) / NUMBERS * NUMBERS;
        Self {
            token: format!("{}{}", lasting::per_run(set), &checksum::hex(&name)[..10]),
            held,
            number: number.max(NUMBERS),
            deltas: Vec::new(),
            stages: Vec::new(),
            used: Vec::new(),
            open: Mutex::default(),
        }
    }

    /// What marks the rows that one of its connections stages for a summary.
    pub fn marks(&self, worker: usize, index: usize) -> Marks {
        if self.stage(index).is_none() {
            return Marks { run: self.number, ..Marks::PRIVATE };
        }
        let computed = self.number + 2 * worker as i64;
        Marks { run: self.number, computed, totals: computed + 1 }
    }

    /// The delta of a summary, as statements spell it.
    pub fn delta(&self, index: usize) -> &str {
        self.deltas.get(index).map_or("", String::as_str)
    }

    /// The stage of a summary that all connections share, if they do.
    pub fn stage(&self, index: usize) -> Option<&str> {
        self.stages.get(index).and_then(Option::as_deref)
    }

    /// Takes the run's rows out of every table that it used; what cannot be done now is left to the next run. Returns
    /// whether the connection can serve another run: where all scratch tables are its own, they go with it.
    pub async fn clear(&self, engine: &mut dyn Engine) -> bool {
        let d = engine.dialect();
        if d.lasting().is_empty() {
            return self.used.is_empty();
        }
        let open = self.open.lock().map(|open| open.clone()).unwrap_or_default();
        // Those of other connections went with them.
        let stages = open.into_iter().filter(|((worker, _), _)| *worker == 0).map(|(_, stage)| stage);
        let private = |scratch: &Scratch| !d.lasting().contains(scratch);
        let gone = self.used.iter().filter(|(_, scratch)| private(scratch)).cloned().chain(stages);
        let mut statements: Vec<String> =
            gone.map(|(table, scratch)| d.drop_scratch(&table, scratch)).collect();
        let lasting: Vec<&(String, Scratch)> = self.used.iter().filter(|(_, s)| !private(s)).collect();
        statements
            .extend(lasting.iter().map(|(table, scratch)| d.delete_some(table, &self.ours(d, *scratch))));
        match engine.execute_each(&statements).await {
            Ok(deleted) => {
                let deleted = deleted.into_iter().skip(statements.len() - lasting.len());
                for ((table, scratch), _) in lasting.iter().zip(deleted).filter(|(_, rows)| *rows >= SOME) {
                    if let Err(error) = delete(engine, table, &self.ours(d, *scratch)).await {
                        tracing::debug!("clearing {table}: {error:#}");
                    }
                }
            }
            Err(error) => tracing::debug!("clearing scratch tables: {error}"),
        }
        true
    }

    /// The condition that finds its rows in a table that lasts.
    fn ours(&self, d: &dyn Dialect, scratch: Scratch) -> String {
        let (first, last) = (self.number, self.number + NUMBERS - 1);
        format!("{} BETWEEN {first} AND {last}", mark(d, scratch))
    }
}

/// The column that says whose a row is.
pub(super) fn mark(d: &dyn Dialect, scratch: Scratch) -> String {
    d.quote(if scratch == Scratch::Stage { KIND } else { RUN })
}

pub(super) async fn delete(engine: &mut dyn Engine, table: &str, condition: &str) -> Result<()> {
    let sql = engine.dialect().delete_some(table, condition);
    while engine.execute(&sql).await? >= SOME {}
    Ok(())
}

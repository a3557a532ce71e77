//! Rows that differ, collected as they arrive.

use crate::engine::{Dialect, Row};
use crate::inspect::BoundSummary;
use crate::reconcile::near;
use crate::report::{Difference, Key, Sample};

/// Rows that are shown in full; all are counted.
const SHOWN: usize = 10;

/// Whether two values of the column of that name may be taken for one.
type Near<'c> = Box<dyn Fn(&str, Option<&str>, Option<&str>) -> bool + Send + Sync + 'c>;

/// A row that differs, and on which side it is: stored or recomputed.
type Sided = (Row, i64);

/// Collects the rows of [`crate::engine::statements::SummarySql::disagreements`], which come ordered by key.
pub(super) struct Comparison<'c> {
    names: Vec<String>,
    key: Vec<usize>,
    open: Option<(Row, Vec<Sided>)>,
    /// Whether two values of a column may be taken for one.
    near: Near<'c>,
    pub(super) missing: u64,
    pub(super) extra: u64,
    pub(super) different: u64,
    shown: usize,
    pub(super) samples: Vec<Sample>,
}

impl<'c> Comparison<'c> {
    pub(super) fn new(d: &'c dyn Dialect, item: &'c BoundSummary<'_>) -> Self {
        let names: Vec<String> = item
            .columns
            .iter()
            .filter(|column| !item.summary.ignore.iter().any(|name| name.eq_ignore_ascii_case(&column.name)))
            .map(|column| column.name.clone())
            .collect();
        let key = item
            .summary
            .key
            .iter()
            .filter_map(|name| names.iter().position(|other| other.eq_ignore_ascii_case(name)))
            .collect();
        let near = Box::new(move |name: &str, one: Option<&str>, other: Option<&str>| {
            one.zip(other).is_some_and(|(one, other)| near(d, item, name, one, other))
        });
        Self {
            names,
            key,
            open: None,
            near,
            missing: 0,
            extra: 0,
            different: 0,
            shown: 0,
            samples: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, mut row: Row) {
        let side: i64 = row.pop().flatten().and_then(|n| n.parse().ok()).unwrap_or(0);
        let key: Vec<Option<String>> = self.key.iter().map(|at| row[*at].clone()).collect();
        if self.open.as_ref().is_none_or(|(open, _)| *open != key) {
            self.close();
            self.open = Some((key, Vec::new()));
        }
        if let Some((_, rows)) = &mut self.open {
            rows.push((row, side));
        }
    }

    /// Judges the rows of one key.
    pub(super) fn close(&mut self) {
        let Some((key, rows)) = self.open.take() else { return };
        let expected: Vec<&(Row, i64)> = rows.iter().filter(|(_, side)| *side > 0).collect();
        let actual: Vec<&(Row, i64)> = rows.iter().filter(|(_, side)| *side < 0).collect();
        let show = self.shown < SHOWN;
        let named = Key(self.key.iter().map(|at| self.names[*at].clone()).zip(key).collect());
        let mut whole = |kind: Difference| {
            if show {
                self.samples.push(Sample {
                    kind,
                    key: named.clone(),
                    column: None,
                    expected: None,
                    actual: None,
                });
            }
        };
        match (expected.first(), actual.first()) {
            (Some((want, _)), Some((have, _))) => {
                let differs = |at: usize, name: &str| {
                    want[at] != have[at] && !(self.near)(name, want[at].as_deref(), have[at].as_deref())
                };
                // Several rows of one key are more than a matter of digits.
                if expected.len() == 1
                    && actual.len() == 1
                    && !self.names.iter().enumerate().any(|(at, name)| differs(at, name))
                {
                    return;
                }
                self.different += 1;
                if show {
                    for (at, name) in self.names.iter().enumerate() {
                        if differs(at, name) {
                            self.samples.push(Sample {
                                kind: Difference::Different,
                                key: named.clone(),
                                column: Some(name.clone()),
                                expected: want[at].clone(),
                                actual: have[at].clone(),
                            });
                        }
                    }
                }
            }
            (Some((_, side)), None) => {
                whole(Difference::Missing);
                self.missing += side.unsigned_abs();
            }
            (None, Some((_, side))) => {
                whole(Difference::Extra);
                self.extra += side.unsigned_abs();
            }
            (None, None) => {}
        }
        self.shown += 1;
    }
}

//! Which partitions: all of them, those named on the command line, a sample; and how they are cut into chunks.

use super::{Alike, Ask, Known, Tuple, alike};
use crate::error::Failure;

/// More chunks than this are merged: a statement has a fixed cost, and progress needs no finer steps.
const MOST_CHUNKS: usize = 240;

pub(super) fn finest(known: &[Known]) -> Option<&Known> {
    known.iter().max_by_key(|known| known.columns.len())
}

/// Partitions picked out of the known ones, under the finest list of partition columns.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    pub(super) known: &'a [Known],
    pub(super) finest: Option<&'a Known>,
    pub(super) tuples: Option<Vec<Tuple>>,
}

impl<'a> Chosen<'a> {
    /// All of them.
    pub fn everything(known: &'a [Known]) -> Self {
        Self { known, finest: finest(known), tuples: None }
    }

    /// What the command line names.
    ///
    /// # Errors
    /// A value that cannot be a partition, or a set without partitions (exit code 2).
    pub fn new(set: &str, ask: &Ask, known: &'a [Known]) -> Result<Self, Failure> {
        let mut this = Self::everything(known);
        if matches!(ask, Ask::Current | Ask::Full) {
            return Ok(this);
        }
        let Some(finest) = this.finest else {
            return Err(Failure::usage(format!("set {set} has no partitions to choose from"))
                .hint("leave --partition and --since out"));
        };
        this.tuples = Some(match ask {
            Ask::Since(value) => {
                let first = Known {
                    columns: finest.columns[..1].to_vec(),
                    nameless: finest.nameless,
                    alike: finest.alike.clone(),
                    tuples: finest.tuples.iter().map(|tuple| tuple[..1].to_vec()).collect(),
                };
                let from = parse(value, &first)?;
                let numbers = first.tuples.iter().flatten().flatten().all(|text| is_integer(text));
                let not_before = |tuple: &&Tuple| match (numbers, &tuple[0], &from[0]) {
                    (true, Some(have), Some(want)) => have.parse::<i64>().ok() >= want.parse::<i64>().ok(),
                    (_, have, want) => have >= want,
                };
                finest.tuples.iter().filter(not_before).cloned().collect()
            }
            Ask::Partitions(values) => {
                let mut tuples: Vec<Tuple> =
                    values.iter().map(|value| parse(value, finest)).collect::<Result<_, _>>()?;
                let named = tuples.iter().cloned().collect();
                tuples.extend(finest.alike.others(&finest.columns, &named, &finest.tuples));
                tuples.sort();
                tuples.dedup();
                tuples
            }
            Ask::Current | Ask::Full => Vec::new(),
        });
        Ok(this)
    }

    /// Keeps `count` of them, the ones that `rank` puts first.
    pub fn sample(&mut self, count: usize, rank: impl Fn(&Tuple) -> u64) {
        if let Some(finest) = self.finest {
            let mut tuples = finest.tuples.clone();
            tuples.sort_by_key(|tuple| rank(tuple));
            tuples.truncate(count);
            tuples.sort();
            self.tuples = Some(tuples);
        }
    }

    /// How many, on the finest partition columns; 1 where there are none.
    pub fn count(&self) -> usize {
        match (&self.tuples, self.finest) {
            (Some(tuples), _) => tuples.len(),
            (None, Some(finest)) => finest.tuples.len(),
            (None, None) => 1,
        }
    }

    /// The partitions of a summary with these partition columns, in chunks.
    pub fn chunks(&self, columns: &[String]) -> Vec<Option<Vec<Tuple>>> {
        chunks(scope(columns, self.known, self.finest, self.tuples.as_deref()), columns, alike(self.known))
    }
}

/// The tuples of a summary's own partition columns that are in scope; `None`: everything.
fn scope(
    columns: &[String],
    known: &[Known],
    finest: Option<&Known>,
    chosen: Option<&[Tuple]>,
) -> Option<Vec<Tuple>> {
    if columns.is_empty() {
        return None;
    }
    let all = || known.iter().find(|known| known.columns == columns).map(|known| known.tuples.clone());
    let (Some(chosen), Some(finest)) = (chosen, finest) else { return all() };
    // A coarser summary is touched in the partitions that the chosen ones fall into.
    let places: Option<Vec<usize>> =
        columns.iter().map(|column| finest.columns.iter().position(|other| other == column)).collect();
    let Some(places) = places else { return all() };
    let mut tuples: Vec<Tuple> =
        chosen.iter().map(|tuple| places.iter().map(|at| tuple[*at].clone()).collect()).collect();
    tuples.sort();
    tuples.dedup();
    Some(tuples)
}

pub(super) fn chunks(
    scope: Option<Vec<Tuple>>,
    columns: &[String],
    alike: &Alike,
) -> Vec<Option<Vec<Tuple>>> {
    let Some(tuples) = scope else { return vec![None] };
    let size = tuples.len().div_ceil(MOST_CHUNKS).max(1);
    alike.cut(columns, tuples, size).into_iter().map(Some).collect()
}

/// Reads a partition from the command line and refuses what cannot be one.
fn parse(text: &str, known: &Known) -> Result<Tuple, Failure> {
    let values: Vec<&str> =
        if known.columns.len() == 1 { vec![text] } else { text.split(',').map(str::trim).collect() };
    if values.len() != known.columns.len() {
        return Err(Failure::usage(format!(
            "partition '{text}': expected {} values ({}) with commas between",
            known.columns.len(),
            known.columns.join(", ")
        )));
    }
    for (at, value) in values.iter().enumerate() {
        let mut seen = known.tuples.iter().filter_map(|tuple| tuple[at].as_deref()).peekable();
        let Some(example) = seen.peek().map(|text| (*text).to_owned()) else { continue };
        if seen.clone().all(is_date) && !is_date(value) {
            return Err(Failure::usage(format!("partition '{value}' is not a date"))
                .hint(format!("{} is written like {example}", known.columns[at])));
        }
        if seen.all(is_integer) && !is_integer(value) {
            return Err(Failure::usage(format!("partition '{value}' is not a whole number"))
                .hint(format!("{} is written like {example}", known.columns[at])));
        }
    }
    Ok(values.into_iter().map(|value| Some(value.to_owned())).collect())
}

fn is_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

/// `YYYY-MM-DD` that the calendar has.
fn is_date(text: &str) -> bool {
    text.len() == 10 && humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn months() -> Known {
        Known {
            columns: vec!["month".into()],
            nameless: false,
            alike: Default::default(),
            tuples: ["2025-01-01", "2025-02-01"].iter().map(|m| vec![Some((*m).to_owned())]).collect(),
        }
    }

    #[test]
    fn a_partition_that_is_not_a_date_is_refused_with_an_example() {
        let error = parse("2025-13-01", &months()).unwrap_err();
        assert!(error.message.contains("2025-13-01") && error.hint.unwrap().contains("2025-01-01"));
        assert!(parse("2025-02-30", &months()).is_err());
        assert_eq!(parse("2025-03-01", &months()).unwrap(), vec![Some("2025-03-01".to_owned())]);
    }

    #[test]
    fn a_coarser_summary_gets_the_partitions_that_the_chosen_ones_fall_into() {
        let fine = Known {
            columns: vec!["month".into(), "marketplace".into()],
            nameless: false,
            alike: Default::default(),
            tuples: vec![
                vec![Some("1".into()), Some("US".into())],
                vec![Some("1".into()), Some("DE".into())],
            ],
        };
        let chosen = fine.tuples.clone();
        let got = scope(&["month".into()], std::slice::from_ref(&fine), Some(&fine), Some(&chosen));
        assert_eq!(got, Some(vec![vec![Some("1".to_owned())]]));
        assert_eq!(scope(&[], std::slice::from_ref(&fine), Some(&fine), Some(&chosen)), None);
    }

    #[test]
    fn many_partitions_are_merged_into_few_chunks() {
        let scope: Vec<Tuple> = (0..1000).map(|n| vec![Some(n.to_string())]).collect();
        let chunks = chunks(Some(scope), &["n".to_owned()], &Alike::default());
        assert!(chunks.len() <= MOST_CHUNKS);
        assert_eq!(chunks.iter().map(|c| c.as_ref().unwrap().len()).sum::<usize>(), 1000);
    }
}

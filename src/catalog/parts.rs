//! Which summaries of a set go together: chosen on the command line, published at once, looked at by themselves.

use super::{Against, Kind, Set, Summary};

/// A set that the command line chose.
#[derive(Debug, Clone)]
pub struct Selected<'a> {
    /// The set.
    pub set: &'a Set,
    /// Summaries named one by one; empty: the whole set.
    pub summaries: Vec<usize>,
}

impl Selected<'_> {
    /// Whether a summary was asked for.
    pub fn includes(&self, index: usize) -> bool {
        self.summaries.is_empty() || self.summaries.contains(&index)
    }

    /// The groups of the set of which any summary was asked for: what publishes together is selected together.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups = self.set.groups();
        groups.retain(|group| group.iter().any(|index| self.includes(*index)));
        groups
    }
}

impl Set {
    /// A summary and every tier below it, lowest first. Indexes into [`Set::summaries`].
    pub fn below(&self, index: usize) -> Vec<usize> {
        let mut found = vec![index];
        let mut at = 0;
        while let Some(next) = found.get(at).copied() {
            for lower in &self.summaries[next].reads_summaries {
                if !found.contains(lower) {
                    found.push(*lower);
                }
            }
            at += 1;
        }
        found.sort_unstable();
        found
    }

    /// The sources that a summary reads, by itself or through the tiers below it: indexes into [`Set::sources`], in order.
    pub fn sources_below(&self, index: usize) -> Vec<usize> {
        let below = self.below(index);
        let mut sources: Vec<usize> =
            below.iter().flat_map(|at| self.summaries[*at].reads_sources.iter().copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// The groups of summaries that publish together: all tables, then each materialized view with those that it
    /// is connected to. Indexes into [`Set::summaries`], in tier order.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let of_kind =
            |kind: Kind| (0..self.summaries.len()).filter(move |at| self.summaries[*at].kind == kind);
        let tables: Vec<usize> = of_kind(Kind::Table).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for index in of_kind(Kind::MaterializedView) {
            let reads = &self.summaries[index].reads_summaries;
            let (mut joined, rest): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group.iter().any(|member| reads.contains(member)));
            let mut group: Vec<usize> = joined.drain(..).flatten().collect();
            group.push(index);
            groups = rest;
            groups.push(group);
        }
        for group in &mut groups {
            group.sort_unstable();
        }
        groups.sort();
        if !tables.is_empty() {
            groups.insert(0, tables);
        }
        groups
    }

    /// The set as if it had only these summaries, and the sources that they need.
    pub fn subset(&self, members: &[usize]) -> Set {
        let names: Vec<&str> = members.iter().map(|at| self.summaries[*at].name.as_str()).collect();
        let kept: Vec<usize> = (0..self.sources.len())
            .filter(|at| {
                members.iter().any(|member| self.summaries[*member].reads_sources.contains(at))
                    || self.sources[*at]
                        .invalidates
                        .as_ref()
                        .is_some_and(|(name, _)| names.contains(&name.as_str()))
            })
            .collect();
        let place = |list: &[usize], old: usize| list.iter().position(|other| *other == old);
        let summaries = members
            .iter()
            .map(|at| {
                let summary = &self.summaries[*at];
                Summary {
                    reads_summaries: summary
                        .reads_summaries
                        .iter()
                        .filter_map(|old| place(members, *old))
                        .collect(),
                    reads_sources: summary
                        .reads_sources
                        .iter()
                        .filter_map(|old| place(&kept, *old))
                        .collect(),
                    against: match summary.against {
                        Against::Source(old) => place(&kept, old).map_or(Against::Nothing, Against::Source),
                        Against::Summary(old) => {
                            place(members, old).map_or(Against::Nothing, Against::Summary)
                        }
                        Against::Nothing => Against::Nothing,
                    },
                    ..summary.clone()
                }
            })
            .collect();
        Set { summaries, sources: kept.iter().map(|at| self.sources[*at].clone()).collect(), ..self.clone() }
    }
}

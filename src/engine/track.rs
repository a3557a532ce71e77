//! What change tracking notes of a source.
//!
//! Three shapes of note: `k` names the finest columns (a key), `p` only the partition columns, `a` nothing:
//! everything may have changed. Writers append them in their own transaction. A refresh *claims* them: in one
//! transaction of milliseconds they move from the log to the work table under the claim's token; they leave
//! the work table only in the transaction that publishes what was computed after the claim.

use super::{Column, Spelling};
use crate::sql_text::{self, Token};

/// How many rows one statement (or, where triggers only see single rows, one session in a minute) may note
/// by key before only its partitions are noted: bulk loads stay cheap, and recomputing whole partitions is
/// the better plan by then.
pub(super) const MOST_NOTED_KEYS: u32 = 5_000;

/// A source whose changes are noted by triggers.
#[derive(Debug, Clone, Default)]
pub struct TrackSpec {
    /// Schema of the log.
    pub schema: String,
    /// The source table.
    pub source: String,
    /// Its schema; `None`: found as an unqualified name would be.
    pub source_schema: Option<String>,
    /// The channel that a note wakes `refresh --watch` on, where the engine has that.
    pub notify: Option<String>,
    /// Part of every name that tracking makes; changes when the columns do.
    pub id: String,
    /// What a note holds: the partition columns, then the rest of the key.
    pub columns: Vec<TrackColumn>,
    /// How many of `columns` are partition columns.
    pub partition: usize,
    /// All columns of the source, to find them in expressions.
    pub source_columns: Vec<String>,
    /// Those of them that triggers do not see, each with the expression that computes it.
    pub unseen: Vec<(String, String)>,
    /// Unique keys of the source.
    pub uniques: Vec<Vec<String>>,
    /// Beyond this many notes that wait, new ones name partitions only, then everything, where triggers can tell.
    pub max_notes: u32,
    /// Foreign keys by which a parent's change reaches the source without firing its triggers.
    pub cascades: Vec<Cascade>,
}

/// A foreign key with CASCADE or SET NULL, on the source or on one of its ancestors.
#[derive(Debug, Clone)]
pub struct Cascade {
    /// The table that is referred to.
    pub parent: String,
    /// The constraint.
    pub name: String,
    /// `(column of the source, column of the parent)`; empty where the parent is not the source's own but an
    /// ancestor's, so that nothing tells which rows of the source it reaches.
    pub columns: Vec<(String, String)>,
}

/// One column of a note.
#[derive(Debug, Clone)]
pub struct TrackColumn {
    /// Name in the log, and in the summaries that are recomputed by it.
    pub name: String,
    /// Expression over a source row, where it is not the column of that name.
    pub expression: Option<String>,
    /// Its type; nullable in the log.
    pub column: Column,
}

impl TrackSpec {
    /// The table that triggers append to.
    pub fn log(&self) -> String {
        format!("dashagg_log_{}", self.id)
    }

    /// Where an engine keeps `p` notes apart, the table of those.
    pub fn marks(&self) -> String {
        format!("dashagg_mark_{}", self.id)
    }

    /// Where an engine keeps notes of everything apart, the table of those.
    pub fn everything(&self) -> String {
        format!("dashagg_all_{}", self.id)
    }

    /// The table of claimed notes.
    pub fn work(&self) -> String {
        format!("dashagg_work_{}", self.id)
    }

    /// Name of a trigger or function: `dashagg_<id>_<suffix>`.
    pub fn trigger(&self, suffix: &str) -> String {
        format!("dashagg_{}_{suffix}", self.id)
    }

    /// Whether a note can name more than a partition.
    pub fn has_keys(&self) -> bool {
        self.columns.len() > self.partition
    }

    /// The first `count` columns, as SQL spells their names.
    pub fn names(&self, spelling: &(impl Spelling + ?Sized), count: usize) -> Vec<String> {
        self.columns[..count].iter().map(|column| spelling.quote(&column.name)).collect()
    }

    /// The values of the first `count` columns over a row that triggers call `row`.
    pub fn values(&self, spelling: &(impl Spelling + ?Sized), count: usize, row: &str) -> Vec<String> {
        self.columns[..count]
            .iter()
            .map(|column| match &column.expression {
                None => self.value(spelling, &column.name, row),
                Some(expression) => self.row_expression(spelling, expression, row),
            })
            .collect()
    }

    /// A column's value in that row.
    fn value(&self, spelling: &(impl Spelling + ?Sized), name: &str, row: &str) -> String {
        match self.unseen.iter().find(|(unseen, _)| unseen.eq_ignore_ascii_case(name)) {
            None => format!("{row}.{}", spelling.quote(name)),
            // The server's own text: what it names are columns, without a table.
            Some((_, expression)) => format!("(SELECT {expression} FROM (SELECT {row}.*) dashagg_row)"),
        }
    }

    /// An expression over a table's columns as an expression over one row of it.
    fn row_expression(&self, spelling: &(impl Spelling + ?Sized), expression: &str, row: &str) -> String {
        let tokens = sql_text::tokens(expression, spelling.lex_rules());
        let mut out = String::new();
        let mut last = 0;
        for (at, spanned) in tokens.iter().enumerate() {
            let Token::Name { text, .. } = &spanned.token else { continue };
            let qualified = at > 0 && tokens[at - 1].is_symbol('.');
            let call = tokens.get(at + 1).is_some_and(|next| next.is_symbol('('));
            if let Some(name) = self.source_columns.iter().find(|name| name.eq_ignore_ascii_case(text))
                && !qualified
                && !call
            {
                out.push_str(&expression[last..spanned.start]);
                out.push_str(&self.value(spelling, name, row));
                last = spanned.end;
            }
        }
        out.push_str(&expression[last..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::TrackSpec;
    use crate::engine::sqlite::SQLITE;

    #[test]
    fn an_expression_is_moved_onto_a_row() {
        let spec = TrackSpec { source_columns: vec!["created".into()], ..TrackSpec::default() };
        let got = spec.row_expression(&SQLITE, "date(created, 'created')", "NEW");
        assert_eq!(got, "date(NEW.\"created\", 'created')");
    }
}

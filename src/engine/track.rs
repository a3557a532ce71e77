//! Change tracking as text: the tables and triggers that note which parts of a source changed, and the
//! statements that claim those notes.
//!
//! Two shapes of note: `k` names the finest columns (a key), `p` only the partition columns, `a` nothing:
//! everything may have changed. Writers append them in their own transaction. A refresh *claims* them: in one
//! transaction of milliseconds they move from the log to the work table under the claim's token; they leave
//! the work table only in the transaction that publishes what was computed after the claim.

use super::Column;
use crate::catalog::lexer::{self, Token};
use crate::engine::LexRules;

/// How many rows one statement (or, where triggers only see single rows, one session in a minute) may note
/// by key before only its partitions are noted: bulk loads stay cheap, and recomputing whole partitions is
/// the better plan by then.
pub const MOST_KEYS: u32 = 5_000;

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

    /// The value of a column over a row that triggers call `row`.
    pub fn value(&self, at: usize, row: &str, quote: &dyn Fn(&str) -> String, rules: LexRules) -> String {
        let column = &self.columns[at];
        match &column.expression {
            None => format!("{row}.{}", quote(&column.name)),
            Some(expression) => row_expression(expression, row, &self.source_columns, quote, rules),
        }
    }
}

/// An expression over a table's columns as an expression over one row of it.
fn row_expression(
    expression: &str,
    row: &str,
    columns: &[String],
    quote: &dyn Fn(&str) -> String,
    rules: LexRules,
) -> String {
    let tokens = lexer::tokens(expression, rules);
    let mut out = String::new();
    let mut last = 0;
    for (at, spanned) in tokens.iter().enumerate() {
        let Token::Name { text, .. } = &spanned.token else { continue };
        let qualified = at > 0 && tokens[at - 1].is_symbol('.');
        let call = tokens.get(at + 1).is_some_and(|next| next.is_symbol('('));
        if let Some(name) = columns.iter().find(|name| name.eq_ignore_ascii_case(text))
            && !qualified
            && !call
        {
            out.push_str(&expression[last..spanned.start]);
            out.push_str(&format!("{row}.{}", quote(name)));
            last = spanned.end;
        }
    }
    out.push_str(&expression[last..]);
    out
}

/// The pattern, with its escape, that names of tracking by an id match: what follows the id is `suffix`. By a character of
/// our own, since what a backslash means is a setting.
pub(super) fn like_own(id: &str, suffix: &str) -> String {
    format!("'dashagg|_{id}|_{suffix}' ESCAPE '|'")
}

/// `INSERT INTO to (columns) SELECT columns FROM from`.
pub(super) fn copy_rows(quote: &dyn Fn(&str) -> String, from: &str, to: &str, columns: &[&str]) -> String {
    let list = columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO {to} ({list}) SELECT {list} FROM {from}")
}

/// The text of tracking; part of every [`super::Dialect`].
pub trait Tracking {
    /// Makes log and work tables, if they are not there.
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String>;

    /// Makes (again) the triggers. Committed before anything is computed, so that no change falls between.
    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String>;

    /// Rows (child, parent, column of the child, column of the parent, constraint) of the foreign keys that cascade, over
    /// the whole schema; `None` where a cascade fires the child's own triggers.
    fn cascades_sql(&self) -> Option<String> {
        None
    }

    /// Queries, best first, for one value that changes when changes may have gone unnoticed: a trigger
    /// dropped, disabled or re-made, the table truncated or replaced, a partition added or taken away. NULL:
    /// a trigger is missing. A later query is for users who lack a right for the one before.
    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String>;

    /// Moves every visible note from the log to the work table, under `claim`.
    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String>;

    /// Copies every note, claimed or not, from the tables of one id to those of another with the same columns.
    fn copy_notes_sql(&self, from: &TrackSpec, to: &TrackSpec) -> Vec<String>;

    /// One value: 1 if the log has a note, else 0.
    fn noted_sql(&self, spec: &TrackSpec) -> String;

    /// A SELECT of (grain, columns…) over notes not yet claimed.
    fn notes_sql(&self, spec: &TrackSpec) -> String;

    /// Statement, outside a transaction, that gives back the room of notes that were claimed, where triggers count by it.
    fn shrink_log_sql(&self, spec: &TrackSpec) -> Option<String> {
        let _ = spec;
        None
    }

    /// The tables that hold notes, claimed or not, as statements spell them; with the grain of all of a table's notes,
    /// where it has no column that tells.
    fn note_tables(&self, spec: &TrackSpec) -> Vec<(String, Option<char>)>;

    /// The column, if any, whose value an expression over the source takes in the time zone of whoever asks: a note
    /// of it would name another partition than a refresh finds.
    fn zoned_column(&self, expression: &str, columns: &[Column]) -> Option<String> {
        let _ = (expression, columns);
        None
    }

    /// Rows (name) of all triggers that tracking by this id has made, on whatever table; `None` where
    /// [`Tracking::untrack_sql`] finds them by itself.
    fn triggers_sql(&self, id: &str) -> Option<String> {
        let _ = id;
        None
    }

    /// Statements, in a transaction, that fail where the expressions would fail in the triggers, and leave nothing.
    fn rehearse_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let _ = spec;
        Vec::new()
    }

    /// Removes the triggers, where [`Tracking::triggers_sql`] does not find them.
    fn untrigger_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let _ = spec;
        Vec::new()
    }

    /// Removes the tables, and the triggers where [`Tracking::triggers_sql`] does not find them.
    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String>;

    /// Rows (`function`, `schema` or `mute`, name as statements spell it): functions made by any dashagg here that others may
    /// call, schemas of the search path that anybody may make functions and operators in, and functions that may not write
    /// their notes.
    fn open_doors_sql(&self, schema: &str) -> Option<String> {
        let _ = schema;
        None
    }

    /// What triggers on this engine do not see and dashagg cannot find out; for `status`.
    fn blind_spots(&self) -> &'static str;
}

#[cfg(test)]
mod tests {
    use super::row_expression;
    use crate::engine::LexRules;

    #[test]
    fn an_expression_is_moved_onto_a_row() {
        let rules = LexRules {
            backslash_escapes: false,
            hash_comments: false,
            dollar_quotes: false,
            double_quoted_strings: false,
        };
        let quote = |name: &str| format!("\"{name}\"");
        let got = row_expression("date(created, 'created')", "NEW", &["created".into()], &quote, rules);
        assert_eq!(got, "date(NEW.\"created\", 'created')");
    }
}

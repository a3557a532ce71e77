//! The notes that triggers have left: reading them, claiming them, carrying them over.

use super::Spelling;
use super::track::TrackSpec;

/// Statements on notes. A note is in the log until a refresh claims it, in the work table until that refresh publishes.
pub trait NoteSql: Spelling {
    /// A table of notes as statements spell it.
    fn note_table(&self, spec: &TrackSpec, table: &str) -> String {
        let _ = spec;
        self.quote(table)
    }

    /// The tables that hold notes, claimed or not, as statements spell them; with the grain of all of a table's notes,
    /// where it has no column that tells.
    fn note_tables(&self, spec: &TrackSpec) -> Vec<(String, Option<char>)> {
        [spec.work(), spec.log()].map(|table| (self.note_table(spec, &table), None)).to_vec()
    }

    /// One value: 1 if there is a note, claimed or not, else 0.
    fn noted_sql(&self, spec: &TrackSpec) -> String {
        let tables = self.note_tables(spec);
        let some: Vec<String> =
            tables.iter().map(|(table, _)| format!("EXISTS(SELECT 1 FROM {table})")).collect();
        format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", some.join(" OR "))
    }

    /// A SELECT of (grain, columns…) over notes not yet claimed.
    fn notes_sql(&self, spec: &TrackSpec) -> String {
        let columns = spec.names(self, spec.columns.len()).join(", ");
        format!("SELECT dashagg_grain, {columns} FROM {}", self.note_table(spec, &spec.log()))
    }

    /// Moves every visible note from the log to the work table, under `claim`.
    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String>;

    /// Copies every note, claimed or not, from the tables of one id to those of another with the same columns.
    fn copy_notes_sql(&self, from: &TrackSpec, to: &TrackSpec) -> Vec<String> {
        let all = to.names(self, to.columns.len());
        let copy = |table: fn(&TrackSpec) -> String, markers: &str| {
            let [from, to] = [from, to].map(|spec| self.note_table(spec, &table(spec)));
            copy_rows(&from, &to, &format!("{}, {markers}", all.join(", ")))
        };
        // A claimed note's number, where it has one, only served the claim.
        vec![copy(TrackSpec::log, "dashagg_grain"), copy(TrackSpec::work, "dashagg_grain, dashagg_claim")]
    }

    /// Statement, outside a transaction, that gives back the room of notes that were claimed, where triggers count by it.
    fn shrink_log_sql(&self, spec: &TrackSpec) -> Option<String> {
        let _ = spec;
        None
    }
}

/// Copies rows between two tables that have these columns.
pub(super) fn copy_rows(from: &str, to: &str, columns: &str) -> String {
    format!("INSERT INTO {to} ({columns}) SELECT {columns} FROM {from}")
}

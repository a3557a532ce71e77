//! The tables and triggers that note which parts of a source changed, and what tells whether they have missed anything.

use super::track::TrackSpec;
use super::{Column, Spelling};
use crate::checksum;

/// Making, watching and removing what tracking needs.
pub trait TriggerSql: Spelling {
    /// Makes log and work tables, if they are not there.
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String>;

    /// Makes (again) the triggers. Committed before anything is computed, so that no change falls between.
    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String>;

    /// Names of what [`TriggerSql::trigger_ddl`] makes and its text is in: the triggers, or the function that they all call.
    fn made_names(&self, spec: &TrackSpec) -> Vec<String>;

    /// Rows (name) of those that are there, on the tables where they belong, with the text and for the log that they would
    /// be made with now. Whether they are enabled is for [`TriggerSql::witness_sql`] to tell.
    fn standing_sql(&self, spec: &TrackSpec) -> String;

    /// Statement that takes the triggers off tables that are no part of the source any more, as far as this user may.
    fn strays_sql(&self, spec: &TrackSpec) -> Option<String> {
        let _ = spec;
        None
    }

    /// Statements, in a transaction, that fail where the expressions would fail in the triggers, and leave nothing.
    fn rehearse_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let _ = spec;
        Vec::new()
    }

    /// Rows (child, parent, column of the child, column of the parent, constraint) of the foreign keys that cascade, over
    /// the whole schema; `None` where a cascade fires the child's own triggers.
    fn cascades_sql(&self) -> Option<String> {
        None
    }

    /// The column, if any, whose value an expression over the source takes in the time zone of whoever asks: a note
    /// of it would name another partition than a refresh finds.
    fn zoned_column(&self, expression: &str, columns: &[Column]) -> Option<String> {
        let _ = (expression, columns);
        None
    }

    /// Queries, best first, for one value that changes when changes may have gone unnoticed: a trigger
    /// dropped, disabled or re-made, the table truncated or replaced, a partition added or taken away. NULL:
    /// a trigger is missing. A later query is for users who lack a right for the one before.
    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String>;

    /// Whether the first witness reads the same to every user, so that whoever asks may compare it with what a refresh has
    /// remembered.
    fn witness_is_anybodys(&self) -> bool {
        false
    }

    /// Rows (`function`, `schema` or `mute`, name as statements spell it): functions made by any dashagg here that others may
    /// call, schemas of the search path that anybody may make functions and operators in, and functions that may not write
    /// their notes.
    fn open_doors_sql(&self, schema: &str) -> Option<String> {
        let _ = schema;
        None
    }

    /// Rows (name) of all triggers that tracking by this id has made, on whatever table; `None` where
    /// [`TriggerSql::untrack_sql`] finds them by itself.
    fn triggers_sql(&self, id: &str) -> Option<String> {
        let _ = id;
        None
    }

    /// Queries, best first, for the accounts (in one text) that triggers of this id run as, but which are not there any
    /// more. A later query is for users who lack a right for the one before, and tells of all accounts but theirs.
    fn orphans_sql(&self, id: &str) -> Vec<String> {
        let _ = id;
        Vec::new()
    }

    /// Removes the triggers, where [`TriggerSql::triggers_sql`] does not find them.
    fn untrigger_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let _ = spec;
        Vec::new()
    }

    /// Removes the tables, and the triggers where [`TriggerSql::triggers_sql`] does not find them.
    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String>;

    /// What triggers on this engine do not see and dashagg cannot find out; for `status`.
    fn blind_spots(&self) -> &'static str;
}

/// The pattern, with its escape, that names of tracking by an id match: what follows the id is `suffix`. By a character of
/// our own, since what a backslash means is a setting.
pub(super) fn like_own(id: &str, suffix: &str) -> String {
    format!("'dashagg|_{id}|_{suffix}' ESCAPE '|'")
}

/// What a trigger's text says of itself: it differs when the text, or the log that it writes, would be made otherwise now. A
/// server may store the text in words of its own, so that the two cannot be compared. Without the id, which is in the
/// trigger's name.
pub(super) fn made_as(spec: &TrackSpec, texts: &[String]) -> String {
    let text = texts.join("\n").replace(&spec.id, "");
    format!("dashagg_as_{}", &checksum::hex(&text)[..10])
}

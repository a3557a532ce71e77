//! Change tracking on SQLite: row triggers, and BEFORE triggers for the rows that `OR REPLACE` evicts without
//! firing any DELETE trigger (unless the writer has recursive triggers on).
//!
//! A note is added unless an equal one is waiting already. That loses nothing here, because there is one
//! writer at a time: a note that a writer finds is taken, if at all, after that writer has committed. It is
//! written as `WHERE NOT EXISTS`, since an `OR …` clause of the outer statement would override ours.

use super::SqliteDialect;
use crate::engine::track::TrackSpec;
use crate::engine::triggers::{like_own, made_as};
use crate::engine::{Spelling, TriggerSql};

const SUFFIXES: [&str; 5] = ["bi", "bu", "ai", "au", "ad"];
const EVENTS: [&str; 5] = ["BEFORE INSERT", "BEFORE UPDATE", "AFTER INSERT", "AFTER UPDATE", "AFTER DELETE"];

impl SqliteDialect {
    /// Notes a row: by key, by partition where more than `max_notes` wait, and once for all beyond twice as many.
    fn note(&self, spec: &TrackSpec, row: &str, from: &str) -> String {
        let all = spec.columns.len();
        let waiting = self.waiting(spec);
        let (many, most) = (spec.max_notes, spec.max_notes.saturating_mul(2));
        let everything = |more: u32| {
            let log = self.quote(&spec.log());
            format!(
                "INSERT INTO {log} (dashagg_grain) SELECT 'a' {from} {waiting} >= {more} \
                 AND NOT EXISTS (SELECT 1 FROM {log} l WHERE l.dashagg_grain = 'a');"
            )
        };
        let finest = if spec.partition == 0 || spec.has_keys() { "'k'" } else { "'p'" };
        if spec.partition == 0 {
            let by_key = self.note_by(spec, all, row, finest, &format!("{from} {waiting} < {many}"));
            return format!("{by_key} {}", everything(many));
        }
        if !spec.has_keys() {
            let by_partition = self.note_by(spec, all, row, finest, &format!("{from} {waiting} < {most}"));
            return format!("{by_partition} {}", everything(most));
        }
        format!(
            "{} {} {}",
            self.note_by(spec, all, row, finest, &format!("{from} {waiting} < {many}")),
            self.note_by(
                spec,
                spec.partition,
                row,
                "'p'",
                &format!("{from} {waiting} >= {many} AND {waiting} < {most}")
            ),
            everything(most)
        )
    }

    /// How many notes wait, or a few more: a claim takes them all, so the numbers of those that are there are close.
    fn waiting(&self, spec: &TrackSpec) -> String {
        let log = self.quote(&spec.log());
        // Apart, each is the end of an index.
        format!("COALESCE((SELECT MAX(dashagg_id) FROM {log}) - (SELECT MIN(dashagg_id) FROM {log}), 0)")
    }

    /// Notes a row by its first columns, unless an equal note waits already.
    fn note_by(&self, spec: &TrackSpec, count: usize, row: &str, grain: &str, rest: &str) -> String {
        let names = spec.names(self, count);
        let values = spec.values(self, count, row);
        let known: Vec<String> =
            names.iter().zip(&values).map(|(name, value)| format!("l.{name} IS {value}")).collect();
        let log = self.quote(&spec.log());
        format!(
            "INSERT INTO {log} (dashagg_grain, {}) SELECT {grain}, {} {rest} \
             AND NOT EXISTS (SELECT 1 FROM {log} l WHERE {} AND l.dashagg_grain = {grain});",
            names.join(", "),
            values.join(", "),
            known.join(" AND "),
        )
    }

    /// Notes the rows that a new row would push out through a unique key.
    fn note_evicted(&self, spec: &TrackSpec) -> String {
        spec.uniques
            .iter()
            .map(|unique| {
                let same: Vec<String> =
                    unique.iter().map(|name| format!("x.{0} = NEW.{0}", self.quote(name))).collect();
                let from = format!("FROM {} x WHERE {} AND", self.quote(&spec.source), same.join(" AND "));
                self.note(spec, "x", &from)
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What the triggers do, in the order of [`SUFFIXES`].
    fn bodies(&self, spec: &TrackSpec) -> [String; 5] {
        let (new, old) = (self.note(spec, "NEW", "WHERE"), self.note(spec, "OLD", "WHERE"));
        let evicted = self.note_evicted(spec);
        [evicted.clone(), evicted, new.clone(), format!("{new} {old}"), old]
    }

    /// The triggers, as the file keeps them to the letter.
    fn made(&self, spec: &TrackSpec) -> Vec<String> {
        let source = self.quote(&spec.source);
        let bodies = self.bodies(spec);
        let tag = made_as(spec, &[self.log_ddl(spec), bodies.to_vec()].concat());
        let made = SUFFIXES.iter().zip(EVENTS).zip(bodies).map(|((suffix, event), body)| {
            let name = self.quote(&spec.trigger(suffix));
            // A table without any unique key has nothing to push out.
            let body = if body.is_empty() { "SELECT 1;".to_owned() } else { body };
            format!("CREATE TRIGGER {name} {event} ON {source} FOR EACH ROW BEGIN /* {tag} */ {body} END")
        });
        made.collect()
    }
}

impl TriggerSql for SqliteDialect {
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let all: Vec<String> = spec
            .columns
            .iter()
            .map(|column| format!("{} {}", self.quote(&column.name), column.column.sql_type))
            .collect();
        let names = spec.names(self, spec.columns.len());
        vec![
            // AUTOINCREMENT: a plain rowid is used again after a delete.
            format!(
                "CREATE TABLE IF NOT EXISTS {} (dashagg_id INTEGER PRIMARY KEY AUTOINCREMENT, dashagg_grain TEXT NOT NULL, {})",
                self.quote(&spec.log()),
                all.join(", ")
            ),
            format!(
                "CREATE INDEX IF NOT EXISTS {} ON {} ({})",
                self.quote(&format!("{}_known", spec.log())),
                self.quote(&spec.log()),
                names.join(", ")
            ),
            format!(
                "CREATE INDEX IF NOT EXISTS {} ON {} (dashagg_grain) WHERE dashagg_grain = 'a'",
                self.quote(&format!("{}_all", spec.log())),
                self.quote(&spec.log()),
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {} (dashagg_id INTEGER PRIMARY KEY AUTOINCREMENT, dashagg_claim TEXT NOT NULL, \
                 dashagg_grain TEXT NOT NULL, {})",
                self.quote(&spec.work()),
                all.join(", ")
            ),
        ]
    }

    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let mut ddl = Vec::new();
        for (name, made) in self.made_names(spec).iter().zip(self.made(spec)) {
            ddl.push(format!("DROP TRIGGER IF EXISTS {}", self.quote(name)));
            ddl.push(made);
        }
        ddl
    }

    fn made_names(&self, spec: &TrackSpec) -> Vec<String> {
        SUFFIXES.iter().map(|suffix| spec.trigger(suffix)).collect()
    }

    fn standing_sql(&self, spec: &TrackSpec) -> String {
        // All of the text: somebody may have edited it and left the tag in.
        let made: Vec<String> = self.made(spec).iter().map(|made| self.literal(made)).collect();
        format!(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = {} AND name LIKE {} AND sql IN ({}) \
             AND 2 = (SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ({}, {}))",
            self.literal(&spec.source),
            like_own(&spec.id, "__"),
            made.join(", "),
            self.literal(&spec.log()),
            self.literal(&spec.work())
        )
    }

    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String> {
        // A unique index that came later is one more way to push a row out, which the triggers do not know.
        vec![format!(
            "SELECT CASE WHEN COUNT(*) = {} THEN group_concat(sql, ';') || COALESCE((SELECT group_concat(sql, ';') FROM \
             (SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = {table} AND sql LIKE '%UNIQUE%' \
             ORDER BY name)), '') END FROM (SELECT sql FROM sqlite_master \
             WHERE type = 'trigger' AND tbl_name = {table} AND name LIKE {} ORDER BY name)",
            SUFFIXES.len(),
            like_own(&spec.id, "__"),
            table = self.literal(&spec.source),
        )]
    }

    fn untrigger_sql(&self, spec: &TrackSpec) -> Vec<String> {
        SUFFIXES
            .iter()
            .map(|suffix| format!("DROP TRIGGER IF EXISTS {}", self.quote(&spec.trigger(suffix))))
            .collect()
    }

    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let mut sql = self.untrigger_sql(spec);
        for table in [spec.log(), spec.work()] {
            sql.push(format!("DROP TABLE IF EXISTS {}", self.quote(&table)));
        }
        sql
    }

    fn blind_spots(&self) -> &'static str {
        "writers that switch triggers off on their connection"
    }
}

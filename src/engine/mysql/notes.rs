//! MySQL and MariaDB: notes and their claim.

use super::MysqlDialect;
use super::triggers::{ROOM, grain};
use crate::engine::notes::copy_rows;
use crate::engine::track::TrackSpec;
use crate::engine::{NoteSql, Spelling};

impl NoteSql for MysqlDialect {
    /// In one transaction under READ COMMITTED. What a writer still holds is left alone.
    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String> {
        let claim = self.literal(claim);
        let all = spec.names(self, spec.columns.len()).join(", ");
        let (log, marks, work) =
            (self.quote(&spec.log()), self.quote(&spec.marks()), self.quote(&spec.work()));
        let slots = self.quote(&spec.everything());
        // STRAIGHT_JOIN: read from the other side, the log's rows would be waited for that writers have not committed yet.
        let mut sql = vec![
            format!(
                "INSERT INTO {work} (dashagg_claim, dashagg_note, dashagg_grain, {all}) SELECT {claim}, dashagg_id, dashagg_grain, {all} FROM {log} \
                 FOR UPDATE SKIP LOCKED"
            ),
            format!(
                "DELETE l FROM {work} w STRAIGHT_JOIN {log} l ON l.dashagg_id = w.dashagg_note WHERE w.dashagg_claim = {claim} AND w.dashagg_grain <> 'p'"
            ),
        ];
        let next = format!("(@dashagg_number DIV {ROOM} + 1) * {ROOM}");
        sql.extend([
            // Where the numbers are now; from the next multiple on they count anew. By rows of those numbers, and away with
            // them.
            format!("INSERT INTO {log} (dashagg_grain) VALUES ('x')"),
            "SET @dashagg_number = LAST_INSERT_ID()".to_owned(),
            format!(
                "INSERT IGNORE INTO {log} (dashagg_id, dashagg_grain) SELECT {next}, 'x' FROM DUAL WHERE @dashagg_number MOD {ROOM} > {}",
                spec.max_notes / 4
            ),
            format!("DELETE FROM {log} WHERE dashagg_id = @dashagg_number"),
            format!("DELETE FROM {log} WHERE dashagg_id = CAST({next} AS SIGNED) AND dashagg_grain = 'x'"),
            format!(
                "INSERT INTO {work} (dashagg_claim, dashagg_note, dashagg_grain) SELECT {claim}, dashagg_slot, 's' FROM {slots} \
                 FOR UPDATE SKIP LOCKED"
            ),
            format!(
                "DELETE s FROM {work} w STRAIGHT_JOIN {slots} s ON s.dashagg_slot = w.dashagg_note \
                 WHERE w.dashagg_claim = {claim} AND w.dashagg_grain = 's'"
            ),
            format!(
                "UPDATE {work} SET dashagg_grain = 'a' WHERE dashagg_claim = {claim} AND dashagg_grain = 's'"
            ),
        ]);
        if spec.partition > 0 {
            let parts = spec.names(self, spec.partition);
            let same: Vec<String> = parts.iter().map(|name| format!("m.{name} = w.{name}")).collect();
            let list = parts.join(", ");
            sql.push(format!(
                "INSERT INTO {work} (dashagg_claim, dashagg_note, dashagg_grain, {list}) SELECT {claim}, dashagg_conn, 'p', {list} FROM {marks} \
                 FOR UPDATE SKIP LOCKED"
            ));
            sql.push(format!(
                "DELETE m FROM {work} w STRAIGHT_JOIN {marks} m ON {} AND m.dashagg_conn = w.dashagg_note \
                 WHERE w.dashagg_claim = {claim} AND w.dashagg_grain = 'p'",
                same.join(" AND ")
            ));
        }
        sql
    }

    fn copy_notes_sql(&self, from: &TrackSpec, to: &TrackSpec) -> Vec<String> {
        let copy = |table: fn(&TrackSpec) -> String, count: usize, markers: &str| {
            let columns = format!("{}, {markers}", to.names(self, count).join(", "));
            copy_rows(&self.quote(&table(from)), &self.quote(&table(to)), &columns)
        };
        let all = to.columns.len();
        // A claimed note's number only served the claim.
        let mut sql = vec![
            copy(TrackSpec::log, all, "dashagg_grain"),
            copy(TrackSpec::work, all, "dashagg_grain, dashagg_claim"),
        ];
        if to.partition > 0 {
            let marks = copy(TrackSpec::marks, to.partition, "dashagg_conn");
            sql.push(marks.replacen("INSERT", "INSERT IGNORE", 1));
        }
        sql
    }

    fn notes_sql(&self, spec: &TrackSpec) -> String {
        let all = spec.names(self, spec.columns.len()).join(", ");
        let nothing = spec.columns.iter().map(|_| "NULL").collect::<Vec<_>>().join(", ");
        let mut sql = format!(
            "SELECT dashagg_grain, {all} FROM {} UNION ALL SELECT {}, {nothing} FROM {}",
            self.quote(&spec.log()),
            grain('a'),
            self.quote(&spec.everything())
        );
        if spec.partition > 0 {
            let mut cells = spec.names(self, spec.partition);
            cells.extend((spec.partition..spec.columns.len()).map(|_| "NULL".to_owned()));
            sql.push_str(&format!(
                " UNION ALL SELECT {}, {} FROM {}",
                grain('p'),
                cells.join(", "),
                self.quote(&spec.marks())
            ));
        }
        sql
    }

    fn note_tables(&self, spec: &TrackSpec) -> Vec<(String, Option<char>)> {
        let mut tables = vec![(self.quote(&spec.work()), None), (self.quote(&spec.log()), None)];
        if spec.partition > 0 {
            tables.push((self.quote(&spec.marks()), Some('p')));
        }
        let nothing: Vec<String> =
            spec.columns.iter().map(|column| format!("NULL AS {}", self.quote(&column.name))).collect();
        let slots = self.quote(&spec.everything());
        tables.push((format!("(SELECT {} FROM {slots}) s", nothing.join(", ")), Some('a')));
        tables
    }
}

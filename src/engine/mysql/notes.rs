//! MySQL and MariaDB: notes of one row, and their claim.

use super::MysqlDialect;
use super::spelling::is_binary;
use crate::engine::notes::copy_rows;
use crate::engine::track::{MOST_NOTED_KEYS, TrackSpec};
use crate::engine::{NoteSql, Spelling};

/// Characters of a text value that a mark's primary key holds; a longer one is noted as "everything".
pub(super) const MARK_WIDTH: u32 = 150;

/// A grain as the log's own column has it: a plain literal would be of the database's collation, which need not mix.
fn grain(letter: char) -> String {
    format!("_utf8mb4'{letter}' COLLATE utf8mb4_bin")
}

/// The numbers of a log's notes begin at a multiple of this after each claim.
const ROOM: u64 = 1 << 32;

/// What tells the marks of concurrent writers apart, so that none waits for another, and few enough that marks stay few
/// however many connections come and go.
const SLOT: &str = "CONNECTION_ID() MOD 65536";

impl MysqlDialect {
    /// Notes the rows of the source that a parent's row reaches: before the cascade touches them, and again
    /// after it has changed them. An UPDATE that leaves the referred columns alone reaches none.
    pub(super) fn note_children(
        &self,
        spec: &TrackSpec,
        columns: &[(String, String)],
        row: &str,
        update: bool,
    ) -> String {
        let log = self.quote(&spec.log());
        let note = if columns.is_empty() {
            format!("INSERT INTO {log} (dashagg_grain) VALUES ('a');")
        } else {
            let same: Vec<String> = columns
                .iter()
                .map(|(own, parent)| format!("r.{} = {row}.{}", self.quote(own), self.quote(parent)))
                .collect();
            format!(
                "INSERT INTO {log} (dashagg_grain, {}) SELECT 'k', {} FROM {} r WHERE {};",
                spec.names(self, spec.columns.len()).join(", "),
                spec.values(self, spec.columns.len(), "r").join(", "),
                self.quote(&spec.source),
                same.join(" AND ")
            )
        };
        if !update || columns.is_empty() {
            return note;
        }
        let moved: Vec<String> = columns
            .iter()
            .map(|(_, parent)| format!("NOT (OLD.{0} <=> NEW.{0})", self.quote(parent)))
            .collect();
        format!("IF {} THEN {note} END IF;", moved.join(" OR "))
    }

    /// The statements that note one row.
    ///
    /// How much waits is told by the note's own number, without a look at any other row: a look could end the application's
    /// transaction, or fix its snapshot. A claim moves the numbers on to the next multiple of [`ROOM`], so what is beyond it
    /// counts the notes since. The counters in user variables only choose how finely a change is noted; whatever they say, it
    /// is noted. So it does no harm that a client may set the clock, or the variables.
    pub(super) fn note(&self, spec: &TrackSpec, row: &str) -> String {
        let log = self.quote(&spec.log());
        let all = spec.names(self, spec.columns.len()).join(", ");
        let values = spec.values(self, spec.columns.len(), row).join(", ");
        let by_key = format!("INSERT INTO {log} (dashagg_grain, {all}) VALUES ('k', {values});");
        let (many, most) = (u64::from(spec.max_notes), u64::from(spec.max_notes) * 2);
        let waiting = format!("LAST_INSERT_ID() MOD {ROOM}");
        let undo = format!("DELETE FROM {log} WHERE dashagg_id = LAST_INSERT_ID();");
        let everything =
            format!("INSERT IGNORE INTO {} (dashagg_slot) VALUES ({SLOT});", self.quote(&spec.everything()));
        if spec.partition == 0 {
            return format!("{by_key} IF {waiting} > {many} THEN {undo} {everything} END IF;");
        }
        let [count, minute, full, level] =
            ["n", "t", "o", "l"].map(|name| format!("@dashagg_{}_{name}", spec.id));
        let coarse = format!(
            "IF {full} <=> {minute} AND {level} THEN {everything} ELSE {} END IF;",
            self.note_partition(spec, row)
        );
        let is_full = format!("SET {full} = {minute}, {level} = {waiting} > {most};");
        let counted = format!(
            "SET {count} = IF({minute} <=> UNIX_TIMESTAMP() DIV 60, {count}, 0) + 1, {minute} = UNIX_TIMESTAMP() DIV 60;"
        );
        if !spec.has_keys() {
            // Marks have no numbers: the first one of a session in a minute takes one for all.
            return format!(
                "{counted} IF {count} = 1 THEN INSERT INTO {log} (dashagg_grain) VALUES ('x'); {undo} \
                 IF {waiting} > {many} THEN {is_full} END IF; END IF; {coarse}"
            );
        }
        format!(
            "{counted} IF {count} <= {} AND NOT ({full} <=> {minute}) THEN {by_key} \
             IF {waiting} > {many} THEN {undo} {is_full} {coarse} END IF; ELSE {coarse} END IF;",
            MOST_NOTED_KEYS.min(spec.max_notes)
        )
    }

    /// Marks the partition of a row, once for each connection.
    pub(super) fn note_partition(&self, spec: &TrackSpec, row: &str) -> String {
        let parts = spec.names(self, spec.partition).join(", ");
        let part_values = spec.values(self, spec.partition, row);
        let unknown: Vec<String> = part_values
            .iter()
            .zip(&spec.columns)
            .map(|(value, column)| {
                let long = format!(" OR CHAR_LENGTH({value}) > {MARK_WIDTH}");
                let cut = column.column.text || is_binary(&column.column.sql_type.to_ascii_lowercase());
                format!("{value} IS NULL{}", if cut { long.as_str() } else { "" })
            })
            .collect();
        format!(
            "IF {} THEN INSERT INTO {} (dashagg_grain) VALUES ('a'); \
             ELSE INSERT IGNORE INTO {} ({parts}, dashagg_conn) VALUES ({}, {SLOT}); END IF;",
            unknown.join(" OR "),
            self.quote(&spec.log()),
            self.quote(&spec.marks()),
            part_values.join(", "),
        )
    }
}

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

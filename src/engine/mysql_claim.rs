//! Claiming notes on MySQL and MariaDB.

use super::Dialect;
use super::mysql::MysqlDialect;
use super::mysql_track::ROOM;
use super::track::TrackSpec;

impl MysqlDialect {
    /// The statements of [`claim_sql`], in one transaction under READ COMMITTED. What a writer still holds is left alone.
    ///
    /// [`claim_sql`]: super::track::Tracking::claim_sql
    pub(super) fn claim_statements(&self, spec: &TrackSpec, claim: &str) -> Vec<String> {
        let claim = self.literal(claim);
        let all = self.columns(spec, spec.columns.len()).join(", ");
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
            let parts = self.columns(spec, spec.partition);
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
}

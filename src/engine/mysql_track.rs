//! Change tracking on MySQL and MariaDB: row triggers.
//!
//! Notes by key are appended; notes by partition are `INSERT IGNORE`d into a table of their own, whose
//! primary key is (partition, connection). That key keeps writers from ever waiting for each other, and since
//! an ignored duplicate still leaves a shared lock on the row until the writer commits, the claim
//! (`FOR UPDATE SKIP LOCKED`) leaves that row for the next time instead of losing the change. The mark must be
//! the *clustered* row for this: a duplicate found in a secondary index locks only that index.

use super::Dialect;
use super::mysql::MysqlDialect;
use super::track::{MOST_KEYS, TrackSpec, Tracking};

impl MysqlDialect {
    fn columns(&self, spec: &TrackSpec, count: usize) -> Vec<String> {
        spec.columns[..count].iter().map(|column| self.quote(&column.name)).collect()
    }

    fn definitions(&self, spec: &TrackSpec, count: usize, null: &str) -> String {
        spec.columns[..count]
            .iter()
            .map(|column| format!("{} {}{null}", self.quote(&column.name), column.column.sql_type))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn values(&self, spec: &TrackSpec, count: usize, row: &str) -> Vec<String> {
        (0..count).map(|at| spec.value(at, row, &|name| self.quote(name), self.lex_rules())).collect()
    }

    /// The statements that note one row.
    fn note(&self, spec: &TrackSpec, row: &str) -> String {
        let all = self.columns(spec, spec.columns.len()).join(", ");
        let values = self.values(spec, spec.columns.len(), row).join(", ");
        let by_key =
            format!("INSERT INTO {} (grain, {all}) VALUES ('k', {values});", self.quote(&spec.log()));
        if spec.partition == 0 {
            return by_key;
        }
        let parts = self.columns(spec, spec.partition).join(", ");
        let part_values = self.values(spec, spec.partition, row);
        let unknown: Vec<String> = part_values.iter().map(|value| format!("{value} IS NULL")).collect();
        let by_partition = format!(
            "IF {} THEN INSERT INTO {} (grain) VALUES ('a'); \
             ELSE INSERT IGNORE INTO {} ({parts}, conn) VALUES ({}, CONNECTION_ID()); END IF;",
            unknown.join(" OR "),
            self.quote(&spec.log()),
            self.quote(&spec.marks()),
            part_values.join(", "),
        );
        if !spec.has_keys() {
            return by_partition;
        }
        // The counter only chooses how finely a change is noted; whatever it says, the change is noted. So it
        // does no harm that a client may set the clock, or the variable.
        let (count, minute) = (format!("@dashagg_{}_n", spec.id), format!("@dashagg_{}_t", spec.id));
        format!(
            "SET {count} = IF({minute} <=> UNIX_TIMESTAMP() DIV 60, {count}, 0) + 1; \
             SET {minute} = UNIX_TIMESTAMP() DIV 60; \
             IF {count} <= {MOST_KEYS} THEN {by_key} ELSE {by_partition} END IF;"
        )
    }
}

impl Tracking for MysqlDialect {
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let all = self.definitions(spec, spec.columns.len(), " NULL");
        let mut ddl = vec![
            format!(
                "CREATE TABLE IF NOT EXISTS {} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
                 grain CHAR(1) NOT NULL, {all}){}",
                self.quote(&spec.log()),
                self.table_suffix()
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
                 claim VARCHAR(32) NOT NULL, note BIGINT NULL, grain CHAR(1) NOT NULL, {all}, KEY (claim, grain)){}",
                self.quote(&spec.work()),
                self.table_suffix()
            ),
        ];
        if spec.partition > 0 {
            ddl.push(format!(
                "CREATE TABLE IF NOT EXISTS {} ({}, conn BIGINT NOT NULL, PRIMARY KEY ({}, conn)){}",
                self.quote(&spec.marks()),
                self.definitions(spec, spec.partition, " NOT NULL"),
                self.columns(spec, spec.partition).join(", "),
                self.table_suffix()
            ));
        }
        ddl
    }

    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let source = self.quote(&spec.source);
        let count = spec.columns.len();
        let moved: Vec<String> = self
            .values(spec, count, "OLD")
            .iter()
            .zip(self.values(spec, count, "NEW"))
            .map(|(old, new)| format!("CAST({old} AS BINARY) <=> CAST({new} AS BINARY)"))
            .collect();
        let bodies = [
            ("ai", "INSERT", self.note(spec, "NEW")),
            (
                "au",
                "UPDATE",
                format!(
                    "{} IF NOT ({}) THEN {} END IF;",
                    self.note(spec, "NEW"),
                    moved.join(" AND "),
                    self.note(spec, "OLD")
                ),
            ),
            ("ad", "DELETE", self.note(spec, "OLD")),
        ];
        let mut ddl = Vec::new();
        for (suffix, event, body) in bodies {
            let name = self.quote(&spec.trigger(suffix));
            ddl.push(format!("DROP TRIGGER IF EXISTS {name}"));
            ddl.push(format!(
                "CREATE TRIGGER {name} AFTER {event} ON {source} FOR EACH ROW BEGIN {body} END"
            ));
        }
        ddl
    }

    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let source = self.literal(&spec.source);
        let triggers = format!(
            "SELECT CASE WHEN COUNT(*) = 3 THEN GROUP_CONCAT(TRIGGER_NAME, CREATED, MD5(ACTION_STATEMENT) \
             ORDER BY TRIGGER_NAME) END FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() \
             AND EVENT_OBJECT_TABLE = {source} AND TRIGGER_NAME LIKE {}",
            self.literal(&format!("dashagg\\_{}\\_a_", spec.id))
        );
        let table = format!(
            "SELECT CONCAT(CREATE_TIME, ENGINE) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {source}"
        );
        // TRUNCATE keeps CREATE_TIME on MariaDB; only InnoDB's own table number tells, and reading that
        // needs the PROCESS privilege. Ids of partitions change with TRUNCATE, DROP and EXCHANGE PARTITION.
        let numbers = format!(
            "SELECT GROUP_CONCAT(NAME, TABLE_ID ORDER BY NAME) FROM information_schema.{} \
             WHERE NAME = CONCAT(DATABASE(), '/', {source}) OR NAME LIKE CONCAT(DATABASE(), '/', {source}, '#P#%')",
            if self.is_mariadb() { "INNODB_SYS_TABLES" } else { "INNODB_TABLES" },
        );
        vec![
            format!("SELECT CONCAT('n', ({triggers}), '|', ({table}), '|', COALESCE(({numbers}), ''))"),
            format!("SELECT CONCAT('t', ({triggers}), '|', ({table}))"),
        ]
    }

    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String> {
        let claim = self.literal(claim);
        let all = self.columns(spec, spec.columns.len()).join(", ");
        let (log, marks, work) =
            (self.quote(&spec.log()), self.quote(&spec.marks()), self.quote(&spec.work()));
        let mut sql = vec![
            format!(
                "INSERT INTO {work} (claim, note, grain, {all}) SELECT {claim}, id, grain, {all} FROM {log} \
                 FOR UPDATE SKIP LOCKED"
            ),
            format!(
                "DELETE l FROM {work} w JOIN {log} l ON l.id = w.note WHERE w.claim = {claim} AND w.grain <> 'p'"
            ),
        ];
        if spec.partition > 0 {
            let parts = self.columns(spec, spec.partition);
            let same: Vec<String> = parts.iter().map(|name| format!("m.{name} = w.{name}")).collect();
            let list = parts.join(", ");
            sql.push(format!(
                "INSERT INTO {work} (claim, note, grain, {list}) SELECT {claim}, conn, 'p', {list} FROM {marks} \
                 FOR UPDATE SKIP LOCKED"
            ));
            sql.push(format!(
                "DELETE m FROM {work} w JOIN {marks} m ON {} AND m.conn = w.note \
                 WHERE w.claim = {claim} AND w.grain = 'p'",
                same.join(" AND ")
            ));
        }
        sql
    }

    fn noted_sql(&self, spec: &TrackSpec) -> String {
        let mut parts = vec![
            format!("EXISTS(SELECT 1 FROM {})", self.quote(&spec.log())),
            format!("EXISTS(SELECT 1 FROM {})", self.quote(&spec.work())),
        ];
        if spec.partition > 0 {
            parts.push(format!("EXISTS(SELECT 1 FROM {})", self.quote(&spec.marks())));
        }
        format!("SELECT {}", parts.join(" OR "))
    }

    fn notes_sql(&self, spec: &TrackSpec) -> String {
        let all = self.columns(spec, spec.columns.len()).join(", ");
        let mut sql = format!("SELECT grain, {all} FROM {}", self.quote(&spec.log()));
        if spec.partition > 0 {
            let mut cells = self.columns(spec, spec.partition);
            cells.extend((spec.partition..spec.columns.len()).map(|_| "NULL".to_owned()));
            sql.push_str(&format!(
                " UNION ALL SELECT 'p', {} FROM {}",
                cells.join(", "),
                self.quote(&spec.marks())
            ));
        }
        sql
    }

    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let mut sql: Vec<String> = ["ai", "au", "ad"]
            .iter()
            .map(|suffix| format!("DROP TRIGGER IF EXISTS {}", self.quote(&spec.trigger(suffix))))
            .collect();
        for table in [spec.log(), spec.marks(), spec.work()] {
            sql.push(format!("DROP TABLE IF EXISTS {}", self.quote(&table)));
        }
        sql
    }

    fn blind_spots(&self) -> &'static str {
        "rows removed by a foreign key's CASCADE; TRUNCATE and partition DDL unless the user has PROCESS"
    }
}

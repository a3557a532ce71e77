//! Change tracking on MySQL and MariaDB: row triggers.
//!
//! Notes by key are appended; notes by partition are `INSERT IGNORE`d into a table of their own, whose
//! primary key is (partition, connection). That key keeps writers from ever waiting for each other, and since
//! an ignored duplicate still leaves a shared lock on the row until the writer commits, the claim
//! (`FOR UPDATE SKIP LOCKED`) leaves that row for the next time instead of losing the change. The mark must be
//! the *clustered* row for this: a duplicate found in a secondary index locks only that index.

use super::MysqlDialect;
use super::catalog::files_of;
use super::notes::MARK_WIDTH;
use super::spelling::is_binary;
use crate::checksum;
use crate::engine::track::TrackSpec;
use crate::engine::triggers::{like_own, made_as};
use crate::engine::{Column, ObjectSql, Spelling, TriggerSql};
use crate::sql_text::{self, Token};

impl MysqlDialect {
    /// One value of all rows, for `texts` in a row (after DISTINCT, perhaps): it differs if they do. On MariaDB it is
    /// what older releases remember; it is whole, since each session sets `group_concat_max_len` ([`super::connect`]).
    fn gathered(&self, texts: &str, order: &str) -> String {
        if self.mariadb {
            return format!("GROUP_CONCAT({texts} ORDER BY {order})");
        }
        let row = self.digest(&format!("CONCAT_WS('|', {})", texts.trim_start_matches("DISTINCT ")));
        let half = |side: &str| format!("SUM(CAST(CONV({side}({row}, 15), 16, 10) AS DECIMAL(20)))");
        format!(
            "CASE WHEN COUNT(*) > 0 THEN CONCAT_WS('|', COUNT(*), {}, {}) END",
            half("LEFT"),
            half("RIGHT")
        )
    }

    /// A type that takes whatever the column may hold after the application has widened it: a note must neither
    /// fail the application's write nor, under IGNORE, be cut short. `bounded`: it must fit an index.
    fn note_type(&self, column: &Column, bounded: bool) -> String {
        let lower = column.sql_type.to_ascii_lowercase();
        if column.text {
            let collation = column
                .sql_type
                .find(" CHARACTER SET ")
                .map_or(String::new(), |at| column.sql_type[at..].to_owned());
            let base = match lower.split([' ', '(']).next() {
                _ if bounded => format!("VARCHAR({MARK_WIDTH})"),
                Some("text" | "mediumtext" | "longtext") => "LONGTEXT".to_owned(),
                _ => "TEXT".to_owned(),
            };
            format!("{base}{collation}")
        } else if is_binary(&lower) {
            if bounded { format!("VARBINARY({MARK_WIDTH})") } else { "LONGBLOB".to_owned() }
        } else if lower.starts_with("bit") {
            // As long as it may become.
            "BIT(64)".to_owned()
        } else if column.integer {
            if lower.contains("unsigned") { "BIGINT UNSIGNED" } else { "BIGINT" }.to_owned()
        } else if lower.starts_with("decimal") {
            // No DECIMAL takes all that others may hold: 65 digits before the point of one, 30 behind that of another.
            "VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin".to_owned()
        } else {
            column.sql_type.clone()
        }
    }

    fn definitions(&self, spec: &TrackSpec, count: usize, null: &str, bounded: bool) -> String {
        spec.columns[..count]
            .iter()
            .map(|column| {
                format!("{} {}{null}", self.quote(&column.name), self.note_type(&column.column, bounded))
            })
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Names of the tables of a source's notes.
    fn log_tables(&self, spec: &TrackSpec) -> Vec<String> {
        let mut names = vec![spec.log(), spec.everything(), spec.work()];
        names.extend((spec.partition > 0).then(|| spec.marks()));
        names
    }

    /// The triggers of a source, and of the tables whose changes cascade to it.
    fn made(&self, spec: &TrackSpec) -> Vec<Made> {
        let count = spec.columns.len();
        let moved: Vec<String> = spec
            .values(self, count, "OLD")
            .iter()
            .zip(spec.values(self, count, "NEW"))
            .map(|(old, new)| format!("CAST({old} AS BINARY) <=> CAST({new} AS BINARY)"))
            .collect();
        let (new, old) = (self.note(spec, "NEW"), self.note(spec, "OLD"));
        let both = format!("{new} IF NOT ({}) THEN {old} END IF;", moved.join(" AND "));
        let of_source =
            [("ai", "AFTER INSERT", new), ("au", "AFTER UPDATE", both), ("ad", "AFTER DELETE", old)];
        let mut all: Vec<Made> = of_source
            .into_iter()
            .map(|(suffix, when, body)| Made {
                suffix: suffix.into(),
                when,
                table: spec.source.clone(),
                body,
            })
            .collect();
        for (at, cascade) in spec.cascades.iter().enumerate() {
            for (event, row, when) in [
                ("bd", "OLD", "BEFORE DELETE"),
                ("bu", "OLD", "BEFORE UPDATE"),
                ("au", "NEW", "AFTER UPDATE"),
            ] {
                all.push(Made {
                    suffix: format!("p{at}{event}"),
                    when,
                    table: cascade.parent.clone(),
                    body: self.note_children(spec, &cascade.columns, row, event != "bd"),
                });
            }
        }
        all
    }

    fn tag_name(&self, spec: &TrackSpec, made: &[Made]) -> String {
        let bodies = made.iter().map(|made| made.body.clone());
        made_as(spec, &self.log_ddl(spec).into_iter().chain(bodies).collect::<Vec<_>>())
    }

    /// What is never done. Clients and dumps strip comments, and a label is spelled otherwise in another sql_mode.
    fn tag(&self, spec: &TrackSpec, made: &[Made]) -> String {
        let name = self.literal(&self.tag_name(spec, made));
        format!("IF {name} IS NULL THEN SET @dashagg_as = NULL; END IF;")
    }
}

impl Made {
    /// What the server stores of it, to the letter.
    fn statement(&self, tag: &str) -> String {
        format!("BEGIN {tag} {} END", self.body)
    }
}

/// A trigger: what its name ends in, when it fires, on which table, and what it does.
struct Made {
    suffix: String,
    when: &'static str,
    table: String,
    body: String,
}

impl TriggerSql for MysqlDialect {
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let all = self.definitions(spec, spec.columns.len(), " NULL", false);
        let mut ddl = vec![
            format!(
                "CREATE TABLE IF NOT EXISTS {} (dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
                 dashagg_grain CHAR(1) NOT NULL, {all}){}",
                self.quote(&spec.log()),
                self.table_suffix()
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {} (dashagg_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
                 dashagg_claim VARCHAR(32) NOT NULL, dashagg_note BIGINT NULL, dashagg_grain CHAR(1) NOT NULL, {all}, KEY (dashagg_claim, dashagg_grain)){}",
                self.quote(&spec.work()),
                self.table_suffix()
            ),
        ];
        if spec.partition > 0 {
            ddl.push(format!(
                "CREATE TABLE IF NOT EXISTS {} ({}, dashagg_conn BIGINT NOT NULL, PRIMARY KEY ({}, dashagg_conn)){}",
                self.quote(&spec.marks()),
                self.definitions(spec, spec.partition, " NOT NULL", true),
                spec.names(self, spec.partition).join(", "),
                self.table_suffix()
            ));
        }
        ddl.push(format!(
            "CREATE TABLE IF NOT EXISTS {} (dashagg_slot INT NOT NULL PRIMARY KEY){}",
            self.quote(&spec.everything()),
            self.table_suffix()
        ));
        ddl
    }

    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let made = self.made(spec);
        let tag = self.tag(spec, &made);
        let mut ddl = Vec::new();
        for one in made {
            let name = self.quote(&spec.trigger(&one.suffix));
            ddl.push(format!("DROP TRIGGER IF EXISTS {name}"));
            ddl.push(format!(
                "CREATE TRIGGER {name} {} ON {} FOR EACH ROW {}",
                one.when,
                self.quote(&one.table),
                one.statement(&tag)
            ));
        }
        ddl
    }

    fn made_names(&self, spec: &TrackSpec) -> Vec<String> {
        self.made(spec).iter().map(|made| spec.trigger(&made.suffix)).collect()
    }

    fn standing_sql(&self, spec: &TrackSpec) -> String {
        let made = self.made(spec);
        let tag = self.tag(spec, &made);
        // All of the text: somebody may have edited it and left the tag in.
        let each: Vec<String> = made
            .iter()
            .map(|made| {
                format!(
                    "TRIGGER_NAME = {} AND EVENT_OBJECT_TABLE = {} AND SHA2(ACTION_STATEMENT, 256) = '{}'",
                    self.literal(&spec.trigger(&made.suffix)),
                    self.literal(&made.table),
                    checksum::hex(&made.statement(&tag))
                )
            })
            .collect();
        let tables = self.log_tables(spec);
        let names: Vec<String> = tables.iter().map(|name| self.literal(name)).collect();
        format!(
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() \
             AND ({}) AND {} = (SELECT COUNT(*) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({}))",
            each.join(" OR "),
            names.len(),
            names.join(", ")
        )
    }

    fn cascades_sql(&self) -> Option<String> {
        Some(
            "SELECT k.TABLE_NAME, k.REFERENCED_TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME, r.CONSTRAINT_NAME \
             FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k \
             ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME \
             AND k.TABLE_NAME = r.TABLE_NAME WHERE r.CONSTRAINT_SCHEMA = DATABASE() \
             AND (r.DELETE_RULE IN ('CASCADE', 'SET NULL') OR r.UPDATE_RULE IN ('CASCADE', 'SET NULL')) \
             ORDER BY k.TABLE_NAME, r.CONSTRAINT_NAME, k.ORDINAL_POSITION"
                .to_owned(),
        )
    }

    fn zoned_column(&self, expression: &str, columns: &[Column]) -> Option<String> {
        let tokens = sql_text::tokens(expression, self.lex_rules());
        if tokens.iter().any(|token| token.is_word("convert_tz")) {
            return None;
        }
        let zoned =
            columns.iter().filter(|column| column.sql_type.to_ascii_lowercase().starts_with("timestamp"));
        zoned.map(|column| column.name.clone()).find(|name| {
            tokens
                .iter()
                .any(|t| matches!(&t.token, Token::Name { text, .. } if text.eq_ignore_ascii_case(name)))
        })
    }

    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let source = self.literal(&spec.source);
        let triggers = format!(
            "SELECT CASE WHEN COUNT(*) = 3 THEN {} END FROM information_schema.TRIGGERS \
             WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = {source} AND TRIGGER_NAME LIKE {}",
            self.gathered(
                &format!("TRIGGER_NAME, CREATED, {}", self.digest("ACTION_STATEMENT")),
                "TRIGGER_NAME"
            ),
            like_own(&spec.id, "a_")
        );
        let table = format!(
            "SELECT CONCAT(CREATE_TIME, ENGINE) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {source}"
        );
        let cascades = format!(
            "SELECT CONCAT(COALESCE({}, ''), '/', (SELECT COALESCE({}, '') \
             FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE {})) \
             FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() \
             AND (DELETE_RULE IN ('CASCADE', 'SET NULL') OR UPDATE_RULE IN ('CASCADE', 'SET NULL'))",
            self.gathered(
                "DISTINCT CONSTRAINT_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE",
                "CONSTRAINT_NAME"
            ),
            self.gathered("TRIGGER_NAME, CREATED", "TRIGGER_NAME"),
            like_own(&spec.id, "p%")
        );
        // TRUNCATE keeps CREATE_TIME; only InnoDB's own table number tells, and reading that needs the PROCESS
        // privilege. Ids of partitions change with TRUNCATE, DROP and EXCHANGE PARTITION.
        let numbers = format!(
            "SELECT {} FROM information_schema.{} WHERE NAME REGEXP {}",
            self.gathered("NAME, TABLE_ID", "NAME"),
            if self.mariadb { "INNODB_SYS_TABLES" } else { "INNODB_TABLES" },
            self.literal(&files_of(&spec.schema, &spec.source))
        );
        // Other engines have no such number. InnoDB's is always there; were it not, nothing could be told, and no two
        // looks may be the same. (UUID() here, and MariaDB finds no number at all.)
        let without = format!(
            "SELECT CASE WHEN ENGINE = 'InnoDB' THEN UTC_TIMESTAMP(6) ELSE '' END FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {source}"
        );
        let numbers = format!("COALESCE(({numbers}), ({without}))");
        vec![
            format!("SELECT CONCAT('n', ({triggers}), '|', ({table}), '|', ({cascades}), '|', {numbers})"),
            format!("SELECT CONCAT('t', ({triggers}), '|', ({table}), '|', ({cascades}))"),
        ]
    }

    fn triggers_sql(&self, id: &str) -> Option<String> {
        // The foreign keys by which parents got theirs may be gone by now.
        Some(format!(
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() \
             AND TRIGGER_NAME LIKE {}",
            like_own(id, "%")
        ))
    }

    fn orphans_sql(&self, id: &str) -> Vec<String> {
        let exact = |text: &str| format!("CONVERT({text} USING utf8mb4) COLLATE utf8mb4_bin");
        let among = |condition: String| {
            format!(
                "SELECT MIN(t.DEFINER) FROM information_schema.TRIGGERS t WHERE t.TRIGGER_SCHEMA = DATABASE() \
                 AND t.TRIGGER_NAME LIKE {} AND {condition}",
                like_own(id, "%")
            )
        };
        vec![
            among(format!(
                "NOT EXISTS (SELECT 1 FROM mysql.user u WHERE {} = {})",
                exact("CONCAT(u.User, '@', u.Host)"),
                exact("t.DEFINER")
            )),
            among(format!("{} <> {}", exact("t.DEFINER"), exact("CURRENT_USER()"))),
        ]
    }

    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let tables = [spec.log(), spec.marks(), spec.everything(), spec.work()];
        tables.iter().map(|table| format!("DROP TABLE IF EXISTS {}", self.quote(table))).collect()
    }

    fn blind_spots(&self) -> &'static str {
        "TRUNCATE and partition DDL, unless the user has PROCESS; on a replica, rows that replication brings"
    }
}

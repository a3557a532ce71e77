//! Change tracking on PostgreSQL: statement triggers with transition tables, on the source and on every leaf
//! of it: a statement fires the triggers of the table that it names, and only those. `ENABLE ALWAYS`, so that
//! a session in the replica role is seen too.

use super::postgres::PostgresDialect;
use super::track::{MOST_KEYS, TrackSpec, Tracking};
use super::{Column, Dialect};

/// A type that takes whatever the column may hold after the application has widened it: a note must not fail
/// the application's write.
fn note_type(column: &Column) -> String {
    let lower = column.sql_type.to_ascii_lowercase();
    if lower.starts_with("character") || lower.starts_with("varchar") {
        let collation = column.sql_type.find(" COLLATE ").map_or("", |at| &column.sql_type[at..]);
        format!("text{collation}")
    } else if lower.starts_with("numeric") {
        "numeric".to_owned()
    } else if lower == "smallint" || lower == "integer" {
        "bigint".to_owned()
    } else {
        column.sql_type.clone()
    }
}

impl PostgresDialect {
    fn track_columns(&self, spec: &TrackSpec, count: usize) -> String {
        spec.columns[..count].iter().map(|column| self.quote(&column.name)).collect::<Vec<_>>().join(", ")
    }

    fn track_values(&self, spec: &TrackSpec, count: usize) -> String {
        (0..count)
            .map(|at| spec.value(at, "r", &|name| self.quote(name), self.lex_rules()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn note_rows(&self, spec: &TrackSpec, rows: &str) -> String {
        let log = self.qualify(&spec.schema, &spec.log());
        let all = self.track_columns(spec, spec.columns.len());
        let by_key = format!(
            "INSERT INTO {log} (dashagg_grain, {all}) SELECT DISTINCT 'k', {} FROM {rows} r;",
            self.track_values(spec, spec.columns.len())
        );
        if spec.partition == 0 {
            return format!(
                "IF (SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {limit}) x) < {limit} THEN {by_key} \
                 ELSE INSERT INTO {log} (dashagg_grain) VALUES ('a'); END IF;",
                limit = MOST_KEYS * 4
            );
        }
        let by_partition = format!(
            "INSERT INTO {log} (dashagg_grain, {}) SELECT DISTINCT 'p', {} FROM {rows} r;",
            self.track_columns(spec, spec.partition),
            self.track_values(spec, spec.partition)
        );
        if !spec.has_keys() {
            return by_partition;
        }
        format!(
            "IF (SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {limit}) x) < {limit} THEN {by_key} \
             ELSE {by_partition} END IF;",
            limit = MOST_KEYS + 1
        )
    }

    fn source_name(&self, spec: &TrackSpec) -> String {
        match &spec.source_schema {
            Some(schema) => self.qualify(schema, &spec.source),
            None => self.quote(&spec.source),
        }
    }

    fn tree(&self, spec: &TrackSpec) -> String {
        format!(
            "WITH RECURSIVE tree AS (SELECT to_regclass({})::oid AS oid UNION ALL \
             SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)",
            self.literal(&self.source_name(spec))
        )
    }
}

impl Tracking for PostgresDialect {
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let all: Vec<String> = spec
            .columns
            .iter()
            .map(|column| format!("{} {}", self.quote(&column.name), note_type(&column.column)))
            .collect();
        let (log, work) = (self.qualify(&spec.schema, &spec.log()), self.qualify(&spec.schema, &spec.work()));
        vec![
            // A primary key also where nothing reads it: a publication of all tables refuses DELETE without.
            format!(
                "CREATE TABLE IF NOT EXISTS {log} (dashagg_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                 dashagg_grain char(1) NOT NULL, {})",
                all.join(", ")
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {work} (dashagg_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                 dashagg_claim varchar(32) NOT NULL, dashagg_grain char(1) NOT NULL, {})",
                all.join(", ")
            ),
        ]
    }

    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let function = self.qualify(&spec.schema, &spec.trigger("note"));
        let log = self.qualify(&spec.schema, &spec.log());
        // Delivered at the commit, and once however many statements send it.
        let wake = spec
            .notify
            .as_ref()
            .map_or_else(String::new, |channel| format!("PERFORM pg_notify({}, '');", self.literal(channel)));
        let body = format!(
            "BEGIN {wake} IF TG_OP = 'INSERT' THEN {new} ELSIF TG_OP = 'DELETE' THEN {old} \
             ELSIF TG_OP = 'UPDATE' THEN {new} {old} \
             ELSE INSERT INTO {log} (dashagg_grain) VALUES ('a'); END IF; RETURN NULL; END",
            new = self.note_rows(spec, "dashagg_new"),
            old = self.note_rows(spec, "dashagg_old"),
        );
        let trigger = |suffix: &str, event: &str, referencing: &str| {
            let name = self.quote(&spec.trigger(suffix));
            format!(
                "EXECUTE format({}, rel); EXECUTE format({}, rel); EXECUTE format({}, rel);",
                self.literal(&format!("DROP TRIGGER IF EXISTS {name} ON %s")),
                self.literal(&format!(
                    "CREATE TRIGGER {name} AFTER {event} ON %s {referencing} FOR EACH STATEMENT \
                     EXECUTE FUNCTION {}()",
                    function.replace('%', "%%")
                )),
                self.literal(&format!("ALTER TABLE %s ENABLE ALWAYS TRIGGER {name}")),
            )
        };
        let each = [
            trigger("ai", "INSERT", "REFERENCING NEW TABLE AS dashagg_new"),
            trigger("au", "UPDATE", "REFERENCING OLD TABLE AS dashagg_old NEW TABLE AS dashagg_new"),
            trigger("ad", "DELETE", "REFERENCING OLD TABLE AS dashagg_old"),
            trigger("at", "TRUNCATE", ""),
        ]
        .join(" ");
        vec![
            // SECURITY DEFINER: writers need no right on the log. UTC: a refresh reads expressions in that zone, so a
            // writer in another must note what they are there.
            format!(
                "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
                 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $dashagg${body}$dashagg$"
            ),
            // A table that was detached, or renamed out of the way, concerns nobody any more; one that has its triggers
            // needs no lock.
            format!(
                "DO $dashagg$ DECLARE rel regclass; old record; BEGIN \
                 FOR old IN {tree} SELECT g.tgname, g.tgrelid::regclass AS rel FROM pg_catalog.pg_trigger g \
                 WHERE g.tgfoid = {}::regprocedure AND g.tgrelid NOT IN (SELECT oid FROM tree WHERE oid IS NOT NULL) \
                 LOOP EXECUTE format('DROP TRIGGER %I ON %s', old.tgname, old.rel); END LOOP; \
                 FOR rel IN {tree} SELECT oid::regclass FROM tree WHERE 4 > (SELECT count(*) FROM pg_catalog.pg_trigger g \
                 WHERE g.tgrelid = tree.oid AND g.tgfoid = {0}::regprocedure AND g.tgenabled = 'A') \
                 LOOP {each} END LOOP; END $dashagg$",
                self.literal(&format!("{function}()")),
                tree = self.tree(spec)
            ),
        ]
    }

    fn rehearse_sql(&self, spec: &TrackSpec) -> Vec<String> {
        if spec.columns.iter().all(|column| column.expression.is_none()) {
            return Vec::new();
        }
        let source = self.source_name(spec);
        vec![
            "SAVEPOINT dashagg_rehearsal".to_owned(),
            format!("CREATE TEMPORARY VIEW dashagg_rehearsal AS SELECT * FROM {source}"),
            "SET LOCAL search_path = pg_catalog, pg_temp".to_owned(),
            format!(
                "SELECT {} FROM dashagg_rehearsal r LIMIT 0",
                self.track_values(spec, spec.columns.len())
            ),
            "ROLLBACK TO SAVEPOINT dashagg_rehearsal".to_owned(),
        ]
    }

    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let like = self.literal(&format!("dashagg\\_{}\\_a_", spec.id));
        // A trigger's row version changes when it is disabled and when it is enabled again.
        vec![format!(
            "{} SELECT CASE WHEN bool_and(w.ready) THEN string_agg(w.print, ';' ORDER BY w.print) END FROM ( \
             SELECT tree.oid::text || ':' || COALESCE(pg_relation_filenode(tree.oid)::text, '') || ':' || \
             COALESCE(string_agg(g.oid::text || g.tgenabled::text || g.xmin::text, ',' ORDER BY g.tgname), '') AS print, \
             count(g.oid) = 4 AND COALESCE(bool_and(g.tgenabled = 'A'), false) AS ready \
             FROM tree LEFT JOIN pg_catalog.pg_trigger g ON g.tgrelid = tree.oid AND g.tgname LIKE {like} \
             GROUP BY tree.oid) w",
            self.tree(spec)
        )]
    }

    fn claim_sql(&self, spec: &TrackSpec, claim: &str) -> Vec<String> {
        let all = self.track_columns(spec, spec.columns.len());
        vec![format!(
            "WITH gone AS (DELETE FROM {} RETURNING dashagg_grain, {all}) INSERT INTO {} (dashagg_claim, dashagg_grain, {all}) \
             SELECT {}, dashagg_grain, {all} FROM gone",
            self.qualify(&spec.schema, &spec.log()),
            self.qualify(&spec.schema, &spec.work()),
            self.literal(claim)
        )]
    }

    fn noted_sql(&self, spec: &TrackSpec) -> String {
        format!(
            "SELECT CASE WHEN EXISTS(SELECT 1 FROM {}) OR EXISTS(SELECT 1 FROM {}) THEN 1 ELSE 0 END",
            self.qualify(&spec.schema, &spec.log()),
            self.qualify(&spec.schema, &spec.work())
        )
    }

    fn notes_sql(&self, spec: &TrackSpec) -> String {
        format!(
            "SELECT dashagg_grain, {} FROM {}",
            self.track_columns(spec, spec.columns.len()),
            self.qualify(&spec.schema, &spec.log())
        )
    }

    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String> {
        vec![
            // Takes the triggers along, on every table that has them.
            format!(
                "DROP FUNCTION IF EXISTS {}() CASCADE",
                self.qualify(&spec.schema, &spec.trigger("note"))
            ),
            // Takes the live views along, which are made anew once there are other logs.
            format!("DROP TABLE IF EXISTS {} CASCADE", self.qualify(&spec.schema, &spec.log())),
            format!("DROP TABLE IF EXISTS {} CASCADE", self.qualify(&spec.schema, &spec.work())),
        ]
    }

    fn blind_spots(&self) -> &'static str {
        "rows applied by logical replication"
    }
}

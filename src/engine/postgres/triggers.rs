//! Change tracking on PostgreSQL: statement triggers with transition tables, on the source and on every leaf
//! of it: a statement fires the triggers of the table that it names, and only those. `ENABLE ALWAYS`, so that
//! a session in the replica role is seen too.

use super::{
    PostgresDialect,
    spelling::{MEANING, dollar_quoted, grantee, may_name_zones, note_type, setting},
};
use crate::engine::track::TrackSpec;
use crate::engine::triggers::{like_own, made_as};
use crate::engine::{Spelling, TriggerSql};

/// Stands in the function's text for the source's number until it is made: names can be moved, numbers cannot.
const SOURCE_OID: &str = "@dashagg_source@";

impl PostgresDialect {
    /// What comes before any note: a relation that is not the source is not looked at, and where more wait than
    /// `max_notes` allows one note of everything stands for all that follow.
    ///
    /// That note must not be consumed before the writer that relies on it has committed: hence the key share lock, which
    /// makes a claim leave it alone ([`NoteSql::claim_sql`](crate::engine::NoteSql::claim_sql)); nobody waits for it. A writer with an older snapshot may
    /// not lock a note that has been closed or claimed since: it adds its own. In a serializable transaction nothing is
    /// read: what it has read, and others have changed, could end it. There the size of the file alone decides.
    fn note_guard(&self, spec: &TrackSpec) -> String {
        let log = self.qualify(&spec.schema, &spec.log());
        // Half of what the shortest note takes in a page: a look at the file's size is all that most statements pay. Beyond
        // it a few of them count, as the clock has it; the others take the notes for many.
        let seldom = (spec.max_notes / 250).max(1);
        let few = u64::from(spec.max_notes) * 24;
        let most = u64::from(spec.max_notes) * if spec.partition > 0 { 2 } else { 1 };
        let rely = format!(
            "IF NOT alone AND EXISTS (SELECT 1 FROM {log} WHERE dashagg_grain = 'a' AND dashagg_open) THEN \
             BEGIN PERFORM 1 FROM {log} WHERE dashagg_grain = 'a' AND dashagg_open LIMIT 1 FOR KEY SHARE SKIP LOCKED; \
             IF FOUND THEN RETURN NULL; END IF; EXCEPTION WHEN serialization_failure THEN NULL; END; END IF;"
        );
        let everything = format!("INSERT INTO {log} (dashagg_grain) VALUES ('a'); RETURN NULL;");
        format!(
            "IF TG_RELID <> {SOURCE_OID} AND NOT EXISTS (WITH RECURSIVE up(oid) AS (SELECT TG_RELID UNION SELECT i.inhparent \
             FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid) SELECT 1 FROM up WHERE up.oid = {SOURCE_OID}) \
             THEN {rely} {everything} END IF; \
             IF pg_catalog.pg_relation_size({log_name}::pg_catalog.regclass) > {few} THEN {rely} \
             waiting := {many} + 1; IF NOT alone AND extract(microseconds FROM clock_timestamp())::bigint % {seldom} = 0 THEN \
             SELECT count(*) INTO waiting FROM (SELECT 1 FROM {log} LIMIT {most} + 1) x; \
             IF waiting > {most} THEN {everything} END IF; END IF; END IF;",
            many = spec.max_notes,
            log_name = self.literal(&log),
        )
    }

    /// Where a column that a virtual one is made of has another name by now: the server's expression goes on, ours would fail
    /// the writer, and no manifest names that column.
    fn renamed(&self, spec: &TrackSpec) -> String {
        let read =
            |name: &&String| spec.unseen.iter().any(|(_, expression)| expression.contains(name.as_str()));
        let names: Vec<String> =
            spec.source_columns.iter().filter(read).map(|name| self.literal(name)).collect();
        if names.is_empty() {
            return String::new();
        }
        format!(
            "IF (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = TG_RELID AND NOT a.attisdropped \
             AND a.attname = ANY (ARRAY[{}]::pg_catalog.name[])) < {} THEN \
             INSERT INTO {} (dashagg_grain) VALUES ('a'); RETURN NULL; END IF;",
            names.join(", "),
            names.len(),
            self.qualify(&spec.schema, &spec.log())
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
            "WITH RECURSIVE tree AS (SELECT pg_catalog.to_regclass({})::pg_catalog.oid AS oid UNION ALL \
             SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)",
            self.literal(&self.source_name(spec))
        )
    }

    /// What the function does that all triggers of a source call.
    fn note_body(&self, spec: &TrackSpec) -> String {
        // Delivered at the commit, and once however many statements send it.
        let wake = spec.notify.as_ref().map_or_else(String::new, |channel| {
            format!("PERFORM pg_catalog.pg_notify({}, '');", self.literal(channel))
        });
        format!(
            "DECLARE waiting bigint := 0; alone boolean := current_setting('transaction_isolation') = 'serializable'; BEGIN {wake} {guard} {renamed} IF TG_OP = 'INSERT' THEN {new} ELSIF TG_OP = 'DELETE' THEN {old} \
             ELSIF TG_OP = 'UPDATE' THEN {new} {old} \
             ELSE INSERT INTO {log} (dashagg_grain) VALUES ('a'); END IF; RETURN NULL; END",
            guard = self.note_guard(spec),
            renamed = self.renamed(spec),
            log = self.qualify(&spec.schema, &spec.log()),
            new = self.note_rows(spec, "dashagg_new"),
            old = self.note_rows(spec, "dashagg_old"),
        )
    }

    /// Under which settings it does that. UTC and the like: a refresh reads expressions under these, so a writer with others
    /// must note what they are there. search_path, strings: its text means the same to everybody.
    fn note_settings(&self, spec: &TrackSpec) -> String {
        let expressions =
            spec.columns.iter().any(|column| column.expression.is_some()) || !spec.unseen.is_empty();
        let zones = spec.columns.iter().filter_map(|column| column.expression.as_deref()).any(may_name_zones);
        let settings = MEANING.iter().filter(|(name, _)| match *name {
            "timezone" | "standard_conforming_strings" => true,
            // The server reads a file for it, each time that a writer's statement calls us.
            "timezone_abbreviations" => zones,
            _ => expressions,
        });
        let settings: String =
            settings.map(|(name, value)| format!(" SET {name} = {}", setting(name, value))).collect();
        format!("SET search_path = pg_catalog, pg_temp{settings}")
    }

    /// What tells both from any others.
    fn tag(&self, spec: &TrackSpec) -> String {
        let mut texts = self.log_ddl(spec);
        texts.extend([self.note_body(spec), self.note_settings(spec)]);
        format!("<<{}>>", made_as(spec, &texts))
    }

    /// The function that all triggers of a source call.
    fn note_function(&self, spec: &TrackSpec) -> String {
        // A column of the row may have a variable's name.
        let variables = if spec.unseen.is_empty() { "" } else { "#variable_conflict use_column\n" };
        let body = format!("{variables}{} {}", self.tag(spec), self.note_body(spec));
        let settings = self.note_settings(spec);
        // SECURITY DEFINER: writers need no right on the log.
        let definition = format!(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             {settings} AS {}",
            self.qualify(&spec.schema, &spec.trigger("note")),
            dollar_quoted(&body)
        );
        let made = format!(
            "BEGIN EXECUTE pg_catalog.replace({}, '{SOURCE_OID}', \
             pg_catalog.to_regclass({})::pg_catalog.oid::pg_catalog.text); END",
            dollar_quoted(&definition),
            self.literal(&self.source_name(spec))
        );
        format!("DO {}", dollar_quoted(&made))
    }

    /// A table that was detached, or renamed out of the way, concerns nobody any more. If it is another's by now, or somebody
    /// holds it, its triggers stay, and what they note is a refresh too many.
    fn strays(&self, spec: &TrackSpec) -> String {
        let function = format!("{}()", self.qualify(&spec.schema, &spec.trigger("note")));
        format!(
            "FOR old IN {tree} SELECT g.tgname, g.tgrelid::pg_catalog.regclass AS rel FROM pg_catalog.pg_trigger g \
             WHERE g.tgfoid = {id}::pg_catalog.regprocedure::pg_catalog.oid AND g.tgrelid NOT IN (SELECT oid FROM tree WHERE oid IS NOT NULL) \
             AND (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = g.tgrelid) \
             LOOP BEGIN EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', old.tgname, old.rel); \
             EXCEPTION WHEN lock_not_available THEN NULL; END; END LOOP;",
            id = self.literal(&function),
            tree = self.tree(spec)
        )
    }

    /// Nobody but its owner may make a trigger of the function: whoever could would run, as that owner, the casts and
    /// operators of types of their own. Triggers that are there need no right to it. Where the rights allow it the owner
    /// of the source owns the function, which so can do no more than the writes that it follows; and the log with it, so
    /// that no GRANT lies between the two that somebody could take away. Whoever else may write the source has no business
    /// with the notes of it, whatever default privileges say.
    fn note_rights(&self, spec: &TrackSpec) -> Vec<String> {
        let function = format!("{}()", self.qualify(&spec.schema, &spec.trigger("note")));
        let (log, work) = (self.qualify(&spec.schema, &spec.log()), self.qualify(&spec.schema, &spec.work()));
        let tables = [&log, &work].map(|table| self.literal(table)).join(", ");
        let source = self.literal(&self.source_name(spec));
        let name = self.literal(&function);
        // As the new owner, who alone may give us back what we need of what was ours.
        let hand_over = format!(
            "DECLARE me pg_catalog.name := CURRENT_USER; owner pg_catalog.name; BEGIN \
             SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class c \
             WHERE c.oid = pg_catalog.to_regclass({source})::pg_catalog.oid; \
             IF owner IS NOT NULL AND owner <> me THEN BEGIN \
             EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO %I', {schema}, owner); \
             EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO %I', {log_name}, owner); \
             EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', {name}, owner); \
             EXECUTE pg_catalog.format('SET LOCAL ROLE %I', owner); \
             EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, %I', {log_name}, me, owner); \
             EXECUTE pg_catalog.format('SET LOCAL ROLE %I', me); \
             EXCEPTION WHEN insufficient_privilege THEN NULL; END; END IF; END",
            schema = self.literal(&self.quote(&spec.schema)),
            log_name = self.literal(&log),
        );
        let grantee = grantee("at");
        let lock_down = format!(
            "DECLARE at record; BEGIN FOR at IN SELECT c.oid::pg_catalog.regclass AS rel, a.grantee FROM pg_catalog.pg_class c \
             CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a WHERE c.oid IN (SELECT pg_catalog.to_regclass(name)::pg_catalog.oid \
             FROM pg_catalog.unnest(ARRAY[{tables}]::pg_catalog.text[]) name) AND a.grantee <> c.relowner \
             AND a.grantee <> CURRENT_USER::pg_catalog.regrole::pg_catalog.oid \
             AND CASE WHEN a.grantee = 0::pg_catalog.oid THEN true ELSE pg_catalog.has_table_privilege(a.grantee, \
             pg_catalog.to_regclass({source})::pg_catalog.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') END LOOP \
             EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', at.rel, {grantee}); END LOOP; \
             FOR at IN SELECT a.grantee FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a \
             WHERE p.oid = {name}::pg_catalog.regprocedure::pg_catalog.oid AND a.grantee <> p.proowner LOOP \
             EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', {name}, {grantee}); END LOOP; END"
        );
        vec![
            format!("REVOKE ALL ON FUNCTION {function} FROM PUBLIC"),
            format!("DO {}", dollar_quoted(&hand_over)),
            format!("DO {}", dollar_quoted(&lock_down)),
        ]
    }
}

impl TriggerSql for PostgresDialect {
    fn log_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let all: Vec<String> = spec
            .columns
            .iter()
            .map(|column| format!("{} {}", self.quote(&column.name), note_type(&column.column)))
            .collect();
        let (log, work) = (self.qualify(&spec.schema, &spec.log()), self.qualify(&spec.schema, &spec.work()));
        vec![
            // A primary key also where nothing reads it: a publication of all tables refuses DELETE without. No sequence:
            // the application's lastval() would be ours.
            format!(
                "CREATE TABLE IF NOT EXISTS {log} (dashagg_id uuid DEFAULT pg_catalog.gen_random_uuid() PRIMARY KEY, \
                 dashagg_grain char(1) NOT NULL, dashagg_open boolean DEFAULT true NOT NULL, {})",
                all.join(", ")
            ),
            format!(
                "CREATE INDEX IF NOT EXISTS {} ON {log} (dashagg_grain) WHERE dashagg_grain = 'a'",
                self.quote(&format!("{}_all", spec.log()))
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {work} (dashagg_id uuid DEFAULT pg_catalog.gen_random_uuid() PRIMARY KEY, \
                 dashagg_claim text NOT NULL, dashagg_grain char(1) NOT NULL, {})",
                all.join(", ")
            ),
        ]
    }

    fn trigger_ddl(&self, spec: &TrackSpec) -> Vec<String> {
        let function = self.qualify(&spec.schema, &spec.trigger("note"));
        let trigger = |suffix: &str, event: &str, referencing: &str| {
            let name = self.quote(&spec.trigger(suffix));
            format!(
                "EXECUTE pg_catalog.format({}, rel); EXECUTE pg_catalog.format({}, rel); EXECUTE pg_catalog.format({}, rel);",
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
        // One that has its triggers needs no lock.
        let install = format!(
            "DECLARE rel pg_catalog.regclass; old record; BEGIN {strays} \
             FOR rel IN {tree} SELECT oid::pg_catalog.regclass FROM tree WHERE 4 > (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger g \
             WHERE g.tgrelid = tree.oid AND g.tgfoid = {id}::pg_catalog.regprocedure::pg_catalog.oid AND g.tgenabled = 'A') \
             LOOP {each} END LOOP; END",
            strays = self.strays(spec),
            id = self.literal(&format!("{function}()")),
            tree = self.tree(spec)
        );
        let mut ddl = vec![self.note_function(spec), format!("DO {}", dollar_quoted(&install))];
        ddl.extend(self.note_rights(spec));
        ddl
    }

    fn made_names(&self, spec: &TrackSpec) -> Vec<String> {
        vec![spec.trigger("note")]
    }

    fn strays_sql(&self, spec: &TrackSpec) -> Option<String> {
        let drop = format!("DECLARE old record; BEGIN {} END", self.strays(spec));
        Some(format!("DO {}", dollar_quoted(&drop)))
    }

    fn standing_sql(&self, spec: &TrackSpec) -> String {
        let function = format!("{}()", self.qualify(&spec.schema, &spec.trigger("note")));
        // The source's own number is in the text: under its name there may be another table by now. And whoever owns it by now
        // should own the function (`note_rights`), where this user can see to that.
        format!(
            "SELECT p.proname::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.oid = pg_catalog.to_regprocedure({})::pg_catalog.oid \
             AND p.prosecdef AND pg_catalog.cardinality(p.proconfig) = {} AND pg_catalog.strpos(p.prosrc, {}) > 0 \
             AND pg_catalog.strpos(p.prosrc, 'TG_RELID <> ' || \
             pg_catalog.to_regclass({})::pg_catalog.oid::pg_catalog.text || ' ') > 0 AND pg_catalog.to_regclass({}) IS NOT NULL \
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({})::pg_catalog.oid \
             AND (c.relowner = p.proowner OR NOT pg_catalog.pg_has_role(c.relowner, 'MEMBER')))",
            self.literal(&function),
            self.note_settings(spec).matches("SET ").count(),
            self.literal(&self.tag(spec)),
            self.literal(&self.source_name(spec)),
            self.literal(&self.qualify(&spec.schema, &spec.work())),
            self.literal(&self.source_name(spec)),
        )
    }

    fn rehearse_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let computed = |name: &str| spec.unseen.iter().any(|(unseen, _)| unseen.eq_ignore_ascii_case(name));
        if spec.columns.iter().all(|column| column.expression.is_none() && !computed(&column.name)) {
            return Vec::new();
        }
        let source = self.source_name(spec);
        vec![
            "SAVEPOINT dashagg_rehearsal".to_owned(),
            format!("CREATE TEMPORARY VIEW dashagg_rehearsal AS SELECT * FROM {source}"),
            "SET LOCAL search_path = pg_catalog, pg_temp".to_owned(),
            format!(
                "SELECT {} FROM dashagg_rehearsal r LIMIT 0",
                spec.values(self, spec.columns.len(), "r").join(", ")
            ),
            "ROLLBACK TO SAVEPOINT dashagg_rehearsal".to_owned(),
        ]
    }

    fn witness_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let like = like_own(&spec.id, "a_");
        // A trigger's row version changes when it is disabled and when it is enabled again, that of the function when somebody
        // replaces or alters it (one of 0.1.0 has no tag, and is compared as it was then). The number of a virtual column's
        // expression changes when it is altered; names that it reads, without it. A crash empties an unlogged table and
        // leaves no other trace than statistics that begin anew, also where only the sessions were restarted.
        vec![format!(
            "{} SELECT CASE WHEN pg_catalog.bool_and(w.ready) THEN pg_catalog.string_agg(w.print, ';' ORDER BY w.print) END FROM ( \
             SELECT tree.oid::pg_catalog.text || ':' || \
             COALESCE(pg_catalog.pg_relation_filenode(tree.oid::pg_catalog.regclass)::pg_catalog.text, '') || ':' || \
             COALESCE(pg_catalog.string_agg(g.oid::pg_catalog.text || g.tgenabled::pg_catalog.text || g.xmin::pg_catalog.text, ',' \
             ORDER BY g.tgname), '') || COALESCE((SELECT ':' || p.xmin::pg_catalog.text FROM pg_catalog.pg_proc p \
             WHERE p.oid = pg_catalog.max(g.tgfoid) AND pg_catalog.strpos(p.prosrc, '<<dashagg_as_') > 0), '') || COALESCE((SELECT ':' || pg_catalog.string_agg(d.oid::pg_catalog.text, ',' ORDER BY d.adnum) \
             || ':' || pg_catalog.hashtextextended((SELECT pg_catalog.string_agg(c.attname::pg_catalog.text, ',' ORDER BY c.attnum) \
             FROM pg_catalog.pg_attribute c WHERE c.attrelid = tree.oid AND c.attnum > 0 AND NOT c.attisdropped), 0)::pg_catalog.text \
             FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
             WHERE d.adrelid = tree.oid AND a.attgenerated = 'v'), '') || COALESCE((SELECT ':' || \
             extract(epoch FROM pg_catalog.pg_postmaster_start_time())::pg_catalog.text || \
             COALESCE(extract(epoch FROM pg_catalog.pg_stat_get_bgwriter_stat_reset_time())::pg_catalog.text, '') \
             FROM pg_catalog.pg_class u WHERE u.oid = tree.oid AND u.relpersistence = 'u'), '') AS print, \
             pg_catalog.count(g.oid) = 4 AND COALESCE(pg_catalog.bool_and(g.tgenabled = 'A' AND (SELECT \
             pg_catalog.has_table_privilege(p.proowner, {log}, 'INSERT') AND pg_catalog.has_table_privilege(p.proowner, {log}, 'SELECT') \
             AND pg_catalog.has_table_privilege(p.proowner, {log}, 'UPDATE') FROM pg_catalog.pg_proc p WHERE p.oid = g.tgfoid)), false) AS ready \
             FROM tree LEFT JOIN pg_catalog.pg_trigger g ON g.tgrelid = tree.oid AND g.tgname::pg_catalog.text LIKE {like} \
             GROUP BY tree.oid) w",
            self.tree(spec),
            log = format_args!(
                "pg_catalog.to_regclass({})::pg_catalog.oid",
                self.literal(&self.qualify(&spec.schema, &spec.log()))
            )
        )]
    }

    fn witness_is_anybodys(&self) -> bool {
        true
    }

    fn open_doors_sql(&self, schema: &str) -> Option<String> {
        // What may be called by anybody and runs as somebody else; where anybody may put what is found by its name alone.
        Some(format!(
            "SELECT 'function', p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p \
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = {0} AND p.prosecdef \
             AND p.proname::pg_catalog.text LIKE 'dashagg|_%|_note' ESCAPE '|' AND EXISTS (SELECT 1 FROM pg_catalog.aclexplode(COALESCE(p.proacl, \
             pg_catalog.acldefault('f', p.proowner))) a WHERE a.grantee <> p.proowner AND a.privilege_type = 'EXECUTE') \
             UNION ALL SELECT 'schema', pg_catalog.quote_ident(n.nspname::pg_catalog.text) FROM pg_catalog.pg_namespace n \
             WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND EXISTS (SELECT 1 FROM pg_catalog.aclexplode(n.nspacl) a \
             WHERE a.grantee = 0::pg_catalog.oid AND a.privilege_type = 'CREATE') \
             UNION ALL SELECT 'mute', p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p \
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid \
             AND c.relname::pg_catalog.text = 'dashagg_log_' || pg_catalog.substr(p.proname::pg_catalog.text, 9, 10) \
             WHERE n.nspname = {0} AND p.prosecdef AND p.proname::pg_catalog.text LIKE 'dashagg|_%|_note' ESCAPE '|' \
             AND NOT pg_catalog.has_table_privilege(p.proowner, c.oid, 'INSERT') ORDER BY 1, 2",
            self.literal(schema)
        ))
    }

    fn untrigger_sql(&self, spec: &TrackSpec) -> Vec<String> {
        // Takes the triggers along, on every table that has them.
        vec![format!(
            "DROP FUNCTION IF EXISTS {}() CASCADE",
            self.qualify(&spec.schema, &spec.trigger("note"))
        )]
    }

    fn untrack_sql(&self, spec: &TrackSpec) -> Vec<String> {
        let mut sql = self.untrigger_sql(spec);
        // Takes the live views along, which are made anew once there are other logs.
        let tables = [spec.log(), spec.work()].map(|table| self.qualify(&spec.schema, &table));
        sql.extend(tables.map(|table| format!("DROP TABLE IF EXISTS {table} CASCADE")));
        sql
    }

    fn blind_spots(&self) -> &'static str {
        "rows applied by logical replication"
    }
}

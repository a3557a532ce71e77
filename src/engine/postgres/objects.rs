//! PostgreSQL: views, rights, indexes, the columns of the ledger.

use super::PostgresDialect;
use super::spelling::grantee;
use crate::engine::{Column, ObjectSql, Row, Spelling};

impl ObjectSql for PostgresDialect {
    fn ledger_columns(&self, columns: &str) -> String {
        // varchar has no operators of its own: whoever may create in a schema of the search_path could make some, and they
        // would be the better match.
        let mut out = String::new();
        let mut rest = columns;
        while let Some((before, after)) = rest.split_once("VARCHAR(") {
            out.push_str(before);
            out.push_str("pg_catalog.text");
            rest = after.split_once(')').map_or("", |(_, rest)| rest);
        }
        out + rest
    }

    fn mend_ledger_sql(&self) -> Option<String> {
        // Not where a live view reads the column: it works as it is, and others may have built on the view.
        Some(
            "DO $dashagg$ DECLARE at record; BEGIN FOR at IN SELECT c.oid::pg_catalog.regclass AS rel, a.attname \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = pg_catalog.current_schema() \
             AND c.relname = ANY (ARRAY['dashagg_source', 'dashagg_print', 'dashagg_set', 'dashagg_script', 'dashagg_summary', \
             'dashagg_state', 'dashagg_run']::pg_catalog.name[]) AND a.attnum > 0 AND NOT a.attisdropped \
             AND a.atttypid = 'pg_catalog.varchar'::pg_catalog.regtype::pg_catalog.oid LOOP \
             BEGIN EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I TYPE pg_catalog.text', at.rel, at.attname); \
             EXCEPTION WHEN feature_not_supported THEN NULL; END; END LOOP; END $dashagg$"
                .to_owned(),
        )
    }

    fn pending_list(
        &self,
        function: &str,
        view: &str,
        parts: &[&Column],
        select: &str,
    ) -> Option<Vec<String>> {
        let columns: Vec<String> =
            parts.iter().map(|part| format!("{} {}", self.quote(&part.name), self.cast_type(part))).collect();
        let names: Vec<String> = (1..=parts.len()).map(|at| format!("c{at}")).collect();
        let cells: Vec<String> =
            names.iter().zip(parts).map(|(name, part)| self.cast(&format!("w.{name}"), part)).collect();
        Some(vec![
            // STABLE: it sees the snapshot of the statement that calls it, which the view's being right rests on.
            // SECURITY DEFINER: readers of the view have no right on the logs. Its own names are bound now (BEGIN ATOMIC);
            // those of functions that an expression calls are not, hence the search_path. ROWS 1: what is expected of it is that nothing waits. Without jit:
            // its plan has branches over whole tables, which are compiled, and hardly ever run.
            format!(
                "CREATE OR REPLACE FUNCTION {function}() RETURNS TABLE ({}) LANGUAGE sql STABLE SECURITY DEFINER \
                 PARALLEL RESTRICTED ROWS 1 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off BEGIN ATOMIC SELECT DISTINCT {} FROM ({select}) w ({}); END",
                columns.join(", "),
                cells.join(", "),
                names.join(", ")
            ),
            // A view's functions run with the rights of whoever reads it: so may the view's readers, and nobody else.
            format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"),
            format!(
                "DO $dashagg$ DECLARE reader record; BEGIN FOR reader IN SELECT DISTINCT a.grantee FROM pg_catalog.pg_class c \
                 CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a WHERE c.oid = pg_catalog.to_regclass({})::pg_catalog.oid \
                 AND a.privilege_type = 'SELECT' LOOP EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', {}, \
                 {}); END LOOP; END $dashagg$",
                self.literal(view),
                self.literal(&format!("{function}()")),
                grantee("reader")
            ),
        ])
    }

    fn grant_pending_list(&self, function: &str, reader: &str) -> Option<String> {
        Some(format!("GRANT EXECUTE ON FUNCTION {function}() TO {}", self.quote(reader)))
    }

    fn drop_pending_list(&self, function: &str) -> Option<String> {
        Some(format!("DROP FUNCTION IF EXISTS {function}()"))
    }

    fn grant_read(&self, schema: &str, table: &str, reader: &str) -> Vec<String> {
        let reader = self.quote(reader);
        vec![
            format!("GRANT USAGE ON SCHEMA {} TO {reader}", self.quote(schema)),
            format!("GRANT SELECT ON {} TO {reader}", self.qualify(schema, table)),
        ]
    }

    fn notify_sql(&self, channel: &str, payload: &str) -> Option<String> {
        Some(format!("SELECT pg_catalog.pg_notify({}, {})", self.literal(channel), self.literal(payload)))
    }

    fn create_index_online(&self, name: &str, table: &str, columns: &[String]) -> String {
        format!("CREATE INDEX CONCURRENTLY {} ON {} ({})", self.quote(name), table, self.list(columns))
    }

    fn index_leaves_online(&self, name: &str, table: &str, tree: &[Row], columns: &[String]) -> Vec<String> {
        let list = self.list(columns);
        let part = |leaf: &str| {
            let head: String = name.chars().take(40).collect();
            format!("{head}_{}", &crate::checksum::hex(leaf)[..8])
        };
        // Behind a lock that is waited for, all of the application waits.
        let brief = "SET LOCAL lock_timeout = '5s'; ";
        let (mut sql, mut last) = (Vec::new(), None);
        for row in tree {
            let cell = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default();
            let (of, kind, broken) = (cell(0), cell(1), cell(2));
            let own = part(of);
            if kind == "p" {
                // Serves nothing, and would have to be completed level by level.
                if cell(3) == name {
                    sql.push(format!("{brief}DROP INDEX IF EXISTS {broken}"));
                }
                continue;
            }
            let mut made = Vec::new();
            if cell(3) == own {
                made.push(format!("DROP INDEX CONCURRENTLY IF EXISTS {broken}"));
            }
            if kind != "f" && last != Some(of) {
                made.push(format!(
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS {} ON {of} ({list})",
                    self.quote(&own)
                ));
            }
            // What is in the way comes first, whichever of several broken ones it is.
            let at = if last == Some(of) { sql.len().saturating_sub(1) } else { sql.len() };
            sql.splice(at..at, made);
            last = Some(of);
        }
        // Takes those of all levels for its own and builds nothing; on a foreign table it asks for none.
        sql.push(format!("{brief}CREATE INDEX IF NOT EXISTS {} ON {table} ({list})", self.quote(name)));
        sql
    }

    fn drop_broken_index(&self, name: &str) -> Option<String> {
        Some(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.quote(name)))
    }

    fn analyze_first(&self, qualified: &str) -> Option<String> {
        Some(format!("ANALYZE {qualified}"))
    }
}

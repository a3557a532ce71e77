//! PostgreSQL: which tables a subscription writes.

use super::PostgresDialect;
use crate::engine::{AbilitySql, Spelling};

impl AbilitySql for PostgresDialect {
    fn applied_sql(&self, tables: &[(Option<&str>, &str)]) -> Vec<String> {
        let each: Vec<String> = tables
            .iter()
            .map(|(schema, table)| {
                let name = schema.map_or_else(|| self.quote(table), |schema| self.qualify(schema, table));
                format!(
                    "({}, pg_catalog.to_regclass({})::pg_catalog.oid)",
                    self.literal(table),
                    self.literal(&name)
                )
            })
            .collect();
        if each.is_empty() {
            return Vec::new();
        }
        // Statement triggers, which alone see all rows of a statement, do not fire there, ENABLE ALWAYS or not.
        vec![format!(
            "SELECT t.name FROM (VALUES {}) t(name, oid) WHERE EXISTS (WITH RECURSIVE tree AS (SELECT t.oid UNION ALL \
             SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid) \
             SELECT 1 FROM pg_catalog.pg_subscription_rel s JOIN tree ON s.srrelid = tree.oid)",
            each.join(", ")
        )]
    }
}

//! PostgreSQL: questions to the catalog and to a source.

use super::PostgresDialect;
use crate::engine::{CatalogSql, Column, Spelling};

impl PostgresDialect {
    fn regclass(&self, schema: Option<&str>, table: &str) -> String {
        let name = match schema {
            Some(schema) => self.qualify(schema, table),
            None => self.quote(table),
        };
        format!("pg_catalog.to_regclass({})::pg_catalog.oid", self.literal(&name))
    }
}

impl CatalogSql for PostgresDialect {
    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) || \
             CASE WHEN a.attcollation <> 0::pg_catalog.oid AND a.attcollation <> t.typcollation \
             THEN ' COLLATE ' || pg_catalog.quote_ident(n.nspname::pg_catalog.text) || '.' || \
             pg_catalog.quote_ident(c.collname::pg_catalog.text) ELSE '' END, \
             CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 1 ELSE 0 END, \
             CASE WHEN a.attnotnull THEN 0 ELSE 1 END, \
             CASE WHEN a.attgenerated = 'v' THEN (SELECT 'CAST((' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') AS ' || \
             pg_catalog.format_type(a.atttypid, a.atttypmod) || ')' FROM pg_catalog.pg_attrdef d \
             WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation \
             LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
             WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            self.regclass(schema, table)
        )
    }

    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT ic.relname, CASE WHEN i.indisunique THEN 1 ELSE 0 END, \
             CASE WHEN NOT i.indisvalid THEN 2 WHEN i.indpred IS NOT NULL THEN 1 ELSE 0 END, a.attname \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
             CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, ord) \
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0 \
             WHERE i.indrelid = {} AND k.ord <= i.indnkeyatts ORDER BY ic.relname, k.ord",
            self.regclass(schema, table)
        )
    }

    fn equated_sql(&self, _table: &str, column: &Column) -> Option<String> {
        let how = self.loose(column)?;
        if how.to_ascii_lowercase().contains("citext") {
            return None;
        }
        Some(format!(
            "SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text) || '.' || pg_catalog.quote_ident(c.collname::pg_catalog.text) \
             FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE NOT c.collisdeterministic \
             AND pg_catalog.quote_ident(n.nspname::pg_catalog.text) || '.' || pg_catalog.quote_ident(c.collname::pg_catalog.text) = {}",
            self.literal(how)
        ))
    }

    fn comparable_sql(&self, column: &Column) -> Option<String> {
        let plain = column.sql_type.split(" COLLATE ").next().unwrap_or(&column.sql_type);
        Some(format!("SELECT DISTINCT CAST(NULL AS {plain})"))
    }

    fn alike_sql(&self, values: &[&str], column: &Column) -> Option<String> {
        let lower = column.sql_type.to_ascii_lowercase();
        let loose = self.loose(column);
        // Types with several spellings of one value.
        let several = ["interval", "jsonb"].iter().any(|word| lower.contains(word)) || lower.contains("[]");
        if loose.is_none() && !several {
            return None;
        }
        let list: Vec<String> =
            values.iter().enumerate().map(|(at, value)| format!("({at}, {})", self.literal(value))).collect();
        let collation = loose.filter(|how| !how.to_ascii_lowercase().contains("citext"));
        let collate = collation.map(|how| format!(" COLLATE {how}")).unwrap_or_default();
        Some(format!(
            "WITH x(n, v) AS (VALUES {}) SELECT n, pg_catalog.min(n) OVER (PARTITION BY CAST(v AS {}){collate}) FROM x",
            list.join(", "),
            self.cast_type(column)
        ))
    }

    fn bytes_sql(&self, schema: &str, table: &str) -> String {
        format!(
            "SELECT pg_catalog.pg_total_relation_size({}::pg_catalog.regclass)",
            self.regclass(Some(schema), table)
        )
    }

    fn estimated_rows_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT CASE WHEN reltuples < 0 THEN NULL ELSE reltuples::pg_catalog.int8 END FROM pg_catalog.pg_class \
             WHERE oid = {}",
            self.regclass(schema, table)
        )
    }

    fn table_count_sql(&self) -> String {
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = pg_catalog.current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            .to_owned()
    }

    fn tables_like_sql(&self, prefix: &str) -> String {
        format!(
            "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = pg_catalog.current_schema() AND c.relkind = 'r' AND pg_catalog.left(c.relname::pg_catalog.text, {}) = {}",
            prefix.len(),
            self.literal(prefix)
        )
    }

    fn own_view_sql(&self, schema: &str, view: &str) -> String {
        format!(
            "SELECT 1 FROM pg_catalog.pg_views WHERE schemaname = {} AND viewname = {} \
             AND (pg_catalog.strpos(definition, 'dashagg_log_') > 0 OR pg_catalog.strpos(definition, 'dashagg_waiting_') > 0)",
            self.literal(schema),
            self.literal(view)
        )
    }

    fn populated_sql(&self, schema: &str, table: &str) -> String {
        format!(
            "SELECT CASE WHEN relispopulated THEN 1 ELSE 0 END FROM pg_catalog.pg_class WHERE oid = {}",
            self.regclass(Some(schema), table)
        )
    }

    fn emptied_sql(&self, tables: &[(&str, &str)]) -> Option<String> {
        // CASE: the size of a table waits for who has locked it, so it is asked of those only that a crash can empty.
        let each = tables.iter().enumerate().map(|(at, (schema, table))| {
            format!(
                "SELECT {at} WHERE (WITH RECURSIVE tree(oid) AS (SELECT {} UNION ALL SELECT i.inhrelid \
                 FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid), leaf AS (SELECT c.oid, c.relpersistence \
                 FROM pg_catalog.pg_class c JOIN tree ON tree.oid = c.oid WHERE c.relkind = 'r') \
                 SELECT CASE WHEN EXISTS (SELECT 1 FROM leaf WHERE relpersistence = 'u') THEN NOT EXISTS \
                 (SELECT 1 FROM leaf WHERE pg_catalog.pg_relation_size(oid::pg_catalog.regclass) > 0) ELSE false END)",
                self.regclass(Some(schema), table)
            )
        });
        Some(each.collect::<Vec<_>>().join(" UNION ALL "))
    }

    fn leaves_sql(&self, schema: Option<&str>, table: &str) -> Option<String> {
        Some(format!(
            "WITH RECURSIVE tree(oid) AS (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = {} AND c.relkind = 'p' \
             UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid) \
             SELECT c.oid::pg_catalog.regclass::pg_catalog.text, c.relkind::pg_catalog.text, \
             x.indexrelid::pg_catalog.regclass::pg_catalog.text, b.relname::pg_catalog.text \
             FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid \
             LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND NOT x.indisvalid \
             LEFT JOIN pg_catalog.pg_class b ON b.oid = x.indexrelid ORDER BY 1, 4",
            self.regclass(schema, table)
        ))
    }

    fn explain_sql(&self, query: &str) -> Vec<String> {
        // Without this a small table is read whole although an index could serve.
        let on = ["enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"];
        let mut sql: Vec<String> = on.iter().map(|name| format!("SET LOCAL {name} = on")).collect();
        sql.extend(["SET LOCAL enable_seqscan = off".to_owned(), format!("EXPLAIN {query}")]);
        sql
    }

    fn distinct_reads_all(&self) -> bool {
        true
    }

    fn fingerprint_sql(&self, table: &str, partition: &[String], _columns: &[Column]) -> Option<String> {
        let list = if partition.is_empty() { String::new() } else { format!("{}, ", partition.join(", ")) };
        let group =
            if partition.is_empty() { String::new() } else { format!(" GROUP BY {}", partition.join(", ")) };
        Some(format!(
            "SELECT {list}pg_catalog.count(*), \
             pg_catalog.sum(pg_catalog.hashtextextended(r::pg_catalog.text, 0::pg_catalog.int8)::pg_catalog.numeric), \
             pg_catalog.sum(pg_catalog.hashtextextended(r::pg_catalog.text, 1::pg_catalog.int8)::pg_catalog.numeric) FROM {table} r{group}"
        ))
    }
}

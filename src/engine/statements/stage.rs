//! Computing rows aside, and what is checked of them there.

use super::{KIND, Marks, OP, RUN, Shadow, Slice, SummarySql};
use crate::engine::{Column, Dialect, Scratch};

/// Column definitions of a scratch table: its markers, then these columns in the types that they have. Of a delta, those
/// of the key are NOT NULL, as a primary key wants them.
pub fn scratch_columns(d: &dyn Dialect, columns: &[Column], key: &[String], scratch: Scratch) -> String {
    let delta = matches!(scratch, Scratch::Delta | Scratch::LookedUp);
    let mut parts = if delta {
        vec![format!("{} BIGINT NOT NULL", d.quote(RUN)), format!("{} CHAR(1) NOT NULL", d.quote(OP))]
    } else {
        // Four bytes where they do, since an index entry has a limit.
        let number = if scratch == Scratch::Stage { "BIGINT" } else { "INTEGER" };
        vec![format!("{} {number} NOT NULL", d.quote(KIND))]
    };
    for column in columns {
        let in_key = delta && key.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        // Said, because an older MariaDB takes a TIMESTAMP without it for NOT NULL.
        let null = if in_key { "NOT NULL" } else { "NULL" };
        parts.push(format!("{} {} {null}", d.quote(&column.name), column.sql_type));
    }
    parts.join(", ")
}

/// Columns of a stage's unique index: the marker, the partition, then the rest of the key, so that both
/// uniqueness and reading one partition are served.
pub fn stage_index(d: &dyn Dialect, partition: &[String], key: &[String]) -> String {
    let mut names = vec![d.quote(KIND)];
    names.extend(partition.iter().map(|name| d.quote(name)));
    names.extend(key.iter().filter(|name| !partition.contains(name)).map(|name| d.quote(name)));
    names.join(", ")
}

/// What the source itself says its totals are, to be laid beside the computed rows in one statement, so
/// that both see the same state whatever the isolation level.
pub struct SourceTotals<'a> {
    /// The source table, quoted.
    pub table: String,
    /// For each column of the slice: its name and the expression over the source.
    pub spelled: Vec<(&'a str, &'a str)>,
    /// The columns of these that totals are grouped by.
    pub partition: Vec<(&'a str, &'a str)>,
    /// For each reconciled column: its name and the aggregate over the source.
    pub totals: Vec<(&'a str, &'a str)>,
}

impl SummarySql<'_> {
    /// The SELECT's rows for a slice, without its WITH: `SELECT … FROM (<file>) q WHERE …`.
    pub fn computed(&self, slice: &Slice, extra: &str) -> String {
        format!(
            "SELECT {extra}{} FROM (\n{}\n) q WHERE {}",
            self.names("q").join(", "),
            self.select,
            slice.over(self.dialect, "q")
        )
    }

    /// One row, all NULL, with the columns that the SELECT yields: asks for names without computing rows.
    pub fn probe(&self, shadows: &[Shadow]) -> String {
        format!(
            "{}SELECT q.* FROM (SELECT 1 AS {one}) o LEFT JOIN (SELECT * FROM (\n{}\n) d WHERE 1 = 0) q ON 1 = 1",
            self.with_clause(shadows),
            self.select,
            one = self.dialect.quote("dashagg_one"),
        )
    }

    /// Computes a slice into the stage, with the source's totals beside it if asked.
    pub fn fill_stage(
        &self,
        stage: &str,
        slice: &Slice,
        shadows: &[Shadow],
        totals: Option<&SourceTotals<'_>>,
    ) -> String {
        let mut sql = format!(
            "INSERT INTO {stage} ({}, {}) {}{}",
            self.dialect.quote(KIND),
            self.names("").join(", "),
            self.with_clause(shadows),
            self.computed(slice, &format!("{}, ", self.marks.computed)),
        );
        if let Some(totals) = totals {
            let find = |list: &[(&str, &str)], name: &str| {
                list.iter()
                    .find(|(column, _)| column.eq_ignore_ascii_case(name))
                    .map(|(_, expression)| (*expression).to_owned())
            };
            let cells: Vec<String> = self
                .columns
                .iter()
                .map(|column| {
                    find(&totals.partition, &column.name)
                        .or_else(|| find(&totals.totals, &column.name))
                        .unwrap_or_else(|| "NULL".to_owned())
                })
                .collect();
            let spell = |name: &str| find(&totals.spelled, name).unwrap_or_else(|| self.dialect.quote(name));
            sql.push_str(&format!(
                " UNION ALL SELECT {}, {} FROM {} WHERE {}",
                self.marks.totals,
                cells.join(", "),
                totals.table,
                slice.condition(self.dialect, &spell),
            ));
            let groups: Vec<&str> = totals.partition.iter().map(|(_, e)| *e).collect();
            if groups.is_empty() {
                // A source without rows has no totals, rather than one row of NULLs.
                sql.push_str(" HAVING COUNT(*) > 0");
            } else {
                sql.push_str(&format!(" GROUP BY {}", groups.join(", ")));
            }
        }
        sql
    }

    /// Per partition of the staged slice: partition values, rows, rows with a NULL in the key, then the
    /// sum of each `(column, condition)` over computed rows, then the source's total of each `column`, then the rows that
    /// the table holds for the slice, if one is given.
    pub fn profile_stage(
        &self,
        stage: &str,
        sums: &[(String, Option<String>)],
        source: &[String],
        published: Option<&Slice>,
    ) -> String {
        let d = self.dialect;
        let kind = d.quote(KIND);
        let Marks { computed, totals, .. } = self.marks;
        let parts: Vec<String> = self.partition.iter().map(|name| d.quote(name)).collect();
        let null_key: Vec<String> =
            self.key.iter().map(|name| format!("{} IS NULL", d.quote(name))).collect();
        let mut cells = parts.clone();
        cells.push(format!("SUM(CASE WHEN {kind} = {computed} THEN 1 ELSE 0 END)"));
        cells.push(format!(
            "SUM(CASE WHEN {kind} = {computed} AND ({}) THEN 1 ELSE 0 END)",
            null_key.join(" OR ")
        ));
        for (column, condition) in sums {
            let condition = condition.as_deref().map(|c| format!(" AND ({c})")).unwrap_or_default();
            cells.push(format!("SUM(CASE WHEN {kind} = {computed}{condition} THEN {} END)", d.quote(column)));
        }
        for column in source {
            cells.push(format!("SUM(CASE WHEN {kind} = {totals} THEN {} END)", d.quote(column)));
        }
        cells.extend(published.map(|slice| format!("({})", self.count(slice))));
        let mut sql = format!("SELECT {} FROM {stage}", cells.join(", "));
        if self.marks.computed != Marks::PRIVATE.computed {
            sql.push_str(&format!(" WHERE {kind} IN ({computed}, {totals})"));
        }
        if !parts.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", parts.join(", ")));
        }
        sql
    }
}

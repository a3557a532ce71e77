//! The statements that refresh and verify are made of, built from a [`Dialect`], quoted names and the
//! DBA's own SELECT. Pure: what is built here can be printed (`--dry-run`) or run.

use super::dialect::{Scratch, on_key};
use super::{Column, Dialect};

/// Marks the rows of a stage: what the SELECT computed, or the source's own totals.
pub const KIND: &str = "dashagg_kind";
/// Marks the rows of a delta: `I`nsert, `U`pdate, `D`elete.
pub const OP: &str = "dashagg_op";
/// The run that a row of a delta belongs to.
pub const RUN: &str = "dashagg_run";

/// Numbers that tell rows in scratch tables apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The run, in a delta.
    pub run: i64,
    /// Rows that the SELECT computed, in a stage.
    pub computed: i64,
    /// The source's own totals, in a stage.
    pub totals: i64,
}

impl Marks {
    /// Where a stage is its connection's own.
    pub const PRIVATE: Self = Self { run: 0, computed: 0, totals: 1 };
}

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

/// Columns of a delta's unique index.
pub fn delta_index(d: &dyn Dialect, key: &[String]) -> String {
    let names: Vec<String> = key.iter().map(|name| d.quote(name)).collect();
    format!("{}, {}", d.quote(RUN), names.join(", "))
}

/// One value of a tuple; `None` is NULL.
pub type Value = Option<String>;

/// The part of a summary that one statement works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    /// Every row.
    All,
    /// The rows whose columns equal one of the tuples.
    Tuples {
        /// Columns, in the order of the tuples' values.
        columns: Vec<Column>,
        /// Values as the server spells them.
        rows: Vec<Vec<Value>>,
    },
}

impl Slice {
    /// The condition, over columns as `spell` writes them.
    pub fn condition(&self, dialect: &dyn Dialect, spell: &dyn Fn(&str) -> String) -> String {
        let Self::Tuples { columns, rows } = self else {
            return "1 = 1".to_owned();
        };
        if rows.is_empty() {
            return "1 = 0".to_owned();
        }
        let names: Vec<String> = columns.iter().map(|column| spell(&column.name)).collect();
        let literal = |value: &str, column: &Column| {
            // A quoted number would not equal an expression without affinity on SQLite.
            if column.integer && value.parse::<i64>().is_ok() {
                value.to_owned()
            } else {
                dialect.literal(value)
            }
        };
        let (with_null, plain): (Vec<_>, Vec<_>) =
            rows.iter().partition(|row| row.iter().any(Option::is_none));
        let mut parts = Vec::new();
        if !plain.is_empty() {
            let mut tuples: Vec<Vec<String>> = plain
                .iter()
                .map(|row| {
                    row.iter()
                        .zip(columns)
                        .map(|(value, column)| literal(value.as_deref().unwrap_or(""), column))
                        .collect()
                })
                .collect();
            tuples.sort();
            parts.extend(factored(dialect, &names, &tuples));
        }
        for row in with_null {
            let each: Vec<String> = row
                .iter()
                .zip(columns)
                .zip(&names)
                .map(|((value, column), name)| match value {
                    Some(value) => format!("{name} = {}", literal(value, column)),
                    None => format!("{name} IS NULL"),
                })
                .collect();
            parts.push(format!("({})", each.join(" AND ")));
        }
        if parts.len() == 1 { parts.remove(0) } else { format!("({})", parts.join(" OR ")) }
    }

    /// The condition over columns of `alias`.
    pub fn over(&self, dialect: &dyn Dialect, alias: &str) -> String {
        self.condition(dialect, &|name| format!("{alias}.{}", dialect.quote(name)))
    }
}

/// Sorted tuples as `a = 1 AND b IN (2, 3)`, one a run of equal heads: every engine turns that into index
/// ranges, which not every one does with a list of row values.
fn factored(dialect: &dyn Dialect, names: &[String], tuples: &[Vec<String>]) -> Vec<String> {
    let (last, heads) = match names.split_last() {
        Some(split) => split,
        None => return vec!["1 = 1".to_owned()],
    };
    tuples
        .chunk_by(|a, b| a[..heads.len()] == b[..heads.len()])
        .map(|run| {
            let values: Vec<&str> = run.iter().map(|tuple| tuple[heads.len()].as_str()).collect();
            let tail = match values.as_slice() {
                [only] => dialect.is_value(last, only),
                _ => format!("{last} IN ({})", values.join(", ")),
            };
            if heads.is_empty() {
                return tail;
            }
            let head: Vec<String> =
                heads.iter().zip(&run[0]).map(|(name, value)| format!("{name} = {value}")).collect();
            format!("({} AND {tail})", head.join(" AND "))
        })
        .collect()
}

/// A CTE that takes the place of a summary's table while a SELECT is evaluated.
#[derive(Debug, Clone)]
pub struct Shadow {
    /// The table's plain name.
    pub table: String,
    /// What it stands for now.
    pub body: String,
}

/// One summary's SELECT and table, as statements need them.
pub struct Shapes<'a> {
    /// The engine's text.
    pub dialect: &'a dyn Dialect,
    /// Qualified, quoted name of the summary table.
    pub target: String,
    /// The SELECT as the DBA wrote it, without a closing semicolon.
    pub select: &'a str,
    /// Columns that the SELECT produces, typed as the table stores them, in the table's order.
    pub columns: &'a [Column],
    /// Of these, the ones that take part in comparison.
    pub compared: Vec<&'a Column>,
    /// Columns of the table that dashagg sets to the moment of writing.
    pub stamped: &'a [String],
    /// Unique key.
    pub key: &'a [String],
    /// Partition columns; empty for a summary that is always recomputed whole.
    pub partition: &'a [String],
    /// Which rows of scratch tables are meant.
    pub marks: Marks,
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

impl Shapes<'_> {
    fn names(&self, alias: &str) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| {
                let name = self.dialect.quote(&column.name);
                if alias.is_empty() { name } else { format!("{alias}.{name}") }
            })
            .collect()
    }

    fn key_list(&self, alias: &str) -> String {
        self.key
            .iter()
            .map(|name| format!("{alias}.{}", self.dialect.quote(name)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The compared columns, as a list.
    pub fn compared_columns(&self) -> String {
        let names: Vec<String> =
            self.compared.iter().map(|column| self.dialect.quote(&column.name)).collect();
        names.join(", ")
    }

    /// One row (inserted, updated, deleted): what turned the rows of `before` into those of the table.
    pub fn count_changes(&self, before: &str) -> String {
        let d = self.dialect;
        let columns = self.compared_columns();
        let same: Vec<String> = self
            .compared
            .iter()
            .map(|column| {
                let name = d.quote(&column.name);
                d.same(&format!("b.{name}"), &format!("t.{name}"), column)
            })
            .collect();
        let sum = |condition: &str| format!("COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)");
        format!(
            "SELECT {}, {}, {} FROM (SELECT 1 AS dashagg_here, {columns} FROM {before}) b \
             FULL JOIN (SELECT 1 AS dashagg_here, {columns} FROM {}) t ON {}",
            sum("b.dashagg_here IS NULL"),
            sum(&format!("b.dashagg_here = 1 AND t.dashagg_here = 1 AND NOT ({})", same.join(" AND "))),
            sum("t.dashagg_here IS NULL"),
            self.target,
            on_key(d, "b", "t", self.key)
        )
    }

    /// `WITH …` for the shadows, or nothing.
    pub fn with_clause(&self, shadows: &[Shadow]) -> String {
        if shadows.is_empty() {
            return String::new();
        }
        let parts: Vec<String> = shadows
            .iter()
            .map(|shadow| format!("{} AS ({})", self.dialect.quote(&shadow.table), shadow.body))
            .collect();
        format!("WITH {} ", parts.join(", "))
    }

    /// The SELECT's rows for a slice, without its WITH: `SELECT … FROM (<file>) q WHERE …`.
    pub fn computed(&self, slice: &Slice, extra: &str) -> String {
        format!(
            "SELECT {extra}{} FROM (\n{}\n) q WHERE {}",
            self.names("q").join(", "),
            self.select,
            slice.over(self.dialect, "q")
        )
    }

    /// The table's own columns for a slice of its rows.
    pub fn published(&self, slice: &Slice, extra: &str) -> String {
        format!(
            "SELECT {extra}{} FROM {} t WHERE {}",
            self.names("t").join(", "),
            self.target,
            slice.over(self.dialect, "t")
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
    /// sum of each `(column, condition)` over computed rows, then the source's total of each `column`.
    pub fn profile_stage(&self, stage: &str, sums: &[(String, Option<String>)], source: &[String]) -> String {
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
        let mut sql = format!("SELECT {} FROM {stage}", cells.join(", "));
        if self.marks.computed != Marks::PRIVATE.computed {
            sql.push_str(&format!(" WHERE {kind} IN ({computed}, {totals})"));
        }
        if !parts.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", parts.join(", ")));
        }
        sql
    }

    /// Rows of the stage that the table lacks or holds differently, into the delta. `within`: the part of the
    /// table that they can be in, where saying so spares the engine from reading all of it.
    pub fn diff_new(&self, stage: &str, delta: &str, within: Option<&Slice>) -> String {
        let d = self.dialect;
        let first = d.quote(&self.key[0]);
        let same: Vec<String> = self
            .compared
            .iter()
            .map(|column| {
                let name = d.quote(&column.name);
                d.same(&format!("s.{name}"), &format!("t.{name}"), column)
            })
            .collect();
        format!(
            "INSERT INTO {delta} ({}, {}, {}) SELECT {}, CASE WHEN t.{first} IS NULL THEN 'I' ELSE 'U' END, {} \
             FROM {stage} s LEFT JOIN {} t ON {}{} WHERE s.{} = {} AND (t.{first} IS NULL OR NOT ({}))",
            d.quote(RUN),
            d.quote(OP),
            self.names("").join(", "),
            self.marks.run,
            self.names("s").join(", "),
            self.target,
            on_key(d, "t", "s", self.key),
            within.map(|slice| format!(" AND {}", slice.over(d, "t"))).unwrap_or_default(),
            d.quote(KIND),
            self.marks.computed,
            same.join(" AND "),
        )
    }

    /// Keys of the table's slice that the stage no longer has, into the delta.
    pub fn diff_gone(&self, stage: &str, delta: &str, slice: &Slice) -> String {
        let d = self.dialect;
        let kind = d.quote(KIND);
        let keys: Vec<String> = self.key.iter().map(|name| d.quote(name)).collect();
        format!(
            "INSERT INTO {delta} ({}, {}, {}) SELECT {}, 'D', {} FROM {} t LEFT JOIN {stage} s \
             ON s.{kind} = {} AND {} WHERE {} AND s.{kind} IS NULL",
            d.quote(RUN),
            d.quote(OP),
            keys.join(", "),
            self.marks.run,
            self.key_list("t"),
            self.target,
            self.marks.computed,
            on_key(d, "s", "t", self.key),
            slice.over(d, "t"),
        )
    }

    /// Copies a whole stage as rows to insert: the first build of an empty table.
    pub fn diff_all_new(&self, stage: &str, delta: &str) -> String {
        format!(
            "INSERT INTO {delta} ({}, {}, {}) SELECT {}, 'I', {} FROM {stage} s WHERE s.{} = {}",
            self.dialect.quote(RUN),
            self.dialect.quote(OP),
            self.names("").join(", "),
            self.marks.run,
            self.names("s").join(", "),
            self.dialect.quote(KIND),
            self.marks.computed,
        )
    }

    /// Rows of the table in a slice.
    pub fn count(&self, slice: &Slice) -> String {
        format!("SELECT COUNT(*) FROM {} t WHERE {}", self.target, slice.over(self.dialect, "t"))
    }

    /// Writes the delta into the table: statements in order, each with the marks whose number of rows it
    /// must match. `replace`: differing rows are deleted and inserted anew (another unique index exists).
    pub fn apply(&self, delta: &str, replace: bool) -> Vec<(String, &'static [char])> {
        let d = self.dialect;
        let op = d.quote(OP);
        let (gone, fresh): (&[char], &[char]) =
            if replace { (&['D', 'U'], &['I', 'U']) } else { (&['D'], &['I']) };
        let one_of = |marks: &[char]| {
            let marks: Vec<String> = marks.iter().map(|mark| format!("'{mark}'")).collect();
            format!("d.{} = {} AND d.{op} IN ({})", d.quote(RUN), self.marks.run, marks.join(", "))
        };
        let mut steps = vec![(d.delete_matching(&self.target, delta, self.key, &one_of(gone)), gone)];
        if !replace {
            let mut assignments: Vec<(String, String)> = self
                .columns
                .iter()
                .map(|column| {
                    let name = d.quote(&column.name);
                    (name.clone(), format!("d.{name}"))
                })
                .collect();
            assignments.extend(self.stamped.iter().map(|name| (d.quote(name), d.now().to_owned())));
            steps.push((
                d.update_matching(&self.target, delta, self.key, &assignments, &one_of(&['U'])),
                &['U'],
            ));
        }
        let mut into = self.names("");
        let mut from = self.names("d");
        for name in self.stamped {
            into.push(d.quote(name));
            from.push(d.now().to_owned());
        }
        steps.push((
            format!(
                "INSERT INTO {} ({}) SELECT {} FROM {delta} d WHERE {}",
                self.target,
                into.join(", "),
                from.join(", "),
                one_of(fresh)
            ),
            fresh,
        ));
        steps
    }

    /// Every row of a slice in which recomputation and table disagree: the columns (as text to compare),
    /// then +n if n more such rows are expected, −n if n more are there. Ordered by key.
    pub fn disagreements(&self, slice: &Slice, shadows: &[Shadow]) -> String {
        let d = self.dialect;
        let side = d.quote("dashagg_side");
        let list = |alias: &str, cast: bool| {
            self.compared
                .iter()
                .map(|column| {
                    let name = d.quote(&column.name);
                    let plain = format!("{alias}.{name}");
                    let typed = if cast { d.cast(&plain, column) } else { plain };
                    format!("{} AS {name}", d.exact(&typed, column))
                })
                .collect::<Vec<_>>()
                .join(", ")
        };
        let names: Vec<String> =
            self.compared.iter().map(|column| format!("u.{}", d.quote(&column.name))).collect();
        format!(
            "{}SELECT {names}, SUM(u.{side}) FROM (SELECT 1 AS {side}, {} FROM (\n{}\n) q WHERE {} \
             UNION ALL SELECT -1 AS {side}, {} FROM {} t WHERE {}) u \
             GROUP BY {names} HAVING SUM(u.{side}) <> 0 ORDER BY {}",
            self.with_clause(shadows),
            list("q", true),
            self.select,
            slice.over(d, "q"),
            list("t", false),
            self.target,
            slice.over(d, "t"),
            self.key_list("u"),
            names = names.join(", "),
        )
    }
}

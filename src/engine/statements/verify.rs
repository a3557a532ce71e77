//! Laying a recomputation beside a summary's table.

use super::{Shadow, Slice, SummarySql};

impl SummarySql<'_> {
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

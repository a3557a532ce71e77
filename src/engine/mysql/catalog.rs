//! MySQL and MariaDB: questions to the catalog and to a source.

use super::MysqlDialect;
use crate::engine::{CatalogSql, Column, Spelling};

/// Whether the table itself gives a column its values: not DEFAULT_GENERATED, which is MySQL's word for a default that is
/// an expression, but a number that MySQL adds to a table without a primary key (sql_generate_invisible_primary_key).
const COMPUTED: &str = "EXTRA LIKE '%VIRTUAL GENERATED%' OR EXTRA LIKE '%STORED GENERATED%' \
                        OR EXTRA LIKE '%auto_increment%INVISIBLE%'";

/// What InnoDB calls the files of a table, as a regular expression: those of its partitions and sub-partitions, too.
///
/// In file names, ASCII other than letters, digits and `_` is `@` with four hexadecimal digits, and so are most other
/// characters; but some scripts have `@` with two characters by a table that MySQL shows nowhere. Which two is left open:
/// one name too many costs a needless refresh, one too few a lost change. A name that Windows reserves, such as `con`,
/// ends in `@@@`. Upper case is lower case on some systems.
pub(super) fn files_of(schema: &str, table: &str) -> String {
    let file = |name: &str| -> String {
        let letter = |letter: char| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => letter.to_string(),
            '\0'..='\x7f' => format!("@{:04x}", u32::from(letter)),
            _ => format!("@(..|{:04x})", u32::from(letter)),
        };
        name.chars().map(letter).collect::<String>() + "(@@@)?"
    };
    format!("(?i-x)^{}/{}(#p#.*)?$", file(schema), file(table))
}

impl CatalogSql for MysqlDialect {
    fn columns_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT COLUMN_NAME, CONCAT(COLUMN_TYPE, \
             IF(COLLATION_NAME IS NULL, '', CONCAT(' CHARACTER SET ', CHARACTER_SET_NAME, ' COLLATE ', COLLATION_NAME))), \
             {COMPUTED}, IS_NULLABLE = 'YES' \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
            self.schema_or_current(schema),
            self.literal(table)
        )
    }

    fn indexes_sql(&self, schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT INDEX_NAME, NON_UNIQUE = 0, SUB_PART IS NOT NULL, COLUMN_NAME \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
             ORDER BY INDEX_NAME, SEQ_IN_INDEX",
            self.schema_or_current(schema),
            self.literal(table)
        )
    }

    fn alike_sql(&self, values: &[&str], column: &Column) -> Option<String> {
        let how = self.loose(column)?;
        // MySQL wants to be told that it is a row.
        let row = if self.mariadb { "" } else { "ROW" };
        let list: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, value)| format!("{row}({at}, {})", self.literal(value)))
            .collect();
        Some(format!(
            "WITH x(n, v) AS (VALUES {}) SELECT n, MIN(n) OVER (PARTITION BY {}) FROM x",
            list.join(", "),
            self.loosely("v", how)
        ))
    }

    fn bytes_sql(&self, schema: &str, table: &str) -> String {
        format!(
            "SELECT CAST(DATA_LENGTH + INDEX_LENGTH AS CHAR) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            self.literal(schema),
            self.literal(table)
        )
    }

    fn estimated_rows_sql(&self, _schema: Option<&str>, table: &str) -> String {
        format!(
            "SELECT CAST(TABLE_ROWS AS CHAR) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}",
            self.literal(table)
        )
    }

    fn table_count_sql(&self) -> String {
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()".to_owned()
    }

    fn tables_like_sql(&self, prefix: &str) -> String {
        format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
             AND LEFT(TABLE_NAME, {}) = {}",
            prefix.len(),
            self.literal(prefix)
        )
    }

    fn own_view_sql(&self, schema: &str, view: &str) -> String {
        format!(
            "SELECT 1 FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
             AND LOCATE('dashagg_log_', VIEW_DEFINITION) > 0",
            self.schema_or_current(Some(schema)),
            self.literal(view)
        )
    }

    fn fingerprint_sql(&self, table: &str, partition: &[String], columns: &[Column]) -> Option<String> {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| {
                let name = self.quote(&column.name);
                format!("COALESCE(CAST({name} AS BINARY), X'00FF')")
            })
            .collect();
        let row = self.digest(&format!("CONCAT_WS(X'1F', {})", cells.join(", ")));
        let list = if partition.is_empty() { String::new() } else { format!("{}, ", partition.join(", ")) };
        let group =
            if partition.is_empty() { String::new() } else { format!(" GROUP BY {}", partition.join(", ")) };
        Some(format!(
            "SELECT {list}COUNT(*), SUM(CAST(CONV(LEFT({row}, 15), 16, 10) AS DECIMAL(20))), \
             SUM(CAST(CONV(RIGHT({row}, 15), 16, 10) AS DECIMAL(20))) FROM {table}{group}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::files_of;

    #[test]
    fn a_name_is_sought_as_its_file_is_called() {
        assert_eq!(
            files_of("my-db", "Raw ü_1"),
            "(?i-x)^my@002ddb(@@@)?/Raw@0020@(..|00fc)_1(@@@)?(#p#.*)?$"
        );
    }
}

//! SQLite: names, values and expressions.

use super::SqliteDialect;
use crate::engine::{Column, LexRules, Spelling};

impl Spelling for SqliteDialect {
    fn lex_rules(&self) -> LexRules {
        LexRules {
            backslash_escapes: false,
            hash_comments: false,
            dollar_quotes: false,
            double_quoted_strings: false,
        }
    }

    fn nested_with_sees_shadow(&self) -> bool {
        true
    }

    fn quote(&self, ident: &str) -> String {
        format!("\"{}\"", ident.replace('"', "\"\""))
    }

    fn literal(&self, text: &str) -> String {
        // The text of a statement ends at a NUL byte; a value may hold one.
        if text.contains('\0') {
            let bytes: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
            return format!("CAST(X'{bytes}' AS TEXT)");
        }
        format!("'{}'", text.replace('\'', "''"))
    }

    fn is_text(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["char", "text", "clob"].iter().any(|word| lower.contains(word))
    }

    fn is_date(&self, sql_type: &str) -> bool {
        // Dates are text here; a number would come before any text.
        !["int", "real", "floa", "doub", "num", "dec"]
            .iter()
            .any(|word| sql_type.to_ascii_lowercase().contains(word))
    }

    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str> {
        column.sql_type.rsplit_once(" COLLATE ").map(|(_, collation)| collation)
    }

    fn loosely(&self, expression: &str, how: &str) -> String {
        format!("{expression} COLLATE {how}")
    }

    fn exact(&self, expression: &str, column: &Column) -> String {
        if column.text { format!("({expression}) COLLATE BINARY") } else { expression.to_owned() }
    }

    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        format!("{} IS {}", self.exact(left, column), self.exact(right, column))
    }

    fn cast(&self, expression: &str, _column: &Column) -> String {
        expression.to_owned()
    }

    fn clock_sql(&self) -> &'static str {
        "SELECT (julianday('now') - 2440587.5) * 86400.0"
    }

    fn now(&self) -> &'static str {
        "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    }

    fn seconds_before(&self, moment: &str, seconds: f64) -> String {
        format!("strftime('%Y-%m-%d %H:%M:%f', {moment}, '-{seconds} seconds')")
    }
}

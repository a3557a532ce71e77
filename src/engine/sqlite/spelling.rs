//! SQLite: names, values and expressions.

use super::SqliteDialect;
use crate::engine::spelling::{DOUBLE, hex, hex_bytes, is_whole};
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
            return format!("CAST(X'{}' AS TEXT)", hex(text.as_bytes()));
        }
        format!("'{}'", text.replace('\'', "''"))
    }

    fn constants(&self, value: &str, _column: &Column) -> Vec<String> {
        // Any column may hold any type, and an expression has no affinity that would convert a constant. As one that has, a
        // column finds by both what it finds by one.
        let other = match value {
            "inf" => Some("9e999".to_owned()),
            "-inf" => Some("-9e999".to_owned()),
            _ if is_number(value) => Some(value.to_owned()),
            _ => hex_bytes(value).map(|digits| format!("X'{digits}'")),
        };
        other.into_iter().chain([self.literal(value)]).collect()
    }

    fn tolerance(&self, sql_type: &str, value: &str) -> Option<f64> {
        // What is no whole number is eight bytes, whatever the column was declared as; but what a column of texts holds is
        // text, and 1.1 no 1.10.
        (!is_whole(value) && !self.holds_text(sql_type)).then_some(DOUBLE)
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

    fn cast(&self, expression: &str, column: &Column) -> String {
        if self.holds_text(&column.sql_type) {
            format!(
                "CASE WHEN typeof({expression}) IN ('integer', 'real') THEN CAST({expression} AS TEXT) ELSE {expression} END"
            )
        } else {
            expression.to_owned()
        }
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

impl SqliteDialect {
    /// Whether a column of that type makes texts of numbers.
    fn holds_text(&self, sql_type: &str) -> bool {
        self.is_text(sql_type) && !sql_type.to_ascii_lowercase().contains("int")
    }
}

/// Whether a text is a number as SQLite reads one in a statement.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once('e').map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    is_whole(whole) && fraction.is_none_or(digits) && exponent.is_none_or(is_whole)
}

//! How an engine writes names, values, types and expressions.

use super::Column;
use crate::sql_text::LexRules;

/// Names, values and expressions as an engine spells them.
pub trait Spelling: Send + Sync {
    /// How to read this engine's SQL.
    fn lex_rules(&self) -> LexRules;

    /// Whether a CTE outside also shadows a table inside a file that has a WITH of its own.
    fn nested_with_sees_shadow(&self) -> bool;

    /// A name as SQL spells it; any text without a NUL byte is a name.
    fn quote(&self, ident: &str) -> String;

    /// What is too long about a name, in words; else the server would cut it, perhaps to another table's.
    fn too_long(&self, ident: &str) -> Option<String> {
        let _ = ident;
        None
    }

    /// A text literal, safe for any value without a NUL byte.
    fn literal(&self, text: &str) -> String;

    /// A table's full name, which a CTE of the same plain name does not shadow.
    fn qualify(&self, schema: &str, table: &str) -> String {
        format!("{}.{}", self.quote(schema), self.quote(table))
    }

    /// Names as SQL spells them, in a list.
    fn list(&self, names: &[String]) -> String {
        names.iter().map(|name| self.quote(name)).collect::<Vec<_>>().join(", ")
    }

    /// The SELECT as if the clock stood at `moment` (as [`Spelling::moment_sql`] gave it).
    fn as_of(&self, select: &str, moment: &str) -> String {
        let _ = moment;
        select.to_owned()
    }

    /// Whether a tuple of expressions is among the rows of a SELECT that does not depend on them.
    fn among(&self, tuple: &[String], select: &str) -> String {
        match tuple {
            [only] => format!("{only} IN ({select})"),
            _ => format!("({}) IN ({select})", tuple.join(", ")),
        }
    }

    /// A column or expression compared with one value.
    fn is_value(&self, name: &str, value: &str) -> String {
        format!("{name} = {value}")
    }

    /// The constants that a column (or an expression) of that type equals where it has a value that an
    /// [`Engine`](super::Engine) has read as this text. More than one where the text does not tell which it was: all of them
    /// together find the value, and no other that reads the same is told apart from it.
    fn constants(&self, value: &str, column: &Column) -> Vec<String> {
        vec![if column.integer && is_whole(value) { value.to_owned() } else { self.literal(value) }]
    }

    /// Why values of this type, as text that was read, do not find their rows again; with what to do instead. Such a column
    /// cannot be one by which parts of a table are named.
    fn unfit(&self, sql_type: &str) -> Option<&'static str> {
        let _ = sql_type;
        None
    }

    /// By how much of itself a sum of values of this type may be another if it is added up in another order, or stored and
    /// read; `value`: one that was read. None where numbers are exact.
    fn tolerance(&self, sql_type: &str, value: &str) -> Option<f64>;

    /// Whether a collation may soften comparison of this type.
    fn is_text(&self, sql_type: &str) -> bool;

    /// Where texts that differ in trailing blanks only are one value in a column: the type by which they would be two.
    fn with_blanks(&self, column: &Column) -> Option<String> {
        let _ = column;
        None
    }

    /// Whether a column of this type holds dates (or moments) that compare as such with text like 2026-11-22.
    fn is_date(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        lower.starts_with("date") || lower.starts_with("timestamp")
    }

    /// Whether the type holds whole numbers.
    fn is_integer(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["int", "serial"].iter().any(|word| lower.contains(word))
            && !self.is_text(sql_type)
            && !lower.contains("interval")
            && !lower.contains("point")
    }

    /// By what a column equates texts that differ: its collation, or a type of its own. `None`: it compares bytes.
    /// Where that cannot be told, the answer is yes.
    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str>;

    /// An expression that compares as a column does of which [`Spelling::loose`] said `how`.
    fn loosely(&self, expression: &str, how: &str) -> String;

    /// An expression equal for two values exactly when they are the same to the byte.
    fn exact(&self, expression: &str, column: &Column) -> String;

    /// NULL-safe equality, to the byte, of two values of that column's type.
    fn same(&self, left: &str, right: &str, column: &Column) -> String;

    /// The expression as a column of that type would store it, where the engine can say so in a SELECT.
    fn cast(&self, expression: &str, column: &Column) -> String;

    /// One value: the server's clock as seconds since 1970 (UTC).
    fn clock_sql(&self) -> &'static str;

    /// One value: the moment at which the open transaction's clock functions stand, as text to the last digit.
    fn moment_sql(&self) -> &'static str {
        self.clock_sql()
    }

    /// The moment at which a row is written, as a column of type timestamp takes it (UTC).
    fn now(&self) -> &'static str;

    /// A moment (as an expression) some seconds earlier, to compare a column with.
    fn seconds_before(&self, moment: &str, seconds: f64) -> String;
}

/// [`Spelling::tolerance`] of four bytes.
pub(super) const SINGLE: f64 = 1e-6;
/// [`Spelling::tolerance`] of eight bytes.
pub(super) const DOUBLE: f64 = 1e-9;

/// Digits, with a sign or without: as a constant it is a number in any dialect.
pub(super) fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The bytes of a value that was read as hexadecimal digits, since it is no text: `0x00ff`.
pub(super) fn hex_bytes(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x")?;
    (digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

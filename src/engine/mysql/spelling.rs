//! MySQL and MariaDB: names, values and expressions.

use super::MysqlDialect;
use crate::engine::spelling::{DOUBLE, SINGLE, hex, hex_bytes, is_whole};
use crate::engine::{Column, LexRules, Spelling};

impl MysqlDialect {
    /// A hash of text, in hexadecimal. MySQL 9 has no MD5 any more; MariaDB's stays, for what older releases remember by it.
    pub(super) fn digest(&self, text: &str) -> String {
        if self.mariadb { format!("MD5({text})") } else { format!("SHA2({text}, 256)") }
    }

    pub(super) fn schema_or_current(&self, schema: Option<&str>) -> String {
        schema.map_or_else(|| "DATABASE()".to_owned(), |schema| self.literal(schema))
    }
}

impl Spelling for MysqlDialect {
    fn lex_rules(&self) -> LexRules {
        LexRules {
            backslash_escapes: true,
            hash_comments: true,
            dollar_quotes: false,
            double_quoted_strings: true,
        }
    }

    fn nested_with_sees_shadow(&self) -> bool {
        false
    }

    fn quote(&self, ident: &str) -> String {
        format!("`{}`", ident.replace('`', "``"))
    }

    fn too_long(&self, ident: &str) -> Option<String> {
        let length = ident.chars().count();
        (length > 64).then(|| format!("{ident} has {length} characters; names may have 64"))
    }

    fn literal(&self, text: &str) -> String {
        // A backslash means one thing or another by sql_mode, a NUL byte ends some texts; bytes are what they are.
        if text.contains(['\\', '\0']) {
            return format!("_utf8mb4 X'{}'", hex(text.as_bytes()));
        }
        format!("'{}'", text.replace('\'', "''"))
    }

    fn is_value(&self, name: &str, value: &str) -> String {
        // `=` fixes the column, after which MariaDB no longer sees that the index delivers the groups in
        // order and sorts them in a temporary table; a range of one value streams.
        format!("({name} >= {value} AND {name} <= {value})")
    }

    fn constants(&self, value: &str, column: &Column) -> Vec<String> {
        let lower = column.sql_type.to_ascii_lowercase();
        let bytes = |digits: &str| format!("X'{digits}'");
        if is_binary(&lower) {
            let plain = || bytes(&hex(value.as_bytes()));
            return vec![hex_bytes(value).map_or_else(plain, bytes)];
        }
        let number = column.integer && is_whole(value)
            // As a text it would be compared as a DOUBLE, which has but 15 digits.
            || lower.starts_with("decimal") && is_whole(&value.replacen('.', "", 1));
        if number {
            return vec![value.to_owned()];
        }
        // Where no type is known, it may be one that holds bytes.
        let unknown = hex_bytes(value).filter(|_| lower.is_empty()).map(bytes);
        [self.literal(value)].into_iter().chain(unknown).collect()
    }

    fn unfit(&self, sql_type: &str) -> Option<&'static str> {
        let lower = sql_type.to_ascii_lowercase();
        let base = lower.split([' ', '(']).next().unwrap_or_default();
        match base {
            "float" => Some("is shown rounded and never equals what is shown: make it DOUBLE or DECIMAL"),
            "json" => Some("does not equal its own text: take a text out of it, in a generated column"),
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection" => {
                Some("has no value that can be written down: choose another column")
            }
            _ => None,
        }
    }

    fn tolerance(&self, sql_type: &str, _value: &str) -> Option<f64> {
        let lower = sql_type.to_ascii_lowercase();
        match lower.split([' ', '(']).next() {
            Some("float") => Some(SINGLE),
            Some("double") => Some(DOUBLE),
            _ => None,
        }
    }

    fn is_integer(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        let base = lower.split([' ', '(']).next().unwrap_or_default();
        ["tinyint", "smallint", "mediumint", "int", "bigint", "bit"].contains(&base)
    }

    fn is_text(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["char", "text", "enum", "set("].iter().any(|word| lower.contains(word))
    }

    fn with_blanks(&self, column: &Column) -> Option<String> {
        let (base, _) = column.sql_type.split_once(" CHARACTER SET ").filter(|_| column.text)?;
        let (_, collation) = column.sql_type.rsplit_once(" COLLATE ")?;
        let lower = base.to_ascii_lowercase();
        let labels = lower.starts_with("enum(") || lower.starts_with("set(");
        if labels || ["_0900_", "_nopad_"].iter().any(|exact| collation.contains(exact)) {
            return None;
        }
        let binary = collation.ends_with("_bin");
        let exact = match (self.mariadb, binary) {
            (true, true) => "utf8mb4_nopad_bin",
            (true, false) => "utf8mb4_unicode_nopad_ci",
            (false, true) => "utf8mb4_0900_bin",
            (false, false) => "utf8mb4_0900_ai_ci",
        };
        Some(format!("{base} CHARACTER SET utf8mb4 COLLATE {exact}"))
    }

    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str> {
        let lower = column.sql_type.to_ascii_lowercase();
        // The labels of an ENUM are spelled in one way only.
        if !column.text || lower.starts_with("enum(") || lower.starts_with("set(") {
            return None;
        }
        let (_, collation) = column.sql_type.rsplit_once(" COLLATE ")?;
        (!collation.ends_with("_bin")).then_some(collation)
    }

    fn loosely(&self, expression: &str, how: &str) -> String {
        let charset = how.split('_').next().unwrap_or("utf8mb4");
        format!("CONVERT({expression} USING {charset}) COLLATE {how}")
    }

    fn exact(&self, expression: &str, column: &Column) -> String {
        if column.text {
            // The collation may call 'a' and 'A ' equal; bytes in one character set do not lie.
            format!("CAST(CONVERT({expression} USING utf8mb4) AS BINARY)")
        } else {
            expression.to_owned()
        }
    }

    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        if column.text && column.sql_type.ends_with("_bin") {
            // A binary collation only forgives trailing blanks, and this is cheaper than converting.
            format!("({left} <=> {right} AND LENGTH({left}) <=> LENGTH({right}))")
        } else {
            format!("{} <=> {}", self.exact(left, column), self.exact(right, column))
        }
    }

    fn cast(&self, expression: &str, column: &Column) -> String {
        let lower = column.sql_type.to_ascii_lowercase();
        // CAST knows fewer types than CREATE TABLE; text and floats compare as they are. Labels of an ENUM may have
        // the name of a type.
        if lower.starts_with("char(") {
            // Read without the blanks at its end, however it was written.
            format!("TRIM(TRAILING ' ' FROM {expression})")
        } else if column.text {
            expression.to_owned()
        } else if lower.starts_with("timestamp") {
            format!("CAST({expression} AS {})", lower.replacen("timestamp", "DATETIME", 1))
        } else if lower.starts_with("time") {
            format!("CAST({expression} AS {lower})")
        } else if lower.starts_with("decimal") {
            let precise = lower.split(" unsigned").next().unwrap_or(&lower);
            format!("CAST({expression} AS {precise})")
        } else if lower == "date" {
            format!("CAST({expression} AS DATE)")
        } else if lower.starts_with("datetime") {
            format!("CAST({expression} AS {lower})")
        } else if lower.contains("int") && lower.contains("unsigned") {
            format!("CAST({expression} AS UNSIGNED)")
        } else if lower.contains("int") && !lower.contains("point") {
            format!("CAST({expression} AS SIGNED)")
        } else {
            expression.to_owned()
        }
    }

    fn clock_sql(&self) -> &'static str {
        "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) AS CHAR)"
    }

    fn now(&self) -> &'static str {
        "UTC_TIMESTAMP(6)"
    }

    fn seconds_before(&self, moment: &str, seconds: f64) -> String {
        format!("TIMESTAMP({moment}) - INTERVAL {} SECOND", seconds.ceil() as u64)
    }
}

/// Whether a type (in lower case) holds bytes that need not be text.
pub(super) fn is_binary(lower: &str) -> bool {
    let base = lower.split([' ', '(']).next().unwrap_or_default();
    ["binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"].contains(&base)
}

//! PostgreSQL: names, values and expressions, and the settings under which they mean what they say.

use super::PostgresDialect;
use crate::engine::spelling::{DOUBLE, SINGLE};
use crate::engine::watchdog::Limits;
use crate::engine::{Column, LexRules, Spelling};
use crate::sql_text;

impl PostgresDialect {
    /// A column's type without its collation, as CAST wants it.
    pub(super) fn cast_type<'a>(&self, column: &'a Column) -> &'a str {
        column.sql_type.split(" COLLATE ").next().unwrap_or(&column.sql_type)
    }
}

impl Spelling for PostgresDialect {
    fn lex_rules(&self) -> LexRules {
        LexRules {
            backslash_escapes: false,
            hash_comments: false,
            dollar_quotes: true,
            double_quoted_strings: false,
        }
    }

    fn nested_with_sees_shadow(&self) -> bool {
        true
    }

    fn quote(&self, ident: &str) -> String {
        format!("\"{}\"", ident.replace('"', "\"\""))
    }

    fn too_long(&self, ident: &str) -> Option<String> {
        (ident.len() > 63).then(|| format!("{ident} has {} bytes; PostgreSQL cuts names at 63", ident.len()))
    }

    fn literal(&self, text: &str) -> String {
        let quoted = text.replace('\'', "''");
        // With backslashes in a plain literal its end would depend on standard_conforming_strings.
        if text.contains('\\') {
            format!("E'{}'", quoted.replace('\\', "\\\\"))
        } else {
            format!("'{quoted}'")
        }
    }

    fn as_of(&self, select: &str, moment: &str) -> String {
        let at = format!("(pg_catalog.timestamptz {})", self.literal(moment));
        let tokens = sql_text::tokens(select, self.lex_rules());
        let mut out = String::new();
        let mut last = 0;
        for (index, spanned) in tokens.iter().enumerate() {
            let is_call = |words: &[&str]| {
                words.iter().any(|word| spanned.is_word(word))
                    && tokens.get(index + 1).is_some_and(|next| next.is_symbol('('))
                    && tokens.get(index + 2).is_some_and(|next| next.is_symbol(')'))
            };
            let clocks = ["now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"];
            let (text, end) = if is_call(&clocks) {
                (at.clone(), tokens[index + 2].end)
            } else if spanned.is_word("current_timestamp") {
                (at.clone(), spanned.end)
            } else if spanned.is_word("current_date") {
                (format!("({at}::pg_catalog.date)"), spanned.end)
            } else if spanned.is_word("localtimestamp") {
                (format!("({at}::pg_catalog.timestamp)"), spanned.end)
            } else {
                continue;
            };
            out.push_str(&select[last..spanned.start]);
            out.push_str(&text);
            last = end;
        }
        out.push_str(&select[last..]);
        out
    }

    fn among(&self, tuple: &[String], select: &str) -> String {
        match tuple {
            // An array is computed once and reaches the indexes; a subquery does neither.
            [only] => format!("{only} = ANY (ARRAY({select}))"),
            _ => format!("({}) IN ({select})", tuple.join(", ")),
        }
    }

    fn unfit(&self, sql_type: &str) -> Option<&'static str> {
        let lower = sql_type.to_ascii_lowercase();
        let base = lower.trim_end_matches("[]");
        match base {
            "json" => Some("has no equality: make it jsonb, or take a text out of it"),
            "xml" | "point" | "line" | "lseg" | "box" | "path" | "polygon" | "circle" => {
                Some("has no equality by which its values could be found again: choose another column")
            }
            _ => None,
        }
    }

    fn tolerance(&self, sql_type: &str, _value: &str) -> Option<f64> {
        match sql_type {
            "real" => Some(SINGLE),
            "double precision" => Some(DOUBLE),
            _ => None,
        }
    }

    fn is_text(&self, sql_type: &str) -> bool {
        let lower = sql_type.to_ascii_lowercase();
        ["char", "text", "name"].iter().any(|word| lower.contains(word))
    }

    fn loose<'c>(&self, column: &'c Column) -> Option<&'c str> {
        if column.sql_type.to_ascii_lowercase().contains("citext") {
            return Some(&column.sql_type);
        }
        // One that the column names may be non-deterministic; the database's own never is.
        let (_, collation) = column.sql_type.rsplit_once(" COLLATE ")?;
        (!["pg_catalog.\"C\"", "pg_catalog.\"POSIX\""].contains(&collation)).then_some(collation)
    }

    fn loosely(&self, expression: &str, how: &str) -> String {
        if how.to_ascii_lowercase().contains("citext") {
            format!("CAST({expression} AS {how})")
        } else {
            format!("{expression} COLLATE {how}")
        }
    }

    fn exact(&self, expression: &str, column: &Column) -> String {
        if column.text {
            // A non-deterministic collation may call different strings equal; "C" compares bytes.
            format!("({expression})::pg_catalog.text COLLATE pg_catalog.\"C\"")
        } else {
            expression.to_owned()
        }
    }

    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        format!("{} IS NOT DISTINCT FROM {}", self.exact(left, column), self.exact(right, column))
    }

    fn cast(&self, expression: &str, column: &Column) -> String {
        format!("CAST({expression} AS {})", self.cast_type(column))
    }

    fn clock_sql(&self) -> &'static str {
        "SELECT extract(epoch FROM pg_catalog.clock_timestamp())"
    }

    fn moment_sql(&self) -> &'static str {
        "SELECT pg_catalog.now()::pg_catalog.text"
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    fn seconds_before(&self, moment: &str, seconds: f64) -> String {
        format!("CAST({moment} AS pg_catalog.timestamptz) - pg_catalog.interval '{seconds} seconds'")
    }
}

/// Settings by which the same SQL means, finds or spells something else; any role or database may have its own. Not
/// among them: `search_path`, which says where a set's tables are; `lc_monetary`, without which amounts of type money are
/// other amounts; `default_text_search_config`, which no value stands in for.
pub(super) const MEANING: [(&str, &str); 16] = [
    ("timezone", "UTC"),
    ("timezone_abbreviations", "Default"),
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("quote_all_identifiers", "off"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    // Else an index may find any part of the rows.
    ("gin_fuzzy_search_limit", "0"),
];

/// Settings that only matter to a transaction that stays open: nothing ends it while we are there, and something soon after our
/// machine has lost its power or the network.
pub(super) const LONG: [(&str, &str); 6] = [
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("tcp_keepalives_idle", "20"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
];

/// The settings as two statements without rows: each more would cost a part of every round trip. For a transaction they
/// hold; for the session (`limits`: what we keep the time of) where a statement takes nothing along.
pub(super) fn settings_sql(limits: Limits, version: u32, more: &[(&str, &str)], local: bool) -> [String; 2] {
    let lock_timeout = limits.lock.as_millis().to_string();
    let own = [
        ("lock_timeout", lock_timeout.as_str()),
        // Of versions that have it.
        ("transaction_timeout", "0"),
        ("client_connection_check_interval", "500"),
        ("client_min_messages", "warning"),
        ("exit_on_error", "off"),
        // A refresh that may see a part of the rows only must fail.
        ("row_security", "off"),
    ];
    let all = own.iter().filter(|(name, _)| version >= 170_000 || *name != "transaction_timeout");
    let each: Vec<String> = all
        .chain(&MEANING)
        .chain(more)
        .map(|(name, value)| format!("pg_catalog.set_config('{name}', '{value}', {local}) IS NULL"))
        .collect();
    [
        // First: until then the database's own holds, which may be a short one.
        format!(
            "SET {} statement_timeout = {}",
            if local { "LOCAL" } else { "SESSION" },
            limits.statement.as_millis()
        ),
        format!("SELECT 1 WHERE {}", each.join(" OR ")),
    ]
}

/// A type that takes whatever the column may hold after the application has widened it: a note must not fail
/// the application's write.
pub(super) fn note_type(column: &Column) -> String {
    let lower = column.sql_type.to_ascii_lowercase();
    if lower.starts_with("character") || lower.starts_with("varchar") {
        let collation = column.sql_type.find(" COLLATE ").map_or("", |at| &column.sql_type[at..]);
        format!("text{collation}")
    } else if lower.starts_with("numeric") {
        "numeric".to_owned()
    } else if lower == "smallint" || lower == "integer" {
        "bigint".to_owned()
    } else {
        column.sql_type.clone()
    }
}

/// Whether an expression may read a zone's abbreviation. A function that is not the server's own may do anything, and is spelled
/// with its schema. What a virtual column computes depends on no setting.
pub(super) fn may_name_zones(expression: &str) -> bool {
    let lower = expression.to_ascii_lowercase();
    ["zone", "timestamptz", "timetz", "to_timestamp", "."].iter().any(|word| lower.contains(word))
}

/// A setting's value as SET takes it: a list is no string.
pub(super) fn setting(name: &str, value: &str) -> String {
    if name == "datestyle" { value.to_owned() } else { format!("'{value}'") }
}

/// The text between dollar signs, by a tag that it does not hold.
pub(super) fn dollar_quoted(text: &str) -> String {
    let mut tag = "$dashagg$".to_owned();
    let mut count = 1;
    while text.contains(&tag) {
        count += 1;
        tag = format!("$dashagg{count}$");
    }
    format!("{tag}{text}{tag}")
}

/// The name that GRANT and REVOKE take, as an expression in PL/pgSQL: of the `grantee` of the record, a row of
/// `aclexplode`.
pub(super) fn grantee(record: &str) -> String {
    format!(
        "CASE WHEN {record}.grantee = 0::pg_catalog.oid THEN 'PUBLIC' \
         ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid({record}.grantee)::pg_catalog.text) END"
    )
}

#[cfg(test)]
mod tests {
    use super::may_name_zones;

    #[test]
    fn what_reads_abbreviations_of_zones_is_told_from_what_does_not() {
        for reads in
            ["at AT TIME ZONE 'CST'", "CAST(code AS timestamptz)", "mine.day(at)", "timezone('IST', at)"]
        {
            assert!(may_name_zones(reads), "{reads}");
        }
        for other in ["date_trunc('month', at)", "CAST(at AS date)", "at::date", "upper(code)"] {
            assert!(!may_name_zones(other), "{other}");
        }
    }
}

//! The SELECT of a materialized view, out of the script that makes it: it is written once, and there.

use super::lexer::{self, Spanned, Token};
use super::script::Script;
use crate::engine::LexRules;

/// File and SELECT of the last statement `CREATE MATERIALIZED VIEW [IF NOT EXISTS] [schema.]table … AS SELECT`.
pub(super) fn definition(
    scripts: &[Script],
    schema: Option<&str>,
    table: &str,
    rules: LexRules,
) -> Option<(String, String)> {
    let mut found = None;
    for script in scripts {
        for statement in lexer::statements(&script.sql, rules) {
            if let Some(select) = select_of(&statement, schema, table, rules) {
                found = Some((script.file.clone(), select));
            }
        }
    }
    found
}

fn select_of(statement: &str, schema: Option<&str>, table: &str, rules: LexRules) -> Option<String> {
    let tokens = lexer::tokens(statement, rules);
    let words = |at: usize, words: &[&str]| {
        words.iter().enumerate().all(|(n, word)| tokens.get(at + n).is_some_and(|token| token.is_word(word)))
    };
    if !words(0, &["create", "materialized", "view"]) {
        return None;
    }
    let mut at = 3;
    if words(at, &["if", "not", "exists"]) {
        at += 3;
    }
    let name = |at: usize| match tokens.get(at).map(|spanned| &spanned.token) {
        Some(Token::Name { text, .. }) => Some(text.as_str()),
        _ => None,
    };
    let mut named = name(at)?;
    let mut within = None;
    at += 1;
    if tokens.get(at).is_some_and(|token| token.is_symbol('.')) {
        within = Some(named);
        named = name(at + 1)?;
        at += 2;
    }
    if !named.eq_ignore_ascii_case(table)
        || within.is_some_and(|given| schema.is_some_and(|want| want != given))
    {
        return None;
    }
    let body = tokens[at..].iter().position(|token| token.is_word("as"))? + at + 1;
    let end = end_of_select(&tokens);
    let (first, last) = (tokens.get(body)?, tokens.get(end.checked_sub(1)?)?);
    statement.get(first.start..last.end).map(str::to_owned)
}

/// Where WITH [NO] DATA begins, if that ends the statement.
fn end_of_select(tokens: &[Spanned]) -> usize {
    let count = tokens.len();
    let ends = |words: &[&str]| {
        count >= words.len()
            && words.iter().zip(&tokens[count - words.len()..]).all(|(word, token)| token.is_word(word))
    };
    if ends(&["with", "no", "data"]) {
        count - 3
    } else if ends(&["with", "data"]) {
        count - 2
    } else {
        count
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_select_is_cut_out_of_the_last_statement_that_makes_the_view() {
        let sql = "CREATE MATERIALIZED VIEW IF NOT EXISTS s.other AS SELECT 0 WITH NO DATA;\n\
                   create materialized view s.mv (a) as\n  WITH x AS (SELECT 1 AS a) SELECT a -- one\n  FROM x\nWITH NO DATA;\n\
                   CREATE UNIQUE INDEX i ON s.mv (a);";
        let script = Script::parse("f", "0001_views.sql", sql).unwrap();
        let rules = LexRules {
            backslash_escapes: false,
            hash_comments: false,
            dollar_quotes: true,
            double_quoted_strings: false,
        };
        let (file, select) = definition(std::slice::from_ref(&script), Some("s"), "mv", rules).unwrap();
        assert_eq!(file, "0001_views.sql");
        assert_eq!(select, "WITH x AS (SELECT 1 AS a) SELECT a -- one\n  FROM x");
        assert!(definition(&[script], Some("s"), "none", rules).is_none());
    }
}

//! The tables that a SELECT names.

use super::{LexRules, Spanned, Token, tokens};

/// The tables a SELECT names after FROM or JOIN (or a comma in that list): `(schema, name)`; names that
/// the SELECT itself defines by WITH, subqueries and function calls are left out.
pub fn tables_read(sql: &str, rules: LexRules) -> Vec<(Option<String>, String)> {
    let tokens = tokens(sql, rules);
    let defined = defined_by_with(&tokens);
    let mut found = Vec::new();
    // One entry an open bracket: whether we are inside a FROM list there.
    let mut in_from = vec![false];
    let mut expect = false;
    let mut at = 0;
    while at < tokens.len() {
        let spanned = &tokens[at];
        match &spanned.token {
            Token::Symbol('(') => {
                in_from.push(false);
                expect = false;
            }
            Token::Symbol(')') => {
                if in_from.len() > 1 {
                    in_from.pop();
                }
                expect = false;
            }
            Token::Symbol(',') => expect = in_from.last().copied().unwrap_or(false),
            Token::Name { .. } if spanned.is_word("from") || spanned.is_word("join") => {
                // EXTRACT(year FROM x) and SUBSTRING(x FROM 1) have no SELECT in their bracket.
                let compares =
                    at > 1 && tokens[at - 1].is_word("distinct") && !tokens[at - 2].is_word("select");
                let is_clause = !spanned.is_word("from") || (opened_by_select(&tokens[..at]) && !compares);
                if is_clause {
                    if let Some(top) = in_from.last_mut() {
                        *top = true;
                    }
                    expect = true;
                }
            }
            Token::Name { quoted: false, .. }
                if ["where", "group", "having", "order", "limit", "union", "select", "window"]
                    .iter()
                    .any(|w| spanned.is_word(w)) =>
            {
                if let Some(top) = in_from.last_mut() {
                    *top = false;
                }
                expect = false;
            }
            Token::Name { quoted: false, .. }
                if expect && (spanned.is_word("lateral") || spanned.is_word("only")) => {}
            Token::Name { text, .. } if expect => {
                let mut schema = None;
                let mut name = text.clone();
                while tokens.get(at + 1).is_some_and(|t| t.is_symbol('.')) {
                    if let Some(Spanned { token: Token::Name { text, .. }, .. }) = tokens.get(at + 2) {
                        schema = Some(std::mem::replace(&mut name, text.clone()));
                        at += 2;
                    } else {
                        break;
                    }
                }
                let call = tokens.get(at + 1).is_some_and(|t| t.is_symbol('('));
                let local = schema.is_none() && defined.contains(&name.to_ascii_lowercase());
                if !call && !local && !found.contains(&(schema.clone(), name.clone())) {
                    found.push((schema, name));
                }
                expect = false;
            }
            _ => expect = false,
        }
        at += 1;
    }
    found
}

/// The names that WITH defines, in lower case: `name AS (`, `name (a, b) AS (`, `name AS MATERIALIZED (`.
fn defined_by_with(tokens: &[Spanned]) -> Vec<String> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(word));
    let mut defined = Vec::new();
    for (at, spanned) in tokens.iter().enumerate() {
        let Token::Name { text, .. } = &spanned.token else { continue };
        let mut next = at + 1;
        if tokens.get(next).is_some_and(|t| t.is_symbol('(')) {
            // No bracket stands inside a list of columns.
            next += tokens[next..].iter().position(|t| t.is_symbol(')')).unwrap_or(0) + 1;
        }
        if !is(next, "as") {
            continue;
        }
        next += 1 + usize::from(is(next + 1, "not"));
        next += usize::from(is(next, "materialized"));
        if tokens.get(next).is_some_and(|t| t.is_symbol('(')) {
            defined.push(text.to_ascii_lowercase());
        }
    }
    defined
}

/// Whether the innermost open bracket (or the whole text) before this point began with SELECT.
fn opened_by_select(before: &[Spanned]) -> bool {
    let mut closed = 0;
    for (at, spanned) in before.iter().enumerate().rev() {
        if spanned.is_symbol(')') {
            closed += 1;
        } else if spanned.is_symbol('(') {
            if closed == 0 {
                return before.get(at + 1).is_some_and(|t| t.is_word("select") || t.is_word("with"));
            }
            closed -= 1;
        }
    }
    true
}

/// Whether the text has a WITH clause anywhere.
pub fn has_with(sql: &str, rules: LexRules) -> bool {
    let tokens = tokens(sql, rules);
    tokens
        .iter()
        .enumerate()
        .any(|(at, token)| token.is_word("with") && (at == 0 || tokens[at - 1].is_symbol('(')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::sql_text::PLAIN;

    #[test]
    fn finds_the_tables_and_nothing_else() {
        let sql = "WITH x AS (SELECT * FROM raw1) SELECT EXTRACT(year FROM d), 'FROM no' FROM x \
                   JOIN \"weird \"\"name\" w ON w.a = x.a, s.other o WHERE 1 IN (SELECT a FROM raw2) -- FROM nope";
        let names: Vec<String> = tables_read(sql, PLAIN).into_iter().map(|(_, n)| n).collect();
        assert_eq!(names, ["raw1", "weird \"name", "other", "raw2"]);
        assert_eq!(tables_read("SELECT 1 FROM a.b", PLAIN), vec![(Some("a".into()), "b".into())]);
        assert_eq!(tables_read("SELECT * FROM generate_series(1, 2) g", PLAIN), vec![]);
    }

    #[test]
    fn every_form_of_with_defines_a_name() {
        let sql = "WITH RECURSIVE a(i, j) AS (SELECT 1, 2 UNION ALL SELECT i + 1, j FROM a), \
                   b AS MATERIALIZED (SELECT * FROM raw1), c AS NOT MATERIALIZED (SELECT * FROM b) \
                   SELECT COUNT(x) AS n FROM a JOIN b ON a.i = b.i, c, raw2";
        let names: Vec<String> = tables_read(sql, PLAIN).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["raw1", "raw2"]);
    }

    #[test]
    fn is_distinct_from_names_no_table() {
        let sql = "SELECT DISTINCT a FROM raw1 WHERE a IS DISTINCT FROM b AND c IS NOT DISTINCT FROM d";
        let names: Vec<String> = tables_read(sql, PLAIN).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["raw1"]);
    }

    #[test]
    fn a_with_inside_is_seen_and_a_time_zone_is_not_one() {
        assert!(has_with("WITH a AS (SELECT 1) SELECT * FROM a", PLAIN));
        assert!(has_with("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) q", PLAIN));
        assert!(!has_with("SELECT CAST(a AS TIMESTAMP WITH TIME ZONE) FROM t", PLAIN));
    }
}

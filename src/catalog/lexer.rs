//! Just enough of SQL's surface to cut a script into statements and to see which tables a SELECT names:
//! strings, comments, quoted names and brackets. Not a parser; it knows no grammar.

use crate::engine::LexRules;

/// A piece of SQL that matters to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A name.
    Name {
        /// Without its quotes.
        text: String,
        /// It had quotes.
        quoted: bool,
    },
    /// One character of punctuation.
    Symbol(char),
    /// A string or number; its value never matters.
    Literal,
}

/// A token and where it ends, in bytes.
#[derive(Debug, Clone)]
pub struct Spanned {
    /// The token.
    pub token: Token,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Spanned {
    /// Whether this is the bare word, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Name { text, quoted: false } if text.eq_ignore_ascii_case(word))
    }

    /// Whether this is the symbol.
    pub fn is_symbol(&self, symbol: char) -> bool {
        self.token == Token::Symbol(symbol)
    }
}

/// All tokens of a text; comments and white space are left out.
pub fn tokens(sql: &str, rules: LexRules) -> Vec<Spanned> {
    let mut lexer = Lexer { sql, at: 0, rules };
    std::iter::from_fn(|| lexer.next()).collect()
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    rules: LexRules,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.sql[self.at..]
    }

    fn skip_past(&mut self, end: &str) {
        self.at = self.rest().find(end).map_or(self.sql.len(), |found| self.at + found + end.len());
    }

    fn next(&mut self) -> Option<Spanned> {
        loop {
            let first = self.rest().chars().next()?;
            if first.is_whitespace() {
                self.at += first.len_utf8();
            } else if self.rest().starts_with("--") || (first == '#' && self.rules.hash_comments) {
                self.skip_past("\n");
            } else if self.rest().starts_with("/*") {
                self.at += 2;
                self.skip_past("*/");
            } else {
                break;
            }
        }
        let start = self.at;
        let first = self.rest().chars().next()?;
        let token = match first {
            '\'' => {
                self.quoted('\'', self.rules.backslash_escapes);
                Token::Literal
            }
            '"' if self.rules.double_quoted_strings => {
                self.quoted('"', self.rules.backslash_escapes);
                Token::Literal
            }
            '"' | '`' => {
                let text = self.quoted(first, false);
                Token::Name { text, quoted: true }
            }
            '$' if self.rules.dollar_quotes && self.dollar_tag().is_some() => {
                let tag = self.dollar_tag().unwrap_or_default();
                self.at += tag.len();
                self.skip_past(&tag);
                Token::Literal
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = self
                    .rest()
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                    .unwrap_or(self.rest().len());
                let text = self.rest()[..length].to_owned();
                self.at += length;
                Token::Name { text, quoted: false }
            }
            c if c.is_ascii_digit() => {
                let length = self
                    .rest()
                    .find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'))
                    .unwrap_or(self.rest().len());
                self.at += length;
                Token::Literal
            }
            c => {
                self.at += c.len_utf8();
                Token::Symbol(c)
            }
        };
        Some(Spanned { token, start, end: self.at })
    }

    /// Reads a quoted text whose quote is doubled to stand for itself; returns what is inside.
    fn quoted(&mut self, quote: char, backslash: bool) -> String {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        let mut end = self.rest().len();
        while let Some((at, c)) = chars.next() {
            if c == '\\' && backslash {
                chars.next();
            } else if c == quote {
                if chars.peek().is_some_and(|(_, following)| *following == quote) {
                    chars.next();
                    text.push(quote);
                } else {
                    end = at + c.len_utf8();
                    break;
                }
            } else {
                text.push(c);
            }
        }
        self.at += end;
        text
    }

    /// `$tag$` at this place, if it is one.
    fn dollar_tag(&self) -> Option<String> {
        let inner = &self.rest()[1..];
        let close = inner.find('$')?;
        inner[..close]
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_')
            .then(|| format!("${}$", &inner[..close]))
    }
}

/// Cuts a script at the semicolons that end statements, not at those inside a trigger's or routine's
/// `BEGIN … END`. Statements come without their semicolon; empty ones are left out.
pub fn statements(sql: &str, rules: LexRules) -> Vec<String> {
    let mut out = Vec::new();
    let mut start: Option<usize> = None;
    let mut end = 0;
    let mut words = 0;
    let mut routine = false;
    let mut depth = 0i32;
    let mut previous_end = false;
    for spanned in tokens(sql, rules) {
        if start.is_none() {
            start = Some(spanned.start);
            words = 0;
            routine = false;
            depth = 0;
        }
        if let Token::Name { quoted: false, .. } = spanned.token {
            words += 1;
            // CREATE [OR REPLACE] [DEFINER = x] TRIGGER|PROCEDURE|FUNCTION|EVENT
            if words <= 8 && ["trigger", "procedure", "function", "event"].iter().any(|w| spanned.is_word(w))
            {
                routine = true;
            }
            if routine {
                if previous_end && ["if", "loop", "while", "repeat"].iter().any(|w| spanned.is_word(w)) {
                    // `END IF` closed what `IF` never opened here.
                    depth += 1;
                }
                if spanned.is_word("begin") || spanned.is_word("case") {
                    depth += 1;
                } else if spanned.is_word("end") {
                    depth -= 1;
                }
            }
        }
        previous_end = spanned.is_word("end");
        if spanned.is_symbol(';') && depth <= 0 {
            if let Some(from) = start.take()
                && end > from
            {
                out.push(sql[from..end].to_owned());
            }
        } else {
            end = spanned.end;
        }
    }
    if let Some(from) = start
        && end > from
    {
        out.push(sql[from..end].to_owned());
    }
    out
}

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

/// The SELECT's text without trailing semicolons and blank space.
pub fn without_semicolon(sql: &str, rules: LexRules) -> Option<String> {
    let mut all = statements(sql, rules);
    if all.len() == 1 { all.pop() } else { None }
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

    const PLAIN: LexRules = LexRules {
        backslash_escapes: false,
        hash_comments: false,
        dollar_quotes: true,
        double_quoted_strings: false,
    };

    #[test]
    fn splits_at_semicolons_outside_strings_comments_and_bodies() {
        let sql = "CREATE TABLE a (b TEXT DEFAULT ';'); -- c; d\n/* ; */ CREATE TRIGGER t AFTER INSERT ON a \
                   BEGIN INSERT INTO x VALUES (CASE WHEN 1 THEN 2 END); DELETE FROM y; END;\
                   CREATE FUNCTION f() RETURNS int AS $$ BEGIN; END $$ LANGUAGE plpgsql;\nSELECT 1";
        let parts = statements(sql, PLAIN);
        assert_eq!(parts.len(), 4, "{parts:#?}");
        assert!(parts[1].starts_with("CREATE TRIGGER") && parts[1].ends_with("END"));
        assert_eq!(parts[3], "SELECT 1");
    }

    #[test]
    fn procedures_with_end_if_stay_whole() {
        let sql = "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; SELECT 2; END; SELECT 3";
        assert_eq!(statements(sql, PLAIN).len(), 2);
    }

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

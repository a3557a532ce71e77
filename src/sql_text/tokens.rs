//! SQL as tokens.

use super::LexRules;

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

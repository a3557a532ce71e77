//! Just enough of SQL's surface to cut a script into statements and to see which tables a SELECT names:
//! strings, comments, quoted names and brackets. Not a parser; it knows no grammar.

mod scripts;
mod tables;
mod tokens;

pub use scripts::{statements, without_semicolon};
pub use tables::{has_with, tables_read};
pub use tokens::{Spanned, Token, tokens};

/// How an engine's SQL is cut into tokens, for splitting scripts and finding the tables a SELECT reads.
#[derive(Debug, Clone, Copy)]
pub struct LexRules {
    /// `'it\'s'` is one string.
    pub backslash_escapes: bool,
    /// `# …` is a comment.
    pub hash_comments: bool,
    /// `$tag$ … $tag$` is a string.
    pub dollar_quotes: bool,
    /// `"…"` is a string, not a name.
    pub double_quoted_strings: bool,
}

#[cfg(test)]
const PLAIN: LexRules = LexRules {
    backslash_escapes: false,
    hash_comments: false,
    dollar_quotes: true,
    double_quoted_strings: false,
};

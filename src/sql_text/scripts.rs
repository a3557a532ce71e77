//! Cutting a script into statements.

use super::{LexRules, Token, tokens};

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

/// The SELECT's text without trailing semicolons and blank space.
pub fn without_semicolon(sql: &str, rules: LexRules) -> Option<String> {
    let mut all = statements(sql, rules);
    if all.len() == 1 { all.pop() } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::sql_text::PLAIN;

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
}

//! SQL in lines that can be read: one clause a line, indented by brackets and by the blocks of triggers and functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// Longest line, where SQL lets it be cut; a longer bracket has a line for each of its clauses.
const WIDTH: usize = 120;

/// What begins a line of its own.
const CLAUSES: [&str; 24] = [
    "FROM",
    "WHERE",
    "JOIN",
    "LEFT",
    "FULL",
    "CROSS",
    "STRAIGHT_JOIN",
    "GROUP",
    "HAVING",
    "ORDER",
    "UNION",
    "SELECT",
    "VALUES",
    "INSERT",
    "DELETE",
    "RETURNING",
    "DECLARE",
    "ELSE",
    "ELSIF",
    "END",
    "EXCEPTION",
    "RETURN",
    "EXECUTE",
    "PERFORM",
];
/// After which a block's statements begin.
const OPENS: [&str; 4] = ["BEGIN", "THEN", "LOOP", "ELSE"];
/// Before which a block's statements have ended.
const CLOSES: [&str; 4] = ["ELSE", "ELSIF", "END", "EXCEPTION"];
/// After which a clause's word is none.
const NO_CLAUSE_AFTER: [&str; 8] = ["LEFT", "FULL", "CROSS", "AFTER", "BEFORE", "DISTINCT", "PRIMARY", "ON"];

/// A text as it is where its lines are short, and in lines of clauses where they are not.
pub fn laid_out(sql: &str) -> String {
    let lines =
        sql.lines().map(|line| if line.chars().count() > WIDTH { clauses(line) } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between two blanks that are not inside of quotes.
struct Piece<'a> {
    text: &'a str,
    word: &'a str,
    /// Brackets that it opens, less those that it closes.
    depth: i32,
    /// Length of the innermost bracket that it is in; none outside of brackets.
    bracket: Option<usize>,
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut out: Vec<Piece<'_>> = Vec::new();
    // Of each bracket where it begins and how long it is; of each piece the innermost one.
    let mut brackets: Vec<(usize, usize)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut inside: Vec<Option<usize>> = Vec::new();
    let mut quote = None;
    let (mut start, mut depth) = (0, 0);
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (quote, c) {
            (Some(opened), _) if c == opened => quote = None,
            (Some(_), _) if at < line.len() => {}
            (_, ' ') => {
                let text = &line[start..at];
                let bare = text.trim_start_matches('(');
                let end = bare.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(bare.len());
                if !text.is_empty() {
                    out.push(Piece { text, word: &bare[..end], depth, bracket: None });
                    inside.push(open.last().copied());
                }
                (start, depth) = (at + 1, 0);
            }
            (_, '\'' | '"' | '`') => quote = Some(c),
            (_, '(') => {
                depth += 1;
                open.push(brackets.len());
                brackets.push((at, line.len() - at));
            }
            (_, ')') => {
                depth -= 1;
                if let Some(closed) = open.pop() {
                    brackets[closed].1 = at - brackets[closed].0;
                }
            }
            _ => {}
        }
    }
    for (piece, inside) in out.iter_mut().zip(inside) {
        piece.bracket = inside.map(|at| brackets[at].1);
    }
    out
}

fn clauses(line: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    let (mut brackets, mut blocks, mut cases) = (0i32, 0i32, 0i32);
    let (mut breaks, mut block_ends) = (false, false);
    // The body of a function is a text between dollar signs, which may itself be in brackets.
    let (mut bodies, mut body): (Vec<(&str, i32)>, i32) = (Vec::new(), 0);
    let mut previous = "";
    for piece in pieces(line) {
        let is_block = cases == 0 && brackets == body;
        let clause = CLAUSES.contains(&piece.word)
            && !piece.text.starts_with('(')
            && !NO_CLAUSE_AFTER.contains(&previous)
            && piece.bracket.is_none_or(|length| length > WIDTH)
            && (is_block || !CLOSES.contains(&piece.word));
        if CLOSES.contains(&piece.word) && is_block {
            blocks -= 1;
        }
        let too_long = current.chars().count() + piece.text.chars().count() + 1 > WIDTH;
        if !current.is_empty() && (breaks || clause || too_long) {
            lines.push(std::mem::take(&mut current));
        }
        if current.is_empty() {
            let continues = i32::from(!lines.is_empty() && !clause && !breaks) * 2;
            current = "  ".repeat((blocks + brackets + continues).max(0) as usize);
        } else {
            current.push(' ');
        }
        current.push_str(piece.text);
        // `LOOP` of `END LOOP`, but not behind the END of a CASE.
        let opens = OPENS.contains(&piece.word) && is_block && !block_ends;
        blocks += i32::from(opens);
        block_ends = piece.word == "END" && is_block;
        cases += i32::from(piece.word == "CASE") - i32::from(piece.word == "END" && cases > 0);
        brackets += piece.depth;
        for tag in piece.text.split('$').skip(1).filter(|tag| tag.starts_with("dashagg")) {
            match bodies.pop_if(|(open, _)| *open == tag) {
                Some((_, outer)) => body = outer,
                None => {
                    bodies.push((tag, body));
                    body = brackets;
                }
            }
        }
        breaks = opens || (piece.text.ends_with(';') && brackets <= body);
        previous = piece.word;
    }
    lines.push(current);
    lines.join("\n")
}

//! Text that is not ours, safe on a terminal: names, values and messages come from tables, servers and other programs,
//! and a terminal obeys what it is sent. Each way out escapes once: reports and errors by [`Safe`], the log by
//! [`log_field`].

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::io::{self, IsTerminal, StdoutLock, Write};

use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

/// A character that commands a terminal, or changes the order in which the others are shown.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with such characters as `\u{1b}`, line breaks and tabs among them.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
        push(&mut out, c, false);
        out
    }))
}

fn push(out: &mut String, c: char, json: bool) {
    if !is_unsafe(c) {
        out.push(c);
    } else if json {
        // All of them are in the basic plane, and in JSON they occur inside of strings only.
        out.push_str(&format!("\\u{:04x}", u32::from(c)));
    } else {
        out.extend(c.escape_default());
    }
}

/// A writer that lets line breaks and tabs through and escapes the rest. Pieces of text must come whole, as `write!`
/// gives them.
pub struct Safe<W> {
    inner: W,
    json: bool,
    /// Colours of tables may pass.
    colour: bool,
    /// Everything may pass.
    raw: bool,
}

impl<W: Write> Safe<W> {
    /// For text, or for JSON, whose own escapes are used then.
    pub fn new(inner: W, json: bool) -> Self {
        Self { inner, json, colour: false, raw: false }
    }

    /// Lets commands that choose a colour pass, and no others.
    #[must_use]
    pub fn with_colour(mut self, colour: bool) -> Self {
        self.colour = colour;
        self
    }

    fn safe(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let colour = if self.colour { colour_length(rest) } else { 0 };
            if colour > 0 {
                out.push_str(&rest[..colour]);
                rest = &rest[colour..];
                continue;
            }
            match c {
                '\n' | '\t' => out.push(c),
                '\r' if rest.starts_with("\r\n") => out.push(c),
                _ => push(&mut out, c, self.json),
            }
            rest = &rest[c.len_utf8()..];
        }
        out
    }
}

impl Safe<StdoutLock<'static>> {
    /// Standard output. `script`: what is written is for another program to run, so it stays as it is unless it is a
    /// terminal that gets it.
    #[must_use]
    pub fn stdout(json: bool, script: bool) -> Self {
        let inner = io::stdout().lock();
        let raw = script && !inner.is_terminal();
        Self { inner, json, colour: !json && crate::terminal::colour_on_stdout(), raw }
    }
}

impl<W: Write> Write for Safe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.raw {
            self.inner.write_all(bytes)?;
        } else {
            self.inner.write_all(self.safe(&String::from_utf8_lossy(bytes)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes of the colour command with which the text begins (`ESC [ 38 ; 5 ; 9 m`); 0 if it is any other.
fn colour_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\x1b[") else { return 0 };
    let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if rest[digits..].starts_with('m') { digits + 3 } else { 0 }
}

/// Writes one field of a log line. Line breaks are kept, because a long statement reads better so, but what follows is
/// indented: no text can pass for a line of the log.
///
/// # Errors
/// Those of the writer.
pub fn log_field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = match field.name() {
        "message" => format!("{value:?}"),
        name if name.starts_with("log.") => return Ok(()),
        name => format!("{name}={value:?}"),
    };
    for (at, line) in text.lines().enumerate() {
        let indent = if at > 0 { "\n    " } else { "" };
        let clean: String = line.split('\t').map(escaped).collect::<Vec<_>>().join("\t");
        write!(out, "{indent}{clean}")?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[2Jb\x07c\rd\u{9b}2Je\u{202e}f\u{2066}g\x7f\x1b[31mh";
    const HARMLESS: &str = "a\\u{1b}[2Jb\\u{7}c\\rd\\u{9b}2Je\\u{202e}f\\u{2066}g\\u{7f}\\u{1b}[31mh";

    fn written(colour: bool, json: bool, text: &str) -> String {
        let mut bytes = Vec::new();
        let mut safe = Safe { inner: &mut bytes, json, colour, raw: false };
        write!(safe, "{text}").unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn nothing_that_commands_a_terminal_passes() {
        assert_eq!(escaped(HOSTILE), HARMLESS);
        assert_eq!(written(false, false, HOSTILE), HARMLESS);
        assert_eq!(escaped("a\tb\nc"), "a\\tb\\nc");
        assert_eq!(written(false, false, "a\tb\nc\r\nß – 東 مرحبا"), "a\tb\nc\r\nß – 東 مرحبا");
        // Colours are the only command, and only where there are colours.
        assert_eq!(written(true, false, "\x1b[38;5;9mred\x1b[39m"), "\x1b[38;5;9mred\x1b[39m");
        for other in ["\x1b[2J", "\x1b]0;title\x07", "\x1b[31", "\x1b", "\x1b[31;"] {
            assert!(!written(true, false, other).contains('\x1b'), "{other:?}");
        }
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "key": HOSTILE });
        let text = written(false, true, &value.to_string());
        assert!(!text.chars().any(is_unsafe), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}

//! The JSON of the contract (`--json`): fields are only ever added.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{RefreshReport, StatusReport, VerifyReport};
use crate::error::one_line;
use crate::exit_code::ExitCode;
use crate::words::safe::Safe;

/// Version of the JSON contract; the first field of every object printed.
pub const SCHEMA: u32 = 1;

/// A row's key: columns and values (as text, `None` is NULL) in the order of the key.
/// In JSON an object in that order, which is why it is no map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(pub Vec<(String, Option<String>)>);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in &self.0 {
            map.serialize_entry(column, value)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Envelope<'a, T> {
    schema: u32,
    #[serde(flatten)]
    report: &'a T,
}

fn write<T: Serialize>(out: &mut dyn Write, report: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Envelope { schema: SCHEMA, report })?;
    writeln!(out)?;
    out.flush()
}

pub(super) fn refresh(report: &RefreshReport, out: &mut dyn Write) -> io::Result<()> {
    write(out, report)
}

pub(super) fn status(report: &StatusReport, out: &mut dyn Write) -> io::Result<()> {
    write(out, report)
}

pub(super) fn verify(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    write(out, report)
}

/// Prints an error, for stderr: `{"schema":1,"error":{"code","message","hint"}}` or two lines of text.
///
/// # Errors
/// Those of the writer.
pub fn write_error(
    json: bool,
    code: ExitCode,
    message: &str,
    hint: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let out: &mut dyn Write = &mut Safe::new(out, json);
    if json {
        let error = serde_json::json!({ "error": { "code": code.code(), "message": message, "hint": hint } });
        return write(out, &error);
    }
    writeln!(out, "dashagg: {}", one_line(message))?;
    if let Some(hint) = hint {
        writeln!(out, "  hint: {}", one_line(hint))?;
    }
    out.flush()
}

//! What may be shown where.

use std::io::{self, IsTerminal};

/// Whether stdout should be coloured: it is a terminal and `NO_COLOR` is unset or empty.
#[must_use]
pub fn colour_on_stdout() -> bool {
    io::stdout().is_terminal() && colour_allowed()
}

/// Whether the user allows colour at all (`NO_COLOR`, `TERM=dumb`).
#[must_use]
pub fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

//! One error type for everything that has a documented exit code or advice for the reader.
//! All other errors travel as plain [`anyhow::Error`] and exit 1.

use std::fmt;

use crate::exit_code::ExitCode;

/// An error that knows its exit code and, where there is one, the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code of the process, should this error end it.
    pub code: ExitCode,
    /// What went wrong: one line, naming the object.
    pub message: String,
    /// What the reader can do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// An error with the given exit code and no hint.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// An error of usage, configuration or manifest: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// The same error with advice for the reader.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Exit code, full message and hint of any error; [`ExitCode::Failed`] unless a `Failure` is in its chain.
    ///
    /// The message joins all causes with `": "`, leaving out a cause whose text is already there:
    /// drivers like to repeat their source in their own message.
    #[must_use]
    pub fn of(err: &anyhow::Error) -> (ExitCode, String, Option<String>) {
        let mut message = String::new();
        for cause in err.chain() {
            let text = one_line(&cause.to_string());
            if message.is_empty() {
                message = text;
            } else if !text.is_empty() && !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
        }
        // A Failure added by `.context()` is hidden from the chain's downcast; one that is a source is hidden from anyhow's.
        let failure =
            err.downcast_ref::<Self>().or_else(|| err.chain().find_map(|cause| cause.downcast_ref::<Self>()));
        match failure {
            Some(failure) => (failure.code, message, failure.hint.clone()),
            None => (ExitCode::Failed, message, None),
        }
    }
}

/// The text with line breaks and what surrounds them as one blank: servers quote the SQL that they refuse, over several
/// lines, and a mail from cron or a log has one line for it.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn code_and_hint_survive_context_on_either_side() {
        let below = anyhow::Error::new(Failure::usage("no such set").hint("see status")).context("refresh");
        assert_eq!(
            Failure::of(&below),
            (ExitCode::Usage, "refresh: no such set".to_owned(), Some("see status".to_owned()))
        );

        let above = Err::<(), _>(anyhow!("socket closed"))
            .context(Failure::new(ExitCode::Locked, "locked"))
            .context("refresh")
            .unwrap_err();
        assert_eq!(
            Failure::of(&above),
            (ExitCode::Locked, "refresh: locked: socket closed".to_owned(), None)
        );
    }

    #[test]
    fn a_message_is_one_line() {
        let err = anyhow!("syntax error near 'BY day\n) d\r\n  WHERE'").context("days.sql");
        assert_eq!(Failure::of(&err).1, "days.sql: syntax error near 'BY day ) d WHERE'");
    }

    #[test]
    fn repeated_causes_are_told_once() {
        let err = anyhow!("connection refused").context("connect: connection refused");
        assert_eq!(Failure::of(&err), (ExitCode::Failed, "connect: connection refused".to_owned(), None));
    }
}

//! Passwords, and the three ways to fetch one that leave no trace.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer, Error};

use crate::error::Failure;

/// A text that must not appear in output, logs or errors: `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the database driver only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through `Value`, because serde's own "invalid type: integer `1234`" would print the password.
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("expected a text in quotes")),
        }
    }
}

/// First line of the file.
///
/// # Errors
/// A usage failure if the file cannot be read, is not UTF-8, or its first line is empty.
pub(super) fn from_file(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display();
    let mut line = String::new();
    std::fs::File::open(path)
        .and_then(|file| BufReader::new(file).read_line(&mut line))
        .map_err(|err| {
            Failure::usage(format!("cannot read the password file {shown}: {err}"))
                .hint("password_file must name a UTF-8 file that this user can read, with the password on its first line")
        })?;
    first_line(&line)
        .ok_or_else(|| Failure::usage(format!("the first line of the password file {shown} is empty")))
}

/// First line of what `sh -c command` prints, within `limit`.
///
/// The command's output goes nowhere else, its stderr included: tools may print the secret there.
///
/// # Errors
/// A usage failure if the command cannot start, fails, prints nothing, or is not done within the limit.
pub(super) fn from_command(command: &str, limit: Duration) -> Result<Secret, Failure> {
    let fail = |what: String| {
        Failure::usage(what).hint("run the password_command by hand to see why; dashagg hides its output")
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|err| fail(format!("cannot start the password_command: {err}")))?;

    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            let read = reader.by_ref().take(64 * 1024).read_line(&mut line).map(|_| line);
            // The receiver is gone only after the time limit.
            let _ = sender.send(read);
            // Closing early would kill a talkative command with SIGPIPE.
            let _ = io::copy(&mut reader, &mut io::sink());
        });
    }

    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                // It may have ended by itself in between; either way it is out of time.
                let _ = child.kill();
                let _ = child.wait();
                return Err(fail(format!(
                    "the password_command was not done within {}",
                    humantime::format_duration(limit)
                )));
            }
            Err(err) => return Err(fail(format!("cannot wait for the password_command: {err}"))),
        }
    };
    if !status.success() {
        return Err(fail(format!("the password_command failed ({status})")));
    }
    let left = deadline.saturating_duration_since(Instant::now());
    match receiver.recv_timeout(left) {
        Ok(Ok(line)) => first_line(&line)
            .ok_or_else(|| fail("the password_command printed no password on its first line".to_owned())),
        Ok(Err(_)) => Err(fail("the password_command printed something that is not UTF-8".to_owned())),
        Err(_) => Err(fail(format!(
            "the password_command was not done within {}",
            humantime::format_duration(limit)
        ))),
    }
}

fn first_line(text: &str) -> Option<Secret> {
    let line = text.lines().next().unwrap_or_default();
    (!line.is_empty()).then(|| Secret::new(line))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn prints_as_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }

    #[test]
    fn first_line_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "hunter 2 \r\nsecond\n").unwrap();
        assert_eq!(from_file(&path).unwrap().expose(), "hunter 2 ");
        std::fs::write(&path, "\nsecond\n").unwrap();
        assert!(from_file(&path).unwrap_err().message.contains("is empty"));
        assert!(from_file(&dir.path().join("none")).unwrap_err().message.contains("none: No such file"));
    }

    #[test]
    fn first_line_of_a_command() {
        assert_eq!(from_command("printf 'hunter2\\nmore\\n'", LIMIT).unwrap().expose(), "hunter2");
        assert_eq!(
            from_command("echo hunter2; head -c 300000 /dev/zero", LIMIT).unwrap().expose(),
            "hunter2"
        );

        let failed = from_command("echo hunter2; echo hunter2 >&2; exit 7", LIMIT).unwrap_err();
        assert_eq!(failed.message, "the password_command failed (exit status: 7)");
        assert!(from_command("true", LIMIT).unwrap_err().message.contains("no password"));

        let late = from_command("exec sleep 60", Duration::from_millis(50)).unwrap_err();
        assert_eq!(late.message, "the password_command was not done within 50ms");
    }
}

//! Passwords, and the three ways to fetch one that leave no trace.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer, Error};

use super::env::secret_variables;
use super::file::DatabaseSection;
use super::trust;
use crate::error::Failure;

/// How long a password_command may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a password_file that is no regular file may take to say something.
const FILE_LIMIT: Duration = Duration::from_secs(10);
/// Longer than any password.
const MOST_BYTES: u64 = 64 * 1024;

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

/// The password, from the first place that has one; `in_url` is the URL's own, and whether that URL is the file's.
///
/// # Errors
/// Two at one level; one that cannot be fetched.
pub(super) fn find(
    db: &DatabaseSection,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    (in_url, url_from_file): (Option<Secret>, bool),
    warnings: &mut Vec<String>,
) -> Result<Option<Secret>, Failure> {
    match (env("DASHAGG_PASSWORD"), env("DASHAGG_PASSWORD_FILE")) {
        (Some(_), Some(_)) => {
            return Err(Failure::usage("both DASHAGG_PASSWORD and DASHAGG_PASSWORD_FILE are set")
                .hint("unset one of them"));
        }
        (Some(text), None) => return Ok(Some(Secret::new(text))),
        (None, Some(path)) => return from_file(Path::new(&path), warnings).map(Some),
        (None, None) => {}
    }
    if in_url.is_some() && !url_from_file {
        return Ok(in_url);
    }
    let text = non_empty(db.password.as_ref());
    let path = db.password_file.as_ref().filter(|path| !path.as_os_str().is_empty());
    let command = non_empty(db.password_command.as_ref());
    match (text, path, command) {
        (None, None, None) => Ok(in_url),
        (Some(text), None, None) => Ok(Some(text.clone())),
        (None, Some(path), None) => from_file(&folder.join(path), warnings).map(Some),
        (None, None, Some(command)) => from_command(command.expose(), LIMIT).map(Some),
        _ => Err(Failure::usage("the configuration gives more than one password")
            .hint("keep one of password, password_file and password_command")),
    }
}

/// The text, unless it is empty: that means the same as none.
pub(super) fn non_empty(text: Option<&Secret>) -> Option<&Secret> {
    text.filter(|text| !text.expose().is_empty())
}

/// Whether anybody but the owner may read the file.
pub(super) fn others_can_read(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

/// First line of the file, with a warning if others can read it. It may be a FIFO or `/dev/stdin`, which is waited for.
///
/// # Errors
/// A usage failure if the file cannot be read, is not UTF-8, or its first line is empty or not there in time.
pub(super) fn from_file(path: &Path, warnings: &mut Vec<String>) -> Result<Secret, Failure> {
    let shown = path.display();
    let fail = |what: String| {
        Failure::usage(format!("cannot read the password file {shown}: {what}")).hint(
            "password_file must name a UTF-8 file that this user can read, with the password on its first line",
        )
    };
    if std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && trust::others_can_read(&meta)) {
        warnings.push(format!("other users can read the password file {shown}: run `chmod 600 {shown}`"));
    }
    let (sender, receiver) = mpsc::channel();
    let own = path.to_owned();
    // Opening a FIFO that nobody writes to waits for ever, and so does reading a terminal: not in this thread.
    thread::spawn(move || {
        let mut line = String::new();
        let read = std::fs::File::open(own)
            .and_then(|file| BufReader::new(file.take(MOST_BYTES)).read_line(&mut line))
            .map(|_| line);
        // The receiver is gone only after the time limit.
        let _ = sender.send(read);
    });
    let line = match receiver.recv_timeout(FILE_LIMIT) {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(fail(error.to_string())),
        Err(_) => {
            return Err(fail(format!("nothing came within {}", humantime::format_duration(FILE_LIMIT))));
        }
    };
    if line.len() as u64 == MOST_BYTES {
        return Err(fail(format!("its first line is longer than {} KiB", MOST_BYTES / 1024)));
    }
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
    let mut shell = Command::new("sh");
    for name in secret_variables() {
        shell.env_remove(name);
    }
    let mut child = shell
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
            let read = reader.by_ref().take(MOST_BYTES).read_line(&mut line).map(|_| line);
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
        let read = |path: &Path| from_file(path, &mut Vec::new());
        assert_eq!(read(&path).unwrap().expose(), "hunter 2 ");
        std::fs::write(&path, "\nsecond\n").unwrap();
        assert!(read(&path).unwrap_err().message.contains("is empty"));
        assert!(read(&dir.path().join("none")).unwrap_err().message.contains("none: No such file"));
        assert!(read(Path::new("/dev/zero")).unwrap_err().message.contains("longer than 64 KiB"));
        assert!(read(dir.path()).unwrap_err().message.contains("directory"));

        let mut warnings = Vec::new();
        std::fs::write(&path, "hunter2\n").unwrap();
        for (mode, warned) in [(0o600, 0), (0o400, 0), (0o644, 1), (0o604, 2)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            from_file(&path, &mut warnings).unwrap();
            assert_eq!(warnings.len(), warned, "{mode:o}: {warnings:?}");
        }
        assert!(warnings[0].contains(&format!("chmod 600 {}", path.display())), "{warnings:?}");
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

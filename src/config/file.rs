//! `config.toml`, word for word: its keys, its defaults and its errors.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::hooks::HookSection;
use super::span::Span;
use super::{Secret, TlsMode};
use crate::error::Failure;
use crate::renamed;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub database: DatabaseSection,
    pub run: RunSection,
    pub log: LogSection,
    pub hooks: Vec<HookSection>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DatabaseSection {
    // A Secret, because it may hold a password and this struct derives Debug.
    pub url: Option<Secret>,
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    pub password_command: Option<Secret>,
    pub tls: Option<TlsMode>,
    pub tls_ca: Option<PathBuf>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub connect_timeout: Span,
    pub statement_timeout: Span,
    pub lock_timeout: Span,
    pub network_timeout: Span,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self {
            url: None,
            password: None,
            password_file: None,
            password_command: None,
            tls: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            connect_timeout: Span(Duration::from_secs(10)),
            statement_timeout: Span(Duration::ZERO),
            lock_timeout: Span(Duration::from_secs(5)),
            network_timeout: Span(Duration::from_secs(30)),
        }
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunSection {
    pub sql_dir: Option<PathBuf>,
    pub jobs: u16,
    pub wait: Span,
    pub retries: u32,
    pub reconnect: Span,
    pub max_shrink: f64,
}

impl Default for RunSection {
    fn default() -> Self {
        Self {
            sql_dir: None,
            jobs: 0,
            wait: Span(Duration::ZERO),
            retries: 5,
            reconnect: Span(Duration::from_secs(60)),
            max_shrink: 0.2,
        }
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogSection {
    pub level: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info".to_owned() }
    }
}

/// # Errors
/// A usage failure with file, line, column and key, and never the line itself: it may hold a password.
pub(super) fn parse(text: &str, path: &Path) -> Result<File, Failure> {
    toml::from_str(text).map_err(|err| {
        let offset = err.span().map_or(0, |span| span.start);
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let key = key_at(before, text.get(offset..).unwrap_or_default())
            .map(|key| format!("{key}: "))
            .unwrap_or_default();
        // The parser's message may go on over several lines.
        let message = err.message().lines().collect::<Vec<_>>().join(", ");
        let hint = renamed::hint(&message, renamed::CONFIG).unwrap_or_else(|| {
            "config.example.toml documents every key; correct or remove this one".to_owned()
        });
        Failure::usage(format!("{}:{line}:{column}: {key}{message}", path.display())).hint(hint)
    })
}

/// `section.key` of the line where an error begins, if it looks like one.
fn key_at(before: &str, after: &str) -> Option<String> {
    let line = format!("{}{}", before.rsplit('\n').next()?, after.lines().next().unwrap_or_default());
    let key = line.split_once('=')?.0.trim();
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return None;
    }
    let section = before
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix('[')?.split_once(']').map(|(name, _)| name));
    Some(section.map_or_else(|| key.to_owned(), |section| format!("{section}.{key}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refuse(text: &str) -> String {
        parse(text, Path::new("config.toml")).unwrap_err().message
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let unknown = refuse("[run]\njobs = 2\nretrys = 1\n");
        assert!(
            unknown.starts_with("config.toml:3:1: run.retrys: unknown field `retrys`, expected one of"),
            "{unknown}"
        );
        let wrong = refuse("# é\n[database]\nconnect_timeout = \"soon\"\n");
        assert!(
            wrong.starts_with("config.toml:3:19: database.connect_timeout: \"soon\" is not a duration"),
            "{wrong}"
        );
        let renamed = parse("[[hooks]]\nbump = ['a']\n", Path::new("c")).unwrap_err();
        assert!(renamed.hint.unwrap().starts_with("`bump` is called `increment` now"), "{}", renamed.message);
        let mode = refuse("[database]\ntls = \"maybe\"\n");
        assert!(mode.starts_with("config.toml:2:7: database.tls: unknown variant `maybe`"), "{mode}");
        assert!(mode.contains("verify-full"));
        assert!(
            refuse("[databse]\n").starts_with("config.toml:1:2: unknown field `databse`"),
            "{}",
            refuse("[databse]\n")
        );
        assert!(refuse("[run]\nmax_shrink = \"a\"\n").contains("run.max_shrink"));
    }

    #[test]
    fn errors_never_repeat_a_password() {
        for value in [
            "4711",
            "4711hunter",
            "hunter4711",
            "\"hunter4711",
            "'hunter4711\" x",
            "\"\\q4711\"",
            "[\"4711\"]",
            "4711-01-01",
            "\"a\" 4711",
        ] {
            for key in ["password", "url", "password_command"] {
                let message = refuse(&format!("[database]\n{key} = {value}\n"));
                assert!(!message.contains("4711") && !message.contains("hunter"), "{message}");
                assert!(message.contains(":2:") && message.contains(key), "{message}");
            }
        }
        let file =
            parse("[database]\npassword = 'hunter'\nurl = 'mysql://u:hunter@h/d'\n", Path::new("c")).unwrap();
        assert!(!format!("{file:?}").contains("hunter"));
    }

    /// Each `key = value` line of the example, commented or not, counts as an option.
    #[test]
    fn example_documents_exactly_the_known_keys() {
        let example = include_str!("../../config.example.toml");
        parse(example, Path::new("config.example.toml")).unwrap();

        let is_option = |line: &str| {
            line.split_once(" = ").is_some_and(|(key, _)| {
                !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            })
        };
        let all: String = example
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| is_option(rest) || rest.starts_with("[["))
                    .unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        parse(&all, Path::new("config.example.toml")).unwrap();

        let documented: toml::Table = toml::from_str(&all).unwrap();
        let hooks = refuse("[[hooks]]\nnone_such = 1\n");
        for key in hooks.split('`').skip(3).step_by(2) {
            let shown = documented["hooks"].as_array().unwrap().iter().any(|hook| hook.get(key).is_some());
            assert!(shown, "hooks.{key} is not in config.example.toml");
        }
        for section in ["database", "run", "log"] {
            // serde lists the known keys when it meets an unknown one.
            let known = refuse(&format!("[{section}]\nnone_such = 1\n"));
            let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
            assert!(!known.is_empty());
            for key in known {
                assert!(
                    documented[section].get(key).is_some(),
                    "{section}.{key} is not in config.example.toml"
                );
            }
        }
    }

    #[test]
    fn example_shows_the_defaults() {
        let example =
            parse(include_str!("../../config.example.toml"), Path::new("config.example.toml")).unwrap();
        let (shown, default) = (format!("{example:?}"), format!("{:?}", File::default()));
        // `tls` has no fixed default: it depends on tls_ca.
        assert_eq!(shown, default);
    }
}

//! Database URLs: taken apart here, once, so that no password travels further inside one.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::{Secret, TlsMode};
use crate::error::Failure;

/// What a path must hide from a URL's grammar.
const PATH_ESCAPES: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

const FORMS: &str =
    "mysql://user@host:3306/db, mariadb://…, postgres://user@host:5432/db or sqlite:///path/to/file.db";

/// A database URL without its secrets and TLS parameters, which stand beside it.
#[derive(Clone)]
pub(super) struct DatabaseUrl {
    /// `mysql`, `postgres` or `sqlite`.
    pub scheme: String,
    /// Without password and TLS parameters.
    pub text: String,
    /// `text` without any parameters.
    pub display: String,
    pub password: Option<Secret>,
    /// Only for SQLite.
    pub path: Option<PathBuf>,
    pub tls: Option<TlsMode>,
    pub tls_ca: Option<PathBuf>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
}

impl DatabaseUrl {
    /// # Errors
    /// A usage failure that never quotes the URL: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite(rest),
            "mysql" | "mariadb" => server("mysql", rest),
            "postgres" | "postgresql" => server("postgres", rest),
            // Without `//` the text may be `user:password@host`, which must not be repeated.
            unknown if rest.starts_with("//") && unknown.len() <= 20 => {
                Err(Failure::usage(format!("unknown database URL scheme {unknown:?}"))
                    .hint(format!("use {FORMS}")))
            }
            _ => Err(Failure::usage("the database URL has no known scheme").hint(format!("use {FORMS}"))),
        }
    }

    /// The same URL with a relative SQLite path taken from `folder`.
    pub fn relative_to(self, folder: &Path) -> Self {
        match &self.path {
            Some(path) if path.is_relative() => {
                let query =
                    self.text.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
                let display = sqlite_url(&folder.join(path));
                Self { text: format!("{display}{query}"), display, path: Some(folder.join(path)), ..self }
            }
            _ => self,
        }
    }
}

/// The URL of an SQLite file, for a path that may hold any character.
#[must_use]
pub fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", utf8_percent_encode(&path.to_string_lossy(), PATH_ESCAPES))
}

fn sqlite(rest: &str) -> Result<DatabaseUrl, Failure> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (raw, query) =
        rest.split_once('?').map_or((rest, String::new()), |(raw, query)| (raw, format!("?{query}")));
    let path = decode(raw)?;
    if path.is_empty() || path == ":memory:" {
        return Err(Failure::usage("the SQLite URL names no file")
            .hint("use sqlite:///path/to/file.db; an in-memory database would be gone when dashagg ends"));
    }
    let path = PathBuf::from(path);
    let display = sqlite_url(&path);
    Ok(DatabaseUrl {
        scheme: "sqlite".to_owned(),
        text: format!("{display}{query}"),
        display,
        password: None,
        path: Some(path),
        tls: None,
        tls_ca: None,
        tls_cert: None,
        tls_key: None,
    })
}

fn server(scheme: &str, rest: &str) -> Result<DatabaseUrl, Failure> {
    let broken = |what: &str| {
        Failure::usage(format!("the database URL cannot be read: {what}"))
            .hint(format!("use {FORMS}; in a password, write @ : / ? # % as %40 %3A %2F %3F %23 %25, or set DASHAGG_PASSWORD"))
    };
    if !rest.starts_with("//") {
        return Err(broken("// is missing after the scheme"));
    }
    let mut url = Url::parse(&format!("{scheme}:{rest}")).map_err(|err| broken(&err.to_string()))?;
    // Signs of a password with an unescaped / ? or #: its end would pass for a path and be printed.
    let misplaced = |text: &str| text.contains('@');
    if url.fragment().is_some() || misplaced(url.path()) || url.query_pairs().any(|(key, _)| misplaced(&key))
    {
        return Err(broken("it has an unescaped special character"));
    }
    if scheme == "mysql" && url.path().trim_matches('/').is_empty() {
        return Err(broken("it names no database"));
    }

    let mut password =
        url.password().map(decode).transpose()?.filter(|password| !password.is_empty()).map(Secret::new);
    // Fails only for URLs without a host, and those have no password.
    let _ = url.set_password(None);

    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let (mut tls, mut tls_ca, mut tls_cert, mut tls_key) = (None, None, None, None);
    let mut kept = Vec::new();
    for (key, value) in pairs {
        match key.to_ascii_lowercase().as_str() {
            "password" => password = password.or(Some(Secret::new(value))),
            // The passphrase of a client key: no driver of ours takes one.
            "sslpassword" => {
                return Err(broken("sslpassword is not supported; use a key without a passphrase"));
            }
            "sslmode" | "ssl-mode" => {
                tls = Some(
                    TlsMode::from_driver_word(&value).ok_or_else(|| broken("it has an unknown sslmode"))?,
                );
            }
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => tls_ca = Some(PathBuf::from(value)),
            "sslcert" | "ssl-cert" => tls_cert = Some(PathBuf::from(value)),
            "sslkey" | "ssl-key" => tls_key = Some(PathBuf::from(value)),
            _ => kept.push((key, value)),
        }
    }
    url.set_query(None);
    let display = url.to_string();
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok(DatabaseUrl {
        scheme: scheme.to_owned(),
        text: url.to_string(),
        display,
        password,
        path: None,
        tls,
        tls_ca,
        tls_cert,
        tls_key,
    })
}

fn decode(text: &str) -> Result<String, Failure> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Failure::usage("the database URL holds a percent-encoding that is not UTF-8"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text).unwrap()
    }

    fn refuse(text: &str) -> String {
        let failure = DatabaseUrl::parse(text).err().unwrap();
        format!("{} / {}", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn schemes_are_normalised() {
        for (text, scheme, url) in [
            ("mariadb://u@h/d", "mysql", "mysql://u@h/d"),
            ("MySQL://u@h:3307/d", "mysql", "mysql://u@h:3307/d"),
            ("postgresql://u@h/d", "postgres", "postgres://u@h/d"),
            ("postgres:///d?host=/run/postgresql", "postgres", "postgres:///d?host=%2Frun%2Fpostgresql"),
        ] {
            assert_eq!((parse(text).scheme.as_str(), parse(text).text.as_str()), (scheme, url));
        }
    }

    #[test]
    fn passwords_leave_the_url() {
        let url = parse("postgres://us%40er:p%40%3A%2Fss@h:5432/d?application_name=x");
        assert_eq!(url.password.unwrap().expose(), "p@:/ss");
        assert_eq!(url.text, "postgres://us%40er@h:5432/d?application_name=x");
        assert_eq!(url.display, "postgres://us%40er@h:5432/d");

        let url = parse("postgres://u@h/d?password=a%20b&sslmode=verify-full&sslrootcert=/ca.pem");
        assert_eq!(url.password.unwrap().expose(), "a b");
        assert_eq!(
            (url.text.as_str(), url.tls, url.tls_ca),
            ("postgres://u@h/d", Some(TlsMode::VerifyFull), Some("/ca.pem".into()))
        );
        assert_eq!(parse("mysql://u@h/d?ssl-mode=VERIFY_IDENTITY").tls, Some(TlsMode::VerifyFull));
    }

    #[test]
    fn sqlite_paths() {
        for (text, path, url) in [
            ("sqlite://relative.db", "relative.db", "sqlite://relative.db"),
            ("sqlite:///abs.db", "/abs.db", "sqlite:///abs.db"),
            ("sqlite:rel.db?mode=rwc", "rel.db", "sqlite://rel.db?mode=rwc"),
            ("sqlite:a%20b%3F.db", "a b?.db", "sqlite://a b%3F.db"),
        ] {
            assert_eq!(parse(text).path.unwrap(), Path::new(path));
            assert_eq!(parse(text).text, url);
            assert_eq!(parse(&parse(text).text).path.unwrap(), Path::new(path));
        }
        let moved = parse("sqlite:rel.db?mode=rwc").relative_to(Path::new("/etc/d?"));
        assert_eq!(
            (moved.path.unwrap(), moved.text.as_str()),
            ("/etc/d?/rel.db".into(), "sqlite:///etc/d%3F/rel.db?mode=rwc")
        );
        assert!(refuse("sqlite::memory:").contains("no file"));
    }

    #[test]
    fn refusals_never_repeat_the_password() {
        for text in [
            "postgres://u:hunter#2@h/d",
            "postgres://u:12#hunter2@h/d",
            "postgres://u:12/hunter2@h/d",
            "postgres://u:12?hunter2@h/d",
            "oracle://u:hunter2@h/d",
            "u:hunter2@h/d",
            "hunter2://",
            "hunter2",
            "mysql://u:hunter2@h",
            "mysql:u:hunter2@h/d",
            "postgres://u:%ff@h/d",
        ] {
            let text_of_error = refuse(text);
            if text != "hunter2://" {
                assert!(!text_of_error.contains("hunter"), "{text}: {text_of_error}");
            }
        }
        let unknown = refuse("oracle://h/d");
        assert!(unknown.starts_with("unknown database URL scheme \"oracle\""));
        assert!(["mysql", "postgres", "sqlite"].iter().all(|scheme| unknown.contains(scheme)));
    }
}

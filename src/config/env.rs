//! The environment: what is read from it, and what of it no child may inherit.

use super::url::DatabaseUrl;
use crate::error::Failure;

/// Passwords by themselves; the last one is the PostgreSQL driver's own.
const PASSWORDS: [&str; 2] = ["DASHAGG_PASSWORD", "PGPASSWORD"];
/// May have a password inside.
const URLS: [&str; 2] = ["DASHAGG_DATABASE_URL", "DATABASE_URL"];
/// Paths may hold any byte.
const PATHS: [&str; 2] = ["DASHAGG_CONFIG", "DASHAGG_SQL_DIR"];

/// The environment of this process; `None` for a variable that is unset or not UTF-8.
#[must_use]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Refuses what would count as unset although somebody set it.
///
/// # Errors
/// A variable of dashagg's that is not UTF-8 (exit code 2); never its value.
pub fn check_process_env() -> Result<(), Failure> {
    let ours = |name: &str| (name.starts_with("DASHAGG_") && !PATHS.contains(&name)) || URLS.contains(&name);
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| ours(name)) else { continue };
        if value.to_str().is_none() {
            return Err(Failure::usage(format!("{name} is not UTF-8"))
                .hint("set it again in a UTF-8 locale; a URL may write any byte as %80 to %FF"));
        }
    }
    Ok(())
}

/// Variables of this process that hold a password: programs that we start must not inherit them, since their own
/// environment is read by whoever may look at them.
#[must_use]
pub fn secret_variables() -> Vec<&'static str> {
    secret_in(&process_env)
}

fn secret_in(env: &dyn Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let hides = |name: &&str| {
        // What cannot be read may hold one all the same.
        env(name).is_some_and(|text| DatabaseUrl::parse(&text).map_or(true, |url| url.password.is_some()))
    };
    PASSWORDS.into_iter().chain(URLS.into_iter().filter(hides)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_with_a_password_are_secret() {
        let with =
            |url: &'static str| secret_in(&move |name| (name == "DATABASE_URL").then(|| url.to_owned()));
        assert_eq!(with("mysql://u@h/d"), PASSWORDS);
        assert_eq!(with("sqlite:x.db"), PASSWORDS);
        for url in ["mysql://u:hunter2@h/d", "postgres://u@h/d?password=hunter2", "u:hunter2@h/d"] {
            assert!(with(url).contains(&"DATABASE_URL"), "{url}");
        }
    }
}

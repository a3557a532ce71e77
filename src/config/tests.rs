use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::exit_code::ExitCode;

/// A folder with a `config.toml` of mode 600, and variables.
struct Case {
    dir: TempDir,
    env: HashMap<&'static str, String>,
    url: Option<String>,
}

impl Case {
    fn new(toml: &str) -> Self {
        let case = Self { dir: tempfile::tempdir().unwrap(), env: HashMap::new(), url: None };
        std::fs::write(case.file(), toml).unwrap();
        case.mode(0o600)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn mode(self, mode: u32) -> Self {
        std::fs::set_permissions(self.file(), std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.insert(name, value.to_owned());
        self
    }

    fn url(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    fn load(&self) -> Result<(Config, Vec<String>)> {
        Config::load(&Inputs {
            config: Some(self.file()),
            database_url: self.url.clone(),
            sql_dir: None,
            env: &|name| self.env.get(name).cloned(),
        })
    }

    fn config(&self) -> Config {
        self.load().unwrap().0
    }

    fn password(&self) -> Option<String> {
        self.config().database.password.map(|secret| secret.expose().to_owned())
    }

    fn refuse(&self) -> (String, String) {
        let (code, message, hint) = Failure::of(&self.load().unwrap_err());
        assert_eq!(code, ExitCode::Usage);
        (message, hint.unwrap())
    }
}

#[test]
fn url_precedence() {
    let case = Case::new("[database]\nurl = 'mysql://u@file/d'\n");
    assert_eq!(case.config().database.display(), "mysql://u@file/d");
    let case = case.env("DATABASE_URL", "postgresql://u@plain/d");
    assert_eq!(case.config().database.url(), "postgres://u@plain/d");
    let case = case.env("DASHAGG_DATABASE_URL", "mariadb://u@env/d");
    assert_eq!(case.config().database.url(), "mysql://u@env/d");
    let case = case.url("sqlite:x.db");
    assert_eq!(case.config().database.sqlite_path(), Some(Path::new("x.db")));

    let (message, hint) = Case::new("").env("DATABASE_URL", "").refuse();
    assert_eq!(message, "no database is named");
    assert!(
        ["-D", "DASHAGG_DATABASE_URL", "config.toml", "dashagg demo"].iter().all(|word| hint.contains(word))
    );
}

#[test]
fn other_overrides() {
    let case = Case::new(
        "[database]\nurl = 'mysql://u@h/d'\n[run]\nsql_dir = 'sets'\njobs = 3\n[log]\nlevel = 'warn'\n",
    );
    let config = case.config();
    assert_eq!(config.sql_dir, Some(case.dir.path().join("sets")));
    assert_eq!(
        (config.run.jobs, config.log.as_str(), config.database.tls),
        (Some(3), "warn", TlsMode::Prefer)
    );
    let case = case
        .env("DASHAGG_SQL_DIR", "other")
        .env("DASHAGG_JOBS", "0")
        .env("DASHAGG_LOG", "dashagg=debug")
        .env("DASHAGG_TLS", "verify-ca");
    let config = case.config();
    assert_eq!(config.sql_dir, Some(PathBuf::from("other")));
    assert_eq!(
        (config.run.jobs, config.log.as_str(), config.database.tls),
        (None, "dashagg=debug", TlsMode::VerifyCa)
    );
    assert!(case.env("DASHAGG_JOBS", "many").refuse().0.contains("DASHAGG_JOBS"));
}

#[test]
fn password_precedence() {
    let case = Case::new("[database]\nurl = 'mysql://u:inurl@h/d'\n");
    assert_eq!(case.password().as_deref(), Some("inurl"));

    let case = Case::new(
        "[database]\nurl = 'mysql://u:inurl@h/d'\npassword = ''\npassword_command = 'echo command'\n",
    );
    assert_eq!(case.password().as_deref(), Some("command"));
    let case = case.url("mysql://u@elsewhere/d");
    assert_eq!(case.password().as_deref(), Some("command"));
    let case = case.url("mysql://u:own@elsewhere/d");
    assert_eq!(case.password().as_deref(), Some("own"));
    let case = case.env("DASHAGG_PASSWORD", "env");
    assert_eq!(case.password().as_deref(), Some("env"));
    assert!(case.env("DASHAGG_PASSWORD_FILE", "pw").refuse().0.starts_with("both"));

    let case = Case::new("[database]\nurl = 'mysql://u@h/d'\npassword_file = 'pw'\n");
    std::fs::write(case.dir.path().join("pw"), "infile\n").unwrap();
    assert_eq!(case.password().as_deref(), Some("infile"));

    let both = Case::new("[database]\nurl = 'mysql://u@h/d'\npassword = 'a'\npassword_file = 'pw'\n");
    assert!(both.refuse().0.contains("more than one password"));
    // SQLite has no password to ask for, so a broken command must not stop it.
    let sqlite = Case::new("[database]\nurl = 'sqlite:d/x.db'\npassword_command = 'false'\n");
    assert_eq!(sqlite.password(), None);
    assert_eq!(sqlite.config().database.sqlite_path(), Some(sqlite.dir.path().join("d/x.db").as_path()));
}

#[test]
fn nothing_shows_a_password() {
    let case = Case::new("[database]\npassword = 'hunter2'\n")
        .url("postgres://u:hunter3@h:5432/d?password=hunter4&options=x");
    let (config, warnings) = case.load().unwrap();
    let shown = format!(
        "{config:?} {config:#?} {} {} {warnings:?}",
        config.database.display(),
        config.database.url()
    );
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("***"));
    assert_eq!(config.database.display(), "postgres://u@h:5432/d");
    assert_eq!(config.database.url(), "postgres://u@h:5432/d?options=x");
}

#[test]
fn exposed_passwords_draw_warnings() {
    let quiet = |case: &Case| case.load().unwrap().1.is_empty();
    let case = Case::new("[database]\nurl = 'mysql://u:secret@h/d'\n");
    assert!(quiet(&case));
    let case = case.mode(0o640);
    let warnings = case.load().unwrap().1;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains(&format!("chmod 600 {}", case.file().display())));
    assert!(quiet(&Case::new("[database]\nurl = 'mysql://u@h/d'\npassword = ''\n").mode(0o644)));

    let warnings = Case::new("").url("mysql://u:secret@h/d").load().unwrap().1;
    assert!(warnings[0].contains("process list") && warnings[0].contains("DASHAGG_PASSWORD"));
    assert!(quiet(&Case::new("").env("DATABASE_URL", "mysql://u:secret@h/d")));
}

#[test]
fn tls_rules() {
    let case = Case::new("[database]\nurl = 'mysql://u@h/d'\ntls_ca = 'ca.pem'\n");
    assert!(case.refuse().0.contains("ca.pem does not exist"));
    std::fs::write(case.dir.path().join("ca.pem"), "").unwrap();
    assert_eq!(case.config().database.tls, TlsMode::VerifyFull);
    let case = case.env("DASHAGG_TLS", "require");
    assert!(case.load().unwrap().1[0].contains("tls_ca has no effect"));
    assert!(case.env("DASHAGG_TLS", "maybe").refuse().1.contains("verify-full"));
    let case = Case::new("[database]\nurl = 'mysql://u@h/d'\ntls_cert = 'c.pem'\n");
    assert!(case.refuse().0.contains("tls_key"));
}

#[test]
fn wrong_files_and_values() {
    let missing = Config::load(&Inputs {
        config: Some("/none/c.toml".into()),
        database_url: None,
        sql_dir: None,
        env: &|_| None,
    });
    assert_eq!(missing.unwrap_err().to_string(), "the configuration /none/c.toml does not exist");
    assert!(
        Case::new("[run]\nretrys = 1\n").refuse().0.contains("config.toml:2:1: run.retrys: unknown field")
    );
    let with = |line: &str| Case::new(&format!("[database]\nurl = 'mysql://u@h/d'\n{line}\n")).refuse().0;
    assert_eq!(with("lock_timeout = '0s'"), "database.lock_timeout is zero");
    assert_eq!(with("[run]\nmax_shrink = 20"), "run.max_shrink is 20");
    assert_eq!(with("[run]\njobs = 65"), "run.jobs is 65");
    assert_eq!(with("[log]\nlevel = 'a=b=c'"), "\"a=b=c\" is not a log level");
}

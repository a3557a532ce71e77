//! Passwords stay secret, and TLS modes do what they say, against the real servers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::common::{Dashagg, Kind, Output, TestDb};
use crate::small::{SOURCES, is_log, refuses};

/// No sane text holds this by chance, and every character that a URL treats specially is in it.
const PASSWORD: &str = "hunter2/p@ss:w#1%?x";
const IN_URL: &str = "hunter2%2Fp%40ss%3Aw%231%25%3Fx";
/// What must not be seen anywhere, of the right and of the wrong password.
const TRACE: &str = "hunter2";

/// A database and a user who has a password worth hiding.
struct Account {
    db: TestDb,
    user: String,
}

impl Account {
    fn new(kind: Kind) -> Self {
        let db = TestDb::new(kind);
        let user = format!("u{}", db.name());
        db.exec(&match kind {
            Kind::Mariadb => {
                format!("CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON {}.* TO {user}", db.name())
            }
            _ => format!(
                "CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'; GRANT ALL ON SCHEMA public TO {user}; {SOURCES}; \
                 ALTER TABLE financials OWNER TO {user}; ALTER TABLE products OWNER TO {user}"
            ),
        });
        if kind == Kind::Mariadb {
            db.exec(SOURCES);
        }
        Account { db, user }
    }

    fn url(&self, password: &str) -> String {
        let login = if password.is_empty() { self.user.clone() } else { format!("{}:{password}", self.user) };
        self.db.url.replace("dashagg:secret@", &format!("{login}@"))
    }

    /// With the URL in the environment and no password in it.
    fn dashagg(&self) -> Dashagg {
        self.db.dashagg_without_url().env("DASHAGG_DATABASE_URL", self.url(""))
    }

    /// A configuration that only its owner can read.
    fn config(&self, text: &str) -> PathBuf {
        let path = self.db.dir().join("config.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn drop_user(self) {
        match self.db.kind {
            Kind::Mariadb => self.db.exec(&format!("DROP USER {}", self.user)),
            _ => self.db.exec(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.user)),
        }
    }
}

#[track_caller]
fn hides(output: Output) -> Output {
    for stream in [&output.stdout, &output.stderr] {
        assert!(!stream.contains(TRACE), "a password is shown:\n{stream}");
    }
    output
}

/// Every way to give a password: the runs that use it, each with `args` added by the caller.
fn ways(account: &Account, plain: &str, in_url: &str) -> Vec<(&'static str, Dashagg)> {
    let file = account.db.dir().join("password");
    std::fs::write(&file, format!("{plain}\nnot this line\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let with = |name: &str, text: &str| {
        let path = account.config(text);
        let own = account.db.dir().join(format!("{name}.toml"));
        std::fs::rename(path, &own).unwrap();
        account.dashagg().arg("-c").arg(own)
    };
    vec![
        ("DASHAGG_PASSWORD", account.dashagg().env("DASHAGG_PASSWORD", plain)),
        ("DASHAGG_PASSWORD_FILE", account.dashagg().env("DASHAGG_PASSWORD_FILE", &file)),
        // Relative to the configuration, since cron's working directory is elsewhere.
        ("password_file", with("file", "[database]\npassword_file = \"password\"\n")),
        (
            "password_command",
            with("command", &format!("[database]\npassword_command = \"cat {}\"\n", file.display())),
        ),
        ("password", with("own", &format!("[database]\npassword = \"{plain}\"\n"))),
        (
            "url in the file",
            account.db.dashagg_without_url().arg("-c").arg({
                let path = account.config(&format!("[database]\nurl = \"{}\"\n", account.url(in_url)));
                let own = account.db.dir().join("url.toml");
                std::fs::rename(path, &own).unwrap();
                own
            }),
        ),
        ("DATABASE_URL", account.db.dashagg_without_url().env("DATABASE_URL", account.url(in_url))),
        ("-D", account.db.dashagg_without_url().args(["-D", &account.url(in_url)])),
    ]
}

fn passwords_work_and_stay_hidden(kind: Kind) {
    let account = Account::new(kind);
    let db = &account.db;
    for (way, run) in ways(&account, PASSWORD, IN_URL) {
        let output = hides(run.args(["status", "-vv"]).run()).ok();
        let warned = output.stderr.contains("process list");
        assert_eq!(warned, way == "-D", "{way}: {}", output.stderr);
        assert!(!output.stderr.contains("chmod"), "{way}: {}", output.stderr);
    }
    for (way, run) in ways(&account, "hunter2-wrong", "hunter2-wrong") {
        let output = hides(run.args(["refresh", "-vv"]).run());
        assert!(output.seconds < 5.0, "{way}: {} s", output.seconds);
        // -vv logs SQL over several lines; what counts is the one message at the end.
        let output = output.code(1);
        let said: Vec<&str> = output.stderr.lines().filter(|line| line.starts_with("dashagg: ")).collect();
        assert!(said.len() == 1 && said[0].contains("cannot connect to"), "{way}: {}", output.stderr);
        assert!(said[0].contains(&account.user), "{way}: which user? {}", said[0]);
    }
    for (way, run) in ways(&account, "hunter2-wrong", "hunter2-wrong") {
        let output = hides(run.args(["refresh", "--json"]).run()).code(1);
        assert!(output.stderr.contains("\"code\":1"), "{way}: {}", output.stderr);
    }
    // No password at all where one is needed.
    refuses(account.dashagg().arg("status").run(), 1, &["cannot connect to", "DASHAGG_PASSWORD"]);
    let config = account.config("[database]\npassword_command = \"echo hunter2; exit 7\"\n");
    let failed = hides(account.dashagg().arg("-c").arg(config).arg("status").run());
    refuses(failed, 2, &["password_command failed", "7"]);

    // The main job with the password on the command line: neither the log of all SQL nor the ledger has it.
    let run = |args: &[&str]| {
        hides(db.dashagg_without_url().args(["-D", &account.url(IN_URL), "-vv"]).args(args).run())
    };
    run(&["create"]).ok();
    run(&["refresh"]).ok();
    run(&["verify"]).ok();
    db.exec("ALTER TABLE products RENAME TO products_away");
    run(&["refresh"]).code(1);
    db.exec("ALTER TABLE products_away RENAME TO products");
    assert_eq!(db.one("SELECT COUNT(*) FROM dashagg_run WHERE status = 'failed' AND error IS NOT NULL"), "1");
    for table in ["dashagg_run", "dashagg_set", "dashagg_script", "dashagg_summary"] {
        let rows = db.rows(&format!("SELECT * FROM {table}"));
        assert!(!rows.is_empty() && !format!("{rows:?}").contains(TRACE), "{table}: {rows:?}");
    }
    account.drop_user();
}

#[test]
fn passwords_work_and_stay_hidden_on_mariadb() {
    passwords_work_and_stay_hidden(Kind::Mariadb);
}

#[test]
fn passwords_work_and_stay_hidden_on_postgres() {
    passwords_work_and_stay_hidden(Kind::Postgres);
}

#[test]
fn a_config_with_a_password_that_others_can_read_draws_a_warning() {
    let account = Account::new(Kind::Postgres);
    for text in [
        format!("[database]\npassword = \"{PASSWORD}\"\n"),
        format!("[database]\nurl = \"{}\"\n", account.url(IN_URL)),
    ] {
        let path = account.config(&text);
        let run = || {
            hides(
                account.dashagg().arg("-c").arg(&path).env("DASHAGG_PASSWORD", PASSWORD).arg("status").run(),
            )
        };
        assert!(!run().ok().stderr.contains("chmod"), "0600 is fine");
        for mode in [0o644, 0o640] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let said = run().ok().stderr;
            assert!(
                said.contains("WARN") && said.contains(&format!("chmod 600 {}", path.display())),
                "{said}"
            );
        }
    }
    account.drop_user();
}

/// Passes on what arrives at 127.0.0.2 to the server of this URL; returns host and port.
fn relay(url: &str) -> String {
    let server = url.split(['@', '/']).nth(3).unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(&server).unwrap();
            for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    address
}

fn tls(kind: Kind) {
    let db = TestDb::new(kind);
    let (right, wrong) = db.server.authorities();
    let run = |mode: &str, ca: &str, url: &str| {
        let run = db.dashagg_without_url().env("DASHAGG_DATABASE_URL", url).env("DASHAGG_TLS", mode);
        let run = if ca.is_empty() { run } else { run.env("DASHAGG_TLS_CA", ca) };
        run.arg("status").run()
    };
    let named = db.url.replace("127.0.0.1", "localhost");
    for url in [&db.url, &named] {
        for mode in ["verify-ca", "verify-full"] {
            run(mode, right, url).ok();
            refuses(run(mode, wrong, url), 1, &["cannot connect to", "ertificate"]);
            // The bundled public authorities have not signed this one either.
            refuses(run(mode, "", url), 1, &["ertificate"]);
        }
        run("disable", "", url).ok();
        run("prefer", "", url).ok();
        run("require", "", url).ok();
        let unchecked = run("require", wrong, url).ok();
        assert!(unchecked.stderr.contains("tls_ca has no effect"), "{}", unchecked.stderr);
    }
    // The same server at an address that its certificate does not name: right authority, wrong host.
    let elsewhere = db.url.replace(db.url.split(['@', '/']).nth(3).unwrap(), &relay(&db.url));
    run("verify-ca", right, &elsewhere).ok();
    refuses(run("verify-full", right, &elsewhere), 1, &["127.0.0.2", "ertificate"]);

    // Who names an authority wants it checked; the URL's own words do the same, and so does the file.
    let by_url = |query: &str| {
        db.dashagg_without_url()
            .env("DASHAGG_DATABASE_URL", format!("{}?{query}", db.url))
            .arg("status")
            .run()
    };
    let (mode, root) = match kind {
        Kind::Mariadb => ("ssl-mode=VERIFY_IDENTITY", "ssl-ca"),
        _ => ("sslmode=verify-full", "sslrootcert"),
    };
    by_url(&format!("{mode}&{root}={right}")).ok();
    refuses(by_url(&format!("{mode}&{root}={wrong}")), 1, &["ertificate"]);
    let by_file = |ca: &str| {
        let config = db.dir().join("config.toml");
        std::fs::write(&config, format!("[database]\ntls_ca = \"{ca}\"\n")).unwrap();
        db.dashagg_without_url().env("DATABASE_URL", &db.url).arg("-c").arg(config).arg("status").run()
    };
    by_file(right).ok();
    refuses(by_file(wrong), 1, &["ertificate"]);
    refuses(run("verify-full", "/none/ca.pem", &db.url), 2, &["tls_ca", "/none/ca.pem"]);
    refuses(run("always", "", &db.url), 2, &["DASHAGG_TLS", "verify-full"]);

    // The helpers that stage in parallel, and the canceller, connect the same way.
    db.exec(SOURCES);
    for verb in ["create", "refresh", "verify"] {
        let output = db
            .dashagg_without_url()
            .env("DASHAGG_DATABASE_URL", &db.url)
            .env("DASHAGG_TLS_CA", right)
            .arg(verb)
            .run()
            .ok();
        assert!(output.stderr.lines().all(is_log), "{}", output.stderr);
    }
}

#[test]
fn tls_modes_on_mariadb() {
    tls(Kind::Mariadb);
}

#[test]
fn tls_modes_on_postgres() {
    tls(Kind::Postgres);
}

/// `disable` sends in clear, `require` does not: a user who may only come encrypted knows the difference.
#[test]
fn require_is_really_encrypted() {
    let account = Account::new(Kind::Mariadb);
    account.db.exec(&format!("ALTER USER {} REQUIRE SSL", account.user));
    let run = |mode: &str| {
        account.dashagg().env("DASHAGG_PASSWORD", PASSWORD).env("DASHAGG_TLS", mode).arg("status").run()
    };
    refuses(run("disable"), 1, &["cannot connect to"]);
    run("prefer").ok();
    run("require").ok();
    account.drop_user();
}

/// Every column of every table that dashagg keeps.
fn ledger(db: &TestDb) -> String {
    let tables = match db.kind {
        Kind::Mariadb => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'dashagg%'"
        }
        _ => "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'dashagg%'",
    };
    let tables: Vec<String> = db.rows(tables).into_iter().flatten().collect();
    assert!(tables.len() > 5, "{tables:?}");
    tables
        .iter()
        .map(|table| format!("{table}: {:?}\n", db.rows(&format!("SELECT * FROM {table}"))))
        .collect()
}

/// Each kind of failure, with the password in the environment, everything logged, hooks that fail and say all they know,
/// and addresses with secrets of their own.
fn no_failure_tells_a_secret(kind: Kind) {
    let account = Account::new(kind);
    let db = &account.db;
    let told = db.dir().join("told");
    let program = db.dir().join("hook.sh");
    let text = format!(
        "#!/bin/sh\nenv >>{0}\ncat >>{0}\ntr '\\0' ' ' </proc/$PPID/cmdline >>{0}\nexit 3\n",
        told.display()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let config = account.config(&format!(
        "[database]\nlock_timeout = \"1s\"\nconnect_timeout = \"3s\"\n[run]\nretries = 0\nreconnect = \"1s\"\n\
         [[hooks]]\ncommand = [\"{}\"]\n[[hooks]]\nwebhook = \"http://hunter2:hunter2@127.0.0.1:1/hunter2?token=hunter2\"\n\
         [[hooks]]\nredis = \"redis://:hunter2@127.0.0.1:1/0\"\ndelete = [\"x\"]\n",
        program.display()
    ));
    let run = || {
        account
            .dashagg()
            .env("DASHAGG_PASSWORD", PASSWORD)
            .env("RUST_BACKTRACE", "full")
            .arg("-c")
            .arg(&config)
            .arg("-vv")
    };
    let change = || db.exec("UPDATE financials SET amount = amount + 1 WHERE id = 1");
    hides(run().arg("create").run()).ok();
    // The hooks fail, each in its way.
    hides(run().arg("refresh").run()).code(3);
    let seen = std::fs::read_to_string(&told).unwrap();
    assert!(seen.contains("PATH=") && seen.contains("refresh") && !seen.contains(TRACE), "{seen}");
    // Nobody there; nobody that answers.
    let nowhere =
        account.url("").replace(&db.url[db.url.rfind(':').unwrap()..db.url.rfind('/').unwrap()], ":1");
    hides(run().env("DASHAGG_DATABASE_URL", nowhere).arg("refresh").run()).code(1);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!(":{}", silent.local_addr().unwrap().port());
    let unanswered =
        account.url("").replace(&db.url[db.url.rfind(':').unwrap()..db.url.rfind('/').unwrap()], &port);
    hides(run().env("DASHAGG_DATABASE_URL", unanswered).arg("refresh").run()).code(1);
    // Failures in the middle of a run: a panic, a signal, a killed session, a lock that somebody holds.
    for (failpoint, signal) in [
        ("publish=panic", None),
        ("publish=sleep(1500)", Some("TERM")),
        ("publishing=sleep(1500)", Some("INT")),
    ] {
        change();
        let child = run().args(["refresh", "--json"]).env("FAILPOINTS", failpoint).spawn();
        if let Some(signal) = signal {
            std::thread::sleep(std::time::Duration::from_millis(900));
            let line = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&line).contains(TRACE));
            let kill = format!("kill -{signal} {}", child.id());
            let _ = std::process::Command::new("sh").args(["-c", &kill]).status().unwrap();
        }
        let out = child.wait_with_output().unwrap();
        let all = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(!all.contains(TRACE), "{failpoint}: {all}");
    }
    change();
    let killed = run().arg("refresh").env("FAILPOINTS", "publish=sleep(2500)").spawn();
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    let user = &account.user;
    match kind {
        Kind::Mariadb => db.exec(&format!("KILL USER '{user}'")),
        _ => db.exec(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"
        )),
    }
    let out = killed.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stderr).contains(TRACE));
    let mut holder = db.client();
    holder.exec(match kind {
        Kind::Mariadb => "LOCK TABLES products WRITE, financials WRITE",
        _ => "BEGIN; LOCK TABLE products, financials IN ACCESS EXCLUSIVE MODE",
    });
    for verb in [&["refresh", "--full"][..], &["verify"], &["create"]] {
        hides(run().args(verb).run());
    }
    drop(holder);
    db.exec("ALTER TABLE products RENAME TO away");
    for verb in [&["refresh", "--full"][..], &["verify"], &["create"], &["status"]] {
        hides(run().args(verb).run());
    }
    db.exec("ALTER TABLE away RENAME TO products");
    let ledger = ledger(db);
    assert!(ledger.contains("failed") && !ledger.contains(TRACE), "{ledger}");
    let seen = std::fs::read_to_string(&told).unwrap();
    assert!(!seen.contains(TRACE), "{seen}");
    account.drop_user();
}

#[test]
fn no_failure_tells_a_secret_on_mariadb() {
    no_failure_tells_a_secret(Kind::Mariadb);
}

#[test]
fn no_failure_tells_a_secret_on_postgres() {
    no_failure_tells_a_secret(Kind::Postgres);
}

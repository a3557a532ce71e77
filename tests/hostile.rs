//! What others may have put in our way: configurations, special files, values that command a terminal, false servers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use crate::common::{Dashagg, Kind, Output, TestDb};
use crate::small::{Tiny, refuses};

/// Nobody listens there: reached only after the configuration.
const NOWHERE: &str = "postgres://u@127.0.0.1:1/d";

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mkfifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

// --- Configurations --------------------------------------------------------------------------------------------------

/// A folder to stand in, whose `config.toml` leaves a mark when its command is run.
struct Trap {
    db: TestDb,
    folder: PathBuf,
    mark: PathBuf,
}

impl Trap {
    fn new() -> Self {
        let db = TestDb::new(Kind::Sqlite);
        let (folder, mark) = (db.dir().join("here"), db.dir().join("mark"));
        std::fs::create_dir(&folder).unwrap();
        mode(&folder, 0o755);
        let trap = Trap { db, folder, mark };
        trap.write(&format!("[database]\npassword_command = \"touch {}; echo x\"\n", trap.mark.display()));
        trap
    }

    fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
        mode(&self.config(), 0o644);
    }

    /// Whether the command was run, and what was said.
    fn sprung(&self, args: &[&str]) -> (bool, Output) {
        let _ = std::fs::remove_file(&self.mark);
        let run =
            self.db.dashagg_without_url().cwd(&self.folder).args(["-D", NOWHERE, "status"]).args(args).run();
        (self.mark.exists(), run)
    }

    #[track_caller]
    fn is_passed_over(&self, why: &str) {
        let (sprung, output) = self.sprung(&[]);
        assert!(!sprung, "{}", output.stderr);
        let said = refuses(output, 1, &["cannot connect", "WARN", "config.toml is not read, because"]);
        assert!(said.contains(why) && said.contains("-c config.toml"), "{why}: {said}");
    }

    #[track_caller]
    fn is_refused_by_name(&self, words: &[&str]) {
        let (sprung, output) = self.sprung(&["-c", "config.toml"]);
        assert!(!sprung, "{}", output.stderr);
        refuses(output, 2, words);
    }
}

#[test]
fn a_configuration_that_others_could_have_written_is_not_read_unless_named() {
    let trap = Trap::new();
    // The trap works.
    let (sprung, output) = trap.sprung(&[]);
    assert!(sprung && !output.stderr.contains("WARN"), "{}", output.stderr);

    mode(&trap.config(), 0o646);
    trap.is_passed_over("other users can write to it");
    trap.is_refused_by_name(&["password_command", "is not run", "chmod go-w config.toml"]);
    mode(&trap.config(), 0o644);

    mode(&trap.folder, 0o777);
    trap.is_passed_over("can write to its folder");
    trap.is_refused_by_name(&["password_command", "chmod go-w", "here"]);
    mode(&trap.folder, 0o1777);
    assert!(trap.sprung(&[]).0, "nobody can replace a file in a sticky folder");
    mode(&trap.folder, 0o755);

    // A link is as good as what it leads to.
    let elsewhere = trap.db.dir().join("elsewhere.toml");
    std::fs::rename(trap.config(), &elsewhere).unwrap();
    symlink(&elsewhere, trap.config()).unwrap();
    assert!(trap.sprung(&[]).0);
    mode(&elsewhere, 0o646);
    trap.is_passed_over("other users can write to it");
    if is_root() {
        mode(&elsewhere, 0o664);
        chown(&elsewhere, Some(0), Some(4711)).unwrap();
        trap.is_passed_over("other users can write to it");
        chown(&elsewhere, Some(4711), Some(4711)).unwrap();
        trap.is_passed_over("belongs to another user (uid 4711)");
        trap.is_refused_by_name(&["belongs to another user", "chown 0 config.toml"]);
        chown(&elsewhere, Some(0), Some(0)).unwrap();
        std::os::unix::fs::lchown(trap.config(), Some(4711), None).unwrap();
        trap.is_passed_over("the symbolic link");
    }
}

#[test]
fn a_doubtful_configuration_that_is_named_is_read_but_runs_nothing() {
    let trap = Trap::new();
    let url = &trap.db.url;
    trap.write(&format!("[database]\nurl = \"{url}\"\n[[hooks]]\ncommand = [\"true\"]\n"));
    mode(&trap.config(), 0o666);
    trap.is_refused_by_name(&["command of a hook", "chmod go-w"]);

    trap.write(&format!("[database]\nurl = \"{url}\"\n[run]\njobs = 1000\n"));
    mode(&trap.config(), 0o666);
    trap.is_refused_by_name(&["run.jobs is 1000"]);
    trap.write(&format!("[database]\nurl = \"{url}\"\n"));
    mode(&trap.config(), 0o666);
    let (_, output) = trap.sprung(&["-c", "config.toml"]);
    assert!(output.stderr.contains("WARN") && output.stderr.contains("chmod go-w"), "{}", output.stderr);
    // Unnamed, its database is none.
    let run = trap.db.dashagg_without_url().cwd(&trap.folder).arg("status").run();
    refuses(run, 2, &["no database is named", "is not read"]);
    for mode_of_ours in [0o600, 0o644] {
        mode(&trap.config(), mode_of_ours);
        let run = trap.db.dashagg_without_url().cwd(&trap.folder).arg("status").run();
        assert!(!run.stderr.contains("config.toml") && !run.stderr.contains("no database"), "{}", run.stderr);
    }
}

/// They are run as SQL, with the rights of whoever runs dashagg on the database.
#[test]
fn sets_that_others_can_write_draw_a_warning() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    assert!(!tiny.create().ok().stderr.contains("chmod"));
    mode(tiny.sql_dir(), 0o777);
    let said = tiny.dashagg().arg("status").run().ok().stderr;
    assert!(
        said.contains("WARN") && said.contains(&format!("chmod go-w {}", tiny.sql_dir().display())),
        "{said}"
    );
}

#[test]
fn empty_variables_count_as_unset() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    let mut run = tiny.dashagg().arg("create");
    for name in ["CONFIG", "SQL_DIR", "PASSWORD", "PASSWORD_FILE", "TLS", "TLS_CA", "JOBS", "LOG"] {
        run = run.env(format!("DASHAGG_{name}"), "");
    }
    run.run().ok();
    let url = db.dashagg_without_url().env("DASHAGG_DATABASE_URL", "").env("DATABASE_URL", &db.url);
    url.env("DASHAGG_SQL_DIR", tiny.sql_dir()).arg("status").run().ok();
    // As a parser of arguments says it; a value that was typed is a mistake.
    for option in ["-c", "--sql-dir"] {
        let output = tiny.dashagg().args(["status", option, ""]).run().code(2);
        assert!(output.stderr.starts_with("error: a value is required"), "{}", output.stderr);
    }
    let output = db.dashagg_without_url().args(["status", "-D", ""]).run();
    refuses(output, 2, &["database URL"]);
    let bytes: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"hunter\xff".to_vec());
    let output = tiny.dashagg().env("DASHAGG_PASSWORD", bytes).arg("status").run();
    assert!(!refuses(output, 2, &["DASHAGG_PASSWORD is not UTF-8"]).contains("hunter"));
}

// --- Special files ---------------------------------------------------------------------------------------------------

#[track_caller]
fn at_once(output: Output, words: &[&str]) {
    assert!(output.seconds < 5.0, "{} s: {}", output.seconds, output.stderr);
    refuses(output, 2, words);
}

#[test]
fn special_files_are_errors_and_no_hang() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    tiny.create().ok();
    let fifo = db.dir().join("fifo");
    mkfifo(&fifo);
    let status = || tiny.dashagg().arg("status").run();

    // In the folder of a set, whatever their names; by a link, too.
    let _socket = std::os::unix::net::UnixListener::bind(tiny.path("socket")).unwrap();
    at_once(status(), &["tiny/socket", "it is a socket, not a regular file"]);
    std::fs::remove_file(tiny.path("socket")).unwrap();
    let up = tiny.path("..");
    for (target, words) in [
        (fifo.as_path(), "it is a FIFO, not a regular file"),
        (Path::new("/dev/zero"), "it is a device, not a regular file"),
        (Path::new("odd.sql"), "symbolic link"),
        (Path::new("/none"), "No such file"),
        (up.as_path(), "does a symbolic link lead back"),
        (Path::new("."), "does a symbolic link lead back"),
    ] {
        symlink(target, tiny.path("odd.sql")).unwrap();
        at_once(status(), &["odd.sql", words]);
        std::fs::remove_file(tiny.path("odd.sql")).unwrap();
    }
    let large = std::fs::File::create(tiny.path("large.sql")).unwrap();
    large.set_len(17 * 1024 * 1024).unwrap();
    at_once(status(), &["large.sql", "larger than 16 MiB"]);
    std::fs::remove_file(tiny.path("large.sql")).unwrap();
    // What editors leave there is no concern of ours, and a link to a file is a file.
    symlink("user@host.1234:5678", tiny.path(".#days.sql")).unwrap();
    std::fs::rename(tiny.path("days.sql"), db.dir().join("days.sql")).unwrap();
    symlink(db.dir().join("days.sql"), tiny.path("days.sql")).unwrap();
    status().ok();
    // A manifest that is none must not hide its set.
    std::fs::remove_file(tiny.path("summaries.toml")).unwrap();
    mkfifo(&tiny.path("summaries.toml"));
    at_once(status(), &["summaries.toml", "it is a FIFO"]);

    let bare = || db.dashagg_without_url().arg("status");
    let folder = db.dir().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for (path, what) in
        [(fifo.as_path(), "a FIFO"), (Path::new("/dev/zero"), "a device"), (&folder, "a folder")]
    {
        at_once(bare().args(["-D", &db.url, "-c"]).arg(path).run(), &["cannot read the configuration", what]);
        let tls = bare().args(["-D", NOWHERE]).env("DASHAGG_TLS_CA", path).run();
        at_once(tls, &["tls_ca", what]);
    }
    for path in [fifo.as_path(), Path::new("/dev/null")] {
        at_once(bare().args(["-D", &format!("sqlite://{}", path.display())]).run(), &["not a file"]);
    }
    std::fs::remove_dir(db.dir().join("cwd")).unwrap();
    std::fs::create_dir(db.dir().join("cwd")).unwrap();
    mkfifo(&db.dir().join("cwd/config.toml"));
    at_once(bare().args(["-D", &db.url]).run(), &["config.toml", "a FIFO"]);
}

#[test]
fn a_password_file_may_be_a_pipe_but_not_for_ever() {
    let db = TestDb::new(Kind::Sqlite);
    let fifo = db.dir().join("fifo");
    mkfifo(&fifo);
    let run =
        || db.dashagg_without_url().env("DASHAGG_PASSWORD_FILE", &fifo).args(["-D", NOWHERE, "status"]).run();
    let writer = fifo.clone();
    // As `<(pass show dashagg)` is one.
    let writing = std::thread::spawn(move || std::fs::write(writer, "hunter2\n").unwrap());
    refuses(run(), 1, &["cannot connect"]);
    writing.join().unwrap();

    let output = run();
    assert!(output.seconds < 20.0, "{} s", output.seconds);
    refuses(output, 2, &["password file", "nothing came within 10s"]);
    let endless = db.dashagg_without_url().env("DASHAGG_PASSWORD_FILE", "/dev/zero");
    at_once(endless.args(["-D", NOWHERE, "status"]).run(), &["longer than 64 KiB"]);
}

#[test]
fn a_password_file_that_others_can_read_draws_a_warning() {
    let db = TestDb::new(Kind::Sqlite);
    let file = db.dir().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    for (bits, warned) in [(0o644, true), (0o604, true), (0o600, false), (0o400, false)] {
        mode(&file, bits);
        let run = db
            .dashagg_without_url()
            .env("DASHAGG_PASSWORD_FILE", &file)
            .args(["-D", NOWHERE, "status"])
            .run();
        let said = run.code(1).stderr;
        assert_eq!(said.contains(&format!("chmod 600 {}", file.display())), warned, "{bits:o}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn init_overwrites_nothing_through_links() {
    let db = TestDb::new(Kind::Sqlite);
    let (folder, outside) = (db.dir().join("new"), db.dir().join("outside"));
    std::fs::create_dir(&folder).unwrap();
    symlink(&outside, folder.join("config.toml")).unwrap();
    let output = db.dashagg_without_url().arg("init").arg(&folder).run();
    refuses(output, 1, &["config.toml is already there; nothing was written"]);
    assert!(!outside.exists() && !folder.join("sql").exists());
    std::fs::remove_file(folder.join("config.toml")).unwrap();
    db.dashagg_without_url().arg("init").arg(&folder).run().ok();
    let bits = std::fs::metadata(folder.join("config.toml")).unwrap().permissions().mode();
    assert_eq!(bits & 0o022, 0, "a configuration that others can write would not be believed");
}

// --- Children --------------------------------------------------------------------------------------------------------

#[test]
fn programs_that_are_run_inherit_no_password() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    tiny.create().ok();
    let seen = db.dir().join("seen");
    let config = db.dir().join("config.toml");
    let secret = |run: Dashagg| {
        run.env("DASHAGG_PASSWORD", "hunter2")
            .env("PGPASSWORD", "hunter2")
            .env("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/d")
            .env("HARMLESS", "harmless")
    };
    std::fs::write(
        &config,
        format!(
            "[[hooks]]\ncommand = [\"sh\", \"-c\", \"env > {}; ls -l /proc/self/fd >&2\"]\n",
            seen.display()
        ),
    )
    .unwrap();
    mode(&config, 0o600);
    let run = secret(tiny.dashagg()).arg("-c").arg(&config).arg("refresh").run().ok();
    assert!(run.stdout.contains("command (hooks, section 1): done"), "{}", run.stdout);
    let env = std::fs::read_to_string(&seen).unwrap();
    assert!(env.contains("harmless") && env.contains("DASHAGG_DATABASE_URL=sqlite"), "{env}");
    assert!(!env.contains("hunter2"), "{env}");

    std::fs::write(&config, format!("[database]\npassword_command = \"env > {}; echo x\"\n", seen.display()))
        .unwrap();
    let run =
        secret(db.dashagg_without_url()).env_remove("DASHAGG_PASSWORD").env("DASHAGG_DATABASE_URL", NOWHERE);
    run.arg("-c").arg(&config).arg("status").run().code(1);
    let env = std::fs::read_to_string(&seen).unwrap();
    assert!(env.contains("harmless") && env.contains(NOWHERE) && !env.contains("hunter2"), "{env}");
}

// --- Terminals -------------------------------------------------------------------------------------------------------

/// Clears the screen, rings, returns, sets a title by a C1 control, turns the order of letters round.
const HOSTILE: &str = "x\u{1b}[2J\u{7}\r\u{9b}2J\u{9d}0;t\u{202e}y";

#[track_caller]
fn harmless(output: Output) -> Output {
    for stream in [&output.stdout, &output.stderr] {
        let bad = stream.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
        assert!(bad.is_none(), "{bad:?} in {stream:?}");
    }
    output
}

#[test]
fn values_and_messages_never_command_a_terminal() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    tiny.create().ok();
    tiny.refresh().ok();
    // Values: of keys in reports, in JSON, and in the log of all SQL.
    db.exec(&format!("INSERT INTO tiny_days VALUES ('{HOSTILE}', 1)"));
    let verify = harmless(tiny.dashagg().arg("verify").run()).code(4);
    assert!(verify.stdout.contains("x\\u{1b}[2J"), "{}", verify.stdout);
    let json = harmless(tiny.dashagg().args(["verify", "--json"]).run()).code(4).json();
    assert_eq!(json["summaries"][0]["samples"][0]["key"]["day"], HOSTILE);
    let mut partition = tiny.dashagg();
    partition = partition.args(["refresh", "--partition", HOSTILE, "-vv"]);
    harmless(partition.run());
    harmless(tiny.dashagg().args(["refresh", "--dry-run", "--partition", HOSTILE]).run());

    // Messages of a server: in the error, the report, the ledger's note, and the log.
    db.exec("INSERT INTO raw_rows VALUES ('2025-01-03', 3)");
    db.exec(&format!(
        "CREATE TRIGGER no BEFORE INSERT ON tiny_days BEGIN SELECT RAISE(ABORT, '{HOSTILE}\n2026-01-01T00:00:00Z  INFO fine'); END"
    ));
    for args in
        [&["refresh"][..], &["refresh", "--json"], &["refresh", "-vv"], &["refresh", "--full"], &["status"]]
    {
        let output = harmless(tiny.dashagg().args(args).run());
        assert!(
            !output.stderr.lines().any(|line| line.starts_with("2026-01-01")),
            "a forged line: {}",
            output.stderr
        );
        assert!(args[0] == "status" || output.code == 1, "{}", output.stderr);
    }
    db.exec("DROP TRIGGER no");

    // What a hook says, and names of files.
    let config = db.dir().join("config.toml");
    std::fs::write(&config, "[[hooks]]\ncommand = [\"sh\", \"-c\", \"printf 'x\\\\033[2Jy' >&2; exit 1\"]\n")
        .unwrap();
    mode(&config, 0o600);
    let hook = harmless(tiny.dashagg().arg("-c").arg(&config).args(["refresh", "--full"]).run()).code(3);
    assert!(hook.stdout.contains("1b}[2Jy") && hook.stderr.contains("1b}[2Jy"), "{hook:?}");
    harmless(tiny.dashagg().arg("-c").arg(HOSTILE).arg("status").run()).code(2);
    harmless(tiny.dashagg().args(["--json", "status", HOSTILE]).run()).code(2);
    for args in [&[HOSTILE][..], &["refresh", "--jobs", HOSTILE], &["status", "--json", "--no", HOSTILE]] {
        let output = harmless(tiny.dashagg().args(args).run()).code(2);
        assert!(output.stderr.contains("error"), "{}", output.stderr);
    }
    std::fs::write(tiny.path(&format!("{HOSTILE}.toml")), "").unwrap();
    harmless(tiny.dashagg().arg("status").run());
}

/// SQL for another program stays what it is.
#[test]
fn a_dry_run_gives_the_scripts_as_they_are() {
    let db = TestDb::new(Kind::Sqlite);
    let tiny = Tiny::new(&db);
    tiny.script("0002_mark.sql", "CREATE VIEW mark AS SELECT '\u{200f}\u{202b}x\u{9b}' AS y;\n");
    let sql = tiny.dashagg().args(["create", "--dry-run"]).run().ok().stdout;
    assert!(sql.contains("'\u{200f}\u{202b}x\u{9b}'"), "{sql:?}");
}

// --- False servers ---------------------------------------------------------------------------------------------------

/// What a false server heard, and the run that met it.
struct Met {
    output: std::process::Output,
    /// Whether the warning was on stderr before the server asked for anything.
    warned: bool,
    stderr: String,
    heard: Vec<u8>,
}

/// Runs `status` against a server of our own. `hello` plays its part on a connection until the client would be asked for
/// its password, and says whether it gets so far; only then, and after the warning or a second, `ask` goes on.
fn meet(
    scheme: &str,
    mode: &str,
    remote: bool,
    hello: fn(&mut TcpStream) -> bool,
    ask: fn(&mut TcpStream) -> Vec<u8>,
) -> Met {
    let db = TestDb::new(Kind::Sqlite);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://u@{}/d", listener.local_addr().unwrap());
    let run = db.dashagg_without_url().env("DASHAGG_DATABASE_URL", url).env("DASHAGG_PASSWORD", "hunter2");
    let run = run.env("DASHAGG_TLS", mode).env("FAILPOINTS", if remote { "remote=return" } else { "" });
    let mut child = run.arg("status").spawn();

    let (warning, warned) = mpsc::channel();
    let errors = child.stderr.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut all = String::new();
        for line in BufReader::new(errors).lines() {
            let line = line.unwrap();
            if line.contains("is not encrypted") {
                let _ = warning.send(());
            }
            all.push_str(&format!("{line}\n"));
        }
        all
    });
    let (asked, answer) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if hello(&mut stream) {
                let warned = warned.recv_timeout(std::time::Duration::from_secs(1)).is_ok();
                let _ = asked.send((warned, ask(&mut stream)));
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    let (warned, heard) = answer.try_recv().unwrap_or_default();
    Met { output, warned, stderr: reading.join().unwrap(), heard }
}

/// PostgreSQL without TLS: `N` to whoever asks for it; then the start-up message is awaited.
fn postgres_hello(stream: &mut TcpStream) -> bool {
    let mut head = [0; 8];
    if stream.read_exact(&mut head).is_err() {
        return false;
    }
    if head[4..] == [4, 210, 22, 47] {
        stream.write_all(b"N").unwrap();
        if stream.read_exact(&mut head).is_err() {
            return false;
        }
    }
    let mut rest = vec![0; u32::from_be_bytes(head[..4].try_into().unwrap()) as usize - 8];
    stream.read_exact(&mut rest).is_ok()
}

/// AuthenticationCleartextPassword.
fn postgres_ask(stream: &mut TcpStream) -> Vec<u8> {
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).unwrap();
    let mut heard = vec![0; 64];
    let count = stream.read(&mut heard).unwrap_or(0);
    heard.truncate(count);
    heard
}

/// MySQL without TLS speaks first; the client's answer holds what proves the password.
fn mysql_hello(stream: &mut TcpStream) -> bool {
    let mut body = b"\x0a8.0.36\0\x01\0\0\0abcdefgh\0".to_vec();
    // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_WITH_DB; no SSL.
    let capabilities: u32 = 0x0200 | 0x8000 | 0x0008_0000 | 0x0008;
    body.extend(&capabilities.to_le_bytes()[..2]);
    body.extend([45, 2, 0]);
    body.extend(&capabilities.to_le_bytes()[2..]);
    body.extend([21; 1]);
    body.extend([0; 10]);
    body.extend(b"ijklmnopqrst\0mysql_native_password\0");
    let mut packet = vec![body.len() as u8, 0, 0, 0];
    packet.extend(body);
    stream.write_all(&packet).is_ok() && stream.peek(&mut [0]).is_ok_and(|count| count > 0)
}

fn mysql_ask(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = vec![0; 512];
    let count = stream.read(&mut heard).unwrap_or(0);
    heard.truncate(count);
    heard
}

fn false_server(
    scheme: &str,
    hello: fn(&mut TcpStream) -> bool,
    ask: fn(&mut TcpStream) -> Vec<u8>,
    sign: &str,
) {
    let gave = |met: &Met| String::from_utf8_lossy(&met.heard).contains(sign);
    // Far away, `prefer`: first the warning, then the password.
    let met = meet(scheme, "prefer", true, hello, ask);
    assert!(gave(&met), "{}", met.stderr);
    assert_eq!(met.stderr.matches("is not encrypted").count(), 1, "{}", met.stderr);
    assert!(met.stderr.contains("127.0.0.1") && met.stderr.contains("tls = \"require\""), "{}", met.stderr);
    assert!(met.warned, "asked before the warning: {}", met.stderr);
    assert_eq!(met.output.status.code(), Some(1));
    // Here, or where plain text is asked for: as ever, without a word.
    for (mode, remote) in [("prefer", false), ("disable", true)] {
        let met = meet(scheme, mode, remote, hello, ask);
        assert!(gave(&met) && !met.stderr.contains("not encrypted"), "{mode}: {}", met.stderr);
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let met = meet(scheme, mode, true, hello, ask);
        assert!(met.heard.is_empty(), "{mode}: {:?}", met.heard);
        assert!(met.stderr.contains("does not support TLS"), "{mode}: {}", met.stderr);
    }
}

#[test]
fn a_false_postgres_gets_no_password_before_the_warning() {
    false_server("postgres", postgres_hello, postgres_ask, "hunter2");
}

#[test]
fn a_false_mysql_gets_no_answer_before_the_warning() {
    false_server("mysql", mysql_hello, mysql_ask, "mysql_native_password");
}

//! Servers: those that the environment names, else private ones that die with this process.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, exit};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{Client, Kind};
use crate::{say, text};

/// A server and how to reach its databases.
#[derive(Clone)]
pub struct Server {
    pub kind: Kind,
    url: url::Url,
}

impl Server {
    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    /// A connection outside of the benchmark's databases.
    pub fn admin(&self) -> Result<Client, String> {
        Client::try_connect(self.kind, &self.url(if self.kind == Kind::Postgres { "postgres" } else { "" }))
    }
}

/// Private servers in one temporary folder; stopped and removed at the end, on a panic and on a signal.
pub struct Servers(Arc<Mutex<Private>>);

#[derive(Default)]
struct Private {
    dir: Option<tempfile::TempDir>,
    running: Vec<Child>,
}

impl Servers {
    pub fn new() -> Self {
        let private = Arc::new(Mutex::new(Private::default()));
        let on_signal = Arc::clone(&private);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let mut terminate = signal(SignalKind::terminate()).unwrap();
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => (),
                    _ = terminate.recv() => (),
                }
            });
            on_signal.lock().unwrap_or_else(std::sync::PoisonError::into_inner).stop();
            exit(130);
        });
        Servers(private)
    }

    /// The server of that kind that the environment names, else a private one.
    pub fn start(&self, kind: Kind) -> Server {
        let given = match kind {
            Kind::Mariadb => "DASHAGG_BENCH_MARIADB_URL",
            _ => "DASHAGG_BENCH_POSTGRES_URL",
        };
        let url = text(given).unwrap_or_else(|| {
            say(&format!("starting a private {kind:?}"));
            self.0.lock().unwrap().start(kind)
        });
        Server { kind, url: url::Url::parse(&url).unwrap_or_else(|e| panic!("{given}: {e}")) }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).stop();
    }
}

impl Private {
    fn start(&mut self, kind: Kind) -> String {
        // One server at a time: both would not fit into the memory of a small machine.
        self.stop();
        let dir = tempfile::Builder::new().prefix("dashagg-bench.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let home = dir.path().join("db");
        fs::create_dir(&home).unwrap();
        let log = dir.path().join("server.log");
        self.dir = Some(dir);
        let (child, url) = match kind {
            Kind::Mariadb => mariadb(&home, &log, port),
            _ => postgres(&home, &log, port),
        };
        self.running.push(child);
        let deadline = Instant::now() + Duration::from_secs(120);
        let ask = if kind == Kind::Postgres { format!("{url}postgres") } else { url.clone() };
        while let Err(e) = Client::try_connect(kind, &ask) {
            let stopped = self.running.last_mut().unwrap().try_wait().unwrap();
            assert!(
                stopped.is_none() && Instant::now() < deadline,
                "the private {kind:?} does not answer: {e}\n{}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        url
    }

    /// The data is thrown away: no orderly shutdown, but `SIGQUIT` lets PostgreSQL free its shared memory.
    fn stop(&mut self) {
        for mut child in self.running.drain(..) {
            let quit = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let deadline = Instant::now() + Duration::from_secs(10);
            while quit.is_ok() && Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            child.kill().ok();
            child.wait().ok();
        }
        self.dir = None;
    }
}

fn mariadb(home: &Path, log: &Path, port: u16) -> (Child, String) {
    let server = program(&["mariadbd", "mysqld"], "mariadb-server");
    let install = program(&["mariadb-install-db", "mysql_install_db"], "mariadb-server");
    let pool = text("DASHAGG_BENCH_POOL").unwrap_or_else(|| "4G".into());
    let init = home.join("init.sql");
    // An init file takes one statement per line.
    let users: String = ["%", "localhost"]
        .map(|host| {
            format!(
                "CREATE USER 'bench'@'{host}' IDENTIFIED BY 'secret';\n\
                 GRANT ALL PRIVILEGES ON *.* TO 'bench'@'{host}';\n"
            )
        })
        .concat();
    fs::write(&init, users).unwrap();
    own("mysql", home);
    let data = format!("--datadir={}", home.join("data").display());
    let mut installing = as_user("mysql", "KILL", &install, log);
    installing.args(["--no-defaults", &data, "--skip-test-db", "--innodb-log-file-size=1G"]);
    finish(installing, log);
    let mut command = as_user("mysql", "KILL", &server, log);
    command.args(["--no-defaults", &data]).args([
        format!("--tmpdir={}", home.display()),
        format!("--init-file={}", init.display()),
        format!("--port={port}"),
        format!("--socket={}", home.join("s.sock").display()),
        format!("--pid-file={}", home.join("pid").display()),
        format!("--innodb-buffer-pool-size={pool}"),
    ]);
    // The temporary table of the script's GROUP BY fits into 512M: on disk it would be slower still.
    command.args([
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--innodb-log-file-size=1G",
        "--innodb-flush-log-at-trx-commit=2",
        "--tmp-table-size=512M",
        "--max-heap-table-size=512M",
        "--skip-log-bin",
    ]);
    (command.spawn().expect("MariaDB does not start"), format!("mysql://bench:secret@127.0.0.1:{port}/"))
}

fn postgres(home: &Path, log: &Path, port: u16) -> (Child, String) {
    let bin = postgres_programs();
    let password = home.join("password");
    fs::write(&password, "secret\n").unwrap();
    own("postgres", home);
    let data = home.join("data");
    let mut init = as_user("postgres", "QUIT", &bin.join("initdb"), log);
    init.arg("-D").arg(&data).arg(format!("--pwfile={}", password.display())).args([
        "-U",
        "bench",
        "--auth=scram-sha-256",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]);
    finish(init, log);
    let mut command = as_user("postgres", "QUIT", &bin.join("postgres"), log);
    command.arg("-D").arg(&data);
    for setting in [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", home.display()),
        format!("shared_buffers={}", text("DASHAGG_BENCH_POOL").unwrap_or_else(|| "2GB".into())),
        "work_mem=256MB".into(),
        "maintenance_work_mem=1GB".into(),
        "max_wal_size=8GB".into(),
        "synchronous_commit=off".into(),
    ] {
        command.arg("-c").arg(setting);
    }
    (
        command.spawn().expect("PostgreSQL does not start"),
        format!("postgres://bench:secret@127.0.0.1:{port}/"),
    )
}

/// As `tests/run` does: as that user when we are root (PostgreSQL refuses root), in a session of its own, and with a
/// signal when this process is killed outright.
fn as_user(user: &str, signal: &str, program: &Path, log: &Path) -> Command {
    let mut command = Command::new("setsid");
    command.args(["setpriv", "--pdeathsig", signal]);
    if is_root() {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    let log = File::options().create(true).append(true).open(log).unwrap();
    command.arg(program).current_dir("/").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("PG") {
            command.env_remove(&key);
        }
    }
    command
}

fn finish(mut command: Command, log: &Path) {
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}\n{}", fs::read_to_string(log).unwrap_or_default());
}

fn own(user: &str, path: &Path) {
    if is_root() {
        let owner = format!("{user}:{user}");
        let done = Command::new("chown").args([OsStr::new("-R"), owner.as_ref(), path.as_os_str()]).status();
        assert!(done.is_ok_and(|status| status.success()), "chown {owner} failed");
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// An ordinary user's PATH on Debian has no sbin, where the server lives.
fn program(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(more).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{} is missing: apt-get install {package}", names[0]))
}

/// Debian keeps PostgreSQL's programs out of PATH, one folder per version: the newest.
fn postgres_programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    versions
        .pop()
        .map_or_else(|| program(&["initdb"], "postgresql").parent().unwrap().to_owned(), |(_, newest)| newest)
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

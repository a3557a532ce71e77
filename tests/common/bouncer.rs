//! A PgBouncer of a test's own, in transaction mode, in front of a server of the list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Client, TestDb, servers};

pub struct Bouncer {
    dir: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Bouncer {
    /// With so many sessions for each database.
    pub fn new(db: &TestDb, pool: u32) -> Self {
        db.server.needs_sessions();
        let (user, host) = db.url.trim_start_matches("postgres://").split_once('@').unwrap();
        let (user, password) = user.split_once(':').unwrap();
        let (host, port) = host.split_once('/').unwrap().0.split_once(':').unwrap();
        let dir = tempfile::Builder::new().prefix("dashagg-pool-").tempdir_in("/tmp").unwrap();
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(dir.path().join("users.txt"), format!("\"{user}\" \"{password}\"\n")).unwrap();
        let at = dir.path().display();
        std::fs::write(
            dir.path().join("pgbouncer.ini"),
            format!(
                "[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\n\
                 unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {at}/users.txt\npool_mode = transaction\n\
                 default_pool_size = {pool}\nmax_client_conn = 100\n"
            ),
        )
        .unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        // It refuses to run as root.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            let owned = Command::new("chown").arg("-R").arg("postgres").arg(dir.path()).status();
            assert!(owned.unwrap().success());
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
        }
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/local/sbin:/usr/sbin:/sbin";
        let program = path.split(':').map(|dir| std::path::Path::new(dir).join("pgbouncer"));
        let program = program.into_iter().find(|program| program.is_file()).unwrap_or_else(|| {
            servers::no_program("pgbouncer", &std::io::Error::from(std::io::ErrorKind::NotFound))
        });
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        command.arg(program).arg(dir.path().join("pgbouncer.ini")).current_dir("/");
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let this = Bouncer { dir, port: own, child };
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = Client::try_connect(db.kind, &this.url(db)) {
            let said = std::fs::read_to_string(this.dir.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "the pooler does not answer: {error}\n{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }

    /// The test's database through it.
    pub fn url(&self, db: &TestDb) -> String {
        let (before, name) = db.url.rsplit_once('/').unwrap();
        let user = before.split_once('@').unwrap().0;
        format!("{user}@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A PostgreSQL of a test's own, for what no other test could bear.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::process::Child;
use std::time::{Duration, Instant};

use super::{Client, Kind};

/// A PostgreSQL of this test's own, which it may kill.
pub struct PrivatePostgres {
    dir: tempfile::TempDir,
    bin: std::path::PathBuf,
    port: u16,
    child: Option<Child>,
}

impl PrivatePostgres {
    pub fn new() -> Self {
        let mut bins: Vec<std::path::PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path().join("bin"))
            .filter(|bin| bin.join("initdb").is_file())
            .collect();
        bins.sort();
        let dir = tempfile::Builder::new().prefix("dashagg-kill-").tempdir_in("/tmp").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bin = bins.pop().expect("PostgreSQL's programs are missing: apt-get install postgresql");
        let mut server = PrivatePostgres { dir, bin, port, child: None };
        if is_root() {
            let owned = std::process::Command::new("chown").arg("postgres").arg(server.dir.path()).status();
            assert!(owned.unwrap().success());
        }
        let data = server.dir.path().join("data");
        let made = server
            .as_user("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "dashagg", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.start();
        server
    }

    /// PostgreSQL refuses to run as root.
    fn as_user(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if is_root() {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
        }
        command.arg(self.bin.join(program)).current_dir("/");
        command
    }

    pub fn start(&mut self) {
        let child = self
            .as_user("postgres")
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={}", self.port)])
            .args(["-c", &format!("unix_socket_directories={}", self.dir.path().display())])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.wait();
    }

    /// Until it lets somebody in.
    pub fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Client::try_connect(Kind::Postgres, &self.url()).is_err() {
            assert!(Instant::now() < deadline, "the private server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://dashagg@127.0.0.1:{}/postgres", self.port)
    }

    /// As a crash: no orderly shutdown of anything.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            std::process::Command::new("kill").args(["-QUIT", &child.id().to_string()]).status().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

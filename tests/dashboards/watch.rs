//! `refresh --watch`: every commit is published, and nothing lost, whatever dies. How soon is printed, not asserted: it is
//! the machine's as much as ours.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::private::PrivatePostgres;
use crate::common::{Dashagg, Kind, TestDb, conformance};
use crate::run::wait_until;
use crate::small::SOURCES;
use crate::views::tiny;

/// A watcher that does not outlive a test that fails.
struct Watch(Option<Child>);

impl Watch {
    fn start(dashagg: Dashagg) -> Self {
        Watch(Some(dashagg.spawn()))
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.kill();
    }
}

fn stop(mut watch: Watch) -> String {
    let mut watch = watch.0.take().unwrap();
    let pid = watch.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while watch.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "--watch does not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
    let out = watch.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{text}");
    text
}

/// A watcher that cannot even begin says so and ends; what is tested here begins after that.
fn first_build(client: &mut crate::common::Client) {
    let sql = "SELECT COUNT(*) FROM dashagg_summary WHERE published_at IS NOT NULL";
    until("the first build", || client.one(sql) == "1");
}

/// Engines spell the same decimal with and without its zeros.
fn number(client: &mut crate::common::Client, sql: &str) -> f64 {
    client.one(sql).parse().unwrap()
}

fn until(what: &str, done: impl FnMut() -> bool) {
    wait_until(done, || format!("{what}: not seen"));
}

/// The published sum over everything: each change below adds to it.
const SUM: &str = "SELECT COALESCE(SUM(amount), 0) FROM financials_summary_monthly_category";

conformance!(each_commit_is_published_and_the_watcher_stops_cleanly, |db: &TestDb| {
    db.exec(SOURCES);
    db.dashagg().args(["create", "financials"]).run().ok();
    let watch = Watch::start(db.dashagg().args(["refresh", "financials", "--watch"]));
    let mut client = db.client();
    let raw = "SELECT SUM(amount) FROM financials";
    until("the first build", || number(&mut client, SUM) == number(&mut client, raw));
    let mut took = Vec::new();
    for n in 0..10 {
        client.exec(&format!(
            "INSERT INTO financials VALUES ({}, 'A1', 'US', '2025-01-01', 'sales', 1)",
            100 + n
        ));
        let sum = number(&mut client, raw);
        let start = Instant::now();
        until("a commit", || number(&mut client, SUM) == sum);
        took.push(start.elapsed());
    }
    took.sort();
    println!("published after {:?} (median of {})", took[took.len() / 2], took.len());
    stop(watch);
    db.dashagg().args(["verify", "financials"]).run().ok();
});

const MANIFEST: &str = "description = \"tiny\"\nengines = [\"postgres\"]\nnotify = true\n[sources.items]\n\
    partition = [\"grp\"]\n\
    [summaries.sums]\nselect = \"sums.sql\"\nkey = [\"grp\"]\npartition = [\"grp\"]\n";

const SCRIPT: &str = "CREATE TABLE IF NOT EXISTS sums (grp TEXT PRIMARY KEY, amount NUMERIC(20,2));\n";

fn own(db: &TestDb) -> Dashagg {
    db.dashagg().args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
}

fn notifying() -> TestDb {
    let db = TestDb::new(Kind::Postgres);
    tiny(&db, MANIFEST, SCRIPT);
    std::fs::write(
        db.dir().join("sql/tiny/sums.sql"),
        "SELECT grp, SUM(amount) AS amount FROM items GROUP BY grp\n",
    )
    .unwrap();
    own(&db).args(["create", "tiny"]).run().ok();
    db
}

#[test]
fn a_signal_ends_the_statement_of_a_later_refresh_too_postgres() {
    let db = notifying();
    std::fs::write(
        db.dir().join("sql/tiny/sums.sql"),
        "SELECT grp, SUM(amount) AS amount FROM items WHERE amount < 100 OR pg_sleep(60) IS NULL GROUP BY grp\n",
    )
    .unwrap();
    let watch = Watch::start(own(&db).args(["refresh", "tiny", "--watch"]));
    let mut client = db.client();
    first_build(&mut client);
    client.exec("INSERT INTO items VALUES (1001, 'a', 1)");
    let sum = "SELECT COALESCE(SUM(amount), 0) FROM sums WHERE grp = 'a'";
    until("a first refresh", || number(&mut client, sum) == 1.0);
    client.exec("INSERT INTO items VALUES (1002, 'a', 100)");
    let sleeping = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    until("the slow statement", || client.one(sleeping) == "1");
    stop(watch);
    until("its end on the server", || client.one(sleeping) == "0");
}

#[test]
fn neither_a_hanging_hook_nor_a_failing_set_delays_the_others_postgres() {
    let db = notifying();
    // A second set, whose SELECT fails on one row.
    let other = db.dir().join("sql/other");
    std::fs::create_dir_all(other.join("postgres")).unwrap();
    let manifest = MANIFEST.replace("sums", "shares").replace("notify = true\n", "");
    std::fs::write(other.join("summaries.toml"), manifest).unwrap();
    std::fs::write(
        other.join("shares.sql"),
        "SELECT grp, SUM(1 / amount) AS amount FROM items GROUP BY grp\n",
    )
    .unwrap();
    std::fs::write(other.join("postgres/0001_shares.sql"), SCRIPT.replace("sums", "shares")).unwrap();
    let config = db.dir().join("config.toml");
    let (started, gate) = (db.dir().join("started"), db.dir().join("gate"));
    std::fs::write(&gate, "").unwrap();
    // Hangs until the test lets it go, which is after all that it must not delay.
    let hook = format!("touch {}; while [ -e {} ]; do sleep 0.05; done", started.display(), gate.display());
    std::fs::write(
        &config,
        format!("[[hooks]]\ntimeout = \"10m\"\ncommand = [\"sh\", \"-c\", \"{hook}\"]\n"),
    )
    .unwrap();
    own(&db).arg("create").run().ok();
    db.exec("INSERT INTO items VALUES (1000, 'bad', 0)");
    let watch = Watch::start(own(&db).arg("-c").arg(&config).args(["refresh", "--watch"]));
    let mut client = db.client();
    let sum = "SELECT COALESCE(SUM(amount), 0) FROM sums";
    // The first build starts the hook; the failing set is tried ever less often.
    first_build(&mut client);
    until("the hook", || started.exists());
    let before = number(&mut client, sum);
    for n in 1..=3 {
        client.exec(&format!("INSERT INTO items VALUES ({}, 'a', 1)", 2000 + n));
        until("a commit", || number(&mut client, sum) == before + f64::from(n));
    }
    std::fs::remove_file(&gate).unwrap();
    drop(watch);
}

#[test]
fn fifty_commits_a_second_are_all_published_postgres() {
    const SECONDS: u64 = 8;
    let db = notifying();
    let watch = Watch::start(own(&db).args(["refresh", "tiny", "--watch"]));
    let mut client = db.client();
    first_build(&mut client);
    let start = Instant::now();
    let mut id = 0;
    // One row a commit, each worth 1.
    while start.elapsed() < Duration::from_secs(SECONDS) {
        id += 1;
        client.exec(&format!("INSERT INTO items VALUES ({id}, 'g{}', 1)", id % 5));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(id > 20, "{id} commits are no load");
    until("the last commit", || {
        number(&mut client, "SELECT COALESCE(SUM(amount), 0) FROM sums") == f64::from(id)
    });
    let said = stop(watch);
    assert!(said.contains("commits wake it") || said.contains("polling instead"), "{said}");
    own(&db).args(["verify", "tiny"]).run().ok();
}

#[test]
fn nothing_is_lost_when_the_connection_or_the_process_is_killed_postgres() {
    let db = notifying();
    db.server.needs_sessions(); // ended by name
    let mut watch = Watch::start(own(&db).args(["refresh", "tiny", "--watch"]));
    let mut client = db.client();
    let right = |client: &mut crate::common::Client| {
        number(client, "SELECT COALESCE(SUM(amount), 0) FROM sums")
            == number(client, "SELECT COALESCE(SUM(amount), 0) FROM items")
    };
    first_build(&mut client);
    for round in 0..6 {
        for n in 0..20 {
            client.exec(&format!("INSERT INTO items VALUES ({}, 'g{}', 1)", round * 100 + n, n % 5));
            if n == 10 {
                match round % 3 {
                    // Every connection of the watcher, the listening one too.
                    0 | 1 => client.exec(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE application_name LIKE 'dashagg%' AND datname = current_database()",
                    ),
                    _ => {
                        watch.kill();
                        watch = Watch::start(own(&db).args(["refresh", "tiny", "--watch"]));
                    }
                }
            }
        }
        until("after a kill", || right(&mut client));
    }
    stop(watch);
    own(&db).args(["verify", "tiny"]).run().ok();
}

#[test]
fn nothing_is_lost_when_the_server_is_killed_postgres() {
    let mut server = PrivatePostgres::new();
    // A folder for the set; the database of its own is only for that.
    let db = TestDb::new(Kind::Sqlite);
    let folder = db.dir().join("sql/tiny/postgres");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(db.dir().join("sql/tiny/summaries.toml"), MANIFEST).unwrap();
    std::fs::write(folder.join("0001_sums.sql"), SCRIPT).unwrap();
    std::fs::write(
        db.dir().join("sql/tiny/sums.sql"),
        "SELECT grp, SUM(amount) AS amount FROM items GROUP BY grp\n",
    )
    .unwrap();
    let url = server.url();
    let dashagg = || {
        db.dashagg_without_url()
            .env("DASHAGG_DATABASE_URL", &url)
            .args(["--sql-dir", db.dir().join("sql").to_str().unwrap()])
    };
    let connect = |server: &PrivatePostgres| crate::common::Client::connect(Kind::Postgres, &server.url());
    connect(&server).exec("CREATE TABLE items (id INTEGER PRIMARY KEY, grp TEXT, amount NUMERIC(10,2))");
    dashagg().args(["create", "tiny"]).run().ok();
    let watch = Watch::start(dashagg().args(["refresh", "tiny", "--watch"]));
    let sum = |client: &mut crate::common::Client, table: &str| {
        number(client, &format!("SELECT COALESCE(SUM(amount), 0) FROM {table}"))
    };
    first_build(&mut connect(&server));
    for round in 0..3 {
        let mut client = connect(&server);
        for n in 0..30 {
            client.exec(&format!("INSERT INTO items VALUES ({}, 'g{}', 1)", round * 100 + n, n % 5));
        }
        // The last commits are hardly claimed yet.
        server.kill();
        server.start();
        let mut client = connect(&server);
        assert_eq!(sum(&mut client, "items"), f64::from((round + 1) * 30));
        until("after the server's restart", || sum(&mut client, "sums") == sum(&mut client, "items"));
    }
    stop(watch);
    dashagg().args(["verify", "tiny"]).run().ok();
}

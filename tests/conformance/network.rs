//! A network that swallows packets, a server that restarts, a signal in the middle: every run ends, and in time.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::harness::server;
use crate::common::{Dashagg, Kind, TestDb};
use crate::proxy::Proxy;
use crate::run::{Run, held};
use crate::sample::{assert_right, built, cents};

/// `network_timeout` + `connect_timeout` + `reconnect` + a few seconds, with this file, are about 8 s; the machine may be
/// busy, and what waits for ever waits longer than this.
const STATED: Duration = Duration::from_secs(120);
/// What a signal may take: on a quiet machine five seconds, of which no test can be sure.
const SIGNALLED: Duration = Duration::from_secs(60);

const FULL: [&str; 2] = ["refresh", "--full"];
/// Slow enough to be hit.
const PACE: &str = "staging=sleep(60)";

fn config(db: &TestDb, retries: u32, reconnect: &str) -> PathBuf {
    let path = db.dir().join(format!("network-{retries}-{reconnect}.toml"));
    let text = format!(
        "[database]\nnetwork_timeout = \"2s\"\nconnect_timeout = \"1s\"\nlock_timeout = \"2s\"\n\
         [run]\nretries = {retries}\nreconnect = \"{reconnect}\"\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn through(proxy: &Proxy, db: &TestDb, config: &std::path::Path) -> Dashagg {
    db.dashagg_without_url().args(["-D", &proxy.url(db), "--config", config.to_str().unwrap()])
}

fn random(most: u64) -> u64 {
    RandomState::new().build_hasher().finish() % most.max(1)
}

fn change(db: &TestDb) {
    db.exec(&format!("UPDATE financials SET amount = amount + {} WHERE id <= 5", cents(db, 100)));
}

/// One run whose network dies at a random moment of it; half of them get a SIGTERM too.
fn swallowed(db: &TestDb, whole: Duration, at: u32) -> i32 {
    let proxy = Proxy::new(db);
    let config = config(db, at % 3, "1s");
    let run = Run::start(through(&proxy, db, &config).args(FULL).env("FAILPOINTS", PACE));
    std::thread::sleep(Duration::from_millis(random(whole.as_millis() as u64)));
    proxy.swallow_all();
    let start = Instant::now();
    let signalled = at % 2 == 1;
    if signalled {
        std::thread::sleep(Duration::from_millis(random(1_500)));
        run.signal("TERM");
    }
    let since_signal = Instant::now();
    let ended = run.end();
    let (took, stopped) = (start.elapsed(), since_signal.elapsed());
    println!("{:?} {at}: exit {} after {took:.1?}", db.kind, ended.code);
    let allowed: &[i32] = if signalled { &[0, 1, 143] } else { &[0, 1] };
    assert!(allowed.contains(&ended.code), "{ended:?}");
    assert!(took < STATED, "took {took:?}: {ended:?}");
    assert!(!signalled || stopped < SIGNALLED, "took {stopped:?} after the signal: {ended:?}");
    if ended.code == 1 {
        let words = ["cannot connect to", "connection lost", "taking the lock of set", "no answer within"];
        assert!(words.iter().any(|words| ended.stderr.contains(words)), "{ended:?}");
    }
    ended.code
}

fn random_moments(kind: Kind) {
    let databases: Vec<TestDb> = (0..5).map(|_| TestDb::new(kind)).collect();
    let hit = &AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (lane, db) in databases.iter().enumerate() {
            scope.spawn(move || {
                built(db, 1_000);
                let proxy = Proxy::new(db);
                let start = Instant::now();
                through(&proxy, db, &config(db, 5, "1s")).args(FULL).env("FAILPOINTS", PACE).run().ok();
                let whole = start.elapsed();
                drop(proxy);
                let mut span = whole.mul_f64(0.8);
                for at in 0..5 {
                    change(db);
                    let code = swallowed(db, span, lane as u32 * 5 + at);
                    hit.fetch_add(usize::from(code != 0), Ordering::SeqCst);
                    // Over before it was hit: what the machine had to do besides, while it was timed, is done.
                    span = if code == 0 { span.mul_f64(0.7) } else { span };
                }
                // What those runs left in the server is no obstacle.
                db.dashagg().args(["refresh", "--wait", "60s"]).run().ok();
                assert_right(db);
            });
        }
    });
    assert!(hit.load(Ordering::SeqCst) > 12, "only {hit:?} of 25 runs were hit");
}

#[test]
fn packets_swallowed_at_random_moments_end_every_run_on_mariadb() {
    random_moments(Kind::Mariadb);
}

#[test]
fn packets_swallowed_at_random_moments_end_every_run_on_postgres() {
    random_moments(Kind::Postgres);
}

/// Only what is connected is cut off, as by a router that forgot its connections: new ones work.
fn forgotten(kind: Kind, failpoints: &str, until: fn(&Run, &TestDb)) {
    let db = &TestDb::new(kind);
    built(db, 1_000);
    change(db);
    let proxy = Proxy::new(db);
    let command = through(&proxy, db, &config(db, 5, "20s"));
    let run = Run::start(command.args(["refresh", "--full", "--json"]).env("FAILPOINTS", failpoints));
    until(&run, db);
    proxy.swallow_existing();
    let ended = run.end().ok();
    assert!(ended.stderr.contains("connection lost"), "{ended:?}");
    assert_ne!(ended.json()["sets"][0]["retries"], 0, "{ended:?}");
    assert_right(db);
}

#[test]
fn connections_to_mariadb_that_a_router_forgot_are_made_again() {
    forgotten(Kind::Mariadb, "publish=1*sleep(1500)", |run, _| run.until_staged());
}

#[test]
fn connections_to_postgres_that_a_router_forgot_are_made_again() {
    server(Kind::Postgres).needs_sessions(); // a pooler goes on with what is cut off
    forgotten(Kind::Postgres, "publish=1*sleep(1500)", |run, _| run.until_staged());
}

#[test]
fn a_publish_to_mariadb_that_a_router_forgot_is_made_again() {
    forgotten(Kind::Mariadb, "publishing=1*sleep(1500)", Run::until_publishing);
}

#[test]
fn a_publish_to_postgres_that_a_router_forgot_is_made_again() {
    forgotten(Kind::Postgres, "publishing=1*sleep(1500)", Run::until_publishing);
}

/// The server goes away in the middle of a run and comes back after two seconds.
fn restarted(kind: Kind, failpoints: &str, until: fn(&Run, &TestDb)) {
    let db = &TestDb::new(kind);
    built(db, 1_000);
    change(db);
    let proxy = Proxy::new(db);
    let command = through(&proxy, db, &config(db, 5, "60s"));
    let run = Run::start(command.args(["refresh", "--full", "--json"]).env("FAILPOINTS", failpoints));
    until(&run, db);
    proxy.down();
    std::thread::sleep(Duration::from_secs(2));
    proxy.up();
    let ended = run.end().ok();
    assert!(ended.stderr.contains("trying to connect again for up to 1m"), "{ended:?}");
    assert_ne!(ended.json()["sets"][0]["retries"], 0, "{ended:?}");
    assert_right(db);
}

#[test]
fn a_restart_of_mariadb_while_staging_ends_in_success() {
    restarted(Kind::Mariadb, "staging=1*sleep(1000)", |run, _| run.until_staging());
}

#[test]
fn a_restart_of_postgres_while_staging_ends_in_success() {
    restarted(Kind::Postgres, "staging=1*sleep(1000)", |run, _| run.until_staging());
}

#[test]
fn a_restart_of_mariadb_inside_the_publish_ends_in_success() {
    restarted(Kind::Mariadb, "publishing=1*sleep(1000)", Run::until_publishing);
}

#[test]
fn a_restart_of_postgres_inside_the_publish_ends_in_success() {
    restarted(Kind::Postgres, "publishing=1*sleep(1000)", Run::until_publishing);
}

#[test]
fn a_server_that_does_not_come_back_ends_the_run_with_what_was_tried() {
    let db = &TestDb::new(Kind::Postgres);
    built(db, 1_000);
    change(db);
    let proxy = Proxy::new(db);
    let command = through(&proxy, db, &config(db, 5, "2s"));
    let run = Run::start(command.args(["refresh", "--full"]).env("FAILPOINTS", "publish=1*sleep(1000)"));
    run.until_staged();
    proxy.down();
    let ended = run.end().code(1);
    assert!(ended.stderr.contains("cannot connect to postgres://"), "{ended:?}");
    assert!(ended.stderr.contains("the connection was lost; tried again"), "{ended:?}");
    assert!(!ended.stderr.contains("secret"), "{ended:?}");
}

#[test]
fn the_first_connection_of_a_run_is_not_waited_for() {
    let db = &TestDb::new(Kind::Postgres);
    let proxy = Proxy::new(db);
    proxy.swallow_all();
    for verb in ["create", "refresh", "status", "verify"] {
        let output = through(&proxy, db, &config(db, 5, "60s")).arg(verb).run().code(1);
        assert!(output.stderr.contains("no answer within 1 s"), "{output:?}");
        assert!(output.seconds < 20.0, "{output:?}");
    }
}

/// The server is silent and the run in the middle of it: one signal is enough, with a word about what is left.
fn signalled(kind: Kind, twice: bool) {
    let db = &TestDb::new(kind);
    built(db, 1_000);
    change(db);
    let proxy = Proxy::new(db);
    let path = db.dir().join("patient.toml");
    std::fs::write(&path, "[database]\nnetwork_timeout = \"5m\"\nconnect_timeout = \"2m\"\n").unwrap();
    let command = through(&proxy, db, &path);
    let run = Run::start(command.args(["refresh", "--full"]).env("FAILPOINTS", "publish=1*sleep(700)"));
    run.until_staged();
    proxy.swallow_all();
    std::thread::sleep(Duration::from_secs(1));
    let start = Instant::now();
    run.signal("INT");
    if twice {
        run.until_log("interrupted: cancelling");
        run.signal("INT");
    }
    let ended = run.end().code(130);
    assert!(start.elapsed() < SIGNALLED, "took {:?}", start.elapsed());
    let explained =
        ended.stderr.contains("the server does not answer") && ended.stderr.contains("dashagg status");
    assert_eq!(explained, !twice, "{ended:?}");
}

#[test]
fn a_signal_while_mariadb_is_silent_ends_the_run() {
    signalled(Kind::Mariadb, false);
}

#[test]
fn a_signal_while_postgres_is_silent_ends_the_run() {
    signalled(Kind::Postgres, false);
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    signalled(Kind::Postgres, true);
    // Whatever the process is doing.
    let db = &TestDb::new(Kind::Sqlite);
    built(db, 1_000);
    change(db);
    let run = held(db, &["--full"], "publish=sleep(30000)");
    run.until_staged();
    run.signal("TERM");
    run.until_log("interrupted: cancelling");
    run.signal("TERM");
    run.end().code(143);
    db.dashagg().arg("refresh").run().ok();
    assert_right(db);
}

#[test]
fn watching_a_silent_server_ends_regularly_and_in_time() {
    let db = &TestDb::new(Kind::Postgres);
    built(db, 1_000);
    let proxy = Proxy::new(db);
    let run = Run::start(through(&proxy, db, &config(db, 5, "1s")).args(["refresh", "--watch"]));
    run.until_log("watching 1 set(s)");
    std::thread::sleep(Duration::from_millis(500));
    proxy.swallow_all();
    std::thread::sleep(Duration::from_millis(1_500));
    let start = Instant::now();
    run.signal("TERM");
    run.end().ok();
    assert!(start.elapsed() < SIGNALLED, "took {:?}", start.elapsed());
}

/// A script may give its session another name: it is found by its number.
#[test]
fn a_session_that_a_script_gave_another_name_is_no_lost_connection_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let set = crate::own::slow(db);
    std::fs::write(
        set.join("slow/postgres/0002_slow.sql"),
        "SET application_name = 'migration'; DO $$ BEGIN PERFORM pg_sleep(9); END $$;",
    )
    .unwrap();
    let config = config(db, 0, "1s");
    let create = db.dashagg().arg("--config").arg(config).arg("--sql-dir").arg(set).arg("create");
    create.run().ok();
}

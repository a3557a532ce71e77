//! What follows a publish: commands, web hooks, NOTIFY and a real Redis.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Dashagg, Kind, TestDb, conformance};
use crate::sets::built;
use crate::small::SOURCES;

fn with_config(db: &TestDb, hooks: &str) -> Dashagg {
    let path = db.dir().join("config.toml");
    std::fs::write(&path, hooks).unwrap();
    db.dashagg().arg("-c").arg(path)
}

conformance!(a_command_is_told_what_changed_and_only_then, |db: &TestDb| {
    db.exec(SOURCES);
    let out = db.dir().join("told");
    let hooks = format!(
        "[[hooks]]\non = [\"financials\"]\ncommand = [\"sh\", \"-c\", \"cat >> '{}'\"]\n",
        out.display()
    );
    let dashagg = || with_config(db, &hooks);
    dashagg().args(["create", "financials"]).run().ok();
    dashagg().args(["refresh", "financials"]).run().ok();
    let told: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let names: Vec<&str> =
        told["changed"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["asin", "brand", "category"]);
    std::fs::remove_file(&out).unwrap();
    // Nothing changed: nobody is told.
    dashagg().args(["refresh", "financials"]).run().ok();
    dashagg().args(["refresh", "financials", "--full"]).run().ok();
    assert!(!out.exists());
});

conformance!(keys_of_the_value_that_a_row_had_go_as_well, |db: &TestDb| {
    db.exec(SOURCES);
    let redis = Redis::start();
    let hooks = format!(
        "[[hooks]]\non = [\"financials.asin\"]\nredis = \"redis://127.0.0.1:{}/0\"\ndelete = [\"brand:{{brand_id}}:*\"]\n",
        redis.port
    );
    let dashagg = || with_config(db, &hooks);
    dashagg().args(["create", "financials"]).run().ok();
    dashagg().args(["refresh", "financials"]).run().ok();
    for brand in [1, 2, 9] {
        redis.ask(&format!("SET brand:{brand}:page old"));
    }
    db.exec("UPDATE products SET brand_id = 9 WHERE asin = 'A1'");
    dashagg().args(["refresh", "financials"]).run().ok();
    for (brand, there) in [(1, "0"), (2, "1"), (9, "0")] {
        let answer = redis.ask(&format!("EXISTS brand:{brand}:page"));
        assert!(answer.contains(there), "brand {brand}: {answer}");
    }
});

#[test]
fn a_name_that_means_nothing_deletes_nothing_and_is_said_sqlite() {
    let db = &TestDb::new(Kind::Sqlite);
    db.exec(SOURCES);
    let redis = Redis::start();
    let hooks = format!(
        "[[hooks]]\nredis = \"redis://127.0.0.1:{}/0\"\ndelete = [\"{{tennant}}:*\", \"all:*\"]\n",
        redis.port
    );
    with_config(db, &hooks).args(["create", "financials"]).run().ok();
    redis.ask("SET session:1 x");
    redis.ask("SET all:1 x");
    let said = with_config(db, &hooks).args(["refresh", "financials"]).run().code(3).stderr;
    assert!(said.contains("{tennant}:*") && said.contains("no such column"), "{said}");
    assert!(redis.ask("EXISTS session:1").contains('1'));
    assert!(redis.ask("EXISTS all:1").contains('0'));
}

conformance!(a_hook_that_fails_is_reported_and_undoes_nothing, |db: &TestDb| {
    db.exec(SOURCES);
    let hooks = "[[hooks]]\ncommand = [\"sh\", \"-c\", \"echo no cache here >&2; exit 9\"]\n";
    with_config(db, hooks).args(["create", "financials"]).run().ok();
    let output = with_config(db, hooks).args(["refresh", "financials", "--json"]).run().code(3);
    let report = output.json();
    assert_eq!(report["status"], "partial", "{report:#}");
    assert_eq!(report["sets"][0]["status"], "ok");
    assert!(report["hooks"][0]["error"].as_str().unwrap().contains("no cache here"), "{report:#}");
    with_config(db, hooks).args(["verify", "financials"]).run().ok();
});

conformance!(a_hook_that_hangs_is_given_up, |db: &TestDb| {
    db.exec(SOURCES);
    let hooks = "[[hooks]]\ncommand = [\"sleep\", \"60\"]\ntimeout = \"1s\"\n";
    with_config(db, hooks).args(["create", "financials"]).run().ok();
    let output = with_config(db, hooks).args(["refresh", "financials"]).run().code(3);
    assert!(output.seconds < 30.0 && output.stderr.contains("no end within 1s"), "{output:?}");
});

#[test]
fn bad_hooks_are_refused_with_their_section_postgres() {
    let db = TestDb::new(Kind::Postgres);
    for (hooks, words) in [
        ("[[hooks]]\non = [\"x\"]\n", "section 1"),
        ("[[hooks]]\ncommand = [\"a\"]\nnotify = \"b\"\n", "name one of"),
        ("[[hooks]]\ncommand = [\"a\"]\ndelete = [\"b\"]\n", "belong to redis"),
        ("[[hooks]]\ncomand = [\"a\"]\n", "unknown field"),
    ] {
        let said = with_config(&db, hooks).arg("status").run().code(2).stderr;
        assert!(said.contains(words), "{hooks}: {said}");
    }
}

#[test]
fn a_web_hook_is_posted_to_postgres() {
    let db = built("school", 200);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/hook?token=geheim", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains("\"changed\"") || !text.trim_end().ends_with('}') {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").unwrap();
        text
    });
    let hooks = format!("[[hooks]]\nwebhook = \"{url}\"\n");
    db.exec("DELETE FROM students WHERE id % 3 = 0");
    with_config(&db, &hooks).args(["refresh", "school"]).run().ok();
    let text = server.join().unwrap();
    assert!(text.starts_with("POST /hook?token=geheim") && text.contains("mv_school_students"), "{text}");
    // Nobody listens any more: reported, without the token.
    db.exec("DELETE FROM students WHERE id % 5 = 0");
    let output = with_config(&db, &hooks).args(["refresh", "school"]).run().code(3);
    assert!(!output.stderr.contains("geheim") && !output.stdout.contains("geheim"), "{output:?}");
}

#[test]
fn notify_reaches_whoever_listens_postgres() {
    let db = built("school", 200);
    let hooks = "[[hooks]]\nnotify = \"dashboards\"\n";
    db.exec("DELETE FROM students WHERE id % 3 = 0");
    with_config(&db, hooks).args(["refresh", "school"]).run().ok();
    let sqlite = TestDb::new(Kind::Sqlite);
    sqlite.exec(SOURCES);
    with_config(&sqlite, hooks).args(["create", "financials"]).run().ok();
    let output = with_config(&sqlite, hooks).args(["refresh", "financials"]).run().code(3);
    assert!(output.stderr.contains("has no NOTIFY"), "{output:?}");
}

/// A private Redis that dies with the test.
struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| crate::common::servers::no_program("redis-server", &e));
        let redis = Redis { server, port };
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        redis
    }

    /// One command, by the protocol's inline form; the raw answer.
    fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 65536];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn exists(&self, key: &str) -> bool {
        self.ask(&format!("EXISTS {key}")).starts_with(":1")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

#[test]
fn redis_keys_of_what_changed_are_gone_and_warmed_and_no_other_postgres() {
    let db = built("crm", 500);
    let redis = Redis::start();
    let hooks = format!(
        "[[hooks]]\non = [\"crm.mv_daily_metrics\"]\nredis = \"redis://127.0.0.1:{}/0\"\n\
         delete = [\"dashboard:{{organization_id}}:*\"]\nincrement = [\"dashboard:version\"]\n\
         [[hooks.warm]]\nkey = \"warm:{{organization_id}}\"\n\
         query = \"SELECT SUM(orders_count) AS orders FROM mv_daily_metrics WHERE organization_id = {{organization_id}}\"\n\
         ttl = \"10m\"\nstagger = \"1m\"\n",
        redis.port
    );
    let dashagg = || with_config(&db, &hooks);
    let orgs: Vec<String> = db
        .rows("SELECT DISTINCT organization_id::text FROM mv_daily_metrics ORDER BY 1 LIMIT 2")
        .into_iter()
        .flatten()
        .collect();
    let (a, b) = (&orgs[0], &orgs[1]);
    for org in [a, b] {
        redis.ask(&format!("SET dashboard:{org}:2026 old"));
        redis.ask(&format!("SET dashboard:{org}:2025 old"));
    }
    // Nothing changed: no key is touched.
    let misses = |redis: &Redis| redis.ask("INFO commandstats");
    dashagg().args(["refresh", "crm"]).run().ok();
    assert!(redis.exists(&format!("dashboard:{a}:2026")) && !redis.exists("dashboard:version"));
    assert!(!misses(&redis).contains("cmdstat_unlink"));

    // One organisation changes.
    db.exec(&format!(
        "INSERT INTO orders (organization_id, order_number, status, total) VALUES ('{a}', 'R-1', 'confirmed', 5)"
    ));
    dashagg().args(["refresh", "crm"]).run().ok();
    assert!(!redis.exists(&format!("dashboard:{a}:2026")) && !redis.exists(&format!("dashboard:{a}:2025")));
    assert!(redis.exists(&format!("dashboard:{b}:2026")) && redis.exists(&format!("dashboard:{b}:2025")));
    assert!(redis.ask("GET dashboard:version").contains("\r\n1\r\n"));
    let warm = redis.ask(&format!("GET warm:{a}"));
    let orders =
        db.one(&format!("SELECT SUM(orders_count) FROM mv_daily_metrics WHERE organization_id = '{a}'"));
    assert!(warm.contains(&format!("[{{\"orders\":\"{orders}\"}}]")), "{warm}");
    assert!(!redis.exists(&format!("warm:{b}")));
    let life: i64 = redis.ask(&format!("PTTL warm:{a}")).trim().trim_start_matches(':').parse().unwrap();
    assert!((590_000..=660_000).contains(&life), "{life}");
    let used = misses(&redis);
    assert!(
        used.contains("cmdstat_scan") && used.contains("cmdstat_unlink") && !used.contains("cmdstat_keys"),
        "{used}"
    );

    // Redis is gone: reported, exit 3, and the data is published all the same.
    let port = redis.port;
    drop(redis);
    db.exec(&format!(
        "INSERT INTO orders (organization_id, order_number, status, total) VALUES ('{b}', 'R-2', 'confirmed', 5)"
    ));
    let output = dashagg().args(["refresh", "crm", "--json"]).run().code(3);
    let report = output.json();
    assert_eq!(report["sets"][0]["status"], "ok", "{report:#}");
    assert!(report["hooks"][0]["error"].as_str().unwrap().contains("Redis"), "{report:#} on port {port}");
    db.dashagg().args(["verify", "crm"]).run().ok();
}

//! Servers that take no writes, and sources whose rows replication brings. What needs a whole server for itself is in
//! `tests/primary_keys.rs`.

use super::shop::Shop;
use crate::common::{Kind, TestDb};
use crate::conformance::run::wait_until;
use crate::small::Tiny;

#[test]
fn a_read_only_server_says_where_to_go_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let shop = Shop::new(db);
    shop.create();
    shop.night(&["refresh"]).run().ok();
    // What a standby answers, from the same place in the server.
    for user in ["dashagg_night", "dashagg_run"] {
        db.exec(&shop.named(&format!("ALTER ROLE {user} SET default_transaction_read_only = on")));
    }
    shop.night(&["status"]).run().ok();
    shop.night(&["verify"]).run().ok();
    db.exec("UPDATE sales SET n = n + 1 WHERE id = 1");
    for (user, verb) in [("dashagg_night", "refresh"), ("dashagg_run", "create")] {
        let said = shop.dashagg(user, &[verb]).run().code(1).stderr;
        assert!(said.contains("read-only; create, refresh and drop run on the primary"), "{said}");
    }
}

/// A subscription of one database to another, on the same server. Ends with it: a database with one cannot be dropped.
struct Subscription<'d> {
    publisher: &'d TestDb,
    subscriber: &'d TestDb,
}

impl<'d> Subscription<'d> {
    fn new(publisher: &'d TestDb, subscriber: &'d TestDb, table: &str) -> Self {
        let (_, host) = publisher.server.url.split_once('@').unwrap();
        let (host, port) = host.trim_end_matches('/').split_once(':').unwrap();
        let name = publisher.name();
        publisher.exec(&format!("CREATE PUBLICATION ours FOR TABLE {table}"));
        publisher.rows(&format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')::text"));
        let this = Subscription { publisher, subscriber };
        subscriber.exec(&format!(
            "CREATE SUBSCRIPTION {name} CONNECTION 'host={host} port={port} user=dashagg password=secret dbname={name}' \
             PUBLICATION ours WITH (create_slot = false, slot_name = '{name}', copy_data = false)"
        ));
        this
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let name = self.publisher.name();
        if self.subscriber.try_exec(&format!("DROP SUBSCRIPTION {name}")).is_err() {
            let _ = self.publisher.try_exec(&format!("SELECT pg_drop_replication_slot('{name}')"));
        }
    }
}

#[test]
fn rows_that_a_subscription_brings_are_warned_of_postgres() {
    let (publisher, db) = (&TestDb::new(Kind::Postgres), &TestDb::new(Kind::Postgres));
    db.server.needs_logical_replication();
    let tiny = Tiny::new(db);
    publisher.exec("CREATE TABLE raw_rows (day DATE NOT NULL, n INTEGER NOT NULL)");
    let warned = "raw_rows: rows that replication brings to this server fire no triggers here";
    assert!(!tiny.create().ok().stderr.contains(warned));
    let _subscription = Subscription::new(publisher, db, "raw_rows");
    assert!(tiny.create().ok().stderr.contains(warned));
    let status = tiny.dashagg().args(["status", "--json"]).run().ok().json();
    assert!(status["warnings"].to_string().contains(warned), "{status}");
    tiny.refresh().ok();
    let arrives = |n: u32| {
        publisher.exec(&format!("INSERT INTO raw_rows VALUES ('2025-01-02', {n})"));
        let there = format!("SELECT COUNT(*) FROM raw_rows WHERE n = {n}");
        wait_until(|| db.one(&there) == "1", || "no row arrives".to_owned());
    };
    // It is so, and the way out is one.
    arrives(40);
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().code(4);
    let manifest = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write(
        "summaries.toml",
        &manifest.replace("partition = ['day']\n[", "partition = ['day']\ntrack = 'fingerprint'\n["),
    );
    assert!(!tiny.create().ok().stderr.contains(warned));
    tiny.refresh().ok();
    arrives(50);
    tiny.refresh().ok();
    tiny.dashagg().arg("verify").run().ok();
    assert_eq!(db.one("SELECT total FROM tiny_days WHERE day = '2025-01-02'"), "92");
}

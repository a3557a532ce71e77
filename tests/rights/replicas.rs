//! Servers that take no writes, and sources whose rows replication brings.

use super::shop::Shop;
use crate::common::{Kind, TestDb, conformance};

#[test]
fn a_read_only_server_says_where_to_go_postgres() {
    let db = &TestDb::new(Kind::Postgres);
    let shop = Shop::new(db);
    shop.create();
    shop.night(&["refresh"]).run().ok();
    db.exec("UPDATE sales SET n = n + 1 WHERE id = 1");
    // What a standby answers, from the same place in the server.
    for user in ["dashagg_night", "dashagg_run"] {
        db.exec(&shop.named(&format!("ALTER ROLE {user} SET default_transaction_read_only = on")));
    }
    for (user, arguments) in [("dashagg_night", ["refresh"]), ("dashagg_run", ["create"])] {
        let said = shop.dashagg(user, &arguments).run().code(1).stderr;
        assert!(said.contains("read-only; create, refresh and drop run on the primary"), "{said}");
    }
    shop.night(&["status"]).run().ok();
    shop.night(&["verify", "--pending-ok"]).run();
}

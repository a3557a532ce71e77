//! Each right that docs/rights.md lists is needed.

use super::shop::Shop;
use crate::common::{Kind, TestDb, conformance};

conformance!(each_right_of_the_night_is_needed, |db: &TestDb| {
    if db.kind == Kind::Sqlite {
        return;
    }
    let shop = Shop::new(db);
    shop.create();
    shop.night(&["refresh"]).run().ok();
    let mysql = [
        ("SELECT ON app.*", true),
        ("INSERT ON app.*", true),
        ("UPDATE ON app.*", true),
        ("DELETE ON app.*", true),
        ("CREATE TEMPORARY TABLES ON app.*", true),
        ("TRIGGER ON app.*", false),
        ("PROCESS ON *.*", false),
    ];
    let of_tables = |right: &str| format!("{right} ON ALL TABLES IN SCHEMA public");
    let postgres: Vec<(String, bool)> =
        ["SELECT", "INSERT", "UPDATE", "DELETE"].map(|right| (of_tables(right), true)).into();
    let listed: Vec<(String, bool)> = match db.kind {
        Kind::Mariadb => mysql.map(|(right, fails)| (right.to_owned(), fails)).into(),
        _ => postgres,
    };
    for (n, (right, fails)) in listed.iter().enumerate() {
        db.exec(&shop.named(&format!("REVOKE {right} FROM dashagg_night")));
        db.exec(&format!("UPDATE sales SET n = n + 1 WHERE id = {}", n + 1));
        let refresh = shop.night(&["refresh"]).run();
        assert_eq!(refresh.code, i32::from(*fails), "{right}: {refresh:?}");
        if right.starts_with("TRIGGER") {
            assert!(refresh.stderr.contains("run `dashagg create shop`"), "{refresh:?}");
        }
        if !*fails {
            shop.is_right(right);
        }
        let grant = match db.kind {
            // Not on the sources: see there.
            Kind::Postgres if !right.starts_with("SELECT") => {
                let right = right.split(' ').next().unwrap();
                let own = db
                    .rows(
                        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' \
                                   AND (tablename LIKE 'dashagg%' OR tablename LIKE 'sales_by%')",
                    )
                    .concat();
                format!("GRANT {right} ON {} TO dashagg_night", own.join(", "))
            }
            _ => format!("GRANT {right} TO dashagg_night"),
        };
        db.exec(
            &grant
                .replace("app.*", &format!("{}.*", db.name()))
                .replace("dashagg_night", &shop.user("dashagg_night")),
        );
    }
    shop.night(&["refresh"]).run().ok();
    shop.is_right("with all of them again");
});

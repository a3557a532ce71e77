//! 'US' and 'US ' are one value or two by the collation: PAD SPACE, NO PAD.

use crate::common::{Kind, TestDb};
use crate::small::{Tiny, refuses};

/// A collation that tells them apart, and ignores case; the same to the byte; and one that does not tell them apart.
fn collations(db: &TestDb) -> [&'static str; 3] {
    if db.server.about().product == "MySQL" {
        ["utf8mb4_0900_ai_ci", "utf8mb4_0900_bin", "utf8mb4_bin"]
    } else {
        ["utf8mb4_unicode_nopad_ci", "utf8mb4_nopad_bin", "utf8mb4_bin"]
    }
}

/// A summary by shop, `shop` alone as its partition and as what notes hold.
fn set<'a>(db: &'a TestDb, source: &str, summary: &str) -> Tiny<'a> {
    let tiny = Tiny::new(db);
    db.exec(&format!(
        "DROP TABLE raw_rows; CREATE TABLE raw_rows (id INTEGER NOT NULL PRIMARY KEY, shop VARCHAR(20) COLLATE {source} NOT NULL, \
         n INTEGER NOT NULL); INSERT INTO raw_rows VALUES (1, 'US', 1), (2, 'DE', 2)"
    ));
    tiny.write(
        "summaries.toml",
        "[sources.raw_rows]\npartition = ['shop']\n[summaries.shops]\ntable = 'tiny_shops'\nselect = 'shops.sql'\n\
         key = ['shop']\npartition = ['shop']\nreconcile = [{ columns = ['n'] }]\n",
    );
    tiny.write("shops.sql", "SELECT shop, SUM(n) AS n FROM raw_rows GROUP BY shop\n");
    tiny.script(
        "0001_days.sql",
        &format!("CREATE TABLE tiny_shops (shop VARCHAR(20) COLLATE {summary} NOT NULL PRIMARY KEY, n BIGINT NOT NULL);\n"),
    );
    tiny
}

fn assert_same(db: &TestDb, tiny: &Tiny<'_>) {
    let rows = |table: &str| {
        db.rows(&format!(
            "SELECT HEX(shop) AS bytes, CAST(SUM(n) AS CHAR) FROM {table} GROUP BY bytes ORDER BY 1"
        ))
    };
    assert_eq!(rows("tiny_shops"), rows("raw_rows"));
    tiny.dashagg().arg("verify").run().ok();
}

#[test]
fn what_the_source_tells_apart_is_told_apart() {
    let db = &TestDb::new(Kind::Mariadb);
    let [_, exact, _] = collations(db);
    let tiny = set(db, exact, exact);
    assert!(!tiny.create().ok().stderr.contains("blanks"));
    tiny.refresh().ok();
    for change in [
        "INSERT INTO raw_rows VALUES (3, 'US ', 4), (4, 'us', 8), (5, '', 16), (6, ' ', 32)",
        "UPDATE raw_rows SET n = n + 1 WHERE id = 3",
        "UPDATE raw_rows SET shop = 'US  ' WHERE id = 3",
        "UPDATE raw_rows SET shop = 'US' WHERE id = 3",
        "UPDATE raw_rows SET shop = 'DE ' WHERE id = 2",
        "DELETE FROM raw_rows WHERE id = 6",
    ] {
        db.exec(change);
        tiny.dashagg().args(["refresh", "--allow-shrink"]).run().ok();
        assert_same(db, &tiny);
    }
    let full = tiny.dashagg().args(["refresh", "--full", "--json"]).run().ok().json();
    assert_eq!(crate::run::changes(&full), [0; 3], "{full:#}");
}

#[test]
fn a_summary_that_cannot_tell_apart_what_its_source_does_says_so() {
    let db = &TestDb::new(Kind::Mariadb);
    let [loose, exact, padded] = collations(db);
    let tiny = set(db, loose, padded);
    // As a partition `create` refuses it; as a key it may never matter.
    let said = refuses(tiny.create(), 2, &["partition column shop", "raw_rows", "tiny_shops"]);
    assert!(said.contains("give tiny_shops.shop the collation of raw_rows.shop"), "{said}");
    let text = std::fs::read_to_string(tiny.path("summaries.toml")).unwrap();
    tiny.write("summaries.toml", &text.replace("partition = ['shop']\n", ""));
    let alter = format!("MODIFY `shop` varchar(20) CHARACTER SET utf8mb4 COLLATE {exact} NOT NULL");
    let created = tiny.create().ok().stderr;
    for word in ["tiny_shops.shop", "raw_rows.shop", loose, padded, &alter] {
        assert!(created.contains(word), "{word} is missing in {created}");
    }
    // Without such values all is well.
    tiny.refresh().ok();
    assert_same(db, &tiny);
    db.exec("INSERT INTO raw_rows VALUES (3, 'US ', 4)");
    let before = db.rows("SELECT shop, n FROM tiny_shops");
    let words = ["tiny_shops.shop", "raw_rows.shop", &alter];
    refuses(tiny.dashagg().args(["refresh", "--full"]).run(), 1, &words);
    let said = refuses(tiny.refresh(), 1, &words);
    assert_eq!(db.rows("SELECT shop, n FROM tiny_shops"), before);
    // What it says helps.
    let from = said.find("ALTER TABLE").unwrap();
    let to = said[from..].find(" NOT NULL").unwrap() + " NOT NULL".len();
    db.exec(&said[from..from + to]);
    tiny.create().ok();
    tiny.refresh().ok();
    assert_same(db, &tiny);
}

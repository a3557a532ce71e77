//! What only MySQL and MariaDB do: files, partition DDL, cascades that no trigger sees.

use crate::case::{Expect::*, after, case, insert};
use crate::common::{Kind, TestDb};
use crate::sample::{built, sample};

#[test]
fn load_data() {
    let db = &TestDb::new(Kind::Mariadb);
    built(db, 1_000);
    // A file that the server wrote is one that it may read, whatever user it runs as.
    let file = format!("{}/{}.txt", db.one("SELECT @@tmpdir"), db.name());
    let columns = "(id, asin, marketplace, month, metric, amount, updated_at)";
    db.exec(&format!(
        "SELECT id, asin, marketplace, '2023-02-01', metric, amount + 1, updated_at FROM financials \
         WHERE id BETWEEN 100 AND 400 INTO OUTFILE '{file}'"
    ));
    case(db, "DELETE before", Seen, "DELETE FROM financials WHERE id BETWEEN 300 AND 400");
    case(
        db,
        "LOAD DATA IGNORE",
        Seen,
        &format!("LOAD DATA INFILE '{file}' IGNORE INTO TABLE financials {columns}"),
    );
    case(
        db,
        "LOAD DATA REPLACE",
        Seen,
        &format!("LOAD DATA INFILE '{file}' REPLACE INTO TABLE financials {columns}"),
    );
    assert_eq!(
        db.one("SELECT COUNT(*) FROM financials WHERE id BETWEEN 100 AND 400 AND month = '2023-02-01'"),
        "301"
    );
}

#[test]
fn partitions() {
    let db = &TestDb::new(Kind::Mariadb);
    sample(db, 1_000);
    let (few, half) = ("VALUES LESS THAN ('2023-02-01')", "VALUES LESS THAN ('2023-07-01')");
    db.exec(&format!(
        "ALTER TABLE financials DROP PRIMARY KEY, ADD PRIMARY KEY (id, month) PARTITION BY RANGE COLUMNS (month) \
         (PARTITION p_first {few}, PARTITION p_half {half}, PARTITION p_rest VALUES LESS THAN (MAXVALUE))"
    ));
    db.dashagg().arg("create").run().ok();
    db.dashagg().arg("refresh").run().ok();
    case(db, "INSERT", Seen, &insert(db, &[("B010000001", "US", "2023-03-01", "sales", 1234)]));
    case(
        db,
        "UPDATE across partitions",
        Seen,
        "UPDATE financials SET month = '2023-11-01' WHERE month = '2023-03-01' AND id < 500",
    );
    case(
        db,
        "EXCHANGE PARTITION",
        Complete("financials"),
        "CREATE TABLE other LIKE financials; ALTER TABLE other REMOVE PARTITIONING; \
         INSERT INTO other SELECT * FROM financials WHERE month = '2023-01-01' AND id % 2 = 0; \
         ALTER TABLE financials EXCHANGE PARTITION p_first WITH TABLE other",
    );
    case(db, "DML after it", Seen, &insert(db, &[("B010000001", "US", "2023-01-01", "sales", 4321)]));
    case(
        db,
        "TRUNCATE PARTITION",
        Complete("financials"),
        "ALTER TABLE financials TRUNCATE PARTITION p_first",
    );
    case(db, "DROP PARTITION", Complete("financials"), "ALTER TABLE financials DROP PARTITION p_first");
    case(db, "DML after them", Seen, "DELETE FROM financials WHERE month = '2023-04-01'");
}

#[test]
fn cascades() {
    let db = &TestDb::new(Kind::Mariadb);
    built(db, 1_000);
    db.exec(
        "CREATE TABLE owners (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO owners VALUES (1), (2), (3); \
         CREATE TABLE imports (id BIGINT NOT NULL PRIMARY KEY, owner BIGINT NOT NULL, \
             FOREIGN KEY (owner) REFERENCES owners (id) ON DELETE CASCADE ON UPDATE CASCADE); \
         INSERT INTO imports VALUES (1, 1), (2, 2), (3, 3); \
         ALTER TABLE financials ADD COLUMN import_id BIGINT NULL, \
         ADD FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE ON UPDATE CASCADE; \
         UPDATE financials SET import_id = id DIV 50 WHERE id BETWEEN 50 AND 199",
    );
    after(db, "the table altered", Complete("financials"));
    case(db, "ON UPDATE CASCADE of what nobody groups by", Seen, "UPDATE imports SET id = 40 WHERE id = 3");
    case(db, "ON DELETE CASCADE", Seen, "DELETE FROM imports WHERE id = 1");
    assert_eq!(db.one("SELECT COUNT(*) FROM financials WHERE id BETWEEN 50 AND 99"), "0");
    db.exec("DELETE FROM owners WHERE id = 2");
    assert_eq!(db.one("SELECT COUNT(*) FROM financials WHERE id BETWEEN 100 AND 149"), "0");
    after(db, "a cascade over two tables", Complete("financials"));
}

//! Sets that a test writes itself, to show that nothing is made for the founding one only.

use std::path::{Path, PathBuf};

use crate::common::{Kind, TestDb};

/// Writes the set `name` and returns the folder for `--sql-dir`. `script` makes the tables, on this engine.
pub fn write_set(db: &TestDb, name: &str, manifest: &str, script: &str, selects: &[(&str, &str)]) -> PathBuf {
    let sets = db.dir().join("sets");
    let engine = match db.kind {
        Kind::Mariadb => "mysql",
        Kind::Postgres => "postgres",
        Kind::Sqlite => "sqlite",
    };
    let folder = sets.join(name);
    std::fs::create_dir_all(folder.join(engine)).unwrap();
    let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    write(&folder.join("summaries.toml"), manifest);
    write(&folder.join(engine).join("0001_tables.sql"), script);
    for (file, select) in selects {
        write(&folder.join(file), select);
    }
    sets
}

/// A small raw table `sales`: three days, three shops, three products, one row each.
pub fn sales(db: &TestDb) {
    db.exec(
        "CREATE TABLE sales (sale_id INTEGER NOT NULL PRIMARY KEY, day DATE NOT NULL, shop VARCHAR(40) NOT NULL, \
         product VARCHAR(40) NOT NULL, amount DECIMAL(12,2) NOT NULL)",
    );
    let mut rows = Vec::new();
    for day in 1..=3 {
        for shop in ["A", "B", "O'Brien \"C\""] {
            for product in ["Pen", "Ink", "Book"] {
                let id = rows.len() + 1;
                let shop = shop.replace('\'', "''");
                rows.push(format!("({id}, '2025-01-0{day}', '{shop}', '{product}', {})", id * id));
            }
        }
    }
    db.exec(&format!("INSERT INTO sales VALUES {}", rows.join(", ")));
}

/// A set whose one SELECT takes the server half a minute.
pub fn slow(db: &TestDb) -> PathBuf {
    sales(db);
    let nothing = match db.kind {
        Kind::Mariadb => "0 * SLEEP(2)",
        Kind::Postgres => "CASE WHEN pg_sleep(2) IS NULL THEN 0 ELSE 0 END",
        Kind::Sqlite => {
            "0 * (SELECT COUNT(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < 5000000 + sales.sale_id) SELECT i FROM n) c)"
        }
    };
    write_set(
        db,
        "slow",
        "[sources.sales]\n[summaries.slow]\nselect = \"slow.sql\"\nkey = [\"sale_id\"]\n",
        "CREATE TABLE slow (sale_id INTEGER NOT NULL PRIMARY KEY, amount DECIMAL(12,2) NOT NULL)",
        &[("slow.sql", &format!("SELECT sale_id, amount + {nothing} AS amount FROM sales"))],
    )
}

/// Whether the server is at the SELECT of [`slow`]; SQLite runs it in the program itself.
pub fn is_sleeping(db: &TestDb) -> bool {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT COUNT(*) > 0 FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User sleep'"
        }
        Kind::Postgres => {
            "SELECT (COUNT(*) > 0)::int FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event = 'PgSleep'"
        }
        Kind::Sqlite => return true,
    };
    db.one(sql) == "1"
}

/// Other sessions in this database; SQLite has none that it knows of.
pub fn others(db: &TestDb) -> Vec<String> {
    let sql = match db.kind {
        Kind::Mariadb => {
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
        Kind::Postgres => {
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        Kind::Sqlite => return Vec::new(),
    };
    db.rows(sql).into_iter().flatten().collect()
}

/// Those of them that do or hold something: a pooler keeps sessions that are idle.
pub fn busy(db: &TestDb) -> Vec<String> {
    match db.kind {
        Kind::Postgres => {
            let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' \
                       AND pid <> pg_backend_pid()";
            db.rows(sql).into_iter().flatten().collect()
        }
        _ => others(db),
    }
}

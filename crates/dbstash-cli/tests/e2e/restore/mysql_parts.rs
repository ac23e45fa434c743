//! Some tables of MySQL and MariaDB: they, what belongs to them, and nothing else.

use dbstash_testkit::{Dbstash, MysqlServer, RemoteKind, TestRemote};

use super::mysql::{is_marked, may_write};
use super::{expect_refused, restore};
use crate::scene::{PATIENCE, dbstash};

/// Tables that refer to each other, with triggers, and views.
const SEED: &str = "CREATE TABLE orders (id INT PRIMARY KEY, n INT); CREATE TABLE items (id INT PRIMARY KEY, of INT, \
    FOREIGN KEY (of) REFERENCES orders (id)); CREATE TABLE log (what VARCHAR(20)); INSERT INTO orders VALUES (1, 1), (2, \
    2); INSERT INTO items VALUES (1, 1), (2, 2); CREATE TRIGGER new_order BEFORE INSERT ON orders FOR EACH ROW SET NEW.n = \
    NEW.n + 1; CREATE TRIGGER order_gone AFTER DELETE ON orders FOR EACH ROW INSERT INTO log VALUES ('order'); CREATE \
    TRIGGER new_line AFTER INSERT ON items FOR EACH ROW INSERT INTO log VALUES ('line'); CREATE VIEW vw AS SELECT id FROM \
    orders; CREATE VIEW zz AS SELECT 1 AS one";

/// What is in the seeded database, and its triggers.
fn content(server: &MysqlServer) -> String {
    let triggers = "SELECT trigger_name, event_object_table FROM information_schema.triggers WHERE trigger_schema = 'shop' \
        ORDER BY 1";
    let rows = ["orders", "items", "log", "vw", "zz"].map(|name| format!("SELECT * FROM {name}; "));
    server.sql("shop", &(rows.concat() + triggers))
}

/// A backup of the seeded database in each mode.
fn backed_up(server: &MysqlServer) -> Option<Vec<(TestRemote, Dbstash)>> {
    server.createdb("shop");
    server.sql("shop", SEED);
    let one = |mode| {
        let remote = TestRemote::start(RemoteKind::Local)?;
        let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
        let run = run.env("BACKUP_MODE", mode);
        run.run(PATIENCE).expect_code(0);
        Some((remote, run))
    };
    ["stream", "directory", "tar"].into_iter().map(one).collect()
}

#[test]
fn parts_of_a_database_mysql() {
    let Some(server) = MysqlServer::start_mariadb("one") else { return };
    may_write(&server);
    let Some(runs) = backed_up(&server) else { return };
    let before = content(&server);
    // A name that is not in the dump is found before the others are touched.
    server.sql("shop", "INSERT INTO log VALUES ('newer')");
    let newer = content(&server);
    let no = ["no table nosuch", "the target is as it was"];
    for (_remote, run) in &runs {
        expect_refused(run, &["--table", "log", "--table", "nosuch", "--clean"], &no);
    }
    let run = &runs[0].1;
    expect_refused(
        run,
        &["--data-only", "--table", "log", "--table", "nosuch", "--clean"],
        &no[..1],
    );
    assert_eq!(content(&server), newer);
    assert!(!is_marked(&server, "shop"));
    let to = server.uri("anew");
    expect_refused(run, &["--to", &to, "--table", "log", "--table", "nosuch"], &no);
    assert_eq!(server.sql("", "SHOW DATABASES LIKE 'anew'"), "");
    server.sql("shop", "DELETE FROM log");
    assert_eq!(content(&server), before);
    // With its own triggers, and no others.
    for (_remote, run) in &runs {
        server.sql("shop", "SET FOREIGN_KEY_CHECKS = 0; TRUNCATE TABLE orders");
        let done = restore(run, &["--table", "orders", "--clean"]);
        assert!(done.expect_code(0).stdout.contains("foreign keys of other tables (1)"), "{done}");
        assert_eq!(content(&server), before);
    }
    let run = &runs[1].1;
    expect_refused(run, &["--table", "nosuch"], &no);
    server.sql("shop", "DROP VIEW vw");
    restore(run, &["--table", "vw"]).expect_code(0).expect_no_leftovers();
    assert_eq!(content(&server), before);
    server.sql("shop", "DROP TABLE items");
    // Before it is marked, for nothing else is wrong with it.
    let no = ["there is no table items to put rows into"];
    expect_refused(run, &["--data-only", "--table", "items"], &no);
    server.sql("shop", "DROP TRIGGER new_order");
    expect_refused(run, &["--data-only", "--clean"], &no);
    assert!(!is_marked(&server, "shop"));
    restore(run, &["--table", "orders", "--clean"]).expect_code(0);
    restore(run, &["--schema-only", "--table", "items"]).expect_code(0);
    restore(run, &["--table", "items", "--clean"]).expect_code(0);
    assert_eq!(content(&server), before);
    // Another table's restore does not end that of one which was cut off.
    server.sql(
        "shop",
        "CREATE TABLE dbstash_restore_incomplete (x INT) COMMENT='x (a part: rows of orders)'",
    );
    let no = ["(a part: rows of orders)", "dbstash restore --table orders --data-only --clean"];
    expect_refused(run, &["--table", "log", "--clean"], &no);
    expect_refused(run, &["--table", "orders", "--schema-only", "--clean"], &no);
    expect_refused(run, &[], &no);
    assert!(is_marked(&server, "shop"));
    let doctor = run.clone().args(["doctor"]).run(PATIENCE);
    let told = "dbstash restore --table orders --data-only --clean makes it whole, and leaves";
    assert!(doctor.stdout.contains(told), "{doctor}");
    restore(run, &["--table", "orders", "--table", "log", "--clean"]).expect_code(0);
    assert!(!is_marked(&server, "shop"));
    assert_eq!(content(&server), before);
    // What the server needs is nobody's target.
    let databases = server.sql("", "SHOW DATABASES");
    for (own, more) in [("mysql", Some("--clean")), ("SYS", Some("--dry-run")), ("ndbinfo", None)] {
        let (to, told) = (server.uri(own), format!("{own} is the server's own database"));
        let words: Vec<&str> = more.into_iter().chain(["--to", &to]).collect();
        expect_refused(run, &words, &[&told]);
    }
    assert_eq!(server.sql("", "SHOW DATABASES"), databases);
    // A name that differs only in case is another one.
    server.createdb("T2");
    server.createdb("t2");
    let mine = "CREATE EVENT soon ON SCHEDULE EVERY 1 DAY DO DO 1; CREATE TABLE Orders (id INT); CREATE TRIGGER tr \
        BEFORE INSERT ON Orders FOR EACH ROW SET NEW.id = 7; CREATE FUNCTION f() RETURNS INT RETURN 1";
    server.sql("t2", mine);
    let (upper, lower) = (server.uri("T2"), server.uri("t2"));
    restore(run, &["--to", &upper]).expect_code(0);
    restore(run, &["--to", &lower, "--table", "orders"]).expect_code(0);
    // MariaDB would drop the other one's events, too.
    let no = ["another database", "only in case", "events (1)"];
    expect_refused(run, &["--to", &upper, "--clean"], &no);
    assert_eq!(server.sql("T2", "SELECT COUNT(*) FROM orders"), "2");
    assert!(server.sql("t2", "SHOW EVENTS").contains("soon"));
}

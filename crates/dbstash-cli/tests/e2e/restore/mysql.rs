//! MySQL and MariaDB: verified first, and marked until all of it is there.

use std::process::{Child, Stdio};

use dbstash_testkit::mysql::Family;
use dbstash_testkit::server::eventually;
use dbstash_testkit::{Dbstash, MysqlServer, RemoteKind, Running, Signal, TestRemote};

use super::{expect_refused, restore};
use crate::mysql::conformance::{ODD, Pair};
use crate::scene::{PATIENCE, backups, dbstash};

/// Its user may write, too.
pub(super) fn may_write(server: &MysqlServer) {
    server.sql("", "GRANT ALL ON *.* TO stash@'127.0.0.1'; GRANT ALL ON *.* TO stash@localhost");
}

/// A seeded server, and a fresh one whose user may restore.
fn pair(family: Family) -> Option<Pair> {
    let pair = Pair::start(family)?;
    may_write(&pair.fresh);
    Some(pair)
}

/// Settings of a job for the seeded one.
fn run(pair: &Pair, remote: &TestRemote) -> Dbstash {
    dbstash(remote).env("PATH", pair.server.path()).env("DB_URI", pair.server.uri(ODD))
}

/// Whether an interrupted restore has left its mark in a database.
pub(super) fn is_marked(server: &MysqlServer, database: &str) -> bool {
    let tables = server.sql(
        "",
        &format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'"
        ),
    );
    tables.lines().any(|table| table == "dbstash_restore_incomplete")
}

#[test]
fn what_both_families_know_goes_across() {
    let (Some(maria), Some(mysql)) =
        (MysqlServer::start_mariadb("one"), MysqlServer::start_mysql("two"))
    else {
        return;
    };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for (from, to) in [(&mysql, &maria), (&maria, &mysql)] {
        may_write(to);
        let collation = match from.family() {
            Family::Mysql => "utf8mb4_0900_ai_ci",
            Family::Mariadb => "utf8mb4_uca1400_as_cs",
        };
        from.createdb("across");
        from.sql(
            "across",
            &format!(
                "CREATE TABLE hen (id INT PRIMARY KEY, name VARCHAR(60) COLLATE {collation}) DEFAULT CHARSET=utf8mb4 \
                 COLLATE={collation}; INSERT INTO hen VALUES (1, '🦀 COLLATE {collation}'), (2, 'Zoë'); CREATE TABLE egg \
                 (hen INT, FOREIGN KEY (hen) REFERENCES hen (id)) DEFAULT CHARSET=utf8mb4; INSERT INTO egg VALUES (2); CREATE VIEW both_ AS SELECT name \
                 FROM hen JOIN egg ON egg.hen = hen.id; CREATE TRIGGER watch AFTER INSERT ON egg FOR EACH ROW INSERT \
                 INTO hen VALUES (NEW.hen + 10, 'new')"
            ),
        );
        // Both clients are on the PATH: each server has its own.
        let (one, other) = (from.path(), to.path());
        let run = dbstash(&remote).env("DB_URI", from.uri("across"));
        let more = match from.family() {
            Family::Mysql => "--set-gtid-purged=ON",
            Family::Mariadb => "--comments",
        };
        let made = run.clone().env("PATH", one).env("DUMP_EXTRA_ARGS", more).run(PATIENCE);
        made.expect_code(0);
        // What only one of them has: the transactions of its log, the first line of its own client.
        let dump = remote.read(&backups(&run)[0]);
        let own = match from.family() {
            Family::Mysql => "\nSET @@GLOBAL.GTID_PURGED=",
            Family::Mariadb => "enable the sandbox mode",
        };
        assert!(String::from_utf8_lossy(&dump).contains(own), "{own}");
        let run = run.env("PATH", other).env("DBSTASH_ENGINE", to.family().scheme());
        let done = restore(&run, &["--db", "across", "--to", &to.uri("across the line")]);
        assert!(done.expect_code(0).stdout.contains("a dump of"), "{done}");
        assert!(done.stdout.contains("the server's default character set"), "{done}");
        let rows = "SELECT CONCAT_WS(',', (SELECT GROUP_CONCAT(name ORDER BY id) FROM hen), (SELECT name FROM both_))";
        let want = format!("🦀 COLLATE {collation},Zoë,Zoë");
        assert_eq!(to.sql("across the line", rows), want);
        to.sql("across the line", "INSERT INTO egg VALUES (1)");
        assert_eq!(to.sql("across the line", "SELECT name FROM hen WHERE id = 11"), "new");
        from.sql("", "DROP DATABASE across");
        to.sql("", "DROP DATABASE `across the line`");
        for name in remote.names() {
            remote.delete(&name);
        }
    }
}

#[test]
fn a_table_comes_back_beside_the_others() {
    let Some(server) = MysqlServer::start_mariadb("one") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    may_write(&server);
    server.createdb("shop");
    server.seed_shop("shop", 50);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    run.run(PATIENCE).expect_code(0);
    let digest = server.digest("shop");
    let odd = "tick`s \"and\" 50% ü-name.";
    let mut words = vec!["--table", "latin", "--table", odd];
    server.sql("shop", "DELETE FROM latin; DELETE FROM `tick``s \"and\" 50% ü-name.`");
    expect_refused(&run, &words, &["not empty (2 tables)", "--clean"]);
    words.push("--clean");
    restore(&run, &words).expect_code(0).expect_no_leftovers();
    assert_eq!(server.digest("shop"), digest);
    // Rows alone, of a table that is there: what it has goes first.
    server.sql("shop", "UPDATE latin SET word = 'other'");
    expect_refused(&run, &["--data-only", "--table", "latin"], &["1 non-empty table"]);
    restore(&run, &["--data-only", "--table", "latin", "--clean"]).expect_code(0);
    assert_eq!(server.digest("shop"), digest);
    expect_refused(&run, &["--data-only", "--clean"], &["triggers", "fire"]);
    // What is not there changes nothing, not even a mark.
    expect_refused(&run, &["--table", "nonesuch"], &["it has no table nonesuch", "as it was"]);
    assert_eq!(server.digest("shop"), digest);
    let to = server.uri("bare");
    restore(&run, &["--schema-only", "--to", &to]).expect_code(0);
    assert_eq!(server.sql("bare", "SELECT COUNT(*) FROM bulk"), "0");
    let counted =
        "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    assert_eq!(server.sql("bare", counted), server.sql("shop", counted));
}

#[test]
fn tables_come_before_those_that_they_refer_to() {
    let Some(server) = MysqlServer::start_mariadb("one") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    may_write(&server);
    server.createdb("kin");
    // The bigger one is loaded first, too.
    server.sql(
        "kin",
        "CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, of INT NOT NULL, \
         CONSTRAINT `of it` FOREIGN KEY (of) REFERENCES parent (id)); INSERT INTO parent VALUES (1), (2); \
         INSERT INTO child SELECT seq, seq % 2 + 1 FROM seq_1_to_5000; CREATE TABLE other AS SELECT 7 AS a",
    );
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("kin"));
    let run = run.env("BACKUP_MODE", "directory");
    run.run(PATIENCE).expect_code(0);
    let digest = server.digest("kin");
    server.sql("kin", "DROP TABLE child; DELETE FROM parent");
    let done = restore(&run, &["--clean", "--jobs", "3"]);
    assert!(done.expect_code(0).stdout.contains("(by 3 at once)"), "{done}");
    assert_eq!(server.digest("kin"), digest);
    // The key holds.
    for sql in ["INSERT INTO child VALUES (9999, 3)", "DELETE FROM parent WHERE id = 1"] {
        let error = server.try_sql("kin", sql.as_bytes()).unwrap_err();
        assert!(error.contains("a foreign key constraint fails"), "{error}");
    }
}

#[test]
fn what_is_there_stays_unless_it_may_go_mysql() {
    let Some(pair) = pair(Family::Mariadb) else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = run(&pair, &remote);
    run.run(PATIENCE).expect_code(0);
    let (fresh, to) = (&pair.fresh, pair.fresh.uri(ODD));
    let quoted = format!("`{ODD}`");
    fresh.sql("", &format!("CREATE DATABASE {quoted} COLLATE utf8mb4_czech_ci"));
    fresh.sql(ODD, "CREATE TABLE mine (x INT); INSERT INTO mine VALUES (7)");
    let untouched = || assert_eq!(fresh.sql(ODD, "SELECT x FROM mine"), "7");
    expect_refused(&run, &["--to", &to], &["not empty (1 table)", "--clean"]);
    untouched();
    let dry = run.clone().args(["restore", "--dry-run", "--clean", "--to", &to]).run(PATIENCE);
    assert!(dry.expect_code(0).stdout.contains("1 table"), "{dry}");
    untouched();
    // Who may drop it, and not make it again, does neither.
    for host in ["127.0.0.1", "localhost"] {
        fresh.sql("", &format!("REVOKE CREATE ON *.* FROM stash@'{host}'"));
    }
    expect_refused(
        &run,
        &["--clean", "--to", &to],
        &["cannot be made ready", "denied", "may be gone"],
    );
    untouched();
    may_write(fresh);
    // What is not what was stored is found before anything is changed.
    let name = backups(&run).remove(0);
    let good = remote.read(&name);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    remote.write(&name, &flipped);
    expect_refused(&run, &["--clean", "--to", &to], &["corrupt", "the target is as it was"]);
    remote.write(&name, &good[..good.len() - 7]);
    expect_refused(&run, &["--clean", "--to", &to], &["no backup here"]);
    untouched();
    remote.write(&name, &good);
    // Of a restore that was cut off, the next one knows.
    fresh.sql(ODD, "CREATE TABLE dbstash_restore_incomplete (x INT) COMMENT='the former one'");
    expect_refused(&run, &["--to", &to], &["an interrupted restore of the former one", "--clean"]);
    restore(&run, &["--clean", "--to", &to]).expect_code(0).expect_no_leftovers();
    assert!(!is_marked(fresh, ODD));
    let collation = format!(
        "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{ODD}'"
    );
    assert_eq!(fresh.sql("", &collation), "utf8mb4_czech_ci");
    assert_eq!(fresh.sql(ODD, "SELECT COUNT(*) FROM bulk"), "3000");
}

/// A restore of rows that has come to a table which somebody else keeps as it is, and that somebody.
fn held(run: &Dbstash, server: &MysqlServer, words: &[&str]) -> (Running, Child) {
    let mut holder = server.client(server.family().scheme());
    holder.args(["--database=copy", "--execute=LOCK TABLES locked READ; SELECT SLEEP(600)"]);
    let holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is = |user: &str, state: &str| {
        let all = server.sql("", "SHOW FULL PROCESSLIST");
        all.lines().any(|line| line.contains(user) && line.contains(state))
    };
    assert!(eventually(PATIENCE, || is("root", "User sleep")));
    let mut running = run.clone().args(["restore", "--yes"].iter().chain(words)).spawn();
    running.wait_until(PATIENCE, |_| is("stash", "metadata lock"));
    (running, holder)
}

#[test]
fn what_is_cut_off_is_known_as_such() {
    is_cut_off(Family::Mariadb, &["dbstash", "client", "server"]);
}

#[test]
fn a_mysql_that_is_killed_in_the_middle() {
    is_cut_off(Family::Mysql, &["server"]);
}

fn is_cut_off(family: Family, ways: &[&str]) {
    let Some(mut server) = MysqlServer::start(family, "one") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    may_write(&server);
    server.createdb("shop");
    let tables = "CREATE TABLE a (x INT); CREATE TABLE locked (x INT); INSERT INTO a VALUES (1); INSERT INTO locked VALUES (2)";
    server.sql("shop", tables);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    run.run(PATIENCE).expect_code(0);
    restore(&run, &["--schema-only", "--to", &server.uri("copy")]).expect_code(0);
    for &way in ways {
        let to = server.uri("copy");
        let (running, mut holder) = held(&run, &server, &["--data-only", "--clean", "--to", &to]);
        match way {
            "dbstash" => running.signal(Signal::KILL),
            "client" => running.child(family.scheme()).unwrap().signal(Signal::KILL),
            _ => server.kill(),
        }
        let done = running.wait(PATIENCE);
        if way == "server" {
            server.restart();
            assert!(done.stderr.contains("went away in the middle of the restore"), "{done}");
        } else {
            holder.kill().unwrap();
        }
        holder.wait().unwrap();
        assert_ne!(done.code, Some(0), "{done}");
        assert!(is_marked(&server, "copy"), "{way}: {done}");
        // Half a database is no backup.
        let half = run.clone().env("DB_URI", server.uri("copy")).run(PATIENCE);
        half.expect_code(1);
        assert!(half.stderr.contains("the database holds an interrupted restore"), "{half}");
        let to = server.uri("copy");
        expect_refused(
            &run,
            &["--data-only", "--to", &to],
            &["an interrupted restore of", "(a part: rows of all tables)"],
        );
        restore(&run, &["--data-only", "--clean", "--to", &to]).expect_code(0);
        assert!(!is_marked(&server, "copy"));
        assert_eq!(server.sql("copy", "SELECT a.x, locked.x FROM a, locked"), "1\t2", "{way}");
    }
    server.sql("copy", "UPDATE a SET x = 7");
    let to = server.uri("copy");
    let words = ["--table", "a", "--clean", "--to", &to];
    let done = restore(&run, &words);
    assert!(!done.expect_code(0).stdout.contains("foreign keys"), "{done}");
    assert_eq!(server.sql("copy", "SELECT x FROM a"), "1");
}

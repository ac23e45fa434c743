//! MySQL and MariaDB: verified first, and marked until all of it is there.

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{Dbstash, MysqlServer, RemoteKind, TestRemote};

use super::{expect_refused, restore};
use crate::modes::Work;
use crate::mysql::conformance::{ODD, Pair};
use crate::scene::{PATIENCE, backups, dbstash};

/// Its user may write, too.
fn may_write(server: &MysqlServer) {
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
fn is_marked(server: &MysqlServer, database: &str) -> bool {
    let tables = server.sql(
        "",
        &format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'"
        ),
    );
    tables.lines().any(|table| table == "dbstash_restore_incomplete")
}

fn conforms(family: Family) {
    let Some(pair) = pair(family) else { return };
    let ways = [
        (RemoteKind::Local, "stream", "none"),
        (RemoteKind::S3, "stream", "zstd"),
        (RemoteKind::CryptS3, "stream", "gzip"),
    ];
    let digest = pair.digest();
    for (kind, mode, compression) in ways {
        let Some(remote) = TestRemote::start(kind) else { continue };
        eprintln!("--- {mode} {compression} on {kind}");
        let run = run(&pair, &remote).env("BACKUP_MODE", mode);
        let work = Work::under(run.env("BACKUP_COMPRESSION", compression));
        work.run.run(PATIENCE).expect_code(0);
        pair.fresh.sql("", &format!("DROP DATABASE IF EXISTS `{ODD}`"));
        let done = restore(&work.run, &["--to", &pair.fresh.uri(ODD)]);
        eprint!("{}", done.stdout);
        done.expect_code(0).expect_no_leftovers();
        assert_eq!(pair.compared(), digest, "{mode} {kind}");
        work.is_empty();
    }
}

#[test]
fn mariadb_comes_back_as_it_was() {
    conforms(Family::Mariadb);
}

#[test]
fn mysql_comes_back_as_it_was() {
    conforms(Family::Mysql);
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

//! The disk of the target is full: what was there is still there, or a mark says that it is not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::redis::Family as RedisFamily;
use dbstash_testkit::{MysqlServer, PgServer, RedisServer, RemoteKind, TestRemote, Tmpfs, sqlite};

use super::mysql::may_write;
use super::{expect_refused, restore};
use crate::scene::{PATIENCE, dbstash, shop_file};

const AS_IT_WAS: &str = "the target is as it was";

#[test]
fn a_file_stays_as_it_was_on_a_full_disk() {
    let (Some(shop), Some(small)) = (shop_file(5000), shop_file(10)) else { return };
    let Some(disk) = Tmpfs::mount("600k") else { return };
    let file = disk.path().join("shop.db");
    fs::copy(&small.path, &file).unwrap();
    let to = format!("sqlite://{}", file.display());
    for (format, said) in [("sql", "database or disk is full"), ("file", "No space left")] {
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        let run = dbstash(&remote).env("DB_URI", shop.uri()).env("SQLITE_FORMAT", format);
        run.run(PATIENCE).expect_code(0);
        expect_refused(&run, &["--clean", "--to", &to], &[said, AS_IT_WAS]);
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "{format}");
        assert_eq!(sqlite::digest(&file), sqlite::digest(&small.path), "{format}");
    }
}

#[test]
fn a_dump_file_of_redis_is_whole_or_not_there() {
    let Some(server) = RedisServer::start(RedisFamily::Redis7) else { return };
    let Some(disk) = Tmpfs::mount("64k") else { return };
    server.seed(1);
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri());
    run.run(PATIENCE).expect_code(0);
    let file = disk.path().join("dump.rdb");
    expect_refused(&run, &["--to-file", file.to_str().unwrap()], &["No space left", AS_IT_WAS]);
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}

#[test]
fn a_database_on_a_full_disk_is_as_it_was_or_marked() {
    let Some(disk) = Tmpfs::mount("6m") else { return };
    let Some(server) = PgServer::start("secret") else { return };
    let space = disk.path().join("space");
    fs::create_dir(&space).unwrap();
    let owner = fs::metadata(server.socket_dir()).unwrap();
    chown(&space, Some(owner.uid()), Some(owner.gid())).unwrap();
    let make = format!("CREATE TABLESPACE small LOCATION '{}'", space.display());
    server.psql("postgres", &format!("{make}; ALTER ROLE stash SUPERUSER"));
    server
        .psql("postgres", "CREATE DATABASE target OWNER stash TEMPLATE template0 TABLESPACE small");
    server.psql("target", "CREATE TABLE mine AS SELECT 1 AS a");
    let before = server.digest("target");
    server.createdb("shop");
    server.psql(
        "shop",
        "CREATE TABLE big AS SELECT n, repeat('text ', 40) FROM generate_series(1, 30000) AS n;
        CREATE TABLE small AS SELECT 7 AS a",
    );
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let run = run.env("PG_GLOBALS", "off").env("BACKUP_COMPRESS", "true");
    run.run(PATIENCE).expect_code(0);
    let to = server.uri("target");
    let words = ["--clean", "--to", &to];
    expect_refused(&run, &words, &["No space left on device", AS_IT_WAS]);
    assert_eq!(server.digest("target"), before);
    // By several connections it is not one transaction.
    let words = ["--clean", "--jobs", "2", "--to", &to];
    expect_refused(&run, &words, &["No space left on device", "is marked"]);
    expect_refused(&run, &["--to", &to], &["holds an interrupted restore of 2", "--clean"]);
    disk.resize("64m");
    restore(&run, &words).expect_code(0).expect_no_leftovers();
    crate::pg::expect_same(&server.digest("target"), &server.digest("shop"), "with room for it");
}

#[test]
fn a_mariadb_on_a_full_disk_is_marked() {
    on_a_full_disk(Family::Mariadb);
}

#[test]
fn a_mysql_on_a_full_disk_is_marked() {
    on_a_full_disk(Family::Mysql);
}

fn on_a_full_disk(family: Family) {
    let Some(server) = MysqlServer::start(family, "secret") else { return };
    let Some(disk) = Tmpfs::mount_within(&server.dir("disk"), "4m") else { return };
    may_write(&server);
    server.createdb("shop");
    server.sql(
        "shop",
        "CREATE TABLE early (a INT); INSERT INTO early VALUES (7);
        CREATE TABLE later AS WITH RECURSIVE one AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM one WHERE n < 1000)
        SELECT one.n, REPEAT('text ', 40) AS text FROM one JOIN one AS other ON other.n <= 30",
    );
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    run.run(PATIENCE).expect_code(0);
    let place = disk.path().join("copy");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
    if family == Family::Mysql {
        // It knows its databases by more than their directories.
        server.createdb("copy");
        fs::remove_dir(server.dir("data").join("copy")).unwrap();
    }
    // The server may see another root than we do.
    let data = server.dir("data");
    let seen = place.strip_prefix(data.parent().unwrap()).unwrap();
    symlink(Path::new("..").join(seen), data.join("copy")).unwrap();
    let to = server.uri("copy");
    expect_refused(&run, &["--to", &to], &["is full", "is marked"]);
    assert_eq!(server.sql("copy", "SELECT a FROM early"), "7");
    expect_refused(&run, &["--to", &to], &["holds an interrupted restore of 2", "--clean"]);
    // The database is made anew, where there is room.
    restore(&run, &["--clean", "--to", &to]).expect_code(0).expect_no_leftovers();
    assert_eq!(server.digest("copy"), server.digest("shop"));
}

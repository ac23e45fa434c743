//! Without dbstash: what `--print-command` prints, and what lies beside the backups, run as they are by bash, with
//! rclone and stock tools on the PATH.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use dbstash_testkit::mysql::{Family, quoted};
use dbstash_testkit::redis::Family as RedisFamily;
use dbstash_testkit::{
    Dbstash, MysqlServer, PgServer, RedisServer, RemoteKind, Scratch, TestRemote, sqlite,
};

use crate::modes::Work;
use crate::scene::{PATIENCE, dbstash, shop_file};

/// Runs both texts; `set` are the variables a person would set, the last one the place, in which `#` is another number
/// each time. What is there then is to be checked.
#[track_caller]
fn both(
    run: &Dbstash,
    remote: &TestRemote,
    path: &OsStr,
    set: &[(&str, String)],
    check: impl Fn(&str),
) {
    let printed = run.clone().args(["restore", "--print-command"]).run(PATIENCE);
    let printed = printed.expect_code(0).stdout.clone();
    let names: Vec<String> = remote.everything().into_keys().collect();
    let beside = names.iter().find(|name| name.ends_with(".RESTORE.txt")).expect("no text beside");
    let beside = String::from_utf8(remote.read(beside)).unwrap();
    assert!(
        !printed.contains("dbstash ") && beside.contains(&*printed),
        "{beside}\n---\n{printed}"
    );
    let ((place, at), set) = set.split_last().unwrap();
    for (number, text) in [printed, beside].into_iter().enumerate() {
        let at = at.replace('#', &number.to_string());
        let scratch = Scratch::new("hand");
        let mut shell = Command::new("bash");
        shell.args(["-c", &text]).current_dir(scratch.path()).env_clear();
        shell.env("PATH", path).env("HOME", scratch.path()).env("RCLONE_CONFIG", "/dev/null");
        shell.envs(remote.env()).envs(set.iter().cloned()).env(place, &at);
        let done = shell.output().unwrap();
        assert!(done.status.success(), "{text}\n{}", String::from_utf8_lossy(&done.stderr));
        let left = fs::read_dir(scratch.path()).unwrap();
        let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!left.any(|name| name.starts_with("dump")), "{text}");
        check(&at);
    }
}

#[test]
fn postgresql_by_hand() {
    let Some(server) = PgServer::start("secret") else { return };
    server.createdb("shop");
    server.seed_shop("shop", 200);
    let digest = server.digest("shop");
    let ways = [
        (RemoteKind::Local, "stream", "", "none"),
        (RemoteKind::S3, "stream", "", "zstd"),
        (RemoteKind::Local, "stream", "-Fc", "none"),
        (RemoteKind::Local, "stream", "-Ft", "none"),
        (RemoteKind::Local, "stream", "-Z 1", "none"),
        (RemoteKind::Local, "directory", "", "none"),
        (RemoteKind::CryptS3, "tar", "", "gzip"),
    ];
    for (number, (kind, mode, extra, compression)) in ways.into_iter().enumerate() {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run = dbstash(&remote)
            .env("DB_URI", server.uri("shop"))
            .env("BACKUP_MODE", mode)
            .env("DUMP_EXTRA_ARGS", extra)
            .env("BACKUP_COMPRESSION", compression)
            .env("PATH", server.path());
        let work = Work::under(run);
        work.run.run(PATIENCE).expect_code(0);
        both(
            &work.run,
            &remote,
            &server.path(),
            &[
                ("PGHOST", server.socket_dir().to_str().unwrap().to_owned()),
                ("PGPORT", server.port().to_string()),
                ("PGUSER", "postgres".to_owned()),
                ("DATABASE", format!("-it's \"{number}\" a=b #")),
            ],
            |place| assert_eq!(server.digest(place), digest, "{mode} {extra} {compression}"),
        );
    }
}

#[test]
fn mysql_and_mariadb_by_hand() {
    for family in [Family::Mariadb, Family::Mysql] {
        let Some(server) = MysqlServer::start(family, "secret") else { continue };
        let Some(fresh) = MysqlServer::start(family, "secret") else { continue };
        // Views name the database that they are in.
        let odd = "-odd `100%`";
        server.createdb(odd);
        server.seed_shop(odd, 200);
        let digest = server.digest(odd);
        beside_its_source(&server);
        for (kind, mode, compression) in [
            (RemoteKind::Local, "stream", "zstd"),
            (RemoteKind::S3, "directory", "none"),
            (RemoteKind::Local, "tar", "gzip"),
        ] {
            let Some(remote) = TestRemote::start(kind) else { continue };
            let run = dbstash(&remote)
                .env("DB_URI", server.uri(odd))
                .env("BACKUP_MODE", mode)
                .env("BACKUP_COMPRESSION", compression)
                .env("PATH", server.path());
            let work = Work::under(run);
            work.run.run(PATIENCE).expect_code(0);
            both(
                &work.run,
                &remote,
                &server.path(),
                &[
                    ("MYSQL_UNIX_PORT", fresh.socket()),
                    ("MYSQL_USER", "root".to_owned()),
                    ("DATABASE", odd.to_owned()),
                ],
                |place| {
                    assert_eq!(fresh.digest(place), digest, "{family:?} {mode} {compression}");
                    fresh.sql("", &format!("DROP DATABASE {}", quoted(place)));
                },
            );
        }
    }
}

/// A procedure made under another collation has the dump alter the database around it: not that which it is from.
#[track_caller]
fn beside_its_source(server: &MysqlServer) {
    let from = "was `a*/b` & [c].$";
    let default = |database: &str, set: &str| {
        server.sql("", &format!("ALTER DATABASE {} {set}", quoted(database)));
    };
    let what = |column: &str, table: &str, schema: &str, database: &str| {
        let name = database.replace('\\', r"\\").replace('\'', "''");
        let which = format!("information_schema.{table} WHERE {schema} = '{name}'");
        server.sql("", &format!("SELECT {column} FROM {which}"))
    };
    let collation =
        |database: &str| what("default_collation_name", "schemata", "schema_name", database);
    server.createdb(from);
    default(from, "COLLATE utf8mb4_bin");
    server.sql(from, "CREATE PROCEDURE p() SELECT 1");
    default(from, "CHARACTER SET latin1 COLLATE latin1_german1_ci");
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", server.uri(from)).env("PATH", server.path());
    let work = Work::under(run);
    work.run.run(PATIENCE).expect_code(0);
    default(from, "CHARACTER SET utf8mb4 COLLATE utf8mb4_czech_ci");
    let set = [
        ("MYSQL_UNIX_PORT", server.socket()),
        ("MYSQL_USER", "root".to_owned()),
        ("DATABASE", r"now \1 & `d` /#".to_owned()),
    ];
    both(&work.run, &remote, &server.path(), &set, |place| {
        assert_eq!(collation(from), "utf8mb4_czech_ci");
        assert_eq!(collation(place), "latin1_german1_ci");
        let of = what("database_collation", "routines", "routine_schema", place);
        assert_eq!(of, "utf8mb4_bin");
    });
}

#[test]
fn files_by_hand() {
    let scratch = Scratch::new("files");
    let new = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    if let Some(shop) = shop_file(100) {
        for (format, compression) in [("sql", "gzip"), ("file", "zstd"), ("file", "none")] {
            let remote = TestRemote::start(RemoteKind::Local).unwrap();
            let run = dbstash(&remote).env("DB_URI", shop.uri()).env("SQLITE_FORMAT", format);
            let run = run.env("BACKUP_COMPRESSION", compression);
            run.run(PATIENCE).expect_code(0);
            let path = dbstash_testkit::tools::path();
            let name = new(&format!("it's {format} {compression} #"));
            both(&run, &remote, &path, &[("TARGET", name)], |place| {
                assert_eq!(sqlite::digest(place.as_ref()), sqlite::digest(&shop.path));
            });
            // The log of another database would be read into it.
            let (stale, log) = (new("stale.db"), new("stale.db-wal"));
            fs::write(&log, "another's").unwrap();
            let printed = run.clone().args(["restore", "--print-command"]).run(PATIENCE);
            let mut shell = Command::new("bash");
            shell.args(["-c", &printed.stdout]).env("TARGET", &stale).envs(remote.env());
            let done = shell.env("PATH", &path).output().unwrap();
            let told = String::from_utf8_lossy(&done.stderr).contains("-wal is there already");
            assert!(!done.status.success() && told, "{done:?}");
            fs::remove_file(&log).unwrap();
        }
        // Nothing but what was asked for.
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 6);
    }
    if let Some(server) = RedisServer::start(RedisFamily::ALL[0]) {
        server.seed(3);
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        let run = dbstash(&remote).env("DB_URI", server.uri()).env("BACKUP_COMPRESSION", "zstd");
        run.run(PATIENCE).expect_code(0);
        both(&run, &remote, &server.path(), &[("TARGET", new("dump#.rdb"))], |place| {
            let again = RedisServer::of_dump(server.family(), &fs::read(place).unwrap()).unwrap();
            assert_eq!(again.digest(), server.digest());
        });
    }
}

//! Everything that a server holds is stored, however it is got.

use std::thread;

use dbstash_testkit::redis::Family;
use dbstash_testkit::{RedisServer, RemoteKind, Scratch, TestRemote};

use super::{loads, product, stored, stored_or, warnings, whole};
use crate::matrix::place::failed;
use crate::scene::{PATIENCE, dbstash, listed};

/// Whether the server makes no file, how the dump is got, and what is remarked; alternatives are apart by `|`.
#[rustfmt::skip]
const WAYS: [(&str, &str, &str, &str); 9] = [
    ("yes", "replication", "auto",     ""),
    ("yes", "replication", "disk",     ""),
    ("yes", "replication", "diskless", ""),
    ("yes", "auto",        "auto",     ""),
    ("no",  "replication", "auto",     ""),
    ("no",  "replication", "disk",     ""),
    ("no",  "replication", "diskless", "the server made a file first"),
    ("no",  "cli",         "",         ""),
    ("yes", "cli",         "",         ""),
];

fn each_family(test: impl Fn(&mut RedisServer, &TestRemote) + Sync) {
    thread::scope(|scope| {
        for family in Family::ALL {
            let test = &test;
            scope.spawn(move || {
                let mut server = RedisServer::start(family)?;
                test(&mut server, &TestRemote::start(RemoteKind::Local)?);
                Some(())
            });
        }
    });
}

#[test]
fn everything_in_every_way() {
    each_family(|server, remote| {
        let family = server.family();
        server.seed(3);
        let mut fields = family == Family::Valkey9;
        for (diskless, method, sync, remark) in WAYS {
            let case = format!("{family:?}, diskless {diskless}, {method} {sync}");
            server.ask(&format!("CONFIG SET repl-diskless-sync {diskless}"));
            server.add_expired();
            let run = product(server, remote).env("REDIS_METHOD", method);
            let run = if sync.is_empty() { run } else { run.env("REDIS_SYNC_MODE", sync) };
            if method == "cli" && std::mem::take(&mut fields) {
                // To who does not say how new he is Valkey sends an older dump, which cannot hold these.
                failed(
                    &run.run(PATIENCE),
                    "dump",
                    "the server ended the connection before the dump",
                );
                assert!(server.log().contains("Can't store key"), "{}", server.log());
                server.ask("DEL fields");
            }
            let more = || format!("{case}: {}", server.log());
            let (done, dump) = stored_or(&run, remote, &more);
            whole(&dump);
            assert_eq!(server.check_rdb(&dump), Ok(()), "{case}");
            if method != "cli" {
                // It is told that we are as new as it is, and so makes its own format and not an older one.
                assert_eq!(dump.starts_with(b"VALKEY"), family == Family::Valkey9, "{case}");
            }
            loads(family, &dump, &server.digest(), &case);
            let warnings = warnings(&done);
            let expected = usize::from(!remark.is_empty());
            assert_eq!(warnings.len(), expected, "{case}: {warnings:?}");
            assert!(warnings.concat().contains(remark), "{case}: {warnings:?}");
            let newest = &listed(&run)["backups"][0];
            assert!(newest["objects"][0]["degraded"].is_null(), "{case}: {newest}");
            assert!(newest["paths"][0].as_str().unwrap().ends_with(".rdb"), "{newest}");
        }
    });
}

#[test]
fn an_empty_server_a_number_and_zstd() {
    each_family(|server, remote| {
        let family = server.family();
        for method in ["replication", "cli"] {
            let run = product(server, remote).env("REDIS_METHOD", method);
            let numbered = run.env("DB_URI", format!("{}/5", server.uri()));
            let (done, dump) = stored(&numbered, remote);
            whole(&dump);
            loads(family, &dump, &server.digest(), &format!("{family:?} {method}"));
            let warnings = warnings(&done);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains("always holds all databases"), "{warnings:?}");
        }
        server.seed(1);
        let run = product(server, remote).env("BACKUP_COMPRESSION", "zstd");
        let (_, packed) = stored(&run, remote);
        let scratch = Scratch::new("zstd");
        let file = scratch.path().join("dump.zst");
        std::fs::write(&file, packed).unwrap();
        let mut zstd = std::process::Command::new("zstd");
        let dump = zstd.args(["-dc", file.to_str().unwrap()]).output().unwrap().stdout;
        loads(family, &dump, &server.digest(), "zstd");
    });
}

#[test]
fn no_database_of_redis_is_a_folder() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for mode in ["directory", "tar"] {
        let run = dbstash(&remote).env("DB_URI", "redis://127.0.0.1:1").env("BACKUP_MODE", mode);
        let done = run.run(PATIENCE);
        done.expect_code(2);
        let told = format!("BACKUP_MODE={mode} is not for redis");
        assert!(done.stderr.contains(&told), "{done}");
        assert!(done.stderr.contains("set BACKUP_MODE=stream"), "{done}");
    }
}

//! A quarter of a gibibyte: any byte of it that changed is found, in bounded memory.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use dbstash_testkit::redis::Family;
use dbstash_testkit::{Dbstash, PgServer, RedisServer, RemoteKind, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, listed, watched};

const SIZE: u64 = 256 << 20;
/// Our own memory, in KiB, in a debug build, where most of it is the program itself.
const MEMORY: u64 = 32 * 1024;

/// Long rows, many rows, and bytes that cannot be compressed.
const ROWS: &str = "CREATE TABLE long_ (id int, words text);
    INSERT INTO long_ SELECT i, repeat(md5(i::text) || E'\\t\\\\', 60000) FROM generate_series(1, 110) i;
    CREATE TABLE many (id int, words text);
    INSERT INTO many SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 120000) i;
    ALTER TABLE long_ OWNER TO stash; ALTER TABLE many OWNER TO stash";

/// The file behind an object of a local remote.
fn file(remote: &TestRemote, object: &str) -> PathBuf {
    Path::new(remote.root()).join(object)
}

/// A run stores it; good at both levels, and corrupt with any byte changed; then it is deleted.
#[track_caller]
fn found(run: &Dbstash, remote: &TestRemote, what: &str) {
    run.run(PATIENCE).expect_code(0);
    let object = backups(run).remove(0);
    let path = file(remote, &object);
    let size = path.metadata().unwrap().len();
    assert!(size >= SIZE, "{what}: {size}");
    let verify = |level: &str| {
        let (done, peak) = watched(&run.clone().args(["verify", "--level", level]));
        eprint!("--- {what} {level}: {:?}, at most {peak} KiB: {}", done.code, done.stdout);
        assert!(peak < MEMORY, "{what} {level}: {peak} KiB");
        done
    };
    for level in ["bytes", "structure"] {
        let good = format!("good ({level})");
        let done = verify(level);
        assert!(done.expect_code(0).stdout.starts_with(&good), "{done}");
    }
    let stored = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // As if by chance, and the same every time.
    let mut place = 0x9e37_79b9_7f4a_7c15_u64;
    for (n, level) in ["bytes", "bytes", "bytes", "structure"].into_iter().enumerate() {
        place = place.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(size);
        let at = if n == 0 { size - 1 } else { (place >> 8) % size };
        let mut byte = [0];
        stored.read_exact_at(&mut byte, at).unwrap();
        stored.write_all_at(&[byte[0] ^ 1 << (n * 2)], at).unwrap();
        let done = verify(level);
        assert!(done.expect_code(1).stdout.starts_with("corrupt"), "{at}: {done}");
        assert_eq!(listed(run)["backups"][0]["verified"]["result"], "corrupt");
        stored.write_all_at(&byte, at).unwrap();
    }
    remote.names().iter().for_each(|name| remote.delete(name));
}

#[test]
fn large_dumps_of_postgres() {
    let Some(server) = PgServer::start("pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.psql("postgres", "CREATE DATABASE shop ENCODING 'UTF8' TEMPLATE template0");
    server.psql("shop", ROWS);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let run = run.env("PG_GLOBALS", "off");
    for words in ["", "-Fc -Z0"] {
        found(&run.clone().env("DUMP_EXTRA_ARGS", words), &remote, &format!("pg {words}"));
    }
}

#[test]
fn a_large_dump_of_redis() {
    let Some(server) = RedisServer::start(Family::Redis7) else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.ask("CONFIG SET rdbcompression no");
    for key in ["a", "b", "c"] {
        server.ask(&format!("SETRANGE {key} {} x", 90 << 20));
    }
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri());
    found(&run, &remote, "rdb");
}

//! Values of 64 MiB, and a table of 100 MB of rows.

use std::time::Instant;

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};

use super::{expect_same, product, restore};
use crate::modes::Work;
use crate::scene::{backups, watched};

/// Our own memory, in KiB: less than one of the values. In a debug build most of it is the program
/// itself.
const MEMORY: u64 = 40 * 1024;
/// zstd's own tables and buffers on top, for each of two threads.
const MEMORY_OF_ZSTD: u64 = 128 * 1024;

/// One value of bytes, one of text with what COPY has to write in another way, and many rows.
const HUGE: &str = "CREATE TABLE huge (id int PRIMARY KEY, raw bytea, words text);
    INSERT INTO huge VALUES (1, decode(repeat('00ff270a5c0d80fe', 8 << 20), 'hex'), NULL),
        (2, NULL, repeat(E'ü\\\\\\n\\t''\"%s 0123', 5 << 20));
    CREATE TABLE bulk (id bigint PRIMARY KEY, noise text NOT NULL, amount numeric);
    INSERT INTO bulk SELECT i, md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text), i / 7.0
        FROM generate_series(1, 850000) i;
    ALTER TABLE huge OWNER TO stash; ALTER TABLE bulk OWNER TO stash";

#[test]
fn large_values_and_many_rows() {
    let (Some(server), Some(remote)) =
        (PgServer::start("pw"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.psql("shop", HUGE);
    assert_eq!(
        server.psql(
            "shop",
            "SELECT sum(length(raw)), sum(octet_length(words)) >= 64 << 20 FROM huge"
        ),
        format!("{}|t", 64 << 20)
    );
    let bytes: u64 =
        server.psql("shop", "SELECT sum(length(bulk::text)) FROM bulk").parse().unwrap();
    assert!(bytes > 100_000_000, "{bytes}");
    let digest = server.digest("shop");
    for (mode, compression, words) in [
        ("stream", "none", ""),
        ("stream", "zstd", ""),
        ("stream", "none", "-Fc -Z1"),
        ("directory", "none", ""),
        ("tar", "zstd", ""),
    ] {
        let run = product(&server, &remote).env("DB_URI", server.uri("shop"));
        let run = run.env("PG_GLOBALS", "off").env("DUMP_EXTRA_ARGS", words);
        let run = run.env("BACKUP_MODE", mode).env("BACKUP_COMPRESSION", compression);
        let work = Work::under(run.env("BACKUP_JOBS", "2").env("COMPRESSION_THREADS", "2"));
        let before = Instant::now();
        let (done, peak) = watched(&work.run);
        done.expect_code(0).expect_no_leftovers();
        let dumped = before.elapsed();
        work.is_empty();
        let limit = if compression == "zstd" { MEMORY_OF_ZSTD } else { MEMORY };
        assert!(peak < limit, "{mode} {compression} {words}: {peak} KiB");
        server.psql("postgres", "DROP DATABASE IF EXISTS restored");
        server.createdb("restored");
        let object = &backups(&work.run)[0];
        restore(&server, "restored", &remote, object, mode);
        let case = format!("{mode} {compression} {words}");
        expect_same(&server.digest("restored"), &digest, &case);
        let all = before.elapsed();
        eprintln!("--- {mode} {compression} {words}: {dumped:?} of {all:?}, at most {peak} KiB");
        for name in remote.names() {
            remote.delete(&name);
        }
    }
}

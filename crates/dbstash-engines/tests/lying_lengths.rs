//! A length that lies costs no memory: what is passed over is not kept, and what has to be kept has a limit.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are told")]
#![allow(clippy::disallowed_methods, reason = "a test reads its own status")]

mod common;

use dbstash_core::engine::{Check, Structure};
use dbstash_core::job::EngineKey;
use dbstash_engines::engine;

use self::common::object;

/// So much follows each lie, in KiB.
const FOLLOWS: u64 = 26 * 1024;
/// What a check may keep, in KiB: a document of mongodump's prelude (16 MiB), and its own buffers.
const MOST: u64 = 20 * 1024;
/// A frame of zstd names the window it needs, and 128 MiB are the most that is given.
const MOST_OF_ZSTD: u64 = 136 * 1024;

fn check(key: EngineKey, format: &str) -> Box<dyn Check> {
    match engine(key).structure(&object(format)) {
        Some(Structure::Stream(check)) => check,
        _ => panic!("{key:?} {format} is no stream"),
    }
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// A lie, and this byte again and again.
fn costs(what: &str, (key, format): (EngineKey, &str), lie: &[u8], byte: u8, most: u64) {
    let before = peak();
    let mut check = check(key, format);
    check.feed(lie);
    let chunk = vec![byte; 64 * 1024];
    for _ in 0..FOLLOWS / 64 {
        check.feed(&chunk);
    }
    let told = check.finish();
    let more = peak() - before;
    eprintln!("{what}: {more} KiB, {told:?}");
    assert!(more < most, "{what}: {more} KiB");
}

#[test]
fn a_length_that_lies_costs_nothing() {
    let custom = (EngineKey::Pg, "custom");
    // A header of version 1.15 with numbers of 4 bytes, no compression, a date.
    let mut head = b"PGDMP\x01\x0f\0\x04\x08\x01\0".to_vec();
    head.extend([0; 7 * 5]);
    costs("a text of an archive", custom, &[&head[..], b"\0\xff\xff\xff\x7f"].concat(), b'x', MOST);
    let number = |n: u32| [&[0][..], &n.to_le_bytes()].concat();
    let none = number(0);
    let copy =
        [head.clone(), none.repeat(3), number(1), number(1), number(1), none.repeat(4), number(3)]
            .concat();
    let copy = [copy, none.repeat(2)].concat();
    costs("a COPY of an archive", custom, &[&copy[..], b"\0\xff\xff\xff\x7f"].concat(), b'x', MOST);
    for lie in [
        &b"\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x01\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let lie = [b"REDIS0011", lie].concat();
        costs("a value of an RDB", (EngineKey::Redis, "rdb"), &lie, 0, MOST);
    }
    for (what, head) in [
        ("a statement", &b""[..]),
        ("a text", b"SELECT '"),
        ("a name", b"SELECT \""),
        ("a row", b"COPY t (a) FROM stdin;\n"),
    ] {
        costs(what, (EngineKey::Pg, "plain"), head, b'x', MOST);
    }
    for head in [
        "SET NAMES utf8;\nx",
        "SET NAMES utf8;\nINSERT INTO `t` VALUES ('",
        "CREATE TABLE t (",
        "/* ",
        "-- ",
    ] {
        for byte in *b"x(" {
            costs(head, (EngineKey::Mysql, "plain"), head.as_bytes(), byte, MOST);
        }
        costs(head, (EngineKey::Sqlite, "plain"), head.as_bytes(), b'x', MOST);
    }
    // A name within a header of gzip.
    let gzip = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03";
    costs("a name of gzip", (EngineKey::Pg, "plain"), gzip, b'x', MOST);
    // Sixteen MiB less one, and more than there may be.
    for length in [16 * 1024 * 1024 - 1, u32::MAX - 1] {
        let lie = [&b"\x6d\xe2\x99\x81"[..], &length.to_le_bytes()].concat();
        costs("a document of a prelude", (EngineKey::Mongo, "archive"), &lie, 0, MOST);
        let lie = [&length.to_le_bytes()[..], b"\x02a\0\xff\xff\xff\x7f"].concat();
        costs("a text of a document", (EngineKey::Mongo, "bson"), &lie, b'x', MOST);
    }
    // Windows of 2 GiB and of 128 MiB, and blocks of zeros to fill them.
    let frame = |window: u8| vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    costs("2 GiB of zstd", (EngineKey::Pg, "plain"), &frame(21 << 3), 0, MOST);
    let zeros = (128 * 1024_u32) << 3 | 1 << 1;
    let block = [&zeros.to_le_bytes()[..3], &[0]].concat();
    let lie = [frame(17 << 3), block.repeat(2000)].concat();
    costs("128 MiB of zstd", (EngineKey::Pg, "plain"), &lie, 0, MOST_OF_ZSTD);
}

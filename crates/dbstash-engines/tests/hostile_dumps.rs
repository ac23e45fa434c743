//! Whatever a stored object holds, what reads it neither panics nor hangs, and says the same of it in any chunks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use dbstash_core::engine::Structure;
use dbstash_core::job::EngineKey;
use dbstash_engines::engine;
use proptest::prelude::*;

use self::common::object;

/// Every format of which there is a check.
const FORMATS: [(EngineKey, &str); 15] = [
    (EngineKey::Pg, "plain"),
    (EngineKey::Pg, "custom"),
    (EngineKey::Pg, "tar"),
    (EngineKey::Pg, "directory"),
    (EngineKey::Mysql, "plain"),
    (EngineKey::Mysql, "sql-files"),
    (EngineKey::Mysql, "tab-files"),
    (EngineKey::Mariadb, "plain"),
    (EngineKey::Mariadb, "sql-files"),
    (EngineKey::Mongo, "archive"),
    (EngineKey::Mongo, "bson"),
    (EngineKey::Mongo, "directory"),
    (EngineKey::Redis, "rdb"),
    (EngineKey::Sqlite, "plain"),
    (EngineKey::Sqlite, "file"),
];

/// Words at which something begins or ends in one of them.
const WORDS: [&[u8]; 62] = [
    b"--\n-- PostgreSQL database dump\n--\n",
    b"COPY t (a, \"b\") FROM stdin;\n",
    b"\\.\n",
    b"1\t\\N\n",
    b"$_$",
    b"'",
    b"\"",
    b"`",
    b"\\",
    b"/*",
    b"*/",
    b"/*!50003 ",
    b"/*M!100616 ",
    b"--",
    b"\n",
    b";",
    b"(",
    b")",
    b",",
    b"\0",
    b"PGDMP\x01\x0f\0\x04\x08\x01",
    b"PGDMP\x01\x10\0\x04\x08\x03",
    b"PGDMP\x01\x0c\0\x04\x08\x01",
    b"\0\x01\0\0\0",
    b"\0\x05\0\0\0",
    b"\x01\x01\0\0\0",
    b"\0\xff\xff\xff\x7f",
    b"\x02",
    b"\x03",
    b"\x01",
    b"SET NAMES utf8mb4;\n",
    b"SET NAMES gbk;\n",
    b"INSERT INTO `t` VALUES ",
    b"(1,'a',NULL)",
    b"0x00",
    b"_binary '",
    b"CREATE TABLE `t` (\n",
    b"-- Table structure for table `t`\n",
    b"DELIMITER ;;\n",
    b"DELIMITER ;\n",
    b"SET @OLD_X=@@X, X=1;\n",
    b"SET X=@OLD_X;\n",
    b"-- Dump completed on x\n",
    b"<?xml",
    b"\x6d\xe2\x99\x81",
    b"\xff\xff\xff\xff",
    b"\x05\0\0\0\0",
    b"\x10\0\0\0\x02a\0\x03\0\0\0hi\0\0",
    b"\xff\xff\xff\x7f",
    b"REDIS0011",
    b"VALKEY080",
    b"\xfa\x01a\x01b",
    b"\xfe\x00",
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xc3",
    b"\xff",
    b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n",
    b"CREATE TRIGGER x BEGIN SELECT 1;",
    b"END;\n",
    b"COMMIT;\n",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"\x28\xb5\x2f\xfd",
];

/// What is said of these bytes in chunks of this size. Of two things that are wrong, either may be told.
fn said(key: EngineKey, format: &str, bytes: &[u8], size: usize) -> String {
    let verdict = verdict(key, format, bytes, size);
    if verdict.starts_with("Err") { "corrupt".to_owned() } else { verdict }
}

/// The same in words; as a stream, or as files of such names.
fn verdict(key: EngineKey, format: &str, bytes: &[u8], size: usize) -> String {
    match engine(key).structure(&object(format)) {
        Some(Structure::Stream(mut check)) => {
            bytes.chunks(size).for_each(|chunk| check.feed(chunk));
            format!("{:?}", check.finish())
        }
        Some(Structure::Files(mut check)) => {
            for name in [
                "",
                "10.dat",
                "11.dat.gz",
                "12.dat.zst",
                "a.bson",
                "a.metadata.json",
                "a.sql",
                "a.txt",
                "blobs.toc",
                "toc.dat",
            ] {
                if check.begin(name, bytes.len() as u64) {
                    bytes.chunks(size).for_each(|chunk| check.feed(chunk));
                }
            }
            format!("{:?}", check.finish())
        }
        Some(Structure::Copy { step, .. }) => match step.stdout {
            dbstash_core::engine::Stdout::Checked(mut check) => {
                bytes.chunks(size).for_each(|chunk| check.feed(chunk));
                format!("{:?}", check.finish())
            }
            _ => panic!("nobody reads what the program says"),
        },
        None => panic!("{key:?} {format} has no check"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_judged_alike_in_any_chunks(
        parts in prop::collection::vec(
            prop_oneof![
                4 => prop::sample::select(WORDS.to_vec()).prop_map(<[u8]>::to_vec),
                1 => prop::collection::vec(any::<u8>(), 0..12),
            ],
            0..24,
        ),
        size in 1_usize..40,
    ) {
        let bytes = parts.concat();
        for (key, format) in FORMATS {
            let whole = said(key, format, &bytes, bytes.len().max(1));
            prop_assert_eq!(&whole, &said(key, format, &bytes, size), "{:?} {} {:?}", key, format, String::from_utf8_lossy(&bytes));
            prop_assert_eq!(&whole, &said(key, format, &bytes, 1), "{:?} {}", key, format);
        }
    }
}

/// Much of what may cost something each time.
#[test]
fn nothing_takes_for_ever() {
    let heads: [&[u8]; 8] = [
        b"",
        b"--\n-- PostgreSQL database dump\n--\n",
        b"PGDMP\x01\x0f\0\x04\x08\x01",
        b"SET NAMES utf8mb4;\n",
        b"CREATE TRIGGER x BEGIN ",
        b"REDIS0011",
        b"\x6d\xe2\x99\x81",
        b"INSERT INTO t VALUES (",
    ];
    for word in WORDS {
        for head in heads {
            let mut bytes = head.to_vec();
            while bytes.len() < 12_000 {
                bytes.extend_from_slice(word);
            }
            for (key, format) in FORMATS {
                let before = Instant::now();
                said(key, format, &bytes, 64 * 1024);
                let took = before.elapsed();
                assert!(took < Duration::from_secs(5), "{key:?} {format} {word:?}: {took:?}");
            }
        }
    }
}

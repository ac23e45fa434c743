//! The servers of Redis' family, and the master that is none, are what the product's tests take them for.
#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use dbstash_testkit::redis::fake::{Session, Step};
use dbstash_testkit::redis::{Client, Family, Reply, rdb};
use dbstash_testkit::{FakeMaster, RedisServer};

#[test]
fn everything_survives_a_dump_and_nothing_less() {
    for family in Family::ALL {
        let Some(server) = RedisServer::start(family) else { continue };
        server.seed(2);
        server.add_expired();
        let digest = server.digest();
        assert!(digest.contains("täglich") && !digest.contains("past-its-time"), "{digest}");
        server.ask("SAVE");
        let dump = std::fs::read(server.dir().join("dump.rdb")).unwrap();
        assert_eq!(server.check_rdb(&dump), Ok(()), "{family:?}");
        assert!(server.check_rdb(&dump[..dump.len() - 9]).is_err(), "{family:?}");
        assert_eq!(RedisServer::of_dump(family, &dump).unwrap().digest(), digest, "{family:?}");
        let loaded = RedisServer::of_aof_base(family, &dump).unwrap();
        assert_eq!(loaded.digest(), digest, "{family:?}");
        loaded.ask("HSET listpack-hash a 2");
        assert_ne!(loaded.digest(), digest, "{family:?}");
        let marked = [&dump[..], &[b'a'; 40]].concat();
        assert!(RedisServer::of_aof_base(family, &marked).is_err(), "{family:?}");
        let mut bent = dump.clone();
        bent[1000] ^= 1;
        assert!(RedisServer::of_dump(family, &bent).is_err(), "{family:?}");
    }
}

#[test]
fn dumps_made_by_hand_are_dumps() {
    let Some(server) = RedisServer::start(Family::Redis7) else { return };
    assert_eq!(rdb::crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    let dump = rdb::dump(5000);
    assert_eq!(server.check_rdb(&dump), Ok(()));
    let loaded = RedisServer::of_dump(Family::Redis7, &dump).unwrap();
    assert_eq!(loaded.ask("STRLEN k").text(), "4972");
}

#[test]
fn a_fake_master_follows_its_script() {
    let dump = rdb::dump(500);
    let steps =
        [Step::say("\n+FULLRESYNC x 0\r\n$500\r\n"), Step::Pieces(dump.clone(), 7), Step::Reset];
    let closing = Session::greeting([Step::say("-ERR max\r\n"), Step::Close]);
    let master = FakeMaster::start([closing, Session::dump(steps).answer("AUTH", "-WRONGPASS no")]);
    let mut first = TcpStream::connect(("127.0.0.1", master.port())).unwrap();
    let mut all = String::new();
    first.read_to_string(&mut all).unwrap();
    assert_eq!(all, "-ERR max\r\n");
    let mut second = Client::connect(master.port()).unwrap();
    assert_eq!(second.ask(&["PING"]).unwrap(), Reply::Simple("PONG".into()));
    let words: [&[u8]; 2] = [b"AUTH", b"a\r\n$*\xff"];
    assert_eq!(second.ask(&words).unwrap(), Reply::Error("WRONGPASS no".into()));
    assert!(master.heard()[0].ends_with(b"$4\r\nAUTH\r\n$6\r\na\r\n$*\xff\r\n"));
    let mut third = TcpStream::connect(("127.0.0.1", master.port())).unwrap();
    third.write_all(b"\nPSYNC ? -1\r\n").unwrap();
    let mut all = Vec::new();
    let end = third.read_to_end(&mut all);
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(all.ends_with(&dump) && all.starts_with(b"\n+FULL"), "{}", all.escape_ascii());
    assert_eq!(master.connections(), 2);
}

/// redis-cli takes the fake for a master, so the fake speaks as one.
#[test]
#[allow(clippy::disallowed_methods, reason = "a stock tool is the judge")]
fn a_stock_client_syncs_with_the_fake() {
    let dump = rdb::dump(100_000);
    let steps = [Step::say("\n\n$100000\r\n"), Step::Pieces(dump.clone(), 1000)];
    let master = FakeMaster::always(Session::dump(steps));
    let Some(cli) = dbstash_testkit::tools::require("redis-cli") else { return };
    let port = master.port().to_string();
    let cli = cli.to_str().unwrap();
    // It would wait for ever for a byte that is missing.
    let output = Command::new("timeout").args(["60", cli, "-p", &port, "--rdb", "-"]).output();
    let output = output.unwrap();
    assert!(output.stdout == dump, "{output:.300?}");
}

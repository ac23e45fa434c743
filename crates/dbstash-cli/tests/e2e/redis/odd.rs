//! What a master may do, and few do: it is stored to the byte.

use std::thread;
use std::time::Duration;

use dbstash_testkit::redis::fake::{Session, Step, parse};
use dbstash_testkit::redis::rdb;
use dbstash_testkit::{FakeMaster, RemoteKind, TestRemote, percent_encoded};

use super::{stored, warnings};
use crate::scene::{dbstash, listed};

const MARK: &[u8] = b"0123456789abcdef0123456789abcdef01234567";
const GRANTED: &str = "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 1\r\n";

fn marked(dump: &[u8], after: &[u8]) -> Vec<u8> {
    let head = [b"$EOF:", MARK, b"\r\n"].concat();
    [GRANTED.as_bytes(), &head, dump, MARK, after].concat()
}

fn counted(dump: &[u8], after: &[u8]) -> Vec<u8> {
    let head = format!("{GRANTED}${}\r\n", dump.len());
    [head.as_bytes(), dump, after].concat()
}

/// The name of a case, the connections one after the other, and the dump.
fn cases() -> Vec<(&'static str, Vec<Session>, Vec<u8>)> {
    let (small, large) = (rdb::dump(1500), rdb::dump(2 << 20));
    // What almost is the mark, and the mark where it is none.
    let almost = [&MARK[..39], b"z", MARK, b"x", &MARK[1..], &MARK[..39]].concat();
    let almost = rdb::dump_with(b"REDIS0011", &almost.repeat(40));
    let valkey = rdb::dump_with(b"VALKEY080", &rdb::noise(500));
    let ping = b"*1\r\n$4\r\nping\r\n".repeat(9);
    let say = |bytes: Vec<u8>| vec![Session::dump([Step::Say(bytes), Step::Silence])];
    let pieces = |bytes, length| vec![Session::dump([Step::Pieces(bytes, length), Step::Silence])];
    let newlines = || Step::Pieces(b"\n".repeat(20), 1);
    let patient = |bytes: &[u8]| {
        let bytes = bytes[GRANTED.len()..].to_vec();
        vec![Session::dump([newlines(), Step::say(GRANTED), newlines(), Step::Say(bytes)])]
    };
    let still = vec![Session::dump([
        Step::say(GRANTED),
        Step::Hold(Duration::from_secs(10)),
        Step::Say(marked(&large, b"")[GRANTED.len()..].to_vec()),
    ])];
    let refuses = |answer: &str| Session::default().answer("PSYNC", answer);
    let full = [Step::say("-ERR max number of clients reached\r\n"), Step::Close];
    let later = vec![
        refuses("-LOADING Redis is loading the dataset in memory"),
        Session::greeting(full),
        refuses("-NOMASTERLINK Can't SYNC while not connected with my master"),
        Session::dump([Step::Say(counted(&large, b""))]),
    ];
    vec![
        ("one byte a packet, counted", pieces(counted(&small, b""), 1), small.clone()),
        ("one byte a packet, marked", pieces(marked(&small, b""), 1), small.clone()),
        ("39 bytes a packet, almost a mark", pieces(marked(&almost, b""), 39), almost.clone()),
        ("almost a mark at once", say(marked(&almost, &ping)), almost),
        ("more after the mark", say(marked(&large, &ping)), large.clone()),
        ("more after the dump", say(counted(&large, &ping)), large.clone()),
        (
            "closed after the mark",
            vec![Session::dump([Step::Say(marked(&large, b"")), Step::Close])],
            large.clone(),
        ),
        ("newlines, counted", patient(&counted(&large, b"")), large.clone()),
        ("newlines, marked", patient(&marked(&large, b"")), large.clone()),
        ("silent for 10 s", still, large.clone()),
        ("comes to it later", later, large),
        ("of Valkey", say(counted(&valkey, b"")), valkey),
    ]
}

#[test]
fn odd_masters_are_understood() {
    thread::scope(|scope| {
        for (name, sessions, dump) in cases() {
            scope.spawn(move || {
                let remote = TestRemote::start(RemoteKind::Local)?;
                let tries = sessions.len();
                let master = FakeMaster::start(sessions);
                let run = dbstash(&remote).env("DB_URI", master.uri());
                let (done, stored) = stored(&run, &remote);
                assert!(stored == dump, "{name}: {} of {} bytes", stored.len(), dump.len());
                let told = warnings(&done);
                assert_eq!(told.len(), tries - 1, "{name}: {told:?}");
                // A test is a case of its own, and its name is told by the panic.
                Some(())
            });
        }
    });
}

/// Only the server's word on its length vouches for it, and the listing says so.
#[test]
fn a_dump_without_a_checksum_is_flagged() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let mut dump = rdb::dump(5000);
    let length = dump.len();
    dump[length - 8..].fill(0);
    let master = FakeMaster::always(Session::dump([Step::Say(counted(&dump, b""))]));
    let run = dbstash(&remote).env("DB_URI", master.uri());
    let (done, stored) = stored(&run, &remote);
    assert!(stored == dump);
    let newest = &listed(&run)["backups"][0];
    let flag = newest["objects"][0]["degraded"].as_str();
    assert!(flag.is_some_and(|flag| flag.contains("rdbchecksum no")), "{newest}: {done}");
}

/// Each command that was said on the only connection.
fn said(master: &FakeMaster) -> Vec<Vec<Vec<u8>>> {
    let heard = master.heard();
    assert_eq!(heard.len(), 1);
    let (mut said, mut at) = (Vec::new(), 0);
    while let Ok((words, used)) = parse(&heard[0][at..]) {
        said.push(words);
        at += used;
    }
    said
}

/// The login goes over the wire as words with lengths, and nothing is said that makes us a replica of anyone's.
#[test]
fn what_is_said_to_a_master() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let dump = rdb::dump(5000);
    let odd = "p \"w'd\\ %\r\n$3\r\nü😀*";
    let encoded = percent_encoded(odd);
    let logins: [(String, Vec<&[u8]>); 4] = [
        (String::new(), vec![b"INFO"]),
        (format!(":{encoded}@"), vec![b"AUTH", odd.as_bytes()]),
        (format!("us%20er:{encoded}@"), vec![b"AUTH", b"us er", odd.as_bytes()]),
        // No text at all.
        ("user:a%FF%00%25b@".into(), vec![b"AUTH", b"user", b"a\xff\0%b"]),
    ];
    for (login, first) in logins {
        let sent = Session::dump([Step::Say(counted(&dump, b"")), Step::Silence]);
        let master = FakeMaster::always(sent);
        let uri = format!("redis://{login}127.0.0.1:{}", master.port());
        let (done, _) = stored(&dbstash(&remote).env("DB_URI", uri), &remote);
        assert!(!done.to_string().contains("p \\\"w"), "{done}");
        let said = said(&master);
        assert_eq!(said[0], first, "{login}");
        let words = |line: &str| line.split(' ').map(Into::into).collect::<Vec<Vec<u8>>>();
        assert!(said.contains(&words("REPLCONF rdb-only 1")), "{said:?}");
        assert!(said.contains(&words("PSYNC ? -1")), "{said:?}");
        let port = said.iter().any(|words| words.iter().any(|word| word == b"listening-port"));
        assert!(!port, "a Sentinel would take us for a replica");
    }
}

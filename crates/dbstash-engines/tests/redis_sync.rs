//! The dump that comes out of a conversation with a master is the same however its bytes are cut into packets, and
//! bytes that are no conversation do no harm.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod redis;

use dbstash_core::dialogue::{Dialogue as _, Next, Protocol as _, Refusal};
use dbstash_core::job::SyncMode;
use dbstash_engines::redis::Psync;
use proptest::prelude::*;

use self::redis::{Ended, Master, converse, psync};

const MARK: &[u8; 40] = b"d2c1648774d7025743debbfd9e8c7b184bff7387";

/// Bytes that look like the end of a dump and are not.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        (0..40_usize).prop_map(|n| MARK[..n].to_vec()),
        (1..40_usize).prop_map(|n| MARK[n..].to_vec()),
        Just(MARK.to_vec()),
        Just(b"\xff12345678".to_vec()),
        Just(b"$EOF:".to_vec()),
        Just(b"\n+OK\r\n".to_vec()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A dump that holds no whole mark right behind what could be its trailer.
fn dump() -> impl Strategy<Value = Vec<u8>> {
    data().prop_filter_map("it ends in the middle", |data| {
        let mut dump = [b"REDIS0010", &data[..], b"\xff", b"checksum"].concat();
        let len = dump.len();
        dump.extend(MARK);
        let early = (9..len).any(|at| dump[at..].starts_with(MARK) && dump[at - 9] == 0xff);
        dump.truncate(len);
        (!early).then_some(dump)
    })
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        Just(vec![usize::MAX]),
        prop::collection::vec(prop_oneof![1..4_usize, 1..100_usize], 1..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_packets_make_the_same_dump(
        dump in dump(),
        cuts in cuts(),
        counted in any::<bool>(),
        before in 0..4_usize,
        between in 0..4_usize,
        after in prop_oneof![Just(vec![]), Just(MARK.to_vec()), prop::collection::vec(any::<u8>(), 0..90)],
    ) {
        let mark = (!counted).then_some(*MARK);
        let master = Master { dump: dump.clone(), mark, before, between, after: after.clone(), ..Master::default() };
        let spoken = converse(&mut psync().replica(), &master, &cuts);
        prop_assert_eq!(&spoken.ended, &Ended::Whole);
        prop_assert_eq!(&spoken.dump, &dump);
        let following = Psync { follow: true, ..psync() };
        let mut replica = following.replica();
        let spoken = converse(&mut replica, &master, &cuts);
        prop_assert_eq!(&spoken.ended, &Ended::Waits);
        prop_assert_eq!(&spoken.dump, &dump);
        prop_assert_eq!(replica.offset(), 1234 + after.len() as u64);
        let ack = format!("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n${}\r\n{}\r\n",
            replica.offset().to_string().len(), replica.offset());
        for _ in 0..3 {
            prop_assert_eq!(replica.keepalive(), ack.as_bytes());
        }
    }

    #[test]
    fn a_connection_that_ends_early_leaves_no_dump(dump in dump(), counted in any::<bool>(), cut in any::<prop::sample::Index>(), cuts in cuts()) {
        let mark = (!counted).then_some(*MARK);
        let master = Master { dump: dump.clone(), mark, ..Master::default() };
        let said = dump.len() + if counted { 0 } else { 40 };
        let master = Master { cut: Some(cut.index(said)), ..master };
        let mut replica = psync().replica();
        let spoken = converse(&mut replica, &master, &cuts);
        prop_assert_eq!(&spoken.ended, &Ended::Waits);
        prop_assert!(dump.starts_with(&spoken.dump));
        let Refusal::Failed(what) = replica.closed(&spoken.rest) else { panic!() };
        prop_assert!(what.starts_with("the connection ended after"), "{}", what);
    }

    /// Transcripts with bytes changed, left out and put in.
    #[test]
    fn changed_transcripts(
        dump in dump(),
        counted in any::<bool>(),
        follow in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        cuts in cuts(),
    ) {
        let mark = (!counted).then_some(*MARK);
        let master = Master { dump, mark, before: 1, between: 1, ..Master::default() };
        let mut bytes = master.answers().concat();
        bytes.extend(master.grant());
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        redis::harmless(&Psync { follow, ..psync() }, &bytes, &cuts);
    }
}

/// Garbage that is drawn towards what the conversation is about.
#[test]
fn garbage() {
    let words = prop_oneof![
        Just(b"+OK\r\n".to_vec()),
        Just(b"$5\r\nab:1\n\r\n".to_vec()),
        Just(b"*2\r\n$12\r\nrepl-timeout\r\n$1\r\n5\r\n".to_vec()),
        Just(b"+FULLRESYNC x 1\r\n".to_vec()),
        Just(b"$EOF:0000000000000000000000000000000000000000\r\n".to_vec()),
        Just(vec![b'0'; 40]),
        Just(b"$3\r\n".to_vec()),
        Just(b"-ERR x\r\n".to_vec()),
        Just(b"$18446744073709551615\r\n".to_vec()),
        Just(b"$18446744073709551613\r\n".to_vec()),
        Just(b"\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..30),
        prop::collection::vec(prop::sample::select(b"+-$*:\r\n0123456789EOF".to_vec()), 0..12),
    ];
    let said = prop::collection::vec(words, 0..14).prop_map(|words| words.concat());
    let config =
        ProptestConfig { cases: 12_000, max_shrink_iters: 2000, ..ProptestConfig::default() };
    proptest!(config, |(said in said, cuts in cuts(), follow in any::<bool>())| {
        redis::harmless(&Psync { follow, ..psync() }, &said, &cuts);
    });
}

/// Every place at which a mark can be cut in two, with the driver's own habit of reading on only when asked to.
#[test]
fn a_mark_over_every_boundary() {
    let dump = [b"REDIS0010", &MARK[..39], b"\xff", b"checksum"].concat();
    let master = Master { dump: dump.clone(), mark: Some(*MARK), ..Master::default() };
    for first in 1..dump.len() + 40 {
        let cuts = [master.grant().len() - dump.len() - 40 + first, usize::MAX];
        let spoken = converse(&mut psync().replica(), &master, &cuts);
        assert_eq!((spoken.ended, spoken.dump), (Ended::Whole, dump.clone()), "{first}");
    }
}

#[test]
fn what_a_server_waits_for() {
    let mut replica = psync().replica();
    assert!(replica.silent_for().is_some() && replica.keepalive().is_empty());
    let master = Master { mark: Some(*MARK), cut: Some(0), ..Master::default() };
    let spoken = converse(&mut replica, &master, &[usize::MAX]);
    assert_eq!(spoken.ended, Ended::Waits);
    assert_eq!((replica.silent_for(), replica.unread_for().unwrap().as_secs()), (None, 17));
    assert!(replica.keepalive().is_empty(), "it could take back the end of a dump");
    assert_eq!(replica.advance(b""), Ok(Next::More));
    let mut replica = psync().replica();
    converse(&mut replica, &Master { cut: Some(0), ..Master::default() }, &[usize::MAX]);
    assert_eq!(replica.unread_for(), None);
    assert_eq!(psync().summary(), "PSYNC ? -1");
}

#[test]
fn what_is_asked() {
    let asked = |psync: &Psync, valkey| {
        let master = Master { valkey, ..Master::default() };
        let spoken = converse(&mut psync.replica(), &master, &[usize::MAX]);
        spoken.asked.iter().map(|words| words.join(" ")).collect::<Vec<_>>()
    };
    let all = [
        "INFO",
        "CONFIG GET repl-timeout",
        "REPLCONF capa eof capa psync2",
        "REPLCONF rdb-only 1",
        "PSYNC ? -1",
    ];
    assert_eq!(asked(&psync(), false), all);
    let login = Psync { user: Some("bob".into()), password: Some("p \"w\r\n".into()), ..psync() };
    assert_eq!(asked(&login, true)[0], "AUTH bob p \"w\r\n");
    assert_eq!(asked(&Psync { user: None, ..login.clone() }, true)[0], "AUTH p \"w\r\n");
    assert_eq!(asked(&Psync { password: None, ..login.clone() }, true)[0], "AUTH bob ");
    let empty = Psync { user: None, password: Some("".into()), ..login };
    assert_eq!(asked(&empty, true)[0], "INFO");
    let disk = Psync { mode: SyncMode::Disk, follow: true, ..psync() };
    assert_eq!(asked(&disk, false), ["INFO", "REPLCONF capa psync2", "PSYNC ? -1"]);
    assert_eq!(
        asked(&disk, true),
        ["INFO", "REPLCONF capa psync2", "REPLCONF version 9.1.2", "PSYNC ? -1"]
    );
}

//! What a master does wrong, by script: the cause is told and nothing is stored.

use std::thread;
use std::time::Duration;

use dbstash_testkit::redis::fake::{Session, Step};
use dbstash_testkit::redis::rdb;
use dbstash_testkit::{FakeMaster, RemoteKind};

use super::{fails, nothing_left};
use crate::matrix::place::{failed, on_each};

const MARK: &str = "0123456789abcdef0123456789abcdef01234567";
const GRANTED: &str = "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 1\r\n";

/// A dump framed by its length, or by a mark, of which only so many bytes come, and then this.
fn sends(dump: &[u8], marked: bool, bytes: usize, end: Step) -> Session {
    let length = dump.len();
    let (head, tail) =
        if marked { (format!("$EOF:{MARK}"), MARK) } else { (format!("${length}"), "") };
    let bytes = [dump, tail.as_bytes()].concat()[..bytes].to_vec();
    Session::dump([
        Step::say(GRANTED),
        Step::Say(format!("{head}\r\n").into()),
        Step::Say(bytes),
        end,
    ])
}

fn all(dump: &[u8]) -> Session {
    sends(dump, false, dump.len(), Step::Silence)
}

/// The name of a case, what the master does, and what the user is told.
fn cases() -> Vec<(&'static str, Session, &'static str)> {
    let dump = rdb::dump(100);
    let large = rdb::dump(3 << 20);
    let mut bent = dump.clone();
    bent[50] ^= 4;
    let mut sum = dump.clone();
    *sum.last_mut().unwrap() ^= 0x80;
    let answers = |command: &str, answer: &str| all(&rdb::dump(100)).answer(command, answer);
    let refuses = |answer: &str| answers("PSYNC", answer);
    let huge = [
        Step::say(GRANTED),
        Step::say("$5000000000\r\n"),
        Step::Say(rdb::dump(9 << 20)),
        Step::Close,
    ];
    vec![
        ("60 of 100", sends(&dump, false, 60, Step::Close), "after 60 of 100 bytes of the dump"),
        ("broken off", sends(&large, false, 2 << 20, Step::Reset), "bytes of the dump"),
        ("no checksum", sends(&dump, false, 92, Step::Close), "after 92 of 100 bytes"),
        ("no checksum, no mark", sends(&dump, true, 92, Step::Close), "before the dump's end mark"),
        ("half a mark", sends(&dump, true, 139, Step::Close), "before the dump's end mark"),
        ("4.6 GiB, not", Session::dump(huge), "of 5000000000 bytes of the dump"),
        ("a bent byte", all(&bent), "its checksum (CRC-64) is not that of its bytes"),
        ("a bent checksum", all(&sum), "its checksum (CRC-64)"),
        ("no RDB", all(&rdb::dump_with(b"MEMDB0010", b"value")), "it is no RDB"),
        ("no version", all(&rdb::dump_with(b"REDISx010", b"value")), "it is no RDB"),
        ("nothing", all(b""), "it does not answer as Redis does"),
        ("too little", all(b"REDIS0010"), "before its last record"),
        ("no last record", all(&rdb::dump(100)[..91]), "before its last record"),
        ("NOAUTH", refuses("-NOAUTH Authentication required."), "asks for a password"),
        (
            "no PSYNC",
            refuses("-ERR unknown command 'PSYNC', with args beginning with: '?' '-1'"),
            "REDIS_METHOD=cli",
        ),
        (
            "may not PSYNC",
            refuses("-NOPERM this user has no permissions to run the 'psync' command"),
            "+psync +replconf",
        ),
        ("may not REPLCONF", answers("REPLCONF", "-NOPERM no 'replconf'"), "may not run REPLCONF"),
        (
            "no BGSAVE",
            refuses("-ERR BGSAVE failed, replication can't continue"),
            "could not make a dump",
        ),
        ("some reason", refuses("-ERR some reason"), "refuses to replicate: \"ERR some reason\""),
        ("goes on", refuses("+CONTINUE 0123"), "does not answer as Redis does: \"+CONTINUE 0123\""),
        (
            "a Sentinel",
            answers("INFO", "$21\r\nredis_mode:sentinel\r\n"),
            "it is a Sentinel, which holds no data",
        ),
        (
            "is no Redis",
            Session::greeting([Step::say("SSH-2.0-OpenSSH_9.2\r\n"), Step::Silence]),
            "does not answer as Redis does: \"SSH-2.0",
        ),
        (
            "no line ends",
            Session::greeting([Step::Flood(vec![b'x'; 1 << 16])]),
            "an answer without an end|does not answer as Redis",
        ),
        (
            "an endless line",
            refuses(&format!("+{}", "y".repeat(1 << 20))),
            "an answer without an end|does not answer as Redis",
        ),
        (
            "hangs up at once",
            Session::greeting([Step::Close]),
            "closed the connection before it answered",
        ),
        ("hangs up later", refuses("").steps("X", []), "does not answer as Redis does"),
        (
            "hangs up instead of a dump",
            all(b"").steps("PSYNC", [Step::Close]),
            "before its dump began",
        ),
    ]
}

#[test]
fn what_a_master_does_wrong_is_told() {
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        for (name, session, told) in cases() {
            eprintln!("--- {name} on {}", place.remote.kind());
            let master = FakeMaster::always(session);
            fails(&place, &place.run().env("DB_URI", master.uri()), told);
        }
        place.undisturbed_by(&place.run());
        place.works_again(&place.run(), 2);
    });
}

/// Asked again for as long as the run may last, and not longer.
#[test]
fn who_never_can_is_given_up() {
    on_each(&[RemoteKind::Local], |place| {
        thread::scope(|scope| {
            for refusal in [
                "-LOADING Redis is loading the dataset in memory",
                "-NOMASTERLINK Can't SYNC while not connected with my master",
                "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                "-ERR max number of clients reached",
            ] {
                let place = &place;
                scope.spawn(move || {
                    let line = Step::Say(format!("{refusal}\r\n").into());
                    let master = FakeMaster::always(if refusal.contains("max number") {
                        Session::greeting([line, Step::Close])
                    } else {
                        Session::default().answer("PSYNC", refusal)
                    });
                    let run = place.run().env("DB_URI", master.uri()).env("BACKUP_TIMEOUT", "5s");
                    let done = run.run(Duration::from_secs(60));
                    failed(&done, "timeout", "BACKUP_TIMEOUT");
                    assert!(master.connections() > 1, "{refusal}: {done}");
                    assert!(done.stderr.contains(&refusal[1..20]), "{refusal}: {done}");
                    nothing_left(place, &run, &done);
                });
            }
        });
    });
}

/// The server takes the connection and then does nothing: no setting is needed to notice.
#[test]
fn who_says_nothing_is_given_up() {
    on_each(&[RemoteKind::Local], |place| {
        thread::scope(|scope| {
            for (scheme, told) in [
                ("redis", "has not answered for 30s"),
                ("rediss", "the TLS handshake was not over after 15s"),
            ] {
                let place = &place;
                scope.spawn(move || {
                    let master = FakeMaster::always(Session::greeting([Step::Silence]));
                    let uri = format!("{scheme}://127.0.0.1:{}", master.port());
                    fails(place, &place.run().env("DB_URI", uri), told);
                });
            }
            // The dump stops in the middle: that is what the stall timeout is for.
            let stalled = [false, true].map(|marked| {
                let place = &place;
                scope.spawn(move || {
                    let dump = rdb::dump(3 << 20);
                    let master = FakeMaster::always(sends(&dump, marked, 1 << 20, Step::Silence));
                    let run = place.run().env("DB_URI", master.uri());
                    let run = run.env("BACKUP_STALL_TIMEOUT", "3s");
                    let done = run.run(Duration::from_secs(60));
                    failed(&done, "stall", "moved no byte");
                    (run, done)
                })
            });
            // Each sees what the other has yet to take away.
            for (run, done) in stalled.map(|one| one.join().unwrap()) {
                nothing_left(&place, &run, &done);
            }
        });
        place.undisturbed_by(&place.run());
    });
}

//! What a master's errors, and its going away, are told as.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod redis;

use dbstash_core::dialogue::{Dialogue as _, Next, Refusal};
use dbstash_core::job::SyncMode;
use dbstash_engines::redis::Psync;

use self::redis::{Ended, Master, converse, psync};

fn refused(psync: &Psync, master: &Master) -> Option<Refusal> {
    let spoken = converse(&mut psync.replica(), master, &[usize::MAX]);
    match spoken.ended {
        Ended::Refused(refusal) => Some(refusal),
        Ended::Whole => None,
        Ended::Waits => panic!("{:?}", spoken.asked),
    }
}

fn after(command: &'static str, error: &[u8]) -> Option<Refusal> {
    let login = Psync { user: Some("bob".into()), password: Some("hunter22".into()), ..psync() };
    let error = [error, b"\r\n"].concat();
    refused(&login, &Master { error: Some((command, error)), ..Master::default() })
}

#[test]
fn what_will_pass_is_asked_again() {
    for (command, error, told) in [
        ("INFO", "-LOADING Redis is loading the dataset in memory", "loading its data set"),
        ("PSYNC", "-LOADING Redis is loading the dataset in memory", "loading its data set"),
        (
            "PSYNC",
            "-NOMASTERLINK Can't SYNC while not connected with my master",
            "lost its own master",
        ),
        (
            "PSYNC",
            "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "replica-serve-stale-data",
        ),
        ("AUTH", "-ERR max number of clients reached", "max number of clients reached"),
        ("INFO", "-ERR max number of clients reached", "maxclients"),
        ("CONFIG", "-BUSY Redis is busy running a script.", "busy running a script"),
        ("PSYNC", "-TRYAGAIN not now", "not now"),
    ] {
        match after(command, error.as_bytes()) {
            Some(Refusal::Later(what)) => assert!(what.contains(told), "{what}"),
            other => panic!("{error}: {other:?}"),
        }
    }
}

#[test]
fn what_will_not_is_told_once_with_the_way_out() {
    for (command, error, told) in [
        ("INFO", "-NOAUTH Authentication required.", "set it in DB_URI, or in DB_PASSWORD"),
        (
            "AUTH",
            "-WRONGPASS invalid username-password pair or user is disabled.",
            "refuses the user or the password",
        ),
        ("AUTH", "-ERR invalid password", "refuses the user or the password"),
        (
            "AUTH",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
            "leave it out of DB_URI",
        ),
        ("AUTH", "-ERR Client sent AUTH, but no password is set", "leave it out of DB_URI"),
        ("AUTH", "-ERR wrong number of arguments for 'auth' command", "from version 6"),
        ("AUTH", "-DENIED Redis is running in protected mode because", "protected-mode"),
        (
            "REPLCONF",
            "-NOPERM this user has no permissions to run the 'replconf' command",
            "the user bob may not run REPLCONF (\"NOPERM this user has no permissions to run the 'replconf' command\"): \
             ACL SETUSER bob +psync +replconf",
        ),
        (
            "REPLCONF rdb-only",
            "-NOPERM User bob has no permissions",
            "ACL SETUSER bob +psync +replconf",
        ),
        ("PSYNC", "-ERR BGSAVE failed, replication can't continue", "see its log"),
        ("PSYNC", "-ERR something new", "refuses to replicate: \"ERR something new\""),
        ("PSYNC", "+CONTINUE", "does not answer as Redis does: \"+CONTINUE\""),
        ("PSYNC", "+FULLRESYNC abc", "does not answer as Redis does"),
        ("PSYNC", "+FULLRESYNC abc 0\r\n$0", "does not answer as Redis does: \"$0\""),
        ("PSYNC", "+FULLRESYNC abc 0\r\n$EOF:short", "does not answer as Redis does"),
        ("PSYNC", "+FULLRESYNC abc 0\r\n-ERR no", "refuses to replicate"),
        ("INFO", "+OK\r\nmore", "does not answer as Redis does"),
        ("AUTH", "HTTP/1.1 400 Bad Request", "\"HTTP/1.1 400 Bad Request\""),
        ("AUTH", "\x15\x03\x03\0\x02\x02", "rediss://"),
    ] {
        match after(command, error.as_bytes()) {
            Some(Refusal::Final(what) | Refusal::Failed(what)) => {
                assert!(what.contains(told), "{what}");
            }
            other => panic!("{error}: {other:?}"),
        }
    }
}

#[test]
fn what_a_server_does_not_do_at_all() {
    for error in [
        "-ERR unknown command 'PSYNC', with args beginning with: '?' '-1' ",
        "-ERR unknown command `PSYNC`, with args beginning with: `?`, `-1`, ",
        "-ERR Command is not available: 'PSYNC'.",
        "-NOPERM this user has no permissions to run the 'psync' command",
    ] {
        let Some(Refusal::Unsupported(what)) = after("PSYNC", error.as_bytes()) else {
            panic!("{error}")
        };
        for told in ["managed service", "ACL SETUSER bob +psync +replconf", "REDIS_METHOD=cli"] {
            assert!(what.contains(told), "{what}");
        }
    }
}

#[test]
fn what_an_older_server_need_not_know() {
    for (command, error) in [
        ("INFO", "-NOPERM this user has no permissions to run the 'info' command"),
        ("CONFIG", "-NOPERM this user has no permissions to run the 'config|get' command"),
        ("CONFIG", "-ERR unknown command 'CONFIG', with args beginning with: 'GET'"),
        ("CONFIG", "*0"),
        ("REPLCONF", "-ERR Unrecognized REPLCONF option: capa"),
        ("REPLCONF rdb-only", "-ERR Unrecognized REPLCONF option: rdb-only"),
    ] {
        assert_eq!(after(command, error.as_bytes()), None, "{error}");
    }
}

/// Servers repeat what they do not know, and send what they like.
#[test]
fn no_secret_and_no_control_character_is_shown() {
    for error in [
        "-ERR unknown command 'AUTH', with args beginning with: 'bob' 'hunter22' ",
        "-ERR what is hunter22?",
        "HELLO hunter22",
    ] {
        let what = after("AUTH", error.as_bytes()).unwrap().to_string();
        assert!(!what.contains("hunter22") && !what.contains("beginning"), "{what}");
    }
    let long = format!("-ERR \x1b[31m\x07{}", "x".repeat(5000));
    let what = after("PSYNC", long.as_bytes()).unwrap().to_string();
    assert!(what.len() < 300 && what.chars().all(|c| !c.is_control()), "{what}");
    let endless = converse(
        &mut psync().replica(),
        &Master { error: Some(("INFO", vec![b'+'; 1 << 20])), ..Master::default() },
        &[1000],
    );
    assert!(matches!(endless.ended, Ended::Refused(Refusal::Final(_))));
}

#[test]
fn what_it_means_that_the_connection_ended() {
    // Before a word of ours was answered: unasked, and cut.
    let mut replica = psync().replica();
    let unasked = b"-ERR max number of clients reached\r\n";
    let Err(Refusal::Later(what)) = replica.advance(unasked) else { panic!() };
    assert!(what.contains("max number of clients reached"));
    let Refusal::Later(_) = psync().replica().closed(&unasked[..30]) else { panic!() };

    let silent = psync().replica().closed(b"").to_string();
    assert!(silent.contains("TLS port") && silent.contains("rediss://"), "{silent}");
    let silent = Psync { tls: true, ..psync() }.replica().closed(b"").to_string();
    assert!(!silent.contains("rediss://"), "{silent}");

    let mut replica = psync().replica();
    replica.outgoing();
    assert_eq!(replica.advance(b"$0\r\n\r\n"), Ok(Next::Skip(6)));
    let Refusal::Later(_) = replica.closed(b"") else { panic!() };

    for (grant, told) in [
        ("\n", "before its dump began"),
        ("+FULLRESYNC x 0\r\n", "before its dump began"),
        ("+FULLRESYNC x 0\r\n$10\r\nabcd", "ended after 4 of 10 bytes of the dump"),
        (
            "+FULLRESYNC x 0\r\n$EOF:0123456789012345678901234567890123456789\r\nabcd",
            "ended after 4 bytes, before the dump's end mark",
        ),
    ] {
        let master = Master { error: Some(("PSYNC", grant.into())), ..Master::default() };
        let mut replica = psync().replica();
        let spoken = converse(&mut replica, &master, &[usize::MAX]);
        assert_eq!(spoken.ended, Ended::Waits);
        let Refusal::Failed(what) = replica.closed(&spoken.rest) else { panic!("{grant}") };
        assert!(what.contains(told), "{what}");
    }
}

#[test]
fn what_the_user_should_know() {
    let remarks = |mode, master: &Master| {
        let mut replica = Psync { mode, ..psync() }.replica();
        assert_eq!(converse(&mut replica, master, &[usize::MAX]).ended, Ended::Whole);
        replica.remarks()
    };
    let counted = Master::default();
    let marked = Master { mark: Some([b'a'; 40]), ..Master::default() };
    assert!(
        remarks(SyncMode::Auto, &counted).is_empty() && remarks(SyncMode::Auto, &marked).is_empty()
    );
    assert!(remarks(SyncMode::Disk, &counted).is_empty());
    assert!(remarks(SyncMode::Diskless, &marked).is_empty());
    assert!(remarks(SyncMode::Diskless, &counted)[0].contains("repl-diskless-sync no"));
    assert!(remarks(SyncMode::Disk, &marked)[0].contains("REDIS_SYNC_MODE=disk"));
    let cluster = Master { info: "cluster_enabled:1\r\n", ..Master::default() };
    assert!(remarks(SyncMode::Auto, &cluster)[0].contains("its own slots alone"));
    let sentinel = Master { info: "redis_mode:sentinel\r\n", ..Master::default() };
    assert!(refused(&psync(), &sentinel).unwrap().to_string().contains("Sentinel"));
}

/// An INFO too long to be looked at is no reason to fail.
#[test]
fn a_long_answer_that_is_of_no_interest() {
    let info = "x".repeat(200_000);
    let long = format!("${}\r\n{info}\r\n", info.len()).into_bytes();
    let master = Master { error: Some(("INFO", long)), ..Master::default() };
    for cuts in [&[1000][..], &[usize::MAX]] {
        let spoken = converse(&mut psync().replica(), &master, cuts);
        assert_eq!((spoken.ended, spoken.dump), (Ended::Whole, master.dump.clone()));
    }
}

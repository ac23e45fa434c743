//! A master that plays its part from a script, and whoever listens to it.
#![allow(dead_code, reason = "each test has a use for some of it")]

use dbstash_core::dialogue::{Dialogue, Next, Refusal, WINDOW};
use dbstash_core::job::SyncMode;
use dbstash_engines::redis::{Psync, Replica};

/// Without a password, and not for longer than the dump.
pub(crate) fn psync() -> Psync {
    Psync {
        user: None,
        password: None,
        encoded: false,
        mode: SyncMode::Auto,
        tls: false,
        follow: false,
    }
}

/// What a master has, and how it says it.
pub(crate) struct Master {
    pub(crate) dump: Vec<u8>,
    /// Otherwise the dump's length comes before it.
    pub(crate) mark: Option<[u8; 40]>,
    /// Keepalives before it grants a synchronisation, and then before the dump.
    pub(crate) before: usize,
    pub(crate) between: usize,
    /// What follows the dump.
    pub(crate) after: Vec<u8>,
    /// How many bytes of dump and mark there are before the connection falls silent.
    pub(crate) cut: Option<usize>,
    pub(crate) valkey: bool,
    /// An error to this command instead of an answer.
    pub(crate) error: Option<(&'static str, Vec<u8>)>,
    /// More lines of INFO.
    pub(crate) info: &'static str,
}

impl Default for Master {
    fn default() -> Self {
        Self {
            dump: b"REDIS0010\xff12345678".to_vec(),
            mark: None,
            before: 0,
            between: 0,
            after: Vec::new(),
            cut: None,
            valkey: false,
            error: None,
            info: "",
        }
    }
}

impl Master {
    pub(crate) fn answer(&self, words: &[String]) -> Vec<u8> {
        let line = words.join(" ");
        if let Some((command, error)) = &self.error
            && line.starts_with(command)
        {
            return error.clone();
        }
        match words[0].as_str() {
            "AUTH" | "REPLCONF" => b"+OK\r\n".to_vec(),
            "INFO" => {
                let valkey = if self.valkey { "valkey_version:9.1.2\r\n" } else { "" };
                let info = format!(
                    "# Server\r\nredis_version:7.0.15\r\n{valkey}role:master\r\n{}",
                    self.info
                );
                format!("${}\r\n{info}\r\n", info.len()).into_bytes()
            }
            "CONFIG" => b"*2\r\n$12\r\nrepl-timeout\r\n$2\r\n17\r\n".to_vec(),
            "PSYNC" => self.grant(),
            other => panic!("{other}"),
        }
    }

    /// The answers before the last one.
    pub(crate) fn answers(&self) -> Vec<Vec<u8>> {
        ["INFO", "CONFIG", "REPLCONF", "REPLCONF"]
            .map(|word| self.answer(&[word.to_owned()]))
            .to_vec()
    }

    pub(crate) fn grant(&self) -> Vec<u8> {
        let mut out = vec![b'\n'; self.before];
        out.extend(b"+FULLRESYNC bf74dd7c81efca626db5e9800ef7f29a90a754d5 1234\r\n");
        out.extend(vec![b'\n'; self.between]);
        let mut body = self.dump.clone();
        match self.mark {
            Some(mark) => {
                out.extend([b"$EOF:", &mark[..], b"\r\n"].concat());
                body.extend(mark);
            }
            None => out.extend(format!("${}\r\n", body.len()).into_bytes()),
        }
        body.extend(&self.after);
        body.truncate(self.cut.unwrap_or(body.len()));
        out.extend(body);
        out
    }
}

/// How a conversation went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Whole,
    /// For bytes that do not come.
    Waits,
    Refused(Refusal),
}

#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) dump: Vec<u8>,
    pub(crate) asked: Vec<Vec<String>>,
    pub(crate) ended: Ended,
    /// What was not used up.
    pub(crate) rest: Vec<u8>,
}

/// Lets them talk; what the master says comes in packets of these sizes, over and over.
pub(crate) fn converse(replica: &mut Replica, master: &Master, cuts: &[usize]) -> Spoken {
    let (mut asked, mut dump) = (Vec::new(), Vec::new());
    let (mut wire, mut input) = (Vec::new(), Vec::new());
    let mut cuts = cuts.iter().copied().cycle();
    loop {
        let words = replica.outgoing();
        if !words.is_empty() {
            let words = parsed(&words);
            wire.extend(master.answer(&words));
            asked.push(words);
        }
        let ended = match replica.advance(&input) {
            Ok(Next::Skip(n)) => {
                assert!(n > 0);
                input.drain(..n);
                continue;
            }
            Ok(Next::Dump(n)) => {
                assert!(n > 0);
                dump.extend(input.drain(..n));
                continue;
            }
            Ok(Next::More) if wire.is_empty() => Ended::Waits,
            Ok(Next::More) => {
                let n = cuts.next().unwrap().min(wire.len());
                input.extend(wire.drain(..n));
                continue;
            }
            Ok(Next::End) => Ended::Whole,
            Err(refusal) => Ended::Refused(refusal),
        };
        return Spoken { dump, asked, ended, rest: input };
    }
}

/// The words of a command.
fn parsed(bytes: &[u8]) -> Vec<String> {
    let line = |at: &mut usize| {
        let len = bytes[*at..].windows(2).position(|two| two == b"\r\n").unwrap();
        let line = std::str::from_utf8(&bytes[*at..*at + len]).unwrap();
        *at += len + 2;
        line
    };
    let mut at = 0;
    let count: usize = line(&mut at).strip_prefix('*').unwrap().parse().unwrap();
    let mut words = Vec::new();
    for _ in 0..count {
        let len: usize = line(&mut at).strip_prefix('$').unwrap().parse().unwrap();
        words.push(String::from_utf8(bytes[at..at + len].to_vec()).unwrap());
        at += len + 2;
    }
    assert_eq!(at, bytes.len());
    words
}

/// Feeds any bytes: each step uses something up or asks for more, and an end has a dump that was framed.
pub(crate) fn harmless(psync: &Psync, bytes: &[u8], cuts: &[usize]) {
    let mut replica = psync.replica();
    let (mut at, mut end) = (0, 0);
    let mut dump = 0;
    let mut cuts = cuts.iter().copied().cycle();
    loop {
        replica.outgoing();
        replica.keepalive();
        let _ = (replica.silent_for(), replica.unread_for(), replica.remarks());
        match replica.advance(&bytes[at..end]) {
            Ok(Next::Skip(n)) => {
                assert!(n > 0 && at + n <= end);
                at += n;
            }
            Ok(Next::Dump(n)) => {
                assert!(n > 0 && at + n <= end);
                dump += n;
                at += n;
            }
            Ok(Next::More) if end == bytes.len() => break,
            Ok(Next::More) => {
                assert!(end - at < WINDOW);
                end += cuts.next().unwrap().min(bytes.len() - end);
            }
            Ok(Next::End) => {
                assert!(!psync.follow);
                let said = bytes[..at].windows(12).any(|w| w.eq_ignore_ascii_case(b"+FULLRESYNC "));
                assert!(said, "{at} {dump}");
                let marked = bytes[at..end].len() >= 40 && find(&bytes[..at], b"$EOF:");
                let counted = find(&bytes[..at], format!("${dump}\r\n").as_bytes())
                    || find(&bytes[..at], format!("${dump}\n").as_bytes());
                // A number may begin with zeros.
                let zeros = find(&bytes[..at], b"$0");
                assert!(marked || counted || zeros, "{at} {dump} {bytes:?}");
                break;
            }
            Err(refusal) => {
                assert!(refusal.to_string().chars().all(|c| !c.is_control()), "{refusal:?}");
                assert!(refusal.to_string().len() < 1000, "{refusal}");
                break;
            }
        }
    }
    let refusal = replica.closed(&bytes[at..end]);
    assert!(refusal.to_string().chars().all(|c| !c.is_control()), "{refusal:?}");
}

fn find(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

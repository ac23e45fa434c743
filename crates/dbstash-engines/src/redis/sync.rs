//! The part of a replica in the conversation by which it gets its master's data set.

use std::time::Duration;

use dbstash_core::dialogue::{Dialogue, Next, Protocol, Refusal};
use dbstash_core::job::SyncMode;
use dbstash_core::secret::SecretString;

use super::framing::{Cut, Framing};
use super::question::Question;
use super::refusal::{meaning, shown};
use super::resp::{self, Reply};

/// How long a server that is there takes to answer, until it has to make a dump.
const ANSWER: Duration = Duration::from_secs(30);
/// A master's `repl-timeout` when it is not known.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A full synchronisation, and as whom.
#[derive(Debug, Clone)]
pub struct Psync {
    /// The user, when it is not the default one.
    pub user: Option<String>,
    /// The password; with a user and without one, an empty one.
    pub password: Option<SecretString>,
    /// Whether the password is percent-encoded: it may be no text.
    pub encoded: bool,
    /// Where the master should make the dump.
    pub mode: SyncMode,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether to stay for what is written after the dump.
    pub follow: bool,
}

impl Protocol for Psync {
    fn begin(&self) -> Box<dyn Dialogue> {
        Box::new(self.replica())
    }

    fn summary(&self) -> String {
        "PSYNC ? -1".to_owned()
    }
}

impl Psync {
    /// A conversation at its start.
    pub fn replica(&self) -> Replica {
        Replica {
            psync: self.clone(),
            phase: Phase::Ask(self.first()),
            heard: false,
            drain: 0,
            valkey: None,
            timeout: TIMEOUT,
            offset: 0,
            remarks: Vec::new(),
        }
    }
}

enum Phase {
    Ask(Question),
    Answer(Question),
    /// Granted; how it will be framed comes next.
    Header,
    Dump(Framing),
    /// What is written after the dump.
    Stream,
    Over,
}

/// A replica in a conversation. It takes no part in anything but its full synchronisation.
pub struct Replica {
    psync: Psync,
    phase: Phase,
    /// Whether the server has said anything.
    heard: bool,
    /// So many bytes of an answer are of no interest.
    drain: u64,
    valkey: Option<String>,
    timeout: Duration,
    offset: u64,
    remarks: Vec<String>,
}

impl Replica {
    /// How far in the master's history the bytes go that were used up: the dump holds everything up to where it began,
    /// and each byte after the dump counts as one.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn answer(&mut self, question: Question, input: &[u8]) -> Result<Next, Refusal> {
        if question == Question::Psync && input.first() == Some(&b'\n') {
            return Ok(Next::Skip(1));
        }
        let Some((reply, len)) = resp::reply(input).map_err(|_| self.odd(input))? else {
            return Ok(Next::More);
        };
        match reply {
            Reply::Error(line) => self.refused(question, line)?,
            Reply::Bulk(info) if question == Question::Info => self.read_info(info)?,
            Reply::Array(pair) if question == Question::Timeout => self.read_timeout(&pair),
            Reply::Long(left) if question == Question::Info => self.drain = left,
            Reply::Line(line) if question == Question::Psync => {
                self.offset = granted(line).ok_or_else(|| self.odd(input))?;
                self.phase = Phase::Header;
                return Ok(Next::Skip(len));
            }
            Reply::Line(b"OK") => {}
            _ => return Err(self.odd(input)),
        }
        self.phase = Phase::Ask(self.psync.after(question, self.valkey.as_deref()));
        Ok(Next::Skip(len))
    }

    fn refused(&self, question: Question, line: &[u8]) -> Result<(), Refusal> {
        match meaning(question, &self.shown(line), self.psync.user.as_deref()) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    fn read_info(&mut self, info: &[u8]) -> Result<(), Refusal> {
        let info = String::from_utf8_lossy(info);
        for (name, value) in info.lines().filter_map(|line| line.trim_end().split_once(':')) {
            match (name, value) {
                ("valkey_version", version) => self.valkey = Some(version.to_owned()),
                ("redis_mode" | "server_mode", "sentinel") => {
                    return Err(Refusal::Final(
                        "it is a Sentinel, which holds no data: name a server that it watches".into(),
                    ));
                }
                ("cluster_enabled", "1") => self.remarks.push(
                    "the server is a node of a cluster: the dump holds its own slots alone; back up each master of \
                     it"
                    .into(),
                ),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_timeout(&mut self, pair: &[Reply<'_>]) {
        if let [Reply::Bulk(_), Reply::Bulk(seconds)] = pair
            && let Some(seconds @ 1..) = resp::number(seconds)
        {
            self.timeout = Duration::from_secs(seconds);
        }
    }

    fn header(&mut self, input: &[u8]) -> Result<Next, Refusal> {
        if input.first() == Some(&b'\n') {
            return Ok(Next::Skip(1));
        }
        let line = resp::line(input).map_err(|_| self.odd(input))?;
        let Some((line, len)) = line else { return Ok(Next::More) };
        if let Some(error) = line.strip_prefix(b"-") {
            self.refused(Question::Psync, error)?;
        }
        let framing = Framing::read(line).ok_or_else(|| self.odd(input))?;
        let counted = matches!(framing, Framing::Counted { .. });
        match self.psync.mode {
            SyncMode::Diskless if counted => self.remarks.push(
                "REDIS_SYNC_MODE=diskless, and the server made a file first all the same (repl-diskless-sync no)".into(),
            ),
            SyncMode::Disk if !counted => self.remarks.push(
                "REDIS_SYNC_MODE=disk, and the server made no file all the same: it does not wait for a slow remote"
                    .into(),
            ),
            _ => {}
        }
        self.phase = Phase::Dump(framing);
        Ok(Next::Skip(len))
    }

    /// The dump is over, and so many more bytes belong to its framing.
    fn over(&mut self, mark: usize, input: &[u8]) -> Next {
        if !self.psync.follow {
            self.phase = Phase::Over;
            return Next::End;
        }
        self.phase = Phase::Stream;
        if mark > 0 { Next::Skip(mark) } else { self.stream(input) }
    }

    fn stream(&mut self, input: &[u8]) -> Next {
        if input.is_empty() {
            return Next::More;
        }
        self.offset = self.offset.saturating_add(input.len() as u64);
        Next::Skip(input.len())
    }

    /// Bytes that make no sense here.
    fn odd(&self, input: &[u8]) -> Refusal {
        if !self.psync.tls && input.starts_with(b"\x15\x03") {
            return Refusal::Final("it answers in TLS: write rediss:// in DB_URI".to_owned());
        }
        let start = input.split(|b| *b == b'\n').next().unwrap_or_default();
        let start = self.shown(start[..start.len().min(1024)].trim_ascii_end());
        Refusal::Final(format!("it does not answer as Redis does: \"{start}\""))
    }

    fn shown(&self, line: &[u8]) -> String {
        shown(line, &String::from_utf8_lossy(&self.psync.password()))
    }
}

impl Dialogue for Replica {
    fn outgoing(&mut self) -> Vec<u8> {
        let Phase::Ask(question) = self.phase else { return Vec::new() };
        if self.drain > 0 {
            return Vec::new();
        }
        self.phase = Phase::Answer(question);
        self.psync.words(question, self.valkey.as_deref())
    }

    fn advance(&mut self, input: &[u8]) -> Result<Next, Refusal> {
        self.heard |= !input.is_empty();
        if self.drain > 0 && !input.is_empty() {
            let n = usize::try_from(self.drain).map_or(input.len(), |left| left.min(input.len()));
            self.drain -= n as u64;
            return Ok(Next::Skip(n));
        }
        match &mut self.phase {
            Phase::Ask(question) | Phase::Answer(question) => {
                let question = *question;
                self.answer(question, input)
            }
            Phase::Header => self.header(input),
            Phase::Dump(framing) => match framing.cut(input) {
                Cut::More => Ok(Next::More),
                Cut::Over(mark) => Ok(self.over(mark, input)),
                Cut::Dump(n) => {
                    if framing.is_over() && self.psync.follow {
                        self.phase = Phase::Stream;
                    }
                    Ok(Next::Dump(n))
                }
            },
            Phase::Stream => Ok(self.stream(input)),
            Phase::Over => Ok(Next::End),
        }
    }

    fn keepalive(&mut self) -> Vec<u8> {
        match self.phase {
            Phase::Ask(_) | Phase::Answer(_) | Phase::Over => Vec::new(),
            // Who wants only the dump may be sent its last bytes by a master that has closed its side: a word to it would
            // take them back.
            Phase::Header | Phase::Dump(_) if !self.psync.follow => Vec::new(),
            Phase::Header | Phase::Dump(_) => b"\n".to_vec(),
            // Again and again: a master does not hear the first one while it has not reaped the process that made
            // the dump, and until it has heard one it sends nothing.
            Phase::Stream => resp::command(&["REPLCONF", "ACK", &self.offset.to_string()]),
        }
    }

    fn silent_for(&self) -> Option<Duration> {
        match self.phase {
            Phase::Ask(_) => Some(ANSWER),
            Phase::Answer(question) if question != Question::Psync => Some(ANSWER),
            // It makes a dump, or waits for others who may want the same one: then it says a newline each second. A
            // replica of its own would give it up after as long.
            Phase::Answer(_) | Phase::Header => Some(self.timeout.max(TIMEOUT)),
            _ => None,
        }
    }

    fn closed(&self, rest: &[u8]) -> Refusal {
        let question = match &self.phase {
            Phase::Ask(question) | Phase::Answer(question) => *question,
            Phase::Header => Question::Psync,
            Phase::Dump(framing) => {
                return Refusal::Failed(format!(
                    "the connection ended {}: see the server's log",
                    framing.missing(rest.len())
                ));
            }
            Phase::Stream => {
                let offset = self.offset;
                return Refusal::Later(format!("the connection ended at offset {offset}"));
            }
            Phase::Over => return Refusal::Failed("there is no more to come".to_owned()),
        };
        if let Some(line) = rest.strip_prefix(b"-")
            && let Err(refusal) = self.refused(question, line)
        {
            return refusal;
        }
        let at_work = matches!(self.phase, Phase::Header) || question == Question::Psync;
        match (self.heard, self.psync.tls) {
            (false, false) => Refusal::Failed(
                "it closed the connection before it answered: is this a TLS port? then write rediss:// in DB_URI".into(),
            ),
            (false, true) => {
                Refusal::Failed("it closed the connection before it answered: see its log".into())
            }
            (true, _) if at_work => Refusal::Failed(
                "it closed the connection before its dump began: see its log, BGSAVE may have failed".into(),
            ),
            (true, _) => Refusal::Later("it closed the connection before it was asked for a dump".into()),
        }
    }

    fn unread_for(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Dump(Framing::Marked(_)) => Some(self.timeout),
            _ => None,
        }
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

/// The offset of `FULLRESYNC <id> <offset>`.
fn granted(line: &[u8]) -> Option<u64> {
    let mut words = line.split(|b| *b == b' ');
    let granted = words.next()?.eq_ignore_ascii_case(b"FULLRESYNC") && !words.next()?.is_empty();
    let offset = resp::number(words.next()?)?;
    (granted && words.next().is_none()).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_may_be_silent_for_as_long_as_its_own_replicas_take() {
        let psync = Psync {
            user: None,
            password: None,
            mode: SyncMode::Disk,
            tls: false,
            follow: false,
            encoded: false,
        };
        let mut replica = psync.replica();
        let mut said = replica.outgoing();
        while !said.ends_with(b"-1\r\n") {
            assert_eq!(replica.silent_for(), Some(ANSWER));
            replica
                .advance(b"-ERR unknown\r\n")
                .unwrap_or_else(|_| replica.advance(b"+OK\r\n").unwrap());
            said = replica.outgoing();
        }
        assert_eq!(replica.silent_for(), Some(TIMEOUT));
        assert_eq!(replica.advance(b"\n"), Ok(Next::Skip(1)));
        replica.advance(b"+FULLRESYNC 0123 7\r\n").unwrap();
        assert_eq!(replica.silent_for(), Some(TIMEOUT));
        replica.advance(b"$9\r\n").unwrap();
        assert_eq!(replica.silent_for(), None, "BACKUP_STALL_TIMEOUT says how long");
    }
}

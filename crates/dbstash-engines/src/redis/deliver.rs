//! A dump told to a server key by key, and the rehearsal of that.

mod answers;

use std::sync::Arc;

use dbstash_core::dialogue::Refusal;
use dbstash_core::errand::{Speech, Talk};
use dbstash_core::load::OnExisting;

use super::records::{Key, Record, Records};
use super::resp;
use super::survey::sealed;
use super::sync::Psync;
use super::talk::Queue;

/// A key that is there while a restore is not complete; it holds the backup's id.
pub(super) const MARK: &str = "dbstash:restore:incomplete";
/// So many keys may be without an answer.
const WINDOW: usize = 1000;
/// The longest value is a whole command's, a version and a checksum on top of it.
const FOOTER: u64 = 10;
/// A longer one is sent by itself.
const LARGE: usize = 64 * 1024;

/// What is told, and under which terms.
#[expect(clippy::struct_excessive_bools, reason = "each is so or is not")]
pub(super) struct Terms {
    pub(super) login: Psync,
    /// The backup's id.
    pub(super) backup: String,
    /// What the target is, for messages.
    pub(super) version: String,
    /// The versions of the format that it reads.
    pub(super) reads: Vec<u16>,
    /// How many databases it has.
    pub(super) databases: u64,
    /// The longest value that it takes.
    pub(super) longest: u64,
    /// Whether any module is loaded there.
    pub(super) modules: bool,
    /// Whether it knows functions.
    pub(super) functions: bool,
    /// Whether everything there goes first.
    pub(super) clean: bool,
    /// Whether the mark is there already.
    pub(super) marked: bool,
    pub(super) on_existing: Option<OnExisting>,
}

/// What is said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing that changes anything.
    Rehearsal,
    Delivery,
}

/// One of them.
pub(super) struct Restore(pub(super) Arc<Terms>, pub(super) Part);

impl Speech for Restore {
    fn begin(&self) -> Box<dyn Talk> {
        Box::new(Telling::new(Arc::clone(&self.0), self.1))
    }

    fn summary(&self) -> String {
        let how = match self.0.on_existing {
            Some(OnExisting::Replace) => " REPLACE",
            _ => "",
        };
        let clean = if self.0.clean { "FLUSHALL, " } else { "" };
        format!("{clean}RESTORE{how} of each key")
    }
}

enum Asked {
    Auth,
    /// Need not succeed.
    Name,
    Time,
    /// How many keys it has thrown out for want of memory.
    Evicted,
    /// The mark once more, after it has thrown out so many: it may have been one of them.
    Remark(u64),
    /// These words.
    Fine(&'static str),
    /// A part of a transaction.
    Queued,
    /// The mark, where nobody else's may be there.
    Mark,
    Exists(String),
    Key(String),
    Functions,
}

struct Telling {
    terms: Arc<Terms>,
    part: Part,
    queue: Queue<Asked>,
    records: Records,
    version: u16,
    database: u64,
    /// The server's own time, in milliseconds.
    now: i64,
    evicted: Option<u64>,
    expired: u64,
    skipped: u64,
    /// Whether everything before the keys is answered.
    greeted: bool,
    /// The last words are said when everything else is answered.
    last: Vec<Last>,
}

#[derive(Clone, Copy)]
enum Last {
    Evicted,
    Unmark,
    Remark(u64),
}

impl Telling {
    fn new(terms: Arc<Terms>, part: Part) -> Self {
        let mut queue = Queue::new(&terms.login, || Asked::Auth);
        queue.ask(&["CLIENT", "SETNAME", "dbstash-restore"], Asked::Name);
        queue.ask(&["TIME"], Asked::Time);
        if part == Part::Delivery {
            queue.ask(&["INFO", "stats"], Asked::Evicted);
            if terms.clean {
                queue.ask(&["MULTI"], Asked::Fine("MULTI"));
                queue.ask(&["FLUSHALL", "ASYNC"], Asked::Queued);
                if terms.functions {
                    queue.ask(&["FUNCTION", "FLUSH"], Asked::Queued);
                }
                queue.ask(&["SET", MARK, &terms.backup], Asked::Queued);
                queue.ask(&["EXEC"], Asked::Fine("FLUSHALL"));
            } else if terms.marked {
                queue.ask(&["SET", MARK, &terms.backup], Asked::Mark);
            } else {
                queue.ask(&["SET", MARK, &terms.backup, "NX"], Asked::Mark);
            }
        }
        let records = Records::new(terms.longest);
        Self {
            terms,
            part,
            queue,
            records,
            version: 0,
            database: 0,
            now: 0,
            evicted: None,
            expired: 0,
            skipped: 0,
            greeted: false,
            last: Vec::new(),
        }
    }

    fn record(&mut self, record: Record) -> Result<(), Refusal> {
        let refused = |what: String| Err(Refusal::Final(what));
        match record {
            Record::Version(version) if !self.terms.reads.contains(&version) => {
                return refused(format!(
                    "the dump is of version {version} of the format (RDB), which this target, {}, does not read: \
                     restore into a server as new as the one it is of",
                    self.terms.version
                ));
            }
            Record::Version(version) => self.version = version,
            Record::Database(number) if number >= self.terms.databases => {
                return refused(format!(
                    "the dump has keys in database {number}, and the target has {} databases: start it with more of \
                     them (databases)",
                    self.terms.databases
                ));
            }
            Record::Database(number) => {
                self.database = number;
                self.queue.ask(&["SELECT", &number.to_string()], Asked::Fine("SELECT"));
            }
            Record::Module(name) => {
                return refused(format!(
                    "the module {name} has stored data of its own beside the keys, which no server can be told: \
                     --to-file makes a file for a server with this module"
                ));
            }
            Record::Functions(library) => self.functions(library),
            Record::Key(key) => return self.key(key),
            Record::End => {}
        }
        Ok(())
    }

    fn functions(&mut self, library: Vec<u8>) {
        if self.part == Part::Rehearsal {
            return;
        }
        let policy = match self.terms.on_existing {
            Some(OnExisting::Replace) => "REPLACE",
            _ => "APPEND",
        };
        let payload = sealed(library, self.version);
        let words: [&[u8]; 4] = [b"FUNCTION", b"RESTORE", &payload, policy.as_bytes()];
        self.queue.ask(&words, Asked::Functions);
    }

    fn key(&mut self, key: Key) -> Result<(), Refusal> {
        let name = self.named(&key.name);
        if key.expires.is_some_and(|at| at <= self.now) {
            self.expired += 1;
            return Ok(());
        }
        if key.name == MARK.as_bytes() {
            return Err(Refusal::Final(format!(
                "the backup is of a server that holds an interrupted restore ({MARK}): take an older one"
            )));
        }
        if key.len + FOOTER > self.terms.longest {
            return Err(Refusal::Final(format!(
                "{name} has {} bytes in one piece, and the target takes {} (proto-max-bulk-len): raise it, or make a \
                 file by --to-file",
                key.len, self.terms.longest
            )));
        }
        if key.of_module && !self.terms.modules {
            return Err(Refusal::Final(format!(
                "{name} is of a type of a module, and the target has no modules: load it there first"
            )));
        }
        if self.part == Part::Rehearsal {
            if self.is_strict() {
                self.queue.ask(&[b"EXISTS".as_slice(), &key.name], Asked::Exists(name));
            }
            return Ok(());
        }
        let payload = sealed(key.value, self.version);
        let expires = key.expires.unwrap_or(0).to_string();
        let mut more = vec!["ABSTTL".to_owned()];
        if self.terms.on_existing == Some(OnExisting::Replace) {
            more.push("REPLACE".to_owned());
        }
        if let Some(seconds) = key.idle {
            more.extend(["IDLETIME".to_owned(), seconds.to_string()]);
        } else if let Some(often) = key.often {
            more.extend(["FREQ".to_owned(), often.to_string()]);
        }
        let words: [&[u8]; 4] = [b"RESTORE", &key.name, expires.as_bytes(), &payload];
        if payload.len() < LARGE {
            let words: Vec<&[u8]> =
                words.into_iter().chain(more.iter().map(String::as_bytes)).collect();
            self.queue.ask(&words, Asked::Key(name));
            return Ok(());
        }
        let mut head = format!("*{}\r\n", words.len() + more.len()).into_bytes();
        for word in &words[..3] {
            head.extend(resp::bulk(word));
        }
        head.extend(format!("${}\r\n", payload.len()).bytes());
        let mut tail = b"\r\n".to_vec();
        for word in &more {
            tail.extend(resp::bulk(word.as_bytes()));
        }
        self.queue.push(head, Asked::Key(name));
        self.queue.add(payload);
        self.queue.add(tail);
        Ok(())
    }

    /// Whether a key that is there already ends it before it begins.
    fn is_strict(&self) -> bool {
        self.terms.on_existing == Some(OnExisting::Fail) && !self.terms.clean
    }

    /// A key, for people.
    fn named(&self, key: &[u8]) -> String {
        let shown = String::from_utf8_lossy(&key[..key.len().min(100)]);
        format!("the key \"{}\" of database {}", shown.escape_debug(), self.database)
    }
}

impl Talk for Telling {
    fn is_ready(&self) -> bool {
        if self.greeted { self.queue.open() < WINDOW } else { self.queue.open() == 0 }
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        self.greeted = true;
        while !bytes.is_empty() {
            let (n, record) = self.records.take(bytes).map_err(Refusal::Final)?;
            bytes = &bytes[n..];
            if let Some(record) = record {
                self.record(record)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        if !self.records.are_over() {
            return Err(Refusal::Final("the dump ends within a record".to_owned()));
        }
        if self.part == Part::Delivery {
            self.last = vec![Last::Unmark, Last::Evicted];
            self.last_words();
        }
        Ok(())
    }

    fn outgoing(&mut self) -> Option<Vec<u8>> {
        self.queue.outgoing()
    }

    fn hear(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let Some((asked, reply, len)) = self.queue.answer(input)? else { return Ok(0) };
        self.answered(&asked, &reply)?;
        self.last_words();
        Ok(len)
    }

    fn is_over(&self) -> bool {
        self.queue.open() == 0 && self.last.is_empty()
    }

    fn closed(&self, rest: &[u8]) -> Refusal {
        self.queue.closed(rest)
    }

    fn told(self: Box<Self>) -> Vec<String> {
        let mut told = Vec::new();
        if self.part == Part::Rehearsal {
            return told;
        }
        if self.expired > 0 {
            told.push(format!("{} keys are past their time, and were left out", self.expired));
        }
        if self.skipped > 0 {
            told.push(format!("{} keys were there already, and are as they were", self.skipped));
        }
        told
    }
}

impl Telling {
    /// One after the other, when nothing is open.
    fn last_words(&mut self) {
        if self.queue.open() > 0 {
            return;
        }
        match self.last.pop() {
            Some(Last::Evicted) => self.queue.ask(&["INFO", "stats"], Asked::Evicted),
            Some(Last::Remark(lost)) => {
                self.queue.ask(&["SELECT", "0"], Asked::Fine("SELECT"));
                self.queue.ask(&["SET", MARK, &self.terms.backup], Asked::Remark(lost));
            }
            Some(Last::Unmark) => {
                self.queue.ask(&["SELECT", "0"], Asked::Fine("SELECT"));
                self.queue.ask(&["DEL", MARK], Asked::Fine("DEL"));
            }
            None => {}
        }
    }
}

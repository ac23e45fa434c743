//! What a server is asked before a dump is restored into it. Nothing of it changes anything there.

use dbstash_core::dialogue::Refusal;
use dbstash_core::errand::{Speech, Talk};
use dbstash_core::load::Target;

use super::deliver::MARK;
use super::question::Question;
use super::rdb::CRC;
use super::resp::{Reply, number};
use super::sync::Psync;
use super::talk::Queue;

/// Versions of the format that there are or may be, of Redis and of Valkey.
const VERSIONS: [std::ops::RangeInclusive<u16>; 2] = [1..=30, 80..=99];
/// More databases are taken for any number.
const DATABASES: u32 = 256;
/// What no key is called: nothing is ever stored in it.
const PROBE: &str = "dbstash:restore:probe";
const SECTIONS: [&str; 6] = ["server", "replication", "memory", "keyspace", "cluster", "modules"];

/// The survey, and as whom.
pub(super) struct Survey(pub(super) Psync);

impl Speech for Survey {
    fn begin(&self) -> Box<dyn Talk> {
        Box::new(Asking {
            queue: Queue::new(&self.0, || Asked::Auth),
            lines: Vec::new(),
            databases: 1,
        })
    }

    fn summary(&self) -> String {
        "INFO".to_owned()
    }
}

enum Asked {
    Auth,
    Info,
    Mark,
    /// The longest value that it takes; it need not say.
    Longest,
    /// Whether it reads values of this version.
    Version(u16),
    /// Whether there is such a database.
    Database,
}

struct Asking {
    queue: Queue<Asked>,
    lines: Vec<String>,
    databases: u32,
}

impl Asking {
    fn answered(&mut self, asked: &Asked, reply: &Reply<'_>) -> Result<(), Refusal> {
        match (asked, reply) {
            (Asked::Info, Reply::Bulk(text)) => {
                let text = String::from_utf8_lossy(text);
                self.lines.extend(text.lines().map(|line| line.trim_end().to_owned()));
            }
            (Asked::Mark, Reply::Bulk(of)) if !of.is_empty() => {
                self.lines.push(format!("mark:{}", String::from_utf8_lossy(of)));
            }
            (Asked::Longest, Reply::Array(pair)) => {
                if let [_, Reply::Bulk(bytes)] = &pair[..]
                    && let Some(bytes) = number(bytes)
                {
                    self.lines.push(format!("longest:{bytes}"));
                }
            }
            (Asked::Version(version), Reply::Error(line)) => self.probed(*version, line),
            (Asked::Database, Reply::Line(_)) => self.databases += 1,
            (Asked::Longest | Asked::Database, Reply::Error(_)) => {}
            (Asked::Auth, Reply::Line(_)) | (Asked::Mark, Reply::Bulk(_)) => {}
            (asked, Reply::Error(line)) => {
                let question =
                    if let Asked::Auth = asked { Question::Auth } else { Question::Info };
                let shown = self.queue.shown(line);
                return Err(self.queue.refusal(question, line).unwrap_or_else(|| {
                    Refusal::Final(format!("it does not say what it holds: \"{shown}\""))
                }));
            }
            (_, _) => return Err(self.queue.odd(b"")),
        }
        Ok(())
    }

    /// A value of no type whose checksum is right is bad data to who reads its version.
    fn probed(&mut self, version: u16, line: &[u8]) {
        let shown = self.queue.shown(line);
        let text = shown.to_ascii_lowercase();
        if text.contains("bad data format") {
            self.lines.push(format!("reads:{version}"));
        } else if !text.contains("version or checksum")
            && !self.lines.iter().any(|line| line.starts_with("refuses:"))
        {
            self.lines.push(format!("refuses:{shown}"));
        }
    }
}

impl Talk for Asking {
    fn is_ready(&self) -> bool {
        true
    }

    fn feed(&mut self, _bytes: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        for section in SECTIONS {
            self.queue.ask(&["INFO", section], Asked::Info);
        }
        self.queue.ask(&["GET", MARK], Asked::Mark);
        self.queue.ask(&["CONFIG", "GET", "proto-max-bulk-len"], Asked::Longest);
        for version in VERSIONS.into_iter().flatten() {
            let payload = sealed(vec![0xff], version);
            let words: [&[u8]; 4] = [b"RESTORE", PROBE.as_bytes(), b"0", &payload];
            self.queue.ask(&words, Asked::Version(version));
        }
        for database in 1..DATABASES {
            self.queue.ask(&["SELECT", &database.to_string()], Asked::Database);
        }
        Ok(())
    }

    fn outgoing(&mut self) -> Option<Vec<u8>> {
        self.queue.outgoing()
    }

    fn hear(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let Some((asked, reply, len)) = self.queue.answer(input)? else { return Ok(0) };
        self.answered(&asked, &reply)?;
        Ok(len)
    }

    fn is_over(&self) -> bool {
        self.queue.open() == 0
    }

    fn closed(&self, rest: &[u8]) -> Refusal {
        self.queue.closed(rest)
    }

    fn told(mut self: Box<Self>) -> Vec<String> {
        self.lines.push(format!("databases:{}", self.databases));
        self.lines
    }
}

/// What `DUMP` would have made of it: with the version of the format, and a checksum.
pub(super) fn sealed(mut value: Vec<u8>, version: u16) -> Vec<u8> {
    value.extend(version.to_le_bytes());
    let sum = CRC.checksum(&value);
    value.extend(sum.to_le_bytes());
    value
}

/// What the answers mean.
pub(super) fn read(lines: &[String]) -> Result<Target, String> {
    let all = |name: &str| {
        let name = name.to_owned();
        lines.iter().filter_map(move |line| line.strip_prefix(&name)?.strip_prefix(':'))
    };
    let value = |name: &str| all(name).next();
    if value("redis_mode").or(value("server_mode")) == Some("sentinel") {
        return Err(
            "it is a Sentinel, which holds no data: name a server that it watches".to_owned()
        );
    }
    let version = value("valkey_version")
        .map(|version| format!("Valkey {version}"))
        .or_else(|| value("redis_version").map(str::to_owned));
    let Some(version) = version else {
        return Err("it does not say its version (INFO): may the user run INFO?".to_owned());
    };
    let mark = value("mark").map(str::to_owned);
    let mut holds = Vec::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("db")) {
        let Some((database, counts)) = line.split_once(":keys=") else { continue };
        let keys = counts.split(',').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(1);
        // Our own is none of theirs.
        let keys = keys.saturating_sub(u64::from(mark.is_some() && database == "0"));
        if keys > 0 {
            holds.push(format!("{keys} keys in database {database}"));
        }
    }
    if let Some(n) =
        value("number_of_libraries").and_then(|n| n.parse::<u64>().ok()).filter(|n| *n > 0)
    {
        holds.push(format!("{n} libraries of functions"));
    }
    let kept = [
        "role",
        "master_host",
        "cluster_enabled",
        "maxmemory",
        "maxmemory_policy",
        "module",
        "refuses",
        "reads",
        "longest",
        "databases",
        "number_of_libraries",
    ];
    let is_kept =
        |line: &&String| line.split_once(':').is_some_and(|(name, _)| kept.contains(&name));
    let facts = lines.iter().filter(is_kept).cloned().collect();
    Ok(Target { version: Some(version), exists: true, holds, mark, facts })
}

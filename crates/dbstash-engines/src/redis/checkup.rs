//! What a dump needs of a Redis server: a login, and the right to ask for the data set as a replica does.

use std::sync::Arc;
use std::time::Duration;

use dbstash_core::checkup::{
    Answer, Ask, Checkup, Finding, Place, Question as Asked, Reading, Tool,
};
use dbstash_core::dialogue::{Call, Dialogue, Next, Protocol, Refusal, Spare};
use dbstash_core::engine::PlanError;
use dbstash_core::job::{Job, RedisMethod, Source};

use super::question::Question;
use super::refusal::{meaning, shown};
use super::resp::{self, Reply};
use super::sync::Psync;
use super::{cli, endpoints, params};

/// How long a server that is there takes to answer.
const ANSWER: Duration = Duration::from_secs(15);
/// In these words, and before it does anything, a server refuses to send its data set to whom it owes another answer.
const OWES: &str = "pending output";

pub(super) fn checkup(job: &Job) -> Result<Checkup, PlanError> {
    let Source::Server(server) = &job.source else {
        return Err(PlanError("redis needs a server: set DB_URI=redis://... or DB_HOST".into()));
    };
    let tls = params::tls(server, &mut Vec::new())?;
    let endpoints = endpoints(server);
    let raw = params::raw_password(server);
    let login = Psync {
        user: server.user.clone(),
        password: raw.or(server.password.as_ref()).cloned(),
        encoded: raw.is_some(),
        mode: job.replication.sync,
        tls: tls.is_some(),
        follow: false,
    };
    let by_cli = job.replication.method == RedisMethod::Cli;
    let is_here = |name: &str| {
        name.is_empty()
            || name.starts_with('/')
            || ["localhost", "127.0.0.1", "::1"].contains(&name)
    };
    let reading = Heard {
        encrypted: tls.is_some(),
        local: server.hosts.iter().all(|host| is_here(&host.name)),
        user: server.user.clone(),
    };
    let call = Call {
        endpoints: endpoints.clone(),
        tls,
        protocol: Arc::new(Inquiry { login, by_cli }),
        patience: None,
        spool: Spare { dir: job.temp_dir.clone(), most: 0 },
    };
    let tools = match job.replication.method {
        RedisMethod::Replication => Vec::new(),
        method => {
            let mut tool = Tool::any("redis-cli", "--version", "redis-tools");
            if method == RedisMethod::Auto {
                tool.without = Some("there is no other way where PSYNC is not allowed");
            }
            vec![tool]
        }
    };
    Ok(Checkup {
        places: endpoints.into_iter().map(Place::Server).collect(),
        tools,
        questions: vec![Asked { ask: Ask::Server(call), reading: Box::new(reading) }],
        each: false,
    })
}

/// Everything that comes before a dump, and not the dump.
struct Inquiry {
    login: Psync,
    by_cli: bool,
}

impl Protocol for Inquiry {
    fn begin(&self) -> Box<dyn Dialogue> {
        let login = self.login.first() == Question::Auth;
        let step = if login { Step::Auth } else { Step::Info };
        let login = self.login.clone();
        Box::new(Inquirer {
            login,
            by_cli: self.by_cli,
            step,
            said: false,
            drain: 0,
            remarks: Vec::new(),
        })
    }

    fn summary(&self) -> String {
        "PING".to_owned()
    }
}

/// In this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Auth,
    Info,
    Time,
    Capa,
    /// Sent together with the next one: a server that owes an answer sends no data set, and says what it would say to
    /// whom it may not send it.
    Ping,
    Sync,
    Over,
}

struct Inquirer {
    login: Psync,
    by_cli: bool,
    step: Step,
    said: bool,
    /// Bytes of a long answer still to come.
    drain: u64,
    remarks: Vec<String>,
}

impl Inquirer {
    fn words(&self) -> Vec<u8> {
        match self.step {
            Step::Auth => self.login.words(Question::Auth, None),
            Step::Info => resp::command(&["INFO", "server"]),
            Step::Time => resp::command(&["TIME"]),
            Step::Capa => resp::command(&["REPLCONF", "capa", "psync2"]),
            Step::Ping => {
                let sync: &[&str] = if self.by_cli { &["SYNC"] } else { &["PSYNC", "?", "-1"] };
                [resp::command(&["PING"]), resp::command(sync)].concat()
            }
            Step::Sync | Step::Over => Vec::new(),
        }
    }

    fn go_on(&mut self) {
        self.step = match self.step {
            Step::Auth => Step::Info,
            Step::Info => Step::Time,
            // redis-cli goes on whatever is said to its REPLCONF.
            Step::Time if self.by_cli => Step::Ping,
            Step::Time => Step::Capa,
            Step::Capa => Step::Ping,
            Step::Ping => Step::Sync,
            Step::Sync | Step::Over => Step::Over,
        };
        self.said = self.step == Step::Sync;
    }

    /// What an error means; nothing where a dump does not care.
    fn refused(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let secret = String::from_utf8_lossy(&self.login.password()).into_owned();
        let error = shown(line, &secret);
        let user = self.login.user.as_deref();
        let question = match self.step {
            Step::Auth => Question::Auth,
            Step::Capa => Question::Capa,
            Step::Sync => Question::Psync,
            _ => Question::Info,
        };
        if self.step == Step::Sync && error.contains(OWES) {
            self.remarks.push("sync\tok".to_owned());
            return Ok(());
        }
        if self.step == Step::Sync && self.by_cli {
            let what = cli::explain(&error).unwrap_or(error);
            return Err(Refusal::Final(what));
        }
        match meaning(question, &error, user) {
            // What a backup would wait for is no more than to be known.
            Some(Refusal::Later(what)) => {
                self.remarks.push(format!("later\t{what}"));
                self.step = Step::Over;
                Ok(())
            }
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    fn heard(&mut self, reply: &Reply<'_>) -> Result<(), Refusal> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match (self.step, reply) {
            (_, Reply::Error(line)) => return self.refused(line),
            (Step::Info, Reply::Bulk(info)) => {
                let info = text(info);
                for line in info.lines() {
                    if let Some((name, value)) = line.split_once(':') {
                        self.remarks.push(format!("{name}\t{value}"));
                    }
                }
            }
            (Step::Time, Reply::Array(parts)) => {
                if let [Reply::Bulk(seconds), Reply::Bulk(_)] = &parts[..] {
                    self.remarks.push(format!("clock\t{}000", text(seconds)));
                }
            }
            // It sends the data set all the same: nobody wants it.
            (Step::Sync, _) => self.remarks.push("sync\tok".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

impl Dialogue for Inquirer {
    fn outgoing(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.said, true) { Vec::new() } else { self.words() }
    }

    fn advance(&mut self, input: &[u8]) -> Result<Next, Refusal> {
        if self.step == Step::Over {
            return Ok(Next::End);
        }
        if self.drain > 0 && !input.is_empty() {
            let n = usize::try_from(self.drain).unwrap_or(usize::MAX).min(input.len());
            self.drain -= n as u64;
            if self.drain == 0 {
                self.go_on();
            }
            return Ok(Next::Skip(n));
        }
        // Between an answer and a dump a master sends empty lines.
        if self.step == Step::Sync && input.first() == Some(&b'\n') {
            return Ok(Next::Skip(1));
        }
        let no_redis =
            |_| Refusal::Final("what answers there is no Redis: check host and port".into());
        match resp::reply(input).map_err(no_redis)? {
            None => Ok(Next::More),
            Some((Reply::Long(left), used)) => {
                self.drain = left;
                Ok(Next::Skip(used))
            }
            Some((reply, used)) => {
                self.heard(&reply)?;
                if self.step != Step::Over {
                    self.go_on();
                }
                Ok(Next::Skip(used))
            }
        }
    }

    fn keepalive(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn silent_for(&self) -> Option<Duration> {
        Some(ANSWER)
    }

    fn closed(&self, rest: &[u8]) -> Refusal {
        let said = shown(rest, "");
        let colon = if said.is_empty() { "" } else { ": " };
        Refusal::Failed(format!("it closed the connection{colon}{said}"))
    }

    fn unread_for(&self) -> Option<Duration> {
        None
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

struct Heard {
    encrypted: bool,
    local: bool,
    user: Option<String>,
}

impl Reading for Heard {
    fn read(&self, answer: &[u8], _versions: &[String]) -> Answer {
        let text = String::from_utf8_lossy(answer);
        let one = |word: &str| {
            let mut found = text.lines().filter_map(|line| line.strip_prefix(word));
            found.find_map(|rest| rest.strip_prefix('\t')).unwrap_or_default()
        };
        let user = self.user.as_deref().unwrap_or("default");
        let mut all = vec![Finding::ok("login", format!("the user {user} is let in"))];
        if self.encrypted {
            all.push(Finding::ok("tls", "the connection is encrypted, and the certificate good"));
        } else if !self.local {
            let way_out = "write rediss:// in DB_URI, where the server speaks TLS";
            all.push(Finding::warn("tls", "the connection is not encrypted", way_out));
        }
        let (valkey, redis) = (one("valkey_version"), one("redis_version"));
        all.push(Finding::ok(
            "server",
            match (valkey, redis) {
                ("", "") => "it does not tell its version".to_owned(),
                ("", redis) => format!("Redis {redis}"),
                (valkey, _) => format!("Valkey {valkey}"),
            },
        ));
        let later = one("later");
        all.push(if later.is_empty() {
            Finding::ok("privileges", format!("the user {user} may ask for the data set"))
        } else {
            Finding::warn("server", later, "nothing, unless it stays so: a backup waits for it")
        });
        Answer { findings: all, clock: one("clock").parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Talks with a server that answers these, one after the other.
    fn talk(
        login: Psync,
        by_cli: bool,
        answers: &[&str],
    ) -> (Result<Vec<String>, Refusal>, String) {
        let mut dialogue = Inquiry { login, by_cli }.begin();
        let (mut said, mut answers) = (String::new(), answers.iter());
        let mut input: Vec<u8> = Vec::new();
        loop {
            said.push_str(&String::from_utf8_lossy(&dialogue.outgoing()));
            match dialogue.advance(&input) {
                Ok(Next::Skip(n)) => drop(input.drain(..n)),
                Ok(Next::More) => match answers.next() {
                    Some(more) => input.extend_from_slice(more.as_bytes()),
                    None => return (Err(dialogue.closed(&input)), said),
                },
                Ok(Next::Dump(_) | Next::End) => return (Ok(dialogue.remarks()), said),
                Err(refusal) => return (Err(refusal), said),
            }
        }
    }

    fn login(user: Option<&str>) -> Psync {
        Psync {
            user: user.map(str::to_owned),
            password: user.map(|_| "pw".into()),
            encoded: false,
            mode: dbstash_core::job::SyncMode::Auto,
            tls: false,
            follow: false,
        }
    }

    const INFO: &str = "$21\r\nredis_version:7.4.1\r\n\r\n";
    const TIME: &str = "*2\r\n$4\r\n1500\r\n$1\r\n7\r\n";
    const PENDING: &str = "-ERR SYNC and PSYNC are invalid with pending output\r\n";

    #[test]
    fn no_dump_is_begun() {
        let answers = ["+OK\r\n", INFO, TIME, "+OK\r\n", "+PONG\r\n", PENDING];
        let (done, said) = talk(login(Some("u")), false, &answers);
        assert_eq!(done.unwrap(), ["redis_version\t7.4.1", "clock\t1500000", "sync\tok"]);
        assert!(said.contains("PING\r\n*3\r\n$5\r\nPSYNC"), "{said}");
        let (done, said) = talk(login(None), true, &[INFO, TIME, "+PONG\r\n", PENDING]);
        assert!(done.is_ok() && said.contains("SYNC") && !said.contains("REPLCONF"), "{said}");
    }

    #[test]
    fn refusals_name_the_way_out() {
        let noperm = "-NOPERM this user has no permissions to run the 'psync' command\r\n";
        for (answers, told) in [
            (&["-WRONGPASS invalid\r\n"][..], "refuses the user or the password"),
            (&["+OK\r\n", "-NOPERM info\r\n", TIME, "-NOPERM x\r\n"], "may not run REPLCONF"),
            (
                &["+OK\r\n", INFO, TIME, "+OK\r\n", "+PONG\r\n", noperm],
                "ACL SETUSER u +psync +replconf",
            ),
            (&["HTTP/1.1 400 Bad Request\r\n"], "no Redis"),
        ] {
            let (done, _) = talk(login(Some("u")), false, answers);
            let refusal = done.unwrap_err().to_string();
            assert!(refusal.contains(told), "{refusal}");
        }
        let (done, _) = talk(login(None), false, &["-LOADING Redis is loading\r\n"]);
        assert!(done.unwrap()[0].starts_with("later\t"));
    }
}

//! The database: address, tools, login, privileges.

use chrono::DateTime;

use super::Context;
use super::address::place;
use super::clocks::compared;
use super::tools::{PATIENCE, look, print};
use crate::artifact::ProduceError;
use crate::checkup::{Answer, Ask, Checkup, Finding, Question, Verdict};
use crate::error::RunError;
use crate::job::{Database, Job};
use crate::wire;

/// Of as many databases that a server is asked for, each is looked at.
const LOOKED_AT: usize = 20;

impl Context<'_> {
    /// Everything about the database of a job, and the tools for it.
    pub async fn source(self, job: &Job) -> Vec<Finding> {
        let first = job.subjects().and_then(|all| all.into_iter().next()).unwrap_or(Database::All);
        let checkup = match self.engine.checkup(job, &first) {
            Ok(checkup) => checkup,
            Err(error) => return vec![Finding::failed("settings", error.to_string())],
        };
        let Checkup { places, tools, questions, each } = checkup;
        let mut all = Vec::new();
        for one in &places {
            all.push(place(one).await);
        }
        let reached = places.is_empty() || all.iter().any(|f| f.verdict == Verdict::Ok);
        // One of several is enough.
        for finding in all.iter_mut().filter(|f| reached && f.verdict == Verdict::Fail) {
            finding.verdict = Verdict::Warn;
        }
        let mut versions = Vec::new();
        for tool in &tools {
            let (finding, version) = look(tool, self).await;
            all.push(finding);
            versions.push(version);
        }
        // Why nobody can be asked is told.
        if !reached || !self.ask(questions, &versions, &mut all).await {
            return all;
        }
        let others = match job.subjects() {
            Some(named) if !each => named.into_iter().skip(1).collect(),
            _ => self.each(job, &mut all).await,
        };
        for database in &others {
            if let Ok(checkup) = self.engine.checkup(job, database) {
                self.ask(checkup.questions, &versions, &mut all).await;
            }
        }
        all
    }

    /// The server's own databases, where it is asked for them.
    async fn each(self, job: &Job, all: &mut Vec<Finding>) -> Vec<Database> {
        let question = match self.engine.list_databases(job) {
            Ok(question) => question,
            Err(error) => {
                all.push(Finding::failed("databases", error.to_string()));
                return Vec::new();
            }
        };
        let names = match print(&question, self).await {
            Ok(names) => String::from_utf8_lossy(&names).into_owned(),
            Err(error) => {
                all.push(self.refused("databases", &error));
                return Vec::new();
            }
        };
        let names = names.split('\0').map(|name| name.trim_matches('\n'));
        let names: Vec<_> = names
            .filter(|name| !name.is_empty())
            .filter(|name| !job.exclude.iter().any(|pattern| pattern.matches(name)))
            .map(|name| Database::One(name.to_owned()))
            .collect();
        all.push(match names.len() {
            0 => Finding::fail(
                "databases",
                "the server has none that DB_EXCLUDE leaves",
                "correct DB_EXCLUDE, or let the user see the databases",
            ),
            n if n > LOOKED_AT => Finding::ok(
                "databases",
                format!("{n} to back up; the first {LOOKED_AT} are looked at"),
            ),
            n => Finding::ok("databases", format!("{n} to back up")),
        });
        names.into_iter().take(LOOKED_AT).collect()
    }

    /// Asks, and adds what is new; whether all of it was answered.
    async fn ask(
        self,
        questions: Vec<Question>,
        versions: &[String],
        all: &mut Vec<Finding>,
    ) -> bool {
        let mut add = |finding: Finding| {
            if !all.contains(&finding) {
                all.push(finding);
            }
        };
        for Question { ask, reading } in questions {
            let before = self.clock.now();
            let answer = match &ask {
                Ask::Program(invocation) => print(invocation, self).await,
                Ask::Server(call) => match tokio::time::timeout(PATIENCE, wire::ask(call)).await {
                    Ok(Ok(remarks)) => Ok(remarks.join("\n").into_bytes()),
                    Ok(Err(error)) => Err(error.into()),
                    Err(_) => Err(ProduceError::Server {
                        server: call.to_string(),
                        what: format!("no answer within {PATIENCE:?}"),
                        lasting: false,
                    }
                    .into()),
                },
            };
            let after = self.clock.now();
            match answer {
                Ok(answer) => {
                    let Answer { findings, clock } = reading.read(&answer, versions);
                    findings.into_iter().for_each(&mut add);
                    let clock = clock.and_then(DateTime::from_timestamp_millis);
                    if let Some(theirs) = clock {
                        add(compared("the server", theirs, [before, after]));
                    }
                }
                Err(RunError::Dump(ProduceError::Launch(error))) => {
                    add(Finding::warn(
                        "login",
                        format!("not tried: {error}"),
                        "install the database's client beside the dump tool",
                    ));
                    return false;
                }
                Err(error) => {
                    add(self.refused("login", &error));
                    return false;
                }
            }
        }
        true
    }

    /// Why there is no answer, as whoever looks at a failed run is told.
    pub(super) fn refused(self, topic: &'static str, error: &RunError) -> Finding {
        let stderr = error.stderr().trim();
        if let Some(sentence) = self.engine.explain(stderr).filter(|_| !stderr.is_empty()) {
            return Finding::failed(topic, sentence);
        }
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
        Finding::failed(
            topic,
            match last {
                Some(line) => format!("{error}: {}", line.trim()),
                None => error.to_string(),
            },
        )
    }
}

//! `dbstash status`: how it is with the jobs of the schedulers on this machine.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use dbstash_core::status::{DatabaseStatus, JobStatus};
use dbstash_core::zone::Zone;
use serde_json::{Value, json};

use crate::health::socket::Scheduler;
use crate::text::{age, shown, size, table};

/// Whether there is a scheduler, and all is well.
pub fn is_well(schedulers: &[Scheduler]) -> bool {
    let well = |one: &Scheduler| matches!(one, Scheduler::Alive(snapshot) if snapshot.healthy);
    !schedulers.is_empty() && schedulers.iter().all(well)
}

/// A line for each database, then what is wrong.
pub fn as_text(schedulers: &[Scheduler], zone: Zone, now: DateTime<Utc>) -> String {
    if schedulers.is_empty() {
        return "no scheduler is at work here: dbstash without BACKUP_SCHEDULE=once is one, and DBSTASH_STATE_DIR has to be \
                the same for both\n"
            .to_owned();
    }
    let (mut rows, mut soon, mut wrong) = (Vec::new(), String::new(), String::new());
    for scheduler in schedulers {
        match scheduler {
            Scheduler::Alive(snapshot) => {
                for job in &snapshot.jobs {
                    rows.extend(lines(job, zone, now));
                    if let Some(at) = job.next_verification {
                        let at = local(at, zone);
                        let _ = writeln!(soon, "next verification of {}: {at}", job.job);
                    }
                    for problem in &job.problems {
                        let (kind, text) = (problem.kind.as_str(), shown(&problem.text));
                        let _ = writeln!(
                            wrong,
                            "{kind}: {} {}: {text}",
                            job.job,
                            shown(&problem.database)
                        );
                    }
                }
                for job in &snapshot.jobs {
                    for status in &job.databases {
                        let Some(failed) = &status.last_failure else { continue };
                        let (database, error) = (shown(&status.database), shown(&failed.error));
                        let _ = writeln!(wrong, "failed: {} {database}: {error}", job.job);
                    }
                    for status in &job.databases {
                        let Some(last) = &status.last_verification else { continue };
                        let Some(error) = last.error.as_ref().map(|text| shown(text)) else {
                            continue;
                        };
                        let database = shown(&status.database);
                        let _ = writeln!(wrong, "{}: {} {database}: {error}", last.result, job.job);
                    }
                }
                for one in &snapshot.undelivered {
                    let (target, why) = (shown(&one.target), shown(&one.last_error));
                    let _ =
                        writeln!(wrong, "untold: {target}: {} notices, the last: {why}", one.count);
                }
            }
            Scheduler::Silent(name, error) => {
                let process = name.split('-').next().unwrap_or(name);
                let _ = writeln!(
                    wrong,
                    "gone: a scheduler, process {process}, does not answer: {error}"
                );
            }
        }
    }
    if rows.is_empty() {
        return wrong;
    }
    let headings =
        ["JOB", "DATABASE", "STATE", "LAST BACKUP", "AGE", "SIZE", "VERIFIED", "NEXT RUN"];
    table(headings, &rows) + &soon + &wrong
}

fn local(at: DateTime<Utc>, zone: Zone) -> String {
    at.with_timezone(&zone).format("%F %T %Z").to_string()
}

fn lines(job: &JobStatus, zone: Zone, now: DateTime<Utc>) -> Vec<[String; 8]> {
    let local = |at: DateTime<Utc>| local(at, zone);
    let next = job.next_run.map_or_else(|| "-".to_owned(), local);
    let mut lines: Vec<_> = job
        .databases
        .iter()
        .map(|status| {
            let last = status.last_success.as_ref();
            [
                job.job.to_string(),
                shown(&status.database).into_owned(),
                state(job, status, now),
                last.map_or_else(|| "-".to_owned(), |past| local(past.ended)),
                last.map_or_else(|| "-".to_owned(), |past| age(now - past.ended)),
                last.map_or_else(|| "-".to_owned(), |past| size(past.bytes)),
                verified(status, now),
                next.clone(),
            ]
        })
        .collect();
    if lines.is_empty() {
        let nothing = || "-".to_owned();
        lines.push([
            job.job.to_string(),
            nothing(),
            "waiting".to_owned(),
            nothing(),
            nothing(),
            nothing(),
            nothing(),
            next,
        ]);
    }
    lines
}

/// What was found out last.
fn verified(status: &DatabaseStatus, now: DateTime<Utc>) -> String {
    match (&status.last_verification, status.tested) {
        (Some(last), _) => format!("{} {} ago", last.result, age(now - last.at)),
        (None, Some(at)) => format!("{} ago", age(now - at)),
        (None, None) => "never".to_owned(),
    }
}

fn state(job: &JobStatus, status: &DatabaseStatus, now: DateTime<Utc>) -> String {
    let problem = job.problems.iter().find(|problem| problem.database == status.database);
    match (problem, status) {
        (Some(problem), _) => problem.kind.as_str(),
        (None, DatabaseStatus { running: Some(_), .. }) => "running",
        _ if job.next_run.is_some_and(|at| at < now) => "queued",
        (None, DatabaseStatus { last_failure: Some(_), .. }) => "failed",
        (None, DatabaseStatus { last_success: None, .. }) => "waiting",
        _ => "ok",
    }
    .to_owned()
}

/// The same for programs.
pub fn as_json(schedulers: &[Scheduler]) -> Value {
    let each: Vec<_> = schedulers
        .iter()
        .map(|scheduler| match scheduler {
            Scheduler::Alive(snapshot) => json!(snapshot),
            Scheduler::Silent(name, error) => {
                let pid = name.split('-').next().and_then(|pid| pid.parse::<u32>().ok());
                json!({ "healthy": false, "pid": pid, "error": error.to_string() })
            }
        })
        .collect();
    json!({ "healthy": is_well(schedulers), "schedulers": each })
}

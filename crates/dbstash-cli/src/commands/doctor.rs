//! `dbstash doctor`: everything a backup needs, looked at line by line, without making one.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::doctor::{self, Context, Finding, Storage, Verdict};
use dbstash_core::launch::Local;
use dbstash_core::remote::Remote as _;
use dbstash_core::secret::Redactor;
use dbstash_core::state::{StateDir, StateError};
use serde_json::{Value, json};

use super::plan::planned;
use crate::app::print;
use crate::exit::Exit;
use crate::notify::trial::Trial;
use crate::places::Destination;
use crate::settings::children::{child_environment, tool_environment};
use crate::settings::{Fleet, JobSettings, Layers, RemoteSettings};
use crate::signals::Signals;
use crate::text;

/// What is looked at, and how it is told.
pub struct Ground<'a> {
    /// What was given.
    pub layers: &'a Layers,
    /// The jobs.
    pub fleet: &'a Fleet,
    /// What must not be shown.
    pub redactor: &'a Redactor,
    /// Whether it is for programs.
    pub json: bool,
    /// Whether a test notice is sent.
    pub notify: bool,
}

/// Looks at each job. Any line that fails makes for exit 1.
pub async fn all(ground: &Ground<'_>, state: Result<StateDir, StateError>) -> Result<Exit> {
    let signals = Signals::listen()?;
    // What cannot be used is told, and the rest is looked at all the same.
    let spare = state.is_err().then(Spare::make).transpose()?;
    let Some(usable) = state.as_ref().ok().or(spare.as_ref().map(|spare| &spare.state)) else {
        return Ok(Exit::Failed);
    };
    let environment =
        tool_environment(&ground.layers.environment, std::env::current_exe().ok().as_deref());
    let launcher = Local { environment };
    let (mut known, mut told) = (Vec::new(), Vec::new());
    for settings in &ground.fleet.jobs {
        let cx = Context {
            engine: dbstash_engines::engine(settings.job.engine),
            launcher: &launcher,
            state: usable,
            clock: &SystemClock,
        };
        let about = doctor::state(state.as_ref());
        let findings = ground.one(settings, cx, &mut known, about, &signals).await;
        if let Some(signal) = signals.caught() {
            return Ok(Exit::Signal(signal));
        }
        let findings: Vec<Finding> = findings.into_iter().map(|one| ground.clean(one)).collect();
        if !ground.json {
            let id = ground.fleet.process.file.as_ref().map(|_| &settings.job.id);
            let heading = id.map_or_else(String::new, |id| format!("== {id}\n"));
            print(&(heading + &as_text(&findings)))?;
        }
        told.push((settings, findings));
    }
    let worst = told.iter().flat_map(|(_, findings)| findings).map(|one| one.verdict).max();
    if ground.json {
        let jobs: Vec<Value> = told
            .iter()
            .map(|(settings, findings)| {
                let worst = findings.iter().map(|one| one.verdict).max();
                json!({ "job": settings.job.id, "verdict": worst, "findings": findings })
            })
            .collect();
        print(&text::json(&json!({ "verdict": worst, "jobs": jobs })))?;
    }
    Ok(if worst == Some(Verdict::Fail) { Exit::Failed } else { Exit::Done })
}

/// Remotes that were looked at: jobs that go to the same place share it.
type Known = Vec<(Arc<RemoteSettings>, Storage)>;

impl Ground<'_> {
    /// A job, from where its dump comes to who is told.
    async fn one(
        &self,
        settings: &JobSettings,
        cx: Context<'_>,
        known: &mut Known,
        state: Finding,
        signals: &Signals,
    ) -> Vec<Finding> {
        let (job, now) = (&*settings.job, SystemClock.now());
        let plan = match planned(job) {
            Ok((_, warnings)) => {
                let warn = |text: String| Finding {
                    verdict: Verdict::Warn,
                    ..Finding::ok("settings", text)
                };
                warnings.into_iter().map(warn).collect()
            }
            Err(error) => vec![Finding::failed("settings", error.to_string())],
        };
        let source = async {
            tokio::select! {
                found = cx.source(job) => found,
                () = signals.cancel.cancelled() => Vec::new(),
            }
        };
        let (source, ()) = tokio::join!(source, self.remote(settings, cx.state, known, signals));
        let storage = known.iter().find(|(remote, _)| Arc::ptr_eq(remote, &settings.remote));
        let catalog = storage.and_then(|(_, storage)| storage.catalog.as_ref());
        let mut all: Vec<Finding> = plan;
        all.extend(source);
        all.extend(storage.into_iter().flat_map(|(_, storage)| storage.findings.iter().cloned()));
        all.push(state);
        all.extend(doctor::disk(cx, job, catalog));
        if settings.drills.is_some() || job.drill_after.is_some() || job.trial.scratch.is_some() {
            tokio::select! {
                found = doctor::drill(cx, job, catalog) => all.extend(found),
                () = signals.cancel.cancelled() => {}
            }
        }
        all.push(doctor::appointment(&settings.timetable, now));
        if let Some(catalog) = catalog {
            let next = settings.timetable.next_after(now).unwrap_or(now);
            all.extend(doctor::retention(catalog, job, next, now));
        }
        let set =
            |name: &str| self.layers.environment.iter().any(|(n, v)| n == name && !v.is_empty());
        let proxies =
            ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        let trial = Trial {
            settings: &settings.notify,
            job,
            redactor: self.redactor,
            send: self.notify,
            proxy: proxies.into_iter().any(set),
        };
        tokio::select! {
            told = trial.look() => all.extend(told),
            () = signals.cancel.cancelled() => {}
        }
        all
    }

    /// Where it goes, unless that is known.
    async fn remote(
        &self,
        settings: &JobSettings,
        state: &StateDir,
        known: &mut Known,
        signals: &Signals,
    ) {
        if known.iter().any(|(remote, _)| Arc::ptr_eq(remote, &settings.remote)) {
            return;
        }
        let env = child_environment(&self.layers.environment, &settings.remote);
        let storage =
            match Destination::open(&settings.remote, env, state) {
                Ok(destination) => {
                    let remote = &destination.remote;
                    let cache = state.cache(&remote.label());
                    let mut storage =
                        doctor::storage(remote, &cache, &SystemClock, &signals.cancel).await;
                    storage.findings.extend(destination.aftermath().map(|text| Finding {
                        verdict: Verdict::Warn,
                        ..Finding::ok("remote", text)
                    }));
                    storage
                }
                Err(error) => {
                    let findings = vec![Finding::failed("remote", format!("{error:#}"))];
                    Storage { findings, catalog: None }
                }
            };
        known.push((Arc::clone(&settings.remote), storage));
    }

    /// On one line, without secrets, and with nothing in it that drives a terminal.
    fn clean(&self, finding: Finding) -> Finding {
        let clean = |text: String| {
            let text = self.redactor.redact(&text).replace('\n', " ");
            text::shown(&text).into_owned()
        };
        Finding { what: clean(finding.what), way_out: finding.way_out.map(clean), ..finding }
    }
}

/// A line each, and how many of what there are.
fn as_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { topic, verdict, what, way_out } in findings {
        let word = verdict.as_str();
        let _ = match way_out {
            Some(way_out) => writeln!(text, "{word:<4}  {topic:<10}  {what}: {way_out}"),
            None => writeln!(text, "{word:<4}  {topic:<10}  {what}"),
        };
    }
    let count = |verdict| findings.iter().filter(|one| one.verdict == verdict).count();
    let _ = writeln!(
        text,
        "{} ok, {} warn, {} fail",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Fail)
    );
    text
}

/// A state directory for this look alone, where the right one cannot be used.
struct Spare {
    path: PathBuf,
    state: StateDir,
}

impl Spare {
    fn make() -> Result<Self> {
        let name = format!("dbstash-doctor-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        let state = StateDir::open(&path)?;
        Ok(Self { path, state })
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

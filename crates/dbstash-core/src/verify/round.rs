//! What a job verifies by itself: some of its backups, now and then.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Context, Examined, Level, Mark, Occasion, Sample, Target, Verdict, Verification, Witness,
    chosen, examine,
};
use crate::catalog::{Backup, Catalog};
use crate::error::RunError;
use crate::job::Job;
use crate::manifest::{self, Manifest};
use crate::past::Past;
use crate::report::{RunEvent, RunId};
use crate::run;
use crate::spool::Spool;
use crate::store::Progress;
use crate::timetable::Timetable;

/// When a job verifies what, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// When.
    pub timetable: Timetable,
    /// How far.
    pub level: Level,
    /// Which backups.
    pub sample: Sample,
}

/// How many came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// As they were stored.
    pub good: usize,
    /// Not so.
    pub corrupt: usize,
    /// Nobody knows.
    pub untested: usize,
    /// Whether all were looked at; otherwise a signal ended it.
    pub whole: bool,
}

/// Looks at what the rounds of a job say, and tells its observer of each.
pub(crate) async fn round(
    job: &Job,
    rounds: &Rounds,
    cx: run::Context<'_>,
    cancel: &CancellationToken,
) -> Round {
    let mut work =
        Work { job, rounds, cx, cancel, round: Round::default(), standing: BTreeMap::new() };
    Spool::sweep(&job.temp_dir);
    let now = cx.clock.now();
    let cache = cx.state.cache(&cx.remote.label());
    let loaded = tokio::select! {
        biased;
        () = cancel.cancelled() => return work.round,
        loaded = Catalog::load(cx.remote, &cache, now) => loaded,
    };
    match loaded {
        Ok(catalog) => {
            let cases = work.cases(&catalog);
            drop(catalog);
            work.all(cases).await;
        }
        Err(error) => work.nothing(format!("what backups there are cannot be told: {error}")),
    }
    work.round
}

/// What is to be told of.
enum Case {
    /// After a look.
    Open(Backup),
    /// It is none any more.
    Closed(Past, Verdict),
}

impl Case {
    fn of(target: Target<'_>) -> Option<Self> {
        match target {
            Target::Backup(backup) => Some(Self::Open(backup.clone())),
            Target::Broken(broken) => {
                let name = &*broken.manifest_name;
                let object = name.strip_suffix(manifest::SUFFIX).unwrap_or(name);
                let past = Past::of(broken.manifest.as_deref()?, object);
                let found = if broken.newer { Verdict::Untested } else { Verdict::Corrupt };
                Some(Self::Closed(past, found(broken.why.clone())))
            }
        }
    }
}

struct Work<'a> {
    job: &'a Job,
    rounds: &'a Rounds,
    cx: run::Context<'a>,
    cancel: &'a CancellationToken,
    round: Round,
    /// Of each database its newest backups, the newest first, and whether each is known to be corrupt: down to one
    /// that is good, whatever is found out.
    standing: BTreeMap<String, Vec<(Past, bool)>>,
}

impl Work<'_> {
    /// What is to be looked at. A round may take hours: nothing else of the catalog is kept.
    fn cases(&mut self, catalog: &Catalog) -> Vec<Case> {
        let subjects = self.job.subjects();
        let is_named = |label: &str| {
            subjects.as_ref().is_none_or(|all| all.iter().any(|subject| subject.label() == label))
        };
        let ours =
            |manifest: &Manifest| manifest.job == self.job.id && is_named(&manifest.database);
        let targets = chosen(catalog, self.rounds.sample, |m| m.is_some_and(ours));
        let open = |target: &Target<'_>| match target {
            Target::Backup(backup) => Some(backup.manifest_name.clone()),
            Target::Broken(_) => None,
        };
        let open: BTreeSet<String> = targets.iter().filter_map(open).collect();
        let mut settled = BTreeSet::new();
        for backup in catalog.backups.iter().filter(|b| ours(&b.manifest)) {
            let database = &backup.manifest.database;
            if settled.contains(database) {
                continue;
            }
            if !backup.is_corrupt() && !open.contains(&backup.manifest_name) {
                settled.insert(database.clone());
            }
            let all = self.standing.entry(database.clone()).or_default();
            all.push((backup.into(), backup.is_corrupt()));
        }
        targets.into_iter().filter_map(Case::of).collect()
    }

    async fn all(&mut self, cases: Vec<Case>) {
        if cases.is_empty() {
            self.nothing("there are no backups to verify".to_owned());
        }
        for case in cases {
            let begun = Instant::now();
            let (past, verdict, mark) = match case {
                Case::Closed(past, verdict) => (past, verdict, None),
                Case::Open(backup) => match self.look(&backup).await {
                    Ok((verdict, mark)) => ((&backup).into(), verdict, mark),
                    Err(_) => return,
                },
            };
            self.tell(past, verdict, mark, begun);
        }
        self.round.whole = true;
    }

    /// Looks at one; a signal alone ends that without a verdict.
    async fn look(&self, backup: &Backup) -> Result<(Verdict, Option<Mark>), RunError> {
        let (job, run::Context { engine, launcher, remote, state, clock, .. }) =
            (self.job, self.cx);
        let (run, progress) = (name(clock.now()), Progress::default());
        let cx = Context {
            remote,
            engine,
            launcher,
            state,
            trial: &job.trial,
            temp_dir: &job.temp_dir,
            run: &run,
            progress: &progress,
        };
        let limits = [None, job.limits.stall];
        let by =
            Witness { clock, host: &job.naming.host, cancel: self.cancel, limits, pace: &|_| {} };
        let Examined { verdict, mark, warning } =
            examine(backup, self.rounds.level, cx, by).await?;
        if let Some(text) = warning {
            self.cx.observer.on(&self.id(&backup.into()), RunEvent::Warning(&text));
        }
        Ok((verdict, mark))
    }

    fn tell(&mut self, backup: Past, verdict: Verdict, mark: Option<Mark>, begun: Instant) {
        let corrupt = matches!(verdict, Verdict::Corrupt(_));
        let is_good = matches!(verdict, Verdict::Good { .. } | Verdict::Restored(_));
        match verdict {
            // It was not to stay.
            Verdict::Gone => return,
            Verdict::Good { .. } | Verdict::Restored(_) => self.round.good += 1,
            Verdict::Corrupt(_) => self.round.corrupt += 1,
            Verdict::Untested(_) => self.round.untested += 1,
        }
        let all = self.standing.entry(backup.database.clone()).or_default();
        if let Some((_, is_corrupt)) = all.iter_mut().find(|(past, _)| past.id == backup.id)
            && (corrupt || is_good)
        {
            *is_corrupt = corrupt;
        }
        let newest = all.iter().all(|(past, _)| past.started <= backup.started);
        let good = all.iter().find(|(_, is_corrupt)| !is_corrupt).map(|(past, _)| past.clone());
        let id = self.id(&backup);
        let told = Verification {
            occasion: Occasion::Scheduled,
            backup: Some(backup),
            newest,
            good,
            asked: self.rounds.level,
            verdict,
            at: mark.map_or_else(|| self.cx.clock.now(), |mark| mark.at),
            duration: begun.elapsed(),
        };
        self.cx.observer.on(&id, RunEvent::Verified(&told));
    }

    /// Nothing could be looked at.
    fn nothing(&mut self, why: String) {
        self.round.untested += 1;
        self.round.whole = true;
        let now = self.cx.clock.now();
        let told = Verification {
            occasion: Occasion::Scheduled,
            backup: None,
            newest: false,
            good: None,
            asked: self.rounds.level,
            verdict: Verdict::Untested(why),
            at: now,
            duration: std::time::Duration::ZERO,
        };
        for subject in self.job.subjects().unwrap_or_else(|| vec![self.job.subject()]) {
            let (job, engine) = (self.job.id.clone(), self.job.engine);
            let id = RunId { id: name(now), job, engine, database: subject.label().to_owned() };
            self.cx.observer.on(&id, RunEvent::Verified(&told));
        }
    }

    fn id(&self, backup: &Past) -> RunId {
        let (job, engine) = (self.job.id.clone(), self.job.engine);
        RunId { id: backup.id.clone(), job, engine, database: backup.database.clone() }
    }
}

/// As a run's.
fn name(now: chrono::DateTime<Utc>) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &random[..8])
}

//! The notifiers of all jobs of a process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use dbstash_core::clock::Clock;
use dbstash_core::job::{EngineKey, JobId};
use dbstash_core::report::{Observer, Report, RunEvent, RunId};
use dbstash_core::secret::Redactor;
use tokio_util::sync::CancellationToken;

use super::courier::Courier;
use super::notifier::Notifier;
use crate::settings::JobSettings;

/// Wall clocks jump: no sleep trusts them for longer than this.
const GLANCE: Duration = Duration::from_secs(30);
/// However short a silence may be, it is not looked for more often.
const SHORTEST: Duration = Duration::from_millis(20);

/// Tells what becomes of each job to whom its settings name. As an observer it only queues.
pub struct Notifiers {
    redactor: Redactor,
    courier: Courier,
    jobs: Mutex<BTreeMap<JobId, Entry>>,
}

#[derive(Clone)]
struct Entry {
    notifier: Arc<Notifier>,
    engine: EngineKey,
    /// What stands for all its databases.
    subject: String,
}

impl Notifiers {
    /// Of no job yet. What they tell is cleaned by `redactor`.
    pub fn new(redactor: &Redactor) -> Self {
        Self { redactor: redactor.clone(), courier: Courier::default(), jobs: Mutex::default() }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, job: &JobId) -> Option<Entry> {
        self.jobs().get(job).cloned()
    }

    /// These are the jobs from now on. What is known of those that stay is kept.
    pub fn update(&self, fleet: &[JobSettings], now: DateTime<Utc>) {
        let mut jobs = self.jobs();
        let mut old = std::mem::take(&mut *jobs);
        for JobSettings { job, notify, .. } in fleet {
            let host = &job.naming.host;
            let notifier = Notifier::new(notify, host, &self.redactor, &self.courier);
            if let Some(old) = old.remove(&job.id) {
                notifier.inherit(&old.notifier);
            }
            let subjects = job.subjects();
            if let Some(all) = &subjects {
                let wanted = |name: &str| name == "*" || all.iter().any(|one| one.label() == name);
                notifier.only(&job.id, wanted);
                for one in all {
                    notifier.expected(&job.id, one.label(), now);
                }
            }
            let entry = Entry {
                notifier: Arc::new(notifier),
                engine: job.engine,
                subject: job.subject().label().to_owned(),
            };
            jobs.insert(job.id.clone(), entry);
        }
    }

    /// The last good backup of this ended then, as a manifest says.
    pub fn known(&self, job: &JobId, database: &str, last_success: DateTime<Utc>) {
        if let Some(entry) = self.entry(job) {
            entry.notifier.known(job, database, last_success);
        }
    }

    /// A run of a job is over, with all of its databases; there are `only` these, where that was found out. To be called
    /// once a run.
    pub fn over(&self, job: &JobId, reports: &[Report], only: Option<&[String]>) {
        let Some(Entry { notifier, .. }) = self.entry(job) else { return };
        notifier.over(reports);
        if let Some(only) = only {
            notifier.only(job, |name| only.iter().any(|label| label == name));
        }
    }

    /// Runs were due while one was at work, and so it went so many times in a row: in words.
    pub fn missed(&self, job: &JobId, in_a_row: u64, error: &str) {
        let Some(entry) = self.entry(job) else { return };
        let in_a_row = u32::try_from(in_a_row).unwrap_or(u32::MAX);
        entry.notifier.missed(job, entry.engine, &entry.subject, error, in_a_row);
    }

    /// A round of verifications of a job is over.
    pub fn round(&self, job: &JobId) {
        if let Some(entry) = self.entry(job) {
            entry.notifier.round(job);
        }
    }

    /// No job could even begin.
    pub fn broken(&self, error: &str) {
        for (job, entry) in &*self.jobs() {
            entry.notifier.broken(job, entry.engine, &entry.subject, error);
        }
    }

    /// Tells of silences, for as long as it is polled.
    pub async fn watch(&self, clock: &dyn Clock) -> Infallible {
        let all = || -> Vec<_> {
            self.jobs().values().map(|entry| Arc::clone(&entry.notifier)).collect()
        };
        loop {
            let next = all().iter().filter_map(|notifier| notifier.next_silence()).min();
            let wait = next.map_or(GLANCE, |at| (at - clock.now()).to_std().unwrap_or_default());
            tokio::time::sleep(clock.lasts(wait).clamp(SHORTEST, GLANCE)).await;
            for notifier in all() {
                notifier.tell_silences(clock.now());
            }
        }
    }

    /// Who delivers what they tell, and knows what could not be delivered.
    pub fn courier(&self) -> Courier {
        self.courier.clone()
    }

    /// See [`Courier::settle`].
    pub async fn settle(&self, cancel: &CancellationToken) {
        self.courier.settle(cancel).await;
    }

    /// See [`Courier::drain`].
    pub async fn drain(&self, limit: Duration) {
        self.courier.drain(limit).await;
    }
}

impl Observer for Notifiers {
    fn on(&self, run: &RunId, event: RunEvent<'_>) {
        if let Some(entry) = self.entry(&run.job) {
            entry.notifier.on(run, event);
        }
    }
}

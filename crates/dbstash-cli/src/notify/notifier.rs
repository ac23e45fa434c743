//! Sees what becomes of backups, and tells it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::job::{EngineKey, JobId};
use dbstash_core::past::Past;
use dbstash_core::report::{Observer, Outcome, Report, RunEvent, RunId};
use dbstash_core::secret::Redactor;

use super::On;
use super::courier::Courier;
use super::ledger::{Ledger, Silence};
use super::line::Line;
use super::notice::{Kind, Notice};
use super::target::mail::Mail;
use super::target::{Beat, Parcel, Target};
use super::words::{cut, plain};
use crate::settings::NotifySettings;

/// Monitors keep no more of what is sent along with a ping.
const BEAT_TEXT: usize = 8000;

/// Tells what becomes of the backups of one or more jobs with the same settings. As an observer it only queues.
pub struct Notifier {
    on: On,
    lines: Vec<Arc<Line>>,
    ping: Option<Arc<Line>>,
    /// Jobs whose run has begun and is not over.
    running: Mutex<BTreeSet<JobId>>,
    ledger: Mutex<Ledger>,
    watches: bool,
    redactor: Redactor,
    host: String,
    courier: Courier,
}

impl Notifier {
    /// For these settings. Connects to nobody yet.
    pub fn new(
        settings: &NotifySettings,
        host: &str,
        redactor: &Redactor,
        courier: &Courier,
    ) -> Self {
        let line = |target, number| courier.line(target, number, redactor);
        let lines: Vec<_> = targets(settings).map(|(n, target)| line(target, n)).collect();
        let watches = settings.silence_after.is_some() && settings.on.wants(Kind::Silent);
        Self {
            on: settings.on,
            watches: watches && !lines.is_empty(),
            lines,
            ping: settings.ping.clone().map(|url| line(Target::Ping(url), 1)),
            running: Mutex::default(),
            ledger: Mutex::new(Ledger::new(settings.silence_after)),
            redactor: redactor.clone(),
            host: host.to_owned(),
            courier: courier.clone(),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, BTreeSet<JobId>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what another one, whose settings are no longer those of its jobs, knows of them.
    pub fn inherit(&self, old: &Self) {
        self.ledger().inherit(&mut old.ledger());
        self.running().append(&mut old.running());
    }

    /// Of this job there are only these databases: nobody waits for the others any more.
    pub fn only(&self, job: &JobId, wanted: impl Fn(&str) -> bool) {
        self.ledger().only(job.as_str(), wanted);
    }

    /// From `now` on, good backups of this are waited for (`NOTIFY_SILENCE_AFTER`). Nothing changes when it is known.
    pub fn expected(&self, job: &JobId, database: &str, now: DateTime<Utc>) {
        self.ledger().expected(job.as_str(), database, now);
    }

    /// The last good backup of this ended then, as a manifest says. The latest time counts.
    pub fn known(&self, job: &JobId, database: &str, last_success: DateTime<Utc>) {
        self.ledger().known(job.as_str(), database, last_success);
    }

    /// The newest backup of this was found corrupt before, as a mark beside it says.
    pub fn spoiled(&self, job: &JobId, database: &str, backup: &Past) {
        self.ledger().spoiled(job.as_str(), database, backup);
    }

    /// A run of a job is over, with all of its databases: tells the monitor. To be called once a run; a run without
    /// reports never began.
    pub fn over(&self, reports: &[Report]) {
        let Some(job) = reports.first().map(|report| &report.run.job) else { return };
        self.running().remove(job);
        let failed: Vec<_> =
            reports.iter().filter(|r| matches!(r.outcome, Outcome::Failed { .. })).collect();
        let beat = if !failed.is_empty() {
            let notices = failed.iter().map(|report| {
                let now = SystemClock.now();
                let notice = Notice::of_run(Kind::Failed, report, &self.host, now);
                notice.redacted(&self.redactor).text()
            });
            Beat::Fail(cut(&notices.collect::<Vec<_>>().join("\n"), BEAT_TEXT))
        } else if reports.iter().any(|report| report.outcome.is_stored()) {
            Beat::Success
        } else {
            // Skipped: whoever is at it tells how it ends.
            return;
        };
        self.beat(beat);
    }

    /// Runs of a job were due while the last one was at work, and so it went so many times in a row.
    pub fn missed(
        &self,
        job: &JobId,
        engine: EngineKey,
        database: &str,
        error: &str,
        in_a_row: u32,
    ) {
        self.tell(Notice {
            engine: Some(engine.as_str()),
            error: Some(error.to_owned()),
            ..self.notice(Kind::Skipped(in_a_row), job.as_str(), database, SystemClock.now())
        });
    }

    /// A round of verifications of a job is over.
    pub fn round(&self, job: &JobId) {
        let news = self.ledger().round(job.as_str());
        for (database, engine, times, why) in news {
            let kind = Kind::Untested(times);
            self.tell(Notice {
                engine: engine.map(EngineKey::as_str),
                error: Some(why),
                ..self.notice(kind, job.as_str(), &database, SystemClock.now())
            });
        }
    }

    /// A job could not even begin: tells the monitor and everyone else.
    pub fn broken(&self, job: &JobId, engine: EngineKey, database: &str, error: &str) {
        let notice = Notice {
            engine: Some(engine.as_str()),
            error: Some(error.to_owned()),
            ..self.notice(Kind::Failed, job.as_str(), database, SystemClock.now())
        };
        let text = cut(&plain(&self.redactor.redact(error)), BEAT_TEXT);
        self.beat(Beat::Fail(text));
        self.tell(notice);
    }

    /// When the next silence is to be told, if no backup comes.
    pub(super) fn next_silence(&self) -> Option<DateTime<Utc>> {
        self.ledger().next().filter(|_| self.watches)
    }

    /// Tells of the silences that are due.
    pub(super) fn tell_silences(&self, now: DateTime<Utc>) {
        if self.watches {
            let silences = self.ledger().silences(now);
            for silence in silences {
                self.silent(silence, now);
            }
        }
    }

    fn silent(&self, silence: Silence, now: DateTime<Utc>) {
        let at = silence.since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let error = match silence.last {
            Some(_) => format!("the last good backup is of {at}"),
            None => format!("no good backup is known, and none was made since {at}"),
        };
        let Silence { job, database, engine, .. } = silence;
        tracing::error!(
            job = job.as_str(),
            database = database.as_str(),
            "no backup for too long (NOTIFY_SILENCE_AFTER): {error}"
        );
        self.tell(Notice {
            engine: engine.map(EngineKey::as_str),
            error: Some(error),
            ..self.notice(Kind::Silent, &job, &database, now)
        });
    }

    fn notice(&self, kind: Kind, job: &str, database: &str, time: DateTime<Utc>) -> Notice {
        Notice {
            kind,
            job: job.to_owned(),
            database: database.to_owned(),
            engine: None,
            backup_id: None,
            object: None,
            bytes: None,
            duration: None,
            attempts: None,
            error: None,
            warnings: Vec::new(),
            host: self.host.clone(),
            time,
        }
    }

    /// Queues a notice for every target, if it is of a kind that is wanted.
    fn tell(&self, notice: Notice) {
        if self.lines.is_empty() || !self.on.wants(notice.kind) {
            return;
        }
        let notice = Arc::new(notice.redacted(&self.redactor));
        for line in &self.lines {
            line.send(Parcel::Notice(Arc::clone(&notice)), &self.courier);
        }
    }

    fn beat(&self, beat: Beat) {
        if let Some(ping) = &self.ping {
            ping.send(Parcel::Beat(beat), &self.courier);
        }
    }
}

/// Everybody who is told in words, each with its number among its like.
pub(super) fn targets(settings: &NotifySettings) -> impl Iterator<Item = (usize, Target)> {
    let webhooks = settings.webhooks.iter().map(|webhook| Target::Webhook {
        webhook: webhook.clone(),
        template: settings.template.clone(),
    });
    let mails = settings.mail.iter().flat_map(|(server, recipients)| {
        recipients.iter().map(|to| Target::Mail(Mail { server: server.clone(), to: to.clone() }))
    });
    let numbered = |(n, target)| (n + 1, target);
    webhooks.enumerate().map(numbered).chain(mails.enumerate().map(numbered))
}

impl Observer for Notifier {
    fn on(&self, run: &RunId, event: RunEvent<'_>) {
        match event {
            RunEvent::Started { .. }
                if self.ping.is_some() && self.running().insert(run.job.clone()) =>
            {
                self.beat(Beat::Start);
            }
            RunEvent::Still(Some(what)) => self.tell(Notice {
                engine: Some(run.engine.as_str()),
                backup_id: Some(run.id.clone()),
                error: Some(what.to_owned()),
                ..self.notice(Kind::Stuck, run.job.as_str(), &run.database, SystemClock.now())
            }),
            RunEvent::Verified(told) => {
                let Some(kind) = self.ledger().verified(run, told) else { return };
                let notice = Notice::of_verification(kind, (run, told), &self.host);
                match kind {
                    Kind::Corrupt if told.newest => {
                        let text = notice.clone().redacted(&self.redactor).text();
                        self.beat(Beat::Fail(cut(&text, BEAT_TEXT)));
                    }
                    Kind::GoodAgain => self.beat(Beat::Success),
                    _ => {}
                }
                self.tell(notice);
            }
            RunEvent::Finished(report) => {
                let now = SystemClock.now();
                let kind = self.ledger().finished(report, now);
                if let Some(kind) =
                    kind.filter(|kind| self.on.wants(*kind) && !self.lines.is_empty())
                {
                    self.tell(Notice::of_run(kind, report, &self.host, now));
                }
            }
            _ => {}
        }
    }
}

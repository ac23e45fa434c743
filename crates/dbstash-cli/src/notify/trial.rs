//! Whether a notice would arrive: by the name of its target, or by sending one.

use std::sync::Arc;
use std::time::Duration;

use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::doctor::{Finding, resolve};
use dbstash_core::job::Job;
use dbstash_core::secret::Redactor;

use super::courier::Courier;
use super::notice::{Kind, Notice};
use super::notifier::targets;
use super::target::{Parcel, Target};
use crate::settings::NotifySettings;

/// How long one target may take.
const PATIENCE: Duration = Duration::from_secs(15);
const WAY_OUT: &str =
    "check NOTIFY_WEBHOOK_URL, SMTP_URL or NOTIFY_PING_URL, and the way out of this network";

/// What would become of the notices of a job. A monitor is sent nothing: what arrives there is a backup to it.
pub struct Trial<'a> {
    /// Who is told.
    pub settings: &'a NotifySettings,
    /// Of what.
    pub job: &'a Job,
    /// What of it is secret.
    pub redactor: &'a Redactor,
    /// Whether a test notice is sent.
    pub send: bool,
    /// Whether there is a proxy, which knows names that are unknown here.
    pub proxy: bool,
}

impl Trial<'_> {
    /// A line for each target.
    pub async fn look(&self) -> Vec<Finding> {
        let courier = Courier::default();
        let mut all = Vec::new();
        for (number, target) in targets(self.settings) {
            let label = target.label(number);
            all.push(if self.send {
                self.sent(&target, &label, &courier).await
            } else {
                self.named(&target, &label).await
            });
        }
        if let Some(url) = &self.settings.ping {
            let target = Target::Ping(url.clone());
            all.push(self.named(&target, &target.label(1)).await);
        }
        if all.is_empty() {
            all.push(Finding::warn(
                "notify",
                "nobody is told of a failure",
                "set NOTIFY_WEBHOOK_URL, NOTIFY_EMAIL_TO or NOTIFY_PING_URL",
            ));
        }
        all
    }

    async fn named(&self, target: &Target, label: &str) -> Finding {
        let (host, port) = target.address();
        match resolve(&host, port).await {
            Ok(()) if matches!(target, Target::Ping(_)) && self.send => Finding::ok(
                "notify",
                format!(
                    "{label}: its name is known; no ping was sent, for it would stand for a backup"
                ),
            ),
            Ok(()) => {
                Finding::ok("notify", format!("{label}: its name is known (--notify sends a test)"))
            }
            Err(error) if self.proxy => Finding::warn(
                "notify",
                format!("{label}: the name {host} cannot be resolved here: {error}"),
                "see by --notify whether the proxy knows it",
            ),
            Err(error) => {
                let what = format!("{label}: the name {host} cannot be resolved: {error}");
                Finding::fail("notify", what, WAY_OUT)
            }
        }
    }

    async fn sent(&self, target: &Target, label: &str, courier: &Courier) -> Finding {
        let job = self.job;
        let notice = Notice {
            kind: Kind::Trial,
            job: job.id.as_str().to_owned(),
            database: job.subject().label().to_owned(),
            engine: Some(job.engine.as_str()),
            backup_id: None,
            object: None,
            bytes: None,
            duration: None,
            attempts: None,
            error: None,
            warnings: Vec::new(),
            host: job.naming.host.clone(),
            time: SystemClock.now(),
        };
        let parcel = Parcel::Notice(Arc::new(notice.redacted(self.redactor)));
        match tokio::time::timeout(PATIENCE, target.take(&parcel, courier)).await {
            Ok(Ok(())) => Finding::ok("notify", format!("{label} has taken a test notice")),
            Ok(Err(refusal)) => {
                let what = format!("{label} did not take a test notice: {}", refusal.why.trim());
                Finding::fail("notify", what, WAY_OUT)
            }
            Err(_) => {
                let what = format!("{label} gave no answer within {PATIENCE:?}");
                Finding::fail("notify", what, WAY_OUT)
            }
        }
    }
}

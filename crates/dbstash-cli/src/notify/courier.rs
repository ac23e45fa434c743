//! What all notifiers of a process share: the HTTP client, the lines to the targets, and the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use dbstash_core::secret::Redactor;
use dbstash_core::status::Undelivered;
use reqwest::{Client, Url};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::http;
use super::line::Line;
use super::target::{Refusal, Target};

/// How many targets are told at the same time. Each try holds a place for as long as it may take, and no longer.
const AT_ONCE: usize = 64;
/// At the end of a run nobody waits for: one delivery's whole deadline, and a little.
const CALM_END: Duration = Duration::from_secs(65);
/// After a signal: a container has 10 s in all.
const HURRIED_END: Duration = Duration::from_secs(3);

/// Brings notices to their targets. Clones are the same courier.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

struct Inner {
    client: OnceLock<Result<Client, String>>,
    places: Semaphore,
    lines: Mutex<HashMap<String, Weak<Line>>>,
    /// How many notices are on their way.
    pending: watch::Sender<usize>,
}

impl Default for Courier {
    fn default() -> Self {
        Self(Arc::new(Inner {
            client: OnceLock::new(),
            places: Semaphore::new(AT_ONCE),
            lines: Mutex::default(),
            pending: watch::Sender::new(0),
        }))
    }
}

impl Courier {
    /// The line to this target: one, however many jobs tell it something.
    pub(super) fn line(&self, target: Target, number: usize, redactor: &Redactor) -> Arc<Line> {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = target.identity();
        if let Some(line) = lines.get(&identity).and_then(Weak::upgrade) {
            return line;
        }
        let line = Arc::new(Line::new(target, number, redactor.clone()));
        lines.retain(|_, line| line.strong_count() > 0);
        lines.insert(identity, Arc::downgrade(&line));
        line
    }

    fn lines(&self) -> Vec<Arc<Line>> {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.values().filter_map(Weak::upgrade).collect()
    }

    /// What could not be delivered since the start, by target, in the order of their names.
    pub fn undelivered(&self) -> Vec<Undelivered> {
        let mut all: Vec<_> = self.lines().iter().filter_map(|line| line.undelivered()).collect();
        all.sort_by(|a, b| a.target.cmp(&b.target));
        all
    }

    /// Waits until all that was told is delivered or given up, but not longer than `limit`: what is still on its way
    /// then counts as undelivered. For the end of the program.
    pub async fn drain(&self, limit: Duration) {
        self.until(tokio::time::sleep(limit)).await;
    }

    /// The same with the program's own patience: about a minute, or three seconds from a signal on.
    pub async fn settle(&self, cancel: &CancellationToken) {
        self.until(async {
            tokio::select! {
                () = tokio::time::sleep(CALM_END) => {}
                () = async { cancel.cancelled().await; tokio::time::sleep(HURRIED_END).await } => {}
            }
        })
        .await;
    }

    async fn until(&self, limit: impl Future<Output = ()>) {
        let mut pending = self.0.pending.subscribe();
        tokio::select! {
            biased;
            _ = pending.wait_for(|pending| *pending == 0) => {}
            () = limit => self.lines().iter().for_each(|line| line.give_up(self)),
        }
    }

    /// More are on their way, or fewer.
    pub(super) fn count(&self, more: usize, fewer: usize) {
        self.0.pending.send_modify(|pending| *pending = (*pending + more).saturating_sub(fewer));
    }

    /// Waits for a place among those who are at it.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.0.places.acquire().await.ok()
    }

    fn client(&self) -> Result<&Client, Refusal> {
        let client = self.0.client.get_or_init(http::client);
        client.as_ref().map_err(|error| Refusal::new(error.clone(), true))
    }

    pub(super) async fn get(&self, url: &Url) -> Result<(), Refusal> {
        http::get(self.client()?, url).await
    }

    pub(super) async fn post(&self, url: &Url, body: &Value) -> Result<(), Refusal> {
        http::post(self.client()?, url, "application/json", body.to_string()).await
    }

    pub(super) async fn post_text(&self, url: &Url, body: String) -> Result<(), Refusal> {
        http::post(self.client()?, url, "text/plain; charset=utf-8", body).await
    }
}

//! The line to one target: what it is told arrives in order, or is given up in time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dbstash_core::chance::{backoff, chance};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::secret::Redactor;
use dbstash_core::status::Undelivered;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::courier::Courier;
use super::target::{Parcel, Refusal, Target};
use super::words::{cut, line};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// How long all tries of one delivery may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long to wait after the first try; each later time twice as long, up to the second of these.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(15)];
/// More than this is not kept for a target that takes nothing.
const LONGEST: usize = 1000;

/// The line to one target.
pub(super) struct Line {
    target: Target,
    label: String,
    redactor: Redactor,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Each with the time at which it came.
    queue: VecDeque<(Instant, Parcel)>,
    /// Whether somebody is at it.
    at_work: bool,
    undelivered: Option<Undelivered>,
}

impl Line {
    pub(super) fn new(target: Target, number: usize, redactor: Redactor) -> Self {
        let label = target.label(number);
        Self { target, label, redactor, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn undelivered(&self) -> Option<Undelivered> {
        self.state().undelivered.clone()
    }

    /// Takes something to deliver, and returns at once.
    pub(super) fn send(self: &Arc<Self>, parcel: Parcel, courier: &Courier) {
        let Ok(runtime) = Handle::try_current() else {
            return self.lost("the program is ending", 1);
        };
        let mut state = self.state();
        if state.queue.len() >= LONGEST {
            drop(state);
            return self.lost("too many are waiting already", 1);
        }
        state.queue.push_back((Instant::now(), parcel));
        courier.count(1, 0);
        if !std::mem::replace(&mut state.at_work, true) {
            let (line, courier) = (Arc::clone(self), courier.clone());
            runtime.spawn(async move { line.work(&courier).await });
        }
    }

    async fn work(&self, courier: &Courier) {
        loop {
            let (came, parcel) = {
                let mut state = self.state();
                let Some(parcel) = state.queue.pop_front() else {
                    state.at_work = false;
                    return;
                };
                parcel
            };
            match self.deliver(&parcel, came, courier).await {
                Ok(()) => tracing::debug!(to = self.label.as_str(), "notification delivered"),
                Err(why) => self.lost(&why, 1),
            }
            courier.count(0, 1);
        }
    }

    /// Tries until its time is over, which began when it came: who answers nothing is not fallen behind by more.
    async fn deliver(
        &self,
        parcel: &Parcel,
        came: Instant,
        courier: &Courier,
    ) -> Result<(), String> {
        let deadline = (came + DEADLINE).max(Instant::now() + TRY);
        for attempt in 1.. {
            let refusal = match self.attempt(parcel, deadline, courier).await {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            let wait = refusal.after.unwrap_or_else(|| backoff(attempt, WAITS, chance()));
            if refusal.lasting || Instant::now() + wait >= deadline {
                let tries = if attempt == 1 { "try" } else { "tries" };
                return Err(format!("{} ({attempt} {tries})", refusal.why));
            }
            let why = self.clean(&refusal.why);
            tracing::debug!(to = self.label.as_str(), "notification not taken yet: {why}");
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    async fn attempt(
        &self,
        parcel: &Parcel,
        deadline: Instant,
        courier: &Courier,
    ) -> Result<(), Refusal> {
        let _place = courier.place().await;
        let limit = TRY.min(deadline.saturating_duration_since(Instant::now()));
        let taken = tokio::time::timeout(limit, self.target.take(parcel, courier)).await;
        taken.unwrap_or_else(|_| Err(Refusal::new(format!("no answer within {limit:.0?}"), false)))
    }

    /// The program ends now.
    pub(super) fn give_up(&self, courier: &Courier) {
        let (waiting, at_work) = {
            let mut state = self.state();
            (std::mem::take(&mut state.queue).len(), usize::from(state.at_work))
        };
        courier.count(0, waiting);
        if waiting + at_work > 0 {
            self.lost("not delivered before the program had to end", waiting + at_work);
        }
    }

    /// What was told is not known where it should be: that must not go unnoticed.
    fn lost(&self, why: &str, count: usize) {
        let (why, label) = (self.clean(why), self.label.as_str());
        let mut state = self.state();
        let before = state.undelivered.as_ref().map_or(0, |undelivered| undelivered.count);
        state.undelivered = Some(Undelivered {
            target: self.label.clone(),
            count: before.saturating_add(count as u64),
            last_error: why.clone(),
            at: SystemClock.now(),
        });
        drop(state);
        tracing::error!(
            to = label,
            undelivered = count,
            "notification not delivered: {label}: {why}"
        );
    }

    /// What the other side said, without secrets and on a line.
    fn clean(&self, why: &str) -> String {
        cut(&line(&self.redactor.redact(why)), 500)
    }
}

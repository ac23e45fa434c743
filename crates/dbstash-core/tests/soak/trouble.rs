//! What goes wrong around a scheduler: clocks are set, processes killed, locks taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_core::job::{Job, JobId};
use dbstash_core::state::StateDir;
use dbstash_testkit::{Signal, procs};

use crate::dice::Dice;

/// By how much a clock is set next: by minutes, by hours, seldom by days.
pub(crate) fn leap(dice: &mut Dice) -> TimeDelta {
    const HOUR: u64 = 60;
    const DAY: u64 = 24 * HOUR;
    let (forward, low, high) = match dice.within(0, 100) {
        0..35 => (true, 1, HOUR),
        35..60 => (true, HOUR, 10 * HOUR),
        60..80 => (false, 1, 40),
        // Around where one that is set right becomes one that was wrong.
        80..85 => (false, 2 * HOUR + 40, 3 * HOUR + 20),
        85..94 => (false, 3 * HOUR + 20, 20 * HOUR),
        94..97 => (true, DAY, 4 * DAY),
        _ => (false, DAY, 4 * DAY),
    };
    let seconds = dice.within(60 * low, 60 * high).cast_signed();
    TimeDelta::seconds(if forward { seconds } else { -seconds })
}

/// Kills a process of ours every now and then; how many in the end.
pub(crate) fn kill(mut dice: Dice, over: &AtomicBool) -> u64 {
    let us = std::process::id().cast_signed();
    let mut killed = 0;
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(dice.within(50, 250)));
        let mut alive = procs::descendants(us);
        alive.retain(|process| process.state != 'Z');
        if !alive.is_empty() {
            let victim = dice.within(0, alive.len() as u64);
            alive[usize::try_from(victim).unwrap()].signal(Signal::KILL);
            killed += 1;
        }
    }
    killed
}

/// Another process that backs up one of the jobs every now and then.
pub(crate) async fn rival(
    mut dice: Dice,
    state: &StateDir,
    jobs: &[Job],
    now: impl Fn() -> DateTime<Utc>,
) {
    loop {
        pause(&mut dice, 200, 1500).await;
        let which = usize::try_from(dice.within(0, jobs.len() as u64)).unwrap();
        let lock = lock(state, &jobs[which].id, now());
        pause(&mut dice, 20, 400).await;
        drop(lock);
    }
}

/// Tries to take a job's lock.
pub(crate) fn lock(
    state: &StateDir,
    job: &JobId,
    now: DateTime<Utc>,
) -> Result<dbstash_core::state::Lock, dbstash_core::state::LockError> {
    state.lock(job, crate::DATABASE, "rival", now)
}

/// Waits for so many milliseconds.
pub(crate) async fn pause(dice: &mut Dice, low: u64, high: u64) {
    tokio::time::sleep(Duration::from_millis(dice.within(low, high))).await;
}

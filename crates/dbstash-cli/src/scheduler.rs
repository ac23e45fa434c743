//! Jobs at work: once, or by their timetables until a signal.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::daemon::{self, Ended, Member, Terms, Tick};
use dbstash_core::hook::Shell;
use dbstash_core::launch::Local;
use dbstash_core::report::{Observers, Report};
use dbstash_core::run::Context;
use dbstash_core::secret::Redactor;
use dbstash_core::state::StateDir;
use dbstash_core::status::{Board, Over};
use dbstash_core::timetable::Timetable;
use dbstash_core::verify::Round;
use dbstash_core::zone::Zone;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::health::{Listeners, Paths, Site, socket};
use crate::logging::LogObserver;
use crate::notify::Notifiers;
use crate::places::{Destination, Destinations};
use crate::settings::{Environment, Fleet, JobSettings};
use crate::signals::Signals;

/// How long a notice that is on its way has when all has to end at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What all jobs work with.
pub struct Ground<'a> {
    /// Locks, private files, journals.
    pub state: &'a StateDir,
    /// Our own environment.
    pub environment: &'a Environment,
    /// Starts the dump tools.
    pub launcher: &'a Local,
    /// Runs the hooks.
    pub shell: &'a Shell,
    /// Keeps secrets out of what is told.
    pub redactor: &'a Redactor,
    /// Tell whom the jobs' settings name.
    pub notifiers: &'a Notifiers,
}

/// Runs the jobs of a fleet until all is done, or until a signal. `reread` gives the settings as they are now, after
/// a HUP; nothing where they are wrong, which it has told.
pub async fn run(
    mut fleet: Fleet,
    ground: &Ground<'_>,
    reread: &dyn Fn(&Fleet) -> Option<Fleet>,
) -> Result<Exit> {
    let signals = Signals::listen()?;
    let notifiers = ground.notifiers;
    let scheduled = !fleet.jobs.iter().all(|job| job.timetable.is_once());
    let board = Arc::new(Board::new(SystemClock.now()));
    let _socket = if scheduled { Some(open(&fleet, &board, ground).await?) } else { None };
    let open_all =
        |fleet: &Fleet| Destinations::open(&fleet.jobs, ground.environment, ground.state);
    let (mut destinations, mut left) = (open_all(&fleet)?, Vec::new());
    loop {
        let retire = if scheduled { signals.hangup() } else { CancellationToken::new() };
        board.keep(|id| fleet.jobs.iter().any(|settings| settings.job.id == *id));
        for settings in &fleet.jobs {
            board.watch(&settings.job, &settings.timetable, settings.expected);
        }
        let observer = Observers(vec![&LogObserver, &*board, notifiers]);
        let member = |settings| {
            let (place, destination) = destinations.of(settings);
            let JobSettings { job, timetable, rounds, drills, .. } = settings;
            let cx = Context {
                engine: dbstash_engines::engine(job.engine),
                launcher: ground.launcher,
                remote: &destination.remote,
                state: ground.state,
                clock: &SystemClock,
                observer: &observer,
                shell: ground.shell,
                cancel: &signals.cancel,
            };
            Member {
                job,
                timetable,
                rounds: rounds.as_deref(),
                drills: drills.as_deref(),
                cx,
                place,
            }
        };
        let members: Vec<_> = fleet.jobs.iter().map(member).collect();
        let parallel = NonZeroUsize::new(fleet.process.parallel).unwrap_or(NonZeroUsize::MIN);
        let terms = Terms { parallel, retire: &retire, left: &left };
        let tell = |member: &Member<'_>, tick: Tick<'_>| {
            tell(member, &tick, (&board, notifiers), destinations.at(member.place));
        };
        let Ended { last: reports, left: not_begun } = tokio::select! {
            ended = daemon::serve(&members, terms, &tell) => ended,
            never = notifiers.watch(&SystemClock) => match never {},
        };
        drop(members);
        if signals.caught().is_some() || !retire.is_cancelled() {
            let exit = match signals.caught() {
                Some(signal) if !scheduled && !all_ran(&fleet, &reports) => Exit::Signal(signal),
                signal => ended(&reports, signal),
            };
            // How it ended stays so, whatever comes while the last notices are on their way.
            tokio::select! {
                () = notifiers.settle(&signals.cancel) => {}
                () = signals.hurry.cancelled() => notifiers.drain(LAST_WORDS).await,
            }
            return Ok(exit);
        }
        left = not_begun;
        tracing::info!("reading the settings once more");
        let Some(new) = reread(&fleet) else { continue };
        match open_all(&new) {
            Ok(opened) => (fleet, destinations) = (new, opened),
            Err(error) => tracing::error!(phase = "settings", "{error:#}: nothing has changed"),
        }
        notifiers.update(&fleet.jobs, SystemClock.now());
    }
}

/// Whether each job has had its run.
fn all_ran(fleet: &Fleet, reports: &[Report]) -> bool {
    fleet.jobs.iter().all(|of| reports.iter().any(|report| report.run.job == of.job.id))
}

/// A scheduler that has no run to come, and was not told to end, has failed.
fn ended(reports: &[Report], signal: Option<u8>) -> Exit {
    if reports.is_empty() && signal.is_none() { Exit::Failed } else { Exit::of(reports, signal) }
}

/// Lets others ask how it is with the jobs, from now on.
async fn open(fleet: &Fleet, board: &Arc<Board>, ground: &Ground<'_>) -> Result<socket::Socket> {
    let health = &fleet.process.health;
    let listeners = Listeners::bind(health).await?;
    for (addr, paths) in listeners.addresses() {
        let what = if paths == Paths::All { "health and metrics" } else { "metrics" };
        tracing::info!(address = %addr, "{what} at http://{addr}");
    }
    let site = Arc::new(Site {
        board: Arc::clone(board),
        courier: ground.notifiers.courier(),
        redactor: ground.redactor.clone(),
        status_auth: health.status_auth.clone(),
    });
    listeners.serve(&site);
    Ok(socket::serve(ground.state, &site)?)
}

/// Tells everyone; what concerns a whole job, and what comes of it, the board knows.
fn tell(
    member: &Member<'_>,
    tick: &Tick<'_>,
    (board, notifiers): (&Board, &Notifiers),
    destination: &Destination,
) {
    let (job, zone) = (&member.job.id, member.timetable.zone);
    let name = job.as_str();
    match tick {
        Tick::Known(stock) => {
            board.known(job, stock);
            notifiers.known(job, stock);
            tracing::debug!(
                job = name,
                databases = stock.len(),
                "known is what was backed up before"
            );
        }
        Tick::Unknown(error) => tracing::warn!(
            job = name,
            "what backups there are cannot be told yet, nor whether one was missed: {error}"
        ),
        Tick::Next(at) => {
            board.next(job, Some(*at));
            let local = local(*at, zone);
            tracing::info!(job = name, next_run = local.as_str(), "next backup at {local}");
        }
        Tick::NextRound(at) => {
            board.next_round(job, *at);
            if let Some(at) = at.map(|at| local(at, zone)) {
                let next_verification = at.as_str();
                tracing::info!(job = name, next_verification, "next verification at {at}");
            } else {
                tracing::error!(job = name, "VERIFY_SCHEDULE never comes again");
            }
        }
        Tick::Round(Round { good, corrupt, untested, whole }, missed) => {
            if *whole {
                notifiers.round(job);
            }
            tracing::info!(
                job = name,
                good,
                corrupt,
                untested,
                "verification {}: {good} good, {corrupt} corrupt, {untested} not tested",
                if *whole { "done" } else { "put off" }
            );
            if *whole && *missed > 0 {
                tracing::warn!(
                    job = name,
                    skipped = missed,
                    "{missed} more verifications were due before this one was over"
                );
            }
        }
        Tick::Missed(n) => {
            let in_a_row = board.missed(job, u64::try_from(*n).unwrap_or(u64::MAX));
            let were = if *n == 1 { "backup was" } else { "backups were" };
            let text = format!("{n} {were} due while the last one was still at work");
            if in_a_row > 1 {
                let text = format!(
                    "{text}, and so it went {in_a_row} times in a row: back up less often, or find out what takes so long"
                );
                tracing::error!(job = name, skipped = n, "{text}");
                notifiers.missed(job, in_a_row, &text);
            } else {
                tracing::warn!(job = name, skipped = n, "{text}");
            }
        }
        Tick::Overdue(at) => {
            let local = local(*at, zone);
            tracing::warn!(
                job = name,
                due = local.as_str(),
                "a backup was due at {local} and was not made: now it is"
            );
        }
        Tick::Never => {
            board.next(job, None);
            tracing::error!(job = name, "the schedule never comes again");
        }
        Tick::Done(reports) => {
            let Over { skips, only } = board.done(job, reports);
            notifiers.over(job, reports, only.as_deref());
            match skips {
                0 | 1 => {}
                n => tracing::error!(
                    job = name,
                    "{n} backups in a row were skipped: another run has been at work all the time"
                ),
            }
            for text in destination.remote.warnings().into_iter().chain(destination.aftermath()) {
                tracing::warn!("{text}");
            }
        }
    }
}

fn local(at: DateTime<Utc>, zone: Zone) -> String {
    at.with_timezone(&zone).to_rfc3339()
}

/// A job's settings with one run, now.
#[must_use]
pub fn at_once(settings: JobSettings) -> JobSettings {
    let zone = settings.timetable.zone;
    JobSettings { timetable: Timetable::now(zone), rounds: None, drills: None, ..settings }
}

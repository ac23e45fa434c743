//! The scheduler of the soak, and who listens to it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_core::clock::Clock as _;
use dbstash_core::daemon::{self, Member, Terms, Tick};
use dbstash_core::hook::Shell;
use dbstash_core::launch::Local;
use dbstash_core::report::{Observer, Observers, RunEvent, RunId};
use dbstash_core::run::{self, Context};
use dbstash_core::state::StateDir;
use dbstash_core::status::{Board, Expected};
use dbstash_testkit::Scratch;
use tokio_util::sync::CancellationToken;

use crate::book::{Account, Tally};
use crate::clock::Fast;
use crate::dice::Dice;
use crate::engine::{CALM, MARK, Moody};
use crate::folder::Folder;
use crate::members::{self, Subject};
use crate::trouble;

/// So many ticks, and so many runs among them, are a soak.
const TICKS: u64 = 10_000;
const RUNS: u64 = 1000;
/// A machine that is slower hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// All that takes part.
pub(crate) struct Soak {
    pub(crate) state: StateDir,
    pub(crate) state_path: PathBuf,
    pub(crate) spool: PathBuf,
    pub(crate) folder: Folder,
    pub(crate) subjects: [Subject; 4],
    clock: Fast,
    engine: Moody,
    launcher: Local,
    shell: Shell,
    seed: u64,
    /// How far the clock was set back, all in all.
    back: Mutex<TimeDelta>,
}

/// What was told, by job.
pub(crate) struct Served {
    pub(crate) accounts: Vec<Account>,
    board: Board,
    log: Log,
}

/// How many attempts began, and how many further ones were announced.
#[derive(Default)]
struct Log {
    begun: AtomicU64,
    again: AtomicU64,
}

impl Observer for Log {
    fn on(&self, _run: &RunId, event: RunEvent<'_>) {
        match event {
            RunEvent::Started { .. } => self.begun.fetch_add(1, Ordering::SeqCst),
            RunEvent::Again { .. } => self.again.fetch_add(1, Ordering::SeqCst),
            _ => 0,
        };
    }
}

impl Soak {
    pub(crate) fn new(scratch: &Scratch, seed: u64, mark: &str) -> Self {
        let (state_path, spool) = (scratch.path().join("state"), scratch.dir("spool"));
        let root = scratch.dir("remote");
        let environment =
            [("PATH", crate::PATH), (MARK, mark)].map(|(a, b)| (a.into(), b.into())).to_vec();
        Self {
            state: StateDir::open(&state_path).unwrap(),
            folder: Folder::new(root, Dice::new(seed, "folder"), mark),
            subjects: members::all(&spool),
            clock: Fast::new("2026-03-14T15:09:26Z".parse().unwrap()),
            engine: Moody::new(Dice::new(seed, "engine"), mark),
            launcher: Local { environment: vec![("PATH".to_owned(), crate::PATH.to_owned())] },
            shell: Shell { environment, ..Shell::default() },
            state_path,
            spool,
            seed,
            back: Mutex::default(),
        }
    }

    fn context<'a>(
        &'a self,
        observer: &'a dyn Observer,
        cancel: &'a CancellationToken,
    ) -> Context<'a> {
        let Self { engine, launcher, folder, state, clock, shell, .. } = self;
        Context { engine, launcher, remote: folder, state, clock, observer, shell, cancel }
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Serves until there was enough of everything, and then ends in the middle of it.
    pub(crate) async fn serve(&self) -> Served {
        // What a process finds that was down for some hours.
        self.calm_run(&self.subjects[3]).await;
        self.clock.set(TimeDelta::hours(8));

        let (born, cancel) = (self.now(), CancellationToken::new());
        let (board, log) = (Board::new(born), Log::default());
        let account = |one: &Subject| Account::new(one.name, one.rhythm, one.jitter(), born);
        let accounts = Mutex::new(self.subjects.iter().map(account).collect::<Vec<_>>());
        for Subject { job, timetable, .. } in &self.subjects {
            board.watch(job, timetable, Expected::Grace(Duration::from_secs(3600)));
        }
        let observer = Observers(vec![&board, &log]);
        let cx = self.context(&observer, &cancel);
        let members: Vec<_> = self
            .subjects
            .iter()
            .map(|Subject { job, timetable, .. }| Member {
                job,
                timetable,
                rounds: None,
                drills: None,
                cx,
                place: 0,
            })
            .collect();
        let tell = |member: &Member<'_>, tick: Tick<'_>| {
            let job = &member.job.id;
            let of = self.subjects.iter().position(|one| one.job.id == *job).unwrap();
            locked(&accounts)[of].tell(&tick, self.now());
            match tick {
                Tick::Known(past) => {
                    board.known(job, past);
                    // It can be asked what it has only once a minute, a real one.
                    self.folder.calm(false);
                }
                Tick::Next(at) => board.next(job, Some(at)),
                Tick::Missed(n) => drop(board.missed(job, n as u64)),
                Tick::Done(reports) => drop(board.done(job, reports)),
                _ => {}
            }
        };
        let jobs: Vec<_> = self.subjects.iter().map(|one| one.job.clone()).collect();
        let dice = |whose| Dice::new(self.seed, whose);
        let services = async {
            let (mut dice, mut left) = (dice("hangup"), Vec::new());
            loop {
                let (retire, parallel) = (CancellationToken::new(), NonZeroUsize::new(2).unwrap());
                let terms = Terms { parallel, retire: &retire, left: &left };
                let hangup = async {
                    trouble::pause(&mut dice, 500, 8000).await;
                    retire.cancel();
                    std::future::pending::<()>().await;
                };
                let ended = tokio::select! {
                    ended = daemon::serve(&members, terms, &tell) => ended,
                    () = hangup => return,
                };
                if cancel.is_cancelled() {
                    assert!(!ended.last.is_empty(), "nobody was at work in the end");
                    return;
                }
                left = ended.left;
                for (account, of) in locked(&accounts).iter_mut().zip(&self.subjects) {
                    let left = left.iter().find(|left| left.job == of.job.id);
                    account.served_anew(left.and_then(|left| left.next));
                }
            }
        };
        let conduct = async {
            self.set_clocks(dice("clock"), &accounts, &log).await;
            log.next_begun().await;
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = services => {}
            () = conduct => {}
            () = trouble::rival(dice("rival"), &self.state, &jobs, || self.now()) => {}
        }
        drop(members);
        drop(observer);
        Served { accounts: accounts.into_inner().unwrap(), board, log }
    }

    /// Sets the clock again and again, until there was enough of everything.
    async fn set_clocks(&self, mut dice: Dice, accounts: &Mutex<Vec<Account>>, log: &Log) {
        let before = Instant::now();
        loop {
            trouble::pause(&mut dice, 200, 2200).await;
            let mut accounts = locked(accounts);
            let tallies = accounts.iter().map(|account| account.tally);
            let all = Tally::sum(tallies);
            let (ticks, begun) = (all.ticks(), log.begun.load(Ordering::SeqCst));
            let enough = ticks >= TICKS && begun >= RUNS && log.again() > 0 && all.is_varied();
            let wrong = accounts.iter().any(|account| !account.flaws.is_empty());
            if enough || wrong || before.elapsed() > LONGEST {
                eprintln!("--- {ticks} ticks in {:?}", before.elapsed());
                return;
            }
            let by = trouble::leap(&mut dice);
            self.clock.set(by);
            if by < TimeDelta::zero() {
                *locked(&self.back) -= by;
            }
            accounts.iter_mut().for_each(|account| account.clock_set(by, self.now()));
        }
    }

    /// One more run of each job, later than all others, and without trouble.
    pub(crate) async fn last_runs(&self) {
        let back = *locked(&self.back);
        self.clock.set(back + TimeDelta::days(2));
        for subject in &self.subjects {
            self.calm_run(subject).await;
        }
    }

    async fn calm_run(&self, subject: &Subject) {
        self.folder.calm(true);
        let (observer, cancel) = (Log::default(), CancellationToken::new());
        let mut job = subject.job.clone();
        job.extra_args = vec![CALM.to_owned()];
        let reports = run::run(&job, self.context(&observer, &cancel)).await;
        assert!(reports.iter().all(|report| report.outcome.is_stored()), "{reports:?}");
        let warnings: Vec<_> = reports.iter().flat_map(|report| &report.warnings).collect();
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

impl Served {
    /// Everything adds up, and there was enough of every kind.
    pub(crate) fn assert_accounted(&self, soak: &Soak) {
        let flaws: Vec<_> = self.accounts.iter().flat_map(|account| &account.flaws).collect();
        let snapshot = self.board.snapshot(soak.now());
        let all = Tally::sum(self.accounts.iter().map(|account| account.tally));
        for (subject, account) in soak.subjects.iter().zip(&self.accounts) {
            let told = account.tally;
            eprintln!("--- {}: {told:?}", subject.name);
            let seen = snapshot.jobs.iter().find(|one| one.job == subject.job.id).unwrap();
            let tally = &seen.databases[0].tally;
            let failed = tally.failures.values().sum::<u64>();
            let last = seen.databases[0].last_failure.as_ref();
            let last = last.map(|failed| format!("{} ({})", failed.error, failed.stderr));
            eprintln!("    failures: {:?}, the last: {last:?}", tally.failures);
            assert_eq!(
                (tally.successes, failed, tally.skipped, seen.missed, tally.deleted),
                (told.stored, told.failed, told.skipped, told.missed, told.deleted),
                "what is seen of {}, and what was told",
                subject.name
            );
            assert!(seen.databases[0].running.is_none(), "{} is at work for ever", subject.name);
            let retried = if subject.job.retries > 0 { self.log.again() } else { 0 };
            assert_eq!(tally.retries, retried, "{}", subject.name);
        }
        let begun = self.log.begun.load(Ordering::SeqCst);
        eprintln!("--- {} ticks, {begun} attempts: {all:?}", all.ticks());
        assert!(flaws.is_empty(), "{flaws:#?}");
        assert!(all.ticks() >= TICKS && begun >= RUNS, "too slow");
        assert!(all.is_varied() && self.log.again() > 0, "{all:?}");
        assert_eq!(soak.folder.overwritten(), [""; 0]);
    }
}

impl Log {
    fn again(&self) -> u64 {
        self.again.load(Ordering::SeqCst)
    }

    /// Returns when one more attempt has just begun.
    async fn next_begun(&self) {
        let before = self.begun.load(Ordering::SeqCst);
        while self.begun.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

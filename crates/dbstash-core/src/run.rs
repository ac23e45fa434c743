//! One job, once: the screen to read first.

mod attempts;
mod companion;
mod databases;
mod draft;
mod drift;
mod hooks;
mod recipe;
mod record;
mod retain;
mod shape;
mod tree;
mod verify;

use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::databases::subjects;
use self::draft::Draft;
use self::hooks::Hooks;
pub use self::hooks::TOLD;
use self::shape::Shape;
use crate::artifact::{Artifact, ProduceError, Producer};
use crate::clock::Clock;
use crate::engine::{self, Companion, Dump, Engine, Format, Stream, Tree};
use crate::error::RunError;
use crate::hook::Shell;
use crate::job::{Database, Job};
use crate::launch::{self, Launcher};
use crate::manifest::{self, Manifest};
use crate::remote::Remote;
use crate::report::{Observer, Outcome, Report, RunEvent, RunId};
use crate::spool::Spool;
use crate::state::{LockError, RunDir, StateDir};
use crate::store::{Failure, Guard, Pace, Progress, store};
use crate::sweep;

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Plans the dumps.
    pub engine: &'a dyn Engine,
    /// Starts them.
    pub launcher: &'a dyn Launcher,
    /// Takes them.
    pub remote: &'a dyn Remote,
    /// Locks, private files, journals.
    pub state: &'a StateDir,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// Is told everything.
    pub observer: &'a dyn Observer,
    /// Runs the hooks.
    pub shell: &'a Shell,
    /// Cancelled by the first signal.
    pub cancel: &'a CancellationToken,
}

/// Runs a job: one backup of each of its databases, one after the other. One that fails does not stop the next; a
/// signal does.
pub async fn run(job: &Job, cx: Context<'_>) -> Vec<Report> {
    sweep::dead_runs(job, cx).await;
    Spool::sweep(&job.temp_dir);
    let subjects = match subjects(job, cx).await {
        Ok(subjects) => subjects,
        Err(error) => return vec![nothing_begun(job, cx, error).await],
    };
    let mut reports = Vec::new();
    for database in subjects {
        if cx.cancel.is_cancelled() && !reports.is_empty() {
            // One stands for all that are not made.
            if !reports.iter().any(Report::is_interrupted) {
                let run = Run::new(job, &database, cx);
                reports.push(run.failed(RunError::Interrupted).told(cx));
            }
            break;
        }
        reports.push(attempts::all(job, &database, cx).await);
    }
    recipe::write(job, &reports, cx).await;
    reports
}

/// No backup is begun, and that is told as of one.
async fn nothing_begun(job: &Job, cx: Context<'_>, error: RunError) -> Report {
    let report = Run::new(job, &job.subject(), cx).failed(error);
    Hooks::new(job, cx).after(report).await.told(cx)
}

/// A dump that is about to be made.
enum Begun {
    /// Its tool is at work.
    Stream(Artifact, Format),
    /// Nothing is made yet.
    Tree(Tree),
}

/// What all of an attempt works under.
#[derive(Clone, Copy)]
struct Work<'a> {
    guard: &'a Guard<'a>,
    run_dir: &'a RunDir,
}

/// One backup of one database.
struct Run<'a> {
    job: &'a Job,
    database: &'a Database,
    cx: Context<'a>,
    id: RunId,
    started: chrono::DateTime<Utc>,
    begun: Instant,
    warnings: std::sync::Mutex<Vec<String>>,
    /// Why a dump has not begun yet, when that is known.
    waits_for: std::sync::Mutex<Option<String>>,
}

impl Report {
    /// Itself, when observers know that it is over.
    fn told(self, cx: Context<'_>) -> Self {
        cx.observer.on(&self.run, RunEvent::Finished(&self));
        self
    }
}

impl<'a> Run<'a> {
    fn new(job: &'a Job, database: &'a Database, cx: Context<'a>) -> Self {
        let started = cx.clock.now();
        let random = uuid::Uuid::new_v4().simple().to_string();
        let id = RunId {
            id: format!("{}-{}", started.format("%Y%m%dT%H%M%SZ"), &random[..8]),
            job: job.id.clone(),
            engine: job.engine,
            database: database.label().to_owned(),
        };
        Self {
            job,
            database,
            cx,
            id,
            started,
            begun: Instant::now(),
            warnings: std::sync::Mutex::default(),
            waits_for: std::sync::Mutex::default(),
        }
    }

    /// One attempt.
    async fn backup(self) -> Report {
        let outcome = match self.attempt().await {
            Ok((manifest, object)) => {
                let (label, bytes) = (self.cx.remote.label(), manifest.bytes());
                let (job, database) = (&self.id.job, &self.id.database);
                let before = self.cx.state.remembered_manifest(&label, job, database);
                let name = manifest::name_for(&object);
                self.cx.state.remember(&label, job, database, bytes, &name);
                // On the word of a corrupt one nothing is deleted.
                if let Err(error) = self.verified(&manifest, &object).await {
                    return self.failed(error);
                }
                self.compare(&manifest, before).await;
                let pruned = self.retain().await;
                Outcome::Stored { manifest: Box::new(manifest), object, pruned }
            }
            Err(error) => return self.failed(error),
        };
        self.finished(outcome)
    }

    /// Dump, upload, proof, manifest: a backup is there, or nothing is.
    async fn attempt(&self) -> Result<(Manifest, String), RunError> {
        let limits = self.job.limits;
        let guard = Guard {
            cancel: self.cx.cancel,
            deadline: limits.timeout.map(|limit| (self.begun + limit, limit)),
            stall: limits.stall,
            pace: &|pace| match pace {
                Pace::Still(text) => {
                    self.tell(RunEvent::Still(Some(&text)));
                    self.warn(text);
                }
                Pace::Again => self.tell(RunEvent::Still(None)),
            },
        };
        let plan = engine::plan(self.cx.engine, self.job, self.database)?;
        let (command, remote) = (plan.dump.commands().join(" && "), self.cx.remote.label());
        self.tell(RunEvent::Started { at: self.started, command: &command, remote: &remote });

        let run_dir = self.cx.state.run_dir(&self.job.id, &self.id.id)?;
        let (shape, work) =
            (Shape::new(self.job, &plan), Work { guard: &guard, run_dir: &run_dir });
        let opening = self.open(plan.dump, &shape, &run_dir);
        let (dump, mut draft) = guard.watch(&Progress::default(), opening).await?;
        match self.make(dump, plan.companions, &mut draft, work).await {
            Ok(manifest) => Ok((manifest, draft.object)),
            Err(Failure { cause, left }) => {
                // A manifest that may still be there keeps what it vouches for.
                let also = match &left {
                    Some(_) if draft.announced => None,
                    _ => draft.undo(cause.grace()).await,
                };
                Err(self.unfinished(cause, left.or(also), run_dir))
            }
        }
    }

    /// Finds the backup's place. Of a stream, starts both sides at once: its first bytes wait in the pipe while the
    /// remote is asked.
    async fn open(
        &self,
        dump: Dump,
        shape: &Shape,
        run_dir: &RunDir,
    ) -> Result<(Begun, Draft), RunError> {
        let stream = match dump {
            Dump::Stream(stream) => stream,
            Dump::Tree(tree) => {
                return Ok((Begun::Tree(tree), self.reserve(shape, run_dir).await?));
            }
        };
        match tokio::join!(self.launch(&stream, run_dir), self.begin(shape, run_dir)) {
            (Ok(tool), Ok(draft)) => {
                let least = self.job.limits.min_size;
                let artifact = Artifact::new(tool, stream.check, least).counted(stream.counting);
                Ok((Begun::Stream(artifact, stream.format), draft))
            }
            (Err(error), Ok(mut draft)) => {
                // Nothing was written: nothing can be left but the process.
                let _ = draft.undo(RunError::Interrupted.grace()).await;
                Err(error.into())
            }
            (Ok(mut tool), Err(error)) => {
                tool.stop(error.grace()).await;
                Err(error)
            }
            (Err(error), Err(_)) => Err(error.into()),
        }
    }

    /// Starts a stream; why that takes long is told as it turns out.
    async fn launch(
        &self,
        stream: &Stream,
        run_dir: &RunDir,
    ) -> Result<Box<dyn Producer>, ProduceError> {
        let waits_for = || self.waits_for.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let tell = |text: String| {
            *waits_for() = Some(text.clone());
            self.warn(text);
        };
        let launched = launch::first(self.cx.launcher, stream, run_dir, &tell).await?;
        *waits_for() = None;
        Ok(launched)
    }

    /// The dump, what belongs beside it, and then the manifest.
    async fn make(
        &self,
        dump: Begun,
        companions: Vec<Companion>,
        draft: &mut Draft,
        work: Work<'_>,
    ) -> Result<Manifest, Failure> {
        let remarks = match dump {
            Begun::Stream(artifact, format) => self.stream(artifact, format, draft, work).await?,
            Begun::Tree(tree) => self.tree(tree, draft, work).await?,
        };
        for line in remarks.lines().filter(|line| self.cx.engine.is_remark(line)) {
            self.warn(line.to_owned());
        }
        for companion in companions {
            self.accompany(companion, draft, work).await?;
        }
        if let Some(of) = draft.marked(self.database) {
            let what = format!(
                "the database holds an interrupted restore ({of}): first restore the same again, all of it or the same --table, with --clean"
            );
            let cause = RunError::Dump(ProduceError::Incomplete { what, stderr: String::new() });
            return Err(Failure { cause, left: None });
        }
        let manifest = self.manifest(draft);
        draft.announced = true;
        self.publish(&draft.object, &manifest, work.guard).await?;
        Ok(manifest)
    }

    /// Stores a dump as it comes.
    async fn stream(
        &self,
        mut artifact: Artifact,
        format: Format,
        draft: &mut Draft,
        work: Work<'_>,
    ) -> Result<String, Failure> {
        let upload = draft.uploads[0].as_mut();
        let stored = store(&mut artifact, self.job.compression, upload, work.guard).await?;
        let remarks = stored.proof.remarks().to_owned();
        draft.add(&draft.object.clone(), format, stored);
        Ok(remarks)
    }

    /// What could not be taken back is left to the next run.
    fn unfinished(&self, cause: RunError, undone: Option<RunError>, run_dir: RunDir) -> RunError {
        if let Some(error) = undone {
            self.warn(format!("the next run will clean up: {error}"));
            run_dir.keep();
        }
        cause
    }

    fn warn(&self, text: String) {
        self.tell(RunEvent::Warning(&text));
        self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
    }

    fn tell(&self, event: RunEvent<'_>) {
        self.cx.observer.on(&self.id, event);
    }

    fn failed(self, error: RunError) -> Report {
        let of_tool = matches!(error, RunError::Dump(_) | RunError::Databases(_));
        let explained = of_tool
            .then(|| tree::out_of_room(self.job, &error))
            .flatten()
            .or_else(|| of_tool.then(|| self.cx.engine.explain(error.stderr())).flatten());
        let waits_for = || self.waits_for.lock().ok()?.clone();
        let explained = match error {
            RunError::TimedOut { .. } => waits_for(),
            _ => explained,
        };
        self.finished(Outcome::Failed { error, explained })
    }

    fn refused(self, error: LockError) -> Report {
        let outcome = match error {
            LockError::Held(holder) => Outcome::Skipped { holder },
            LockError::State(error) => Outcome::Failed { error: error.into(), explained: None },
        };
        self.finished(outcome)
    }

    fn finished(self, outcome: Outcome) -> Report {
        Report {
            outcome,
            warnings: self.warnings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
            started: self.started,
            duration: self.begun.elapsed(),
            run: self.id,
            attempts: 1,
        }
    }
}

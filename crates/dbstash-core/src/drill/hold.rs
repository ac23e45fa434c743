//! A drill, from its server to its end: whatever happens, nothing of it stays.

use std::os::unix::fs::chown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::census::{compared, holds};
use super::said::{gist, is_refused, left, missing};
use super::{Drill, Drilled, Found, Goal, Ground, Place, Scratch, Trial};
use crate::artifact::{ProduceError, Producer};
use crate::catalog::Backup;
use crate::engine::PlanError;
use crate::error::RunError;
use crate::invocation::Invocation;
use crate::load::Wish;
use crate::manifest::Manifest;
use crate::restore::{RestoreError, Scene, named_by, survey};
use crate::secret::ExposeSecret as _;
use crate::spool::Spool;
use crate::state::RunDir;
use crate::store::Guard;
use crate::verify::inspect::Look;
use crate::verify::{Context, Flaw, Verdict, Witness, plain, told};

/// How long a server may take until it can be used.
const START: Duration = Duration::from_secs(300);
/// How often it is asked.
const ASK: Duration = Duration::from_millis(100);
/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long it may take to drop a scratch database; what is left of the time after a signal.
const DROP: Duration = Duration::from_secs(7);
/// No answer is longer.
const MOST: usize = 64 * 1024 * 1024;

/// Restores a backup on trial. The error is a signal's.
pub(crate) async fn hold(
    backup: &Backup,
    trial: &Trial,
    cx: Context<'_>,
    by: Witness<'_>,
) -> Result<Verdict, RunError> {
    let limit = by.limits[0].map_or(trial.timeout, |limit| limit.min(trial.timeout));
    let deadline = Some((Instant::now() + limit, limit));
    let guard = Guard { cancel: by.cancel, deadline, stall: None, pace: &|_| {} };
    let work = Work { backup, trial, cx, by, guard: &guard };
    let done = Box::pin(work.all()).await;
    if by.cancel.is_cancelled() {
        return Err(RunError::Interrupted);
    }
    Ok(match done {
        Ok(drilled) => Verdict::Restored(drilled),
        Err(Flaw::Corrupt(what)) => Verdict::Corrupt(what),
        Err(Flaw::Untested(why)) if trial.elsewhere(cx.engine).is_some() => {
            Verdict::Untested(named_by("DRILL_URI", &why))
        }
        Err(Flaw::Untested(why)) => Verdict::Untested(why),
        Err(Flaw::Gone) => Verdict::Gone,
    })
}

#[derive(Clone, Copy)]
struct Work<'a> {
    backup: &'a Backup,
    trial: &'a Trial,
    cx: Context<'a>,
    by: Witness<'a>,
    guard: &'a Guard<'a>,
}

impl Work<'_> {
    async fn all(&self) -> Result<Drilled, Flaw> {
        let manifest = self.timed(told(self.backup, self.cx)).await?;
        let random = uuid::Uuid::new_v4().simple().to_string();
        let stamp = self.by.clock.now().format("%Y%m%dT%H%M%SZ");
        let scratch =
            format!("dbstash_drill_{}_{}", stamp.to_string().to_lowercase(), &random[..8]);
        let raw = manifest.raw_bytes();
        // What is copied first has a directory of its own.
        let scratch_server = self.trial.elsewhere(self.cx.engine);
        let needed = if scratch_server.is_some() { 0 } else { raw };
        let spool = Spool::make(self.cx.temp_dir, &format!("{stamp}-{}", &random[8..16]), needed)?;
        let tree = spool.tree();
        let place = match scratch_server {
            Some(one) => Place::Scratch(one.engine, &one.source, &scratch),
            None => Place::Private(&tree),
        };
        if let (Place::Private(_), Some(user)) = (place, self.trial.user) {
            spool.give(user)?;
        }
        let assertions = &self.trial.assertions;
        let drill = self.planned(&manifest, place, assertions).map_err(untested)?;
        let noted = match scratch_server {
            None => None,
            Some(server) => {
                self.swept(server, &manifest).await;
                Some(self.cx.state.scratch(server.uri.expose_secret(), &scratch)?)
            }
        };
        let server = self.timed(self.server(&drill, &manifest)).await;
        let (mut server, begun) = server?;
        let refused = AtomicBool::new(false);
        let main = Box::pin(self.main(&drill, &manifest, begun, &refused));
        let done = self
            .timed(async {
                tokio::select! {
                    biased;
                    done = main => done,
                    why = gone(server.as_mut()) => Err(Flaw::Untested(why)),
                }
            })
            .await;
        let said = match &mut server {
            Some(server) => server.stop(GRACE).await,
            None => String::new(),
        };
        if let Some(dropped) = &drill.dropped
            && let Err(why) = self.dropped(dropped).await
            && !refused.into_inner()
        {
            // The next drill tries again.
            noted.into_iter().for_each(RunDir::keep);
            return Err(left(done, &scratch, &why));
        }
        // What a loader complains of may be its server's last word.
        done.map_err(|flaw| match flaw {
            Flaw::Corrupt(what) if self.cx.engine.is_surroundings(&said) => {
                Flaw::Untested(format!("{what}; the private server: {}", gist(&said)))
            }
            other => other,
        })
    }

    fn planned(
        &self,
        manifest: &Manifest,
        place: Place<'_>,
        assertions: &[String],
    ) -> Result<Drill, PlanError> {
        self.cx.engine.drill(&Ground { manifest, place, assertions })
    }

    /// Drops what drills have left on a server whose process was killed.
    async fn swept(&self, server: &Scratch, manifest: &Manifest) {
        for (name, noted) in self.cx.state.dead_scratches(server.uri.expose_secret()) {
            let place = Place::Scratch(server.engine, &server.source, &name);
            let left = match self.planned(manifest, place, &[]) {
                Ok(Drill { dropped: Some(dropped), .. }) => self.dropped(&dropped).await.is_err(),
                _ => true,
            };
            if left {
                noted.keep();
            }
        }
    }

    async fn dropped(&self, invocation: &Invocation) -> Result<(), String> {
        match tokio::time::timeout(DROP, self.ask(invocation)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((what, _))) => Err(what),
            Err(_) => Err("dropping it takes too long".to_owned()),
        }
    }

    /// Unless a signal or the limit comes first.
    async fn timed<T>(&self, work: impl Future<Output = Result<T, Flaw>>) -> Result<T, Flaw> {
        let done = self.guard.watch(self.cx.progress, async { Ok(work.await) }).await;
        done.unwrap_or_else(|error| {
            Err(Flaw::Untested(match error {
                RunError::TimedOut { limit, .. } => {
                    format!("the drill was not over within {limit:?} (DRILL_TIMEOUT)")
                }
                error => error.to_string(),
            }))
        })
    }

    /// Makes the server's files, and starts it. Since when the restore has been going on.
    async fn server(
        &self,
        drill: &Drill,
        manifest: &Manifest,
    ) -> Result<(Option<Box<dyn Producer>>, Instant), Flaw> {
        for invocation in &drill.prepare {
            self.ask(&drill.confined(invocation, self.trial))
                .await
                .map_err(|(what, _)| Flaw::Untested(what))?;
        }
        let begun = Instant::now();
        if let Some((object, path)) = &drill.file {
            let object = manifest.objects.get(*object).ok_or_else(|| lacks(manifest))?;
            let name = self.backup.objects().next().ok_or_else(|| lacks(manifest))?;
            let look = Look::Copy { path: path.clone(), most: object.raw_bytes };
            plain(object, &name, look, self.cx).await?;
            if let Some((user, group)) = self.trial.user {
                chown(path, Some(user), Some(group)).map_err(untested)?;
            }
        }
        let Some(server) = &drill.server else { return Ok((None, begun)) };
        let private = self.cx.state.process_dir()?;
        let started = self.cx.launcher.launch(&drill.confined(server, self.trial), &private).await;
        let mut started = started.map_err(untested)?;
        if let Some(ready) = &drill.ready {
            let up = tokio::select! {
                biased;
                up = self.up(ready, drill.is_ready) => up,
                why = gone(Some(&mut started)) => Err(Flaw::Untested(why)),
            };
            if let Err(flaw) = up {
                started.stop(GRACE).await;
                return Err(flaw);
            }
        }
        Ok((Some(started), if drill.file.is_some() { begun } else { Instant::now() }))
    }

    /// Waits until a server can be used.
    async fn up(&self, ready: &Invocation, is_ready: fn(&str) -> bool) -> Result<(), Flaw> {
        let begun = Instant::now();
        loop {
            match self.ask(ready).await {
                Ok(said) if is_ready(&said) => return Ok(()),
                Ok(_) if begun.elapsed() > START => {
                    return Err(Flaw::Untested("the private server is not ready".to_owned()));
                }
                Err((what, _)) if begun.elapsed() > START => {
                    return Err(Flaw::Untested(format!(
                        "the private server does not answer: {what}"
                    )));
                }
                _ => tokio::time::sleep(ASK).await,
            }
        }
    }

    /// Restores, counts, and asks what has to be true.
    async fn main(
        &self,
        drill: &Drill,
        manifest: &Manifest,
        begun: Instant,
        refused: &AtomicBool,
    ) -> Result<Drilled, Flaw> {
        if let Some(goal) = &drill.goal {
            self.restored(goal, manifest).await.map_err(|error| {
                refused.store(is_refused(&error), Ordering::Relaxed);
                self.flaw(drill, error)
            })?;
        }
        let took = begun.elapsed();
        let found = match &drill.census {
            None => Found::new(),
            Some(census) => {
                let said = self.ask(&census.question).await;
                let said = said.map_err(|(what, _)| {
                    Flaw::Untested(format!("what came back cannot be counted: {what}"))
                })?;
                (census.read)(&said).map_err(Flaw::Corrupt)?
            }
        };
        let stored = manifest.dump().map(|dump| dump.counts.clone()).unwrap_or_default();
        let uncompared = match &drill.census {
            None => Some("its tables cannot be told by the names in the backup".to_owned()),
            Some(_) => compared(&stored, &found).map_err(Flaw::Corrupt)?,
        };
        for (n, assertion) in drill.assertions.iter().enumerate() {
            let it = format!("assertion {} of DRILL_SQL", n + 1);
            let said = self.ask(assertion).await.map_err(|(what, _)| what);
            let said = said.and_then(|said| (drill.reply)(&said));
            let said =
                said.map_err(|what| Flaw::Untested(format!("{it} cannot be asked: {what}")))?;
            holds(&said).map_err(|why| Flaw::Corrupt(format!("{it}: {why}")))?;
        }
        Ok(Drilled {
            restored_in_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            places: found.len() as u64,
            things: found.values().copied().flatten().reduce(u64::saturating_add),
            uncompared,
            assertions: drill.assertions.len(),
        })
    }

    async fn restored(&self, goal: &Goal, manifest: &Manifest) -> Result<(), RestoreError> {
        let Goal { engine, source, database, extent } = goal;
        let (clean, jobs, engine) = (false, 1, *engine);
        let wish = Wish { manifest, engine, source, database, extent, clean, jobs };
        let there = survey(&self.cx.engine.survey(&wish)?, self.cx).await?;
        if !there.is_empty() {
            let what = format!("{database} is not empty: {}", there.holds.join(", "));
            return Err(PlanError(what).into());
        }
        let load = self.cx.engine.load(&wish, &there)?;
        let scene = Scene {
            backup: self.backup,
            cx: self.cx,
            cancel: self.by.cancel,
            moved: &|_| self.cx.progress.moved(),
            tell: &|_| {},
        };
        scene.restore(load).await.map(drop)
    }

    /// What it says of the backup that it cannot be restored.
    fn flaw(&self, drill: &Drill, error: RestoreError) -> Flaw {
        match error {
            RestoreError::Corrupt(what) => Flaw::Corrupt(what),
            RestoreError::Gone => Flaw::Gone,
            // What makes the database ready has read nothing of the backup.
            RestoreError::Unmarked(error) if matches!(*error, RestoreError::Loader { .. }) => {
                match self.flaw(drill, *error) {
                    Flaw::Corrupt(what) => Flaw::Untested(what),
                    other => other,
                }
            }
            RestoreError::Before(error)
            | RestoreError::Left(error)
            | RestoreError::Unmarked(error) => self.flaw(drill, *error),
            RestoreError::Unmade { what, stderr } => Flaw::Untested(match gist(&stderr) {
                line if what.contains(line) => what,
                line => format!("{what}: {line}"),
            }),
            RestoreError::Loader { ref stderr, .. } => {
                let engine = self.cx.engine;
                let known = engine.explain(stderr).unwrap_or_default();
                let what = format!("it cannot be restored: {error}: {}", gist(stderr));
                let is_around = engine.is_surroundings(stderr) || (drill.is_outside)(stderr);
                if known.is_empty() && !is_around && self.has_room() {
                    Flaw::Corrupt(what)
                } else {
                    Flaw::Untested(if known.is_empty() { what } else { known })
                }
            }
            error => Flaw::Untested(error.to_string()),
        }
    }

    /// Whether the disk of the private server is not full.
    fn has_room(&self) -> bool {
        let disk = rustix::fs::statvfs(self.cx.temp_dir);
        disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) > 1024 * 1024)
    }

    /// All that a program prints; what is wrong, and its last words.
    async fn ask(&self, invocation: &Invocation) -> Result<String, (String, String)> {
        let failed = |error: ProduceError| {
            let stderr = error.stderr().to_owned();
            let why = missing(&error).or_else(|| self.cx.engine.explain(&stderr));
            let why = why.unwrap_or_else(|| match gist(&stderr) {
                "" => error.to_string(),
                line => format!("{error}: {line}"),
            });
            (why, stderr)
        };
        let private = self.cx.state.process_dir().map_err(|e| (e.to_string(), String::new()))?;
        let tool = self.cx.launcher.launch(invocation, &private).await;
        let mut tool = tool.map_err(|error| failed(error.into()))?;
        let (mut said, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        while let n @ 1.. = tool.read(&mut buffer).await.map_err(failed)? {
            said.extend_from_slice(&buffer[..n]);
            if said.len() > MOST {
                return Err((format!("{} says too much", invocation.program), String::new()));
            }
        }
        tool.finish().await.map_err(failed)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// Waits for the end of a server, which is never right.
async fn gone(server: Option<&mut Box<dyn Producer>>) -> String {
    let Some(server) = server else { return std::future::pending().await };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match server.read(&mut buffer).await {
            Ok(1..) => {}
            Ok(0) => break,
            Err(error) => return format!("the private server failed: {error}"),
        }
    }
    match server.finish().await {
        Ok(said) => format!("the private server has ended: {}", gist(&said)),
        Err(error) => missing(&error).unwrap_or_else(|| {
            format!("the private server failed: {error}: {}", gist(error.stderr()))
        }),
    }
}

fn untested(error: impl std::fmt::Display) -> Flaw {
    Flaw::Untested(error.to_string())
}

fn lacks(manifest: &Manifest) -> Flaw {
    Flaw::Corrupt(format!("{} lacks an object", manifest.id))
}

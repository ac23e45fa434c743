//! A backup on its way back into a database.
//!
//! What is not atomic is read and verified before the first byte goes anywhere. What is atomic goes at once, and the
//! word that makes it count is held back until every byte was proven. Either way no end of a stream is ever taken for a
//! success: a loader is killed before it could see one that is not meant.

mod copy;
mod errand;
mod error;
mod inflow;
mod loader;
mod parallel;
mod place;
mod proof;
mod script;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio_util::sync::CancellationToken;

pub use self::error::RestoreError;
use self::place::{discard, renamed, written};
use crate::artifact::ProduceError;
use crate::catalog::Backup;
use crate::invocation::Invocation;
use crate::load::{Load, Stage, Survey, Target};
use crate::manifest::Object;
use crate::spool::Spool;
use crate::verify::{Context, Level, Verdict, verify};

/// How long it may take to take away what was made; what is left of the time after a signal.
const UNDO: Duration = Duration::from_secs(7);

/// What came of a restore that succeeded.
#[derive(Debug, Default)]
pub struct Restored {
    /// What the loaders had to remark.
    pub remarks: Vec<String>,
}

/// What a restore works with.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What is restored.
    pub backup: &'a Backup,
    /// The remote, the programs, the state.
    pub cx: Context<'a>,
    /// Cancelled by the first signal.
    pub cancel: &'a CancellationToken,
    /// Told of so many more stored bytes that have come.
    pub moved: &'a (dyn Fn(u64) + Sync),
    /// Told what is being done.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// Asks what there is at the target. Changes nothing.
pub async fn survey(survey: &Survey, cx: Context<'_>) -> Result<Target, RestoreError> {
    match survey {
        Survey::File(path) => file(path),
        Survey::Ask { question, read, missing } => ask(question, *read, *missing, cx).await,
        Survey::Errand { errand, read } => {
            let said = errand::asked(errand).await?;
            read(&said).map_err(|what| RestoreError::Survey { what, stderr: String::new() })
        }
        Survey::Any(surveys) => {
            let mut found = Target::default();
            for one in surveys {
                found = Box::pin(self::survey(one, cx)).await?;
                if found.exists {
                    break;
                }
            }
            Ok(found)
        }
    }
}

async fn ask(
    question: &Invocation,
    read: fn(&str) -> Result<Target, String>,
    missing: fn(&str) -> Option<Target>,
    cx: Context<'_>,
) -> Result<Target, RestoreError> {
    let private = cx.state.process_dir()?;
    let mut tool = cx.launcher.launch(question, &private).await?;
    let (mut said, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    let failed = |error: ProduceError| {
        let stderr = error.stderr().to_owned();
        let what = cx.engine.explain(&stderr).unwrap_or_else(|| error.to_string());
        missing(&stderr).ok_or(RestoreError::Survey { what, stderr })
    };
    loop {
        match tool.read(&mut buffer).await {
            Ok(0) => break,
            Ok(n) => said.extend_from_slice(&buffer[..n]),
            Err(error) => return failed(error),
        }
    }
    if let Err(error) = tool.finish().await {
        return failed(error);
    }
    let said = String::from_utf8_lossy(&said);
    read(&said).map_err(|what| RestoreError::Survey { what, stderr: String::new() })
}

/// Engines speak of the settings of a backup: where a target is named by another one, a text that names that.
pub fn named_by(setting: &str, text: &str) -> String {
    const WORDS: [&str; 4] = [
        "DB_URI, or DB_USER and DB_PASSWORD",
        "DB_URI, or in DB_PASSWORD where DB_HOST is set",
        "DB_URI or DB_PASSWORD",
        "DB_URI and DB_PASSWORD",
    ];
    WORDS.iter().fold(text.to_owned(), |text, words| text.replace(words, setting))
}

fn file(path: &Path) -> Result<Target, RestoreError> {
    let mut target = Target::default();
    let no = |path: &Path, why: &str| {
        Err(RestoreError::File { path: path.to_owned(), reason: io::Error::other(why) })
    };
    match fs::symlink_metadata(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            return Err(RestoreError::File { path: path.to_owned(), reason });
        }
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                return no(folder, "there is no such folder: make it first");
            }
        }
        Ok(meta) if meta.is_symlink() => {
            return no(path, "it is a symbolic link: name the file that it stands for");
        }
        Ok(meta) if meta.is_dir() => return no(path, "it is a folder: name a file in it"),
        Ok(meta) if !meta.is_file() => {
            return no(path, "it is no regular file, and would be one: name another");
        }
        Ok(meta) => {
            target.exists = true;
            // An empty file is what many programs make before they have a database in it.
            if meta.len() > 0 {
                target.holds.push(format!("a file of {} bytes", meta.len()));
            }
        }
    }
    Ok(target)
}

impl<'a> Scene<'a> {
    /// Carries a load out. After an error the target is untouched where the load is atomic, and where it is not, empty
    /// or marked.
    pub async fn restore(&self, load: Load) -> Result<Restored, RestoreError> {
        // What is copied first is proven by that.
        let copied = matches!(load.stages.first(), Some(Stage::Copy { object: 0, .. }));
        if !load.atomic && !copied {
            (self.tell)("verifying the backup before anything is changed");
            let proven = match load.stages.first() {
                Some(Stage::Rehearsal(errand)) => self.rehearsed(errand).await,
                // It is read there.
                Some(Stage::ReadThrough { .. }) => self.known().await,
                _ => self.verified().await,
            };
            proven.map_err(|error| RestoreError::Before(Box::new(error)))?;
        }
        discard(&load.scraps);
        // What is copied first changes nothing.
        let ready = load.mark.unwrap_or(usize::from(copied));
        let is_transaction = matches!(load.stages.get(ready), Some(Stage::Script(_)));
        let is_gentle = matches!(load.stages.get(ready), Some(Stage::Mark(_)));
        let (mut undo, mut at) = (Vec::new(), 0);
        let done = self.stages(load.stages, &mut undo, &mut at).await;
        if done.is_err() {
            discard(&load.scraps);
            let mut is_left = false;
            for invocation in undo.iter().rev() {
                is_left |= !self.taken_away(invocation).await;
            }
            if is_left {
                return done.map_err(|error| RestoreError::Left(Box::new(error)));
            }
        }
        // What a script has not begun is no news where other stages have, and none at all of one transaction.
        let done = done.map_err(|error| match error {
            RestoreError::Before(error) if load.atomic || at > ready => *error,
            error => error,
        });
        match done {
            // What made the loader stumble may be the backup: then that is the cause.
            Err(error @ (RestoreError::Loader { .. } | RestoreError::Script(_))) if load.atomic => {
                let looked = async { Ok(verify(self.backup, Level::Bytes, self.cx).await) };
                match self.unless_cancelled(looked).await {
                    Ok(Verdict::Corrupt(what)) => Err(RestoreError::Corrupt(what)),
                    _ => Err(error),
                }
            }
            Err(error) if at < ready => Err(RestoreError::Before(Box::new(error))),
            Err(error) if load.mark == Some(at) => {
                // Of what was cut off, nobody knows how far it came.
                let is_whole = !matches!(error, RestoreError::Interrupted);
                Err(if is_transaction || is_gentle && is_whole {
                    RestoreError::Before(Box::new(error))
                } else {
                    RestoreError::Unmarked(Box::new(error))
                })
            }
            done => done,
        }
    }

    async fn stages(
        &self,
        stages: Vec<Stage>,
        undo: &mut Vec<Invocation>,
        at: &mut usize,
    ) -> Result<Restored, RestoreError> {
        let mut restored = Restored::default();
        let mut spool: Option<Spool> = None;
        let mut tree = PathBuf::new();
        for (n, stage) in stages.into_iter().enumerate() {
            *at = n;
            match stage {
                Stage::Run { what, invocation } => {
                    let invocation = placed(invocation, &tree);
                    self.unless_cancelled(self.program(what, &invocation)).await?;
                }
                Stage::Make { what, invocation, undo: takes_away } => {
                    let made = self.unless_cancelled(self.program(what, &invocation)).await;
                    made.map_err(|error| match error {
                        RestoreError::Loader { what, stderr } => {
                            RestoreError::Unmade { what, stderr }
                        }
                        error => error,
                    })?;
                    // Not before: it may have been somebody else's already.
                    undo.push(takes_away);
                }
                Stage::Script(one) => {
                    restored.remarks.extend(script::carry_out(one, self, &tree).await?);
                }
                Stage::Parallel { files, loader, jobs } => {
                    let work = parallel::carry_out(&files, &loader, jobs, self, &tree);
                    restored.remarks.extend(work.await?);
                }
                Stage::Mark(invocation) => {
                    let marked = self.program("the target cannot be marked", &invocation);
                    self.unless_cancelled(marked).await?;
                }
                Stage::Rehearsal(_) => {}
                Stage::ReadThrough { feed, edit } => {
                    let read = script::read_through(feed, edit, self, &tree);
                    self.unless_cancelled(read).await?;
                }
                Stage::Errand(errand) => {
                    restored.remarks.extend(errand::told(&errand, self.moved, self).await?);
                }
                Stage::Copy { object, file } => {
                    (self.tell)("copying the backup to local disk");
                    let needed = self.object(object)?.0.raw_bytes;
                    let made = Spool::make(self.cx.temp_dir, self.cx.run, needed)?;
                    tree = made.tree();
                    let copy = copy::copied(object, file, &tree, self);
                    tree = self.unless_cancelled(copy).await?;
                    spool = Some(made);
                }
                Stage::Write { object, to } => {
                    self.unless_cancelled(written(object, &to, self)).await?;
                }
                Stage::Rename { from, to, stale } => {
                    discard(&stale);
                    renamed(&from, &to)?;
                }
            }
        }
        drop(spool);
        Ok(restored)
    }

    /// What was made for a restore that failed. Has a time limit of its own, also after a signal.
    async fn taken_away(&self, invocation: &Invocation) -> bool {
        let work = self.program("what was made cannot be taken away again", invocation);
        match tokio::time::timeout(UNDO, work).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => (self.tell)(&error.to_string()),
            Err(_) => (self.tell)("what was made could not be taken away in time"),
        }
        false
    }

    /// A program of its own.
    async fn program(&self, what: &str, invocation: &Invocation) -> Result<(), RestoreError> {
        let private = self.cx.state.process_dir()?;
        let failed = |error: ProduceError| {
            let stderr = error.stderr().to_owned();
            let why = self.cx.engine.explain(&stderr).unwrap_or_else(|| error.to_string());
            RestoreError::Loader { what: format!("{what}: {why}"), stderr }
        };
        let mut tool = self.cx.launcher.launch(invocation, &private).await?;
        let mut buffer = vec![0; 64 * 1024];
        while let 1.. = tool.read(&mut buffer).await.map_err(failed)? {}
        tool.finish().await.map(drop).map_err(failed)
    }

    /// An object of the backup, and its name on the remote.
    fn object(&self, number: usize) -> Result<(&'a Object, String), RestoreError> {
        let mut all = self.backup.manifest.objects.iter().zip(self.backup.objects());
        all.nth(number).ok_or_else(|| RestoreError::Corrupt("it lacks an object".to_owned()))
    }

    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, RestoreError>>,
    ) -> Result<T, RestoreError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(RestoreError::Interrupted),
            done = work => done,
        }
    }
}

fn placed(invocation: Invocation, tree: &Path) -> Invocation {
    invocation.in_tree(&tree.to_string_lossy())
}

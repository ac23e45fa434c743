//! A dump of files in the making: made by tools on local disk, then looked at, each of them.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::future::Future;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{Complete, ProduceError, Producer};
use crate::engine::{Check, Incomplete, Passed, Piece, Splitter, Stdout, Step, Tree, TreeCheck};
use crate::error::RunError;
use crate::launch::Launcher;
use crate::spool::{self, SpoolError, TreeFile};
use crate::state::{RunDir, private_dir};
use crate::store::lane::Chunk;
use crate::store::{Progress, beside};
use crate::tally::{Counting, Counts, TreeCounting, TreeTally};

const BUFFER: usize = 256 * 1024;
/// How often it is looked whether something moves.
const LOOK: Duration = Duration::from_secs(1);

/// A tree of files on its way.
pub struct TreeArtifact {
    tree: PathBuf,
    steps: VecDeque<Step>,
    check: Option<Box<dyn TreeCheck>>,
    counting: TreeCounting,
    /// What was counted of the output of a step.
    counts: Counts,
    /// The step at work.
    tool: Option<Box<dyn Producer>>,
    /// What the last step that could vouch for the files had to say.
    passed: Option<Passed>,
    remarks: String,
    min_size: u64,
}

/// A tree that is a whole dump.
#[derive(Debug)]
pub struct WholeTree {
    /// What vouches for it.
    pub proof: Complete,
    /// Its files, in the order of their paths.
    pub files: Vec<TreeFile>,
    /// The sha256 of each, in hex, in the same order, if it was asked for.
    pub sums: Vec<String>,
    /// What is in it.
    pub counts: Counts,
}

impl TreeArtifact {
    /// The dump that `plan` makes in the empty directory `tree`, and that needs at least `min_size` bytes.
    pub fn new(plan: Tree, tree: PathBuf, min_size: u64) -> Self {
        Self {
            tree,
            steps: plan.steps.into(),
            check: plan.check,
            counting: plan.counting,
            counts: Counts::Untold,
            tool: None,
            passed: None,
            remarks: String::new(),
            min_size,
        }
    }

    /// Runs every step to its good end.
    pub async fn make(
        &mut self,
        launcher: &dyn Launcher,
        run_dir: &RunDir,
        progress: &Progress,
    ) -> Result<(), RunError> {
        let tree = self.tree.clone();
        let work = async {
            while let Some(step) = self.steps.pop_front() {
                self.step(step, launcher, run_dir).await?;
            }
            Ok(())
        };
        while_it_moves(work, || spool::size(&tree), progress).await
    }

    async fn step(
        &mut self,
        step: Step,
        launcher: &dyn Launcher,
        run_dir: &RunDir,
    ) -> Result<(), RunError> {
        let invocation = step.invocation.in_tree(&self.tree.to_string_lossy());
        let tool = self.tool.insert(launcher.launch(&invocation, run_dir).await?);
        let mut stdout = Outlet::new(step.stdout, &self.tree);
        let counting = match std::mem::take(&mut self.counting) {
            TreeCounting::Output(tally) if matches!(stdout, Outlet::Files { .. }) => {
                Counting::By(tally)
            }
            other => {
                self.counting = other;
                Counting::Off
            }
        };
        let (mut lane, counter) = beside(counting);
        loop {
            let mut chunk = lane.spare().await.unwrap_or_else(|| Chunk::new(BUFFER));
            chunk.filled = tool.read(&mut chunk.buffer).await?;
            if chunk.filled == 0 {
                break;
            }
            let chunk = lane.share(chunk);
            stdout.take(chunk.bytes())?;
            lane.take_back(chunk);
        }
        drop(lane);
        if let counts @ (Counts::Of(_) | Counts::Without { .. }) = counter.counts().await {
            self.counts = counts;
        }
        let remarks = tool.finish().await?;
        self.tool = None;
        let passed = stdout.finish()?;
        self.passed = match passed {
            None => self.passed.take(),
            Some(passed) => Some(passed.map_err(|Incomplete(what)| ProduceError::Incomplete {
                what,
                stderr: remarks.clone(),
            })?),
        };
        self.remarks += &remarks;
        Ok(())
    }

    /// Looks at every file: whether they are a whole dump. With `sums`, each is read and hashed; otherwise only what the
    /// check is interested in. Call it once, after [`TreeArtifact::make`].
    pub async fn finish(&mut self, sums: bool, progress: &Progress) -> Result<WholeTree, RunError> {
        let (tree, check) = (self.tree.clone(), self.check.take());
        let tally = match std::mem::take(&mut self.counting) {
            TreeCounting::Files(tally) => Some(tally),
            TreeCounting::Not(why) => {
                self.counts = Counts::without(why);
                None
            }
            TreeCounting::Off | TreeCounting::Output(_) => None,
        };
        let read = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&read);
        let look = tokio::task::spawn_blocking(move || look(&tree, check, tally, sums, &counter));
        let work = async { look.await.map_err(|e| unreadable(io::Error::other(e)))? };
        let looked = while_it_moves(work, || read.load(Ordering::Relaxed), progress).await?;
        let raw_bytes = looked.files.iter().map(|file| file.bytes).sum();
        let remarks = std::mem::take(&mut self.remarks);
        let incomplete = |what| ProduceError::Incomplete { what, stderr: remarks.clone() };
        if raw_bytes == 0 {
            // The check may know why.
            let what = match looked.verdict {
                Some(Err(Incomplete(what))) => format!("it is empty: {what}"),
                _ => "it is empty".to_owned(),
            };
            return Err(incomplete(what).into());
        }
        let passed = match looked.verdict {
            Some(verdict) => Some(verdict.map_err(|Incomplete(what)| incomplete(what))?),
            None => self.passed.take(),
        };
        let Some(passed) = passed.filter(|_| self.steps.is_empty() && self.tool.is_none()) else {
            return Err(incomplete("it was not made to the end".to_owned()).into());
        };
        if raw_bytes < self.min_size {
            let least = self.min_size;
            let what = format!("it has {raw_bytes} bytes, fewer than BACKUP_MIN_SIZE ({least})");
            return Err(incomplete(what).into());
        }
        let proof = Complete { raw_bytes, passed, remarks };
        let counts = looked.counts.unwrap_or_else(|| std::mem::take(&mut self.counts));
        Ok(WholeTree { proof, files: looked.files, sums: looked.sums, counts })
    }

    /// Ends the step at work; what it had to say. Idempotent.
    pub async fn stop(&mut self, grace: Duration) -> String {
        match &mut self.tool {
            Some(tool) => tool.stop(grace).await,
            None => String::new(),
        }
    }
}

/// Does work that shows in `measure`, which is looked at now and then.
async fn while_it_moves<T>(
    work: impl Future<Output = Result<T, RunError>>,
    measure: impl Fn() -> u64,
    progress: &Progress,
) -> Result<T, RunError> {
    let look = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = measure();
            if now != before {
                progress.moved();
                before = now;
            }
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        never = look => never,
    }
}

/// Where a step's stdout goes.
enum Outlet {
    Nowhere,
    Check(Box<dyn Check>),
    Files { splitter: Box<dyn Splitter>, files: Files },
}

impl Outlet {
    fn new(stdout: Stdout, tree: &Path) -> Self {
        match stdout {
            Stdout::Ignored => Self::Nowhere,
            Stdout::Checked(check) => Self::Check(check),
            Stdout::Split(splitter) => Self::Files { splitter, files: Files::new(tree) },
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        match self {
            Self::Nowhere => {}
            Self::Check(check) => check.feed(bytes),
            Self::Files { splitter, files } => {
                splitter.feed(bytes, &mut |piece| files.put(piece));
                files.told()?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<Result<Passed, Incomplete>>, RunError> {
        Ok(match self {
            Self::Nowhere => None,
            Self::Check(check) => Some(check.finish()),
            Self::Files { splitter, mut files } => {
                let passed = splitter.finish(&mut |piece| files.put(piece));
                files.close();
                files.told()?;
                Some(passed)
            }
        })
    }
}

/// The files that a splitter writes; the first error ends them.
struct Files {
    tree: PathBuf,
    names: BTreeSet<String>,
    open: Option<BufWriter<File>>,
    error: Option<SpoolError>,
}

impl Files {
    fn new(tree: &Path) -> Self {
        Self { tree: tree.to_owned(), names: BTreeSet::new(), open: None, error: None }
    }

    fn put(&mut self, piece: Piece<'_>) {
        if self.error.is_some() {
            return;
        }
        let done = match piece {
            Piece::File(name) => {
                self.close();
                self.begin(name)
            }
            Piece::Bytes(bytes) => match &mut self.open {
                Some(file) => file.write_all(bytes).map_err(|e| self.fail(e)),
                None => Err(self.fail(io::ErrorKind::NotFound.into())),
            },
        };
        if let Err(error) = done {
            self.error.get_or_insert(error);
        }
    }

    fn begin(&mut self, name: &str) -> Result<(), SpoolError> {
        let safe = |part| !matches!(part, "" | "." | "..");
        if !name.split('/').all(safe) {
            return Err(SpoolError::Odd(self.tree.join(name)));
        }
        if !self.names.insert(name.to_owned()) {
            return Err(SpoolError::Twice(name.to_owned()));
        }
        let path = self.tree.join(name);
        private_dir(path.parent().unwrap_or(&self.tree)).map_err(|e| self.fail(e))?;
        let file = File::options().write(true).create_new(true).open(&path);
        self.open = Some(BufWriter::with_capacity(BUFFER, file.map_err(|e| self.fail(e))?));
        Ok(())
    }

    fn close(&mut self) {
        if let Some(Err(error)) = self.open.take().map(|mut file| file.flush()) {
            let error = self.fail(error);
            self.error.get_or_insert(error);
        }
    }

    fn told(&mut self) -> Result<(), RunError> {
        self.error.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn fail(&self, reason: io::Error) -> SpoolError {
        SpoolError::of(&self.tree, reason)
    }
}

/// What a look at a tree has found.
struct Looked {
    files: Vec<TreeFile>,
    sums: Vec<String>,
    verdict: Option<Result<Passed, Incomplete>>,
    counts: Option<Counts>,
}

/// Reads what has to be read, once. `read` is how many bytes that were so far.
fn look(
    tree: &Path,
    mut check: Option<Box<dyn TreeCheck>>,
    mut tally: Option<Box<dyn TreeTally>>,
    wants_sums: bool,
    read: &AtomicU64,
) -> Result<Looked, RunError> {
    let files = spool::files(tree)?;
    let (mut sums, mut buffer) = (Vec::new(), vec![0; BUFFER]);
    for file in &files {
        let of_interest = check.as_mut().is_some_and(|c| c.begin(&file.path, file.bytes));
        let is_counted = tally.as_mut().is_some_and(|tally| tally.begin(&file.path));
        if !of_interest && !is_counted && !wants_sums {
            continue;
        }
        let mut open = File::open(tree.join(&file.path)).map_err(unreadable)?;
        let mut sum = wants_sums.then(Sha256::new);
        loop {
            let n = open.read(&mut buffer).map_err(unreadable)?;
            if n == 0 {
                break;
            }
            if let Some(sum) = &mut sum {
                sum.update(&buffer[..n]);
            }
            if let Some(check) = check.as_mut().filter(|_| of_interest) {
                check.feed(&buffer[..n]);
            }
            if let Some(tally) = tally.as_mut().filter(|_| is_counted) {
                tally.feed(&buffer[..n]);
            }
            read.fetch_add(n as u64, Ordering::Relaxed);
        }
        sums.extend(sum.map(|sum| base16ct::lower::encode_string(&sum.finalize())));
    }
    let counts = tally.map(TreeTally::finish);
    Ok(Looked { files, sums, verdict: check.map(TreeCheck::finish), counts })
}

fn unreadable(source: io::Error) -> RunError {
    ProduceError::Read { program: "the temporary directory".to_owned(), source }.into()
}

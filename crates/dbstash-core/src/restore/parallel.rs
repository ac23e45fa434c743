//! Files of a copy into several programs at once.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;

use super::loader::Loader;
use super::{RestoreError, Scene, placed};
use crate::artifact::Producer as _;
use crate::invocation::Invocation;
use crate::load::Choice;
use crate::spool::{TreeFile, files, of_file};

const BUFFER: usize = 256 * 1024;

/// Carries it out; what the programs had to remark. The biggest files go first, each to the next program that is idle.
pub(super) async fn carry_out(
    choice: &Choice,
    loader: &Invocation,
    jobs: u32,
    scene: &Scene<'_>,
    tree: &Path,
) -> Result<Vec<String>, RestoreError> {
    let mut all = files(tree)?;
    all.retain(|file| choice(&file.path));
    all.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    let private = scene.cx.state.process_dir()?;
    let mut loaders = Vec::new();
    for _ in 0..all.len().min(jobs.max(1) as usize) {
        let mut one = Loader::start(&placed(loader.clone(), tree), &private, None, scene.cx)?;
        one.ignore_output();
        loaders.push(one);
    }
    let queue = Mutex::new(VecDeque::from(all));
    let work = try_join_all(loaders.iter_mut().map(|one| fed(one, &queue, tree)));
    match scene.unless_cancelled(work).await {
        Ok(remarks) => Ok(remarks.concat()),
        Err(error) => {
            // None of the others takes what it has for all.
            for one in loaders {
                one.kill().await;
            }
            Err(error)
        }
    }
}

/// Feeds one of them until there are no more files.
async fn fed(
    loader: &mut Loader,
    queue: &Mutex<VecDeque<TreeFile>>,
    tree: &Path,
) -> Result<Vec<String>, RestoreError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(file) = next else { return loader.end().await };
        let mut bytes = of_file(tree.join(file.path));
        while let n @ 1.. = bytes.read(&mut buffer).await? {
            loader.write(&buffer[..n]).await?;
        }
    }
}

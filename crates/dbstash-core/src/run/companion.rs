//! What is stored beside a dump, as far as it can be had.

use super::Run;
use super::draft::Draft;
use crate::ahead::Ahead;
use crate::artifact::Artifact;
use crate::engine::{Companion, Stream};
use crate::error::RunError;
use crate::remote::NewObject;
use crate::state::RunDir;
use crate::store::{Failure, Guard, Progress, store};

/// How much of a companion is held before it is stored.
const AHEAD: usize = 256 * 1024;

impl Run<'_> {
    /// Stores a companion of the dump, in the best way that works.
    pub(super) async fn accompany(
        &self,
        companion: Companion,
        draft: &mut Draft,
        guard: &Guard<'_>,
        run_dir: &RunDir,
    ) -> Result<(), Failure> {
        let Some(name) = self.companion_name(&draft.base, &companion) else { return Ok(()) };
        let (what, required) = (companion.what, companion.required);
        let mut refused = None;
        for way in companion.ways {
            match self.store_beside(way, &name, draft, guard, run_dir).await {
                Ok(()) => return Ok(()),
                Err(Failure { cause: cause @ RunError::Dump(_), left: None }) => {
                    refused = Some(cause);
                }
                Err(failure) => return Err(failure),
            }
        }
        match refused {
            Some(cause) if required => Err(cause.into()),
            Some(cause) => {
                let why =
                    self.cx.engine.explain(cause.stderr()).unwrap_or_else(|| cause.to_string());
                self.warn(format!("stored without {what}: {why}"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn store_beside(
        &self,
        way: Stream,
        name: &str,
        draft: &mut Draft,
        guard: &Guard<'_>,
        run_dir: &RunDir,
    ) -> Result<(), Failure> {
        let temporary = self.temporary(name);
        let new = NewObject { name, temporary: &temporary, expected: None, owned: false };
        let opening = async {
            let dump = self.cx.launcher.launch(&way.invocation, run_dir).await?;
            // It is small, and a first way often fails: an upload that need not begin need not be undone.
            let dump = Ahead::read(dump, AHEAD).await?;
            Ok((dump, self.cx.remote.begin(&new).await?))
        };
        let (dump, mut upload) = guard.watch(&Progress::default(), opening).await?;
        let mut artifact = Artifact::new(Box::new(dump), way.check, 1);
        let stored = store(&mut artifact, self.job.compression, upload.as_mut(), guard).await?;
        draft.uploads.push(upload);
        draft.add(name, way.format, stored);
        Ok(())
    }
}

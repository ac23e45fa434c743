//! What is stored beside a dump, as far as it can be had.

use super::draft::Draft;
use super::{Run, Work};
use crate::ahead::Ahead;
use crate::artifact::Artifact;
use crate::engine::{Companion, Stream};
use crate::error::RunError;
use crate::store::{Failure, Progress, store};

/// How much of a companion is held before it is stored.
const AHEAD: usize = 256 * 1024;

impl Run<'_> {
    /// Stores a companion of the dump, in the best way that works.
    pub(super) async fn accompany(
        &self,
        companion: Companion,
        draft: &mut Draft,
        work: Work<'_>,
    ) -> Result<(), Failure> {
        let Some(way) = companion.ways.first() else { return Ok(()) };
        let name = draft.beside(&self.job.extension(&way.format));
        let (what, required) = (companion.what, companion.required);
        let mut refused = None;
        for way in companion.ways {
            match self.store_beside(way, &name, draft, work).await {
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
        work: Work<'_>,
    ) -> Result<(), Failure> {
        let opening = async {
            let dump = self.launch(&way, work.run_dir).await?;
            // It is small, and a first way often fails: an upload that need not begin need not be undone.
            let dump = Ahead::read(dump, AHEAD).await?;
            Ok((dump, self.upload(name, None).await?))
        };
        let (dump, mut upload) = work.guard.watch(&Progress::default(), opening).await?;
        let mut artifact = Artifact::new(Box::new(dump), way.check, 1);
        let stored =
            store(&mut artifact, self.job.compression, upload.as_mut(), work.guard).await?;
        draft.uploads.push(upload);
        draft.add(name, way.format, stored);
        Ok(())
    }
}

//! What is not atomic is read once before it changes anything.

use super::{RestoreError, Scene, errand};
use crate::errand::Errand;
use crate::verify::{Level, Verdict, told, verify};

impl Scene<'_> {
    /// A read of its own.
    pub(super) async fn verified(&self) -> Result<(), RestoreError> {
        let looked = async { Ok(verify(self.backup, Level::Bytes, self.cx).await) };
        match self.unless_cancelled(looked).await? {
            Verdict::Good { .. } | Verdict::Restored(_) => Ok(()),
            Verdict::Corrupt(what) => Err(RestoreError::Corrupt(what)),
            Verdict::Untested(why) => Err(RestoreError::Untested(why)),
            Verdict::Gone => Err(RestoreError::Gone),
        }
    }

    /// Whether it is still the backup that the remote has the manifest of.
    pub(super) async fn known(&self) -> Result<(), RestoreError> {
        let known = async { Ok(told(self.backup, self.cx).await.map(drop)?) };
        self.unless_cancelled(known).await
    }

    /// A read of its own, and whoever gets it says what would be refused.
    pub(super) async fn rehearsed(&self, errand: &Errand) -> Result<(), RestoreError> {
        self.known().await?;
        match errand::told(errand, &|_| {}, self).await {
            // What cannot be followed may have changed: then that is the cause.
            Err(error @ RestoreError::Server { .. }) => {
                self.verified().await?;
                Err(error)
            }
            done => done.map(drop),
        }
    }
}

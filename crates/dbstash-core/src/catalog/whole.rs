//! A manifest with all that it says: a catalog leaves out what is too much for a list.

use crate::manifest::{self, Manifest};
use crate::remote::{ReadError, Remote, RemoteError};
use crate::verify::small;

/// Reads a manifest from the remote; `None` where there is none.
pub async fn whole(remote: &dyn Remote, name: &str) -> Result<Option<Manifest>, RemoteError> {
    let told = |why: String| RemoteError::new(format!("{name}: {why}"));
    let text = match small(remote, name, manifest::MAX_BYTES).await {
        Ok(text) => text,
        Err(ReadError::Missing) => return Ok(None),
        Err(ReadError::Remote(error)) => return Err(error),
        Err(error @ ReadError::Damaged(_)) => return Err(told(error.to_string())),
    };
    Manifest::read(name, &text).map(Some).map_err(|error| told(error.to_string()))
}

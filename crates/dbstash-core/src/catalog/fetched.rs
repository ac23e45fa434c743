//! Small objects of a remote on local disk, for as long as somebody reads them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::manifest;
use crate::remote::{Remote, RemoteError};
use crate::state::{self, live};

/// Small objects as files, removed with the value, and those of a killed process with the next one's.
pub(crate) struct Fetched {
    dir: PathBuf,
    _alive: File,
}

impl Fetched {
    pub(crate) async fn get(
        remote: &dyn Remote,
        folder: &Path,
        names: &[&str],
    ) -> Result<Self, RemoteError> {
        let unborn = |e: io::Error| {
            RemoteError::new(format!("the cache {} cannot be made: {e}", folder.display()))
        };
        state::private_dir(folder).map_err(unborn)?;
        for (dead, _locked) in live::dead(folder, |_| true) {
            let _ = fs::remove_dir_all(dead);
        }
        let name = uuid::Uuid::new_v4().simple().to_string();
        let alive = live::born(folder, &name).map_err(unborn)?;
        let fetched = Self { dir: folder.join(name), _alive: alive };
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let into = fetched.dir.join("fetched");
        state::private_dir(&into).map_err(unborn)?;
        remote.fetch(&names, &into).await?;
        Ok(fetched)
    }

    /// What was fetched; a little more than the most a manifest may have is enough to refuse it.
    pub(crate) fn body(&self, name: &str) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        let file = File::open(self.dir.join("fetched").join(name)).ok()?;
        file.take(manifest::MAX_BYTES + 1).read_to_end(&mut body).ok()?;
        Some(body)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

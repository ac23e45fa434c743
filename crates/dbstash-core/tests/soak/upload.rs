//! An upload to the folder: `cat` writes it, and a rename publishes it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use dbstash_core::artifact::Complete;
use dbstash_core::manifest;
use dbstash_core::process::{self, Running, Spawn};
use dbstash_core::remote::{NewObject, RemoteError, Upload};
use tokio::io::AsyncWriteExt as _;

use crate::engine::MARK;
use crate::folder::Folder;

/// An object on its way into the folder.
pub(crate) struct Cat {
    folder: Folder,
    name: String,
    temporary: String,
    running: Running,
    written: u64,
    published: bool,
    clean: bool,
}

impl Cat {
    pub(crate) fn begin(folder: Folder, object: &NewObject<'_>) -> Result<Self, RemoteError> {
        let (name, temporary) = (object.name.to_owned(), object.temporary.to_owned());
        let path: PathBuf = folder.path(&temporary);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.map_err(|e| RemoteError::new(e.to_string()))?;
        let script = r#"exec cat >"$1""#;
        let args = ["-c", script, "sh", &path.to_string_lossy()].map(str::to_owned).to_vec();
        let env = vec![("PATH".into(), crate::PATH.into()), (MARK.into(), folder.mark().into())];
        let spec = Spawn { program: "sh".to_owned(), args, env, feed: true, confined: None };
        let mut running = process::spawn(&spec).map_err(|e| RemoteError::new(e.to_string()))?;
        running.stdout = None;
        let (written, published, clean) = (0, false, false);
        Ok(Self { folder, name, temporary, running, written, published, clean })
    }
}

#[async_trait]
impl Upload for Cat {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        self.folder.may_fail("write", 300)?;
        let Some(stdin) = &mut self.running.stdin else {
            return Err(RemoteError::new("nothing can be written any more"));
        };
        if stdin.write_all(bytes).await.is_err() {
            return Err(self.died().await);
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    async fn died(&mut self) -> RemoteError {
        match self.running.wait().await {
            Ok(exit) => RemoteError::new(format!("sh {exit}: {}", self.running.last_words().await)),
            Err(error) => RemoteError::new(error.to_string()),
        }
    }

    async fn commit(&mut self, _proof: &Complete) -> Result<(), RemoteError> {
        self.folder.may_fail("commit", 60)?;
        if let Some(mut stdin) = self.running.stdin.take()
            && stdin.flush().await.is_err()
        {
            return Err(self.died().await);
        }
        let exit = self.running.wait().await.map_err(|e| RemoteError::new(e.to_string()))?;
        if !exit.success() {
            return Err(self.died().await);
        }
        let from = self.folder.path(&self.temporary);
        let there = fs::metadata(&from).map_err(|e| RemoteError::new(e.to_string()))?.len();
        if there != self.written {
            return Err(RemoteError::new(format!("{there} bytes instead of {}", self.written)));
        }
        self.published = true;
        self.folder.publish(&from, &self.name)?;
        self.folder.may_fail("commit, done", 60)
    }

    async fn abort(&mut self, grace: Duration) -> Result<(), RemoteError> {
        if self.clean {
            return Ok(());
        }
        self.running.stop(grace).await;
        self.running.stdin = None;
        let mut names = vec![self.temporary.clone()];
        // What has a manifest is somebody's.
        if self.published && !self.folder.path(&manifest::name_for(&self.name)).exists() {
            names.push(self.name.clone());
        }
        self.folder.remove("abort", &names)?;
        self.clean = true;
        Ok(())
    }
}

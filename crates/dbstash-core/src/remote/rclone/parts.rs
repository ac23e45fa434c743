//! Parts of objects that never came to be: S3 keeps them, unseen and paid for, until somebody gives them up.
//!
//! rclone does that itself when it is ended, but not when it is killed, nor when it is ended while the server answers
//! its wish to begin.

use std::collections::HashMap;

use serde::Deserialize;

use super::Rclone;
use super::command::call;
use super::upload::CLEANUP;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pending {
    key: String,
}

impl Rclone {
    /// Gives up the parts of an object that is no longer being written. A best effort: a server may not tell, or not
    /// let us.
    pub(super) async fn give_up_parts(&self, name: &str) {
        let Some(path) = self.at_bottom(name).await else { return };
        let list = ["backend", "list-multipart-uploads", path.as_str()];
        let Ok(answer) = call(&self.settings, &list, b"", CLEANUP).await else { return };
        let buckets =
            serde_json::from_slice::<HashMap<String, Option<Vec<Pending>>>>(&answer.stdout);
        let keys: Vec<_> =
            buckets.into_iter().flatten().filter_map(|(_, keys)| keys).flatten().collect();
        // What is told, and given up, is whatever begins with the name: none of somebody else's may be among it.
        if !keys.is_empty() && keys.iter().all(|pending| path.ends_with(&pending.key)) {
            let clean = ["backend", "cleanup", path.as_str(), "--option", "max-age=0"];
            let _ = call(&self.settings, &clean, b"", CLEANUP).await;
        }
    }

    /// The path of an object on the S3 below a remote.
    async fn at_bottom(&self, name: &str) -> Option<String> {
        let storage = self.probed.get()?.storage.as_ref().filter(|storage| storage.kind == "s3")?;
        let mut path = self.path(name);
        for wrapper in &storage.wrappers {
            let inside = path.strip_prefix(&wrapper.name)?;
            let inner = if wrapper.kind == "crypt" {
                let encode = ["backend", "encode", &wrapper.name, inside];
                let answer = call(&self.settings, &encode, b"", CLEANUP).await.ok()?;
                String::from_utf8(answer.stdout).ok()?.trim_end().to_owned()
            } else {
                inside.to_owned()
            };
            path = if wrapper.of.ends_with([':', '/']) {
                format!("{}{inner}", wrapper.of)
            } else {
                format!("{}/{inner}", wrapper.of)
            };
        }
        Some(path)
    }
}

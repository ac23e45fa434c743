//! Parts of objects that never came to be: S3 keeps them, unseen and paid for, until somebody gives them up.
//!
//! rclone does that itself when it is ended, but not when it is killed, nor when it is ended while the server answers
//! its wish to begin.

use std::collections::HashMap;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::Deserialize;

use super::command::call;
use super::features::without_path;
use super::upload::CLEANUP;
use super::{LONG, Rclone};
use crate::remote::RemoteError;

/// Nothing of ours began before: there was no dbstash.
const FIRST_YEAR: i32 = 2026;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pending {
    key: String,
    #[serde(default)]
    initiated: Option<DateTime<Utc>>,
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

    /// The same for every object of a folder.
    pub(super) async fn give_up_parts_in(&self, folder: &str) {
        // Of a wrapper, only the name of a file tells the name of its folder for sure.
        let Some(path) = self.at_bottom(&format!("{folder}x")).await else { return };
        let Some((path, _)) = path.rsplit_once('/') else { return };
        let Some((bucket, folder)) = in_bucket(path) else { return };
        let list = ["backend", "list-multipart-uploads", path];
        let Ok(answer) = call(&self.settings, &list, b"", CLEANUP).await else { return };
        let buckets =
            serde_json::from_slice::<HashMap<String, Option<Vec<Pending>>>>(&answer.stdout);
        let keys = buckets.into_iter().flatten().filter_map(|(_, keys)| keys).flatten();
        // A folder beside it may have a longer name that begins like this one's.
        for Pending { key, .. } in keys.filter(|p| p.key.starts_with(&format!("{folder}/"))) {
            let path = format!("{bucket}/{key}");
            let clean = ["backend", "cleanup", &path, "--option", "max-age=0"];
            let _ = call(&self.settings, &clean, b"", CLEANUP).await;
        }
    }

    /// The paths of objects below this remote whose upload began longer than that ago and has not ended.
    pub(super) async fn unfinished_parts(
        &self,
        older: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, RemoteError> {
        // Of a wrapper, only the name of a file tells the name of its folder for sure.
        let Some(path) = self.at_bottom("x").await else { return Ok(Vec::new()) };
        let (path, _) = path.rsplit_once('/').unwrap_or_default();
        let Some((bucket, folder)) = in_bucket(path) else {
            return Err(RemoteError::new(
                "RCLONE_REMOTE is a whole bucket, and those of others would be among them",
            ));
        };
        let list = ["backend", "list-multipart-uploads", path];
        let answer = super::succeeded(
            call(&self.settings, &list, b"", LONG).await?,
            "list unfinished uploads",
        )?;
        let buckets: HashMap<String, Option<Vec<Pending>>> =
            super::parse(&answer.stdout, "backend list-multipart-uploads")?;
        // A folder beside it may have a longer name that begins like this one's.
        let inside = format!("{folder}/");
        let old = |pending: &Pending| {
            let age = pending.initiated.map(|began| now - began);
            // Some servers say the same day of 2010 of each, even of one that began just now.
            let known = pending.initiated.is_some_and(|began| began.year() >= FIRST_YEAR);
            known && age > Some(older) && pending.key.starts_with(&inside)
        };
        let keys = buckets.into_values().flatten().flatten().filter(old);
        let mut paths: Vec<_> = keys.map(|pending| format!("{bucket}/{}", pending.key)).collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }

    /// Gives them up. What else is given up with one, as its name begins like that, is as old and below this remote.
    pub(super) async fn give_up_old_parts(
        &self,
        paths: &[String],
        older: TimeDelta,
    ) -> Result<(), RemoteError> {
        let age = format!("max-age={}s", older.num_seconds());
        for path in paths {
            let clean = ["backend", "cleanup", path, "--option", &age];
            let answer = call(&self.settings, &clean, b"", LONG).await?;
            super::succeeded(answer, &format!("give up the parts of {path}"))?;
        }
        Ok(())
    }

    /// The path of an object on the S3 below a remote.
    async fn at_bottom(&self, name: &str) -> Option<String> {
        let storage = self.storage().await.ok()?.as_ref().filter(|storage| storage.kind == "s3")?;
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

/// `s3:bucket` and the key, of `s3:bucket/key`.
fn in_bucket(path: &str) -> Option<(&str, &str)> {
    let spec = without_path(path).len();
    let slash = spec + path.get(spec..)?.find('/')?;
    Some((&path[..slash], &path[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::in_bucket;

    #[test]
    fn a_bucket_and_a_key() {
        assert_eq!(in_bucket("s3:b/x/y"), Some(("s3:b", "x/y")));
        let inline = ":s3,endpoint='http://h:9000/':b";
        assert_eq!(in_bucket(&format!("{inline}/x")), Some((inline, "x")));
        assert_eq!(in_bucket("s3:b"), None);
    }
}

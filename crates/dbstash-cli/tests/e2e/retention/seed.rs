//! Backups that are laid on a remote as earlier runs would have left them.

use std::fs;

use chrono::{DateTime, Utc};
use dbstash_core::engine::Passed;
use dbstash_core::job::EngineKey;
use dbstash_core::manifest::{FORMAT, Manifest, Object, name_for};
use dbstash_testkit::{Scratch, TestRemote};

/// Files on their way to a remote.
pub struct Seed(Scratch);

/// The job and the database of all of them.
pub const JOB: &str = "job";
pub const DATABASE: &str = "shop";

impl Seed {
    pub fn new() -> Self {
        Self(Scratch::new("seed"))
    }

    /// A backup of five bytes; of a folder with three files where its name ends with a `/`.
    pub fn backup(&self, object: &str, started: DateTime<Utc>) {
        self.by("box", object, started);
    }

    /// The same, made by another machine.
    pub fn by(&self, host: &str, object: &str, started: DateTime<Utc>) {
        let folder = object.ends_with('/');
        if folder {
            for file in ["a", "b c", "d/[e]"] {
                self.file(&format!("{object}{file}"), b"bytes");
            }
        } else {
            self.file(object, b"bytes");
        }
        let bytes = if folder { 15 } else { 5 };
        let manifest = Manifest {
            format: FORMAT,
            id: format!("{}-{object}", started.format("%Y%m%dT%H%M%SZ")),
            job: JOB.parse().unwrap(),
            engine: EngineKey::Sqlite,
            database: DATABASE.into(),
            mode: if folder { "directory" } else { "stream" }.into(),
            objects: vec![Object {
                name: object.trim_end_matches('/').rsplit('/').next().unwrap().into(),
                files: folder.then_some(3),
                names: None,
                format: "sql".into(),
                bytes,
                // None is suspiciously small beside the others.
                raw_bytes: 5,
                sha256: "00".into(),
                encodings: Vec::new(),
                passed: Passed::by("footer"),
                counts: dbstash_core::tally::Counts::Untold,
            }],
            started,
            ended: started,
            host: host.into(),
            dbstash: "0.1.0".into(),
        };
        self.file(&name_for(object), &manifest.write());
    }

    /// Any file.
    pub fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Lays all of it there.
    pub fn onto(&self, remote: &TestRemote) {
        let from = self.0.path().to_str().unwrap();
        let args = ["copy", "--transfers=16", "--s3-no-check-bucket", from, remote.root()];
        let done = remote.rclone(&args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

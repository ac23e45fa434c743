//! What is there, looked at and tidied up: `list`, `show`, `rm`, `gc`.

mod collected;
mod listed;
mod many;
mod removed;
mod shown;

use chrono::{DateTime, Utc};
use dbstash_core::engine::Passed;
use dbstash_core::job::EngineKey;
use dbstash_core::manifest::{FORMAT, Manifest, Object, name_for};
use dbstash_testkit::{Dbstash, Finished};
use serde_json::Value;

use crate::retention::seed::Seed;
use crate::scene::PATIENCE;

/// A backup of five bytes.
pub struct Laid<'a> {
    pub job: &'a str,
    pub database: &'a str,
    pub engine: EngineKey,
    pub object: &'a str,
    pub started: DateTime<Utc>,
}

impl Laid<'_> {
    pub fn onto(&self, seed: &Seed) {
        let passed =
            Passed { server_version: Some("16.3 (Debian)".into()), ..Passed::by("footer") };
        let manifest = Manifest {
            format: FORMAT,
            id: format!("{}-{}", self.started.format("%Y%m%dT%H%M%SZ"), self.object),
            job: self.job.parse().unwrap(),
            engine: self.engine,
            database: self.database.into(),
            mode: "stream".into(),
            objects: vec![Object {
                name: self.object.rsplit('/').next().unwrap().into(),
                files: None,
                names: None,
                format: "plain".into(),
                bytes: 5,
                raw_bytes: 2048,
                sha256: "00".into(),
                encodings: vec!["zstd".into()],
                passed,
                counts: dbstash_core::tally::Counts::Untold,
            }],
            started: self.started,
            ended: self.started,
            host: "box".into(),
            dbstash: "0.1.0".into(),
        };
        seed.file(self.object, b"bytes");
        seed.file(&name_for(self.object), &manifest.write());
    }
}

/// The program with these words, which ends with this code and leaves nothing.
pub fn with(run: &Dbstash, args: &[&str], code: i32) -> Finished {
    let done = run.clone().args(args).run(PATIENCE);
    done.expect_code(code).expect_no_leftovers();
    done
}

/// What it says as JSON.
pub fn json(run: &Dbstash, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    serde_json::from_str(&with(run, &args, 0).stdout).unwrap()
}

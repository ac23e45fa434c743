//! Verification that happens by itself: after a backup, and by a schedule of its own.

mod after;
mod beside;
mod scheduled;

use std::ffi::OsString;
use std::path::PathBuf;

use dbstash_testkit::{Dbstash, Finished, RemoteKind, Scratch, TestRemote, tools};

use crate::scene::{File, dbstash, shop_file};

/// The names of what was noted, in order.
fn marks(remote: &TestRemote) -> Vec<String> {
    let names = remote.names().into_iter();
    names.filter(|name| name.ends_with(".verified.json")).collect()
}

/// The same of marks with this word.
fn marked(remote: &TestRemote, word: &str) -> usize {
    marks(remote).iter().filter(|name| name.contains(&format!(".{word}."))).count()
}

/// Flips a bit in the middle of an object; what it was before.
fn spoil(remote: &TestRemote, name: &str) -> Vec<u8> {
    let good = remote.read(name);
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 4;
    remote.write(name, &bad);
    good
}

/// The objects that are no manifests and no marks.
fn dumps(remote: &TestRemote) -> Vec<String> {
    remote.names().into_iter().filter(|name| !name.ends_with(".json")).collect()
}

fn logged(done: &Finished, level: &str, text: &str) -> bool {
    let says = |event: &serde_json::Value| {
        event["level"] == level && event["message"].as_str().is_some_and(|said| said.contains(text))
    };
    done.events.iter().any(says)
}

/// The real rclone, but for what a script does before an object that is no manifest is read back.
struct Between {
    scratch: Scratch,
}

impl Between {
    fn new(script: &str) -> Self {
        let scratch = Scratch::new("between");
        let real = tools::find("rclone").unwrap();
        let dir = scratch.path().display();
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = cat ]; then case \"$*\" in *.dbstash.json*) ;; *)\ncd {dir}\n{script}\n;; esac; \
             fi\nexec {} \"$@\"\n",
            real.display()
        );
        tools::write_program(&scratch.dir("bin").join("rclone"), &text);
        Self { scratch }
    }

    fn path(&self) -> OsString {
        let inherited = tools::path();
        let rest = std::env::split_paths(&inherited);
        std::env::join_paths(std::iter::once(self.scratch.path().join("bin")).chain(rest)).unwrap()
    }

    /// A file in the folder in which the script is run.
    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// A shop, and a run of its job on a local folder.
fn shop() -> Option<(File, TestRemote, Dbstash)> {
    shop_on(RemoteKind::Local)
}

fn shop_on(kind: RemoteKind) -> Option<(File, TestRemote, Dbstash)> {
    let (file, remote) = (shop_file(50)?, TestRemote::start(kind)?);
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("DBSTASH_JOB", "orders")
        .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}");
    Some((file, remote, run))
}

//! Commands of the user's around a backup: what they are told, what they can do to it, and what they cannot.

mod ended;
mod failing;
mod told;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use dbstash_testkit::{Dbstash, FakeTools, Finished, Scratch, TestRemote};
use serde_json::Value;

use crate::scene::dbstash;

const WHOLE: &str = "pg-head\nout-bytes 1MiB\npg-footer";

/// Where hooks leave what they were told.
struct Calls(Scratch);

/// The environment of a hook.
type Env = BTreeMap<String, String>;

impl Calls {
    fn new() -> Self {
        Self(Scratch::new("hooks"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with hooks that write down their environments, and then do this.
    fn hooked(&self, run: Dbstash, pre: &str, post: &str) -> Dbstash {
        let note = |name: &str, then: &str| {
            format!("env -0 >\"$CALLS/$(date +%s%N).{name}\" || exit 99\n{then}")
        };
        run.env("CALLS", self.0.path())
            .env("HOOK_PRE_BACKUP", note("pre", pre))
            .env("HOOK_POST_BACKUP", note("post", post))
    }

    /// The environments of the hooks of this name, in the order in which they began.
    fn of(&self, name: &str) -> Vec<Env> {
        let entries = fs::read_dir(self.0.path()).unwrap().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == name));
        files.sort();
        files.iter().map(|path| environment(&fs::read(path).unwrap())).collect()
    }

    /// The environment of the only hook of this name that ran.
    #[track_caller]
    fn one(&self, name: &str) -> Env {
        let mut all = self.of(name);
        assert_eq!(all.len(), 1, "{name}");
        all.remove(0)
    }
}

fn environment(bytes: &[u8]) -> Env {
    let pairs = bytes.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let text = String::from_utf8_lossy(pair).into_owned();
        let (name, value) = text.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    pairs.map(pair).collect()
}

/// A job whose dump tool is a fake one.
fn faked(remote: &TestRemote, fakes: &FakeTools) -> Dbstash {
    let run = dbstash(remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop");
    run.env("PG_GLOBALS", "off").env("PATH", fakes.path())
}

/// What the hooks of this name said, by level.
fn said<'a>(done: &'a Finished, hook: &str) -> Vec<(&'a str, &'a str)> {
    let of = done.events.iter().filter(|event| event["hook"] == hook);
    of.map(|event| (text(event, "level"), text(event, "message"))).collect()
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap()
}

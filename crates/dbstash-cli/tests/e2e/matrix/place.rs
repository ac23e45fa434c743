//! A remote with an older good backup, which every failure has to leave alone.

use std::thread;

use dbstash_testkit::{Dbstash, FakeTools, Finished, RemoteKind, TestRemote, tools};

use crate::scene::{File, Older, PATIENCE, dbstash, shop_file, summary};

/// No server is there; the dump tool is a fake.
pub const PG: &str = "postgresql://u:pw@127.0.0.1:1/shop";

pub struct Place {
    pub remote: TestRemote,
    pub older: Older,
    pub file: File,
}

/// Makes a place on each kind, and tests on all of them at once.
pub fn on_each(kinds: &[RemoteKind], test: impl Fn(Place) + Sync) {
    thread::scope(|scope| {
        for &kind in kinds {
            let test = &test;
            scope.spawn(move || {
                test(Place::on(TestRemote::start(kind)?)?);
                Some(())
            });
        }
    });
}

impl Place {
    pub fn on(remote: TestRemote) -> Option<Self> {
        let file = shop_file(500)?;
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        Some(Self { remote, older, file })
    }

    /// A run with the real tools.
    pub fn run(&self) -> Dbstash {
        dbstash(&self.remote).env("DB_URI", self.file.uri())
    }

    /// A run with a fake `pg_dump` and whatever else is fake.
    pub fn pg_run(&self, fakes: &FakeTools) -> Dbstash {
        self.run().env("DB_URI", PG).env("PG_GLOBALS", "off").env("PATH", fakes.path())
    }

    /// As if the run had never been: nothing new on the remote, the older backup whole, nothing left in the state
    /// directory.
    #[track_caller]
    pub fn undisturbed_by(&self, run: &Dbstash) {
        self.older.alone(&dbstash(&self.remote), &self.remote);
        assert_eq!(self.remote.pending_uploads(), 0);
        assert_eq!(journals(run), [""; 0]);
    }

    /// A run that works, after one that did not: it stores, and nothing but good backups is there.
    #[track_caller]
    pub fn works_again(&self, run: &Dbstash, backups: usize) {
        let done = run.run(PATIENCE);
        done.expect_code(0).expect_no_leftovers();
        let (names, listed) = (self.remote.names(), crate::scene::backups(&dbstash(&self.remote)));
        assert_eq!((names.len(), listed.len()), (2 * backups, backups), "{names:?} {done}");
        self.older.there(&self.remote);
    }
}

/// What is left of runs in the state directory.
pub fn journals(run: &Dbstash) -> Vec<String> {
    let jobs = std::fs::read_dir(run.state_dir().join("runs")).into_iter().flatten().flatten();
    let runs = jobs.flat_map(|job| std::fs::read_dir(job.path()).unwrap().flatten());
    runs.map(|run| run.path().display().to_string()).collect()
}

/// Exit 1, in this phase, and the error says this.
#[track_caller]
pub fn failed(done: &Finished, phase: &str, told: &str) {
    done.expect_code(1).expect_no_leftovers();
    let event = summary(done);
    assert_eq!(event["phase"], phase, "{done}");
    let error = event["error"].as_str().unwrap();
    assert!(told.split('|').any(|told| error.contains(told)), "{told:?} is not told: {done}");
}

/// A warning of the run.
pub fn warned(done: &Finished, told: &str) -> bool {
    let says = |text: &serde_json::Value| text.as_str().is_some_and(|text| text.contains(told));
    done.events.iter().any(|event| event["level"] == "WARN" && says(&event["message"]))
}

/// Fakes with an rclone that follows this script, in which `REAL` is the real one, and is that for all other calls.
///
/// A manifest is `*.dbstash.j*` in it: its temporary is named by the first 40 characters, and the second backup of a
/// second has two more of them than the first.
pub fn rclone(script: &str) -> FakeTools {
    let real = tools::find("rclone").unwrap().display().to_string();
    let script = format!("{script}\notherwise\nexec REAL").replace("REAL", &real);
    FakeTools::new().tool("rclone", &script)
}

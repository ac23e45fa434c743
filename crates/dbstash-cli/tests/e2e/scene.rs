//! A database, a remote and the program between them.

use std::path::PathBuf;
use std::time::Duration;

use dbstash_testkit::{Dbstash, Finished, RemoteKind, Scratch, TestRemote, sqlite};
use serde_json::Value;

/// No run of these tests takes nearly as long, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A small database file of a test's own.
pub struct File {
    pub path: PathBuf,
    pub scratch: Scratch,
}

/// A seeded database file; `None`, said loudly, without the tool.
pub fn shop_file(rows: u64) -> Option<File> {
    if !sqlite::available() {
        return None;
    }
    let scratch = Scratch::new("shop");
    let path = scratch.path().join("shop.db");
    sqlite::seed_shop(&path, rows);
    Some(File { path, scratch })
}

impl File {
    pub fn uri(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }
}

/// The program, for this remote.
pub fn dbstash(remote: &TestRemote) -> Dbstash {
    Dbstash::new(env!("CARGO_BIN_EXE_dbstash"))
        .envs(remote.env())
        .env("RCLONE_REMOTE", remote.root())
        .env("BACKUP_SCHEDULE", "once")
}

/// The remotes that behave differently when an upload is cut short.
pub fn each_remote(test: impl Fn(TestRemote)) {
    for kind in RemoteKind::MAIN {
        if let Some(remote) = TestRemote::start(kind) {
            eprintln!("--- on {kind}");
            test(remote);
        }
    }
}

/// A run, and the most memory that the program itself had, in KiB.
pub fn watched(run: &Dbstash) -> (Finished, u64) {
    let running = run.spawn();
    let status = format!("/proc/{}/status", running.pid().as_raw_nonzero());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            most = most.max(now.unwrap_or(0));
            if stopped.recv_timeout(Duration::from_millis(2)).is_ok() {
                return most;
            }
        }
    });
    let done = running.wait(PATIENCE);
    stop.send(()).unwrap();
    let most = watch.join().unwrap();
    assert!(most > 0, "its memory was not seen");
    (done, most)
}

/// What `dbstash list --json` says.
pub fn listed(run: &Dbstash) -> Value {
    let done = run.clone().args(["list", "--json"]).run(PATIENCE);
    done.expect_code(0);
    serde_json::from_str(&done.stdout).unwrap()
}

/// The object names of what is listed as a backup, the newest first.
pub fn backups(run: &Dbstash) -> Vec<String> {
    let listed = listed(run);
    let all = listed["backups"].as_array().unwrap();
    all.iter().map(|b| b["paths"][0].as_str().unwrap().to_owned()).collect()
}

/// The event that ends a run.
pub fn summary(done: &Finished) -> &Value {
    let mut summaries = done.events.iter().filter(|event| event["status"].is_string());
    let summary = summaries.next().unwrap_or_else(|| panic!("no summary: {done}"));
    assert!(summaries.next().is_none(), "more than one summary: {done}");
    summary
}

/// An older good backup, which nothing that fails later may touch.
pub struct Older {
    objects: Vec<(String, Vec<u8>)>,
    names: Vec<String>,
}

impl Older {
    /// Makes it with the real tools.
    pub fn make(run: &Dbstash, remote: &TestRemote) -> Self {
        run.run(PATIENCE).expect_code(0);
        let objects = remote.names().into_iter().map(|name| (name.clone(), remote.read(&name)));
        let objects: Vec<_> = objects.collect();
        assert_eq!(objects.len(), 2, "{:?}", remote.names());
        Self { names: backups(run), objects }
    }

    /// It is there, whole, the only one listed, and nothing else is on the remote.
    #[track_caller]
    pub fn alone(&self, run: &Dbstash, remote: &TestRemote) {
        self.untouched(run, remote);
        let names: Vec<_> = self.objects.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(remote.names(), names);
    }

    /// It is there, whole, and the only one listed.
    #[track_caller]
    pub fn untouched(&self, run: &Dbstash, remote: &TestRemote) {
        assert_eq!(backups(run), self.names);
        self.there(remote);
    }

    /// Whether this object is of it.
    pub fn has(&self, name: &str) -> bool {
        self.objects.iter().any(|(known, _)| known == name)
    }

    /// It is there, byte for byte.
    #[track_caller]
    pub fn there(&self, remote: &TestRemote) {
        for (name, bytes) in &self.objects {
            assert!(remote.read(name) == *bytes, "{name} changed");
        }
    }
}

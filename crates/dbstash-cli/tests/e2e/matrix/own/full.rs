//! A state directory without room: before a run, in the middle of it, and for each further file of it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Scratch, TestRemote};

use super::seen::{Shop, remains};
use crate::scene::{PATIENCE, backups, dbstash, shop_file, summary};

/// A real tmpfs with little room, gone with the value.
struct Tmpfs {
    at: PathBuf,
    _scratch: Scratch,
}

impl Tmpfs {
    /// `None`, said loudly, where nothing may be mounted. Not an error in CI: there it is a matter of who runs it.
    fn mount(options: &str) -> Option<Self> {
        let scratch = Scratch::new("tmpfs");
        let at = scratch.dir("mnt");
        let options = format!("mode=0700,{options}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "dbstash-test"])
            .arg(&at)
            .output();
        if mount.is_ok_and(|done| done.status.success()) {
            return Some(Self { at, _scratch: scratch });
        }
        let _ =
            writeln!(std::io::stderr(), "SKIP a full state directory: only root can mount a tmpfs");
        None
    }

    /// The state directory of a run.
    fn state(&self) -> PathBuf {
        self.at.join("state")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.at.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives it back.
    fn empty(&self) {
        fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: it goes when the last one that still looks at it has gone.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

fn within(run: &Dbstash, state: &Path) -> Dbstash {
    run.clone().env("DBSTASH_STATE_DIR", state)
}

#[test]
fn full_from_the_start() {
    let Some(tmpfs) = Tmpfs::mount("size=64k") else { return };
    let (Some(file), Some(remote)) = (shop_file(20), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let mut shop = Shop::open(file, remote);
    let run = within(&shop.run, &tmpfs.state());
    for case in ["never used", "used before"] {
        tmpfs.fill();
        let done = run.run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let told = done.stderr.contains(&tmpfs.state().display().to_string())
            && done.stderr.contains("No space left on device");
        assert!(told, "{case}: {done}");
        // What is cached can be listed; otherwise it says so, and does not say that there is nothing.
        let list = run.clone().args(["list"]).run(PATIENCE);
        if case == "never used" {
            let cache = tmpfs.state().join("cache").display().to_string();
            let told =
                list.stderr.contains(&cache) && list.stderr.contains("this machine has no room");
            assert!(list.expect_code(1).stdout.is_empty() && told, "{case}: {list}");
        } else {
            assert_eq!(list.expect_code(0).stdout.lines().count(), 1 + 2, "{case}: {list}");
        }
        tmpfs.empty();
        let good = shop.all_listed_restore();
        run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        assert_eq!(shop.all_listed_restore(), good + 1);
        shop.nothing_else_on_the_remote(case);
        assert_eq!(remains(&tmpfs.state()), [""; 0], "{case}");
        run.clone().args(["list"]).run(PATIENCE).expect_code(0);
    }
}

#[test]
fn filled_in_the_middle() {
    let Some(tmpfs) = Tmpfs::mount("size=256k") else { return };
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(remote) = TestRemote::start(kind) else { return };
        let fakes = FakeTools::new();
        let (there, go) = (fakes.file("there"), fakes.file("go"));
        fakes.script(
            "pg_dump",
            &format!(
                "pg-head\nout-bytes 8MiB\ntouch {}\nwait-for {}\npg-footer",
                there.display(),
                go.display()
            ),
        );
        let state = tmpfs.state();
        let run = within(&dbstash(&remote), &state)
            .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
            .env("PATH", fakes.path());
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| there.exists());
        tmpfs.fill();
        fs::write(&go, "").unwrap();
        let done = running.wait(PATIENCE);
        // A dump needs no room there once it has begun.
        done.expect_code(0).expect_no_leftovers();
        assert_eq!(summary(&done)["status"], "success", "{done}");
        assert_eq!(remains(&state), [""; 0], "{done}");
        tmpfs.empty();
        let [object] = &backups(&run)[..] else { panic!("{done}") };
        let bytes = remote.read(object);
        assert!(bytes.len() > 8 << 20 && bytes.ends_with(b"dump complete\n--\n\n"));
    }
}

/// Room for so many files and folders and no more: each step of a run meets the end of it once.
#[test]
fn no_room_for_the_next_file() {
    let (Some(file), Some(remote)) = (shop_file(20), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let mut shop = Shop::open(file, remote);
    let (mut failed, mut stored) = (0, 0);
    for inodes in 2..24 {
        let Some(tmpfs) = Tmpfs::mount(&format!("size=1m,nr_inodes={inodes}")) else { return };
        let good = shop.all_listed_restore();
        let done = within(&shop.run, &tmpfs.state()).run(PATIENCE);
        done.expect_no_leftovers();
        assert!(!done.stderr.contains("panicked"), "{inodes}: {done}");
        let now = shop.all_listed_restore();
        match done.code {
            Some(0) => {
                assert_eq!(now, good + 1, "{inodes}: {done}");
                stored += 1;
            }
            Some(1) => {
                assert_eq!(now, good, "{inodes}: {done}");
                let told = done.stderr.to_lowercase().contains("no space left on device");
                assert!(told, "{inodes}: {done}");
                failed += 1;
            }
            _ => panic!("{inodes}: {done}"),
        }
        shop.nothing_else_on_the_remote(&format!("{inodes}: {done}"));
        assert_eq!(remains(&tmpfs.state()), [""; 0], "{inodes}: {done}");
    }
    assert!(failed > 3 && stored > 3, "{failed} failed, {stored} stored");
}

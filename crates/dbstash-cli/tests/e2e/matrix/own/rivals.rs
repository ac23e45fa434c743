//! Others at work in the same place: names that are taken, and runs at the same time.

use dbstash_testkit::{Dbstash, FakeTools, Finished, RemoteKind, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, summary};

/// A run of a fake dump whose bytes tell who made it.
struct Rival {
    fakes: FakeTools,
    run: Dbstash,
}

impl Rival {
    /// Its dump goes on once it may.
    fn new(remote: &TestRemote, mark: &str, template: &str) -> Self {
        let fakes = FakeTools::new();
        let (there, go) = (fakes.file("there"), fakes.file("go"));
        fakes.script(
            "pg_dump",
            &format!(
                "pg-head\nout {mark}\nout-bytes 6MiB\ntouch {}\nwait-for {}\npg-footer",
                there.display(),
                go.display()
            ),
        );
        let run = dbstash(remote)
            .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
            .env("PG_GLOBALS", "off")
            .env("BACKUP_NAME_TEMPLATE", template)
            .env("PATH", fakes.path());
        Self { fakes, run }
    }

    fn may_go_on(&self) {
        std::fs::write(self.fakes.file("go"), "").unwrap();
    }

    fn is_under_way(&self) -> bool {
        self.fakes.file("there").exists()
    }
}

/// What each listed backup holds: the mark of the one that made it.
fn marks(run: &Dbstash, remote: &TestRemote) -> Vec<String> {
    let mark = |name: String| {
        let text = String::from_utf8(remote.read(&name)).unwrap();
        assert!(text.ends_with("dump complete\n--\n\n"), "{name} is cut short");
        let mark = text.lines().find(|line| line.starts_with("mark-")).unwrap();
        mark.to_owned()
    };
    let mut marks: Vec<_> = backups(run).into_iter().map(mark).collect();
    marks.sort();
    marks
}

#[test]
fn a_manifest_without_its_object_takes_the_name_too() {
    for kind in RemoteKind::MATRIX {
        let Some(remote) = TestRemote::start(kind) else { return };
        eprintln!("--- on {kind}");
        remote.write("shop.sql.dbstash.json", b"{}");
        remote.write("shop-2.sql", b"somebody's");
        let rival = Rival::new(&remote, "mark-1", "{db}");
        rival.may_go_on();
        rival.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        assert_eq!(backups(&rival.run), ["shop-3.sql"]);
        assert_eq!(remote.read("shop.sql.dbstash.json"), b"{}");
        assert_eq!(remote.read("shop-2.sql"), b"somebody's");
    }
}

#[test]
fn a_manifest_that_appears_during_the_dump_is_not_overwritten() {
    for kind in RemoteKind::MATRIX {
        let Some(remote) = TestRemote::start(kind) else { return };
        eprintln!("--- on {kind}");
        let rival = Rival::new(&remote, "mark-1", "{db}");
        let mut running = rival.run.spawn();
        running.wait_until(PATIENCE, |_| rival.is_under_way());
        remote.write("shop.sql.dbstash.json", b"{}");
        rival.may_go_on();
        let done = running.wait(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let error = summary(&done)["error"].as_str().unwrap();
        assert!(error.contains("has appeared on the remote during the dump"), "{done}");
        assert_eq!(remote.read("shop.sql.dbstash.json"), b"{}");
        assert_eq!(backups(&rival.run), [""; 0]);
        assert_eq!(remote.names(), ["shop.sql.dbstash.json"], "{done}");
    }
}

/// Runs without a lock that share their state never take each other's name.
#[test]
fn at_once_in_one_state_directory() {
    for kind in RemoteKind::MATRIX {
        let Some(remote) = TestRemote::start(kind) else { return };
        eprintln!("--- on {kind}");
        let rival = Rival::new(&remote, "mark-1", "{db}");
        let unlocked = rival.run.clone().env("BACKUP_LOCK", "false");
        let running: Vec<_> = (0..3).map(|_| unlocked.spawn()).collect();
        rival.may_go_on();
        for run in running {
            run.wait(PATIENCE).expect_code(0).expect_no_leftovers();
        }
        let mut names = backups(&rival.run);
        names.sort();
        assert_eq!(names, ["shop-2.sql", "shop-3.sql", "shop.sql"]);
        assert_eq!(marks(&rival.run, &remote), ["mark-1"; 3]);
        assert_eq!(remote.names().len(), 6);
    }
}

/// Two machines with the same names, and dumps that end together: whatever is listed is whole, and where temporaries
/// show a rival, success is never the other's.
#[test]
fn at_once_on_two_machines() {
    for kind in RemoteKind::MATRIX {
        let Some(remote) = TestRemote::start(kind) else { return };
        eprintln!("--- on {kind}");
        let rivals =
            ["mark-1", "mark-2-longer"].map(|mark| Rival::new(&remote, mark, "{db}-{time}"));
        let mut running = rivals.each_ref().map(|rival| rival.run.spawn());
        for (rival, run) in rivals.iter().zip(&mut running) {
            run.wait_until(PATIENCE, |_| rival.is_under_way());
        }
        rivals.iter().for_each(Rival::may_go_on);
        let done: Vec<Finished> = running.into_iter().map(|run| run.wait(PATIENCE)).collect();
        let stored: Vec<_> = done.iter().filter(|done| done.code == Some(0)).collect();
        let told = done.iter().map(Finished::to_string).collect::<Vec<_>>().join("\n");
        let marks = marks(&rivals[0].run, &remote);
        if matches!(kind, RemoteKind::Local | RemoteKind::Webdav | RemoteKind::CryptLocal) {
            let listed = crate::scene::listed(&rivals[0].run);
            assert_eq!(listed["broken"].as_array().unwrap().len(), 0, "{listed:#}\n{told}");
            assert_eq!(marks.len(), stored.len(), "{told}");
            assert!(!stored.is_empty(), "{told}");
        }
    }
}

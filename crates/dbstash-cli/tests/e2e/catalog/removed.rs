//! `dbstash rm`.

use chrono::{TimeDelta, Utc};
use dbstash_core::job::EngineKey::Pg;
use dbstash_core::state::StateDir;
use dbstash_core::verify::{Mark, Outcome};
use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, TestRemote, tools};

use super::{Laid, with};
use crate::retention::seed::Seed;
use crate::scene::{backups, dbstash};

/// Three backups of one database, and one of another job's.
fn laid(remote: &TestRemote) -> Dbstash {
    let seed = Seed::new();
    for (job, object, hours) in
        [("a", "a/1.sql", 1), ("a", "a/2.sql", 2), ("a", "a/[3]*.sql", 3), ("b", "b/4.sql", 4)]
    {
        let started = Utc::now() - TimeDelta::hours(hours);
        Laid { job, database: "shop", engine: Pg, object, started }.onto(&seed);
    }
    seed.file("a/2.sql.foreign", b"foreign");
    seed.file("a/3.sql", b"foreign");
    seed.onto(remote);
    dbstash(remote)
}

#[test]
fn what_is_named_goes_after_a_plan_and_nothing_else() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal] {
        let Some(remote) = TestRemote::start(kind) else { return };
        let run = laid(&remote);
        let before = remote.names();
        for args in [&["rm", "a/2.sql", "--dry-run"][..], &["rm", "a/2.sql"]] {
            // Nobody is there to be asked.
            let told = with(&run, args, i32::from(args.len() == 2));
            assert!(
                told.stdout.contains("a/2.sql") && told.stdout.contains("1 to delete"),
                "{told}"
            );
            assert_eq!(remote.names(), before, "{kind}");
        }
        // All or nothing, and each once.
        with(&run, &["rm", "--yes", "a/2.sql", "nothing"], 1);
        assert_eq!(remote.names(), before, "{kind}");
        with(&run, &["rm", "--yes", "a/2.sql", "a/[3]*.sql", "a/2.sql"], 0);
        let stays = |name: &String| {
            let gone = ["a/2.sql", "a/[3]*.sql"];
            !gone.iter().any(|gone| name == gone || *name == format!("{gone}.dbstash.json"))
        };
        let expected: Vec<String> = before.into_iter().filter(stays).collect();
        assert_eq!(remote.names(), expected, "{kind}");
        assert_eq!(backups(&run), ["a/1.sql", "b/4.sql"]);
    }
}

#[test]
fn pins_last_ones_and_runs_at_work_are_respected() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = laid(&remote);
    with(&run, &["pin", "a/2.sql"], 0);
    let before = remote.names();
    let told = with(&run, &["rm", "-y", "a/2.sql", "a/1.sql"], 1);
    assert!(told.stderr.contains("is pinned: dbstash unpin it first"), "{told}");
    let told = with(&run, &["rm", "-y", "b/4.sql"], 1);
    assert!(told.stderr.contains("no good backup of database shop of job b"), "{told}");
    assert!(told.stderr.contains("--even-last"), "{told}");
    // Those of another job do not stand in for it; nor does a corrupt one.
    with(&run, &["rm", "-y", "latest", "--job", "b"], 1);
    let marks = ["a/1.sql", "a/[3]*.sql"]
        .map(|object| Mark::new(Utc::now(), Outcome::Corrupt).name_for(object));
    for name in &marks {
        remote.write(name, b"{}");
    }
    with(&run, &["unpin", "a/2.sql"], 0);
    let told = with(&run, &["rm", "-y", "a/2.sql"], 1);
    assert!(told.stderr.contains("no good backup"), "{told}");
    // What is corrupt itself is no loss, and takes its notes along.
    with(&run, &["rm", "-y", "a/1.sql"], 0);
    assert!(!remote.names().iter().any(|name| name.starts_with("a/1.sql")));

    let state = StateDir::open(&run.state_dir()).unwrap();
    let held = state.lock(&"b".parse().unwrap(), "shop", "box", Utc::now()).unwrap();
    let told = with(&run, &["rm", "-y", "--even-last", "b/4.sql"], 3);
    assert!(told.stderr.contains("another run of this job and database is at work"), "{told}");
    drop(held);
    assert!(remote.names().contains(&"b/4.sql".to_owned()));
    with(&run, &["rm", "-y", "--even-last", "b/4.sql"], 0);
    let left = remote.names();
    assert!(left.len() < before.len() && !left.iter().any(|name| name.starts_with("b/4")));
}

/// The manifest goes first, and what is left is taken by `gc`, which the journal tells.
#[test]
fn what_is_half_deleted_is_in_the_journal() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = laid(&remote);
    let real = tools::find("rclone").unwrap();
    let fakes = FakeTools::new().tool(
        "rclone",
        &format!(
            "when deletefile *a/2.sql\nerr no\nexit 1\nwhen delete\nerr no\nexit 1\notherwise\nexec {}",
            real.display()
        ),
    );
    let failing = run.clone().env("PATH", fakes.path());
    with(&failing, &["rm", "-y", "a/2.sql"], 1);
    assert_eq!(backups(&run), ["a/1.sql", "a/[3]*.sql", "b/4.sql"]);
    assert!(remote.names().contains(&"a/2.sql".to_owned()));
    let told = with(&run, &["gc", "--dry-run"], 0);
    assert!(told.stdout.contains("left by a killed run    a/2.sql\n"), "{told}");
    assert!(told.stdout.contains("1 to delete"), "{told}");
    with(&run, &["gc", "--yes"], 0);
    assert!(!remote.names().contains(&"a/2.sql".to_owned()));
    assert!(remote.names().contains(&"a/2.sql.foreign".to_owned()));
    assert!(with(&run, &["gc", "--yes"], 0).stdout.contains("nothing of dbstash's own"));
}

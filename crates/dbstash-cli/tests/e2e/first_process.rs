//! As the first process of a container, for which a process namespace of its own stands here.

use dbstash_testkit::procs::{Process, descendants};
use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Running, Signal, TestRemote, tools};

use crate::scene::{PATIENCE, backups, dbstash, summary};

/// The run, in a namespace of processes where it is the first; `None`, said loudly, where nobody may make one.
fn first(run: &Dbstash) -> Option<Dbstash> {
    let unshare = tools::find("unshare")?;
    let words = ["--pid", "--fork", "--mount-proc", "--kill-child", "--"];
    let allowed = std::process::Command::new(&unshare).args(words).arg("true").status();
    if !allowed.is_ok_and(|status| status.success()) {
        tools::absent("nobody may make a namespace of processes here");
        return None;
    }
    Some(run.clone().within(&unshare, words))
}

fn job(remote: &TestRemote, fakes: &FakeTools) -> Dbstash {
    let run = dbstash(remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop");
    run.env("PG_GLOBALS", "off").env("PATH", fakes.path())
}

/// The first process of the namespace, as it is known outside.
fn init(running: &Running) -> Process {
    running.child("dbstash").unwrap()
}

#[test]
fn no_exit_code_is_lost() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for (script, code) in [
        ("pg-head\nout-bytes 1MiB\npg-footer", 0),
        ("pg-head\nerr no\nexit 3", 1),
        // Its orphan ends at about the same time as itself.
        ("grandchild 1s\npg-head\nout-bytes 1MiB\npg-footer", 0),
    ] {
        let fakes = FakeTools::new().tool("pg_dump", script);
        let Some(run) = first(&job(&remote, &fakes)) else { return };
        run.run(PATIENCE).expect_code(code).expect_no_leftovers();
        run.clone().env("BACKUP_MODE", "heap").run(PATIENCE).expect_code(2);
    }
    assert_eq!(backups(&dbstash(&remote)).len(), 2);
}

#[test]
fn a_signal_reaches_the_run() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let fakes = FakeTools::new();
        let there = fakes.file("there");
        let script = format!("pg-head\nout-bytes 1MiB\ntouch {}\nsleep 100s", there.display());
        fakes.script("pg_dump", &script);
        let Some(run) = first(&job(&remote, &fakes)) else { return };
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| there.exists());
        init(&running).signal(signal);
        let done = running.wait(PATIENCE);
        done.expect_code(code).expect_no_leftovers();
        assert_eq!(summary(&done)["phase"], "signal", "{done}");
    }
    assert_eq!(remote.names(), [""; 0]);
}

#[test]
fn a_second_signal_reaches_it_too() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new();
    let (there, termed) = (fakes.file("there"), fakes.file("termed"));
    // More than pipes hold: somebody takes it.
    let text = format!(
        "#!/bin/sh\ntrap 'touch {}' TERM\nhead -c 25165824 /dev/zero\ntouch {}\n\
         while :; do sleep 600 & wait; done\n",
        termed.display(),
        there.display()
    );
    tools::write_program(&fakes.dir().join("pg_dump"), &text);
    let Some(run) = first(&job(&remote, &fakes)) else { return };
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    init(&running).signal(Signal::TERM);
    running.wait_until(PATIENCE, |_| termed.exists());
    init(&running).signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    done.expect_code(143).expect_no_leftovers();
    assert!(done.stderr.contains("a second signal: everything ends now"), "{done}");
}

#[test]
fn orphans_are_waited_for_and_a_signal_between_runs_is_no_failure() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let script = "grandchild 100s\npg-head\nout-bytes 1MiB\npg-footer";
    let fakes = FakeTools::new().tool("pg_dump", script);
    let scheduled = [("BACKUP_SCHEDULE", "0 0 1 1 *"), ("BACKUP_ON_START", "true")];
    let Some(run) = first(&job(&remote, &fakes).envs(scheduled)) else { return };
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |running| running.output().contains("backup stored"));
    let pid = init(&running).pid;
    running.wait_until(PATIENCE, |_| descendants(pid).len() == 1);
    let [program] = &descendants(pid)[..] else { panic!("more than the program is left") };
    assert_eq!((program.parent, program.state == 'Z'), (pid, false));
    init(&running).signal(Signal::TERM);
    running.wait(PATIENCE).expect_code(0).expect_no_leftovers();
}

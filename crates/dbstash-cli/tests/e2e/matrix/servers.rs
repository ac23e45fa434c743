//! A server that dies, or stands still, while a dump is on its way to it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Running, Signal};

use super::place::{Place, failed, journals, on_each, warned};
use crate::scene::{PATIENCE, backups, dbstash};

/// A dump of which 24 MiB are on their way; it goes on when `go` exists.
fn under_way(place: &Place, fakes: &FakeTools) -> (Dbstash, Running) {
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    let (there, go) = (there.display(), go.display());
    let script = format!(
        "pg-head\nout-bytes 24MiB\ntouch {there}\nwait-for {go}\nout-bytes 64MiB\npg-footer"
    );
    fakes.script("pg_dump", &script);
    let run = place.pg_run(fakes);
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| fakes.file("there").exists());
    (run, running)
}

#[test]
fn a_server_killed_in_the_middle_is_told_and_swept_up_after() {
    let kinds = [
        RemoteKind::Sftp,
        RemoteKind::Webdav,
        RemoteKind::S3,
        RemoteKind::CryptS3,
        RemoteKind::Moto,
    ];
    on_each(&kinds, |mut place| {
        let kind = place.remote.kind();
        let fakes = FakeTools::new();
        let (run, running) = under_way(&place, &fakes);
        place.remote.signal_server(Signal::KILL);
        let before = Instant::now();
        std::fs::write(fakes.file("go"), "").unwrap();
        let done = running.wait(PATIENCE);
        eprintln!("    {kind}: told after {:?}", before.elapsed());
        // 30 s on a machine that has nothing else to do.
        assert!(before.elapsed() < Duration::from_secs(60), "{:?}: {done}", before.elapsed());
        failed(&done, "upload", "nothing answers|broke the connection off");
        assert!(warned(&done, "the next run will clean up"), "{done}");
        assert_eq!(journals(&run).len(), 1);
        // Neither the leftover nor the next run takes longer to find nobody there.
        let mut before = Instant::now();
        let mut again = run.run(PATIENCE);
        // A child that was killed a moment ago may not be gone yet: until then its run is not known to be dead.
        if !warned(&again, "could not be swept") {
            assert_eq!(journals(&run).len(), 1);
            before = Instant::now();
            again = run.run(PATIENCE);
        }
        failed(&again, "upload", "nothing answers at the remote's address");
        assert!(warned(&again, "could not be swept"), "{again}");
        assert!(before.elapsed() < Duration::from_secs(60), "{:?}: {again}", before.elapsed());
        assert_eq!(journals(&run).len(), 1);
        if kind == RemoteKind::Moto {
            // Its memory is gone.
            return;
        }
        place.remote.restart_server();
        place.older.untouched(&dbstash(&place.remote), &place.remote);
        fakes.script("pg_dump", "pg-head\npg-footer");
        place.works_again(&run, 2);
        assert_eq!(journals(&run).len(), 0);
    });
}

/// Slow, but alive: nothing is failed, and nothing lost.
#[test]
fn a_server_that_pauses_in_the_middle_loses_nothing() {
    on_each(&[RemoteKind::Sftp, RemoteKind::Webdav, RemoteKind::S3], |mut place| {
        let fakes = FakeTools::new();
        let (_, running) = under_way(&place, &fakes);
        place.remote.signal_server(Signal::STOP);
        std::fs::write(fakes.file("go"), "").unwrap();
        // The pause is what is tested.
        sleep(Duration::from_secs(5));
        place.remote.signal_server(Signal::CONT);
        running.wait(PATIENCE).expect_code(0).expect_no_leftovers();
        let newest = backups(&dbstash(&place.remote)).remove(0);
        let bytes = place.remote.read(&newest);
        assert!(bytes.len() > 88 << 20 && bytes.ends_with(b"dump complete\n--\n\n"));
        place.older.there(&place.remote);
    });
}

/// rclone ends its multipart uploads when it is told to end.
#[test]
fn term_leaves_no_multipart_upload() {
    on_each(&[RemoteKind::Moto, RemoteKind::S3, RemoteKind::CryptS3], |place| {
        let fakes = FakeTools::new();
        let (run, running) = under_way(&place, &fakes);
        let begun = || place.remote.pending_uploads() == 1;
        assert!(dbstash_testkit::server::eventually(PATIENCE, begun));
        running.signal(Signal::TERM);
        let done = running.wait(Duration::from_secs(30));
        done.expect_code(143).expect_no_leftovers();
        place.undisturbed_by(&run);
    });
}

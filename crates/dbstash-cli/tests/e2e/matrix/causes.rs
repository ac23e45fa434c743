//! Causes that people understand: what a real server refuses, and where there is none.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{Dbstash, RemoteKind, Signal, TestRemote};

use super::place::{Place, failed, on_each};
use crate::scene::{PATIENCE, dbstash, shop_file};

const CREDENTIALS: &str = "the remote refuses the credentials: check its keys or password";
const REFUSED: &str = "nothing answers at the remote's address: check host and port";
const NO_HOST: &str = "the remote's host name cannot be resolved";
const TLS: &str = "the TLS connection to the remote failed: check its certificate";
const SCHEME: &str = "disagree on http or https";
const NO_ANSWER: &str = "the remote does not answer in time: check the network and any firewall";
/// A dead endpoint is told within 30 s; what a busy machine adds is not rclone's or ours.
const SOON: Duration = Duration::from_secs(45);

/// Fails with this sentence, soon, and leaves everything as it was.
#[track_caller]
fn told(place: &Place, run: &Dbstash, sentence: &str) {
    let before = Instant::now();
    let done = run.run(PATIENCE);
    failed(&done, "upload", sentence);
    assert!(before.elapsed() < SOON, "{:?}: {done}", before.elapsed());
    place.undisturbed_by(run);
}

fn obscured(remote: &TestRemote, password: &str) -> String {
    let output = remote.rclone(&["obscure", password]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn s3_says_why() {
    on_each(&[RemoteKind::S3, RemoteKind::Moto], |place| {
        let remote = &place.remote;
        let nobody = format!("http://127.0.0.1:{}", free_port());
        let set =
            |name: &str, value: &str| place.run().env(format!("RCLONE_CONFIG_DST_{name}"), value);
        if remote.kind() == RemoteKind::S3 {
            told(&place, &set("SECRET_ACCESS_KEY", "wrongwrongwrong"), CREDENTIALS);
            told(&place, &set("ACCESS_KEY_ID", "wrongwrongwrong"), CREDENTIALS);
        }
        let no_bucket = place.run().env("RCLONE_REMOTE", "dst:no-such-bucket/x");
        told(&place, &no_bucket, "the bucket does not exist: create it, or correct RCLONE_REMOTE");
        told(&place, &set("ENDPOINT", &nobody), REFUSED);
        told(&place, &set("ENDPOINT", "http://no-such-host.invalid:9000"), NO_HOST);
        let https = remote.env().into_iter().find(|(name, _)| name.ends_with("_ENDPOINT"));
        let https = https.unwrap().1.replace("http:", "https:");
        if remote.kind() == RemoteKind::S3 {
            told(&place, &set("ENDPOINT", &https), SCHEME);
        }
    });
}

#[test]
fn sftp_says_why() {
    on_each(&[RemoteKind::Sftp], |place| {
        let set =
            |name: &str, value: &str| place.run().env(format!("RCLONE_CONFIG_DST_{name}"), value);
        let nobody = free_port().to_string();
        told(&place, &set("PASS", &obscured(&place.remote, "wrong")), CREDENTIALS);
        told(&place, &set("USER", "somebody-else"), CREDENTIALS);
        told(&place, &set("PORT", &nobody), REFUSED);
        told(&place, &set("HOST", "no-such-host.invalid"), NO_HOST);
        let known = place.file.scratch.path().join("known_hosts");
        std::fs::write(&known, "").unwrap();
        let stranger = set("KNOWN_HOSTS_FILE", known.to_str().unwrap());
        told(&place, &stranger, "the host key of the remote is not the known one");
        let keyless = place.run().env_remove("RCLONE_CONFIG_DST_PASS");
        told(&place, &keyless, "the remote has neither password nor key: give it one");
    });
}

#[test]
fn webdav_says_why() {
    on_each(&[RemoteKind::Webdav], |place| {
        let set =
            |name: &str, value: &str| place.run().env(format!("RCLONE_CONFIG_DST_{name}"), value);
        let nobody = format!("http://127.0.0.1:{}", free_port());
        told(&place, &set("PASS", &obscured(&place.remote, "wrong")), CREDENTIALS);
        told(&place, &set("URL", &nobody), REFUSED);
        told(&place, &set("URL", "http://no-such-host.invalid/"), NO_HOST);
    });
}

#[test]
fn a_missing_remote_or_place_is_named() {
    on_each(&[RemoteKind::Local], |place| {
        for (remote, sentence) in [
            ("nonesuch:bucket", "no such remote is configured: check RCLONE_REMOTE"),
            ("/proc/no/such/place", "/proc/no"),
        ] {
            told(&place, &place.run().env("RCLONE_REMOTE", remote), sentence);
        }
    });
}

/// A certificate nobody vouches for is refused; the way out that is told is one.
#[test]
fn tls_is_checked_and_explained() {
    thread::scope(|scope| {
        for kind in [RemoteKind::S3, RemoteKind::Webdav] {
            scope.spawn(move || {
                let (remote, file) = (TestRemote::start_tls(kind)?, shop_file(50)?);
                let run = dbstash(&remote).env("DB_URI", file.uri());
                let done = run.run(PATIENCE);
                failed(&done, "upload", TLS);
                assert_eq!(remote.names(), [""; 0]);
                let vouched = format!("--ca-cert {}", remote.certificate().display());
                run.env("RCLONE_EXTRA_ARGS", vouched).run(PATIENCE).expect_code(0);
                assert_eq!(remote.names().len(), 2);
                Some(())
            });
        }
    });
}

/// Takes connections and never says a word; or does not even take them.
struct Silent {
    port: u16,
    /// Held open, and never read from.
    _held: (TcpListener, Vec<TcpStream>),
}

impl Silent {
    /// The kernel accepts for it.
    fn accepting() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { port, _held: (listener, Vec::new()) }
    }

    /// Its queue is full: who else connects waits.
    fn full() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
            queue.push(stream);
        }
        Self { port: address.port(), _held: (listener, queue) }
    }
}

#[test]
fn a_dead_s3_is_told_within_30_s() {
    thread::scope(|scope| {
        for dead in ["accepts and says nothing", "does not accept", "is stopped", "is killed"] {
            scope.spawn(move || {
                let mut place = Place::on(TestRemote::start(RemoteKind::S3)?)?;
                let run = place.run();
                let at = |silent: &Silent| {
                    let endpoint = format!("http://127.0.0.1:{}", silent.port);
                    run.clone().env("RCLONE_CONFIG_DST_ENDPOINT", endpoint)
                };
                match dead {
                    "accepts and says nothing" => {
                        let silent = Silent::accepting();
                        told(&place, &at(&silent), NO_ANSWER);
                    }
                    "does not accept" => {
                        let silent = Silent::full();
                        told(&place, &at(&silent), NO_ANSWER);
                    }
                    _ => {
                        let stopped = dead == "is stopped";
                        place.remote.signal_server(if stopped {
                            Signal::STOP
                        } else {
                            Signal::KILL
                        });
                        let before = Instant::now();
                        let done = run.run(PATIENCE);
                        failed(&done, "upload", if stopped { NO_ANSWER } else { REFUSED });
                        assert!(before.elapsed() < SOON, "{:?}: {done}", before.elapsed());
                        if stopped {
                            place.remote.signal_server(Signal::CONT);
                        } else {
                            place.remote.restart_server();
                        }
                        place.undisturbed_by(&run);
                    }
                }
                place.works_again(&run, 2);
                Some(())
            });
        }
    });
}

/// Listing and pruning do not take minutes either.
#[test]
fn a_dead_s3_is_told_to_who_lists() {
    let Some(remote) = TestRemote::start(RemoteKind::S3) else { return };
    let silent = Silent::accepting();
    let endpoint = format!("http://127.0.0.1:{}", silent.port);
    let before = Instant::now();
    let list = dbstash(&remote).env("RCLONE_CONFIG_DST_ENDPOINT", endpoint).args(["list"]);
    let done = list.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(done.to_string().contains(NO_ANSWER), "{done}");
    assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
}

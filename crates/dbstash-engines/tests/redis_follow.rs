//! The replica's side of the protocol against real masters, beyond the dump: it stays, and hears of every write.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use dbstash_core::dialogue::{Dialogue as _, Next};
use dbstash_core::job::SyncMode;
use dbstash_engines::redis::{Psync, Replica};
use dbstash_testkit::RedisServer;
use dbstash_testkit::redis::Family;

/// A replica on a socket of its own, driven as the product drives it.
struct Follower {
    replica: Replica,
    stream: TcpStream,
    input: Vec<u8>,
    dump: Vec<u8>,
    /// What was written after the dump.
    writes: Vec<u8>,
    said: Instant,
}

impl Follower {
    fn of(server: &RedisServer, mode: SyncMode) -> Self {
        let psync =
            Psync { user: None, password: None, mode, tls: false, follow: true, encoded: false };
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (input, dump, writes) = (Vec::new(), Vec::new(), Vec::new());
        Self { replica: psync.replica(), stream, input, dump, writes, said: Instant::now() }
    }

    /// Goes on until `done`; false when that takes longer than `patience`.
    fn until(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let start = Instant::now();
        while !done(self) {
            if start.elapsed() > patience {
                return false;
            }
            self.step();
        }
        true
    }

    fn step(&mut self) {
        let words = self.replica.outgoing();
        self.stream.write_all(&words).unwrap();
        // Once a second, as its contract says.
        if self.said.elapsed() >= Duration::from_secs(1) {
            self.said = Instant::now();
            let words = self.replica.keepalive();
            self.stream.write_all(&words).unwrap();
        }
        let before = self.replica.offset();
        let used = match self.replica.advance(&self.input).unwrap() {
            Next::Skip(n) if self.replica.offset() > before && !self.dump.is_empty() => {
                self.writes.extend(&self.input[..n]);
                n
            }
            Next::Skip(n) => n,
            Next::Dump(n) => {
                self.dump.extend(&self.input[..n]);
                n
            }
            Next::More => return self.read(),
            Next::End => panic!("it does not follow"),
        };
        self.input.drain(..used);
    }

    fn read(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the master hung up: {}", self.replica.closed(&self.input)),
            Ok(n) => self.input.extend(&buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(e) => panic!("{e}"),
        }
    }

    fn has_dump(&self) -> bool {
        // Its trailer, and then the stream, of which the offset is a part.
        self.dump.len() > 9 && self.dump[self.dump.len() - 9] == 0xFF && self.input.is_empty()
    }

    fn heard(&self, text: &str) -> bool {
        self.writes.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

#[test]
fn a_follower_stays_and_hears_everything() {
    thread::scope(|scope| {
        for family in Family::ALL {
            for mode in [SyncMode::Diskless, SyncMode::Disk] {
                scope.spawn(move || {
                    follows(&RedisServer::start_with(family, &["--repl-timeout", "5"])?, mode);
                    Some(())
                });
            }
        }
    });
}

fn follows(server: &RedisServer, mode: SyncMode) {
    let case = format!("{:?} {mode:?}", server.family());
    server.seed(1);
    let digest = server.digest();
    let mut follower = Follower::of(server, mode);
    assert!(follower.until(Duration::from_secs(60), Follower::has_dump), "{case}: no dump");
    // 2 s on a machine that has nothing else to do: an ACK each second, of which the first may be lost.
    server.ask("SET first write");
    assert!(follower.until(Duration::from_secs(6), |f| f.heard("first")), "{case}: no first write");
    // Nobody writes for three times the limit.
    follower.until(Duration::from_secs(16), |_| false);
    server.ask("SET second write");
    assert!(
        follower.until(Duration::from_secs(6), |f| f.heard("second")),
        "{case}: no second write"
    );
    // What the server says of us, once it has heard how far we are.
    let agreed = |follower: &Follower| {
        let (told, offset) = (server.ask("INFO replication").text(), follower.replica.offset());
        told.contains("state=online")
            && told.contains(&format!("offset={offset},"))
            && told.contains(&format!("master_repl_offset:{offset}\r"))
    };
    assert!(follower.until(Duration::from_secs(6), agreed), "{case}: {}", server.info("slave0"));
    // The dump is of the moment before the first write.
    let restored = RedisServer::of_dump(server.family(), &follower.dump).unwrap();
    assert_eq!(restored.digest(), digest, "{case}");
}

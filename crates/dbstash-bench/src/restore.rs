//! A backup on its way back, beside what people write: `rclone cat | unpack | loader` into an equally empty target.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, PgServer, RemoteKind, TestRemote, sqlite};

use crate::data::{self, Data};
use crate::measure;
use crate::report::Report;
use crate::scene::{NOT_AVAILABLE, Scene};
use crate::turns;

/// More rounds say no more, and more bytes neither.
const ROUNDS: usize = 3;
const MOST: u64 = 400 << 20;
/// What goes slowly into a database.
const SLOW: u64 = 300 << 20;

/// A backup on a remote of its own.
struct Kept {
    remote: TestRemote,
    settings: Vec<(&'static str, String)>,
    /// On the remote.
    object: String,
    path: OsString,
}

/// Two ways to restore the same.
struct Pair<'a> {
    name: &'a str,
    /// Of our wall time in the other's.
    at_most: f64,
    ours: (&'a Kept, &'a [&'a str]),
    theirs: Theirs<'a>,
    /// The target, for dbstash.
    to: &'a str,
    empty: &'a dyn Fn(),
    /// What the target holds afterwards, which has to be this.
    holds: &'a dyn Fn() -> String,
    whole: &'a str,
}

/// The other one.
enum Theirs<'a> {
    /// A script for bash; `$BACKUP` is the object.
    Script(&'a str),
    /// dbstash, of another backup.
    Dbstash(&'a Kept),
}

/// Measures every engine there is a server for.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    pg(scene, report);
    mariadb(scene, report);
    of_sqlite(scene, report);
}

fn pg(scene: &Scene, report: &mut Report) {
    let server = PgServer::start("bench-password").expect("PostgreSQL is needed");
    eprintln!("loading pg");
    Data::Mixed.load(&server, scene.options.bytes.min(MOST));
    let uri = server.uri("mixed");
    let kept = |more: &[(&'static str, &str)]| {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let settings = std::iter::once(("DB_URI", uri.clone())).chain(more).collect();
        Kept::make(scene, settings, scene.path().clone())
    };
    let plain = kept(&[("BACKUP_COMPRESSION", "zstd")]);
    let custom = kept(&[("BACKUP_COMPRESS", "true")]);
    let work = scene.scratch.dir("copies").display().to_string();
    let files =
        kept(&[("BACKUP_MODE", "directory"), ("BACKUP_JOBS", "2"), ("BACKUP_TEMP_DIR", &work)]);
    let to = server.uri("copy");
    let empty = || {
        let make = "CREATE DATABASE copy OWNER stash TEMPLATE template0; CHECKPOINT";
        server.psql("postgres", &format!("DROP DATABASE IF EXISTS copy; {make}"));
    };
    let rows = "SELECT (SELECT count(*) FROM event_0), (SELECT count(*) FROM event_1)";
    let psql = format!("psql -X -q -1 -v ON_ERROR_STOP=1 -f - -d '{to}'");
    let bare = format!("rclone cat \"$BACKUP\" | zstd -q -d | {psql}");
    let bare_custom = format!("rclone cat \"$BACKUP\" | pg_restore -f - | {psql}");
    for (name, at_most, ours, theirs) in [
        ("restore pg, zstd: wall vs the bare pipe", 1.03, (&plain, &[][..]), Theirs::Script(&bare)),
        (
            "restore pg, custom: wall vs the bare pipe",
            1.03,
            (&custom, &[]),
            Theirs::Script(&bare_custom),
        ),
        (
            "restore pg directory, 2 jobs: wall vs the stream",
            0.95,
            (&files, &["--jobs", "2"]),
            Theirs::Dbstash(&plain),
        ),
    ] {
        let (holds, whole) = (|| server.psql("copy", rows), server.psql("mixed", rows));
        let (empty, holds, whole) = (&empty, &holds, &*whole);
        Pair { name, at_most, ours, theirs, to: &to, empty, holds, whole }.measure(scene, report);
    }
}

/// dbstash reads such a backup twice: what cannot be one transaction is verified first.
fn mariadb(scene: &Scene, report: &mut Report) {
    let (name, at_most) = ("restore mariadb, zstd: wall vs the bare pipe", 1.10);
    let Some(server) = MysqlServer::start(Family::Mariadb, "bench") else {
        report.no_goal(name, at_most, NOT_AVAILABLE);
        return;
    };
    eprintln!("loading mariadb");
    server.createdb("bench");
    data::mysql(&server, "bench", scene.options.bytes.min(SLOW));
    server.sql("", "GRANT ALL ON *.* TO stash@'127.0.0.1'; GRANT ALL ON *.* TO stash@localhost");
    let settings = vec![("DB_URI", server.uri("bench")), zstd()];
    let kept = Kept::make(scene, settings, server.path());
    let options = scene.scratch.path().join("restore.cnf");
    let port = server.port();
    let text = format!("[client]\nhost=127.0.0.1\nport={port}\nuser=stash\npassword=bench\n");
    fs::write(&options, text).unwrap();
    let bare = format!(
        "rclone cat \"$BACKUP\" | zstd -q -d | mariadb --defaults-file='{}' copy",
        options.display()
    );
    let empty = || drop(server.sql("", "DROP DATABASE IF EXISTS copy; CREATE DATABASE copy"));
    let rows = "SELECT COUNT(*) FROM event";
    let pair = Pair {
        name,
        at_most,
        ours: (&kept, &[]),
        theirs: Theirs::Script(&bare),
        to: &server.uri("copy"),
        empty: &empty,
        holds: &|| server.sql("copy", rows),
        whole: &server.sql("bench", rows),
    };
    pair.measure(scene, report);
}

fn of_sqlite(scene: &Scene, report: &mut Report) {
    let at = |name: &str| scene.scratch.path().join(name);
    let (file, copy) = (at("kept.db"), at("copy.db"));
    eprintln!("loading sqlite");
    data::sqlite(&file, scene.options.bytes.min(MOST / 2));
    let settings = vec![("DB_URI", format!("sqlite://{}", file.display())), zstd()];
    let kept = Kept::make(scene, settings, scene.path().clone());
    let bare = format!(
        "rclone cat \"$BACKUP\" | zstd -q -d | sqlite3 -batch -bail -init /dev/null '{}'",
        copy.display()
    );
    let rows = |file: &PathBuf| sqlite::run(file, "SELECT count(*) FROM event");
    let pair = Pair {
        name: "restore sqlite, zstd: wall vs the bare pipe",
        at_most: 1.03,
        ours: (&kept, &[]),
        theirs: Theirs::Script(&bare),
        to: &format!("sqlite://{}", copy.display()),
        empty: &|| drop(fs::remove_file(&copy)),
        holds: &|| rows(&copy),
        whole: &rows(&file),
    };
    pair.measure(scene, report);
}

fn zstd() -> (&'static str, String) {
    ("BACKUP_COMPRESSION", "zstd".to_owned())
}

impl Kept {
    /// Makes it.
    fn make(scene: &Scene, settings: Vec<(&'static str, String)>, path: OsString) -> Self {
        let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
        let mut this = Self { remote, settings, object: String::new(), path };
        measure::run(&mut this.dbstash(scene), &scene.log()).unwrap();
        let largest = this.remote.objects().into_iter().max_by_key(|(_, bytes)| *bytes);
        this.object = largest.expect("nothing is stored").0;
        this
    }

    /// dbstash with its settings.
    fn dbstash(&self, scene: &Scene) -> Command {
        let mut command = scene.dbstash("", &self.remote);
        command.envs(self.settings.iter().map(|(n, v)| (*n, v))).env("PATH", &self.path);
        command
    }

    fn restore(&self, scene: &Scene, to: &str, words: &[&str]) -> Command {
        let mut command = self.dbstash(scene);
        command.args(["restore", "latest", "--to", to, "--clean", "--yes"]).args(words);
        command
    }

    fn bytes(&self) -> u64 {
        self.remote.objects().values().sum()
    }
}

impl Pair<'_> {
    fn measure(&self, scene: &Scene, report: &mut Report) {
        let (kept, words) = self.ours;
        let once = |is_ours: bool| {
            (self.empty)();
            // No run pays for what another one has yet to write.
            rustix::fs::sync();
            let mut command = match &self.theirs {
                _ if is_ours => kept.restore(scene, self.to, words),
                Theirs::Dbstash(other) => other.restore(scene, self.to, &[]),
                Theirs::Script(script) => {
                    let mut bash = scene.command("bash", &kept.remote);
                    bash.args(["-c", &format!("set -o pipefail; {script}")]);
                    bash.env("BACKUP", format!("{}/{}", kept.remote.root(), kept.object));
                    bash.env("PATH", &kept.path);
                    bash
                }
            };
            let cost = measure::run(&mut command, &scene.log())?;
            match (self.holds)() {
                holds if holds == self.whole => Ok(cost),
                holds => Err(format!("the target holds {holds} of {} rows", self.whole)),
            }
        };
        let rounds = scene.options.rounds.min(ROUNDS);
        if let Some(turns) = turns::taken(self.name, self.at_most, rounds, report, once) {
            let theirs = match &self.theirs {
                Theirs::Dbstash(other) => other,
                Theirs::Script(_) => kept,
            };
            turns.tell(self.name, self.at_most, (kept.bytes(), theirs.bytes()), report);
        }
    }
}

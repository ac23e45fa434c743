//! Private servers that speak MongoDB's protocol, and the dump tool for them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::feed::{feed, percent_encoded};
use crate::procs;
use crate::scratch::{Scratch, free_port};
use crate::server::{Server, dies_with_test, eventually};
use crate::tools;

/// A wire-compatible server of a test's own (no registry has the real one), with a data directory
/// that is gone afterwards.
///
/// It listens on a loopback port. The user [`MongoServer::USER`] of the database `admin` logs in by
/// password and has the role `backup`; the same password is that of `root`.
#[derive(Debug)]
pub struct MongoServer {
    scratch: Scratch,
    program: PathBuf,
    python: PathBuf,
    port: u16,
    password: String,
    /// Nobody has to log in yet.
    is_open: bool,
    server: Option<Server>,
}

/// Which mongodump is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mongodump {
    /// Our own, which keeps the real one's contract as far as tests need it.
    Fake,
    /// That of `DBSTASH_TEST_MONGODUMP`, or on `PATH`.
    Real,
}

impl MongoServer {
    /// The user of the backup.
    pub const USER: &'static str = "stash";

    /// A server with this password. `None`, said loudly, when it is not installed.
    pub fn start(password: &str) -> Option<Self> {
        let program = tools::require("secantusd-py")?;
        // Beside the server's own: it has the driver.
        let python = fs::canonicalize(&program).unwrap().with_file_name("python3");
        let scratch = Scratch::new("mongo");
        fs::write(scratch.path().join("keeper.py"), include_str!("keeper.py")).unwrap();
        let password = password.to_owned();
        let mut this =
            Self { scratch, program, python, port: 0, password, is_open: true, server: None };
        // Users are made before anybody has to log in.
        this.restart();
        for (user, role) in [(Self::USER, "backup"), ("root", "root")] {
            this.keep(&["user", user, role, "admin"]);
        }
        this.stop();
        this.is_open = false;
        this.restart();
        Some(this)
    }

    /// Starts it again, on another port.
    pub fn restart(&mut self) {
        self.server = None;
        for _ in 0..5 {
            self.port = free_port();
            let mut command = dies_with_test("KILL", &self.program);
            command
                .args(["--standalone", "--host", "127.0.0.1", "--port", &self.port.to_string()])
                .arg("--storage-path")
                .arg(self.scratch.dir("data"))
                .args((!self.is_open).then_some("--auth"))
                // It would take a configuration file of the directory.
                .current_dir(self.scratch.path())
                .env("HOME", self.scratch.path());
            let mut server = Server::start(command, &self.scratch.path().join("log"));
            let (pid, port) = (server.pid(), self.port);
            let mut up = || procs::listens(pid, port);
            if server.wait_until(Duration::from_secs(120), &mut up) {
                self.server = Some(server);
                self.keep(&["ready"]);
                return;
            }
        }
        panic!("the server did not come up: {}", self.log());
    }

    /// The port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URI of a database (or none) for the user, with password.
    pub fn uri(&self, database: &str) -> String {
        let (password, database) = (percent_encoded(&self.password), percent_encoded(database));
        format!(
            "mongodb://{}:{password}@127.0.0.1:{}/{database}?authSource=admin",
            Self::USER,
            self.port
        )
    }

    /// The same for the superuser, who may restore.
    pub fn root_uri(&self, database: &str) -> String {
        self.uri(database).replacen(Self::USER, "root", 1)
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    fn keeper(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port);
        let uri = if self.is_open {
            uri
        } else {
            let password = percent_encoded(&self.password);
            uri.replace("//", &format!("//root:{password}@"))
        };
        command.arg(self.scratch.path().join("keeper.py")).args(args);
        command.env("MONGO_URI", uri).env("MONGO_PASSWORD", &self.password);
        command
    }

    /// Runs a command of `keeper.py`, which describes them, as the superuser; what it prints.
    pub fn keep(&self, args: &[&str]) -> String {
        self.try_keep(args).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// The same; what it complains about when it fails.
    pub fn try_keep(&self, args: &[&str]) -> Result<String, String> {
        feed(&mut self.keeper(args), b"")
    }

    /// Fills a database with one of everything that the server has, and a collection of `rows`
    /// documents of about 200 bytes.
    pub fn seed(&self, database: &str, rows: u64) {
        self.keep(&["seed", database, &rows.to_string()]);
    }

    /// Every definition, and a checksum of each collection's documents as bytes: equal for two
    /// databases exactly when one is a true restore of the other.
    pub fn digest(&self, database: &str) -> String {
        self.keep(&["digest", database])
    }

    /// Writes to a database until the value is dropped.
    pub fn writer(&self, database: &str) -> Writer {
        let mut command = self.keeper(&["tick", database]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Writer { child: Some(command.spawn().unwrap()) }
    }

    /// Restores a database of an archive into a new one of another name: with the real
    /// mongorestore when there is one, and otherwise by a reader of our own.
    pub fn restore(&self, source: &str, target: &str, archive: &[u8]) -> Result<(), String> {
        let file = self.scratch.path().join("restored");
        fs::write(&file, archive).unwrap();
        self.keep(&["drop", target]);
        let Some(tool) = real("mongorestore") else {
            return self
                .try_keep(&["restore", source, target, &file.display().to_string()])
                .map(drop);
        };
        let mut command = Command::new(tool);
        command
            .arg(format!("--uri={}", self.uri("").replace("stash:", "root:")))
            .arg(format!("--archive={}", file.display()))
            .args(archive.starts_with(&[0x1f, 0x8b]).then_some("--gzip"))
            .args([format!("--nsFrom={source}.*"), format!("--nsTo={target}.*")])
            .arg(format!("--nsInclude={source}.*"))
            .args(["--stopOnError", "--preserveUUID=false"]);
        feed(&mut command, b"").map(drop)
    }

    /// The `PATH` of a run that finds this mongodump. `None`, said loudly, when there is no real
    /// one: no registry has it, so its absence is an error nowhere.
    pub fn path(&self, which: Mongodump) -> Option<OsString> {
        let dir = self.scratch.dir(match which {
            Mongodump::Fake => "fake",
            Mongodump::Real => "real",
        });
        let program = dir.join("mongodump");
        if !program.exists() {
            match which {
                Mongodump::Fake => {
                    for (name, code) in [
                        ("mongorestore", include_str!("mongorestore.py")),
                        ("mongodump", include_str!("mongodump.py")),
                    ] {
                        // The kernel takes no long first line; a path of an interpreter may be one.
                        let script = dir.join(name).with_extension("py");
                        fs::write(&script, code).unwrap();
                        let text = format!(
                            "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
                            self.python.display(),
                            script.display()
                        );
                        tools::write_program(&dir.join(name), &text);
                    }
                }
                Mongodump::Real => {
                    let Some(tool) = real("mongodump") else {
                        tools::absent(
                            "no registry has a real mongodump; set DBSTASH_TEST_MONGODUMP",
                        );
                        return None;
                    };
                    symlink(tool, &program).unwrap();
                }
            }
        }
        let inherited = tools::path();
        let rest = std::env::split_paths(&inherited);
        Some(std::env::join_paths(std::iter::once(dir).chain(rest)).unwrap())
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Signal::KILL);
        }
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Signal::TERM);
        }
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            server.signal(Signal::KILL);
            eventually(Duration::from_secs(10), || server.has_ended());
        }
    }
}

/// Somebody who writes to a server.
#[derive(Debug)]
pub struct Writer {
    child: Option<Child>,
}

impl Writer {
    /// Ends it; how many times it wrote.
    pub fn stop(mut self) -> u64 {
        let child = self.child.take().unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let count = String::from_utf8_lossy(&output.stdout);
        count.trim().parse().unwrap_or_else(|_| panic!("the writer failed: {errors}"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A real tool of MongoDB's: beside that of `DBSTASH_TEST_MONGODUMP`, or on `PATH`.
fn real(program: &str) -> Option<PathBuf> {
    let given = std::env::var_os("DBSTASH_TEST_MONGODUMP").map(PathBuf::from);
    let beside = given.map(|path| match program {
        "mongodump" => path,
        other => path.parent().unwrap_or(Path::new(".")).join(other),
    });
    beside.filter(|path| path.is_file()).or_else(|| tools::find(program))
}

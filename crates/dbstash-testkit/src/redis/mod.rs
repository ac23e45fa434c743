//! Private Redis and Valkey servers.

mod client;
pub mod fake;
pub mod rdb;
mod seed;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

pub use self::client::{Client, Reply, command};
pub use self::fake::FakeMaster;
use crate::clients::Clients;
use crate::procs::{self, Process};
use crate::server::{Server, dies_with_test, eventually};
use crate::{Scratch, tools};

/// The servers that are tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Redis 7.0, this machine's.
    Redis7,
    /// Redis 8.0, with its tools.
    Redis8,
    /// Valkey 9.1, with its tools.
    Valkey9,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Redis7, Self::Redis8, Self::Valkey9];

    fn program(self, what: &str) -> String {
        let prefix = if self == Self::Valkey9 { "valkey" } else { "redis" };
        format!("{prefix}-{what}")
    }
}

/// A Redis or Valkey server of a test's own, with a directory that is gone afterwards.
///
/// It listens on a loopback port and on a socket, saves nothing by itself, and lets everybody in unless it is told
/// otherwise; the test's own connections are those of a user that may do everything.
#[derive(Debug)]
pub struct RedisServer {
    family: Family,
    clients: Clients,
    scratch: Scratch,
    port: u16,
    server: Server,
}

/// How long a server may take to start and to load what it finds.
const STARTS: Duration = Duration::from_secs(60);

impl RedisServer {
    /// An empty server. `None`, said loudly, when it is not installed.
    pub fn start(family: Family) -> Option<Self> {
        Self::start_with(family, &[])
    }

    /// The same with more arguments for the server.
    pub fn start_with(family: Family, arguments: &[&str]) -> Option<Self> {
        let install = Install::find(family)?;
        Some(install.run(arguments, true).unwrap_or_else(|log| panic!("{family:?}: {log}")))
    }

    /// A server that starts with this dump; or what it said when it did not. Panics when it is not installed.
    pub fn of_dump(family: Family, dump: &[u8]) -> Result<Self, String> {
        let install = Install::find(family).unwrap();
        fs::write(install.scratch.path().join("dump.rdb"), dump).unwrap();
        install.run(&[], true)
    }

    /// A server that starts with this dump as the base of an append-only file; or what it said when it did not. Panics
    /// when it is not installed.
    pub fn of_aof_base(family: Family, dump: &[u8]) -> Result<Self, String> {
        let install = Install::find(family).unwrap();
        let dir = install.scratch.dir("appendonlydir");
        fs::write(dir.join("appendonly.aof.1.base.rdb"), dump).unwrap();
        let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
            file appendonly.aof.1.incr.aof seq 1 type i\n";
        fs::write(dir.join("appendonly.aof.1.incr.aof"), "").unwrap();
        fs::write(dir.join("appendonly.aof.manifest"), manifest).unwrap();
        install.run(&["--appendonly", "yes"], true)
    }

    /// A server that is up and still at loading this dump.
    pub fn loading(family: Family, dump: &[u8], arguments: &[&str]) -> Self {
        let install = Install::find(family).unwrap();
        fs::write(install.scratch.path().join("dump.rdb"), dump).unwrap();
        install.run(arguments, false).unwrap()
    }

    /// Which one it is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("sock")
    }

    /// Its working directory.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn uri(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A `PATH` on which the tools of its version come first.
    pub fn path(&self) -> OsString {
        self.clients.path()
    }

    /// A new connection of the user that may do everything.
    pub fn client(&self) -> Client {
        let mut client = Client::connect(self.port).unwrap();
        client.ask(&["AUTH", "kit", "kit"]).unwrap();
        client
    }

    /// The answer to a command whose words are apart by spaces; panics when it is refused.
    pub fn ask(&self, command: &str) -> Reply {
        let words: Vec<_> = command.split(' ').collect();
        let reply = self.client().ask(&words).unwrap();
        assert!(!matches!(reply, Reply::Error(_)), "{command}: {reply:?}");
        reply
    }

    /// A value of `INFO`, empty when there is none.
    pub fn info(&self, name: &str) -> String {
        let all = self.ask("INFO everything").text();
        let value = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim_end().to_owned()
    }

    /// The process that makes a dump at the moment.
    pub fn saving(&self) -> Option<Process> {
        procs::descendants(self.server.pid().as_raw_nonzero().get()).into_iter().next()
    }

    /// Sends it a signal: `KILL`, `STOP`, `CONT`.
    pub fn signal(&mut self, signal: Signal) {
        self.server.signal(signal);
    }

    /// Starts it again where it was, with its directory as it is.
    pub fn restart(&mut self) {
        self.server.restart(self.port);
        assert!(self.is_ready(), "{}", self.log());
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// What the checking tool of its version says of a dump: `Err` when it finds fault with it.
    pub fn check_rdb(&self, dump: &[u8]) -> Result<(), String> {
        let file = self.scratch.path().join("checked.rdb");
        fs::write(&file, dump).unwrap();
        let name = self.family.program("check-rdb");
        let program = self.clients.own(&name).or_else(|| tools::require(&name)).unwrap();
        let output = Command::new(program).arg(&file).output().unwrap();
        fs::remove_file(&file).unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn is_ready(&mut self) -> bool {
        let port = self.port;
        self.server.wait_until(STARTS, &mut || {
            let pong = Client::connect(port).and_then(|mut client| {
                client.ask(&["AUTH", "kit", "kit"])?;
                client.ask(&["PING"])
            });
            // A replica without its master is up, too.
            let ready = |text: String| text == "PONG" || text.starts_with("MASTERDOWN");
            pong.is_ok_and(|reply| ready(reply.text()))
        })
    }
}

/// What is installed, and a place to run it in.
struct Install {
    family: Family,
    clients: Clients,
    scratch: Scratch,
    server: PathBuf,
}

impl Install {
    fn find(family: Family) -> Option<Self> {
        let scratch = Scratch::new("redis");
        let server = family.program("server");
        if family == Family::Redis7 {
            tools::require("redis-cli")?;
            let server = tools::require(&server)?;
            return Some(Self { family, clients: Clients::of_machine(), scratch, server });
        }
        let root = tools::checkout().join(".tools/roots/redis80");
        if !root.join("usr/bin").join(&server).exists() {
            tools::skip(&format!("{family:?} is missing"));
            return None;
        }
        let programs = ["server", "cli", "check-rdb"]
            .map(|what| Path::new("/usr/bin").join(family.program(what)));
        let dir = scratch.dir("clients");
        let clients = Clients::of_root(&root, &programs, &dir);
        if family == Family::Valkey9 {
            // As Debian's valkey-redis-compat has it.
            tools::copy_program(&dir.join("valkey-cli"), &dir.join("redis-cli"));
        }
        let server = dir.join(server);
        Some(Self { family, clients, scratch, server })
    }

    /// Starts it; `Err` with its log when it does not come up.
    fn run(self, arguments: &[&str], until_ready: bool) -> Result<RedisServer, String> {
        let Self { family, clients, scratch, server: program } = self;
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let make = |port: u16| {
            let mut command = dies_with_test("KILL", &program);
            command.current_dir(scratch.path());
            command.args(["--port", &port.to_string(), "--save", ""]);
            command.args(["--bind", "127.0.0.1", "-::1"]).arg("--dir").arg(scratch.path());
            command.arg("--unixsocket").arg(scratch.path().join("sock"));
            command.args(["--user", "kit", "on", "nopass", "~*", "&*", "+@all"]);
            command.args(["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"]);
            command.args(["--daemonize", "no", "--logfile", ""]).args(arguments);
            command
        };
        let log = scratch.path().join("log");
        let mut tried = 0;
        loop {
            // One that cannot load what it finds ends before it listens, or just after.
            let port = crate::scratch::free_port();
            let mut server = Server::start(make(port), &log);
            let pid = server.pid();
            let mut up = || procs::listens(pid, port) && Client::connect(port).is_ok();
            if server.wait_until(STARTS, &mut up) && !server.has_ended() {
                let mut this = RedisServer { family, clients, scratch, port, server };
                if until_ready && !this.is_ready() {
                    return Err(this.log());
                }
                return Ok(this);
            }
            tried += 1;
            let log = server.log();
            if tried == 5 || !log.contains("Address already in use") {
                return Err(log);
            }
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A dump that is being made goes with it.
        let saving = self.saving();
        self.server.signal(Signal::KILL);
        eventually(Duration::from_secs(10), || self.server.has_ended());
        if let Some(saving) = saving {
            saving.signal(Signal::KILL);
        }
    }
}

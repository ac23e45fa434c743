//! A private `PostgreSQL` server.

mod digest;
mod install;

use std::ffi::OsString;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use self::install::Install;
use crate::clients::Clients;
use crate::feed::{feed, percent_encoded};
use crate::scratch::{Scratch, free_port};
use crate::server::{Server, eventually};

/// A `PostgreSQL` server of a test's own, with a data directory that is gone afterwards.
///
/// It listens on a loopback port, where the role [`PgServer::ROLE`] logs in by password (scram) and
/// nobody else can, and on a socket, where the superuser `postgres` needs none.
#[derive(Debug)]
pub struct PgServer {
    install: Install,
    clients: Clients,
    scratch: Scratch,
    port: u16,
    password: String,
    server: Option<Server>,
    crashed: bool,
}

impl PgServer {
    /// The role that owns the databases made here; no superuser.
    pub const ROLE: &'static str = "stash";

    /// The newest version this machine has. `None`, said loudly, when there is none.
    pub fn start(password: &str) -> Option<Self> {
        Some(Self::run(Install::of_machine()?, None, password))
    }

    /// A server of version 18 with its clients; it is newer than the machine's.
    pub fn start_18(password: &str) -> Option<Self> {
        Self::start_version("18", password)
    }

    /// A server of this major version with its clients, which `scripts/setup` unpacked.
    pub fn start_version(major: &str, password: &str) -> Option<Self> {
        Some(Self::run(Install::of_root(&format!("pg{major}"), major)?, None, password))
    }

    /// This machine's server with the clients of version 18.
    pub fn start_with_clients_18(password: &str) -> Option<Self> {
        let newer = Install::of_root("pg18", "18")?;
        Some(Self::run(Install::of_machine()?, Some(&newer), password))
    }

    fn run(install: Install, clients_of: Option<&Install>, password: &str) -> Self {
        let scratch = install.scratch();
        let clients = clients_of.unwrap_or(&install).clients(&scratch.dir("clients"));
        let data = scratch.path().join("data");
        let init = install
            .run("initdb")
            .arg("-D")
            .arg(install.inside(&data))
            .args(["-U", "postgres", "-A", "trust", "--no-sync"])
            .args(["-E", "UTF8", "--locale=C.UTF-8"])
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        fs::write(
            data.join("pg_hba.conf"),
            "local all postgres trust\nlocal all all scram-sha-256\n\
             host all stash 127.0.0.1/32 scram-sha-256\nhost all stash ::1/128 scram-sha-256\n",
        )
        .unwrap();
        let mut this = Self {
            install,
            clients,
            scratch,
            port: 0,
            password: password.to_owned(),
            server: None,
            crashed: false,
        };
        this.restart();
        let quoted = password.replace('\'', "''");
        this.psql("postgres", &format!("CREATE ROLE stash LOGIN PASSWORD '{quoted}'"));
        this
    }

    /// Starts it again after it was stopped in whatever way, on another port.
    pub fn restart(&mut self) {
        self.server = None;
        for _ in 0..5 {
            self.port = free_port();
            let mut server = self.launch();
            let mut ready = || self.accepts_connections();
            if server.wait_until(Duration::from_secs(60), &mut ready) {
                self.server = Some(server);
                self.crashed = false;
                return;
            }
        }
        panic!("the server did not come up: {}", self.log());
    }

    /// Restarts it as `pg_ctl restart -m fast` does: its connections are cut, the port stays.
    pub fn bounce(&mut self) {
        self.stop();
        let mut server = self.launch();
        let up = server.wait_until(Duration::from_secs(60), &mut || self.accepts_connections());
        assert!(up, "the server did not come up: {}", self.log());
        self.server = Some(server);
    }

    fn launch(&self) -> Server {
        let settings = [
            format!("unix_socket_directories={}", self.inner_dir().display()),
            "listen_addresses=127.0.0.1,::1".to_owned(),
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
            // A chroot has no /dev/shm.
            "dynamic_shared_memory_type=mmap".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        let mut command = self.install.run_until_death("postgres");
        command.arg("-D").arg(self.inner_dir().join("data")).args(["-p", &self.port.to_string()]);
        for setting in settings {
            command.args(["-c", &setting]);
        }
        Server::start(command, &self.scratch.path().join("log"))
    }

    fn accepts_connections(&self) -> bool {
        self.client("pg_isready")
            .args(["-q", "-t", "1"])
            .status()
            .is_ok_and(|status| status.success())
    }

    /// The loopback address.
    pub fn host(&self) -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    /// The port, on both loopback addresses, and in the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the socket.
    pub fn socket_dir(&self) -> &Path {
        self.scratch.path()
    }

    /// A `PATH` on which its clients are the first.
    pub fn path(&self) -> OsString {
        self.clients.path()
    }

    /// The password of the role, as given.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The URI of a database for the role, over TCP, with password.
    pub fn uri(&self, database: &str) -> String {
        format!(
            "postgresql://{}:{}@{}:{}/{}",
            Self::ROLE,
            percent_encoded(&self.password),
            self.host(),
            self.port,
            percent_encoded(database)
        )
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> rustix::process::Pid {
        self.server.as_ref().unwrap().pid()
    }

    /// Whether it was started and not stopped.
    pub fn is_running(&self) -> bool {
        self.server.is_some()
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    /// Makes an empty database that belongs to the role.
    pub fn createdb(&self, database: &str) {
        let name = database.replace('"', "\"\"");
        self.psql(
            "postgres",
            &format!("CREATE DATABASE \"{name}\" OWNER stash TEMPLATE template0"),
        );
    }

    /// Runs statements as the superuser; the rows, unaligned, fields parted by `|`. Panics at the
    /// first error.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.feed(database, sql.as_bytes())
            .unwrap_or_else(|error| panic!("psql {database}: {error}\n{sql:.2000}"))
    }

    /// Restores a plain dump as the superuser with stock psql, stopping at the first error, which
    /// is given back.
    pub fn feed(&self, database: &str, sql: &[u8]) -> Result<String, String> {
        let mut psql = self.client("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        feed(psql.args(["-d", &conninfo(database)]), sql)
    }

    /// Fills a database of the role with one of everything, and a table of `bulk_rows` rows of
    /// about 200 bytes.
    pub fn seed_shop(&self, database: &str, bulk_rows: u64) {
        let seed = include_str!("shop.sql");
        self.psql(database, &format!("\\set bulk_rows {bulk_rows}\n{seed}"));
        self.psql(database, include_str!("odds.sql"));
        if self.psql(database, "SELECT current_setting('server_version_num')::int >= 180000") == "t"
        {
            self.psql(database, include_str!("own_18.sql"));
        }
    }

    /// What makes a database that database: the schema and a checksum of each table's rows,
    /// sequence and large object. Equal for two databases of one version exactly when one is a true
    /// restore of the other.
    pub fn digest(&self, database: &str) -> String {
        digest::of(self, database)
    }

    /// The part of it that is the same for servers of all versions: everything but the schema.
    pub fn contents(&self, database: &str) -> String {
        digest::contents(self, database)
    }

    /// A client program, told to connect to the socket as the superuser.
    pub fn client(&self, program: &str) -> Command {
        let (mut command, socket) = match self.clients.own(program) {
            Some(own) => (Command::new(own), self.scratch.path().to_owned()),
            None => (self.install.run(program), self.inner_dir()),
        };
        command
            .env("PGHOST", socket)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGTZ", "UTC");
        command
    }

    /// Stops it as `pg_ctl stop -m fast` does; its connections are cut.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Signal::INT);
        }
    }

    /// Stops it as `pg_ctl stop -m immediate` does: nothing is finished, nothing tidied.
    pub fn stop_at_once(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Signal::QUIT);
        }
    }

    /// Kills it; all of its processes are gone afterwards.
    pub fn crash(&mut self) {
        self.crashed = true;
        let Some(mut server) = self.server.take() else {
            return;
        };
        let parent = server.pid().as_raw_nonzero().get();
        let backends = crate::procs::descendants(parent);
        server.stop(Signal::KILL);
        let gone = |pid: i32| !Path::new("/proc").join(pid.to_string()).exists();
        eventually(Duration::from_secs(10), || backends.iter().all(|backend| gone(backend.pid)));
    }

    fn inner_dir(&self) -> PathBuf {
        self.install.inside(self.scratch.path())
    }

    /// A killed server leaves a few bytes of System V shared memory behind; its pid file knows
    /// which.
    fn remove_shared_memory(&self) {
        let pid_file = fs::read_to_string(self.scratch.path().join("data/postmaster.pid"));
        let pid_file = pid_file.unwrap_or_default();
        let id = pid_file.lines().nth(6).and_then(|line| line.split_whitespace().last());
        if let Some(id) = id {
            let _ = Command::new("ipcrm").args(["-m", id]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for PgServer {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // Immediate: nothing in it is worth a checkpoint.
            server.signal(Signal::QUIT);
            eventually(Duration::from_secs(10), || server.has_ended());
        }
        if self.crashed {
            self.remove_shared_memory();
        }
    }
}

/// A connection string that takes any database name for a name.
fn conninfo(database: &str) -> String {
    let name = database.replace('\\', "\\\\").replace('\'', "\\'");
    format!("dbname='{name}'")
}

//! Private MySQL and MariaDB servers.

mod digest;
mod install;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use self::install::Install;
use crate::clients::Clients;
use crate::feed::{feed, percent_encoded};
use crate::scratch::{Scratch, free_port};
use crate::server::{Server, eventually};
use crate::tools;

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Oracle's.
    Mysql,
    /// MariaDB's.
    Mariadb,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mariadb, Self::Mysql];

    /// The scheme of its URIs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }

    /// The program that dumps.
    pub fn dump_tool(self) -> &'static str {
        match self {
            Self::Mysql => "mysqldump",
            Self::Mariadb => "mariadb-dump",
        }
    }

    /// What only this family has.
    fn own_seed(self) -> &'static str {
        match self {
            Self::Mysql => include_str!("own_mysql.sql"),
            Self::Mariadb => include_str!("own_mariadb.sql"),
        }
    }
}

/// A MariaDB or MySQL server of a test's own, with a data directory that is gone afterwards.
///
/// It listens on a loopback port and on a socket. The user [`MysqlServer::USER`] logs in by
/// password and may do what a backup needs; the superuser is `root`, without a password.
#[derive(Debug)]
pub struct MysqlServer {
    install: Install,
    scratch: Scratch,
    clients: Clients,
    port: u16,
    password: String,
    options: Vec<String>,
    server: Option<Server>,
}

/// What the user of a backup needs.
const GRANTED: &str = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, RELOAD, PROCESS, EXECUTE";

impl MysqlServer {
    /// The user of the backup.
    pub const USER: &'static str = "stash";

    /// A server of this family; see the next two.
    pub fn start(family: Family, password: &str) -> Option<Self> {
        match family {
            Family::Mysql => Self::start_mysql(password),
            Family::Mariadb => Self::start_mariadb(password),
        }
    }

    /// This machine's MariaDB. `None`, said loudly, when there is none.
    pub fn start_mariadb(password: &str) -> Option<Self> {
        Some(Self::run(Install::mariadb()?, password))
    }

    /// MariaDB 11.8 with its clients, which `scripts/setup versions` unpacked. `None`, said loudly,
    /// when there is none.
    pub fn start_mariadb_118(password: &str) -> Option<Self> {
        Some(Self::run(Install::mariadb_118()?, password))
    }

    /// The MySQL that `scripts/setup test` unpacked, with GTIDs. `None`, said loudly, when there is
    /// none.
    pub fn start_mysql(password: &str) -> Option<Self> {
        Some(Self::run(Install::mysql()?, password))
    }

    fn run(install: Install, password: &str) -> Self {
        let scratch = install.scratch();
        install.initialize(scratch.path());
        let (clients, password) = (install.clients(&scratch), password.to_owned());
        let (port, options, server) = (0, Vec::new(), None);
        let mut this = Self { install, scratch, clients, port, password, options, server };
        this.restart();
        let quoted = this.password.replace('\\', "\\\\").replace('\'', "''");
        for host in ["127.0.0.1", "localhost"] {
            this.sql(
                "",
                &format!(
                    "CREATE USER 'stash'@'{host}' IDENTIFIED BY '{quoted}'; GRANT {GRANTED} ON *.* TO 'stash'@'{host}'"
                ),
            );
        }
        this
    }

    /// Which family it is of.
    pub fn family(&self) -> Family {
        self.install.family
    }

    /// Starts it again, on another port.
    pub fn restart(&mut self) {
        self.server = None;
        for _ in 0..5 {
            self.port = free_port();
            let command = self.install.server(self.scratch.path(), self.port, &self.options);
            let mut server = Server::start(command, &self.scratch.path().join("log"));
            let mut ready = || self.try_sql("", b"SELECT 1").is_ok();
            if server.wait_until(Duration::from_secs(120), &mut ready) {
                self.server = Some(server);
                return;
            }
        }
        panic!("the server did not come up: {}", self.log());
    }

    /// Another option for its next start.
    pub fn add_option(&mut self, option: String) {
        self.options.push(option);
    }

    /// Kills it as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Signal::KILL);
        }
    }

    /// The port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the socket.
    pub fn socket(&self) -> String {
        self.scratch.path().join("sock").display().to_string()
    }

    /// A directory that the server can read, and we can write.
    pub fn dir(&self, name: &str) -> PathBuf {
        self.scratch.dir(name)
    }

    /// A path in it as an option of the server's.
    pub fn option(&self, name: &str, path: &Path) -> String {
        self.install.option(name, path)
    }

    /// A `PATH` on which this family's clients come first.
    pub fn path(&self) -> OsString {
        self.clients.path()
    }

    /// The same, and the server's own program before them, which is made to run in this directory.
    pub fn path_with_server(&self, dir: &Path) -> OsString {
        self.install.own_server(dir);
        let path = self.path();
        let dirs = std::iter::once(dir.to_owned()).chain(std::env::split_paths(&path));
        std::env::join_paths(dirs).unwrap()
    }

    /// The URI of a database for the user, over TCP, with password.
    pub fn uri(&self, database: &str) -> String {
        let (password, database) = (percent_encoded(&self.password), percent_encoded(database));
        let (scheme, user) = (self.family().scheme(), Self::USER);
        format!("{scheme}://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    /// Makes an empty database.
    pub fn createdb(&self, database: &str) {
        self.sql("", &format!("CREATE DATABASE {}", quoted(database)));
    }

    /// Runs statements as the superuser; the rows, fields parted by tabs. Panics at an error.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql.as_bytes())
            .unwrap_or_else(|error| panic!("{database}: {error}\n{sql:.2000}"))
    }

    /// Restores a dump as the superuser with the stock client, stopping at the first error, which
    /// is given back.
    pub fn try_sql(&self, database: &str, sql: &[u8]) -> Result<String, String> {
        let mut client = self.client(self.family().scheme());
        client.args(["--batch", "--raw", "--skip-column-names"]);
        // Some versions leave comments out of what they send.
        client.args(["--default-character-set=utf8mb4", "--comments"]);
        if !database.is_empty() {
            client.arg(format!("--database={database}"));
        }
        feed(&mut client, sql)
    }

    /// One of the family's clients, as the superuser.
    pub fn client(&self, program: &str) -> Command {
        let program = self.clients.own(program).or_else(|| tools::require(program)).unwrap();
        let mut client = Command::new(program);
        // No option file.
        client.arg("--no-defaults").env("MYSQL_TEST_LOGIN_FILE", "/dev/null");
        client.args(["--user=root", "--max-allowed-packet=1G"]);
        client.arg(format!("--socket={}", self.socket()));
        client
    }

    /// Fills a database with one of everything, and a table of `bulk_rows` rows of about 200
    /// bytes.
    pub fn seed_shop(&self, database: &str, bulk_rows: u64) {
        let deep = match self.family() {
            Family::Mysql => "cte_max_recursion_depth",
            Family::Mariadb => "max_recursive_iterations",
        };
        let seed = include_str!("shop.sql").replace(":bulk_rows", &bulk_rows.to_string());
        self.sql(database, &seed.replace(":recursion_depth", deep));
        self.sql(database, self.family().own_seed());
    }

    /// Every definition, and a checksum of each table's rows: equal for two databases of one
    /// version of servers exactly when one is a true restore of the other.
    pub fn digest(&self, database: &str) -> String {
        digest::digest(self, database)
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Signal::TERM);
        }
    }
}

impl Drop for MysqlServer {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            server.signal(Signal::KILL);
            eventually(Duration::from_secs(10), || server.has_ended());
        }
    }
}

/// A name as SQL has it.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

//! Private MySQL and MariaDB servers.

mod install;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use self::install::Install;
use crate::feed::{feed, percent_encoded};
use crate::scratch::{Scratch, free_port};
use crate::server::{Server, eventually};

/// A MariaDB or MySQL server of a test's own, with a data directory that is gone afterwards.
///
/// It listens on a loopback port and on a socket. The user [`MysqlServer::USER`] logs in by
/// password and may do what a backup needs; the superuser is `root`, without a password.
#[derive(Debug)]
pub struct MysqlServer {
    install: Install,
    scratch: Scratch,
    port: u16,
    password: String,
    server: Option<Server>,
}

/// What the user of a backup needs.
const GRANTED: &str = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, RELOAD, PROCESS";
/// What only this family has.
const OWN_SEED: &str = "CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 7; SELECT NEXT VALUE FOR numbers;\n\
    CREATE TABLE own (id UUID PRIMARY KEY, at INET6);\n\
    INSERT INTO own VALUES ('123e4567-e89b-12d3-a456-426614174000', '::1');";

impl MysqlServer {
    /// The user of the backup.
    pub const USER: &'static str = "stash";

    /// This machine's MariaDB. `None`, said loudly, when there is none.
    pub fn start_mariadb(password: &str) -> Option<Self> {
        Some(Self::run(Install::mariadb()?, password))
    }

    fn run(install: Install, password: &str) -> Self {
        let scratch = install.scratch();
        install.initialize(scratch.path());
        let password = password.to_owned();
        let mut this = Self { install, scratch, port: 0, password, server: None };
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

    /// Starts it again, on another port.
    pub fn restart(&mut self) {
        self.server = None;
        for _ in 0..5 {
            self.port = free_port();
            let command = self.install.server(self.scratch.path(), self.port);
            let mut server = Server::start(command, &self.scratch.path().join("log"));
            let mut ready = || self.try_sql("", b"SELECT 1").is_ok();
            if server.wait_until(Duration::from_secs(120), &mut ready) {
                self.server = Some(server);
                return;
            }
        }
        panic!("the server did not come up: {}", self.log());
    }

    /// The port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the socket.
    pub fn socket(&self) -> String {
        self.scratch.path().join("sock").display().to_string()
    }

    /// The URI of a database for the user, over TCP, with password.
    pub fn uri(&self, database: &str) -> String {
        let (password, database) = (percent_encoded(&self.password), percent_encoded(database));
        format!("mariadb://{}:{password}@127.0.0.1:{}/{database}", Self::USER, self.port)
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
        let mut client = self.install.client(self.scratch.path());
        client.args(["--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4"]);
        if !database.is_empty() {
            client.arg(format!("--database={database}"));
        }
        feed(&mut client, sql)
    }

    /// Fills a database with one of everything, and a table of `bulk_rows` rows of about 200
    /// bytes.
    pub fn seed_shop(&self, database: &str, bulk_rows: u64) {
        let seed = include_str!("shop.sql").replace(":bulk_rows", &bulk_rows.to_string());
        self.sql(database, &seed);
        self.sql(database, OWN_SEED);
    }

    /// Every definition, and a checksum of each table's rows: equal for two databases of one
    /// server exactly when one is a true restore of the other.
    pub fn digest(&self, database: &str) -> String {
        let mut digest = String::new();
        let schema = format!("'{}'", database.replace('\'', "''"));
        let queries = [
            (
                "TABLE",
                format!(
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = {schema} ORDER BY 1"
                ),
            ),
            (
                "TRIGGER",
                format!(
                    "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = {schema} ORDER BY 1"
                ),
            ),
            (
                "EVENT",
                format!(
                    "SELECT event_name FROM information_schema.events WHERE event_schema = {schema} ORDER BY 1"
                ),
            ),
            (
                "PROCEDURE",
                format!(
                    "SELECT routine_name FROM information_schema.routines WHERE routine_schema = {schema} AND routine_type = 'PROCEDURE' ORDER BY 1"
                ),
            ),
            (
                "FUNCTION",
                format!(
                    "SELECT routine_name FROM information_schema.routines WHERE routine_schema = {schema} AND routine_type = 'FUNCTION' ORDER BY 1"
                ),
            ),
        ];
        for (kind, query) in queries {
            for name in self.sql(database, &query).lines() {
                let name = quoted(name);
                let created = self.sql(database, &format!("SHOW CREATE {kind} {name}"));
                // A trigger's birthday is told, too.
                let created = match kind {
                    "TRIGGER" => created.rsplit_once('\t').map_or("", |(before, _)| before),
                    _ => &created,
                };
                let _ = writeln!(digest, "{}", created.replace(database, "<db>"));
                if kind == "TABLE" {
                    let count = self.sql(database, &format!("SELECT COUNT(*) FROM {name}"));
                    let sum = self.sql(database, &format!("CHECKSUM TABLE {name} EXTENDED"));
                    let sum = sum.rsplit('\t').next().unwrap_or_default().to_owned();
                    let _ = writeln!(digest, "{name}: {count} rows, {sum}");
                }
            }
        }
        let charset = format!(
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = {schema}"
        );
        let _ = writeln!(digest, "{}", self.sql(database, &charset));
        digest
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

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A socket's path, as a client takes it.
fn socket(scratch: &Path) -> String {
    format!("--socket={}", scratch.join("sock").display())
}

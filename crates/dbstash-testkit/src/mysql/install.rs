//! Where a server is installed, and how it is started.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Family;
use crate::clients::Clients;
use crate::user::{self, is_root, system_user};
use crate::{Scratch, tools};

/// An installed MariaDB, or a MySQL in a root directory of its own.
#[derive(Debug)]
pub(super) struct Install {
    pub(super) family: Family,
    /// The directory that is `/` for the server.
    root: Option<PathBuf>,
    /// The server, as it is seen there.
    server: PathBuf,
    initializer: PathBuf,
    /// The user and group of a server; it refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Install {
    pub(super) fn mariadb() -> Option<Self> {
        // Debian keeps servers off the PATH of people.
        let server = Path::new("/usr/sbin/mariadbd");
        let server = if server.exists() { server.to_owned() } else { tools::require("mariadbd")? };
        tools::require("mariadb")?;
        let initializer = tools::require("mariadb-install-db")?;
        Some(Self {
            family: Family::Mariadb,
            root: None,
            server,
            initializer,
            user: system_user("mysql"),
        })
    }

    /// MariaDB 11.8, which `scripts/setup versions` unpacked.
    pub(super) fn mariadb_118() -> Option<Self> {
        let root = tools::checkout().join(".tools/roots/mariadb118");
        if !root.join("usr/sbin/mariadbd").exists() || !is_root() {
            tools::skip("MariaDB 11.8 is missing, or we are not root");
            return None;
        }
        let server = PathBuf::from("/usr/sbin/mariadbd");
        let initializer = PathBuf::from("/usr/bin/mariadb-install-db");
        let user = system_user("mysql");
        Some(Self { family: Family::Mariadb, root: Some(root), server, initializer, user })
    }

    /// The one that `scripts/debian-root` unpacked.
    pub(super) fn mysql() -> Option<Self> {
        let root = tools::checkout().join(".tools/roots/mysql97");
        if !root.join("usr/sbin/mysqld").exists() || !is_root() {
            tools::skip("MySQL 9.7 is missing, or we are not root");
            return None;
        }
        let server = PathBuf::from("/usr/sbin/mysqld");
        let (family, initializer) = (Family::Mysql, server.clone());
        Some(Self { family, root: Some(root), server, initializer, user: system_user("mysql") })
    }

    /// A directory that the server can write to.
    pub(super) fn scratch(&self) -> Scratch {
        user::scratch(self.root.as_deref(), self.user, "my")
    }

    /// The family's clients, as programs in this directory or on this machine.
    pub(super) fn clients(&self, scratch: &Scratch) -> Clients {
        match &self.root {
            Some(root) => {
                let names: &[&str] = match self.family {
                    Family::Mysql => &["mysql", "mysqldump", "mysql_config_editor"],
                    Family::Mariadb => &["mariadb", "mariadb-dump"],
                };
                let programs: Vec<_> =
                    names.iter().map(|name| Path::new("/usr/bin").join(name)).collect();
                Clients::of_root(root, &programs, &scratch.dir("clients"))
            }
            None => Clients::of_machine(),
        }
    }

    /// The server, as a program in this directory, unless it is this machine's.
    pub(super) fn own_server(&self, dir: &Path) {
        if let Some(root) = &self.root {
            Clients::of_root(root, std::slice::from_ref(&self.server), dir);
        }
    }

    pub(super) fn initialize(&self, scratch: &Path) {
        let mut init = self.as_user(&[], &self.initializer);
        match self.family {
            Family::Mariadb => {
                // --force: in a root directory no name is known.
                init.args(["--no-defaults", "--auth-root-authentication-method=normal", "--force"]);
                init.arg("--skip-test-db");
            }
            Family::Mysql => {
                init.args(["--no-defaults", "--initialize-insecure", "--secure-file-priv="]);
                init.args(SMALL);
            }
        }
        init.arg(self.option("datadir", &scratch.join("data")));
        init.arg(self.option("tmpdir", &self.temporary(scratch)));
        let init = init.output().unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    }

    /// The server; it ends with the test in whatever way that ends.
    pub(super) fn server(&self, scratch: &Path, port: u16, more: &[String]) -> Command {
        let mut command = self.as_user(&["--pdeathsig", "KILL"], &self.server);
        command
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--max-allowed-packet=256M"])
            .args(["--innodb-flush-method=nosync", "--event-scheduler=OFF"]);
        match self.family {
            Family::Mariadb => {
                command.args(["--skip-name-resolve=0", "--innodb-buffer-pool-size=64M"]);
            }
            Family::Mysql => {
                // A binary log with transactions that have names, as servers with replicas have.
                command.args(SMALL).args(["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]);
                command.args(["--mysqlx=OFF", "--secure-file-priv=", "--sync-binlog=0"]);
                command.arg("--innodb-flush-log-at-trx-commit=0");
            }
        }
        command
            .arg(format!("--port={port}"))
            .arg(self.option("socket", &scratch.join("sock")))
            .arg(self.option("pid-file", &scratch.join("pid")))
            .arg(self.option("datadir", &scratch.join("data")))
            .arg(self.option("tmpdir", &self.temporary(scratch)))
            .args(more);
        command
    }

    /// A directory of its own: a server that starts removes the temporary tables it finds, and so those of others.
    fn temporary(&self, scratch: &Path) -> PathBuf {
        let dir = scratch.join("tmp");
        fs::create_dir_all(&dir).unwrap();
        if let Some((user, group)) = self.user {
            chown(&dir, Some(user), Some(group)).unwrap();
        }
        dir
    }

    /// An option with a path of ours, as the server sees it.
    pub(super) fn option(&self, name: &str, path: &Path) -> String {
        let seen = match &self.root {
            Some(root) => Path::new("/").join(path.strip_prefix(root).unwrap()),
            None => path.to_owned(),
        };
        format!("--{name}={}", seen.display())
    }

    fn as_user(&self, options: &[&str], program: &Path) -> Command {
        let mut command = match &self.root {
            Some(root) => {
                let mut chroot = Command::new("chroot");
                chroot.arg(root).arg("setpriv");
                chroot
            }
            None => Command::new("setpriv"),
        };
        command.args(options);
        if let Some((user, group)) = self.user {
            command.args([format!("--reuid={user}"), format!("--regid={group}")]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(program).current_dir("/");
        command
    }
}

/// MySQL's defaults are for one server on a machine of its own.
const SMALL: [&str; 4] = [
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=64M",
    "--table-open-cache=400",
];

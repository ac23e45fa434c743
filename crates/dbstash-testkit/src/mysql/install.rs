//! Where a server is installed, and how it is started.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::socket;
use crate::{Scratch, tools};

/// An installed MariaDB.
#[derive(Debug)]
pub(super) struct Install {
    server: PathBuf,
    client: PathBuf,
    initializer: PathBuf,
    /// The user and group of a server; it refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Install {
    pub(super) fn mariadb() -> Option<Self> {
        // Debian keeps servers off the PATH of people.
        let server = Path::new("/usr/sbin/mariadbd");
        let server = if server.exists() { server.to_owned() } else { tools::require("mariadbd")? };
        Some(Self {
            server,
            client: tools::require("mariadb")?,
            initializer: tools::require("mariadb-install-db")?,
            user: server_user(),
        })
    }

    /// A directory that the server can write to.
    pub(super) fn scratch(&self) -> Scratch {
        let scratch = Scratch::new("maria");
        if let Some((user, group)) = self.user {
            chown(scratch.path(), Some(user), Some(group)).unwrap();
        }
        scratch
    }

    pub(super) fn initialize(&self, scratch: &Path) {
        let init = self
            .as_user(&[], &self.initializer)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", scratch.join("data").display()))
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    }

    /// The server; it ends with the test in whatever way that ends.
    pub(super) fn server(&self, scratch: &Path, port: u16) -> Command {
        let mut command = self.as_user(&["--pdeathsig", "KILL"], &self.server);
        command
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve=0"])
            .args(["--innodb-flush-method=nosync", "--max-allowed-packet=128M"])
            .args(["--innodb-buffer-pool-size=64M", "--event-scheduler=OFF"])
            .arg(format!("--port={port}"))
            .arg(socket(scratch))
            .arg(format!("--pid-file={}", scratch.join("pid").display()))
            .arg(format!("--datadir={}", scratch.join("data").display()));
        command
    }

    /// The client, as the superuser.
    pub(super) fn client(&self, scratch: &Path) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["--no-defaults", "--user=root", "--max-allowed-packet=128M"]);
        command.arg(socket(scratch));
        command
    }

    fn as_user(&self, options: &[&str], program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(options);
        if let Some((user, group)) = self.user {
            command.args([format!("--reuid={user}"), format!("--regid={group}")]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(program).current_dir("/");
        command
    }
}

/// For root, the user that Debian's package makes.
fn server_user() -> Option<(u32, u32)> {
    if !fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0) {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd.lines().find(|line| line.starts_with("mysql:"));
    let entry = entry.expect("MariaDB does not run as root, and there is no user mysql");
    let mut fields = entry.split(':').skip(2);
    let mut number = || fields.next().unwrap().parse().unwrap();
    Some((number(), number()))
}

//! Where a `PostgreSQL` is installed, and as whom it runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::Clients;
use crate::server::dies_with_test;
use crate::user::{self, is_root, system_user};
use crate::{Scratch, tools};

/// An installed `PostgreSQL`: this machine's, or one in a root directory of its own.
#[derive(Debug)]
pub(super) struct Install {
    /// The directory that is `/` for its programs.
    root: Option<PathBuf>,
    /// The directory of the programs, as they see it.
    bin: PathBuf,
    /// The user and group of a server; it refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Install {
    pub(super) fn of_machine() -> Option<Self> {
        // A symbolic link somewhere else has not the other programs beside it.
        let initdb = tools::require("initdb")?.canonicalize().ok()?;
        Some(Self { root: None, bin: initdb.parent()?.to_owned(), user: system_user("postgres") })
    }

    /// The one that `scripts/debian-root` unpacked.
    pub(super) fn of_root(name: &str, version: &str) -> Option<Self> {
        let root = tools::checkout().join(".tools/roots").join(name);
        let bin = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
        let programs = root.join(bin.strip_prefix("/").unwrap());
        if !programs.join("postgres").exists() || !is_root() {
            tools::skip(&format!("PostgreSQL {version} is missing, or we are not root"));
            return None;
        }
        Some(Self { root: Some(root), bin, user: system_user("postgres") })
    }

    /// A directory that the server can write to.
    pub(super) fn scratch(&self) -> Scratch {
        user::scratch(self.root.as_deref(), self.user, "pg")
    }

    /// Its clients, which are made in this directory if they are not this machine's.
    pub(super) fn clients(&self, dir: &Path) -> Clients {
        let Some(root) = &self.root else { return Clients::of_machine() };
        let names = ["pg_dump", "pg_dumpall", "pg_isready", "pg_restore", "psql"];
        Clients::of_root(root, &names.map(|name| self.bin.join(name)), dir)
    }

    /// A path of ours as the programs see it.
    pub(super) fn inside(&self, path: &Path) -> PathBuf {
        match &self.root {
            Some(root) => Path::new("/").join(path.strip_prefix(root).unwrap()),
            None => path.to_owned(),
        }
    }

    /// One of its programs, run as the server's user.
    pub(super) fn run(&self, program: &str) -> Command {
        self.as_user(Command::new("setpriv"), &[], program)
    }

    /// A server that shuts down when the test ends in whatever way.
    pub(super) fn run_until_death(&self, program: &str) -> Command {
        // The kernel forgets the death signal when the user changes: one setpriv has to do both.
        if self.user.is_none() {
            return dies_with_test("QUIT", &self.bin.join(program));
        }
        self.as_user(Command::new("setpriv"), &["--pdeathsig", "QUIT"], program)
    }

    fn as_user(&self, setpriv: Command, options: &[&str], program: &str) -> Command {
        let Some((user, group)) = self.user else {
            return Command::new(self.bin.join(program));
        };
        let mut command = match &self.root {
            None => setpriv,
            Some(root) => {
                let mut chroot = Command::new("chroot");
                chroot.arg(root).arg("setpriv");
                chroot
            }
        };
        command
            .args(options)
            .args([format!("--reuid={user}"), format!("--regid={group}")])
            .args(["--clear-groups", "--"])
            .arg(self.bin.join(program))
            // Programs may not be able to enter the directory the test runs in.
            .current_dir("/");
        command
    }
}

//! What every part works with: programs, their environment, a place for files.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use dbstash_testkit::{Scratch, TestRemote, tools};
use serde_json::Value;

use crate::options::Options;

/// How the reason begins for a figure that cannot be had here, and is no failure.
pub(crate) const NOT_AVAILABLE: &str = "not available";

/// Programs and places.
pub(crate) struct Scene {
    /// What is asked for.
    pub(crate) options: Options,
    /// Gone at the end.
    pub(crate) scratch: Scratch,
    dbstash: PathBuf,
    path: OsString,
}

/// A backup as `dbstash list` shows it.
pub(crate) struct Listed {
    /// The name of the dump.
    pub(crate) name: String,
    /// Its bytes on the remote.
    pub(crate) bytes: u64,
    /// Its bytes before any compression.
    pub(crate) raw_bytes: u64,
}

impl Listed {
    /// Whether it was compressed as it streamed; an error where it was to be and is not.
    pub(crate) fn expect_zstd(&self) -> Result<(), String> {
        match Path::new(&self.name).extension() {
            Some(extension) if extension == "zst" => Ok(()),
            _ => Err(format!("{NOT_AVAILABLE}: this dbstash does not compress")),
        }
    }
}

impl Scene {
    /// Takes the `dbstash` that was built beside this program.
    pub(crate) fn new(options: Options) -> Result<Self, String> {
        let me = env::current_exe().map_err(|error| error.to_string())?;
        let dbstash = me.with_file_name("dbstash");
        if !dbstash.exists() {
            return Err("there is no dbstash beside this program: run scripts/bench".into());
        }
        // The server's own clients: what Debian has on PATH starts a Perl script first.
        let server = tools::find("initdb").and_then(|initdb| initdb.canonicalize().ok());
        let own = server.iter().filter_map(|initdb| initdb.parent()).map(Path::to_owned);
        let usual = tools::path();
        let path = env::join_paths(own.chain(env::split_paths(&usual)));
        Ok(Self {
            options,
            scratch: Scratch::new("bench"),
            dbstash,
            path: path.map_err(|error| error.to_string())?,
        })
    }

    /// A program with nothing in its environment but what this bench decides.
    pub(crate) fn command(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        remote: &TestRemote,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.scratch.dir("home"))
            .env("RCLONE_CONFIG", "/dev/null")
            .envs(remote.env());
        command
    }

    /// One backup by dbstash, everything else at its default.
    pub(crate) fn dbstash(&self, uri: &str, remote: &TestRemote) -> Command {
        let mut command = self.command(&self.dbstash, remote);
        command
            .env("DB_URI", uri)
            .env("RCLONE_REMOTE", remote.root())
            .env("BACKUP_SCHEDULE", "once")
            // No pipe stores the roles, too.
            .env("PG_GLOBALS", "off")
            .env("DBSTASH_STATE_DIR", self.scratch.path().join("state"));
        command
    }

    /// What dbstash lists as backups on a remote.
    pub(crate) fn listed(&self, uri: &str, remote: &TestRemote) -> Result<Vec<Listed>, String> {
        let mut list = self.dbstash(uri, remote);
        let output = list.args(["list", "--json"]).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("list: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let answer: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let listed = |backup: &Value| {
            let dump = &backup["objects"][0];
            Some(Listed {
                name: dump["name"].as_str()?.to_owned(),
                bytes: dump["bytes"].as_u64()?,
                raw_bytes: dump["raw_bytes"].as_u64()?,
            })
        };
        let backups = answer["backups"].as_array().ok_or("no backups in the answer of list")?;
        backups.iter().map(|backup| listed(backup).ok_or("not understood".into())).collect()
    }

    /// The `PATH` of programs.
    pub(crate) fn path(&self) -> &OsString {
        &self.path
    }

    /// Where the last run's output goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }
}

/// Empties a remote. What was written and not yet on disk is dropped or written: no run pays for
/// another one's.
pub(crate) fn empty(remote: &TestRemote) {
    // What was never written to is not there; that is as good.
    let _ = remote.rclone(&["purge", remote.root()]).output();
    assert!(remote.objects().is_empty(), "the remote was not emptied");
    rustix::fs::sync();
}

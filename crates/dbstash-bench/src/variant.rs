//! Ways to get a dump to a remote.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dbstash_testkit::{RemoteKind, TestRemote, tools};

use crate::scene::Scene;

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// `pg_dump > /dev/null`: no way is faster.
    Floor,
    /// What people write: `pg_dump | rclone rcat`.
    Bare,
    /// The same without rclone's checksums, which nothing in it compares to anything.
    Fastest,
    /// dbstash as it comes.
    Dbstash,
    /// dbstash with `BACKUP_COMPRESSION=zstd:1`.
    DbstashZstd,
    /// `pg_dump | zstd -T0 -1 | rclone rcat --ignore-checksum`.
    ZstdPipe,
    /// restic's first backup, where it is installed.
    Restic,
    /// Another program, by `BENCH_PEER`.
    Peer,
}

impl Variant {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 8] = [
        Self::Floor,
        Self::Bare,
        Self::Fastest,
        Self::Dbstash,
        Self::ZstdPipe,
        Self::DbstashZstd,
        Self::Restic,
        Self::Peer,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "dump > /dev/null, stores nothing",
            Self::Bare => "dump | rclone rcat",
            Self::Fastest => "dump | rcat --ignore-checksum",
            Self::Dbstash => "dbstash",
            Self::DbstashZstd => "dbstash, zstd:1",
            Self::ZstdPipe => "dump | zstd -T0 -1 | rcat ...",
            Self::Restic => "restic, full",
            Self::Peer => "peer",
        }
    }

    /// Whether it is dbstash.
    pub(crate) fn is_dbstash(self) -> bool {
        matches!(self, Self::Dbstash | Self::DbstashZstd)
    }

    /// Whether it stores the dump's bytes as they are.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Bare | Self::Fastest | Self::Dbstash)
    }

    /// Whether this machine has what it needs.
    pub(crate) fn is_possible(self, scene: &Scene, remote: &TestRemote) -> bool {
        match self {
            // It knows no remote: once is enough.
            Self::Floor => remote.kind() == RemoteKind::Local,
            Self::ZstdPipe => tools::find("zstd").is_some(),
            Self::Restic => tools::find("restic").is_some() && remote.kind() == RemoteKind::Local,
            Self::Peer => scene.options.peer.is_some(),
            _ => true,
        }
    }

    /// The command, and whatever it needs is made ready.
    pub(crate) fn command(self, scene: &Scene, uri: &str, remote: &TestRemote) -> Command {
        match self {
            Self::Floor => pipe(scene, uri, remote, "pg_dump \"$URI\" > /dev/null"),
            Self::Bare => pipe(scene, uri, remote, "pg_dump \"$URI\" | rclone rcat \"$TARGET\""),
            Self::Fastest => pipe(
                scene,
                uri,
                remote,
                "pg_dump \"$URI\" | rclone rcat --ignore-checksum \"$TARGET\"",
            ),
            Self::ZstdPipe => pipe(
                scene,
                uri,
                remote,
                "pg_dump \"$URI\" | zstd -q -T0 -1 | rclone rcat --ignore-checksum \"$TARGET\"",
            ),
            Self::Dbstash => scene.dbstash(uri, remote),
            Self::DbstashZstd => {
                let mut command = scene.dbstash(uri, remote);
                command.env("BACKUP_COMPRESSION", "zstd:1");
                command
            }
            Self::Restic => restic(scene, uri, remote),
            Self::Peer => {
                let peer = scene.options.peer.clone().unwrap_or_default();
                let script = peer.replace("{uri}", uri).replace("{remote}", remote.root());
                pipe(scene, uri, remote, &script)
            }
        }
    }

    /// The bytes that the last run stored; an error when it is not what it should have stored.
    pub(crate) fn stored(
        self,
        scene: &Scene,
        uri: &str,
        remote: &TestRemote,
        raw: u64,
    ) -> Result<u64, String> {
        if self == Self::Floor {
            return Ok(0);
        }
        if self == Self::Restic {
            return Ok(size_of(&repository(scene)));
        }
        let stored: u64 = remote.objects().values().sum();
        if self.is_dbstash() {
            let listed = scene.listed(uri, remote)?;
            let [backup] = &listed[..] else {
                return Err(format!("{} backups are listed, and there was one run", listed.len()));
            };
            if self == Self::DbstashZstd {
                backup.expect_zstd()?;
            }
            let plain = !self.is_plain() || backup.bytes == raw;
            if backup.raw_bytes != raw || !plain {
                return Err(format!("{} of {raw} bytes are listed", backup.raw_bytes));
            }
        } else if self.is_plain() && stored != raw {
            return Err(format!("{stored} of {raw} bytes are stored"));
        }
        if stored == 0 { Err("nothing is stored".into()) } else { Ok(stored) }
    }
}

fn pipe(scene: &Scene, uri: &str, remote: &TestRemote, script: &str) -> Command {
    let mut bash = scene.command("bash", remote);
    bash.args(["-c", &format!("set -o pipefail; {script}")])
        .env("URI", uri)
        .env("TARGET", format!("{}/dump.sql", remote.root()));
    bash
}

fn repository(scene: &Scene) -> PathBuf {
    scene.scratch.path().join("restic")
}

/// Into a new repository each time.
fn restic(scene: &Scene, uri: &str, remote: &TestRemote) -> Command {
    let _ = fs::remove_dir_all(repository(scene));
    let command = || {
        let mut restic = scene.command("restic", remote);
        restic.env("RESTIC_PASSWORD", "bench").arg("--quiet").arg("--repo").arg(repository(scene));
        restic
    };
    assert!(command().arg("init").status().is_ok_and(|status| status.success()), "restic init");
    let mut backup = command();
    backup.args(["backup", "--stdin-filename", "dump.sql", "--stdin-from-command", "--"]);
    backup.args(["pg_dump", uri]);
    backup
}

fn size_of(dir: &PathBuf) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

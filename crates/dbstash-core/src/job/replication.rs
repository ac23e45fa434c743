//! How a dump is got from a server that replicates.

/// How a dump is got from a server that replicates (redis).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replication {
    /// Who takes it.
    pub method: RedisMethod,
    /// Where the server makes it.
    pub sync: SyncMode,
    /// How many bytes may go to `temp_dir` while the remote stands still and the server cannot wait.
    pub spool_max: u64,
}

impl Default for Replication {
    fn default() -> Self {
        Self { method: RedisMethod::Replication, sync: SyncMode::Auto, spool_max: 1 << 30 }
    }
}

/// Who takes a dump of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisMethod {
    /// We, as a replica.
    Replication,
    /// `redis-cli --rdb -`.
    Cli,
    /// We, or redis-cli where the server refuses PSYNC.
    Auto,
}

/// Where a server makes the dump that it sends to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// As the server is set up.
    Auto,
    /// In a file of its own: it can wait for a slow remote as long as it has to.
    Disk,
    /// In memory: it waits no longer than its `repl-timeout`.
    Diskless,
}

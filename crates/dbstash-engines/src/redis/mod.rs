//! Redis and Valkey: the dump that a server sends to a replica.

use dbstash_core::engine::{Engine, Plan, PlanError};
use dbstash_core::invocation::Invocation;
use dbstash_core::job::{Database, EngineKey, Job};

/// The engine.
pub(crate) struct Redis;

impl Engine for Redis {
    fn key(&self) -> EngineKey {
        EngineKey::Redis
    }

    fn plan(&self, _job: &Job, _database: &Database) -> Result<Plan, PlanError> {
        Err(PlanError("redis is not planned yet".into()))
    }

    fn list_databases(&self, _job: &Job) -> Result<Invocation, PlanError> {
        Err(PlanError(
            "BACKUP_SPLIT_DATABASES is not for redis: its dump always holds all databases".into(),
        ))
    }

    fn explain(&self, _stderr: &str) -> Option<String> {
        None
    }
}

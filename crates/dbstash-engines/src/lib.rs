//! The databases dbstash knows: connections, dump commands and completeness checks.

mod by_hand;
pub mod conn;
mod ends;
mod mongo;
mod mysql;
mod passing;
mod pg;
pub mod redis;
mod rows;
mod sql;
mod sqlite;
mod tally;
mod tar;
mod unpack;
mod utf8;

use dbstash_core::engine::Engine;
use dbstash_core::job::EngineKey;

/// The engine of a key.
pub fn engine(key: EngineKey) -> &'static dyn Engine {
    match key {
        EngineKey::Pg => &pg::Pg,
        EngineKey::Mongo => &mongo::Mongo,
        EngineKey::Mysql => &mysql::Dialect::Mysql,
        EngineKey::Mariadb => &mysql::Dialect::Mariadb,
        EngineKey::Redis => &redis::Redis,
        EngineKey::Sqlite => &sqlite::Sqlite,
    }
}

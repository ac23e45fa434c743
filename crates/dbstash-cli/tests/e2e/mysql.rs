//! MySQL and MariaDB: one set of tests, two servers.

mod clients;
pub mod conformance;
mod failures;
mod large;
mod many;
mod tls;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{Dbstash, MysqlServer, TestRemote};

use crate::scene::dbstash;

/// Runs a test against a server of each family; a missing one is said loudly.
fn each_family(test: impl Fn(&mut MysqlServer), password: &str) {
    for family in Family::ALL {
        if let Some(mut server) = MysqlServer::start(family, password) {
            eprintln!("--- {family:?}");
            test(&mut server);
        }
    }
}

/// The program with the clients of this server's family, for this remote.
fn product(server: &MysqlServer, remote: &TestRemote) -> Dbstash {
    dbstash(remote).env("PATH", server.path())
}

//! What reads a stored dump of pg_dump or pg_dumpall, whatever its flags were: the first bytes tell.

use dbstash_core::engine::{Check, Incomplete, Passed, Structure};
use dbstash_core::manifest::Object;

use super::balance::Balance;
use super::custom::Custom;
use super::directory::Directory;
use super::footer::Footer;
use crate::unpack::Unpacked;

pub(super) fn structure(object: &Object) -> Option<Structure> {
    Some(match object.format.as_str() {
        "plain" => Structure::Stream(Box::new(Unpacked::new(Box::new(Plain::new())))),
        "custom" => Structure::Stream(Box::new(Custom::thorough())),
        "tar" => Structure::Files(Box::new(Directory::of_tar())),
        "directory" => Structure::Files(Box::new(Directory::thorough())),
        _ => return None,
    })
}

/// A script of one database or of a server: its head, its footer, and every statement and row between.
struct Plain {
    of_one: Box<Footer>,
    of_all: Box<Footer>,
    balance: Balance,
}

impl Plain {
    fn new() -> Self {
        Self {
            of_one: Box::new(Footer::new("database")),
            of_all: Box::new(Footer::new("database cluster")),
            balance: Balance::default(),
        }
    }
}

impl Check for Plain {
    fn feed(&mut self, bytes: &[u8]) {
        self.of_one.feed(bytes);
        self.of_all.feed(bytes);
        self.balance.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        self.balance.finish().map_err(Incomplete)?;
        let passed = match self.of_all.finish() {
            Ok(passed) => passed,
            Err(_) => self.of_one.finish()?,
        };
        Ok(Passed { check: "statements, rows, footer".to_owned(), ..passed })
    }
}

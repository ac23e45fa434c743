//! `SQLite` databases.

use std::path::Path;
use std::process::Command;

use crate::feed::feed;
use crate::{Scratch, tools};

/// Whether there is a `sqlite3`; when not, the caller's test is skipped loudly and has to return.
pub fn available() -> bool {
    tools::require("sqlite3").is_some()
}

/// Makes a database with one of everything, and a table of `bulk_rows` rows of about 200 bytes.
pub fn seed_shop(file: &Path, bulk_rows: u64) {
    let seed = include_str!("shop.sqlite.sql").replace(":bulk_rows", &bulk_rows.to_string());
    run(file, &seed);
}

/// Runs statements and dot commands; their output. Panics at the first error.
pub fn run(file: &Path, sql: &str) -> String {
    restore(file, sql.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Feeds a dump to stock sqlite3, stopping at the first error, which is given back.
pub fn restore(file: &Path, sql: &[u8]) -> Result<String, String> {
    let mut sqlite = Command::new(tools::find("sqlite3").unwrap());
    feed(sqlite.args(["-batch", "-bail", "-init", "/dev/null"]).arg(file), sql)
}

/// What makes a database that database: schema, rows in their order, both numbers of the header,
/// and soundness. Equal for two files exactly when one is a true restore of the other.
pub fn digest(file: &Path) -> String {
    let counts = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    let counted = match run(file, counts).as_str() {
        "0" => "",
        _ => "SELECT * FROM sqlite_sequence ORDER BY 1;",
    };
    // The checksum reads a table's columns; hidden row ids are part of a database too.
    let whole = ".sha3sum --schema\nPRAGMA user_version;\nPRAGMA application_id;\nPRAGMA integrity_check;\n\
         PRAGMA foreign_key_check;\nSELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2;\n";
    run(file, &format!("{whole}{counted}"))
}

/// The digest of a copy in which a table that never stands still is empty.
pub fn digest_without(file: &Path, ticker: &str) -> String {
    let scratch = Scratch::new("copy");
    let copy = scratch.path().join("copy.db");
    run(file, &format!(".backup {}", copy.display()));
    run(&copy, &format!("UPDATE {ticker} SET n = 0"));
    digest(&copy)
}

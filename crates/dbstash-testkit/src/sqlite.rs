//! `SQLite` databases.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::tools;

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
    let mut sqlite = Command::new(tools::find("sqlite3").unwrap())
        .args(["-batch", "-bail", "-init", "/dev/null"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = sqlite.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            let _ = input.write_all(sql);
        });
        sqlite.wait_with_output().unwrap()
    });
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What makes a database that database: schema, rows in their order, both numbers of the header,
/// and soundness. Equal for two files exactly when one is a true restore of the other.
pub fn digest(file: &Path) -> String {
    // The checksum reads a table's columns; hidden row ids are part of a database too.
    run(
        file,
        ".sha3sum --schema\nPRAGMA user_version;\nPRAGMA application_id;\nPRAGMA integrity_check;\n\
         PRAGMA foreign_key_check;\nSELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2;\n\
         SELECT * FROM sqlite_sequence ORDER BY 1;",
    )
}

//! Where the programs are that tests need beside the one they test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::tools;

/// The compiled fake of any tool.
pub fn fake_tool() -> PathBuf {
    built("fake-tool")
}

/// The program that runs another one and tells what it left behind.
pub fn reaper() -> PathBuf {
    built("reaper")
}

/// Puts the program that asks MongoDB servers beside dbstash.
pub fn mongo_asker() -> PathBuf {
    built("dbstash-mongo")
}

/// Cargo builds a crate's programs only for that crate's own tests, so those of another crate would
/// find none, or an old one. Each test process therefore asks cargo, once, which costs a tenth of a
/// second when there is nothing to do, and takes the paths from its answer: no guess about profiles
/// and target directories.
fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let executables = BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(tools::checkout())
            // With a test, and of all packages: the features are those of `cargo test --workspace`, and
            // what that has compiled is not compiled again.
            .args(["build", "--workspace", "--bins", "--test", "fixtures"])
            .args(["--quiet", "--message-format", "json"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "the programs of tests do not build: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .collect()
    });
    executables
        .iter()
        .find(|path| path.ends_with(name))
        .cloned()
        .unwrap_or_else(|| panic!("cargo built no {name}"))
}

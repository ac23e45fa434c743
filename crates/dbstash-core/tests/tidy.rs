//! Rules about who may know what, read off the source text.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Files a reader can still find their way in.
const LONGEST: usize = 400;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every source file below `folder`, by its path below it, with the text before its unit tests.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let shipped = text.split("#[cfg(test)]").next().unwrap().to_owned();
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.push((name, shipped));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {}", folder.display());
    found
}

/// Lines of shipped code of a crate, comments left out, that hold one of `words`, except in `allowed` files.
fn offences(krate: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources(&crates().join(krate).join("src")) {
        if allowed.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{krate}/src/{name}:{}: {line}", n + 1));
            }
        }
    }
    found
}

#[test]
fn one_place_starts_programs() {
    for (krate, place) in
        [("dbstash-core", "process.rs"), ("dbstash-engines", "-"), ("dbstash-cli", "-")]
    {
        assert_eq!(offences(krate, &["Command::new", "process::Command"], &[place]), [""; 0]);
    }
}

#[test]
fn one_place_opens_connections() {
    let sockets = ["TcpStream", "UnixStream", "lookup_host"];
    for (krate, place) in
        [("dbstash-core", "wire/"), ("dbstash-engines", "-"), ("dbstash-cli", "health/socket.rs")]
    {
        assert_eq!(offences(krate, &sockets, &[place]), [""; 0]);
    }
}

#[test]
fn one_folder_knows_rclone() {
    // A recipe is for whoever has rclone and not us.
    let allowed = ["remote/rclone/", "recipe.rs", "run/recipe.rs"];
    let found = offences("dbstash-core", &["rclone"], &allowed);
    let found: Vec<_> = found.iter().filter(|line| !line.ends_with("pub mod rclone;")).collect();
    assert_eq!(found, [""; 0]);
    assert_eq!(offences("dbstash-engines", &["rclone"], &[]), [""; 0]);
}

#[test]
fn core_and_engines_read_no_environment() {
    for krate in ["dbstash-core", "dbstash-engines"] {
        assert_eq!(offences(krate, &["std::env", "env::var"], &[]), [""; 0]);
    }
}

#[test]
fn planning_is_pure() {
    let io = ["std::fs", "tokio", "std::net", "SystemTime", "Utc::now", "Instant"];
    assert_eq!(offences("dbstash-engines", &io, &[]), [""; 0]);
    for file in ["retention.rs", "name.rs", "schedule.rs", "manifest.rs", "job.rs", "invocation.rs"]
    {
        let text = fs::read_to_string(crates().join("dbstash-core/src").join(file)).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap();
        for word in ["std::fs", "tokio::", "Utc::now", "Instant::now"] {
            assert!(!shipped.contains(word), "{file} uses {word}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for krate in
        ["dbstash-core", "dbstash-engines", "dbstash-cli", "dbstash-testkit", "dbstash-bench"]
    {
        for (name, _) in sources(&crates().join(krate).join("src")) {
            let lines = fs::read_to_string(crates().join(krate).join("src").join(&name))
                .unwrap()
                .lines()
                .count();
            assert!(lines <= LONGEST, "{krate}/src/{name} has {lines} lines");
        }
    }
}

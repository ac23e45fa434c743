//! Which programs there are, and what becomes of a test when one is missing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

/// The path of a program: in the checkout's `.tools/bin`, on `PATH`, or beside a `PostgreSQL`
/// server, whose programs Debian keeps off `PATH` (the newest version wins).
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&path())
        .chain(postgres_dirs())
        .map(|dir| dir.join(program))
        .find(|path| is_executable(path))
}

/// Like [`find`], and when there is none the caller's test has to return: the skip is said loudly,
/// and where `CI` is set it is a panic instead.
pub fn require(program: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        skip(&format!("{program} is missing"));
    }
    found
}

/// Says, past the test harness's capture, that this test is not run, and why. Panics where `CI` is
/// set.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(!in_ci(), "{test} cannot be run: {why}; `scripts/setup test` installs it");
    // Not `eprintln!`: the harness would swallow it, for the test passes.
    let _ = writeln!(std::io::stderr(), "SKIP {test}: {why}; `scripts/setup test` installs it");
}

/// Says, past the test harness's capture, that a part of this test is not run, and why: for what
/// nobody can install.
pub fn absent(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIP {test}: {why}");
}

/// The `PATH` of children: the checkout's own tools first.
pub fn path() -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(checkout().join(".tools/bin")).chain(env::split_paths(&inherited));
    env::join_paths(dirs).unwrap()
}

/// Makes a program of a text. Written by a process of its own: between a fork and an exec, another test's child holds
/// every file that this process writes, and a program that somebody writes cannot be started.
pub fn write_program(path: &Path, text: &str) {
    let mut writer = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success(), "{} cannot be written", path.display());
}

/// Copies a program, in the same way.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--").args([from, to]).status().unwrap();
    assert!(copied.success(), "{} cannot be copied to {}", from.display(), to.display());
}

fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false")
}

fn postgres_dirs() -> Vec<PathBuf> {
    let mut dirs: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    dirs.sort();
    dirs.into_iter().rev().map(|(_, dir)| dir).collect()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

//! How the program is linked.

#![expect(clippy::disallowed_methods, reason = "no process of ours is there yet")]

use std::env;
use std::process::Command;

/// The first glibc that reads relocations in their packed form.
const SINCE: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let is_native = variable("HOST") == variable("TARGET");
    // Where everything is in memory is written into the program at every start. As a list with an entry for each place,
    // what has to be read for that is 300 KiB that stay resident; packed it is 10. A program that is built on one
    // machine is not for those with an older glibc, with this or without.
    if is_native && glibc().is_some_and(|version| version >= SINCE) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc, where it has one.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

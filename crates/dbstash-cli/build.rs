//! How the program is linked.

#![expect(clippy::print_stdout, reason = "this is how cargo is told")]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Where everything is in memory is written into the program at every start. As a list of its own for each place,
    // what has to be written is 300 KiB that stay resident; packed it is 10. glibc reads that since 2.36.
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

//! The `dbstash` program.
fn main() {}

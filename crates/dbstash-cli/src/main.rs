//! The `dbstash` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    dbstash_cli::entry::main(std::env::args_os(), std::env::vars_os())
}

//! Text through a database's own client.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

/// Runs a client on this input: what it printed, or its stderr when it failed.
pub(crate) fn feed(client: &mut Command, input: &[u8]) -> Result<String, String> {
    let client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // It closes its input early when it fails.
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        client.wait_with_output().unwrap()
    });
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A text as a part of a URI.
pub fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let encoded = |byte: u8| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

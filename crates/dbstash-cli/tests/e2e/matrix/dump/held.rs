//! A session that holds a lock for as long as the value lives.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Held {
    client: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Held {
    /// Feeds a client; its statements end with one that prints `held`.
    pub fn by(mut client: Command, statements: &str) -> Self {
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = client.stdin.take().unwrap();
        let output = BufReader::new(client.stdout.take().unwrap()).lines();
        let mut held = Self { client, input, output };
        assert_eq!(held.ask(statements), "held", "{statements}");
        held
    }

    /// The next line that it prints.
    pub fn ask(&mut self, statement: &str) -> String {
        writeln!(self.input, "{statement}").unwrap();
        self.output.next().unwrap().unwrap()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

//! A real mail server.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::server::{Server, dies_with_test};
use crate::{Scratch, certificates::Certificates, tools};

/// How it wants to be talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// As anyone likes.
    Open,
    /// By STARTTLS first.
    StartTls,
    /// In TLS from the first byte.
    Tls,
}

/// A mail server on loopback. It refuses mail to `full@...` twice for now, and to `nobody@...` for ever.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    mails: PathBuf,
    server: Server,
    _scratch: Scratch,
}

impl MailServer {
    /// One with the certificate of `server.pem`, and a login if there is one. `None`, said loudly, when it is not
    /// installed.
    pub fn start(
        security: MailSecurity,
        certificates: &Certificates,
        login: Option<(&str, &str)>,
    ) -> Option<Self> {
        let program = tools::require("aiosmtpd")?;
        let python = fs::canonicalize(&program).unwrap().with_file_name("python3");
        let scratch = Scratch::new("smtp");
        let (script, mails) = (scratch.path().join("server.py"), scratch.path().join("mails"));
        fs::write(&script, include_str!("server.py")).unwrap();
        fs::write(&mails, "").unwrap();
        let word = match security {
            MailSecurity::Open => "open",
            MailSecurity::StartTls => "starttls",
            MailSecurity::Tls => "tls",
        };
        let (server, port) = Server::start_on_port(&scratch.path().join("log"), |port| {
            let mut command = dies_with_test("KILL", &python);
            command.arg(&script).arg(port.to_string()).arg(&mails).arg(word);
            command.args([certificates.path("server.pem"), certificates.path("server.key")]);
            if let Some((user, password)) = login {
                command.env("SMTP_USER", user).env("SMTP_PASSWORD", password);
            }
            command
        });
        Some(Self { port, mails, server, _scratch: scratch })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Every mail that it took: `from`, `to`, `text`, and whether there was `tls` and a `login`.
    pub fn mails(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.mails).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

//! A web server behind TLS.

use crate::certificates::Certificates;
use crate::server::{Server, dies_with_test};
use crate::{Scratch, tools};

/// It answers any GET, and nothing else, with the certificate of `server.pem`.
#[derive(Debug)]
pub struct WebServer {
    port: u16,
    _server: Server,
    _scratch: Scratch,
}

impl WebServer {
    /// `None`, said loudly, without openssl.
    pub fn start(certificates: &Certificates) -> Option<Self> {
        let openssl = tools::require("openssl")?;
        let scratch = Scratch::new("web");
        let (server, port) = Server::start_on_port(&scratch.path().join("log"), |port| {
            let mut command = dies_with_test("KILL", &openssl);
            command.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
            command.args(["-cert", &certificates.text("server.pem")]);
            command.args(["-key", &certificates.text("server.key")]);
            command
        });
        Some(Self { port, _server: server, _scratch: scratch })
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

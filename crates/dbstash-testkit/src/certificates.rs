//! Certificates of a test's own authority.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Scratch, tools};

/// An authority, and what it has vouched for: a server's certificate, which is for `localhost`, 127.0.0.1 and ::1, and
/// a client's; with one for another server's name, and another authority that has vouched for nobody.
#[derive(Debug)]
pub struct Certificates {
    dir: Scratch,
}

impl Certificates {
    /// Makes them. `None`, said loudly, without openssl.
    pub fn make() -> Option<Self> {
        let openssl = tools::require("openssl")?;
        let this = Self { dir: Scratch::new("certs") };
        for name in ["ca", "stranger"] {
            let subject = format!("/CN={name}");
            let request = ["req", "-x509", "-days", "2", "-subj", &subject];
            this.run(&openssl, &request, name);
        }
        let here = "DNS:localhost,IP:127.0.0.1,IP:::1";
        let uses = [("server", "serverAuth", here), ("other", "serverAuth", "DNS:other.invalid")];
        for (name, usage, names) in [uses[0], uses[1], ("client", "clientAuth", "DNS:client")] {
            let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={names}"));
            let usage = format!("extendedKeyUsage={usage}");
            let (ca, key) = (this.text("ca.pem"), this.text("ca.key"));
            let mut request = vec!["req", "-x509", "-days", "2", "-subj", &subject];
            request.extend(["-CA", &ca, "-CAkey", &key, "-addext", &names, "-addext", &usage]);
            request.extend(["-addext", "basicConstraints=critical,CA:FALSE"]);
            this.run(&openssl, &request, name);
        }
        Some(this)
    }

    fn run(&self, openssl: &Path, arguments: &[&str], name: &str) {
        let mut command = Command::new(openssl);
        command.args(arguments).args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-out", &self.text(&format!("{name}.pem"))]);
        command.args(["-keyout", &self.text(&format!("{name}.key"))]);
        let made = command.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// A file: `ca`, `stranger`, `server`, `other` or `client` with `.pem` or `.key`.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// The same as text.
    pub fn text(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    /// Its bytes.
    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }
}

//! How each kind of remote is brought up.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{RemoteKind, TestRemote, checked};
use crate::server::{Server, dies_with_test};
use crate::{Scratch, tools};

const USER: &str = "stash";
const PASSWORD: &str = "remote-canary-pa55 'word\"";
const ACCESS_KEY: &str = "AKIACANARYREMOTE";
const SECRET_KEY: &str = "remote-canary-s3cret/key+";
const BUCKET: &str = "bucket";

pub(super) fn start(kind: RemoteKind, store: Option<&Path>, tls: bool) -> Option<TestRemote> {
    let rclone = tools::require("rclone")?;
    let moto = match kind {
        RemoteKind::Moto => Some(tools::require("moto_server")?),
        _ => None,
    };
    let scratch = Scratch::new("remote");
    let store = store.map_or_else(|| scratch.dir("store"), Path::to_owned);
    let tls = if tls { Some(certificate(scratch.path())?) } else { None };
    let mut remote = TestRemote {
        kind,
        rclone,
        root: String::new(),
        env: Vec::new(),
        secrets: Vec::new(),
        server: None,
        port: 0,
        tls,
        scratch,
    };
    match kind {
        RemoteKind::Local => remote.root = text(&store.join("backups")),
        RemoteKind::Sftp => remote.sftp(&store),
        RemoteKind::Webdav => remote.webdav(&store),
        RemoteKind::S3 => {
            remote.serve_s3(&store, "dst");
            remote.root = format!("dst:{BUCKET}/backups");
        }
        RemoteKind::Moto => {
            remote.moto(&moto?);
            remote.root = format!("dst:{BUCKET}/backups");
        }
        RemoteKind::CryptLocal => remote.crypt(&text(&store)),
        RemoteKind::CryptS3 => {
            remote.serve_s3(&store, "base");
            remote.crypt(&format!("base:{BUCKET}"));
        }
    }
    Some(remote)
}

impl TestRemote {
    fn sftp(&mut self, store: &Path) {
        // Packets come in any order, and this server waits only 1 s for one in between.
        let patient = ("RCLONE_VFS_WRITE_WAIT", "10s");
        let login = [("RCLONE_USER", USER), ("RCLONE_PASS", PASSWORD), patient];
        let port = self.serve("sftp", store, &login);
        self.define("dst", &[("type", "sftp"), ("host", "127.0.0.1"), ("user", USER)]);
        self.define("dst", &[("port", &port.to_string())]);
        self.password("dst", "pass");
        self.root = "dst:backups".into();
    }

    fn webdav(&mut self, store: &Path) {
        let port = self.serve("webdav", store, &[("RCLONE_USER", USER), ("RCLONE_PASS", PASSWORD)]);
        let url = format!("{}://127.0.0.1:{port}", self.scheme());
        self.define("dst", &[("type", "webdav"), ("vendor", "rclone"), ("user", USER)]);
        self.define("dst", &[("url", &url)]);
        self.password("dst", "pass");
        self.root = "dst:backups".into();
    }

    fn serve_s3(&mut self, store: &Path, name: &str) {
        // A list of pairs, as CSV: the quotes keep this one together.
        let keys = format!("\"{ACCESS_KEY},{SECRET_KEY}\"");
        let port = self.serve("s3", store, &[("RCLONE_AUTH_KEY", &keys)]);
        self.s3(name, "Rclone", port);
    }

    fn moto(&mut self, moto: &Path) {
        let log = self.scratch.path().join("log");
        let home = self.scratch.path();
        let (server, port) = Server::start_on_port(&log, |port| {
            let mut command = dies_with_test("KILL", moto);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("HOME", home);
            command
        });
        self.server = Some(server);
        self.port = port;
        self.s3("dst", "Other", port);
    }

    fn s3(&mut self, name: &str, provider: &str, port: u16) {
        let endpoint = format!("{}://127.0.0.1:{port}", self.scheme());
        self.define(
            name,
            &[
                ("type", "s3"),
                ("provider", provider),
                ("endpoint", &endpoint),
                ("region", "us-east-1"),
                ("force_path_style", "true"),
                ("access_key_id", ACCESS_KEY),
                ("secret_access_key", SECRET_KEY),
            ],
        );
        self.secrets.push(SECRET_KEY.into());
        let bucket = format!("{name}:{BUCKET}");
        checked(&self.rclone(&["mkdir", &bucket]).output().unwrap());
    }

    fn crypt(&mut self, base: &str) {
        self.define("dst", &[("type", "crypt"), ("remote", base)]);
        self.password("dst", "password");
        self.root = "dst:backups".into();
    }

    /// Its credentials go by environment, as everywhere.
    fn serve(&mut self, protocol: &str, store: &Path, env: &[(&str, &str)]) -> u16 {
        let log = self.scratch.path().join("log");
        let (server, port) = Server::start_on_port(&log, |port| {
            let mut command = dies_with_test("KILL", &self.rclone);
            command
                .args(["--config", "/dev/null", "serve", protocol])
                .args(["--addr", &format!("127.0.0.1:{port}")])
                .arg(store)
                .env("HOME", self.scratch.path())
                .envs(env.iter().copied());
            if let Some([certificate, key]) = &self.tls {
                command.arg("--cert").arg(certificate).arg("--key").arg(key);
            }
            command
        });
        self.server = Some(server);
        self.port = port;
        port
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    fn define(&mut self, name: &str, keys: &[(&str, &str)]) {
        for (key, value) in keys {
            let variable = format!("RCLONE_CONFIG_{name}_{key}").to_uppercase();
            self.env.push((variable, (*value).to_owned()));
        }
    }

    fn password(&mut self, name: &str, key: &str) {
        let obscured = self.obscured(PASSWORD);
        self.define(name, &[(key, &obscured)]);
        self.secrets.extend([PASSWORD.to_owned(), obscured]);
    }

    fn obscured(&self, password: &str) -> String {
        let mut obscure = Command::new(&self.rclone)
            .args(["--config", "/dev/null", "obscure", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = obscure.stdin.take().unwrap();
        writeln!(input, "{password}").unwrap();
        drop(input);
        let output = obscure.wait_with_output().unwrap();
        String::from_utf8(checked(&output)).unwrap().trim().to_owned()
    }
}

/// A certificate and its key, of its own word alone.
fn certificate(dir: &Path) -> Option<[PathBuf; 2]> {
    let openssl = tools::require("openssl")?;
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| dir.join(name));
    let made = Command::new(openssl)
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output();
    checked(&made.unwrap());
    Some([certificate, key])
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

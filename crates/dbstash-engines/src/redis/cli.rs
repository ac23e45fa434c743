//! `redis-cli --rdb -`, for servers that know SYNC and not PSYNC.

use dbstash_core::dialogue::{Endpoint, Tls};
use dbstash_core::engine::{Mark, Origin, PlanError};
use dbstash_core::invocation::{Arg, Invocation, Var};
use dbstash_core::job::Server;
use dbstash_core::secret::ExposeSecret as _;

use super::framing::MARK;

/// In a stream redis-cli leaves the master's end mark behind the dump, which itself ends with 0xFF and eight bytes.
const REST: Mark = Mark { len: MARK, is: |last| last.iter().all(u8::is_ascii_hexdigit) };

/// redis-cli on the first of `endpoints`.
pub(super) fn origin(
    server: &Server,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    extra: &[String],
) -> Origin {
    let mut invocation = Invocation::new("redis-cli", ["--rdb", "-"]);
    let mut push = |word: &str| invocation.args.push(Arg::Plain(word.to_owned()));
    match endpoint {
        Endpoint::Tcp(host, port) => {
            for word in ["-h", host, "-p", &port.to_string()] {
                push(word);
            }
        }
        Endpoint::Unix(path) => {
            push("-s");
            push(&path.to_string_lossy());
        }
    }
    if let Some(user) = &server.user {
        push("--user");
        push(user);
    }
    if let Some(tls) = tls {
        push("--tls");
        let (cert, key) = tls.identity.as_ref().map(|(cert, key)| (cert, key)).unzip();
        for (flag, path) in
            [("--cacert", tls.authorities.as_ref()), ("--cert", cert), ("--key", key)]
        {
            if let Some(path) = path {
                push(flag);
                push(&path.to_string_lossy());
            }
        }
        if let Some(name) = &tls.server_name {
            push("--sni");
            push(name);
        }
        if tls.unverified {
            push("--insecure");
        }
    }
    for word in extra {
        push(word);
    }
    let password = server.password.clone().unwrap_or_else(|| "".into());
    if server.user.is_some() || !password.expose_secret().is_empty() {
        invocation.env.push(("REDISCLI_AUTH".to_owned(), Var::Secret(password)));
    }
    // Authorities of the user's own, which OpenSSL looks for.
    invocation.inherits = &["SSL_CERT_FILE", "SSL_CERT_DIR"];
    Origin::Tool { invocation, mark: Some(REST) }
}

/// What is odd about the user's own words. An error for those that show a secret, or name another server.
pub(super) fn look_at(extra: &[String], warnings: &mut Vec<String>) -> Result<(), PlanError> {
    for word in extra {
        let name = word.split('=').next().unwrap_or_default();
        match name {
            "-a" | "--pass" | "--askpass" | "-u" | "--user" | "-h" | "-p" | "-s" => {
                return Err(PlanError(format!(
                    "DUMP_EXTRA_ARGS names a server or a secret ({name}): set DB_URI, or DB_HOST, DB_PORT, DB_USER and \
                     DB_PASSWORD instead"
                )));
            }
            "--rdb" | "--functions-rdb" | "-x" | "-X" | "--pipe" | "--eval" | "--scan"
            | "--stat" | "--latency" | "--replica" | "--slave" | "--bigkeys" | "--memkeys"
            | "--hotkeys" => {
                warnings.push(format!(
                    "DUMP_EXTRA_ARGS: {name} makes redis-cli do something else than dump the data set to its output"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// One sentence for a known complaint of redis-cli.
pub(super) fn explain(stderr: &str) -> Option<String> {
    // What it asks for first, the server need not know.
    let of_dump = |line: &&str| !line.starts_with("REPLCONF ");
    let stderr: String = stderr.lines().filter(of_dump).flat_map(|line| [line, "\n"]).collect();
    let has = |text: &str| stderr.contains(text);
    let any = |texts: &[&str]| texts.iter().any(|text| has(text));
    let sentence = if any(&["WRONGPASS", "invalid password", "invalid username-password"]) {
        "the server refuses the user or the password: check DB_URI, or DB_USER and DB_PASSWORD"
    } else if any(&["without any password configured", "no password is set"]) {
        "the server has no password, and one is set here: leave it out of DB_URI and DB_PASSWORD"
    } else if has("NOAUTH") {
        "the server asks for a password and none is set: set it in DB_URI or DB_PASSWORD"
    } else if has("NOPERM") {
        "the user may not run SYNC: ACL SETUSER <user> +sync +replconf; or, with REDIS_METHOD=replication, +psync \
         +replconf"
    } else if has("unknown command") {
        "the server knows no SYNC: managed services often forbid it; use the service's own backups"
    } else if has("LOADING") {
        "the server is loading its data set: back up when it is through, or set REDIS_METHOD=replication, which waits"
    } else if any(&["NOMASTERLINK", "MASTERDOWN"]) {
        "the server is a replica and has lost its own master: back up when it has found it, or name the master"
    } else if has("max number of clients") {
        "the server has no connection left: raise maxclients, or back up when it is quieter"
    } else if has("protected mode") {
        "the server's protected mode lets nobody in from elsewhere: give it a password, or set protected-mode no where \
         its network is private"
    } else if any(&["Unrecognized option", "Wrong number of arguments", "bad number of args"]) {
        "redis-cli does not know an option: see redis-cli --help for those of DUMP_EXTRA_ARGS; TLS needs one built with it"
    } else if any(&[
        "certificate verify failed",
        "SSL_connect failed",
        "SSL Connection",
        "Invalid CA",
    ]) || any(&[
        "certificate required",
        "Failed to create SSL",
        "Failed to load",
        "certificate file",
    ]) {
        "the TLS connection failed: check tls, cacert, cert, key and sni of DB_URI, and the server's certificate"
    } else if any(&["Name or service not known", "name resolution", "nodename nor servname"]) {
        "the server's host name cannot be resolved: check DB_URI or DB_HOST"
    } else if any(&["Connection refused", "No route to host", "timed out", "No such file"]) {
        "nothing answers at the server's address: check host, port and firewall, and that it runs"
    } else if any(&["I/O Error reading RDB payload", "reading bulk length while SYNCing"])
        || any(&[
            "Error reading from socket",
            "Connection reset by peer",
            "Server closed the connection",
        ])
    {
        "the server ended the connection before the dump was whole: see its log, BGSAVE may have failed, or it waited \
         longer than repl-timeout for the remote; Valkey with expiring hash fields needs REDIS_METHOD=replication"
    } else if has("I/O error") {
        "the server closed the connection before it sent anything: see its log; over TLS it may ask for a client \
         certificate (cert and key of DB_URI)"
    } else {
        return None;
    };
    Some(sentence.to_owned())
}

/// redis-cli tells how it goes, too; a server is a master to it, and a primary to Valkey's.
pub(super) fn is_remark(line: &str) -> bool {
    let told = ["sending REPLCONF ", "SYNC sent to ", "Transfer finished with success"];
    !told.into_iter().any(|start| line.starts_with(start))
}

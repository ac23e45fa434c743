//! The causes people meet, each in one sentence with the way out.

/// A cause, known by the words of the system that names it.
struct Known {
    /// In lower case; any of them.
    marks: &'static [&'static str],
    sentence: &'static str,
    /// Nobody is there, or nobody who can be talked to.
    silent: bool,
    /// Nobody has to do anything for it to be over.
    passes: bool,
}

const fn answer(marks: &'static [&'static str], sentence: &'static str) -> Known {
    Known { marks, sentence, silent: false, passes: false }
}

const fn silence(marks: &'static [&'static str], sentence: &'static str) -> Known {
    Known { marks, sentence, silent: true, passes: true }
}

impl Known {
    const fn passing(self) -> Self {
        Self { passes: true, ..self }
    }

    const fn lasting(self) -> Self {
        Self { passes: false, ..self }
    }
}

/// There is no room where something is written.
const FULL: [&str; 6] = [
    "no space left on device",
    "file too big for remaining disk space",
    "disk quota exceeded",
    "quotaexceeded",
    "insufficient storage",
    "xminiostoragefull",
];

/// The first that fits.
const KNOWN: [Known; 21] = [
    answer(
        &FULL,
        "the remote is full: make room there, or keep fewer backups (RETENTION_MAX_FILES, RETENTION_MAX_DAYS)",
    ),
    answer(
        &["can't limit to single files"],
        "RCLONE_REMOTE names a file, not a folder: correct it, or move that file away",
    ),
    answer(&["nosuchbucket"], "the bucket does not exist: create it, or correct RCLONE_REMOTE"),
    answer(
        &["requesttimetooskewed"],
        "the remote refuses the time of this machine: set its clock (NTP)",
    ),
    answer(
        &["authorizationheadermalformed", "permanentredirect", "bucketregionerror"],
        "the bucket is in another region: correct the region or the endpoint of the remote",
    ),
    answer(
        &[
            "signaturedoesnotmatch",
            "invalidaccesskeyid",
            "invalidclienttokenid",
            "401 unauthorized",
            "unable to authenticate",
        ],
        "the remote refuses the credentials: check its keys or password",
    ),
    answer(
        &["invalid_grant", "couldn't fetch token", "token expired", "expiredtoken"],
        "the login of the remote is no longer valid: renew it, with `rclone config reconnect` where it is an OAuth one",
    ),
    answer(
        &["ssh agent requested"],
        "the remote has neither password nor key: give it one (pass, key_file or key_pem)",
    ),
    answer(
        &["knownhosts:"],
        "the host key of the remote is not the known one: if it was changed on purpose, correct known_hosts_file",
    ),
    answer(
        &[
            "read-only file system",
            "retention policy",
            "retentionpolicynotmet",
            "immutabledueto",
            "object is worm protected",
        ],
        "the remote does not let it go yet: it is read-only, or locked for a time of its own (object lock, retention \
         policy)",
    ),
    answer(
        &["accessdenied", "forbidden", "permission denied"],
        "the remote does not allow that: check the permissions of the credentials and of the place",
    ),
    answer(
        &["entity too large", "entitytoolarge"],
        "the remote takes no object that big: raise the limit of the server, or of the proxy before it",
    ),
    answer(
        &["slowdown", "too many requests", "toomanyrequests", "ratelimitexceeded"],
        "the remote asks for fewer requests: give RCLONE_EXTRA_ARGS a `--tpslimit`, and more `--low-level-retries`",
    )
    .passing(),
    answer(
        &["didn't find section in config file"],
        "no such remote is configured: check RCLONE_REMOTE and the rclone configuration",
    ),
    silence(
        &["no such host", "server misbehaving", "temporary failure in name resolution"],
        "the remote's host name cannot be resolved: check it, and the DNS of this machine",
    ),
    silence(
        &["connection refused"],
        "nothing answers at the remote's address: check host and port, and that it runs",
    ),
    silence(
        &["server gave http response to https client", "malformed http response"],
        "the remote's port and its URL disagree on http or https: correct the URL or endpoint",
    )
    .lasting(),
    silence(
        &["x509:", "tls:"],
        "the TLS connection to the remote failed: check its certificate, and that its CA is known here (`--ca-cert`)",
    )
    .lasting(),
    silence(
        &[
            "i/o timeout",
            "timeout awaiting response headers",
            "context deadline exceeded",
            "client.timeout",
            "handshake timeout",
            "no route to host",
            "network is unreachable",
        ],
        NO_ANSWER,
    ),
    silence(
        &[
            "connection reset by peer",
            "broken pipe",
            "connection lost",
            "use of closed network connection",
            "unexpected eof",
            ": eof",
        ],
        "the remote broke the connection off: look into its log, and at what lies between",
    ),
    answer(
        &["ssh_fx_failure"],
        "the sftp server refuses without a reason: often its disk or a quota is full",
    )
    .passing(),
];

/// Nobody has answered.
pub(super) const NO_ANSWER: &str =
    "the remote does not answer in time: check the network and any firewall";

fn known(text: &str) -> Option<&'static Known> {
    let text = text.to_lowercase();
    KNOWN.iter().find(|known| known.marks.iter().any(|mark| text.contains(mark)))
}

/// The sentence for a complaint; where it says nothing itself, for what was said before it.
pub(super) fn sentence(complaint: &str, stderr: &str) -> Option<&'static str> {
    known(complaint).or_else(|| known(stderr)).map(|known| known.sentence)
}

/// Whether there is no room where something is written: here, for what is read.
pub(super) fn is_full(stderr: &str) -> bool {
    let text = stderr.to_lowercase();
    FULL.iter().any(|mark| text.contains(mark))
}

/// Whether a failure stays until somebody does something about it.
pub(super) fn is_lasting(stderr: &str) -> bool {
    known(stderr).is_some_and(|known| !known.passes)
}

/// Whether a failure means that nobody is there: everything else is an answer.
pub(super) fn is_silence(complaint: &str, stderr: &str) -> bool {
    known(complaint).or_else(|| known(stderr)).is_some_and(|known| known.silent)
}

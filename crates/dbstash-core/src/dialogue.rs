//! A dump that a server sends over a connection of ours: what to say to it, without saying it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A server that sends a dump itself, and how to get it to do so.
#[derive(Clone)]
pub struct Call {
    /// Where it is; the first that answers is taken.
    pub endpoints: Vec<Endpoint>,
    /// How the connection is encrypted, if it is.
    pub tls: Option<Tls>,
    /// What is said, from the start for each connection.
    pub protocol: Arc<dyn Protocol>,
    /// How long a server is asked again that cannot answer yet; `None` leaves it to the limits of the run.
    pub patience: Option<Duration>,
    /// How many bytes may go to local disk while nobody takes the dump and the server cannot wait.
    pub spool: Spare,
}

/// Local disk for what a remote does not take in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    /// Below which directory.
    pub dir: PathBuf,
    /// How many bytes; 0 is none.
    pub most: u64,
}

/// An address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A name or an address without brackets, and a port.
    Tcp(String, u16),
    /// A socket's path.
    Unix(PathBuf),
}

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A PEM file of the authorities that are trusted; otherwise those of the system.
    pub authorities: Option<PathBuf>,
    /// PEM files of our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate has to be for; otherwise the host's.
    pub server_name: Option<String>,
    /// Take any certificate.
    pub unverified: bool,
}

/// A conversation, as a value.
pub trait Protocol: Send + Sync {
    /// Begins it anew.
    fn begin(&self) -> Box<dyn Dialogue>;

    /// What is asked for, for people: `PSYNC ? -1`.
    fn summary(&self) -> String;
}

/// One side of a conversation with a server at the end of which the server sends a dump: a state machine that does no
/// I/O.
pub trait Dialogue: Send {
    /// What is to be sent before more is looked at; empty when it is the server's turn.
    fn outgoing(&mut self) -> Vec<u8>;

    /// Looks at what has come and is not used up; shown again, with more after it, until it is. Whoever drives it has
    /// at least [`WINDOW`] bytes of room, so that a [`Next::More`] to so many is an error of the dialogue.
    fn advance(&mut self, input: &[u8]) -> Result<Next, Refusal>;

    /// What to send each second, while nothing else is said: it tells the server that we are still there. Nothing, where
    /// the server may have closed its side already: it would then take back what is still on its way.
    fn keepalive(&mut self) -> Vec<u8>;

    /// How long the server may say nothing now before it is taken for dead; `None` leaves it to the limits of the run.
    fn silent_for(&self) -> Option<Duration>;

    /// What it means that the server has closed the connection, after these bytes that are not used up.
    fn closed(&self, rest: &[u8]) -> Refusal;

    /// How long the server may wait now for us to read on; `None` is for ever.
    fn unread_for(&self) -> Option<Duration>;

    /// What the user should know, at the end of it.
    fn remarks(&self) -> Vec<String>;
}

/// As many bytes of input are shown to a dialogue at a time, if it asks for more.
pub const WINDOW: usize = 64 * 1024;

/// What a dialogue makes of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// So many bytes are used up and are no dump; at least one.
    Skip(usize),
    /// So many bytes are the dump's next ones; at least one.
    Dump(usize),
    /// Nothing can be said before more has come.
    More,
    /// The dump is over; what is not used up belongs to something else.
    End,
}

/// Why there is no dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not yet.
    #[error("{0}")]
    Later(String),
    /// This attempt has failed; a new one may not.
    #[error("{0}")]
    Failed(String),
    /// The server does not do this at all; another way may do.
    #[error("{0}")]
    Unsupported(String),
    /// There will not be one, however often it is asked for.
    #[error("{0}")]
    Final(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What will be said and to whom, without secrets.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(ToString::to_string).collect();
        let tls = if self.tls.is_some() { " over TLS" } else { "" };
        write!(f, "{} to {}{tls}", self.protocol.summary(), endpoints.join(", "))
    }
}

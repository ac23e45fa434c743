//! Connections: TCP, a socket's path, and TLS over the first.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::tls;
use crate::dialogue::{Endpoint, Refusal, Tls};

/// How long one address is tried: a dead one must not hide a live one.
const CONNECT: Duration = Duration::from_secs(10);
/// A server without TLS waits for a word that never comes, and so would we.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// Something to talk over.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// A connection to the first endpoint that takes one, and its name; or why the last one does not.
pub(super) async fn connect(
    endpoints: &[Endpoint],
    tls: Option<&Tls>,
) -> Result<(Box<dyn Socket>, String), (String, Refusal)> {
    let mut refused = (String::new(), Refusal::Final("no server is named".to_owned()));
    for endpoint in endpoints {
        match open(endpoint, tls).await {
            Ok(socket) => return Ok((socket, endpoint.to_string())),
            Err(refusal) => refused = (endpoint.to_string(), refusal),
        }
    }
    Err(refused)
}

async fn open(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Box<dyn Socket>, Refusal> {
    let (host, port) = match endpoint {
        Endpoint::Unix(path) => {
            let socket = within(UnixStream::connect(path)).await;
            return match socket {
                Ok(socket) => Ok(Box::new(socket)),
                Err(error) => Err(Refusal::Failed(format!("the socket cannot be used: {error}"))),
            };
        }
        Endpoint::Tcp(host, port) => (host, *port),
    };
    let addresses = within(lookup_host((host.as_str(), port))).await;
    let unknown = |e| Refusal::Failed(format!("the name {host} cannot be resolved: {e}"));
    let addresses = addresses.map_err(unknown)?;
    let mut refused = format!("the name {host} has no address");
    for address in addresses {
        match within(TcpStream::connect(address)).await {
            Ok(socket) => {
                // Answers are short and waited for.
                let _ = socket.set_nodelay(true);
                let Some(tls) = tls else { return Ok(Box::new(socket)) };
                return match timeout(HANDSHAKE, tls::over(socket, host, tls)).await {
                    Ok(Ok(socket)) => Ok(Box::new(socket)),
                    Ok(Err(what)) => Err(Refusal::Final(what)),
                    Err(_) => Err(Refusal::Failed(format!(
                        "the TLS handshake was not over after {HANDSHAKE:?}: perhaps this port does not speak TLS"
                    ))),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let why =
                    "the connection was refused: is the server running, and is this its port?";
                why.clone_into(&mut refused);
            }
            Err(error) => refused = format!("no connection: {error}"),
        }
    }
    Err(Refusal::Failed(refused))
}

pub(super) async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(CONNECT, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {CONNECT:?}"))),
    }
}

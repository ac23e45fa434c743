//! Whether somebody is there: a name, a connection, nothing said.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::socket::within;
use crate::dialogue::Endpoint;

/// Who is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// A connection was taken.
    Taken,
    /// This name has no address, for this reason.
    Unknown(String, String),
    /// No connection was taken, for this reason.
    Refused(String),
}

/// Connects to an address, and hangs up.
pub async fn touch(endpoint: &Endpoint) -> Contact {
    let taken = match endpoint {
        Endpoint::Unix(path) => within(UnixStream::connect(path)).await.map(drop),
        Endpoint::Tcp(host, port) => match resolve(host, *port).await {
            Ok(addresses) => one_of(addresses).await,
            Err(error) => return Contact::Unknown(host.clone(), error.to_string()),
        },
    };
    taken.map_or_else(|error| Contact::Refused(error.to_string()), |()| Contact::Taken)
}

/// The addresses of a name.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<_> = within(lookup_host((host, port))).await?.collect();
    if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
}

async fn one_of(addresses: Vec<SocketAddr>) -> io::Result<()> {
    let mut refused = None;
    for address in addresses {
        match within(TcpStream::connect(address)).await {
            Ok(_) => return Ok(()),
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(()), Err)
}

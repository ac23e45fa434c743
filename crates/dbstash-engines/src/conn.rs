//! Connection URIs.

use dbstash_core::job::{EngineKey, Source};

/// What a connection URI says.
#[derive(Debug, Clone)]
pub struct Connection {
    /// From the scheme.
    pub engine: EngineKey,
    /// Where the database is.
    pub source: Source,
    /// The database it names, if any.
    pub database: Option<String>,
}

/// Why a text is no connection URI. Never holds a part of the URI that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub String);

/// Takes a connection URI apart. Errors never repeat the user part or a parameter's value.
pub fn parse_uri(uri: &str) -> Result<Connection, UriError> {
    let _ = uri;
    Err(UriError("not written yet".to_owned()))
}

//! Where something is: its name, and whether anybody takes a connection.

use std::path::Path;

use crate::checkup::{Finding, Place};
use crate::dialogue::Endpoint;
use crate::wire::{self, Contact};

/// What is at this place.
pub(super) async fn place(place: &Place) -> Finding {
    match place {
        Place::Server(endpoint) => server(endpoint).await,
        Place::File(path) => file(path),
    }
}

async fn server(endpoint: &Endpoint) -> Finding {
    match wire::touch(endpoint).await {
        Contact::Taken => Finding::ok("address", format!("{endpoint} takes connections")),
        Contact::Unknown(host, why) => Finding::fail(
            "address",
            format!("the name {host} cannot be resolved: {why}"),
            "check DB_URI or DB_HOST, and the DNS of this machine",
        ),
        Contact::Refused(why) => Finding::fail(
            "address",
            format!("nobody takes a connection at {endpoint}: {why}"),
            "check host and port, any firewall, and that the server runs",
        ),
    }
}

fn file(path: &Path) -> Finding {
    let shown = path.display();
    let way_out = "check DB_PATH or DB_URI, and that the file is mounted and readable";
    match std::fs::metadata(path) {
        Err(error) => Finding::fail("address", format!("the file {shown}: {error}"), way_out),
        Ok(meta) if !meta.is_file() => {
            Finding::fail("address", format!("{shown} is not a file"), way_out)
        }
        Ok(meta) => match std::fs::File::open(path) {
            Ok(_) => Finding::ok("address", format!("{shown} is readable, {} bytes", meta.len())),
            Err(error) => Finding::fail("address", format!("the file {shown}: {error}"), way_out),
        },
    }
}

/// Whether a host has an address; why not, otherwise.
pub async fn resolve(host: &str, port: u16) -> Result<(), String> {
    wire::resolve(host, port).await.map(drop).map_err(|error| error.to_string())
}

//! Encryption, and other ways to a server than an address of four numbers.

use std::net::TcpStream;
use std::thread;

use dbstash_testkit::certificates::Certificates;
use dbstash_testkit::redis::{Family, Reply};
use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{RedisServer, RemoteKind, TestRemote, tools};

use super::{fails, loads, product, stored};
use crate::matrix::place::{Place, on_each};

/// A server that asks for a certificate, and its port for who has one.
fn encrypted(family: Family, certificates: &Certificates) -> Option<(RedisServer, u16)> {
    let file = |name: &str| certificates.text(name);
    let (ca, server, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
    let options = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &server, "--tls-key-file", &key];
    let server = RedisServer::start_with(family, &options)?;
    // Somebody else may be quicker with one.
    let mut ports = (0..5).map(|_| free_port());
    let taken = |port: &u16| {
        let words = ["CONFIG", "SET", "tls-port", &port.to_string()];
        server.client().ask(&words).unwrap() == Reply::Simple("OK".into())
    };
    let port = ports.find(taken).unwrap();
    Some((server, port))
}

#[test]
fn over_tls() {
    let Some(certificates) = Certificates::make() else { return };
    thread::scope(|scope| {
        for family in Family::ALL {
            let certificates = &certificates;
            scope.spawn(move || {
                let place = Place::on(TestRemote::start(RemoteKind::Local)?)?;
                let (server, port) = encrypted(family, certificates)?;
                server.fill(1);
                over(&place, &server, port, certificates);
                Some(())
            });
        }
    });
}

fn over(place: &Place, server: &RedisServer, port: u16, certificates: &Certificates) {
    let ca = format!("cacert={}", certificates.text("ca.pem"));
    let stranger = format!("cacert={}", certificates.text("stranger.pem"));
    let us =
        format!("cert={}&key={}", certificates.text("client.pem"), certificates.text("client.key"));
    let run = |scheme: &str, parameters: &str| {
        let uri = format!("{scheme}://127.0.0.1:{port}?{parameters}");
        product(server, &place.remote).env("DB_URI", uri)
    };
    let digest = server.digest();
    let works = |parameters: &str, method: &str| {
        let run = run("rediss", parameters).env("REDIS_METHOD", method);
        let (_, dump) = stored(&run, &place.remote);
        loads(server.family(), &dump, &digest, &format!("{parameters} {method}"));
        for name in place.remote.names().iter().filter(|name| !place.older.has(name)) {
            place.remote.delete(name);
        }
    };
    let (both, trusting) = (format!("{ca}&{us}"), format!("insecure=true&{us}"));
    works(&both, "replication");
    works(&both, "cli");
    works(&trusting, "replication");
    fails(place, &run("rediss", &ca), "certificate");
    fails(
        place,
        &run("rediss", &ca).env("REDIS_METHOD", "cli"),
        "over TLS it may ask for a client certificate",
    );
    fails(
        place,
        &run("rediss", &us),
        "from an authority that is not trusted here|trusts no certificate",
    );
    fails(place, &run("rediss", &format!("{stranger}&{us}")), "authority that is not trusted here");
    fails(place, &run("redis", ""), "is this a TLS port? then write rediss://|answers in TLS");
    server.ask("CONFIG SET tls-auth-clients no");
    works(&ca, "replication");
    let of_other = ["pem", "key"].map(|end| certificates.text(&format!("other.{end}")));
    let [certificate, key] = &of_other;
    server.ask(&format!("CONFIG SET tls-cert-file {certificate} tls-key-file {key}"));
    fails(place, &run("rediss", &ca), "certificate is for another name");
    works(&format!("{ca}&sni=other.invalid"), "replication");
    // As settings, where the URI says nothing of it.
    let parts = run("redis", "").env("DB_URI", format!("redis://127.0.0.1:{port}"));
    let parts = parts.env("REDIS_TLS_ENABLED", "true").env("REDIS_TLS_SNI", "other.invalid");
    stored(&parts.env("REDIS_TLS_CACERT", certificates.path("ca.pem")), &place.remote);
    for name in place.remote.names().iter().filter(|name| !place.older.has(name)) {
        place.remote.delete(name);
    }
    // One that vouches for itself, as many servers have: named, it is the one that was meant.
    let own = ["pem", "key"].map(|end| certificates.text(&format!("stranger.{end}")));
    server.ask(&format!("CONFIG SET tls-cert-file {} tls-key-file {}", own[0], own[1]));
    fails(place, &run("rediss", &ca), "self-signed: name its own file");
    works(&stranger, "replication");
}

#[test]
fn by_socket_and_by_ipv6() {
    on_each(&[RemoteKind::Local], |place| {
        let Some(server) = RedisServer::start(Family::Redis7) else { return };
        server.fill(1);
        let mut uris = vec![
            format!("redis+unix://{}", server.socket().display()),
            format!("redis://localhost:{}", server.port()),
        ];
        if TcpStream::connect(("::1", server.port())).is_ok() {
            uris.push(format!("redis://[::1]:{}", server.port()));
        } else {
            tools::absent("this machine has no IPv6");
        }
        for uri in uris {
            for method in ["replication", "cli"] {
                let run = product(&server, &place.remote).env("DB_URI", &uri);
                let (_, dump) = stored(&run.env("REDIS_METHOD", method), &place.remote);
                loads(Family::Redis7, &dump, &server.digest(), &uri);
            }
        }
        // Of several the first that answers.
        let several = format!("redis://127.0.0.1:{},127.0.0.1:{}", free_port(), server.port());
        let run = product(&server, &place.remote).env("DB_URI", several);
        let (_, dump) = stored(&run, &place.remote);
        loads(Family::Redis7, &dump, &server.digest(), "several");
        let nobody = format!("redis+unix://{}/none", server.dir().display());
        let run = product(&server, &place.remote).env("DB_URI", nobody);
        let done = run.run(crate::scene::PATIENCE);
        crate::matrix::place::failed(&done, "dump", "the socket cannot be used");
    });
}

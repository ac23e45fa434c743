//! Ports: who may have them, and what they answer.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use dbstash_testkit::http::{get, say};
use dbstash_testkit::{RemoteKind, Signal, TestRemote};

use super::{NEW_YEAR, Watched, address};
use crate::scene::{PATIENCE, backups, dbstash, shop_file};

#[test]
fn a_port_that_cannot_be_had_stops_a_scheduler_and_nobody_else() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("HEALTH_ADDR", addr.to_string());
    let scheduler = run.clone().env("BACKUP_SCHEDULE", NEW_YEAR).env("BACKUP_ON_START", "true");
    let done = scheduler.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(done.stderr.contains(&format!("HEALTH_ADDR: {addr} cannot be listened on")), "{done}");
    assert_eq!(backups(&run).len(), 0);
    run.run(PATIENCE).expect_code(0);
    scheduler.clone().args(["backup"]).run(PATIENCE).expect_code(0);
    scheduler.clone().args(["list"]).run(PATIENCE).expect_code(0);
    let metrics = scheduler
        .env("HEALTH_ADDR", "off")
        .env("METRICS_ENABLED", "true")
        .env("METRICS_LISTEN_ADDRESS", "127.0.0.1")
        .env("METRICS_PORT", addr.port().to_string());
    let done = metrics.run(PATIENCE);
    done.expect_code(1);
    assert!(done.stderr.contains("METRICS_PORT"), "{done}");
}

#[test]
fn metrics_have_a_port_of_their_own_when_asked_for() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("METRICS_ENABLED", "true")
        .env("METRICS_LISTEN_ADDRESS", "127.0.0.1")
        .env("METRICS_PORT", "0");
    let both = Watched::start(&run);
    let metrics = address(&both.running, "metrics");
    assert_ne!(metrics, both.address);
    assert!(get(&metrics, "/metrics", &[]).body.ends_with("# EOF\n"));
    for path in ["/status", "/healthz", "/livez", "/"] {
        assert_eq!(get(&metrics, path, &[]).code, 404, "{path}");
    }
    assert_eq!(get(&both.address, "/metrics", &[]).code, 200);
    both.end();
    let mut off = run
        .env("BACKUP_SCHEDULE", NEW_YEAR)
        .env("HEALTH_ADDR", "off")
        .env("METRICS_ENABLED", "false")
        .spawn();
    off.wait_until(PATIENCE, |running| running.output().contains("next backup at"));
    assert!(!off.output().contains("http://"), "{}", off.output());
    off.signal(Signal::TERM);
    off.wait(PATIENCE).expect_code(0);
}

#[test]
fn odd_requests_are_answered_or_dropped_and_harm_nobody() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("STATUS_AUTH", "ops:canary-auth-1");
    let server = Watched::start(&run);
    assert_eq!(server.get("/status").code, 401);
    let login = |text: &str| {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        get(&server.address, "/status", &[&format!("Authorization: Basic {text}")]).code
    };
    for wrong in ["ops:canary-auth-2", "ops:", "", "ops:canary-auth-11"] {
        assert_eq!(login(wrong), 401, "{wrong}");
    }
    assert_eq!(login("ops:canary-auth-1"), 200);
    assert_eq!(server.get("/metrics").code, 200);
    assert_eq!(server.get("/healthz?x=1").code, 200);
    assert_eq!(server.get("/nothing").code, 404);
    let close = "Host: x\r\nConnection: close\r\n";
    assert_eq!(say(&server.address, &format!("POST /healthz HTTP/1.1\r\n{close}\r\n")).code, 405);
    let head = say(&server.address, &format!("HEAD /healthz HTTP/1.1\r\n{close}\r\n"));
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    assert_eq!(say(&server.address, "nonsense\r\n\r\n").code, 400);
    let long = format!("GET /{} HTTP/1.1\r\n{close}\r\n", "a".repeat(20_000));
    assert!([400, 414, 431].contains(&say(&server.address, &long).code));
    // Who says nothing is hung up on, and others are answered after that.
    let mut silent: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.write_all(b"GET /he").unwrap();
            stream
        })
        .collect();
    assert_eq!(server.get("/livez").code, 200);
    silent.clear();
    assert!(!server.running.output().contains("canary-auth"));
    server.end();
}

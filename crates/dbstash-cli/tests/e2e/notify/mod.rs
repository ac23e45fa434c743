//! Notifications: what arrives, where, when, and what becomes of what does not.

mod delivery;
mod mail;
mod news;
mod ping;
mod secret;

use dbstash_testkit::inbox::Request;
use dbstash_testkit::{Dbstash, FakeTools, Finished, Inbox, RemoteKind, TestRemote};

use crate::scene::dbstash;

const AWAY: &str = "err connection to server at \"db\" failed: Connection refused\nexit 1";
const WHOLE: &str = "pg-head\nout-bytes 1MiB\npg-footer";
const HANGS: &str = "pg-head\nout-bytes 1MiB\nsleep 300s";

/// A remote, a database as a script says, and somebody who listens.
struct Scene {
    remote: TestRemote,
    fakes: FakeTools,
    inbox: Inbox,
}

impl Scene {
    fn new(pg_dump: &str) -> Option<Self> {
        let remote = TestRemote::start(RemoteKind::Local)?;
        let fakes = FakeTools::new().tool("pg_dump", pg_dump);
        Some(Self { remote, fakes, inbox: Inbox::start() })
    }

    /// A run that tells nobody.
    fn quiet(&self) -> Dbstash {
        let run = dbstash(&self.remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop");
        run.env("PG_GLOBALS", "off").env("PATH", self.fakes.path()).env("DBSTASH_JOB", "shop-job")
    }

    /// A run that tells a webhook for JSON.
    fn run(&self, on: &str) -> Dbstash {
        self.quiet().env("NOTIFY_WEBHOOK_URL", self.inbox.url("/news")).env("NOTIFY_ON", on)
    }

    /// The statuses that the webhook was told, in order.
    fn news(&self) -> Vec<String> {
        let told = self.inbox.of("/news");
        told.iter().map(|news| news.json()["status"].as_str().unwrap().to_owned()).collect()
    }

    fn of(&self, status: &str) -> usize {
        self.news().iter().filter(|told| *told == status).count()
    }
}

/// The lines of the log that say what was not delivered.
fn undelivered(done: &Finished) -> Vec<String> {
    let said = |event: &serde_json::Value| {
        let text = event["message"].as_str()?;
        let not = text.contains("notification not delivered") && event["level"] == "ERROR";
        not.then(|| text.to_owned())
    };
    done.events.iter().filter_map(said).collect()
}

/// The only one.
#[track_caller]
fn only(requests: &[Request]) -> &Request {
    assert_eq!(requests.len(), 1, "{requests:#?}");
    &requests[0]
}

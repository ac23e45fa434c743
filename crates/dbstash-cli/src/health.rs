//! What a scheduler tells those who watch it: over HTTP, and over a socket in the state directory.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200, or 503 with what is wrong: a backup is overdue, a run stands still, the newest is corrupt |
//! | `/livez` | 200 while the process does its work |
//! | `/metrics` | OpenMetrics |
//! | `/status` | everything, as JSON |

pub mod metrics;
mod reply;
pub mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use dbstash_core::secret::{ExposeSecret as _, Redactor, SecretString};
use dbstash_core::status::{Board, Snapshot};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::notify::Courier;

/// Connections at a time; more wait. Nobody can use up our file descriptors.
const CONNECTIONS: usize = 128;
/// For the head of a request, and for a whole connection.
const PATIENCE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
/// After an `accept` that failed: the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(200);

/// Where a scheduler is asked for its health.
#[derive(Debug, Clone, Default)]
pub struct HealthSettings {
    /// Everything; `None` where nobody wants to know.
    pub health: Option<SocketAddr>,
    /// `/metrics` alone.
    pub metrics: Option<SocketAddr>,
    /// `user:password` that `/status` asks for.
    pub status_auth: Option<Arc<SecretString>>,
}

impl HealthSettings {
    /// Whether these are the same.
    pub fn is_as(&self, other: &Self) -> bool {
        let auth = |of: &Self| of.status_auth.as_ref().map(|auth| auth.expose_secret().to_owned());
        (self.health, self.metrics, auth(self)) == (other.health, other.metrics, auth(other))
    }
}

/// What is served.
pub struct Site {
    /// The state of the jobs.
    pub board: Arc<Board>,
    /// What could not be told to others.
    pub courier: Courier,
    /// Keeps secrets out of error texts.
    pub redactor: Redactor,
    /// `user:password` that `/status` asks for.
    pub status_auth: Option<Arc<SecretString>>,
}

impl Site {
    /// The state of the jobs now, without secrets.
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.board.snapshot(Utc::now());
        snapshot.undelivered = self.courier.undelivered();
        let clean = |text: &mut String| *text = self.redactor.redact(text).into_owned();
        snapshot.undelivered.iter_mut().for_each(|one| clean(&mut one.last_error));
        for job in &mut snapshot.jobs {
            job.problems.iter_mut().for_each(|problem| clean(&mut problem.text));
            for status in &mut job.databases {
                status.last_failure.iter_mut().for_each(|failed| {
                    clean(&mut failed.error);
                    clean(&mut failed.stderr);
                });
                status.last_verification.iter_mut().flat_map(|one| &mut one.error).for_each(clean);
                status.corrupt.iter_mut().flat_map(|one| &mut one.what).for_each(clean);
                status.running.iter_mut().flat_map(|run| &mut run.still).for_each(clean);
            }
        }
        snapshot
    }
}

/// Which paths a listener has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// All of them.
    All,
    /// `/metrics`.
    Metrics,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {addr} cannot be listened on: {reason}; set it to a free address{off}")]
pub struct BindError {
    setting: &'static str,
    addr: SocketAddr,
    off: &'static str,
    reason: io::Error,
}

/// The listeners of the settings, bound and not yet served.
pub struct Listeners(Vec<(TcpListener, Paths)>);

impl Listeners {
    /// Takes the ports, or says which one cannot be had.
    pub async fn bind(settings: &HealthSettings) -> Result<Self, BindError> {
        let mut bound = Vec::new();
        for (addr, paths, setting, off) in [
            (settings.health, Paths::All, "HEALTH_ADDR", ", or to off"),
            (settings.metrics, Paths::Metrics, "METRICS_LISTEN_ADDRESS, METRICS_PORT", ""),
        ] {
            let Some(addr) = addr else { continue };
            let listener = TcpListener::bind(addr).await.map_err(|reason| BindError {
                setting,
                addr,
                off,
                reason,
            })?;
            bound.push((listener, paths));
        }
        Ok(Self(bound))
    }

    /// Where they listen.
    pub fn addresses(&self) -> impl Iterator<Item = (SocketAddr, Paths)> {
        self.0.iter().filter_map(|(listener, paths)| Some((listener.local_addr().ok()?, *paths)))
    }

    /// Answers from now on, until the runtime ends.
    pub fn serve(self, site: &Arc<Site>) {
        for (listener, paths) in self.0 {
            let site = Arc::clone(site);
            tokio::spawn(async move {
                let free = Arc::new(Semaphore::new(CONNECTIONS));
                loop {
                    let Ok(place) = Arc::clone(&free).acquire_owned().await else { return };
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            let site = Arc::clone(&site);
                            tokio::spawn(async move {
                                answer(stream, &site, paths).await;
                                drop(place);
                            });
                        }
                        Err(_) => tokio::time::sleep(BREATH).await,
                    }
                }
            });
        }
    }
}

/// Answers what comes over one connection.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, site: &Arc<Site>, paths: Paths) {
    let service = service_fn(|request| {
        let response = reply::reply(&request, site, paths);
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE[0])
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // Who hangs up in the middle has nothing to be told.
    let _ = tokio::time::timeout(PATIENCE[1], connection).await;
}

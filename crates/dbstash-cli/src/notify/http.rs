//! The HTTP client: made when something is sent for the first time, and what its answers mean.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};

use super::target::Refusal;
use super::words::{cut, line};

/// As much of an answer as is looked at.
const ANSWER: usize = 2048;

/// A client that trusts whom the machine trusts, takes its proxies from the environment as everyone does, and follows
/// nobody: what is sent, and where to, is a secret.
pub(super) fn client() -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        tracing::warn!(
            "this machine trusts no certificate authority, so https will fail: install ca-certificates"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .user_agent(concat!("dbstash/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| chain(&error))
}

/// Asks for an address.
pub(super) async fn get(client: &Client, url: &Url) -> Result<(), Refusal> {
    judged(client.get(url.clone()).send().await).await
}

/// Sends a body of this type to an address.
pub(super) async fn post(
    client: &Client,
    url: &Url,
    kind: &'static str,
    body: String,
) -> Result<(), Refusal> {
    judged(client.post(url.clone()).header(CONTENT_TYPE, kind).body(body).send().await).await
}

async fn judged(answer: Result<Response, reqwest::Error>) -> Result<(), Refusal> {
    let mut answer = answer.map_err(|error| {
        let (lasting, why) = (error.is_builder(), chain(&error.without_url()));
        let lasting = lasting || is_distrust(&why);
        Refusal::new(why, lasting)
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| answer.url().join(to).ok());
        let host = to.as_ref().and_then(Url::host_str).unwrap_or("another address");
        let why =
            format!("it answers {status} and points to {host}: set the address that it points to");
        return Err(Refusal::new(why, true));
    }
    let after = after(answer.headers(), Utc::now());
    let mut said = Vec::new();
    while said.len() < ANSWER {
        match answer.chunk().await {
            Ok(Some(bytes)) => said.extend_from_slice(&bytes),
            Ok(None) | Err(_) => break,
        }
    }
    let said = cut(line(&String::from_utf8_lossy(&said)).trim(), 300);
    let colon = if said.is_empty() { "" } else { ": " };
    let passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    Err(Refusal {
        why: format!("it answers {status}{colon}{said}"),
        lasting: !passing,
        after,
        form: matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNPROCESSABLE_ENTITY
        ),
    })
}

/// How long to wait: seconds, whole or not, or a date.
fn after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.with_timezone(&Utc) - now).to_std().unwrap_or_default())
}

/// Whether a certificate was refused: the next one will be the same.
pub(super) fn is_distrust(why: &str) -> bool {
    why.contains("invalid peer certificate")
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again() {
        let now = DateTime::parse_from_rfc3339("2026-02-07T02:00:00Z").unwrap().with_timezone(&Utc);
        for (text, expected) in [
            ("3", Some(Duration::from_secs(3))),
            ("0.25", Some(Duration::from_millis(250))),
            ("Sat, 07 Feb 2026 02:00:05 GMT", Some(Duration::from_secs(5))),
            ("Sat, 07 Feb 2026 01:00:00 GMT", Some(Duration::ZERO)),
            ("-1", None),
            ("soon", None),
            ("NaN", None),
            ("1e300", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(after(&headers, now), expected, "{text}");
        }
        assert_eq!(after(&HeaderMap::new(), now), None);
    }
}

//! Requests and their answers.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dbstash_core::secret::ExposeSecret as _;
use dbstash_core::status::Snapshot;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};

use super::{Paths, Site, metrics};
use crate::text::{json, shown};

const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn reply(
    request: &Request<Incoming>,
    site: &Site,
    paths: Paths,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let known = match paths {
        Paths::All => ["/healthz", "/livez", "/metrics", "/status"].contains(&path),
        Paths::Metrics => path == "/metrics",
    };
    if !known {
        return response(StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned());
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refused =
            response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    if path == "/livez" {
        return response(StatusCode::OK, TEXT, "ok\n".to_owned());
    }
    let snapshot = site.snapshot();
    match path {
        "/healthz" => {
            let code =
                if snapshot.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            response(code, TEXT, health(&snapshot))
        }
        "/metrics" => response(StatusCode::OK, metrics::CONTENT_TYPE, metrics::text(&snapshot)),
        _ if !allowed(request, site) => {
            let mut refused =
                response(StatusCode::UNAUTHORIZED, TEXT, "STATUS_AUTH is asked for\n".to_owned());
            let how = HeaderValue::from_static("Basic realm=\"dbstash\", charset=\"UTF-8\"");
            refused.headers_mut().insert(WWW_AUTHENTICATE, how);
            refused
        }
        _ => response(StatusCode::OK, "application/json", json(&serde_json::json!(snapshot))),
    }
}

/// A line for each thing that is wrong; else what is waited for.
fn health(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for job in &snapshot.jobs {
        for problem in &job.problems {
            let (database, what) = (shown(&problem.database), shown(&problem.text));
            let _ = writeln!(text, "{} {database}: {what}", job.job);
        }
    }
    if text.is_empty() {
        let databases = || snapshot.jobs.iter().flat_map(|job| &job.databases);
        let waiting = databases().any(|status| status.last_success.is_none());
        text.push_str(if waiting || databases().next().is_none() { "waiting\n" } else { "ok\n" });
    }
    text
}

fn allowed(request: &Request<Incoming>, site: &Site) -> bool {
    let Some(wanted) = &site.status_auth else { return true };
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|text| text.split_once(' '))
        .filter(|(how, _)| how.eq_ignore_ascii_case("basic"));
    let given = given.and_then(|(_, text)| STANDARD.decode(text.trim()).ok()).unwrap_or_default();
    let wanted = wanted.expose_secret().as_bytes();
    // As long whatever the first difference is.
    wanted.len() == given.len()
        && wanted.iter().zip(&given).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn response(code: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

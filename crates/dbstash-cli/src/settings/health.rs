//! Where a scheduler is asked for its health, and when a backup is missed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dbstash_core::secret::SecretString;
use dbstash_core::status::Expected;

use super::parse;
use super::reader::Reader;
use super::table::{
    HEALTH_ADDR, HEALTH_GRACE, HEALTH_MAX_AGE, METRICS_ENABLED, METRICS_LISTEN_ADDRESS,
    METRICS_PORT, STATUS_AUTH,
};
use crate::health::HealthSettings;

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

pub(super) fn health(reader: &mut Reader<'_>) -> HealthSettings {
    let health = reader.value(&HEALTH_ADDR, address).flatten();
    let enabled = reader.value(&METRICS_ENABLED, parse::boolean).unwrap_or_default();
    let port = reader.value(&METRICS_PORT, |text| {
        text.trim().parse::<u16>().map_err(|_| "accepted are ports, 0 to 65535".to_owned())
    });
    let host = reader.value(&METRICS_LISTEN_ADDRESS, host);
    for setting in [&METRICS_PORT, &METRICS_LISTEN_ADDRESS] {
        if !enabled && reader.is_set(setting) {
            let idle = format!("{} has no effect without METRICS_ENABLED=true", setting.name);
            reader.complaints.warn(idle);
        }
    }
    let metrics = enabled.then(|| Some(SocketAddr::new(host?, port?))).flatten();
    let status_auth = reader.value(&STATUS_AUTH, |text| match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            Ok(Arc::new(SecretString::from(text)))
        }
        _ => Err("accepted is user:password".to_owned()),
    });
    // One port can be listened on once, and has /metrics already.
    let metrics = metrics.filter(|addr| addr.port() == 0 || Some(*addr) != health);
    HealthSettings { health, metrics, status_auth }
}

pub(super) fn expected(reader: &mut Reader<'_>) -> Expected {
    let age = reader.value(&HEALTH_MAX_AGE, parse::duration).filter(|age| !age.is_zero());
    let grace = reader.value(&HEALTH_GRACE, parse::duration).unwrap_or(Duration::from_secs(3600));
    age.map_or(Expected::Grace(grace), Expected::MaxAge)
}

/// `127.0.0.1:8080`, `[::1]:8080`, `:8080`; `None` is `off`.
fn address(text: &str) -> Result<Option<SocketAddr>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    if let Some(Ok(port)) = text.strip_prefix(':').map(str::parse::<u16>) {
        return Ok(Some(SocketAddr::new(ANY, port)));
    }
    let accepted = "accepted are an address and a port, such as 0.0.0.0:8080 or [::]:8080, or off";
    text.parse().map(Some).map_err(|_| accepted.to_owned())
}

fn host(text: &str) -> Result<IpAddr, String> {
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_err(|_| "accepted are addresses such as 0.0.0.0 or ::".to_owned())
}

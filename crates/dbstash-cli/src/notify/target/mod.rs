//! The kinds of targets: how each is told.

mod discord;
pub mod mail;
mod ping;
mod slack;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use reqwest::Url;
use serde_json::Value;

use self::mail::Mail;
pub(super) use self::ping::Beat;
use super::address::{Platform, Webhook};
use super::courier::Courier;
use super::notice::Notice;
use super::template::Template;

/// Something to deliver.
#[derive(Debug, Clone)]
pub(super) enum Parcel {
    /// For people.
    Notice(Arc<Notice>),
    /// For a monitor that waits for it.
    Beat(Beat),
}

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In words; may hold anything that the other side said.
    pub(super) why: String,
    /// Whether the same will be refused again.
    pub(super) lasting: bool,
    /// How long the other side wants to be left alone.
    pub(super) after: Option<std::time::Duration>,
    /// Whether it was the form that was not understood.
    pub(super) form: bool,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>, lasting: bool) -> Self {
        Self { why: why.into(), lasting, after: None, form: false }
    }
}

/// Where notices go.
pub(super) enum Target {
    Webhook { webhook: Webhook, template: Option<Arc<Template>> },
    Mail(Mail),
    Ping(Url),
}

impl Target {
    /// What it is known by: its kind, its number among its like, and its host.
    pub(super) fn label(&self, number: usize) -> String {
        let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
        match self {
            Self::Webhook { webhook, .. } => {
                format!("{} webhook {number} ({})", webhook.platform.as_str(), host(&webhook.url))
            }
            Self::Mail(mail) => format!("email {number} ({})", mail.server.host),
            Self::Ping(url) => format!("ping ({})", host(url)),
        }
    }

    /// Where it is: a host and a port.
    pub(super) fn address(&self) -> (String, u16) {
        let of = |url: &Url| {
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            (host.to_owned(), url.port_or_known_default().unwrap_or_default())
        };
        match self {
            Self::Webhook { webhook, .. } => of(&webhook.url),
            Self::Mail(mail) => (mail.server.host.clone(), mail.server.port),
            Self::Ping(url) => of(url),
        }
    }

    /// What tells it from every other one. Holds secrets.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Webhook { webhook, template } => {
                format!("{} {} {template:?}", webhook.platform.as_str(), webhook.url)
            }
            Self::Mail(mail) => mail.identity(),
            Self::Ping(url) => format!("ping {url}"),
        }
    }

    /// Tries once.
    pub(super) async fn take(&self, parcel: &Parcel, courier: &Courier) -> Result<(), Refusal> {
        match (self, parcel) {
            (Self::Webhook { webhook, template }, Parcel::Notice(notice)) => {
                let mut done = Ok(());
                for body in bodies(webhook.platform, template.as_deref(), notice) {
                    done = courier.post(&webhook.url, &body).await;
                    if !done.as_ref().is_err_and(|refusal| refusal.form) {
                        break;
                    }
                }
                done
            }
            (Self::Mail(mail), Parcel::Notice(notice)) => mail.send(notice).await,
            (Self::Ping(url), Parcel::Beat(beat)) => beat.send(url, courier).await,
            _ => Ok(()),
        }
    }
}

/// The message, and a plainer one for a platform that does not understand it.
fn bodies(platform: Platform, template: Option<&Template>, notice: &Notice) -> Vec<Value> {
    match platform {
        Platform::Slack => slack::bodies(notice),
        Platform::Discord => discord::bodies(notice),
        Platform::Json => {
            let mut values = notice.json();
            values.insert("text".to_owned(), notice.text().into());
            vec![match template {
                Some(template) => template.filled(&values),
                None => Value::Object(values),
            }]
        }
    }
}

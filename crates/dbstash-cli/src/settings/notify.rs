//! Who is told of what.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use reqwest::Url;

use super::parse;
use super::reader::Reader;
use super::table::{
    BACKUP_SCHEDULE, Kind, NOTIFY_EMAIL_TO, NOTIFY_ON, NOTIFY_PING_URL, NOTIFY_SILENCE_AFTER,
    NOTIFY_WEBHOOK_TEMPLATE, NOTIFY_WEBHOOK_URL, SMTP_URL,
};
use crate::notify::On;
use crate::notify::address::{self, Platform, Webhook};
use crate::notify::target::mail::{self, MailServer, Security};
use crate::notify::template::Template;
use dbstash_core::secret::ExposeSecret as _;

/// Who is told of what. Not `Debug`: addresses are secrets.
#[derive(Clone)]
pub struct NotifySettings {
    /// Of what.
    pub on: On,
    /// Webhooks.
    pub webhooks: Vec<Webhook>,
    /// The user's own form for webhooks of no platform we know.
    pub template: Option<Arc<Template>>,
    /// A mail server, and to whom it sends.
    pub mail: Option<(MailServer, Vec<Mailbox>)>,
    /// A monitor that gets loud when it hears nothing.
    pub ping: Option<Url>,
    /// After how long without a good backup there is something to tell.
    pub silence_after: Option<Duration>,
}

/// What the notification settings say. Mistakes are kept, and then nobody acts on the rest.
pub(super) fn notify(reader: &mut Reader<'_>) -> NotifySettings {
    let on = match NOTIFY_ON.kind {
        Kind::OneOf(words) => reader.value(&NOTIFY_ON, |text| parse::one_of(text, words)),
        _ => None,
    };
    let on = match on {
        Some("always") => On::Always,
        Some("success") => On::Success,
        _ => On::Failure,
    };
    let webhooks = reader.value(&NOTIFY_WEBHOOK_URL, webhooks).unwrap_or_default();
    let template = reader.value(&NOTIFY_WEBHOOK_TEMPLATE, Template::parse).map(Arc::new);
    let ping = reader.value(&NOTIFY_PING_URL, address::ping);
    for url in webhooks.iter().map(|webhook| &webhook.url).chain(&ping) {
        reader.complaints.secrets.extend(address::secrets(url));
    }
    let settings = NotifySettings {
        on,
        webhooks,
        template,
        mail: mail(reader),
        ping,
        silence_after: reader
            .value(&NOTIFY_SILENCE_AFTER, parse::duration)
            .filter(|limit| !limit.is_zero()),
    };
    remarks(reader, &settings);
    settings
}

/// By comma, or a line each in a file.
fn webhooks(text: &str) -> Result<Vec<Webhook>, String> {
    let each = text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
    let all = each.map(Webhook::parse).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() { Webhook::parse("").map(|_| all) } else { Ok(all) }
}

fn mail(reader: &mut Reader<'_>) -> Option<(MailServer, Vec<Mailbox>)> {
    let to = reader.value(&NOTIFY_EMAIL_TO, mail::recipients);
    let server = reader.value(&SMTP_URL, MailServer::parse);
    if let Some(login) = server.as_ref().and_then(|server| server.login.as_ref()) {
        reader.complaints.secrets.push(login.1.expose_secret().to_owned());
    }
    match (reader.is_set(&NOTIFY_EMAIL_TO), reader.is_set(&SMTP_URL)) {
        (true, false) => reader.complaints.mistake(
            "NOTIFY_EMAIL_TO needs a mail server: set SMTP_URL, as smtp://user:password@host:587?from=ADDRESS"
                .to_owned(),
        ),
        (false, true) => {
            let idle = "SMTP_URL has no effect without NOTIFY_EMAIL_TO";
            reader.complaints.warn(idle.to_owned());
        }
        _ => {}
    }
    let server = server?;
    if server.security == Security::Open && server.login.is_some() && !is_loopback(&server.host) {
        reader.complaints.warn(
            "SMTP_URL: tls=none sends the password so that everyone on the way can read it"
                .to_owned(),
        );
    }
    to.map(|to| (server, to))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What has no effect.
fn remarks(reader: &mut Reader<'_>, settings: &NotifySettings) {
    let anyone = reader.is_set(&NOTIFY_WEBHOOK_URL) || reader.is_set(&NOTIFY_EMAIL_TO);
    for setting in [&NOTIFY_ON, &NOTIFY_SILENCE_AFTER] {
        if reader.is_set(setting) && !anyone {
            let name = setting.name;
            reader.complaints.warn(format!(
                "{name} has no effect without NOTIFY_WEBHOOK_URL or NOTIFY_EMAIL_TO"
            ));
        }
    }
    if settings.silence_after.is_some() && settings.on == On::Success && anyone {
        reader
            .complaints
            .warn("NOTIFY_SILENCE_AFTER has no effect with NOTIFY_ON=success".to_owned());
    }
    let once = reader.given(&BACKUP_SCHEDULE).is_some_and(|text| text.trim() == "once");
    if settings.silence_after.is_some() && once {
        let idle = "NOTIFY_SILENCE_AFTER has no effect with a schedule of once";
        reader.complaints.warn(idle.to_owned());
    }
    let plain = settings.webhooks.iter().any(|webhook| webhook.platform == Platform::Json);
    if settings.template.is_some() && !plain {
        reader.complaints.warn(
            "NOTIFY_WEBHOOK_TEMPLATE has no effect without a webhook that is neither Slack's nor \
             Discord's; json+ before its URL makes it one"
                .to_owned(),
        );
    }
}

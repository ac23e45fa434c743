//! Email over SMTP.

use std::time::Duration;

use dbstash_core::secret::{ExposeSecret as _, SecretString};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::super::http;
use super::super::notice::Notice;
use super::super::words::cut;
use super::Refusal;

/// Subjects are read in lists.
const SUBJECT: usize = 200;
/// Long enough for any error, and for every mail server.
const BODY: usize = 50_000;
/// A server that is silent for so long has gone.
const SILENCE: Duration = Duration::from_secs(10);

/// A mail server, and what it takes to send by it. Not `Debug`: it has a password.
#[derive(Clone)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// Who logs in.
    pub login: Option<(String, SecretString)>,
    /// The sender.
    pub from: Mailbox,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From its first byte.
    Tls,
    /// Before anything is told; never without.
    StartTls,
    /// Not at all.
    Open,
}

/// One recipient, by one server.
#[derive(Clone)]
pub(in super::super) struct Mail {
    pub(in super::super) server: MailServer,
    pub(in super::super) to: Mailbox,
}

const SERVERS: &str = "accepted are smtps://user:password@host:465?from=ADDRESS and smtp://... with STARTTLS, or with \
                       tls=none for neither; what is special in a URI is percent-encoded";

impl MailServer {
    /// `smtp(s)://user:password@host:port?from=ADDRESS&tls=...`. The error never repeats any of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // In a query, '+' would be a blank; in an address it is a plus.
        let (address, query) = text.trim().split_once('?').unwrap_or((text.trim(), ""));
        let url = Url::parse(&format!("{address}?{}", query.replace('+', "%2B")));
        let url = url.map_err(|_| SERVERS)?;
        let mut security = match url.scheme() {
            "smtp" => Security::StartTls,
            "smtps" => Security::Tls,
            _ => return Err(SERVERS.to_owned()),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SERVERS)?;
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| SERVERS)
        };
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        let password = url.password().map(decoded).transpose()?;
        let mut from = None;
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref(), security) {
                ("from", value, _) => from = Some(value.to_owned()),
                ("tls", "required" | "starttls", Security::StartTls)
                | ("tls", "required", Security::Tls) => {}
                ("tls", "none", Security::StartTls) => security = Security::Open,
                ("tls", ..) => {
                    return Err(
                        "tls: accepted are required, starttls and none after smtp://, and \
                                nothing but required after smtps://"
                            .to_owned(),
                    );
                }
                _ => return Err("accepted parameters are from and tls".to_owned()),
            }
        }
        let sender = from.or_else(|| user.clone().filter(|user| user.contains('@')));
        let sender = sender.ok_or("who sends is missing: add ?from=ADDRESS")?;
        let from = sender.parse().map_err(|_| "from: accepted is an email address")?;
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password.into())),
            (None, None) => None,
            _ => return Err("a user and a password are only of use together".to_owned()),
        };
        let port = url.port().unwrap_or(match security {
            Security::Tls => 465,
            Security::StartTls => 587,
            Security::Open => 25,
        });
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, security, login, from })
    }
}

/// Addresses by comma.
pub fn recipients(text: &str) -> Result<Vec<Mailbox>, String> {
    let named = text.split(',').map(str::trim).filter(|address| !address.is_empty());
    let all: Vec<Mailbox> = named
        .map(|address| address.parse().map_err(|_| ()))
        .collect::<Result<_, _>>()
        .map_err(|()| RECIPIENTS)?;
    if all.is_empty() { Err(RECIPIENTS.to_owned()) } else { Ok(all) }
}

const RECIPIENTS: &str = "accepted are email addresses, several by comma";

impl Mail {
    pub(super) fn identity(&self) -> String {
        let MailServer { host, port, security, login, from } = &self.server;
        let (user, password) = login
            .as_ref()
            .map_or(("", ""), |(user, password)| (user.as_str(), password.expose_secret()));
        format!("mail {host} {port} {security:?} {user} {password} {from} {}", self.to)
    }

    pub(super) async fn send(&self, notice: &Notice) -> Result<(), Refusal> {
        let message = self.message(notice).map_err(|error| Refusal::new(error, true))?;
        let transport = self.transport().map_err(|error| refusal(&error))?;
        transport.send(message).await.map_err(|error| refusal(&error))?;
        Ok(())
    }

    fn message(&self, notice: &Notice) -> Result<Message, String> {
        let title = format!("[dbstash] {}", notice.title());
        Message::builder()
            .from(self.server.from.clone())
            .to(self.to.clone())
            .subject(cut(&title, SUBJECT))
            .header(ContentType::TEXT_PLAIN)
            .body(cut(&notice.text(), BODY))
            .map_err(|error| error.to_string())
    }

    /// Made anew for each mail: they are rare, and a connection would not be kept for the next one.
    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Error> {
        let server = &self.server;
        let parameters = || TlsParameters::new_rustls(server.host.clone());
        let tls = match server.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::Open => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(SILENCE));
        if let Some((user, password)) = &server.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }
}

/// What a mail server says with 5 at its beginning, it will say again.
fn refusal(error: &Error) -> Refusal {
    let why = http::chain(error);
    let lasting = error.is_permanent() || error.is_client() || http::is_distrust(&why);
    Refusal::new(why, lasting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> MailServer {
        MailServer::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn servers() {
        let full = parsed("smtps://ops%40x.org:p%2Fw%20@mail.x.org:1465?from=ops+b@x.org");
        assert_eq!((full.host.as_str(), full.port), ("mail.x.org", 1465));
        let (user, password) = full.login.unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("ops@x.org", "p/w "));
        assert_eq!(full.from.to_string(), "ops+b@x.org");
        for (text, port, security) in [
            ("smtps://h?from=a@b.c", 465, Security::Tls),
            ("smtp://h?from=a@b.c", 587, Security::StartTls),
            ("smtp://h?from=a@b.c&tls=required", 587, Security::StartTls),
            ("smtp://[::1]:25?tls=none&from=a@b.c", 25, Security::Open),
            ("smtp://h?tls=none&from=dbstash%20<a@b.c>", 25, Security::Open),
        ] {
            let server = parsed(text);
            assert_eq!((server.port, server.security), (port, security), "{text}");
        }
        assert_eq!(parsed("smtp://[::1]?from=a@b.c").host, "::1");
        assert_eq!(parsed("smtp://a%40b.c:pw@h").from.to_string(), "a@b.c");
        for bad in [
            "",
            "h",
            "http://h?from=a@b.c",
            "smtp://?from=a@b.c",
            "smtp://h",
            "smtp://user:pw@h",
            "smtp://user@h?from=a@b.c",
            "smtp://h?from=nobody",
            "smtp://h?from=a@b.c&tls=maybe",
            "smtps://h?from=a@b.c&tls=none",
            "smtp://h?from=a@b.c&to=d@e.f",
        ] {
            assert!(MailServer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_recipients() {
        assert_eq!(recipients("a@b.c, D <d@e.f>,").unwrap().len(), 2);
        for bad in ["", ",", "a", "a@b.c d@e.f"] {
            assert!(recipients(bad).is_err(), "{bad}");
        }
    }
}

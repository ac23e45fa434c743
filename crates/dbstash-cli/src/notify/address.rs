//! Where webhooks and pings go: addresses, and whose form of a message they take.

use reqwest::Url;

/// Whose form of a message a webhook takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Slack, and Mattermost, which takes the same.
    Slack,
    /// Discord.
    Discord,
    /// Anyone else: plain JSON, or the user's template.
    Json,
}

impl Platform {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Json => "json",
        }
    }

    /// As the address tells.
    fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let within = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if ["discord.com", "discordapp.com"].into_iter().any(within)
            && url.path().starts_with("/api/")
            && url.path().contains("webhooks/")
        {
            Self::Discord
        } else if host == "hooks.slack.com" || url.path().contains("/hooks/") {
            Self::Slack
        } else {
            Self::Json
        }
    }
}

/// A webhook. Not `Debug`: its address is a secret.
#[derive(Clone)]
pub struct Webhook {
    /// Whose form it takes.
    pub platform: Platform,
    /// Where it is.
    pub url: Url,
}

const WEBHOOKS: &str = "accepted are http and https URLs, several by comma, each with slack+, discord+ or json+ before it \
                        when the platform cannot be told from it";

impl Webhook {
    /// `https://...`, or `slack+https://...` where the address does not tell the platform.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (platform, rest) = match text.split_once('+') {
            Some(("slack" | "mattermost", rest)) => (Some(Platform::Slack), rest),
            Some(("discord", rest)) => (Some(Platform::Discord), rest),
            Some(("json", rest)) => (Some(Platform::Json), rest),
            _ => (None, text),
        };
        let url = http(rest).ok_or(WEBHOOKS)?;
        Ok(Self { platform: platform.unwrap_or_else(|| Platform::of(&url)), url })
    }
}

/// The address of a monitor that waits for pings.
pub fn ping(text: &str) -> Result<Url, String> {
    http(text.trim()).ok_or_else(|| {
        "accepted is an http or https URL, such as https://hc-ping.com/UUID".to_owned()
    })
}

fn http(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// Every part of such an address that must not be shown.
pub fn secrets(url: &Url) -> Vec<String> {
    /// Shorter paths are no secrets, and might be words of anything else.
    const SHORTEST: usize = 16;
    let rest = url.as_str().split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let path = rest.map_or("", |(_, path)| path);
    let parts = path.split(['/', '?', '&', '=']);
    let mut secrets: Vec<String> = parts
        .chain([path])
        .filter(|part| part.len() >= SHORTEST)
        .map(str::to_owned)
        .chain([url.as_str().to_owned()])
        .collect();
    secrets.extend(url.password().map(str::to_owned));
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        Webhook::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).platform
    }

    #[test]
    fn the_address_tells_the_platform() {
        for slack in [
            "https://hooks.slack.com/services/T0/B0/x",
            "https://chat.example.org/hooks/abc",
            "https://example.org/mattermost/hooks/abc",
            "slack+http://127.0.0.1:1234/",
            "mattermost+https://example.org/x",
        ] {
            assert_eq!(platform(slack), Platform::Slack, "{slack}");
        }
        for discord in [
            "https://discord.com/api/webhooks/1/x",
            "https://discordapp.com/api/webhooks/1/x",
            "https://canary.discord.com/api/webhooks/1/x",
            "https://ptb.discord.com/api/v10/webhooks/1/x",
            "discord+https://proxy.example.org/x",
        ] {
            assert_eq!(platform(discord), Platform::Discord, "{discord}");
        }
        for json in [
            "https://example.org/",
            "https://notdiscord.com/api/webhooks/1/x",
            "https://hooks.slack.com.example.org/services/x",
            "https://example.org/webhooks/x",
            "json+https://example.org/hooks/x",
        ] {
            assert_eq!(platform(json), Platform::Json, "{json}");
        }
        for bad in ["", "example.org", "ftp://h/", "teams+https://h/", "https://", "slack+"] {
            assert!(Webhook::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_of_an_address_is_secret() {
        let url = Url::parse("https://u:pw12@h.example/services/T0/B0/0123456789abcdef").unwrap();
        let secrets = secrets(&url);
        for secret in ["0123456789abcdef", "services/T0/B0/0123456789abcdef", url.as_str(), "pw12"]
        {
            assert!(secrets.iter().any(|s| s == secret), "{secret}: {secrets:?}");
        }
        assert!(!secrets.iter().any(|s| s == "services"), "{secrets:?}");
    }
}

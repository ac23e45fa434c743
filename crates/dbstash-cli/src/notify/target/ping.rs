//! Pings for a monitor that gets loud when none come: healthchecks.io and others with the same paths.

use reqwest::Url;

use super::super::courier::Courier;
use super::Refusal;

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Beat {
    /// A run of the job began.
    Start,
    /// All of it ended well.
    Success,
    /// It did not, for this reason.
    Fail(String),
}

impl Beat {
    /// The address for it: `/start` and `/fail` go before any query.
    fn address(&self, url: &Url) -> Url {
        let mut url = url.clone();
        let end = match self {
            Self::Success => return url,
            Self::Start => "start",
            Self::Fail(_) => "fail",
        };
        let path = format!("{}/{end}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    pub(super) async fn send(&self, url: &Url, courier: &Courier) -> Result<(), Refusal> {
        let address = self.address(url);
        match self {
            Self::Start | Self::Success => courier.get(&address).await,
            Self::Fail(why) => courier.post_text(&address, why.clone()).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_goes_before_the_query() {
        for (url, start, fail) in [
            ("https://h/uuid", "https://h/uuid/start", "https://h/uuid/fail"),
            ("https://h/uuid/", "https://h/uuid/start", "https://h/uuid/fail"),
            (
                "https://h/a/b?x=1&y=%2F",
                "https://h/a/b/start?x=1&y=%2F",
                "https://h/a/b/fail?x=1&y=%2F",
            ),
            ("http://h:1", "http://h:1/start", "http://h:1/fail"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(Beat::Start.address(&url).as_str(), start);
            assert_eq!(Beat::Fail(String::new()).address(&url).as_str(), fail);
            assert_eq!(Beat::Success.address(&url), url);
        }
    }
}

//! What there is to know of rclone and a remote before anything is stored.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::command::call;
use super::features::{Report, Version, without_path};
use super::{MISSING, QUICK, Rclone, parse, succeeded};
use crate::remote::{Nature, Remote as _, RemoteError, Tool};

/// What `lsjson --stat` says of an object, as far as it is of use here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modified {
    mod_time: DateTime<Utc>,
}

impl Rclone {
    /// rclone, with its version.
    pub(super) async fn tool_at_work(&self) -> Result<Tool, RemoteError> {
        let answer = call(&self.settings, &["version"], b"", QUICK).await?;
        let answer = succeeded(answer, "tell its version")?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let version = Version::parse(&text).ok_or_else(|| {
            let way_out = "install rclone 1.66 or newer, or correct PATH";
            let what = "what PATH has as rclone does not answer `rclone version` as rclone does";
            RemoteError::new(format!("{what}: {way_out}")).lasting()
        })?;
        let warning = version.check()?;
        Ok(Tool { name: text.lines().next().unwrap_or_default().trim().to_owned(), warning })
    }

    pub(super) async fn own_nature(&self) -> Result<Nature, RemoteError> {
        let atomic = self.probe().await?.atomic;
        let args = ["backend", "features", without_path(&self.settings.root)];
        let answer = call(&self.settings, &args, b"", QUICK).await?;
        let report: Report =
            parse(&succeeded(answer, "use the remote")?.stdout, "backend features")?;
        let hashes = report.hashes.unwrap_or_default();
        Ok(Nature { atomic, streams: report.features.put_stream, hashes })
    }

    pub(super) async fn modified_at(
        &self,
        name: &str,
    ) -> Result<Option<DateTime<Utc>>, RemoteError> {
        let path = self.path(name);
        // Of what it keeps as metadata, our own time comes back.
        let args = ["lsjson", "--stat", "--use-server-modtime", "--no-mimetype", &path];
        let answer = self.call(&args, b"", QUICK).await?;
        if MISSING.contains(&answer.exit.code()) {
            return Ok(None);
        }
        let answer = succeeded(answer, &format!("look at {name}"))?;
        Ok(Some(parse::<Modified>(&answer.stdout, "lsjson")?.mod_time))
    }
}

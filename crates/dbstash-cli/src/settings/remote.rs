//! Where backups go, and with which rclone.conf.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dbstash_core::secret::SecretString;

use super::connection_string::{self, Root};
use super::job::words;
use super::layers::Origin;
use super::machine::Machine;
use super::parse;
use super::reader::Reader;
use super::secrets;
use super::table::{
    BACKUP_ALLOW_SPOOL, BACKUP_UPLOAD_CHECK, Kind, RCLONE_CONFIG, RCLONE_CONFIG_FILE,
    RCLONE_CONFIG_PASS, RCLONE_EXTRA_ARGS, RCLONE_REMOTE,
};
use super::{RcloneConfig, RemoteSettings, UploadCheck};

/// Used when it is there and no other was given.
pub(super) const MOUNTED_CONFIG: &str = "/config/rclone.conf";

/// What the rclone settings say; `None` when they are wrong, and then it is known why.
pub(super) fn remote(reader: &mut Reader<'_>, machine: &dyn Machine) -> Option<RemoteSettings> {
    let root = root(reader);
    let config = config(reader, machine);
    let extra_args = words(reader, &RCLONE_EXTRA_ARGS);
    let upload_check = match BACKUP_UPLOAD_CHECK.kind {
        Kind::OneOf(words) => reader.value(&BACKUP_UPLOAD_CHECK, |t| parse::one_of(t, words)),
        _ => None,
    };
    let allow_spool = reader.value(&BACKUP_ALLOW_SPOOL, parse::boolean);
    Some(RemoteSettings {
        root: root?,
        config: config?,
        config_pass: reader.given(&RCLONE_CONFIG_PASS).map(SecretString::from),
        extra_args,
        upload_check: match upload_check? {
            "rclone" => UploadCheck::Rclone,
            _ => UploadCheck::Size,
        },
        allow_spool: allow_spool?,
    })
}

fn root(reader: &mut Reader<'_>) -> Option<String> {
    let Some(text) = reader.given(&RCLONE_REMOTE) else {
        if !reader.is_set(&RCLONE_REMOTE) {
            let way_out = "no remote: set RCLONE_REMOTE to remote:path or a local folder";
            reader.complaints.mistake(way_out.to_owned());
        }
        return None;
    };
    match connection_string::root(text) {
        Ok(Root { path, relative }) => {
            if relative {
                reader.complaints.warn(format!(
                    "RCLONE_REMOTE={path} is a folder below the working directory; a remote's name \
                     ends with a colon ({path}:), a folder better starts with /"
                ));
            }
            Some(path)
        }
        Err(reason) => {
            // Not with its value, which may be just the secret that is complained about.
            reader.complaints.mistake(format!("RCLONE_REMOTE: {reason}"));
            None
        }
    }
}

fn config(reader: &mut Reader<'_>, machine: &dyn Machine) -> Option<RcloneConfig> {
    if let Some(path) = reader.given(&RCLONE_CONFIG_FILE) {
        if reader.is_set(&RCLONE_CONFIG) {
            let wins = "RCLONE_CONFIG_FILE and RCLONE_CONFIG are both set; the file wins";
            reader.complaints.warn(wins.to_owned());
        }
        return file(reader, machine, "RCLONE_CONFIG_FILE", path);
    }
    let Some(text) = reader.given(&RCLONE_CONFIG) else {
        return if machine.exists(Path::new(MOUNTED_CONFIG)) {
            file(reader, machine, "RCLONE_CONFIG_FILE", MOUNTED_CONFIG)
        } else {
            Some(RcloneConfig::Default)
        };
    };
    if text.starts_with('/') || text.starts_with("./") || machine.exists(Path::new(text)) {
        return file(reader, machine, "RCLONE_CONFIG", text);
    }
    reader.complaints.secrets.push(text.to_owned());
    if reader.origin(&RCLONE_CONFIG) == Origin::Flag {
        let shows =
            "--rclone-config shows secrets in the process list; set RCLONE_CONFIG_FILE instead";
        reader.complaints.warn(shows.to_owned());
    }
    match inline(text) {
        Ok(conf) => {
            reader.complaints.secrets.extend(secrets::in_rclone_conf(&conf));
            Some(RcloneConfig::Inline(Arc::new(SecretString::from(conf))))
        }
        Err(reason) => {
            reader.mistake(&RCLONE_CONFIG, reason);
            None
        }
    }
}

fn file(
    reader: &mut Reader<'_>,
    machine: &dyn Machine,
    name: &str,
    path: &str,
) -> Option<RcloneConfig> {
    match machine.read(Path::new(path)) {
        Ok(bytes) => {
            let conf = String::from_utf8_lossy(&bytes);
            reader.complaints.secrets.extend(secrets::in_rclone_conf(&conf));
            Some(RcloneConfig::Path(PathBuf::from(path)))
        }
        Err(error) => {
            // A base64 text can start with a slash, too.
            let shown = if name == RCLONE_CONFIG.name { String::new() } else { format!("={path}") };
            let mistake = format!("{name}{shown}: cannot read this rclone.conf: {error}");
            reader.complaints.mistake(mistake);
            None
        }
    }
}

fn inline(text: &str) -> Result<String, &'static str> {
    const ACCEPTED: &str = "accepted are the base64 text of an rclone.conf (base64 -w0 FILE) \
                            or the path of one";
    if looks_like_conf(text) {
        return Err("this is the plain text of an rclone.conf; accepted is its base64 text \
                    (base64 -w0 rclone.conf), or a path");
    }
    let standard: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(standard);
    let conf = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match conf {
        Some(conf) if looks_like_conf(&conf) => Ok(conf),
        Some(_) => Err("it is base64, but of no rclone.conf: a [remote] line is missing"),
        None => Err(ACCEPTED),
    }
}

fn looks_like_conf(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        line.starts_with("RCLONE_ENCRYPT_V")
            || line.starts_with('[') && line.ends_with(']') && line.len() > 2
    })
}

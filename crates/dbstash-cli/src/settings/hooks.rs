//! What is run around each backup.

use dbstash_core::job::Hooks;

use super::parse;
use super::reader::Reader;
use super::secrets;
use super::table::{HOOK_POST_BACKUP, HOOK_PRE_BACKUP, HOOK_TIMEOUT, Setting};

pub(super) fn hooks(reader: &mut Reader<'_>) -> Hooks {
    let (pre, post) = (command(reader, &HOOK_PRE_BACKUP), command(reader, &HOOK_POST_BACKUP));
    let timeout = reader.value(&HOOK_TIMEOUT, parse::duration);
    if pre.is_none() && post.is_none() && reader.is_set(&HOOK_TIMEOUT) {
        let idle = "HOOK_TIMEOUT has no effect without HOOK_PRE_BACKUP or HOOK_POST_BACKUP";
        reader.complaints.warn(idle.to_owned());
    }
    Hooks { pre, post, timeout: timeout.filter(|limit| !limit.is_zero()) }
}

/// The text is the shell's; it is only looked at for what must not be shown.
fn command(reader: &mut Reader<'_>, setting: &'static Setting) -> Option<String> {
    let text = reader.given(setting).filter(|text| !text.trim().is_empty())?;
    let found = in_command(text);
    if !found.is_empty() {
        let name = setting.name;
        reader.complaints.warn(format!(
            "{name} holds a secret, which shows in the process list while it runs; put it into a variable or file that \
             the hook reads"
        ));
    }
    reader.complaints.secrets.extend(found);
    Some(text.to_owned())
}

/// The secrets that are written out in a command: `--password=x`, `PGPASSWORD=x psql`, a URL's.
fn in_command(text: &str) -> Vec<String> {
    let Ok(words) = shell_words::split(text) else { return Vec::new() };
    let mut found: Vec<_> =
        secrets::in_words(&words).into_iter().map(|(_, secret)| secret).collect();
    let assigned = words.iter().filter_map(|word| word.split_once('='));
    found.extend(assigned.filter(|(name, value)| secrets::is_secret(name, value)).map(|(_, v)| v));
    // What the shell puts there is no secret that is written out.
    let written = found.into_iter().filter(|secret| !secret.contains(['$', '`']));
    written.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_are_written_out() {
        for (text, secrets) in [
            ("echo done", ""),
            ("PGPASSWORD=hunter22 psql -c CHECKPOINT", "hunter22"),
            ("curl --user-token hunter22 http://h/", "hunter22"),
            ("curl --token=\"$TOKEN\" \"https://u:$PW@h/$DBSTASH_STATUS\"", ""),
            ("KEY=`cat /key` x; PASSWORD=$(cat /run/pw) y", ""),
            ("it's not closed PASSWORD=x", ""),
        ] {
            assert_eq!(in_command(text).join(" "), secrets, "{text}");
        }
    }

    #[test]
    fn no_variable_is_too_odd_for_a_hook() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt as _;

        let odd = || OsString::from_vec(vec![0xff]);
        let mut given = vec![(odd(), "x".into()), ("A".into(), odd()), ("B".into(), "y".into())];
        let mut whole = super::super::Environment::new(given.clone()).whole();
        given.sort();
        whole.sort();
        assert_eq!(whole, given);
    }
}

//! The plan: what there is, what will be done, and how that is shown.

use std::fmt::Write as _;

use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::engine::Engine;
use dbstash_core::job::EngineKey;
use dbstash_core::load::{Load, Target, Wish};
use dbstash_core::restore::{RestoreError, survey};
use dbstash_core::verify::{Context, Outcome};

use super::super::site::named;
use super::Attempt;
use crate::text::{age, shown, size};

/// Looks at the target, and then at what to do.
pub(super) async fn plan(
    engine: &dyn Engine,
    wish: &Wish<'_>,
    cx: Context<'_>,
) -> Result<(Target, Load), RestoreError> {
    let there = look(engine, wish, cx).await?;
    let mut load = engine.load(wish, &there)?;
    let by_one = [EngineKey::Mongo, EngineKey::Redis, EngineKey::Sqlite];
    if wish.jobs > 1 && by_one.contains(&engine.key()) {
        load.notes.push(format!("--jobs has no effect: one connection loads {}", engine.key()));
    }
    Ok((there, load))
}

/// What there is at the target.
pub(super) async fn look(
    engine: &dyn Engine,
    wish: &Wish<'_>,
    cx: Context<'_>,
) -> Result<Target, RestoreError> {
    survey(&engine.survey(wish)?, cx).await
}

impl Attempt<'_> {
    /// What will be done, for people.
    pub(super) fn text(&self, wish: &Wish<'_>, there: &Target, load: &Load) -> String {
        let manifest = wish.manifest;
        let now = SystemClock.now();
        let mut text = String::new();
        let mut line = |name: &str, what: &str| {
            let _ = writeln!(text, "{name:<9} {}", shown(what));
        };
        line("restore", &named(self.found.backup));
        line("from", &self.found.site.root);
        let took = age(manifest.ended - manifest.started);
        let (stored, raw) = (size(manifest.bytes()), size(manifest.raw_bytes()));
        line(
            "backup",
            &format!("{} old, {stored} stored, a dump of {raw}", age(now - manifest.started)),
        );
        let twice = if load.atomic { "" } else { ", and the time to read it once more before" };
        line("expect", &format!("about {took}, which the backup took{twice}"));
        let version = manifest.dump().and_then(|dump| dump.passed.server_version.as_deref());
        line("version", &format!("{} {}", manifest.engine, version.unwrap_or("(not known)")));
        if let Some(mark) = self.found.backup.verified() {
            let found = match mark.outcome {
                Outcome::Corrupt => "CORRUPT: dbstash verify says what is wrong",
                good => good.as_str(),
            };
            line("verified", &format!("{found}, {} ago", age(now - mark.at)));
        }
        line("into", &self.goal.named(&manifest.database));
        if let Some(version) = &there.version {
            line("", &format!("{} {version}", self.goal.engine));
        }
        let holds = match (&there.mark, there.exists, there.holds.is_empty()) {
            (Some(of), ..) => format!("an interrupted restore of {of}"),
            (None, false, _) => "nothing: it is made".to_owned(),
            (None, true, true) => "nothing".to_owned(),
            (None, true, false) => there.holds.join(", "),
        };
        line("it holds", &holds);
        let how = if load.atomic {
            "all of it or nothing: it counts once every byte was proven"
        } else {
            "the backup is verified first; an interrupted restore leaves a mark"
        };
        line("how", how);
        for command in load.commands(manifest) {
            line("run", &command);
        }
        for note in &load.notes {
            line("note", note);
        }
        text
    }
}

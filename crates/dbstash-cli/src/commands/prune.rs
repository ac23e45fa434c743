//! `dbstash prune`: retention by hand, its plan first.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use dbstash_core::prune::PrunePlan;
use dbstash_core::retention::Policy;

use crate::text::{age, shown, size, table};

/// Every line of the plan with its reason.
pub fn as_text(plan: &PrunePlan, policy: &Policy, now: DateTime<Utc>) -> String {
    if plan.verdicts.is_empty() {
        return "no backups of this job\n".to_owned();
    }
    let rows: Vec<_> = plan
        .verdicts
        .iter()
        .map(|(backup, verdict)| {
            [
                shown(&backup.objects().next().unwrap_or_default()).into_owned(),
                shown(&backup.manifest.database).into_owned(),
                age(now - backup.manifest.started),
                size(backup.manifest.bytes()),
                verdict.to_string(),
            ]
        })
        .collect();
    let mut text = table(["OBJECT", "DATABASE", "AGE", "SIZE", "VERDICT"], &rows);
    if policy.keeps_everything() {
        text.push_str("no retention is set: everything stays\n");
    }
    for hold in plan.holds() {
        let _ = writeln!(text, "{hold}");
    }
    let (count, bytes) = plan
        .deletions()
        .fold((0, 0_u64), |(n, sum), b| (n + 1, sum.saturating_add(b.manifest.bytes())));
    let _ = writeln!(text, "{count} of {} to delete, {}", plan.verdicts.len(), size(bytes));
    text
}

//! The programs a backup starts, and what they print.

use std::time::Duration;

use super::Context;
use crate::artifact::ProduceError;
use crate::checkup::{Finding, Tool};
use crate::engine::PlanError;
use crate::error::RunError;
use crate::invocation::Invocation;
use crate::process::LaunchError;

/// A version is known at once; a server may be far away.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody answers at greater length.
const LONGEST: usize = 16 * 1024 * 1024;

/// What a tool says of itself, and what that means.
pub(super) async fn look(tool: &Tool, cx: Context<'_>) -> (Finding, String) {
    let program = &tool.version.program;
    let said = match print(&tool.version, cx).await {
        Ok(said) => String::from_utf8_lossy(&said).into_owned(),
        Err(error) => return (missing(tool, &error), String::new()),
    };
    let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let finding = match (tool.complaint)(&said) {
        Some((what, way_out)) => Finding::fail("tool", format!("{program}: {what}"), way_out),
        None if first.starts_with(&**program) => Finding::ok("tool", first),
        None => Finding::ok("tool", format!("{program} {first}")),
    };
    (finding, said)
}

pub(super) fn missing(tool: &Tool, error: &RunError) -> Finding {
    let way_out = match error {
        RunError::Dump(ProduceError::Launch(LaunchError::NotFound(_))) => {
            format!("install {}", tool.from)
        }
        RunError::Dump(ProduceError::Launch(LaunchError::NotExecutable(_))) => {
            "chmod +x it, or mount it without noexec".to_owned()
        }
        _ => format!("see whether it starts by hand, or install {} anew", tool.from),
    };
    let said = error.stderr().trim();
    let colon = if said.is_empty() { "" } else { ": " };
    let what = format!("{error}{colon}{}", said.lines().next().unwrap_or_default());
    match tool.without {
        None => Finding::fail("tool", what, way_out),
        Some(lost) => Finding::warn("tool", format!("{what}; without it {lost}"), way_out),
    }
}

/// All that a program prints.
pub(super) async fn print(invocation: &Invocation, cx: Context<'_>) -> Result<Vec<u8>, RunError> {
    let run = cx.state.process_dir()?;
    let printing = async {
        let launched = cx.launcher.launch(invocation, &run).await;
        let mut tool = launched.map_err(ProduceError::from)?;
        let (mut all, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            match tool.read(&mut buf).await? {
                0 => break,
                n if all.len() < LONGEST => all.extend_from_slice(&buf[..n]),
                _ => {}
            }
        }
        tool.finish().await?;
        Ok(all)
    };
    // Dropped, it is killed.
    tokio::time::timeout(PATIENCE, printing).await.unwrap_or_else(|_| {
        let program = &invocation.program;
        Err(PlanError(format!("{program} gave no answer within {PATIENCE:?}")).into())
    })
}

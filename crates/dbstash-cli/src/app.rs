//! The commands that look at what is stored, and tidy it up.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::Result;
use dbstash_core::catalog::Catalog;
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::job::Job;
use dbstash_core::prune::PrunePlan;
use dbstash_core::remote::Remote as _;
use dbstash_core::state::{LockError, StateDir};
use dbstash_core::zone::Zone;

use crate::commands::prune;
use crate::exit::Exit;
use crate::places::Destination;
use crate::text::shown;

/// Everything these commands share.
pub struct App {
    /// The state directory.
    pub state: StateDir,
    /// Where backups are.
    pub destination: Destination,
    /// How names and times are shown.
    pub zone: Zone,
}

impl App {
    /// `dbstash prune`: shows the plan, asks, deletes.
    pub async fn prune(&self, job: &Job, dry_run: bool, yes: bool) -> Result<Exit> {
        let now = SystemClock.now();
        let plan = PrunePlan::new(&self.catalog().await?, job, None, now);
        print(&prune::as_text(&plan, &job.retention, now))?;
        let count = plan.deletions().count();
        if dry_run || count == 0 {
            return Ok(Exit::Done);
        }
        if !yes && !confirmed(&format!("delete {count} backups?"))? {
            complain("nothing was deleted; --yes deletes without asking");
            return Ok(Exit::Failed);
        }
        let mut held = Vec::new();
        for database in plan.databases().into_iter().filter(|_| job.exclusive) {
            match self.state.lock(&job.id, database, &job.naming.host, now) {
                Ok(lock) => held.push(lock),
                Err(refused @ LockError::Held(_)) => {
                    complain(&refused.to_string());
                    return Ok(Exit::Skipped);
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Under the locks nobody here pins or makes one any more; while somebody thought it over, they could.
        let again = PrunePlan::new(&self.catalog().await?, job, None, now);
        let names = |plan: &PrunePlan| -> Vec<String> {
            plan.deletions().map(|backup| backup.manifest_name.clone()).collect()
        };
        if names(&again) != names(&plan) {
            complain("nothing was deleted: other backups would go by now; look at it again");
            return Ok(Exit::Failed);
        }
        let pruned = again.carry_out(&self.destination.remote, &self.state, now).await?;
        complain(&format!("{} backups deleted", pruned.gone));
        match pruned.trouble(count) {
            Some(trouble) => Err(anyhow::anyhow!(trouble)),
            None => Ok(Exit::Done),
        }
    }

    /// What is there now.
    pub async fn catalog(&self) -> Result<Catalog> {
        let remote = &self.destination.remote;
        let cache = self.state.cache(&remote.label());
        Ok(Catalog::load(remote, &cache, SystemClock.now()).await?)
    }
}

/// Writes a result to stdout. A reader that has seen enough is no failure.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Writes a message for people to stderr. It may repeat a name from a remote, which must not drive the terminal.
pub fn complain(text: &str) {
    // Nobody is left to be told that stderr is gone.
    let lines: Vec<_> = text.lines().map(shown).collect();
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// Asks, where somebody is there to answer.
pub fn confirmed(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

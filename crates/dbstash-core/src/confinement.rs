//! Programs that must not outlive us, be root, or take all memory: servers of drills.
//!
//! What it takes can only be done between the start of a process and that of its program, and without unsafe code only
//! by a program: ours, once more, under a word that nobody else uses.

use std::ffi::OsString;
use std::io;

use rustix::process::{
    Gid, Pid, Resource, Rlimit, Signal, Uid, chdir, getppid, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::process;

/// What tells our program that it is to become another one.
const WORD: &str = "confined";

/// What a program may be and take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// User and group; as we are when there are none.
    pub user: Option<(u32, u32)>,
    /// Bytes of memory for each of its processes.
    pub memory: u64,
}

impl Confinement {
    /// Our own program, and the words that make it that one.
    pub(crate) fn around(self, program: &str, args: &[String]) -> (&'static str, Vec<String>) {
        let user = self.user.map_or("-".to_owned(), |(user, group)| format!("{user}:{group}"));
        let ours = std::process::id().to_string();
        let mut words = vec![WORD.to_owned(), ours, user, self.memory.to_string()];
        words.push(program.to_owned());
        words.extend_from_slice(args);
        ("/proc/self/exe", words)
    }
}

/// Becomes the program that a command line of [`Confinement`] names; returns only when that fails, or when the line is
/// none of those.
pub fn enter(args: &[OsString]) -> Option<io::Error> {
    let [_, word, words @ ..] = args else { return None };
    if word != WORD {
        return None;
    }
    let [parent, user, memory, program, args @ ..] = words else {
        return Some(io::Error::other("it is not for people"));
    };
    let number = |word: &OsString| word.to_str().and_then(|word| word.parse().ok());
    let (Some(parent), Some(memory)) = (number(parent), number(memory)) else {
        return Some(io::Error::other("it is not for people"));
    };
    let user = user.to_str().and_then(|user| user.split_once(':'));
    let user = user.and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    Some(match confined(parent, user, memory) {
        Ok(()) => process::become_another(program, args),
        Err(error) => error,
    })
}

fn confined(parent: u64, user: Option<(u32, u32)>, memory: u64) -> io::Result<()> {
    if let Some((user, group)) = user {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
    }
    // After that: another user's process is nobody's child to die with.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let alive = getppid().map(Pid::as_raw_nonzero);
    if alive.and_then(|pid| u64::try_from(pid.get()).ok()) != Some(parent) {
        return Err(io::Error::other("whoever started it is gone"));
    }
    let limit = Rlimit { current: Some(memory), maximum: Some(memory) };
    setrlimit(Resource::Data, limit)?;
    // Ours may be closed to another user.
    chdir("/")?;
    Ok(())
}
